//! A backup in the journal's place: a new epoch, in which old event cursors are void. What closed
//! trading since the backup stays in force: a restore must never open what an operator or a limit
//! closed.

use super::{JournalError, Sqlite, load, schema, sqlite};
use mymt5_guard::TradingState;
use mymt5_model::{ClientName, Symbol, UtcTime};
use mymt5_orders::{Loaded, LossRow, Record, StateRow};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// What a journal that is being replaced closes.
#[derive(Clone, Debug, Default)]
pub struct Closures {
    states: Vec<StateRow>,
    losses: Vec<LossRow>,
    touched: BTreeSet<Symbol>,
}

impl Closures {
    /// Those of the journal at that path, while no gateway runs.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn of(journal: &Path) -> Result<Self, JournalError> {
        if !journal.exists() {
            return Err(JournalError::Lost(journal.to_path_buf()));
        }
        let (_, loaded) = Sqlite::open_as_it_is(journal)?;
        Ok(Self {
            states: loaded.states,
            losses: loaded.losses,
            touched: loaded.touched,
        })
    }

    /// Where nothing is known of what was closed: the account, until an operator resumes it.
    #[must_use]
    pub fn of_lost_journal(now: UtcTime) -> Self {
        let halted = StateRow {
            client: None,
            state: TradingState::Halted,
            reason: "RESTORED".to_owned(),
            by: ClientName::local().as_str().to_owned(),
            at: now,
        };
        Self {
            states: vec![halted],
            ..Self::default()
        }
    }

    /// What a backup needs so that it closes no less. Losses count from the newer rows.
    fn over(self, backup: &Loaded) -> Vec<Record> {
        let kept = |scope: &Option<ClientName>| {
            let mut states = backup.states.iter();
            let row = states.find(|row| row.client == *scope);
            row.map_or(TradingState::Active, |row| row.state)
        };
        let stricter = self.states.into_iter();
        let stricter = stricter.filter(|row| row.state > kept(&row.client));
        let touched = backup.touched.union(&self.touched).cloned().collect();
        stricter
            .map(Record::State)
            .chain(self.losses.into_iter().map(Record::Losses))
            .chain([Record::Touched(touched)])
            .collect()
    }
}

/// Makes a copied backup the beginning of a new event sequence, in which those closures hold.
/// Returns how many orders it knows.
///
/// # Errors
/// It is no journal, or damaged.
pub fn begin_epoch(copy: &Path, closures: Closures) -> Result<usize, JournalError> {
    let (mut connection, fresh) = schema::open(copy)?;
    if fresh {
        return Err(JournalError::Foreign(copy.to_path_buf()));
    }
    let loaded = load::all(&connection)?;
    let transaction = connection.transaction().map_err(JournalError::Write)?;
    for record in closures.over(&loaded) {
        sqlite::write(&transaction, &record)?;
    }
    transaction.commit().map_err(JournalError::Write)?;
    let id = uuid::Uuid::new_v4().simple().to_string();
    connection
        .execute("UPDATE meta SET value = ?1 WHERE key = 'journal_id'", [id])
        .and_then(|_| connection.pragma_update(None, "journal_mode", "DELETE"))
        .map_err(JournalError::Write)?;
    Ok(loaded.orders.len())
}

/// Moves a journal aside, if there is one; where it is now.
///
/// # Errors
/// It cannot be moved.
pub fn set_aside(path: &Path, now_ms: i64) -> Result<Option<PathBuf>, JournalError> {
    if !path.exists() {
        return Ok(None);
    }
    let kept = path.with_extension(format!("replaced-{now_ms}.db"));
    for extension in ["db-wal", "db-shm"] {
        let beside = path.with_extension(extension);
        if beside.exists() {
            let target = kept.with_extension(extension);
            fs::rename(&beside, target).map_err(JournalError::File)?;
        }
    }
    fs::rename(path, &kept).map_err(JournalError::File)?;
    Ok(Some(kept))
}
