//! Reads a whole journal, and believes no row whose seal is broken.

use super::{JournalError, schema::seal};
use mymt5_model::ClientName;
use mymt5_orders::{Loaded, Recorded};
use rusqlite::{Connection, OptionalExtension};
use serde::de::DeserializeOwned;

/// One fact about the journal itself.
pub(super) fn meta(connection: &Connection, key: &str) -> Result<String, JournalError> {
    let sql = "SELECT value FROM meta WHERE key = ?1";
    let value = connection
        .query_row(sql, [key], |row| row.get(0))
        .optional();
    value
        .map_err(JournalError::Read)?
        .ok_or_else(|| damaged("meta", key))
}

/// Everything.
pub(super) fn all(connection: &Connection) -> Result<Loaded, JournalError> {
    let events: Vec<Recorded> = rows(connection, "events", "sequence")?;
    let gap = events
        .windows(2)
        .find(|pair| pair[1].sequence != pair[0].sequence + 1);
    if let Some(pair) = gap {
        return Err(damaged("events", &pair[0].sequence.to_string()));
    }
    Ok(Loaded {
        journal_id: meta(connection, "journal_id")?,
        slots: slots(connection)?,
        requests: rows(connection, "requests", "client, request_id")?,
        orders: rows(connection, "orders", "order_id")?,
        deals: rows(connection, "deals", "ticket")?,
        positions: rows(connection, "positions", "position_id")?,
        sequence: events.last().map_or(0, |event| event.sequence),
        events,
        states: rows(connection, "states", "scope")?,
        losses: rows(connection, "losses", "scope")?,
        touched: serde_json::from_str(&meta(connection, "touched")?)
            .map_err(|_| damaged("meta", "touched"))?,
    })
}

fn damaged(table: &str, key: &str) -> JournalError {
    JournalError::Damaged {
        what: format!("{table}, row {key}"),
    }
}

fn rows<T: DeserializeOwned>(
    connection: &Connection,
    table: &'static str,
    key: &'static str,
) -> Result<Vec<T>, JournalError> {
    let sql = format!("SELECT body, seal FROM {table} ORDER BY {key}");
    let mut statement = connection.prepare(&sql).map_err(JournalError::Read)?;
    let read = statement
        .query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
        })
        .map_err(JournalError::Read)?;
    let parsed = read.enumerate().map(|(index, row)| {
        let (body, sealed) = row.map_err(JournalError::Read)?;
        let intact = sealed == seal(&body);
        let row = serde_json::from_str(&body).ok().filter(|_| intact);
        row.ok_or_else(|| damaged(table, &format!("number {}", index + 1)))
    });
    parsed.collect()
}

fn slots(
    connection: &Connection,
) -> Result<std::collections::BTreeMap<ClientName, u16>, JournalError> {
    let mut statement = connection
        .prepare("SELECT client, slot FROM slots")
        .map_err(JournalError::Read)?;
    let read = statement
        .query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, u16>(1)?))
        })
        .map_err(JournalError::Read)?;
    read.map(|row| {
        let (client, slot) = row.map_err(JournalError::Read)?;
        let client = ClientName::parse(&client).map_err(|_| damaged("slots", "of a client"))?;
        Ok((client, slot))
    })
    .collect()
}
