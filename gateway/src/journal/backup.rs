//! A copy of the journal while it is in use: whole, consistent, and readable on its own.

use super::JournalError;
use mymt5_chassis::clock;
use rusqlite::{Connection, OpenFlags};
use std::{
    fs,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Newest backups kept.
const KEPT: usize = 100;

/// Writes a backup into `backup/` beside the journal; its name and size.
///
/// # Errors
/// The copy cannot be written; nothing half is left behind.
pub fn backup(journal: &Path) -> Result<(String, u64), JournalError> {
    let folder = journal.with_file_name("backup");
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(JournalError::File)?;
    let name = format!("journal-{}.db", clock::utc_now_ms());
    let path = folder.join(&name);
    let written = copy(journal, &path);
    if written.is_err() {
        let _ = fs::remove_file(&path);
    }
    written?;
    prune(&folder).map_err(JournalError::File)?;
    let bytes = fs::metadata(&path).map_err(JournalError::File)?.len();
    Ok((name, bytes))
}

fn copy(journal: &Path, to: &Path) -> Result<(), JournalError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(journal, flags)
        .map_err(|error| JournalError::Open(journal.to_path_buf(), error))?;
    let target = to.to_string_lossy();
    connection
        .execute("VACUUM INTO ?1", [target.as_ref()])
        .map_err(JournalError::Write)?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o600)).map_err(JournalError::File)?;
    let file = fs::File::open(to).map_err(JournalError::File)?;
    file.sync_all().map_err(JournalError::File)
}

fn prune(folder: &Path) -> std::io::Result<()> {
    let ours = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("journal-") && name.ends_with(".db")
    };
    let mut backups: Vec<PathBuf> = fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(ours)
        .collect();
    backups.sort();
    let old = backups.len().saturating_sub(KEPT);
    backups.iter().take(old).try_for_each(fs::remove_file)
}
