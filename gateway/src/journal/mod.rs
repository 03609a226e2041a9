//! What must survive: requests, orders, deals, positions, events, trading states. One SQLite
//! file, one writer; nothing leaves for the broker and nothing is reported before it is in here. Ids,
//! orders and deals stay for ever and are read from here; memory holds what is open.

mod backup;
mod disk;
mod identity;
mod load;
mod look;
mod mark;
mod past;
mod reader;
mod restore;
mod rows;
mod schema;
mod sqlite;
mod store;
#[cfg(test)]
mod tests;
mod writer;

pub use backup::backup;
pub use disk::Disk;
pub use identity::Identity;
pub use look::look;
pub use past::{Newest, Past};
pub use reader::{Reader, Readers};
pub use restore::{Restored, begin_epoch, set_aside};
pub use sqlite::{Sqlite, check};
pub use writer::Writer;

use mymt5_orders::Record;
use rusqlite::ErrorCode;
use std::path::{Path, PathBuf};

/// The embedded simulator, whose account outlives the process.
pub const SIMULATOR: &str = "simulator";
/// The embedded simulator replaying a file: an account for one run.
pub const REPLAY: &str = "replay";
/// The broker kind of a real terminal.
pub const TERMINAL: &str = "terminal";

/// The journal's file name for a kind of broker.
#[must_use]
pub fn file_of(broker: &str) -> &'static str {
    if broker == REPLAY {
        "replay.db"
    } else {
        "journal.db"
    }
}

/// Removes a journal and what lies beside it.
///
/// # Errors
/// A file that exists cannot be removed.
pub fn remove(path: &Path) -> std::io::Result<()> {
    for extension in ["db", "db-wal", "db-shm", "mark"] {
        match std::fs::remove_file(path.with_extension(extension)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Why a journal does not open, or cannot be written any more.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Opening failed.
    #[error("cannot open the journal {}; let this user write it and its folder, or restore a backup", .0.display())]
    Open(PathBuf, #[source] rusqlite::Error),
    /// It is not a journal of this program.
    #[error("{} is not a journal of this program; move it away, or restore a backup", .0.display())]
    Foreign(PathBuf),
    /// It was written by a newer version.
    #[error("the journal is of a newer version; run that version, or restore a backup made before")]
    Newer,
    /// It was written by a version before the first that this one reads.
    #[error(
        "the journal is of an earlier format that this version does not read; close what is open with the version that wrote it, then give this one another process.data_folder"
    )]
    Older,
    /// It belongs to another account.
    #[error(
        "the journal belongs to another account ({kept}); give each account its own process.data_folder"
    )]
    OtherAccount {
        /// Broker kind and masked account of the journal.
        kept: String,
    },
    /// Its pages or rows are damaged.
    #[error("the journal is damaged ({what}); restore a backup with `mymt5-gateway restore`")]
    Damaged {
        /// What was found, without content.
        what: String,
    },
    /// It is older than what this folder has seen.
    #[error(
        "the journal was rolled back: it ends at event {found}, this folder has seen {seen}; put the newer file back, or run `mymt5-gateway restore`"
    )]
    RolledBack {
        /// Its newest event.
        found: u64,
        /// The newest event known to have been written.
        seen: u64,
    },
    /// It is of another account, or was begun again.
    #[error(
        "the journal in place is not the one that the backup was made of; name a backup of it, or move the journal away"
    )]
    Unrelated,
    /// It is gone, and a mark of it is left.
    #[error(
        "the journal {} is gone, and with it every request id; put it back, run `mymt5-gateway restore`, or remove journal.mark beside it to start a new one", .0.display()
    )]
    Lost(PathBuf),
    /// More clients than slots.
    #[error(
        "all 2047 client slots of the journal are used; use the names of earlier clients, or start a new journal in another process.data_folder"
    )]
    SlotsUsedUp,
    /// Reading failed.
    #[error("cannot read the journal; check its disk, and that this user may read it")]
    Read(#[source] rusqlite::Error),
    /// Writing failed.
    #[error("cannot write the journal; make room on its disk, and let this user write it")]
    Write(#[source] rusqlite::Error),
    /// An outcome of a request that is not there.
    #[error("the journal has no such request")]
    Unbound,
    /// A row cannot be put into words.
    #[error("a row of the journal cannot be written")]
    Encode(#[source] serde_json::Error),
    /// A file beside it failed.
    #[error(
        "cannot write a file beside the journal; make room on its disk, and let this user write its folder"
    )]
    File(#[source] std::io::Error),
    /// The writer's thread is gone.
    #[error("the journal's writer is gone")]
    Gone,
}

impl JournalError {
    /// True when the file needs an operator: starting again would find it the same.
    #[must_use]
    pub const fn is_for_the_operator(&self) -> bool {
        matches!(
            self,
            Self::Foreign(_)
                | Self::Newer
                | Self::Older
                | Self::OtherAccount { .. }
                | Self::Damaged { .. }
                | Self::RolledBack { .. }
                | Self::Lost(_)
                | Self::SlotsUsedUp
        )
    }
}

/// What a failure of SQLite means: pages or values that do not fit are damage, wherever they are met.
fn failure(
    error: rusqlite::Error,
    otherwise: impl FnOnce(rusqlite::Error) -> JournalError,
) -> JournalError {
    use rusqlite::Error;
    let corrupt = error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt);
    let unfit = matches!(
        error,
        Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::InvalidColumnType(..)
            | Error::Utf8Error(..)
    );
    if corrupt || unfit {
        return JournalError::Damaged {
            what: "its pages do not fit".into(),
        };
    }
    otherwise(error)
}

fn damaged(table: &str, key: &str) -> JournalError {
    JournalError::Damaged {
        what: format!("{table}, row {key}"),
    }
}

/// Where batches are made durable: all of one, or nothing.
pub trait Journal: Send + 'static {
    /// Returns only once the batch is durable.
    ///
    /// # Errors
    /// The batch may or may not be durable; nothing of it may be reported, sent or tried again.
    fn commit(&mut self, batch: &[Record]) -> Result<(), JournalError>;
}

impl Journal for Box<dyn Journal> {
    fn commit(&mut self, batch: &[Record]) -> Result<(), JournalError> {
        self.as_mut().commit(batch)
    }
}
