//! What is wrong with the files of a backtest.

use mymt5_model::{BrokerTime, Symbol};
use mymt5_simulator::{catalogue, feed::FeedError};
use std::{io, path::PathBuf};

/// Files that are read at a time.
pub(super) const MOST_FILES: usize = 256;

/// Why ticks cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TickError {
    /// A file cannot be opened.
    #[error("cannot open {}; name a file that is there, and let this user read it", .0.display())]
    Open(PathBuf, #[source] io::Error),
    /// A file cannot be read to its end.
    #[error(
        "cannot read {} past line {line}; check its disk, or export and pack it once more",
        .file.display()
    )]
    Read {
        /// The file.
        file: PathBuf,
        /// The last line read, from 1.
        line: u64,
        /// The system's reason, or how its packing is damaged.
        #[source]
        source: io::Error,
    },
    /// A line is not what the terminal writes: the file, the line, the reason.
    #[error("{0}; correct it, or export it again")]
    Malformed(String),
    /// Nothing tells the spread of bars.
    #[error(
        "{}: the bars have no SPREAD; set spread_points in [backtest.symbols.{}]",
        .0.display(), .1
    )]
    Spread(PathBuf, Symbol),
    /// One bar, or none.
    #[error("{}: fewer than two bars do not tell their timeframe; give a longer file", .0.display())]
    Short(PathBuf),
    /// Bars of another length.
    #[error(
        "{}: bars {seconds} seconds apart; give those of M1, M5, M15, M30, H1, H4 or D1",
        .file.display()
    )]
    Period {
        /// The file.
        file: PathBuf,
        /// Between the two bars of its beginning that are nearest to each other.
        seconds: i64,
    },
    /// A name does not tell the symbol.
    #[error(
        "{}: the name does not begin with a symbol; rename it such as EURUSD_ticks.csv, or give --symbol",
        .0.display()
    )]
    Nameless(PathBuf),
    /// More files than are read at a time.
    #[error("{0} files of ticks; give at most {MOST_FILES}")]
    TooMany(usize),
    /// One symbol for files of several.
    #[error(
        "--symbol names one symbol, {} and {} begin with others; give it for files of one symbol alone",
        .0.display(), .1.display()
    )]
    Several(PathBuf, PathBuf),
    /// Nothing tells what the symbol is a contract of.
    #[error(
        "{}: unknown symbol {}; set its digits and contract_size in [backtest.symbols.{}], or give --symbol, one of {}",
        .0.display(), .1, .1, known()
    )]
    Unknown(PathBuf, Symbol),
    /// A point of the file is not a point of the symbol.
    #[error(
        "{}: prices of {decimals} decimals, where {symbol} has {digits} digits; set digits = {decimals} in [backtest.symbols.{symbol}]",
        .file.display()
    )]
    Digits {
        /// The file.
        file: PathBuf,
        /// As its prices are written.
        decimals: u8,
        /// Its symbol.
        symbol: Symbol,
        /// The digits of the symbol.
        digits: u8,
    },
    /// Nothing to trade.
    #[error("the files have no ticks; give files that have some")]
    Empty,
    /// Nothing to trade in the span.
    #[error(
        "the files have no ticks between --from and --to, theirs are from {first} to {last}; give another span, or other files"
    )]
    Outside {
        /// The first tick of all files.
        first: BrokerTime,
        /// The last one.
        last: BrokerTime,
    },
    /// The same time twice.
    #[error(
        "{} from {one_from} on and {} from {other_from} on both have ticks of {symbol} at {at}; give each span in one file alone",
        .one.display(), .other.display()
    )]
    Overlap {
        /// The symbol of both.
        symbol: Symbol,
        /// A file.
        one: PathBuf,
        /// Its first time.
        one_from: BrokerTime,
        /// Another file.
        other: PathBuf,
        /// Its first time.
        other_from: BrokerTime,
        /// A time that both have.
        at: BrokerTime,
    },
}

impl From<FeedError> for TickError {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Open { file, source } => Self::Open(file, source),
            FeedError::Read { file, line, source } => Self::Read { file, line, source },
            FeedError::Malformed { .. } => Self::Malformed(error.to_string()),
        }
    }
}

/// The symbols that need no contract told.
fn known() -> String {
    let names: Vec<&str> = catalogue::names().collect();
    names.join(", ")
}
