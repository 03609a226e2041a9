//! The journal's one writing connection.

use super::{
    Identity, Journal, JournalError, damaged, load,
    mark::{Mark, Position},
    past::Newest,
    rows::{number, reading, run},
    schema, store,
};
use mymt5_chassis::clock;
use mymt5_model::{ClientName, Magic, UtcTime};
use mymt5_orders::{Loaded, Record};
use rusqlite::{Connection, TransactionBehavior, params};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// Commits between two checks of the log file's size, and at the age of the oldest events.
const CHECK_EVERY: u64 = 64;
/// Events kept, and fewer than [`PURGED`] more of them.
const EVENTS: u64 = 65_536;
/// No event is kept longer, milliseconds.
const EVENTS_MS: i64 = 30 * 86_400_000;
/// Events that are purged at a time.
const PURGED: u64 = 256;

/// The file, open for writing.
#[derive(Debug)]
pub struct Sqlite {
    connection: Connection,
    path: PathBuf,
    mark: Mark,
    position: Position,
    commits: u64,
    /// The newest event when events were purged last.
    purged: u64,
    newest: Newest,
    checked: bool,
}

impl Sqlite {
    /// Opens the journal of an account, or makes it, and reads what a start needs. Clients that are
    /// new get a slot.
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
        let opened = schema::open(path)?;
        if opened.fresh {
            if had_one {
                return Err(JournalError::Lost(path.to_path_buf()));
            }
            identity.found(&opened.connection)?;
        }
        identity.check(&opened.connection)?;
        give_slots(&opened.connection, clients)?;
        Self::read(opened, path)
    }

    /// Opens a journal of any account, and reads what a start needs.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn open_as_it_is(path: &Path) -> Result<(Self, Loaded), JournalError> {
        let opened = schema::open(path)?;
        if opened.fresh {
            return Err(JournalError::Foreign(path.to_path_buf()));
        }
        Self::read(opened, path)
    }

    fn read(opened: schema::Opened, path: &Path) -> Result<(Self, Loaded), JournalError> {
        let now = UtcTime(clock::utc_now_ms());
        let mut loaded = load::loaded(&opened.connection, now)?;
        let mark = Mark::beside(path, &loaded.journal_id);
        let seen = mark.seen()?;
        if seen.sequence > loaded.sequence {
            return Err(JournalError::RolledBack {
                found: loaded.sequence,
                seen: seen.sequence,
            });
        }
        loaded.last_order = loaded.last_order.max(seen.last_order);
        let journal = Self {
            newest: Newest::read(&opened.connection)?,
            connection: opened.connection,
            path: path.to_path_buf(),
            mark,
            position: Position {
                sequence: loaded.sequence,
                last_order: loaded.last_order,
            },
            commits: 0,
            purged: 0,
            checked: opened.checked,
        };
        Ok((journal, loaded))
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// True when all pages of the file were checked; else [`check`] does it beside trading.
    #[must_use]
    pub const fn is_checked(&self) -> bool {
        self.checked
    }

    /// The newest deal and position that it holds, now and later.
    #[must_use]
    pub fn newest(&self) -> Newest {
        self.newest.clone()
    }

    fn write(&mut self, batch: &[Record]) -> Result<(), JournalError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(JournalError::Write)?;
        let mut position = self.position;
        for record in batch {
            self.newest.note(record);
            store::write(&transaction, record)?;
            match record {
                Record::Event(event) => position.sequence = event.sequence,
                Record::Order(order) => {
                    position.last_order = position.last_order.max(order.id.0);
                }
                _ => {}
            }
        }
        // Each purge writes pages of its own: not every commit pays for that.
        if position.sequence >= self.purged + PURGED {
            let oldest = position.sequence.saturating_sub(EVENTS);
            let purge = "DELETE FROM events WHERE sequence <= ?1";
            run(&transaction, purge, params![number(oldest)])?;
            self.purged = position.sequence;
        }
        if self.commits.is_multiple_of(CHECK_EVERY) {
            let before = clock::utc_now_ms() - EVENTS_MS;
            // The newest one stays: the sequence goes on from it.
            let purge = "DELETE FROM events WHERE sequence IN (
                SELECT sequence FROM events WHERE sequence < ?1 ORDER BY sequence LIMIT ?2
            ) AND at_ms < ?3";
            let newest = number(position.sequence);
            run(&transaction, purge, params![newest, number(PURGED), before])?;
        }
        transaction.commit().map_err(JournalError::Write)?;
        self.position = position;
        Ok(())
    }

    fn measure_log(&mut self) {
        self.commits += 1;
        if self.commits % CHECK_EVERY == 1 {
            let log = self.path.with_extension("db-wal");
            let bytes = fs::metadata(log).map_or(0, |log| log.len());
            metrics::gauge!("mymt5_journal_wal_bytes").set(bytes as f64);
        }
    }
}

impl Journal for Sqlite {
    fn commit(&mut self, batch: &[Record]) -> Result<(), JournalError> {
        self.write(batch)?;
        self.measure_log();
        // The mark detects a rolled back file and is not worth closing trading for.
        if let Err(error) = self.mark.note(self.position, false) {
            tracing::warn!(%error, "journal's mark not written");
        }
        Ok(())
    }
}

impl Drop for Sqlite {
    /// A plain copy of the file is whole after a clean stop.
    fn drop(&mut self) {
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        let _ = self.connection.query_row(checkpoint, [], |_| Ok(()));
        let _ = self.mark.note(self.position, true);
    }
}

/// Checks the pages of a journal that is in use, for so long at most: meanwhile its log grows. True: all
/// of them.
///
/// # Errors
/// `Damaged`, or it does not open or cannot be read.
pub fn check(path: &Path, at_most: Option<Duration>) -> Result<bool, JournalError> {
    let mut connection = schema::open_to_read(path)?;
    schema::check_pages(&mut connection, at_most)
}

fn give_slots(connection: &Connection, clients: &[ClientName]) -> Result<(), JournalError> {
    let known = load::slots(connection)?;
    let highest: Option<u16> = connection
        .query_row("SELECT max(slot) FROM slots", [], |row| row.get(0))
        .map_err(reading)?;
    let new = clients.iter().filter(|client| !known.contains_key(*client));
    for (client, slot) in new.zip(highest.unwrap_or(0) + 1..) {
        if slot > Magic::MAX_SLOT {
            return Err(JournalError::SlotsUsedUp);
        }
        store::write(connection, &Record::Slot(client.clone(), slot))?;
    }
    let all = load::slots(connection)?;
    let mut slots: Vec<&u16> = all.values().collect();
    slots.dedup();
    if slots.len() == all.len() {
        Ok(())
    } else {
        Err(damaged("slots", "of a client"))
    }
}
