//! The account between two runs: a file of one line for each change, the account as it stands then
//! and what is new of its past. A file that has grown long is written anew as one line.

use mymt5_simulator::State;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
};

/// Why a kept account cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The file cannot be read or written.
    #[error("cannot keep the account in {}", .1.display())]
    File(#[source] io::Error, PathBuf),
    /// The file holds something else.
    #[error("invalid kept account in {}, line {line}", file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
}

/// How many bytes of changes a file takes before it is written anew.
const LONG: usize = 64 << 20;

/// The open file.
pub struct Store {
    file: File,
    path: PathBuf,
    /// Bytes of changes since it was written anew.
    grown: usize,
}

impl Store {
    /// Opens the file, or makes it: the account that is kept in it, if one is.
    ///
    /// # Errors
    /// See [`KeptError`].
    pub fn open(path: &Path) -> Result<(Self, Option<State>), KeptError> {
        let failed = |error| KeptError::File(error, path.to_path_buf());
        let state = read(path)?;
        let fresh = path.with_extension("new");
        let mut file = File::create(&fresh).map_err(failed)?;
        if let Some(state) = &state {
            write(&mut file, state).map_err(failed)?;
        }
        fs::rename(&fresh, path).map_err(failed)?;
        let file = OpenOptions::new().append(true).open(path).map_err(failed)?;
        let store = Self {
            file,
            path: path.to_path_buf(),
            grown: 0,
        };
        Ok((store, state))
    }

    /// Writes a change.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn append(&mut self, state: &State) -> io::Result<()> {
        self.grown += write(&mut self.file, state)?;
        if self.grown > LONG {
            let anew = Self::open(&self.path).map_err(io::Error::other)?;
            *self = anew.0;
        }
        Ok(())
    }
}

/// Writes a line: how many bytes that are.
fn write(file: &mut File, state: &State) -> io::Result<usize> {
    let mut line = serde_json::to_vec(state)?;
    line.push(b'\n');
    file.write_all(&line)?;
    Ok(line.len())
}

/// The lines as one account. A last line that is not whole was never told to anyone.
fn read(path: &Path) -> Result<Option<State>, KeptError> {
    let failed = |error| KeptError::File(error, path.to_path_buf());
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    let mut reader = BufReader::new(file);
    let mut whole: Option<State> = None;
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        reader.read_until(b'\n', &mut bytes).map_err(failed)?;
        if bytes.last() != Some(&b'\n') {
            break;
        }
        let mut state: State =
            serde_json::from_slice(&bytes).map_err(|source| KeptError::Line {
                file: path.to_path_buf(),
                line,
                source,
            })?;
        if let Some(mut before) = whole.take() {
            before.orders.append(&mut state.orders);
            before.deals.append(&mut state.deals);
            state.orders = before.orders;
            state.deals = before.deals;
        }
        whole = Some(state);
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_model::{DealKind, Money};
    use mymt5_simulator::{AccountConfig, Past, Simulator};

    #[test]
    fn changes_add_up_to_the_account() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("account");
        let mut simulator = Simulator::new(AccountConfig::default(), Vec::new()).unwrap();
        let (mut store, none) = Store::open(&path).unwrap();
        assert!(none.is_none());
        let mut past = Past::default();
        for amount in 1..4 {
            simulator.book(
                DealKind::Balance,
                Money::from_f64(f64::from(amount)).unwrap(),
                "",
            );
            store.append(&simulator.save_since(past)).unwrap();
            past = simulator.past();
        }
        store.grown = LONG;
        store.append(&simulator.save_since(past)).unwrap();
        assert_eq!(store.grown, 0);
        store.file.write_all(b"{\"torn\":").unwrap();
        assert_eq!(Store::open(&path).unwrap().1, Some(simulator.save()));
        assert_eq!(Store::open(&path).unwrap().1, Some(simulator.save()));
        fs::write(&path, "no account\n").unwrap();
        assert!(matches!(
            Store::open(&path),
            Err(KeptError::Line { line: 1, .. })
        ));
    }
}
