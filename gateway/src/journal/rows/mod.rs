//! Rows of orders, requests and deals: a column for each fact, and a seal over all of them.

mod deal;
mod order;
mod request;

use super::{JournalError, damaged, failure};
use mymt5_model::Moment;
use rusqlite::{
    CachedStatement, Connection, Params, Row,
    types::{Value, ValueRef},
};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use std::{fmt::Display, str::FromStr};

/// Bytes of a trace id.
const TRACE: usize = 16;

/// What is kept as a row of a table.
pub(super) trait Stored: Sized {
    /// The table.
    const TABLE: &'static str;
    /// Its columns without the seal, the primary key first.
    const COLUMNS: &'static [&'static str];
    /// A value for each column.
    fn values(&self) -> Values;
    /// Out of a value for each column; none: they are not of this program.
    fn read(from: &mut Columns) -> Option<Self>;
}

/// Values in the order of their columns.
#[derive(Default)]
pub(super) struct Values(Vec<Value>);

impl Values {
    fn put(&mut self, value: impl Into<Value>) -> &mut Self {
        self.0.push(value.into());
        self
    }

    fn number(&mut self, value: u64) -> &mut Self {
        self.put(number(value))
    }

    fn maybe_number(&mut self, value: Option<u64>) -> &mut Self {
        self.put(value.map(number))
    }

    /// True is 1, and false takes no room.
    fn flag(&mut self, value: bool) -> &mut Self {
        self.put(value.then_some(1))
    }

    /// What has an exact text.
    fn shown(&mut self, value: impl Display) -> &mut Self {
        self.put(value.to_string())
    }

    fn maybe_shown(&mut self, value: Option<impl Display>) -> &mut Self {
        self.put(value.map(|value| value.to_string()))
    }

    /// An empty text takes no room.
    fn text(&mut self, value: &str) -> &mut Self {
        self.put((!value.is_empty()).then(|| value.to_owned()))
    }

    /// A variant's name; with what it holds, where it holds something.
    fn word(&mut self, value: &impl Serialize) -> &mut Self {
        let value = match serde_json::to_value(value) {
            Ok(serde_json::Value::String(word)) => Value::Text(word),
            Ok(value) => Value::Text(value.to_string()),
            Err(_) => Value::Null,
        };
        self.put(value)
    }

    fn moment(&mut self, moment: Moment) -> &mut Self {
        self.put(moment.utc.map(|time| time.0))
            .put(moment.broker.map(|time| time.0))
    }

    /// Hex digits of a trace take half their room as bytes.
    fn trace_id(&mut self, trace_id: &str) -> &mut Self {
        match hex::decode(trace_id) {
            Ok(bytes) if bytes.len() == TRACE => self.put(bytes),
            _ => self.text(trace_id),
        }
    }
}

/// The values of a row, taken one after the other.
pub(super) struct Columns(std::vec::IntoIter<Value>);

impl Columns {
    fn value(&mut self) -> Option<Value> {
        self.0.next()
    }

    fn maybe<T>(&mut self, read: impl FnOnce(Value) -> Option<T>) -> Option<Option<T>> {
        match self.value()? {
            Value::Null => Some(None),
            value => read(value).map(Some),
        }
    }

    fn maybe_int(&mut self) -> Option<Option<i64>> {
        self.maybe(|value| match value {
            Value::Integer(value) => Some(value),
            _ => None,
        })
    }

    fn int(&mut self) -> Option<i64> {
        self.maybe_int()?
    }

    fn maybe_number(&mut self) -> Option<Option<u64>> {
        match self.maybe_int()? {
            None => Some(None),
            Some(value) => u64::try_from(value).ok().map(Some),
        }
    }

    fn number(&mut self) -> Option<u64> {
        self.maybe_number()?
    }

    fn flag(&mut self) -> Option<bool> {
        Some(self.maybe_int()?.is_some())
    }

    fn maybe_text(&mut self) -> Option<Option<String>> {
        self.maybe(|value| match value {
            Value::Text(text) => Some(text),
            _ => None,
        })
    }

    fn text(&mut self) -> Option<String> {
        Some(self.maybe_text()?.unwrap_or_default())
    }

    fn maybe_shown<T: FromStr>(&mut self) -> Option<Option<T>> {
        match self.maybe_text()? {
            None => Some(None),
            Some(text) => text.parse().ok().map(Some),
        }
    }

    fn shown<T: FromStr>(&mut self) -> Option<T> {
        self.maybe_shown()?
    }

    fn maybe_word<T: DeserializeOwned>(&mut self) -> Option<Option<T>> {
        match self.maybe_text()? {
            None => Some(None),
            Some(text) if text.starts_with('{') => serde_json::from_str(&text).ok().map(Some),
            Some(text) => serde_json::from_value(text.into()).ok().map(Some),
        }
    }

    fn word<T: DeserializeOwned>(&mut self) -> Option<T> {
        self.maybe_word()?
    }

    fn moment(&mut self) -> Option<Moment> {
        Some(Moment {
            utc: self.maybe_int()?.map(mymt5_model::UtcTime),
            broker: self.maybe_int()?.map(mymt5_model::BrokerTime),
        })
    }

    fn bytes(&mut self) -> Option<Vec<u8>> {
        match self.value()? {
            Value::Blob(bytes) => Some(bytes),
            _ => None,
        }
    }

    fn trace_id(&mut self) -> Option<String> {
        match self.value()? {
            Value::Null => Some(String::new()),
            Value::Blob(bytes) => Some(hex::encode(bytes)),
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// SQLite's integers are signed; tickets, ids and sequences stay far below the limit.
pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Detects a row that was changed behind our back.
pub(super) fn seal(values: &[Value]) -> i64 {
    let mut digest = Sha256::new();
    for value in values {
        let (kind, bytes): (u8, &[u8]) = match value {
            Value::Null => (0, &[]),
            Value::Integer(value) => (1, &value.to_be_bytes()),
            Value::Real(value) => (2, &value.to_be_bytes()),
            Value::Text(text) => (3, text.as_bytes()),
            Value::Blob(bytes) => (4, bytes),
        };
        digest.update([kind]);
        digest.update((bytes.len() as u64).to_be_bytes());
        digest.update(bytes);
    }
    let digest: [u8; 32] = digest.finalize().into();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(first)
}

/// The values of a row whose last column is its seal, once that is found intact.
fn sealed(table: &str, row: &Row<'_>, columns: usize) -> Result<Vec<Value>, JournalError> {
    let mut values = Vec::with_capacity(columns);
    for index in 0..columns {
        let value = row.get_ref(index).map_err(reading)?;
        values.push(owned(value).ok_or_else(|| named(table, values.first()))?);
    }
    let intact = match row.get_ref(columns).map_err(reading)? {
        ValueRef::Integer(kept) => kept == seal(&values),
        _ => false,
    };
    if intact {
        Ok(values)
    } else {
        Err(named(table, values.first()))
    }
}

fn owned(value: ValueRef<'_>) -> Option<Value> {
    Some(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => Value::Integer(value),
        ValueRef::Real(value) => Value::Real(value),
        ValueRef::Text(bytes) => Value::Text(String::from_utf8(bytes.to_vec()).ok()?),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    })
}

fn named(table: &str, key: Option<&Value>) -> JournalError {
    match key {
        Some(Value::Integer(key)) => damaged(table, &key.to_string()),
        _ => damaged(table, "of a name"),
    }
}

pub(super) fn reading(error: rusqlite::Error) -> JournalError {
    failure(error, JournalError::Read)
}

fn writing(error: rusqlite::Error) -> JournalError {
    failure(error, JournalError::Write)
}

/// Writes a row that must be new.
pub(super) fn insert<T: Stored>(connection: &Connection, row: &T) -> Result<(), JournalError> {
    write(connection, "INSERT", row)
}

/// Writes a row in the place of the one with its key.
pub(super) fn replace<T: Stored>(connection: &Connection, row: &T) -> Result<(), JournalError> {
    write(connection, "INSERT OR REPLACE", row)
}

fn write<T: Stored>(connection: &Connection, verb: &str, row: &T) -> Result<(), JournalError> {
    let mut values = row.values().0;
    values.push(Value::Integer(seal(&values)));
    let places = vec!["?"; values.len()].join(", ");
    let table = T::TABLE;
    let columns = T::COLUMNS.join(", ");
    let sql = format!("{verb} INTO {table} ({columns}, seal) VALUES ({places})");
    run(connection, &sql, rusqlite::params_from_iter(values))
}

/// Runs a statement that changes something.
pub(super) fn run(
    connection: &Connection,
    sql: &str,
    values: impl Params,
) -> Result<(), JournalError> {
    let mut statement = connection.prepare_cached(sql).map_err(writing)?;
    statement.execute(values).map_err(writing)?;
    Ok(())
}

/// All rows that a condition selects (`WHERE ... ORDER BY ...`), each found intact.
pub(super) fn select<T: Stored>(
    connection: &Connection,
    condition: &str,
    values: impl Params,
) -> Result<Vec<T>, JournalError> {
    let table = T::TABLE;
    let columns = T::COLUMNS.join(", ");
    let sql = format!("SELECT {columns}, seal FROM {table} {condition}");
    let mut statement = connection.prepare_cached(&sql).map_err(reading)?;
    collect(&mut statement, values, |row| read_row(table, row))
}

/// All rows of such a table elsewhere that a condition selects, as far as they can be read; and why
/// not all of them can.
pub(super) fn salvage<T: Stored>(
    connection: &Connection,
    source: &str,
    condition: &str,
) -> (Vec<T>, Option<JournalError>) {
    let columns = T::COLUMNS.join(", ");
    let sql = format!("SELECT {columns}, seal FROM {source} {condition}");
    let mut all = Vec::new();
    let mut why = None;
    let read = connection.prepare(&sql).and_then(|mut statement| {
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            match read_row(T::TABLE, row) {
                Ok(row) => all.push(row),
                Err(error) => why = Some(error),
            }
        }
        Ok(())
    });
    (all, read.err().map(reading).or(why))
}

fn read_row<T: Stored>(table: &str, row: &Row<'_>) -> Result<T, JournalError> {
    let values = sealed(table, row, T::COLUMNS.len())?;
    let key = values.first().cloned();
    let mut columns = Columns(values.into_iter());
    T::read(&mut columns).ok_or_else(|| named(table, key.as_ref()))
}

/// The row that a condition selects, if there is one.
pub(super) fn find<T: Stored>(
    connection: &Connection,
    condition: &str,
    values: impl Params,
) -> Result<Option<T>, JournalError> {
    Ok(select(connection, condition, values)?.pop())
}

fn collect<T>(
    statement: &mut CachedStatement<'_>,
    values: impl Params,
    mut read: impl FnMut(&Row<'_>) -> Result<T, JournalError>,
) -> Result<Vec<T>, JournalError> {
    let mut rows = statement.query(values).map_err(reading)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next().map_err(reading)? {
        all.push(read(row)?);
    }
    Ok(all)
}

/// Writes a row of JSON under its key.
pub(super) fn put_json(
    connection: &Connection,
    (table, column): (&str, &str),
    key: impl Into<Value>,
    body: &impl Serialize,
) -> Result<(), JournalError> {
    let body = serde_json::to_string(body).map_err(JournalError::Encode)?;
    let mut values = vec![key.into(), Value::Text(body)];
    values.push(Value::Integer(seal(&values)));
    let sql = format!("INSERT OR REPLACE INTO {table} ({column}, body, seal) VALUES (?, ?, ?)");
    run(connection, &sql, rusqlite::params_from_iter(values))
}

/// All rows of JSON that a condition selects, each found intact.
pub(super) fn select_json<T: DeserializeOwned>(
    connection: &Connection,
    (table, column): (&str, &str),
    condition: &str,
    values: impl Params,
) -> Result<Vec<T>, JournalError> {
    let sql = format!("SELECT {column}, body, seal FROM {table} {condition}");
    let mut statement = connection.prepare_cached(&sql).map_err(reading)?;
    collect(&mut statement, values, |row| {
        let values = sealed(table, row, 2)?;
        let body = match &values[1] {
            Value::Text(body) => serde_json::from_str(body).ok(),
            _ => None,
        };
        body.ok_or_else(|| named(table, values.first()))
    })
}
