//! Values nobody may see: they can be used, but neither displayed nor serialized. They live in
//! one [`SecretStore`], which alone can replace them; everyone else holds a [`SecretReader`].
//!
//! What is wiped: every secret, every text read from a file of secrets, and the copies of the
//! variables and of `.env`, each when it is dropped. What cannot be wiped: the block of variables
//! that the kernel gave the process (readable by the same user in `/proc/PID/environ` for as long
//! as the process lives), so files are the better way; and the redactor's automaton, which holds
//! each value in every form it masks for the life of the process.

pub(crate) mod file;
mod folder;
mod rotation;
mod rules;
mod store;
#[cfg(test)]
mod tests;

pub(crate) use rules::{MAX_BYTES, Refusal, check, is_account_number, refused};

pub use store::{FoundSecrets, SecretReader, SecretSet, SecretStore};

use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Why a file holds no secret that can be used: never with what it holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}; {fix}")]
pub struct SecretFileError {
    reason: String,
    fix: String,
}

/// Reads the one secret of a file, by the rules that hold for all of them: this user's alone, one
/// line, neither too short nor too long to be masked.
///
/// # Errors
/// A file that cannot be read, that others may read, or that holds no fit secret.
pub fn read_file(name: &str, path: &std::path::Path) -> Result<Secret, SecretFileError> {
    let read = file::secret(path, false).and_then(|text| {
        check(name, &text)?;
        Ok(Secret::new(text.as_str()))
    });
    read.map_err(|refusal| SecretFileError {
        reason: refusal.reason,
        fix: refusal.fix,
    })
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
