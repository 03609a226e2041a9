//! What a secret must be, so that it can be masked wherever it stands.

use crate::config_errors::ConfigError;
use std::path::Path;

/// Longest secret, in bytes: the redactor looks for each in some hundred forms.
pub(crate) const MAX_BYTES: usize = 1024;
const MIN_CHARS: usize = 6;

/// Whether a secret is an account number, which is masked as a whole number and to its last four
/// digits.
pub(crate) fn is_account_number(name: &str, text: &str) -> bool {
    name.ends_with("LOGIN") && !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// A secret is masked in logs wherever it stands, so one that is too short would mask too much,
/// and one with control characters would be written in more ways than can be masked. The length
/// of an account number does not matter.
pub(crate) fn check(name: &str, text: &str) -> Result<(), ConfigError> {
    if text.is_empty() {
        return Err(ConfigError::new(
            name,
            "is empty",
            "set it to a value, or unset it",
        ));
    }
    if text.len() > MAX_BYTES {
        let fix = "set it to the secret alone";
        return Err(ConfigError::new(name, "is larger than 1 KiB", fix));
    }
    if text.chars().any(char::is_control) {
        let fix = "set it to one line of printable text";
        return Err(ConfigError::new(name, "contains control characters", fix));
    }
    if text.chars().count() >= MIN_CHARS || is_account_number(name, text) {
        return Ok(());
    }
    if name.ends_with("LOGIN") {
        let fix = "set it to the account number, digits only, as the broker gave it";
        return Err(ConfigError::new(name, "is not an account number", fix));
    }
    Err(ConfigError::new(
        name,
        format!("is shorter than {MIN_CHARS} characters, too short to be masked in logs"),
        format!("set it to a value of {MIN_CHARS} characters or more"),
    ))
}

/// Whether a secret that stands in a file is read when it is used, and not kept: a password opens a
/// session and is not needed for anything else.
pub(crate) fn is_read_at_use(name: &str) -> bool {
    name.ends_with("PASSWORD")
}

/// A file that holds another secret than the one that was taken up.
pub(crate) fn superseded(name: &str, path: &Path) -> ConfigError {
    ConfigError::new(
        name,
        format!("{} changed after it was taken up", path.display()),
        "wait a few seconds until it is taken up again",
    )
}

/// A folder of secrets that was never the same before and after it was read.
pub(crate) fn restless(name: &str, folder: &Path) -> ConfigError {
    ConfigError::new(
        name,
        format!("{} keeps changing while it is read", folder.display()),
        "replace the files once, best by a swapped link or a rename",
    )
}
