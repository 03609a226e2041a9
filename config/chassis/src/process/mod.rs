//! What a process does to itself before anything else: it refuses root, keeps its files and its
//! memory to itself, and claims its folder.

mod atomic;
mod folder;

pub use atomic::write_atomically;
pub use folder::{Folder, FolderError, free_bytes, holder, neighbour};
pub(crate) use folder::{Standing, neighbour_of, standing};

use rustix::fs::Mode;
use rustix::process::{DumpableBehavior, Resource, Rlimit};
use std::io;

/// The process runs as root; it ends with [`crate::exit::NO_PERMISSION`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("refused to run as root; start it as a user of its own, or set process.allow_root = true")]
pub struct RootRefused;

/// Refuses root.
///
/// # Errors
/// The effective user is root and that is not allowed.
pub fn refuse_root(allow_root: bool) -> Result<(), RootRefused> {
    judge(rustix::process::geteuid().is_root(), allow_root)
}

fn judge(root: bool, allowed: bool) -> Result<(), RootRefused> {
    if root && !allowed {
        Err(RootRefused)
    } else {
        Ok(())
    }
}

/// New files are this user's alone; memory goes neither into a core file nor to a debugger; no
/// program started from here gains rights. Call it before any thread exists.
///
/// # Errors
/// The kernel refuses one of them.
pub fn harden() -> io::Result<()> {
    rustix::process::umask(Mode::from_raw_mode(0o077));
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    rustix::process::setrlimit(Resource::Core, none)?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    rustix::thread::set_no_new_privs(true)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn root_needs_to_be_allowed() {
        assert_eq!(judge(true, false), Err(RootRefused));
        assert_eq!(judge(true, true), Ok(()));
        assert_eq!(judge(false, false), Ok(()));
        assert!(RootRefused.to_string().contains("process.allow_root"));
    }

    #[test]
    fn after_hardening_there_is_no_core_file() {
        harden().unwrap();
        assert_eq!(rustix::process::getrlimit(Resource::Core).current, Some(0));
        let mask = rustix::process::umask(Mode::from_raw_mode(0o077));
        assert_eq!(mask.as_raw_mode(), 0o077);
    }
}
