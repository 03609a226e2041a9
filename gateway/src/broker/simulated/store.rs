//! The simulated account between two runs: one file, replaced as a whole.

use mymt5_chassis::process::write_atomically;
use mymt5_simulator::{RestoreError, SetupError, State};
use std::{fs, io, path::PathBuf};

/// Why the account cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The configured account is faulty in itself.
    #[error("the simulated account cannot be set up")]
    Setup(#[source] SetupError),
    /// The kept account does not fit the configured one.
    #[error("the kept simulated account does not fit; move simulator.json away to begin anew")]
    Restore(#[source] RestoreError),
    /// The file cannot be read.
    #[error("the kept simulated account cannot be read")]
    Read(#[source] io::Error),
    /// The file holds something else.
    #[error("the kept simulated account is damaged; move simulator.json away to begin anew")]
    Damaged(#[source] serde_json::Error),
}

pub(super) struct Store(PathBuf);

impl Store {
    pub(super) fn at(folder: PathBuf) -> Self {
        Self(folder.join("simulator.json"))
    }

    pub(super) fn read(&self) -> Result<Option<State>, KeptError> {
        match fs::read(&self.0) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(KeptError::Damaged),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(KeptError::Read(error)),
        }
    }

    pub(super) fn write(&self, state: &State) -> io::Result<()> {
        write_atomically(&self.0, &serde_json::to_vec(state)?)
    }
}
