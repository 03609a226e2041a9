//! Gives identities to the users that run as them, where one made them all.

use super::DevCertsError;
use super::dev_certs::{AUTHORITY, certificate_of, key_of};
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::str::FromStr;

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
        Ok(Self {
            name: name.to_owned(),
            user: user.parse().map_err(|_| OwnerError)?,
        })
    }
}

/// Gives each owner the folder of that name with its certificate and key, closed to all others, and
/// lets everybody read the authority's certificate. What is so already stays untouched.
///
/// # Errors
/// A file is not there, or this process may not give it away: that takes root's `CAP_CHOWN`.
pub fn hand_over(folder: &Path, owners: &[Owner]) -> Result<(), DevCertsError> {
    for Owner { name, user } in owners {
        give(&key_of(folder, name), *user, 0o600)?;
        give(&certificate_of(folder, name), *user, 0o600)?;
        give(&folder.join(name), *user, 0o700)?;
    }
    if !owners.is_empty() {
        open(folder, 0o711)?;
        open(&folder.join(AUTHORITY), 0o644)?;
    }
    Ok(())
}

/// The mode comes first: it is the owner's alone to change.
fn give(path: &Path, user: u32, mode: u32) -> Result<(), DevCertsError> {
    let given = || -> io::Result<()> {
        if fs::metadata(path)?.uid() == user {
            return Ok(());
        }
        fs::set_permissions(path, Permissions::from_mode(mode))?;
        chown(path, Some(user), None)
    };
    given().map_err(|source| denied(path, source))
}

/// Adds the rights of that mode.
fn open(path: &Path, mode: u32) -> Result<(), DevCertsError> {
    let opened = || -> io::Result<()> {
        let has = fs::metadata(path)?.mode();
        if has & mode == mode {
            return Ok(());
        }
        fs::set_permissions(path, Permissions::from_mode((has | mode) & 0o7777))
    };
    opened().map_err(|source| denied(path, source))
}

fn denied(path: &Path, source: io::Error) -> DevCertsError {
    DevCertsError::HandOver {
        path: path.to_owned(),
        source,
    }
}
