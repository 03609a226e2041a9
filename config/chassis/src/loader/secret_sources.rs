//! Where a secret may come from: its variable, a file named by `NAME_FILE`, or a file `NAME` in
//! the credentials directory of systemd. Never more than one of the first two.

use super::Environment;
use crate::secrets::Secret;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const MAX_BYTES: u64 = 64 * 1024;
const MIN_CHARS: usize = 6;

/// Why a secret was refused, and what to do.
pub(super) struct Refusal {
    pub(super) reason: String,
    pub(super) fix: String,
}

fn refused<T>(reason: impl Into<String>, fix: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal {
        reason: reason.into(),
        fix: fix.into(),
    })
}

/// Finds a secret and tells its source; `None` when it is nowhere.
pub(super) fn find(
    environment: &Environment,
    name: &str,
) -> Result<Option<(Secret, String)>, Refusal> {
    let file_name = format!("{name}_FILE");
    let direct = environment.get(name);
    let file = environment.get(&file_name);
    let (text, source) = match (direct, file) {
        (Some(_), Some(_)) => {
            return refused(
                format!("both {name} and {file_name} are set"),
                "keep one of them",
            );
        }
        (Some((text, local)), None) => (
            Zeroizing::new(text.to_owned()),
            format!("{} {name}", if local { ".env" } else { "environment" }),
        ),
        (None, Some((path, _))) => (
            read(environment, Path::new(path))?,
            format!("file of {file_name}"),
        ),
        (None, None) => match credential(environment, name) {
            Some(path) => (
                read(environment, &path)?,
                "credentials directory".to_owned(),
            ),
            None => return Ok(None),
        },
    };
    check(name, &text)?;
    Ok(Some((Secret::new(text.as_str()), source)))
}

/// A secret is masked in logs wherever it stands, so one that is too short would mask too much,
/// and one with control characters would be written in more ways than can be masked. An account
/// number is masked as a whole number, so its length does not matter.
fn check(name: &str, text: &str) -> Result<(), Refusal> {
    if text.is_empty() {
        return refused("is empty", "give it a value, or unset it");
    }
    if text.chars().any(char::is_control) {
        return refused(
            "contains control characters",
            "give it as one line of printable text",
        );
    }
    if text.chars().count() < MIN_CHARS && !name.ends_with("LOGIN") {
        return refused(
            format!("is shorter than {MIN_CHARS} characters"),
            "choose a longer one",
        );
    }
    Ok(())
}

fn credential(environment: &Environment, name: &str) -> Option<PathBuf> {
    let folder = environment.of_process_only("CREDENTIALS_DIRECTORY")?;
    let path = Path::new(folder).join(name);
    path.exists().then_some(path)
}

fn read(environment: &Environment, path: &Path) -> Result<Zeroizing<String>, Refusal> {
    let unreadable = |error: std::io::Error| Refusal {
        reason: format!("{} cannot be read ({})", path.display(), error.kind()),
        fix: "name a text file this user may read".to_owned(),
    };
    let file = File::open(path).map_err(unreadable)?;
    let facts = file.metadata().map_err(unreadable)?;
    if !facts.is_file() {
        return refused(
            format!("{} is not a file", path.display()),
            "name a file that holds the secret alone",
        );
    }
    if facts.permissions().mode() & 0o077 != 0 && !is_mounted(environment, path) {
        return refused(
            format!("{} may be read by other users", path.display()),
            format!("chmod 600 {}", path.display()),
        );
    }
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    if text.len() as u64 > MAX_BYTES {
        return refused(
            format!("{} is larger than 64 KiB", path.display()),
            "name a file that holds the secret alone",
        );
    }
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

/// Whether the file lies where an orchestrator mounts secrets for this process alone; the modes
/// there are the orchestrator's, often readable to all inside.
fn is_mounted(environment: &Environment, path: &Path) -> bool {
    let Ok(path) = path.canonicalize() else {
        return false;
    };
    let credentials = environment.of_process_only("CREDENTIALS_DIRECTORY");
    ["/run/secrets", "/var/run/secrets"]
        .into_iter()
        .chain(credentials)
        .filter_map(|folder| Path::new(folder).canonicalize().ok())
        .any(|folder| folder.parent().is_some() && path.starts_with(folder))
}
