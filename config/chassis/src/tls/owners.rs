//! Gives identities to the users that run as them, where one made them all. It follows no link: a user
//! who has its folder may have put one there, and what it leads to would be given away.

use super::DevCertsError;
use super::dev_certs::{AUTHORITY, certificate_of, key_of};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::process::geteuid;
use std::fs::{File, Metadata, Permissions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The user that `chown` takes for none.
const NO_USER: u32 = u32::MAX;

/// Whose an identity becomes: `NAME=UID`, such as `gateway=10001`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    name: String,
    user: u32,
}

/// A text that names no owner.
#[derive(Debug, thiserror::Error)]
#[error("invalid owner: expected NAME=UID, such as gateway=10001")]
pub struct OwnerError;

impl FromStr for Owner {
    type Err = OwnerError;

    fn from_str(text: &str) -> Result<Self, OwnerError> {
        let (name, user) = text.split_once('=').ok_or(OwnerError)?;
        if !super::is_name(name) {
            return Err(OwnerError);
        }
        match user.parse() {
            Ok(user) if user != NO_USER => Ok(Self {
                name: name.to_owned(),
                user,
            }),
            _ => Err(OwnerError),
        }
    }
}

/// Gives each owner the folder of that name with its certificate and key, closed to all others, and
/// lets everybody read the authority's certificate. What is so already stays untouched.
///
/// # Errors
/// A file is not there, is a link or a third user's, or this process may not give it away: that takes
/// root's `CAP_CHOWN`.
pub fn hand_over(folder: &Path, owners: &[Owner]) -> Result<(), DevCertsError> {
    for Owner { name, user } in owners {
        let own = Held::open(CWD, folder.join(name), Kind::Folder)?;
        for path in [key_of(folder, name), certificate_of(folder, name)] {
            Held::open(own.file.as_fd(), path, Kind::File)?.give(*user, 0o600)?;
        }
        own.give(*user, 0o700)?;
    }
    if !owners.is_empty() {
        let all = Held::open(CWD, folder.to_owned(), Kind::Folder)?;
        Held::open(all.file.as_fd(), folder.join(AUTHORITY), Kind::File)?.add(0o644)?;
        all.add(0o711)?;
    }
    Ok(())
}

/// What a path must lead to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
}

/// A file or folder that was opened without following a link: its rights are changed, not those of
/// whatever stands at its path by then.
struct Held {
    path: PathBuf,
    file: File,
}

impl Held {
    /// Opens a folder by its path, or a file by its name in the folder that is open.
    fn open(within: impl AsFd, path: PathBuf, kind: Kind) -> Result<Self, DevCertsError> {
        let unfollowed = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = match (kind, path.file_name()) {
            (Kind::File, Some(name)) => openat(within, name, unfollowed, Mode::empty()),
            _ => openat(
                within,
                path.as_path(),
                unfollowed | OFlags::DIRECTORY,
                Mode::empty(),
            ),
        };
        let file = match opened {
            Ok(opened) => File::from(opened),
            Err(error) => return Err(denied(&path, error.into())),
        };
        let held = Self { path, file };
        let facts = held.facts()?;
        let is_one_file = facts.is_file() && facts.nlink() == 1;
        if kind == Kind::File && !is_one_file {
            return Err(held.refused("it is not a file with one name"));
        }
        Ok(held)
    }

    fn facts(&self) -> Result<Metadata, DevCertsError> {
        self.file
            .metadata()
            .map_err(|source| denied(&self.path, source))
    }

    /// The mode comes first: it is the owner's alone to change.
    fn give(&self, user: u32, mode: u32) -> Result<(), DevCertsError> {
        let facts = self.facts()?;
        let makers = [0, geteuid().as_raw()];
        if facts.uid() != user && !makers.contains(&facts.uid()) {
            return Err(self.refused("it belongs to a third user"));
        }
        if facts.mode() & 0o7777 != mode {
            self.set(mode)?;
        }
        if facts.uid() == user {
            return Ok(());
        }
        fchown(&self.file, Some(user), None).map_err(|source| denied(&self.path, source))
    }

    /// Adds the rights of that mode.
    fn add(&self, mode: u32) -> Result<(), DevCertsError> {
        let has = self.facts()?.mode() & 0o7777;
        if has & mode == mode {
            return Ok(());
        }
        self.set(has | mode)
    }

    fn set(&self, mode: u32) -> Result<(), DevCertsError> {
        let set = self.file.set_permissions(Permissions::from_mode(mode));
        set.map_err(|source| denied(&self.path, source))
    }

    fn refused(&self, why: &'static str) -> DevCertsError {
        denied(&self.path, io::Error::other(why))
    }
}

fn denied(path: &Path, source: io::Error) -> DevCertsError {
    DevCertsError::HandOver {
        path: path.to_owned(),
        source,
    }
}
