//! A backup in the journal's place: a new epoch, in which old event cursors are void.

use super::{JournalError, load, schema};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Makes a copied backup the beginning of a new event sequence. Returns how many orders it knows.
///
/// # Errors
/// It is no journal, or damaged.
pub fn begin_epoch(copy: &Path) -> Result<usize, JournalError> {
    let (connection, fresh) = schema::open(copy)?;
    if fresh {
        return Err(JournalError::Foreign(copy.to_path_buf()));
    }
    let loaded = load::all(&connection)?;
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
