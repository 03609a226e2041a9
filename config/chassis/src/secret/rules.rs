//! What a secret must be, so that it can be masked wherever it stands.

use crate::config_errors::ConfigError;
use std::path::Path;

/// Longest secret, in bytes: the redactor holds each in some hundred forms.
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

/// A folder of secrets that was never the same before and after it was read.
pub(crate) fn restless(name: &str, folder: &Path) -> ConfigError {
    ConfigError::new(
        name,
        format!("{} keeps changing while it is read", folder.display()),
        "replace the files once, best by a swapped link or a rename",
    )
}
