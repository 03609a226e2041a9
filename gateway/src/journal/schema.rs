//! The file's shape. Rows are JSON, sealed by a digest; generated columns make them readable for
//! whoever asks with `sqlite3 -readonly`.

use super::JournalError;
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use std::path::Path;

/// "MMT5": tells a journal from any other SQLite file.
const APPLICATION: i32 = 0x4d4d_5435;

/// One script per version: the first makes an empty file a journal, each later one brings the
/// version before it forward.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE slots (slot INTEGER PRIMARY KEY, client TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE requests (
        client TEXT NOT NULL, request_id TEXT NOT NULL, body TEXT NOT NULL, seal INTEGER NOT NULL,
        method TEXT AS (body ->> '$.method'), at INTEGER AS (body ->> '$.at'),
        correlation TEXT AS (body ->> '$.correlation'),
        PRIMARY KEY (client, request_id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE orders (
        order_id INTEGER PRIMARY KEY, body TEXT NOT NULL, seal INTEGER NOT NULL,
        client TEXT AS (body ->> '$.client'), request_id TEXT AS (body ->> '$.request_id'),
        symbol TEXT AS (body ->> '$.symbol'), side TEXT AS (body ->> '$.side'),
        state TEXT AS (body ->> '$.state'), reason TEXT AS (body ->> '$.reason'),
        ticket INTEGER AS (body ->> '$.ticket'), correlation TEXT AS (body ->> '$.correlation')
    ) STRICT;
    CREATE TABLE deals (
        ticket INTEGER PRIMARY KEY, body TEXT NOT NULL, seal INTEGER NOT NULL,
        client TEXT AS (body ->> '$.client'), order_id INTEGER AS (body ->> '$.order'),
        symbol TEXT AS (body ->> '$.deal.symbol')
    ) STRICT;
    CREATE TABLE positions (
        position_id INTEGER PRIMARY KEY, body TEXT NOT NULL, seal INTEGER NOT NULL,
        client TEXT AS (body ->> '$.client'), symbol TEXT AS (body ->> '$.row.symbol')
    ) STRICT;
    CREATE TABLE events (
        sequence INTEGER PRIMARY KEY, body TEXT NOT NULL, seal INTEGER NOT NULL,
        at INTEGER AS (body ->> '$.at'), correlation TEXT AS (body ->> '$.correlation')
    ) STRICT;
    CREATE TABLE states (scope TEXT PRIMARY KEY, body TEXT NOT NULL, seal INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE losses (scope TEXT PRIMARY KEY, body TEXT NOT NULL, seal INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE denials (
        id INTEGER PRIMARY KEY, at INTEGER NOT NULL, client TEXT NOT NULL, peer TEXT NOT NULL,
        call TEXT NOT NULL, code TEXT NOT NULL, correlation TEXT NOT NULL
    ) STRICT;
"];

/// Pragmas of every connection that writes.
const SETTINGS: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA journal_size_limit = 67108864;
    PRAGMA busy_timeout = 5000;
";

/// Opens the file and brings it to the newest version. True: it was made now.
pub(super) fn open(path: &Path) -> Result<(Connection, bool), JournalError> {
    let cannot = |error| JournalError::Open(path.to_path_buf(), error);
    let mut connection = Connection::open(path).map_err(cannot)?;
    let foreign = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => JournalError::Foreign(path.to_path_buf()),
        Some(rusqlite::ErrorCode::DatabaseCorrupt) => JournalError::Damaged {
            what: "its pages do not fit".into(),
        },
        _ => cannot(error),
    };
    connection.execute_batch(SETTINGS).map_err(foreign)?;
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let application = pragma("application_id").map_err(foreign)?;
    let version = pragma("user_version").map_err(foreign)?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(foreign)?;
    let fresh = tables == 0 && application == 0;
    if !fresh && application != APPLICATION {
        return Err(JournalError::Foreign(path.to_path_buf()));
    }
    migrate(
        &mut connection,
        usize::try_from(version).unwrap_or(usize::MAX),
    )
    .map_err(|error| match error {
        Some(error) => cannot(error),
        None => JournalError::Newer,
    })?;
    if !fresh {
        check_pages(&connection)?;
    }
    Ok((connection, fresh))
}

fn migrate(connection: &mut Connection, version: usize) -> Result<(), Option<rusqlite::Error>> {
    let due = MIGRATIONS.get(version..).ok_or(None)?;
    if due.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction().map_err(Some)?;
    for script in due {
        transaction.execute_batch(script).map_err(Some)?;
    }
    transaction
        .pragma_update(None, "application_id", APPLICATION)
        .and_then(|()| transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64))
        .map_err(Some)?;
    transaction.commit().map_err(Some)
}

fn check_pages(connection: &Connection) -> Result<(), JournalError> {
    let told: Result<String, _> =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
    match told.as_deref() {
        Ok("ok") => Ok(()),
        Ok(_) | Err(_) => Err(JournalError::Damaged {
            what: "its pages do not fit".into(),
        }),
    }
}

/// Tells a row that was changed behind our back.
pub(super) fn seal(body: &str) -> i64 {
    let digest: [u8; 32] = Sha256::digest(body).into();
    i64::from_be_bytes([
        digest[0], digest[1], digest[2], digest[3], digest[4], digest[5], digest[6], digest[7],
    ])
}
