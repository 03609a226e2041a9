//! A folder that belongs to one process at a time.

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const LOCK: &str = ".lock";

/// Why a folder could not be claimed.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It cannot be made.
    #[error("cannot create the folder {}; let this user write in the folder above it, or set another folder", path.display())]
    Create {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It cannot be looked at, or is not a folder.
    #[error("cannot inspect the folder {}; make it a folder that this user may enter, or set another one", path.display())]
    Inspect {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Other users may enter it.
    #[error("refused the folder {}: other users may enter it; chmod 700 it", path.display())]
    Open {
        /// The folder.
        path: PathBuf,
    },
    /// Another user owns it.
    #[error("refused the folder {}: it belongs to another user; chown it to the one that runs this process", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
    },
    /// Another process has claimed it.
    #[error("refused the folder {}: another running process holds it; stop that one, or set another folder", path.display())]
    Held {
        /// The folder.
        path: PathBuf,
    },
    /// The lock cannot be taken for another reason.
    #[error("cannot lock the folder {}; let this user write in it, or set a folder on a local disk", path.display())]
    Lock {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A claimed folder; dropping it lets go of it, and so does the end of the process.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder (0700) where it is missing and claims it.
    ///
    /// # Errors
    /// It is open to others, belongs to another user, is held by another process, or cannot be
    /// made or locked.
    pub fn claim(path: impl AsRef<Path>) -> Result<Self, FolderError> {
        let path = path.as_ref().to_owned();
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        if let Err(source) = made {
            return Err(FolderError::Create { path, source });
        }
        let facts = match std::fs::metadata(&path) {
            Ok(facts) => facts,
            Err(source) => return Err(FolderError::Inspect { path, source }),
        };
        if facts.uid() != rustix::process::geteuid().as_raw() {
            return Err(FolderError::Foreign { path });
        }
        if facts.mode() & 0o077 != 0 {
            return Err(FolderError::Open { path });
        }
        match lock(&path) {
            Ok(lock) => Ok(Self { path, _lock: lock }),
            Err(source) if source.raw_os_error() == Some(Errno::WOULDBLOCK.raw_os_error()) => {
                Err(FolderError::Held { path })
            }
            Err(source) => Err(FolderError::Lock { path, source }),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A claimed folder beside this one whose name begins so and whose user is this process's, too:
/// between the two there is the sandbox alone.
#[must_use]
pub fn neighbour(folder: &Path, name: &str) -> Option<PathBuf> {
    let own = rustix::process::geteuid().as_raw();
    let entries = std::fs::read_dir(folder.parent()?).ok()?.flatten();
    let mut named = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(name));
    let is_own = |folder: &Path| {
        let lock = folder.join(LOCK).metadata();
        lock.is_ok_and(|lock| lock.uid() == own)
    };
    let found = named.find(|entry| is_own(&entry.path()));
    found.map(|entry| entry.path())
}

/// Bytes that this process may still write on the disk of a folder.
///
/// # Errors
/// The folder is not there, or the system does not know.
pub fn free_bytes(folder: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(folder)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

fn lock(folder: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(folder.join(LOCK))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn one_holder_at_a_time() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("data/gateway");
        let held = Folder::claim(&path).unwrap();
        assert_eq!(held.path(), path);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        let second = Folder::claim(&path).unwrap_err();
        assert!(matches!(second, FolderError::Held { .. }), "{second}");
        drop(held);
        Folder::claim(&path).unwrap();
    }

    #[test]
    fn a_neighbour_of_the_same_user_is_found() {
        let outer = tempfile::tempdir().unwrap();
        let data = outer.path().join("gateway");
        fs::create_dir(outer.path().join("engine-source")).unwrap();
        assert_eq!(neighbour(&data, "engine"), None);
        let engine = outer.path().join("engine-main");
        drop(Folder::claim(&engine).unwrap());
        assert_eq!(neighbour(&data, "engine"), Some(engine));
        assert_eq!(neighbour(Path::new("data"), "engine"), None);
    }

    #[test]
    fn a_folder_open_to_others_is_refused() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("open");
        fs::create_dir(&path).unwrap();
        for mode in [0o755, 0o770, 0o701] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let error = Folder::claim(&path).unwrap_err();
            assert!(
                matches!(error, FolderError::Open { .. }),
                "{mode:o}: {error}"
            );
            assert!(error.to_string().contains("chmod 700"));
        }
    }

    #[test]
    fn a_file_in_its_place_is_an_error() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("file");
        fs::write(&path, "").unwrap();
        let error = Folder::claim(&path).unwrap_err();
        assert!(matches!(error, FolderError::Create { .. }), "{error}");
    }
}
