//! A folder that belongs to one process at a time.

use rustix::fs::{AtFlags, CWD, FlockOperation, StatxAttributes, StatxFlags, flock, statx};
use rustix::io::Errno;
use rustix::process::{getegid, geteuid, getgroups};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
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
    /// Makes the folder (0700) where it is missing and claims it. An orchestrator hands a volume over
    /// by a group of the process alone (`fsGroup`): root's own folder, where the volume is mounted, is
    /// taken so, and an own one, which the next mount opened to that group, is closed again.
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
        let found = match Found::look(&path) {
            Ok(found) => found,
            Err(source) => return Err(FolderError::Inspect { path, source }),
        };
        let close = || fs::set_permissions(&path, Permissions::from_mode(0o700));
        match found.standing(geteuid().as_raw(), &groups()) {
            Standing::Private | Standing::Volume => {}
            Standing::OpenedAgain if close().is_ok() => {}
            Standing::OpenedAgain | Standing::Open => return Err(FolderError::Open { path }),
            Standing::Foreign => return Err(FolderError::Foreign { path }),
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

/// What is asked of a folder before it is claimed.
#[derive(Clone, Copy)]
struct Found {
    owner: u32,
    group: u32,
    mode: u32,
    is_mount: bool,
}

/// What a folder is to this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nobody else's.
    Private,
    /// Its own, opened to a group of its own by whoever mounted the volume around it.
    OpenedAgain,
    /// A volume's uppermost folder, handed over by a group of its own.
    Volume,
    /// Its own, which others may enter.
    Open,
    /// Another user's.
    Foreign,
}

impl Found {
    fn look(path: &Path) -> io::Result<Self> {
        let facts = fs::metadata(path)?;
        // A kernel that cannot tell says nothing.
        let told = statx(CWD, path, AtFlags::empty(), StatxFlags::empty());
        let is_mount = told.is_ok_and(|told| {
            let known = told.stx_attributes & told.stx_attributes_mask;
            known.contains(StatxAttributes::MOUNT_ROOT)
        });
        Ok(Self {
            owner: facts.uid(),
            group: facts.gid(),
            mode: facts.mode(),
            is_mount,
        })
    }

    fn standing(self, user: u32, groups: &[u32]) -> Standing {
        const HANDED_OVER: u32 = 0o2070;
        let by_group = self.mode & HANDED_OVER == HANDED_OVER && groups.contains(&self.group);
        let shuts_out = |others: u32| self.mode & others == 0;
        if self.owner != user {
            let is_volume = self.owner == 0 && self.is_mount && by_group && shuts_out(0o002);
            return if is_volume {
                Standing::Volume
            } else {
                Standing::Foreign
            };
        }
        if shuts_out(0o077) {
            Standing::Private
        } else if by_group && shuts_out(0o007) {
            Standing::OpenedAgain
        } else {
            Standing::Open
        }
    }
}

/// What a folder is to a process of that user and of this one's groups.
///
/// # Errors
/// It cannot be looked at.
pub(crate) fn standing(folder: &Path, user: u32) -> io::Result<Standing> {
    Ok(Found::look(folder)?.standing(user, &groups()))
}

/// The user who claimed a folder, now or before: the folder itself may be root's, as a volume is. None:
/// it was never claimed, or cannot be entered.
#[must_use]
pub fn holder(folder: &Path) -> Option<u32> {
    let lock = fs::metadata(folder.join(LOCK)).ok()?;
    Some(lock.uid())
}

/// This process's groups.
fn groups() -> Vec<u32> {
    let further = getgroups().unwrap_or_default();
    let all = further.into_iter().chain([getegid()]);
    all.map(|group| group.as_raw()).collect()
}

/// A claimed folder beside this one whose name begins so and whose user is this process's, too:
/// between the two there is the sandbox alone.
#[must_use]
pub fn neighbour(folder: &Path, name: &str) -> Option<PathBuf> {
    neighbour_of(folder, name, geteuid().as_raw())
}

/// The same for a process of that user.
pub(crate) fn neighbour_of(folder: &Path, name: &str, user: u32) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder.parent()?).ok()?.flatten();
    let mut named = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(name));
    let found = named.find(|entry| holder(&entry.path()) == Some(user));
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
        let own = geteuid().as_raw();
        assert_eq!(neighbour(&data, "engine"), None);
        let engine = outer.path().join("engine-main");
        assert_eq!(holder(&engine), None);
        drop(Folder::claim(&engine).unwrap());
        assert_eq!(holder(&engine), Some(own));
        assert_eq!(neighbour_of(&data, "engine", own + 1), None);
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
    fn an_own_folder_that_a_mount_opened_to_the_group_is_closed_again() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("data");
        drop(Folder::claim(&path).unwrap());
        fs::set_permissions(&path, Permissions::from_mode(0o2770)).unwrap();
        Folder::claim(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o700);
    }

    #[test]
    fn a_volume_is_told_from_a_folder_that_is_open() {
        let found = |owner, group, mode, is_mount| Found {
            owner,
            group,
            mode,
            is_mount,
        };
        for (found, standing) in [
            (found(7, 7, 0o700, false), Standing::Private),
            (found(7, 9, 0o2700, false), Standing::Private),
            (found(7, 9, 0o2770, false), Standing::OpenedAgain),
            (found(7, 9, 0o0770, false), Standing::Open),
            (found(7, 8, 0o2770, false), Standing::Open),
            (found(7, 9, 0o2775, true), Standing::Open),
            (found(0, 9, 0o2775, true), Standing::Volume),
            (found(0, 9, 0o2770, true), Standing::Volume),
            (found(0, 9, 0o2777, true), Standing::Foreign),
            (found(0, 9, 0o2775, false), Standing::Foreign),
            (found(0, 8, 0o2775, true), Standing::Foreign),
            (found(0, 9, 0o0775, true), Standing::Foreign),
            (found(0, 9, 0o2755, true), Standing::Foreign),
            (found(5, 9, 0o2775, true), Standing::Foreign),
        ] {
            let Found { owner, mode, .. } = found;
            assert_eq!(found.standing(7, &[7, 9]), standing, "{owner} {mode:o}");
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
