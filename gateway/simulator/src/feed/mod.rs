//! Where ticks come from: a synthetic market, or the terminal's own CSV exports read as a
//! stream. Every feed is an iterator of ticks that ends at its first error.

mod bar_file;
mod columns;
#[doc(hidden)]
pub mod fuzz;
mod lines;
mod synthetic;
mod tick_file;

pub use bar_file::{BarFile, BarSample, BarTicks, period_of};
pub use synthetic::Synthetic;
pub use tick_file::TickFile;

use mymt5_model::Symbol;
use std::{io, path::Path, path::PathBuf};

/// Lines at the beginning of a file that tell what it is like.
const SAMPLE: usize = 1_000;

/// Why a feed ended early.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The file cannot be opened.
    #[error("cannot open {}", file.display())]
    Open {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The file cannot be read on.
    #[error("cannot read {} past line {line}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The last line read, from 1.
        line: u64,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A line is not what the terminal writes.
    #[error("{} line {line}: {reason}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// The line, from 1; the header is line 1.
        line: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl FeedError {
    /// What went wrong and at which line, for those who need not know where the file lies.
    #[must_use]
    pub fn without_path(&self) -> String {
        match self {
            Self::Open { source, .. } => source.to_string(),
            Self::Read { line, source, .. } => format!("past line {line}: {source}"),
            Self::Malformed { line, reason, .. } => format!("line {line}: {reason}"),
        }
    }
}

/// The symbol that a file is named after: `AUDUSD` of `AUDUSD_ticks_2020.csv` and of
/// `AUDUSD.csv`; none where the name does not begin with one. A symbol begins with two capital
/// letters or digits, which keeps `ticks.csv` from being one.
#[must_use]
pub fn symbol_of(path: &Path) -> Option<Symbol> {
    let stem = path.file_stem()?.to_str()?;
    let name = stem.split(['_', ' ']).next()?;
    let begins = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let named = name.len() > 2 && name.bytes().take(2).all(begins);
    Symbol::parse(name).ok().filter(|_| named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_symbol() {
        let symbol = |path: &str| symbol_of(Path::new(path)).map(|s| s.to_string());
        assert_eq!(symbol("a/AUDUSD_ticks_2020.csv").as_deref(), Some("AUDUSD"));
        assert_eq!(symbol("GBPUSD_H1_2012-2022.csv").as_deref(), Some("GBPUSD"));
        assert_eq!(symbol("EURUSD.r_M5.csv").as_deref(), Some("EURUSD.r"));
        assert_eq!(symbol("US500_ticks.csv").as_deref(), Some("US500"));
        for nameless in ["_ticks.csv", "ticks.csv", "Ticks_2020.csv", "M1.csv"] {
            assert_eq!(symbol(nameless), None, "{nameless}");
        }
    }
}
