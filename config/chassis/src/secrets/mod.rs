//! Values that are never shown: they can be used, but neither displayed nor serialized. They live in
//! one [`SecretStore`], which alone can replace them; everyone else holds a [`SecretReader`].
//!
//! A password that stands in a file is in memory only while something logs in with it: it is a
//! [`Credential`], read at each use and wiped, and the redactor knows it by prints of its forms, from
//! which nobody can tell it but by trying whole passwords. Its file is also read when it changed.
//!
//! What else is wiped: every secret, every text read from a file of secrets, and the copies of the
//! variables and of `.env`, each when it is dropped (one is kept for reloads). What cannot be wiped:
//! the block of variables that the kernel gave the process (readable by the same user in
//! `/proc/PID/environ` for as long as the process lives), so files are the better way; the
//! redactor's automaton, which holds each value that is kept in every form it masks for the life of
//! the process; and what the kernel and a TLS library hold of a frame until it is sent.

mod folder;
mod rotation;
mod store;
#[cfg(test)]
mod tests;

pub use crate::secret::{Credential, FoundSecrets, Secret, SecretFileError, read_file};
pub use store::{SecretReader, SecretSet, SecretStore};
