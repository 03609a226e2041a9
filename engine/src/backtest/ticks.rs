//! Past ticks: the terminal's tick exports, of one or several symbols, merged by time.

use mymt5_model::{BrokerTime, Symbol, SymbolSpec, Tick};
use mymt5_simulator::{
    catalogue,
    feed::{FeedError, TickFile, symbol_of},
};
use std::path::{Path, PathBuf};

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
    file: TickFile,
    spec: SymbolSpec,
    next: Option<Tick>,
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
    pub fn open(files: &[PathBuf], symbol: Option<&Symbol>, span: Span) -> Result<Self, TickError> {
        if files.len() > MOST_FILES {
            return Err(TickError::TooMany(files.len()));
        }
        let open = |path: &PathBuf| Source::open(path, symbol, span.from);
        let sources = files.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { sources, span })
    }

    /// The symbols of the files, each once, as the catalogue has them.
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
    /// A line is not what the terminal writes, or is of an earlier time than the one before it.
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
                self.sources[at].advance()
            }
            _ => Ok(None),
        }
    }
}

impl Source {
    fn open(
        path: &Path,
        symbol: Option<&Symbol>,
        from: Option<BrokerTime>,
    ) -> Result<Self, TickError> {
        let symbol = symbol.cloned().or_else(|| symbol_of(path));
        let symbol = symbol.ok_or_else(|| TickError::Nameless(path.to_owned()))?;
        let spec = catalogue::spec(&symbol);
        let file = TickFile::open(path, &spec).map_err(TickError::Feed)?;
        let mut source = Self {
            file,
            spec,
            next: None,
        };
        source.advance()?;
        let early = |tick: &Tick| from.is_some_and(|from| tick.time < from);
        while source.next.as_ref().is_some_and(early) {
            source.advance()?;
        }
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
