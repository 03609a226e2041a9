//! The file's shape. Orders, requests and deals have a column for each fact, so that they cost what
//! they hold and `sqlite3 -readonly` shows them; what there is little of is JSON. Every row is sealed
//! by a digest.

use super::{JournalError, failure};
use rusqlite::{Connection, OpenFlags, config::DbConfig};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// "MMT5": distinguishes a journal from any other SQLite file.
const APPLICATION: i32 = 0x4d4d_5435;

/// The first version that this program reads.
const FIRST: usize = 2;

/// One script per version from the first on: it makes an empty file a journal, each later one brings
/// the version before it forward. Times are Unix milliseconds, UTC (`_ms`) or the broker's clock
/// (`_broker_ms`); lots, prices and money are exact decimals; traces and digests are bytes.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE meta (key TEXT PRIMARY KEY, body TEXT NOT NULL, seal INTEGER NOT NULL)
        STRICT, WITHOUT ROWID;
    CREATE TABLE slots (slot INTEGER PRIMARY KEY, body TEXT NOT NULL UNIQUE, seal INTEGER NOT NULL)
        STRICT;
    CREATE TABLE requests (
        client TEXT NOT NULL, request_id TEXT NOT NULL, method TEXT NOT NULL, at_ms INTEGER NOT NULL,
        order_id INTEGER, subject TEXT, open INTEGER, content BLOB NOT NULL, trace ANY,
        seal INTEGER NOT NULL,
        PRIMARY KEY (client, request_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX open_requests ON requests (client, request_id) WHERE open = 1;
    CREATE TABLE orders (
        order_id INTEGER PRIMARY KEY, client TEXT NOT NULL, request_id TEXT NOT NULL, closes INTEGER,
        symbol TEXT NOT NULL, side TEXT NOT NULL, type TEXT NOT NULL, state TEXT NOT NULL,
        open INTEGER, lots TEXT NOT NULL, closes_all INTEGER, filled TEXT, filled_points TEXT,
        price TEXT, stop_limit_price TEXT, digits INTEGER NOT NULL, stop_loss TEXT, take_profit TEXT,
        time_in_force TEXT, retcode INTEGER, reason TEXT, retryable INTEGER, cancel_pending INTEGER,
        created_ms INTEGER, created_broker_ms INTEGER, updated_ms INTEGER, updated_broker_ms INTEGER,
        position_id INTEGER, tag TEXT, magic INTEGER NOT NULL, ticket INTEGER, trace ANY,
        seal INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX open_orders ON orders (order_id) WHERE open = 1;
    CREATE INDEX orders_of_client ON orders (client, order_id);
    CREATE TABLE deals (
        ticket INTEGER PRIMARY KEY, order_ticket INTEGER, position_id INTEGER, magic INTEGER,
        symbol TEXT, type TEXT NOT NULL, entry TEXT, reason TEXT NOT NULL, lots TEXT, price TEXT,
        profit TEXT, swap TEXT, commission TEXT, broker_ms INTEGER NOT NULL, comment TEXT,
        order_id INTEGER, client TEXT, tag TEXT, seal INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX deals_of_position ON deals (position_id, ticket) WHERE position_id IS NOT NULL;
    CREATE INDEX deals_of_client ON deals (client, ticket) WHERE client IS NOT NULL;
    CREATE TABLE positions (
        position_id INTEGER PRIMARY KEY, body TEXT NOT NULL, seal INTEGER NOT NULL,
        client TEXT AS (body ->> '$.client'), symbol TEXT AS (body ->> '$.row.symbol')
    ) STRICT;
    CREATE TABLE events (
        sequence INTEGER PRIMARY KEY, body TEXT NOT NULL, seal INTEGER NOT NULL,
        at_ms INTEGER AS (body ->> '$.at'), trace TEXT AS (body ->> '$.trace')
    ) STRICT;
    CREATE TABLE states (scope TEXT PRIMARY KEY, body TEXT NOT NULL, seal INTEGER NOT NULL)
        STRICT, WITHOUT ROWID;
    CREATE TABLE losses (scope TEXT PRIMARY KEY, body TEXT NOT NULL, seal INTEGER NOT NULL)
        STRICT, WITHOUT ROWID;
    CREATE TABLE denials (
        id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, client TEXT NOT NULL, peer TEXT NOT NULL,
        call TEXT NOT NULL, code TEXT NOT NULL, trace TEXT NOT NULL
    ) STRICT;
", "
    CREATE INDEX deals_by_time ON deals (broker_ms);
"];

/// The version that this program writes.
const NEWEST: usize = FIRST + MIGRATIONS.len() - 1;

/// Pragmas of the connection that writes.
const SETTINGS: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA temp_store = MEMORY;
    PRAGMA journal_size_limit = 67108864;
    PRAGMA busy_timeout = 5000;
";

/// How long a start may check the pages of a file: what is not done by then goes on beside
/// trading.
const PAGES_AT_START: Duration = Duration::from_secs(1);
/// Instructions of SQLite between two checks of the clock.
const CHECK_EVERY: i32 = 20_000;

/// A journal's file, open for writing.
pub(super) struct Opened {
    pub(super) connection: Connection,
    /// It was made now.
    pub(super) fresh: bool,
    /// All its pages were checked.
    pub(super) checked: bool,
}

/// Opens the file and brings it to the newest version.
pub(super) fn open(path: &Path) -> Result<Opened, JournalError> {
    let cannot = |error| failure(error, |error| JournalError::Open(path.to_path_buf(), error));
    let mut connection = Connection::open(path).map_err(cannot)?;
    let set = connection.execute_batch(SETTINGS);
    set.map_err(|error| foreign(error, path))?;
    prepare(&connection).map_err(cannot)?;
    let Head { fresh, done } = head(&connection, path)?;
    migrate(&mut connection, done, cannot)?;
    let checked = fresh || check_pages(&mut connection, Some(PAGES_AT_START))?;
    Ok(Opened {
        connection,
        fresh,
        checked,
    })
}

/// Opens the file for reading beside its writer.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, JournalError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let cannot = |error| failure(error, |error| JournalError::Open(path.to_path_buf(), error));
    let connection = Connection::open_with_flags(path, flags).map_err(cannot)?;
    connection
        .busy_timeout(Duration::from_secs(5))
        .map_err(cannot)?;
    prepare(&connection).map_err(cannot)?;
    Ok(connection)
}

/// Keeps statements prepared, whatever values they are given: by a limit, and by what a partial index
/// might fit, the planner would judge anew and prepare them again at each use.
fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(32);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// What a file is before it is brought forward.
pub(super) struct Head {
    /// It is empty: a journal is yet to be made of it.
    pub(super) fresh: bool,
    /// Scripts that it has behind it.
    done: usize,
}

/// Reads what an open file is.
///
/// # Errors
/// `Foreign`, `Newer` or `Older`; or it cannot be read.
pub(super) fn head(connection: &Connection, path: &Path) -> Result<Head, JournalError> {
    let foreign = |error| foreign(error, path);
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
    let done = match usize::try_from(version).unwrap_or(usize::MAX) {
        _ if fresh => 0,
        version if version > NEWEST => return Err(JournalError::Newer),
        version if version < FIRST => return Err(JournalError::Older),
        version => version - FIRST + 1,
    };
    Ok(Head { fresh, done })
}

/// What it means that a file cannot be opened, or its head not be read.
fn foreign(error: rusqlite::Error, path: &Path) -> JournalError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => JournalError::Foreign(path.to_path_buf()),
        _ => failure(error, |error| JournalError::Open(path.to_path_buf(), error)),
    }
}

fn migrate(
    connection: &mut Connection,
    done: usize,
    cannot: impl Fn(rusqlite::Error) -> JournalError,
) -> Result<(), JournalError> {
    if MIGRATIONS.len() == done {
        return Ok(());
    }
    let transaction = connection.transaction().map_err(&cannot)?;
    for script in &MIGRATIONS[done..] {
        transaction.execute_batch(script).map_err(&cannot)?;
    }
    transaction
        .pragma_update(None, "application_id", APPLICATION)
        .and_then(|()| transaction.pragma_update(None, "user_version", NEWEST as i64))
        .map_err(&cannot)?;
    transaction.commit().map_err(cannot)
}

/// Checks the pages of the file, for so long at most. True: all of them.
///
/// # Errors
/// `Damaged`, or they cannot be read.
pub(super) fn check_pages(
    connection: &mut Connection,
    at_most: Option<Duration>,
) -> Result<bool, JournalError> {
    let damaged = || JournalError::Damaged {
        what: "its pages do not fit".into(),
    };
    if let Some(at_most) = at_most {
        let begun = Instant::now();
        let expired = move || begun.elapsed() > at_most;
        connection
            .progress_handler(CHECK_EVERY, Some(expired))
            .map_err(JournalError::Read)?;
    }
    let result: Result<String, _> =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
    connection
        .progress_handler(0, None::<fn() -> bool>)
        .map_err(JournalError::Read)?;
    match result {
        Ok(result) if result == "ok" => Ok(true),
        Err(error)
            if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) =>
        {
            Ok(false)
        }
        Err(error) if error.sqlite_error_code() != Some(rusqlite::ErrorCode::NotADatabase) => {
            Err(failure(error, JournalError::Read))
        }
        Ok(_) | Err(_) => Err(damaged()),
    }
}
