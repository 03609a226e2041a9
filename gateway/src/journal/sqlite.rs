//! The journal's one writing connection.

use super::{
    Identity, Journal, JournalError, load,
    mark::Mark,
    schema::{self, seal},
};
use crate::desk::EventLog;
use mymt5_model::{ClientName, RequestId};
use mymt5_orders::{Denial, Loaded, Record, Request, Subject};
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Denied calls kept.
const DENIALS: i64 = 100_000;
/// Commits between two looks at the log file's size.
const LOOK: u64 = 64;

/// The file, open for writing.
#[derive(Debug)]
pub struct Sqlite {
    connection: Connection,
    path: PathBuf,
    mark: Mark,
    sequence: u64,
    commits: u64,
}

impl Sqlite {
    /// Opens the journal of an account, or makes it, and reads all of it. Clients that are new get
    /// a slot.
    ///
    /// # Errors
    /// See [`JournalError`]: each names its fix.
    pub fn open(
        path: &Path,
        identity: &Identity,
        clients: &[ClientName],
    ) -> Result<(Self, Loaded), JournalError> {
        let had_one = Mark::exists_beside(path);
        if had_one && !path.exists() {
            return Err(JournalError::Lost(path.to_path_buf()));
        }
        let (connection, fresh) = schema::open(path)?;
        if fresh && had_one {
            return Err(JournalError::Lost(path.to_path_buf()));
        }
        if fresh {
            found(&connection, identity).map_err(JournalError::Write)?;
        }
        check_identity(&connection, identity)?;
        give_slots(&connection, clients)?;
        Self::read(connection, path)
    }

    /// Opens a journal whoever it belongs to, and reads all of it.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn open_as_it_is(path: &Path) -> Result<(Self, Loaded), JournalError> {
        let (connection, fresh) = schema::open(path)?;
        if fresh {
            return Err(JournalError::Foreign(path.to_path_buf()));
        }
        Self::read(connection, path)
    }

    fn read(connection: Connection, path: &Path) -> Result<(Self, Loaded), JournalError> {
        let loaded = load::all(&connection)?;
        let mark = Mark::beside(path, &loaded.journal_id);
        let seen = mark.seen()?;
        if seen > loaded.sequence {
            return Err(JournalError::RolledBack {
                found: loaded.sequence,
                seen,
            });
        }
        let journal = Self {
            connection,
            path: path.to_path_buf(),
            mark,
            sequence: loaded.sequence,
            commits: 0,
        };
        Ok((journal, loaded))
    }

    fn write(&mut self, batch: &[Record]) -> Result<(), JournalError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(JournalError::Write)?;
        let mut sequence = self.sequence;
        for record in batch {
            write(&transaction, record)?;
            if let Record::Event(event) = record {
                sequence = event.sequence;
            }
        }
        if sequence > self.sequence {
            let oldest = sequence.saturating_sub(EventLog::CAPACITY as u64);
            let purge = "DELETE FROM events WHERE sequence <= ?1";
            execute(&transaction, purge, params![number(oldest)])?;
        }
        transaction.commit().map_err(JournalError::Write)?;
        self.sequence = sequence;
        Ok(())
    }

    fn look(&mut self) {
        self.commits += 1;
        if self.commits % LOOK == 1 {
            let log = self.path.with_extension("db-wal");
            let bytes = fs::metadata(log).map_or(0, |log| log.len());
            metrics::gauge!("mymt5_journal_wal_bytes").set(bytes as f64);
        }
    }
}

impl Journal for Sqlite {
    fn commit(&mut self, batch: &[Record]) -> Result<(), JournalError> {
        self.write(batch)?;
        self.look();
        // The mark tells a rolled back file and is not worth closing trading for.
        if let Err(error) = self.mark.note(self.sequence, false) {
            tracing::warn!(%error, "journal's mark not written");
        }
        Ok(())
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        let _ = self.mark.note(self.sequence, true);
    }
}

/// SQLite's integers are signed; tickets and sequences stay far below the limit.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn execute(
    transaction: &Transaction<'_>,
    sql: &str,
    values: impl rusqlite::Params,
) -> Result<(), JournalError> {
    let mut statement = transaction
        .prepare_cached(sql)
        .map_err(JournalError::Write)?;
    statement.execute(values).map_err(JournalError::Write)?;
    Ok(())
}

pub(super) fn write(transaction: &Transaction<'_>, record: &Record) -> Result<(), JournalError> {
    let put = |sql: &str, key: u64, row: &dyn erased::Row| {
        let body = row.json()?;
        execute(transaction, sql, params![number(key), body, seal(&body)])
    };
    match record {
        Record::Request(request) => {
            let body = json(request)?;
            let sql =
                "INSERT INTO requests (client, request_id, body, seal) VALUES (?1, ?2, ?3, ?4)";
            let (client, id) = (request.client.as_str(), request.request_id.as_str());
            execute(transaction, sql, params![client, id, body, seal(&body)])
        }
        Record::Outcome(client, id, subject) => settle(transaction, client, id, *subject),
        Record::Order(order) => put(
            "INSERT OR REPLACE INTO orders (order_id, body, seal) VALUES (?1, ?2, ?3)",
            order.id.0,
            order,
        ),
        Record::Deal(deal) => put(
            "INSERT INTO deals (ticket, body, seal) VALUES (?1, ?2, ?3)",
            deal.deal.ticket.0,
            deal,
        ),
        Record::Position(position) => put(
            "INSERT OR REPLACE INTO positions (position_id, body, seal) VALUES (?1, ?2, ?3)",
            position.row.id.0,
            position,
        ),
        Record::PositionClosed(id) => {
            let sql = "DELETE FROM positions WHERE position_id = ?1";
            execute(transaction, sql, params![number(id.0)])
        }
        Record::Event(event) => put(
            "INSERT INTO events (sequence, body, seal) VALUES (?1, ?2, ?3)",
            event.sequence,
            event,
        ),
        Record::State(state) => {
            let sql = "INSERT OR REPLACE INTO states (scope, body, seal) VALUES (?1, ?2, ?3)";
            put_scope(transaction, sql, state.client.as_ref(), &json(state)?)
        }
        Record::Losses(losses) => {
            let sql = "INSERT OR REPLACE INTO losses (scope, body, seal) VALUES (?1, ?2, ?3)";
            put_scope(transaction, sql, losses.client.as_ref(), &json(losses)?)
        }
        Record::Slot(client, slot) => {
            let sql = "INSERT INTO slots (slot, client) VALUES (?1, ?2)";
            execute(transaction, sql, params![slot, client.as_str()])
        }
        Record::Touched(symbols) => {
            let sql = "UPDATE meta SET value = ?1 WHERE key = 'touched'";
            execute(transaction, sql, params![json(symbols)?])
        }
        Record::Denial(denial) => deny(transaction, denial),
    }
}

/// The account's scope is the empty name.
fn put_scope(
    transaction: &Transaction<'_>,
    sql: &str,
    client: Option<&ClientName>,
    body: &str,
) -> Result<(), JournalError> {
    let scope = client.map_or("", ClientName::as_str);
    execute(transaction, sql, params![scope, body, seal(body)])
}

fn settle(
    transaction: &Transaction<'_>,
    client: &ClientName,
    id: &RequestId,
    subject: Subject,
) -> Result<(), JournalError> {
    let key = [client.as_str(), id.as_str()];
    let sql = "SELECT body FROM requests WHERE client = ?1 AND request_id = ?2";
    let body: String = transaction
        .query_row(sql, key, |row| row.get(0))
        .map_err(JournalError::Write)?;
    let mut request: Request = serde_json::from_str(&body).map_err(JournalError::Encode)?;
    request.subject = subject;
    let body = json(&request)?;
    let sql = "UPDATE requests SET body = ?3, seal = ?4 WHERE client = ?1 AND request_id = ?2";
    execute(transaction, sql, params![key[0], key[1], body, seal(&body)])
}

fn deny(transaction: &Transaction<'_>, denial: &Denial) -> Result<(), JournalError> {
    let sql = "INSERT INTO denials (at, client, peer, call, code, correlation) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let Denial {
        at,
        client,
        peer,
        call,
        code,
        correlation,
    } = denial;
    execute(
        transaction,
        sql,
        params![at.0, client, peer, call, code, correlation],
    )?;
    let purge = "DELETE FROM denials WHERE id <= (SELECT max(id) FROM denials) - ?1";
    execute(transaction, purge, params![DENIALS])
}

fn json(row: &impl Serialize) -> Result<String, JournalError> {
    serde_json::to_string(row).map_err(JournalError::Encode)
}

mod erased {
    use super::{JournalError, Serialize, json};

    /// A row of any table.
    pub(super) trait Row {
        fn json(&self) -> Result<String, JournalError>;
    }

    impl<T: Serialize> Row for T {
        fn json(&self) -> Result<String, JournalError> {
            json(self)
        }
    }
}

/// The server's name is no secret of ours to keep: only its digest is written.
fn fingerprint(salt: &str, server: &str) -> String {
    hex::encode(Sha256::digest(format!("{salt} {server}")))
}

fn found(connection: &Connection, identity: &Identity) -> rusqlite::Result<()> {
    let id = uuid::Uuid::new_v4().simple().to_string();
    let rows = [
        ("broker", identity.broker.to_owned()),
        ("touched", "[]".to_owned()),
        ("salt", id.clone()),
        ("server_sha256", fingerprint(&id, &identity.server)),
        ("account", identity.account.to_string()),
        ("journal_id", id),
    ];
    for (key, value) in rows {
        connection.execute(
            "INSERT INTO meta (key, value) VALUES (?1, ?2)",
            [key, &value],
        )?;
    }
    Ok(())
}

fn check_identity(connection: &Connection, identity: &Identity) -> Result<(), JournalError> {
    let kept = |key: &str| load::meta(connection, key);
    let (broker, account, salt) = (kept("broker")?, kept("account")?, kept("salt")?);
    let same = broker == identity.broker
        && account == identity.account.to_string()
        && kept("server_sha256")? == fingerprint(&salt, &identity.server);
    if same {
        return Ok(());
    }
    Err(JournalError::OtherAccount {
        kept: format!("{broker} {account}"),
    })
}

fn give_slots(connection: &Connection, clients: &[ClientName]) -> Result<(), JournalError> {
    for client in clients {
        let sql = "INSERT INTO slots (slot, client)
            SELECT (SELECT coalesce(max(slot), 0) + 1 FROM slots), ?1
            WHERE NOT EXISTS (SELECT 1 FROM slots WHERE client = ?1)";
        connection
            .execute(sql, [client.as_str()])
            .map_err(JournalError::Write)?;
    }
    let highest: i64 = connection
        .query_row("SELECT coalesce(max(slot), 0) FROM slots", [], |row| {
            row.get(0)
        })
        .map_err(JournalError::Read)?;
    if highest > i64::from(mymt5_model::Magic::MAX_SLOT) {
        return Err(JournalError::SlotsUsedUp);
    }
    Ok(())
}
