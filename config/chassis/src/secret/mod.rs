//! One secret: a value that is never shown, what it must be, how a file of it is read, how it is
//! held until it is used, and how it is recognised in whatever form it is written.

mod credential;
pub(crate) mod file;
pub(crate) mod forms;
mod prints;
mod rules;

pub use credential::Credential;
pub(crate) use prints::Prints;
#[cfg(test)]
pub(crate) use rules::superseded;
pub(crate) use rules::{MAX_BYTES, check, is_account_number, is_read_at_use, restless};

use crate::config_errors::ConfigError;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Why a file holds no secret that can be used: never with what it holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}; {}", .0.key, .0.reason, .0.fix)]
pub struct SecretFileError(ConfigError);

/// Reads the one secret of a file, by the rules that hold for all of them: this user's alone, one
/// line, neither too short nor too long to be masked.
///
/// # Errors
/// A file that cannot be read, that others may read, or that holds no fit secret.
pub fn read_file(name: &str, path: &std::path::Path) -> Result<Secret, SecretFileError> {
    let read = file::secret(name, path, false).and_then(|text| of_text(name, &text));
    read.map_err(SecretFileError)
}

/// The secret of a text that follows the rules.
pub(crate) fn of_text(name: &str, text: &str) -> Result<Secret, ConfigError> {
    check(name, text)?;
    Ok(Secret::new(text))
}

/// A secret text. Clones share one memory, wiped when the last of them is dropped; its `Debug`
/// is `***`.
#[derive(Clone)]
pub struct Secret(Arc<SecretString>);

impl Secret {
    /// Takes a text as a secret.
    pub fn new(text: impl Into<String>) -> Self {
        // A string with spare room would be moved when it is boxed, and its old place not wiped.
        let text = Zeroizing::new(text.into());
        Self(Arc::new(SecretString::from(text.as_str())))
    }

    /// The text itself, for the moment of its use.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The secrets that a configuration gave, with their sources: what a store is made of. `Debug`
/// shows names only.
#[derive(Clone, Default)]
pub struct FoundSecrets {
    pub(crate) values: BTreeMap<String, Credential>,
    /// Files by the secret's name, and whether an orchestrator mounts them.
    pub(crate) files: BTreeMap<String, (PathBuf, bool)>,
}

impl fmt::Debug for FoundSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.values).finish()
    }
}
