//! Past ticks: the terminal's tick exports, of one or several symbols, merged by time.

use super::Contracts;
use mymt5_model::{BrokerTime, Symbol, SymbolSpec, Tick};
use mymt5_simulator::{
    catalogue,
    feed::{FeedError, TickFile, symbol_of},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Files that are read at a time.
const MOST_FILES: usize = 256;

/// Why ticks cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TickError {
    /// A file is not what the terminal writes.
    #[error("{0}; correct it, or export it again")]
    Feed(#[source] FeedError),
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

/// The symbols that need no contract told.
fn known() -> String {
    let names: Vec<&str> = catalogue::names().collect();
    names.join(", ")
}

/// A span of the broker's time; none: from the first tick, or to the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// From then on.
    pub from: Option<BrokerTime>,
    /// Up to, and without, that time.
    pub to: Option<BrokerTime>,
}

/// A file and its next tick.
struct Source {
    path: PathBuf,
    file: TickFile,
    spec: SymbolSpec,
    next: Option<Tick>,
    /// The time of its first tick in the span.
    first: Option<BrokerTime>,
}

/// Ticks of all files in the order of time; of one time, in the order of the files.
pub struct Ticks {
    sources: Vec<Source>,
    span: Span,
}

impl Ticks {
    /// Opens the files. Each is of the symbol that its name begins with, unless one is given.
    ///
    /// # Errors
    /// See [`TickError`].
    pub fn open(
        files: &[PathBuf],
        symbol: Option<&Symbol>,
        span: Span,
        contracts: &Contracts,
    ) -> Result<Self, TickError> {
        if files.len() > MOST_FILES {
            return Err(TickError::TooMany(files.len()));
        }
        if symbol.is_some() {
            of_one_symbol(files)?;
        }
        let open = |path: &PathBuf| {
            let symbol = symbol.cloned().or_else(|| symbol_of(path));
            let symbol = symbol.ok_or_else(|| TickError::Nameless(path.clone()))?;
            let spec = contracts.spec(&symbol);
            let spec = spec.ok_or_else(|| TickError::Unknown(path.clone(), symbol))?;
            Source::open(path, spec, span.from)
        };
        let sources = files.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { sources, span })
    }

    /// The symbols of the files, each once.
    #[must_use]
    pub fn specs(&self) -> Vec<SymbolSpec> {
        let mut specs: Vec<SymbolSpec> = Vec::new();
        for source in &self.sources {
            if specs.iter().all(|spec| spec.symbol != source.spec.symbol) {
                specs.push(source.spec.clone());
            }
        }
        specs
    }

    /// The next tick; none after the last one.
    ///
    /// # Errors
    /// A line is not what the terminal writes, or is of an earlier time than the one before it; or
    /// two files have ticks of one symbol at one time.
    pub fn next_tick(&mut self) -> Result<Option<Tick>, TickError> {
        let mut first: Option<(BrokerTime, usize)> = None;
        for (at, source) in self.sources.iter().enumerate() {
            if let Some(tick) = &source.next
                && first.is_none_or(|(time, _)| tick.time < time)
            {
                first = Some((tick.time, at));
            }
        }
        match first {
            Some((time, at)) if self.span.to.is_none_or(|to| time < to) => {
                self.check(&self.sources[at], time)?;
                self.sources[at].advance()
            }
            _ => Ok(None),
        }
    }

    /// Whether another file of the symbol has begun, and has not ended, when a tick comes. Where one
    /// file ends as the next begins, both may have ticks of that moment.
    fn check(&self, source: &Source, at: BrokerTime) -> Result<(), TickError> {
        let Some(first) = source.first else {
            return Ok(());
        };
        for other in &self.sources {
            let (Some(begun), Some(next)) = (other.first, &other.next) else {
                continue;
            };
            let overlaps = begun < at && first < next.time && !std::ptr::eq(other, source);
            if overlaps && other.spec.symbol == source.spec.symbol {
                return Err(TickError::Overlap {
                    symbol: source.spec.symbol.clone(),
                    one: other.path.clone(),
                    one_from: begun,
                    other: source.path.clone(),
                    other_from: first,
                    at,
                });
            }
        }
        Ok(())
    }
}

/// Whether no two names begin with different symbols.
fn of_one_symbol(files: &[PathBuf]) -> Result<(), TickError> {
    let mut named: BTreeMap<Symbol, &PathBuf> = BTreeMap::new();
    for path in files {
        if let Some(symbol) = symbol_of(path) {
            named.entry(symbol).or_insert(path);
        }
    }
    let mut paths = named.into_values();
    match (paths.next(), paths.next()) {
        (Some(one), Some(other)) => Err(TickError::Several(one.clone(), other.clone())),
        _ => Ok(()),
    }
}

impl Source {
    fn open(path: &Path, spec: SymbolSpec, from: Option<BrokerTime>) -> Result<Self, TickError> {
        let decimals = TickFile::decimals(path, &spec).map_err(TickError::Feed)?;
        if let Some(decimals) = decimals.filter(|decimals| *decimals < spec.digits) {
            return Err(TickError::Digits {
                file: path.to_owned(),
                decimals,
                symbol: spec.symbol,
                digits: spec.digits,
            });
        }
        let mut source = Self {
            path: path.to_owned(),
            file: TickFile::open(path, &spec).map_err(TickError::Feed)?,
            spec,
            next: None,
            first: None,
        };
        source.advance()?;
        let early = |tick: &Tick| from.is_some_and(|from| tick.time < from);
        while source.next.as_ref().is_some_and(early) {
            source.advance()?;
        }
        source.first = source.next.as_ref().map(|tick| tick.time);
        Ok(source)
    }

    /// Takes the next tick, and reads the one after it.
    fn advance(&mut self) -> Result<Option<Tick>, TickError> {
        let next = self.file.next().transpose().map_err(TickError::Feed)?;
        let last = std::mem::replace(&mut self.next, next);
        let goes_back = last
            .as_ref()
            .zip(self.next.as_ref())
            .is_some_and(|(last, next)| next.time < last.time);
        if goes_back {
            let reason = "invalid time: expected one not before that of the line above";
            return Err(TickError::Feed(self.file.refuse(reason)));
        }
        Ok(last)
    }
}
