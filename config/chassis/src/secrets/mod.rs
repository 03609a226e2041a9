//! Values that are never shown: they can be used, but neither displayed nor serialized. They live in
//! one [`SecretStore`], which alone can replace them; everyone else holds a [`SecretReader`].
//!
//! What is wiped: every secret, every text read from a file of secrets, and the copies of the
//! variables and of `.env`, each when it is dropped (one is kept for reloads). What cannot be wiped:
//! the block of variables that the kernel gave the process (readable by the same user in
//! `/proc/PID/environ` for as long as the process lives), so files are the better way; and the
//! redactor's automaton, which holds each value in every form it masks for the life of the process.

mod folder;
mod rotation;
mod store;
#[cfg(test)]
mod tests;

pub use crate::secret::{FoundSecrets, Secret, SecretFileError, read_file};
pub use store::{SecretReader, SecretSet, SecretStore};
