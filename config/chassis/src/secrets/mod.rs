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
