//! A copy of the journal while it is in use: whole, consistent, and readable on its own.

use super::{JournalError, schema};
use mymt5_chassis::{clock, process};
use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// Newest backups kept.
const KEPT: usize = 100;
/// Ends the name of a backup that is being written.
const PARTIAL: &str = "partial";
/// One at a time: the next one removes what looks as if a killed one had left it.
static TURN: Mutex<()> = Mutex::new(());

/// Writes a backup into `backup/` beside the journal; its name and size. It has its name only once it
/// is whole.
///
/// # Errors
/// The copy cannot be written, or the disk has less room than for two.
pub fn backup(journal: &Path) -> Result<(String, u64), JournalError> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = journal.with_file_name("backup");
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(JournalError::File)?;
    prune(&folder).map_err(JournalError::File)?;
    check_room(journal, &folder).map_err(JournalError::File)?;
    let name = format!("journal-{}.db", clock::utc_now_ms());
    let path = folder.join(&name);
    let partial = path.with_extension(PARTIAL);
    let written = copy(journal, &partial, &path);
    if written.is_err() {
        let _ = fs::remove_file(&partial);
    }
    written?;
    let folder = fs::File::open(&folder).map_err(JournalError::File)?;
    folder.sync_all().map_err(JournalError::File)?;
    let bytes = fs::metadata(&path).map_err(JournalError::File)?.len();
    Ok((name, bytes))
}

/// A copy that fills the disk before it fails closes trading: the journal finds no room either. So there
/// must be room for as much again beside it.
fn check_room(journal: &Path, folder: &Path) -> io::Result<()> {
    let bytes = |file: &Path| fs::metadata(file).map_or(0, |file| file.len());
    let copy = bytes(journal).saturating_add(bytes(&journal.with_extension("db-wal")));
    if process::free_bytes(folder)? < copy.saturating_mul(2) {
        return Err(io::ErrorKind::StorageFull.into());
    }
    Ok(())
}

fn copy(journal: &Path, partial: &Path, to: &Path) -> Result<(), JournalError> {
    let connection = schema::open_to_read(journal)?;
    // SQLite writes into an empty file, too: this one is nobody else's from the beginning.
    let file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(partial)
        .map_err(JournalError::File)?;
    let target = partial.to_string_lossy();
    connection
        .execute("VACUUM INTO ?1", [target.as_ref()])
        .map_err(JournalError::Write)?;
    file.sync_all().map_err(JournalError::File)?;
    fs::rename(partial, to).map_err(JournalError::File)
}

/// Removes the oldest backups, and what a killed one left.
fn prune(folder: &Path) -> io::Result<()> {
    let mut backups: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let extension = path.extension().unwrap_or_default();
        match name.starts_with("journal-") {
            true if extension == PARTIAL => fs::remove_file(&path)?,
            true if extension == "db" => backups.push(path),
            _ => {}
        }
    }
    backups.sort();
    let old = (backups.len() + 1).saturating_sub(KEPT);
    backups.iter().take(old).try_for_each(fs::remove_file)
}
