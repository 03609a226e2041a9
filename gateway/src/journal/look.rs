//! Whether a start would take a journal up, told without touching it: by its file's shape and its
//! account.

use super::{Identity, JournalError, mark::Mark, schema};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// Looks whether the journal at that place is one of this account's, or whether there is none yet. It
/// writes nothing and makes no file, and a gateway may use the journal meanwhile. Pages and rows it
/// does not check.
///
/// # Errors
/// `Lost`, `Foreign`, `Newer`, `Older`, `OtherAccount` or `Damaged`, as a start would tell; or it cannot
/// be read.
pub fn look(path: &Path, identity: &Identity) -> Result<(), JournalError> {
    let none_yet = || {
        if Mark::exists_beside(path) {
            return Err(JournalError::Lost(path.to_path_buf()));
        }
        Ok(())
    };
    if !path.try_exists().unwrap_or(true) {
        return none_yet();
    }
    let [has_log, has_index] =
        ["db-wal", "db-shm"].map(|extension| path.with_extension(extension).exists());
    let connection = if has_log && has_index {
        schema::open_to_read(path)?
    } else {
        open_at_rest(path)?
    };
    if schema::head(&connection, path)?.fresh {
        // What is in its log alone cannot be seen at rest.
        return if has_log { Ok(()) } else { none_yet() };
    }
    identity.check(&connection)
}

/// Opens a journal that no gateway uses: all of it is in the one file. A reader that expects a writer
/// would make files beside it.
fn open_at_rest(path: &Path) -> Result<Connection, JournalError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let escaped = path
        .to_string_lossy()
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23");
    let address = format!("file:{escaped}?immutable=1");
    let opened = Connection::open_with_flags(address, flags);
    opened.map_err(|error| JournalError::Open(path.to_path_buf(), error))
}
