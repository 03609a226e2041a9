//! What a sweep is: all that its rows depend on, so that rows of one sweep are told from those of
//! another.

use super::{Criterion, Grid, Period, SweepError, exact, folds};
use mymt5_model::BrokerTime;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

/// The version of the engine, and of the figures that a backtest tells: those of two versions do not mix.
pub(super) const ENGINE: &str = concat!(env!("CARGO_PKG_VERSION"), "+figures.2");
/// Bytes of each end of a file that tell it from others.
const END: u64 = 64 * 1024;

/// What is swept over which past.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    /// Version of the engine and of its figures.
    pub engine: String,
    /// The keys and their values.
    pub vary: Grid,
    /// By which figure is chosen.
    pub by: Criterion,
    /// Folds of the walk forward; 0: none.
    pub walk_forward: usize,
    /// The files of the past, and the others that the settings name.
    pub files: Vec<PastFile>,
    /// What is traded.
    pub symbols: Vec<String>,
    /// Time of the first tick.
    #[serde(with = "exact::time")]
    pub first: BrokerTime,
    /// Time of the last tick.
    #[serde(with = "exact::time")]
    pub last: BrokerTime,
    /// How many ticks there are.
    pub ticks: u64,
    /// What a reader must know of these ticks, e.g. that they are made of bars.
    pub notes: Vec<String>,
    /// Currency of the account.
    pub currency: String,
    /// The settings of the first point whose values fit together, without the varied ones.
    pub settings: BTreeMap<String, String>,
}

/// A file, by what is cheap to tell of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastFile {
    /// Its name without its folder, which differs from machine to machine.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its first and its last 64 KiB, in hexadecimal.
    pub ends: String,
}

impl Sweep {
    /// The parts of the past. None without a walk forward.
    #[must_use]
    pub fn parts(&self) -> Vec<Period> {
        folds::parts(self.first, self.last, self.walk_forward)
    }

    /// What another sweep has otherwise. None: it is the same.
    pub(super) fn difference(&self, other: &Self) -> Option<&'static str> {
        let differences = [
            (self.engine != other.engine, "versions of the engine"),
            (self.vary != other.vary, "--vary"),
            (self.by != other.by, "--by"),
            (self.walk_forward != other.walk_forward, "--walk-forward"),
            (self.files != other.files, "files"),
            (self.settings != other.settings, "settings"),
            // Symbols, spans and their ticks follow from options.
            (self != other, "--symbol, --from or --to"),
        ];
        let found = differences.into_iter().find(|(differs, _)| *differs);
        found.map(|(_, what)| what)
    }
}

impl PastFile {
    /// Looks at a file.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn of(path: &Path) -> Result<Self, SweepError> {
        let name = path.file_name().unwrap_or_default();
        let (bytes, ends) = ends(path).map_err(|error| SweepError::Read(path.to_owned(), error))?;
        Ok(Self {
            name: name.to_string_lossy().into_owned(),
            bytes,
            ends,
        })
    }
}

fn ends(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let bytes = file.metadata()?.len();
    let mut hash = Sha256::new();
    for from in [0, bytes.saturating_sub(END)] {
        let mut end = Vec::new();
        file.seek(SeekFrom::Start(from))?;
        Read::by_ref(&mut file).take(END).read_to_end(&mut end)?;
        hash.update(&end);
    }
    Ok((bytes, hex::encode(hash.finalize())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sweep::testing::{grid, sweep};
    use std::fs;

    #[test]
    fn a_file_is_known_by_its_size_and_its_ends() {
        let folder = tempfile::tempdir().unwrap();
        let of = |folder_name: &str, bytes: &[u8]| {
            let folder = folder.path().join(folder_name);
            fs::create_dir_all(&folder).unwrap();
            let path = folder.join("EURUSD.csv");
            fs::write(&path, bytes).unwrap();
            PastFile::of(&path).unwrap()
        };
        let mut text = vec![b'1'; 200_000];
        let known = of("one", &text);
        assert_eq!((known.name.as_str(), known.bytes), ("EURUSD.csv", 200_000));
        assert_eq!(of("other", &text), known);
        assert_ne!(of("one", &text[1..]), known);
        for place in [0, 65_535, 199_999] {
            text[place] = b'2';
            assert_ne!(of("one", &text), known, "{place}");
            text[place] = b'1';
        }
        assert_eq!(of("one", b"").bytes, 0);
        let lost = PastFile::of(&folder.path().join("none")).unwrap_err();
        assert!(matches!(lost, SweepError::Read(..)));
    }

    #[test]
    fn what_differs_is_told() {
        let one = sweep(grid(&["a=1,2"]));
        assert_eq!(one.difference(&one.clone()), None);
        let told = |change: fn(&mut Sweep)| {
            let mut other = one.clone();
            change(&mut other);
            one.difference(&other).unwrap()
        };
        assert_eq!(told(|other| other.vary = grid(&["a=1,3"])), "--vary");
        assert_eq!(told(|other| other.by = Criterion::Sharpe), "--by");
        assert_eq!(told(|other| other.walk_forward = 2), "--walk-forward");
        assert_eq!(told(|other| other.files.clear()), "files");
        assert_eq!(told(|other| other.engine.clear()), "versions of the engine");
        assert_eq!(told(|other| other.ticks += 1), "--symbol, --from or --to");
        let lots = |other: &mut Sweep| {
            let key = "risk.lots".to_owned();
            other.settings.insert(key, "1.0".to_owned());
        };
        assert_eq!(told(lots), "settings");
    }
}
