//! The simulated account between two runs: a SQLite file. A trade writes the account as it stands and
//! what is new of its past: the first one as much as any later one.

use mymt5_simulator::{Past, RestoreError, SetupError, Simulator, State};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    error::Error,
    path::{Path, PathBuf},
};

const FILE: &str = "simulator.db";
/// What earlier versions kept the account in.
const EARLIER: &str = "simulator.json";

/// A process that dies loses nothing. A machine that does may lose the last trades, of an account
/// that is simulated: no order waits for the disk here.
const SETTINGS: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    CREATE TABLE IF NOT EXISTS account (id INTEGER PRIMARY KEY CHECK (id = 1), body TEXT NOT NULL)
        STRICT;
    CREATE TABLE IF NOT EXISTS orders (number INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS deals (number INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;
";

/// Why the account cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The configured account is faulty in itself.
    #[error("cannot set up the simulated account; correct the keys of broker.simulator")]
    Setup(#[source] SetupError),
    /// The kept account does not fit the configured one.
    #[error("the kept simulated account does not fit the configured one; move {} away to start a new one", .1.display())]
    Restore(#[source] RestoreError, PathBuf),
    /// An earlier version kept it.
    #[error("an earlier version kept the simulated account; move {} away to start a new one", .0.display())]
    Earlier(PathBuf),
    /// The file cannot be read, or holds something else.
    #[error("cannot read the kept simulated account; move {} away to start a new one", .1.display())]
    Unreadable(#[source] BoxError, PathBuf),
}

/// What is wrong with a file.
pub(super) type BoxError = Box<dyn Error + Send + Sync>;

/// The open file.
pub(super) struct Store {
    connection: Connection,
    path: PathBuf,
    /// What of the account's past is in the file.
    past: Past,
    /// Rows of orders and of deals that stay.
    limit: usize,
}

impl Store {
    pub(super) fn open(folder: &Path, limit: usize) -> Result<Self, KeptError> {
        let (path, earlier) = (folder.join(FILE), folder.join(EARLIER));
        if earlier.exists() && !path.exists() {
            return Err(KeptError::Earlier(earlier));
        }
        let opened = Connection::open(&path).and_then(|connection| {
            connection.execute_batch(SETTINGS)?;
            Ok(connection)
        });
        match opened {
            Ok(connection) => Ok(Self {
                connection,
                path,
                past: Past::default(),
                limit,
            }),
            Err(error) => Err(KeptError::Unreadable(error.into(), path)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The account that was kept, if one was.
    pub(super) fn read(&self) -> Result<Option<State>, KeptError> {
        self.state()
            .map_err(|error| KeptError::Unreadable(error, self.path.clone()))
    }

    fn state(&self) -> Result<Option<State>, BoxError> {
        let query = "SELECT body FROM account";
        let body: Option<String> = self
            .connection
            .query_row(query, [], |row| row.get(0))
            .optional()?;
        let Some(body) = body else { return Ok(None) };
        let mut state: State = serde_json::from_str(&body)?;
        state.orders = self.rows("SELECT body FROM orders ORDER BY number")?;
        state.deals = self.rows("SELECT body FROM deals ORDER BY number")?;
        Ok(Some(state))
    }

    fn rows<T: DeserializeOwned>(&self, query: &str) -> Result<Vec<T>, BoxError> {
        let mut query = self.connection.prepare(query)?;
        let mut rows = query.query([])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(serde_json::from_str(row.get_ref(0)?.as_str()?)?);
        }
        Ok(all)
    }

    /// That much of the account's past is in the file.
    pub(super) const fn note(&mut self, past: Past) {
        self.past = past;
    }

    /// Writes what changed since the last time.
    pub(super) fn write(&mut self, simulator: &Simulator) -> Result<(), BoxError> {
        let mut state = simulator.save_since(self.past);
        let orders = std::mem::take(&mut state.orders);
        let deals = std::mem::take(&mut state.deals);
        let transaction = self.connection.transaction()?;
        transaction
            .prepare_cached("INSERT OR REPLACE INTO account (id, body) VALUES (1, ?1)")?
            .execute([serde_json::to_string(&state)?])?;
        append(&transaction, "orders", &orders, self.limit)?;
        append(&transaction, "deals", &deals, self.limit)?;
        transaction.commit()?;
        self.past = simulator.past();
        Ok(())
    }
}

/// Writes rows behind the others; the oldest go.
fn append<T: Serialize>(
    transaction: &Transaction<'_>,
    table: &str,
    rows: &[T],
    limit: usize,
) -> Result<(), BoxError> {
    if rows.is_empty() {
        return Ok(());
    }
    let insert = format!("INSERT INTO {table} (body) VALUES (?1)");
    let mut insert = transaction.prepare_cached(&insert)?;
    for row in rows {
        insert.execute([serde_json::to_string(row)?])?;
    }
    let purge =
        format!("DELETE FROM {table} WHERE number <= (SELECT max(number) FROM {table}) - ?1");
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    transaction
        .prepare_cached(&purge)?
        .execute(params![limit])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_model::{
        AccountMode, BrokerTime, Comment, Levels, Lots, Magic, Price, Receipt, Retcode, Side,
        Symbol, Tick, TradeRequest,
    };
    use mymt5_simulator::{AccountConfig, catalogue};
    use std::fs;

    /// Rows of a past that stay.
    const KEPT: usize = 100;

    fn account() -> AccountConfig {
        AccountConfig {
            mode: AccountMode::Netting,
            max_history_rows: KEPT,
            ..AccountConfig::default()
        }
    }

    fn symbol() -> Symbol {
        Symbol::parse("EURUSD").unwrap()
    }

    fn restored(state: State) -> Simulator {
        Simulator::restore(account(), vec![catalogue::spec(&symbol())], state).unwrap()
    }

    fn quoted() -> Simulator {
        let mut simulator = Simulator::new(account(), vec![catalogue::spec(&symbol())]).unwrap();
        // A Monday's noon.
        let price = |points| Price::from_points(points, 5);
        simulator.on_tick(&Tick {
            symbol: symbol(),
            time: BrokerTime(1_704_715_200_000),
            bid: price(110_000),
            ask: price(110_010),
            last: None,
            volume: 0.0,
            flags: 6,
            is_continuous: false,
        });
        simulator
    }

    /// Opens or, every other time, nets away.
    fn trade(simulator: &mut Simulator, number: usize) {
        let request = TradeRequest::Market {
            symbol: symbol(),
            side: [Side::Buy, Side::Sell][number % 2],
            lots: Lots::from_f64(0.01).unwrap(),
            levels: Levels::default(),
            max_deviation_points: None,
            magic: Magic::NONE,
            comment: Comment::default(),
        };
        let (Receipt { retcode, .. }, _) = simulator.send(&request);
        assert_eq!(retcode, Retcode::DONE);
    }

    #[test]
    fn an_account_is_taken_up_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let mut simulator = quoted();
        let mut store = Store::open(folder.path(), KEPT).unwrap();
        assert!(store.read().unwrap().is_none());
        for number in 0..301 {
            trade(&mut simulator, number);
            store.write(&simulator).unwrap();
            if number % 50 == 0 {
                store = Store::open(folder.path(), KEPT).unwrap();
                let again = restored(store.read().unwrap().unwrap());
                assert_eq!(again.save(), simulator.save());
                store.note(again.past());
                simulator = again;
            }
        }
        assert_eq!(simulator.positions().len(), 1);
        assert_eq!(simulator.save().deals.len(), KEPT);
    }

    #[test]
    fn a_trade_writes_as_much_at_any_time() {
        let folder = tempfile::tempdir().unwrap();
        let mut simulator = quoted();
        let mut store = Store::open(folder.path(), KEPT).unwrap();
        let mut rows = Vec::new();
        for number in 0..2_000 {
            let before = store.connection.total_changes();
            trade(&mut simulator, number);
            store.write(&simulator).unwrap();
            rows.push(store.connection.total_changes() - before);
        }
        // The account, an order and a deal; later one of each goes.
        assert_eq!((rows[0], rows[KEPT - 1]), (3, 3));
        assert!(rows[KEPT..].iter().all(|rows| *rows == 5));
    }

    #[test]
    fn what_is_no_account_is_refused_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        fs::write(
            &path,
            "no account, but long enough for a header of SQLite".repeat(30),
        )
        .unwrap();
        let refused = Store::open(folder.path(), KEPT).err().unwrap().to_string();
        assert!(refused.contains(FILE), "{refused}");
        fs::remove_file(&path).unwrap();
        let store = Store::open(folder.path(), KEPT).unwrap();
        let body = "INSERT INTO account (id, body) VALUES (1, '{}')";
        store.connection.execute(body, []).unwrap();
        let refused = store.read().unwrap_err().to_string();
        assert!(refused.contains(FILE), "{refused}");
        drop(store);
        fs::remove_file(&path).unwrap();
        fs::write(folder.path().join(EARLIER), "{}").unwrap();
        let refused = Store::open(folder.path(), KEPT).err().unwrap().to_string();
        assert!(refused.contains(EARLIER), "{refused}");
    }
}
