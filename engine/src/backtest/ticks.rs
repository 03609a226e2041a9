//! Past ticks: the terminal's exports, of one or several symbols, merged by time.

use super::{
    Contracts,
    errors::{MOST_FILES, TickError},
    open::{Meter, unpacked},
    rows::{Kind, Rows},
};
use crate::bars::Timeframe;
use mymt5_model::{BrokerTime, Symbol, SymbolSpec, Tick};
use mymt5_simulator::feed::symbol_of;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

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
    rows: Rows,
    spec: SymbolSpec,
    next: Option<Tick>,
    /// The time of its first tick in the span.
    first: Option<BrokerTime>,
    /// The times of its first tick and of the last one before the span.
    before: Option<(BrokerTime, BrokerTime)>,
}

/// Ticks of all files in the order of time; of one time, in the order of the files.
pub struct Ticks {
    sources: Vec<Source>,
    span: Span,
    meter: Meter,
    /// Of all files, as they lie on the disk.
    bytes: u64,
}

impl Ticks {
    /// Opens the files, plain, gzip or zstd. Each is of the symbol that its name begins with, unless
    /// one is given.
    ///
    /// # Errors
    /// See [`TickError`].
    pub fn open(
        files: &[PathBuf],
        kind: Kind,
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
        let meter = Meter::default();
        let open = |path: &PathBuf| {
            let symbol = symbol.cloned().or_else(|| symbol_named(path));
            let symbol = symbol.ok_or_else(|| TickError::Nameless(path.clone()))?;
            let spread = contracts.spread(&symbol);
            let spec = contracts.spec(&symbol);
            let spec = spec.ok_or_else(|| TickError::Unknown(path.clone(), symbol))?;
            let rows = match kind {
                Kind::Ticks => Rows::of_ticks(path, &spec, &meter),
                Kind::Bars => Rows::of_bars(path, &spec, spread, &meter),
            };
            Source::open(path, rows?, spec, span.from)
        };
        let sources = files.iter().map(open).collect::<Result<_, _>>()?;
        let size = |path: &PathBuf| fs::metadata(path).map_or(0, |metadata| metadata.len());
        Ok(Self {
            sources,
            span,
            bytes: files.iter().map(size).sum(),
            meter,
        })
    }

    /// How much of the files was read, and how much there is, in bytes as they lie on the disk.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        (self.meter.bytes(), self.bytes)
    }

    /// The longest bars that a symbol's ticks are made of; none: they are no bars'.
    #[must_use]
    pub fn timeframe(&self, symbol: &Symbol) -> Option<Timeframe> {
        let of_symbol = self.sources.iter();
        let of_symbol = of_symbol.filter(|source| source.spec.symbol == *symbol);
        of_symbol.filter_map(|source| source.rows.timeframe()).max()
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

    /// Why there was no tick to trade: reads the files to their end, and tells what they have.
    #[must_use]
    pub fn nothing(mut self) -> TickError {
        match self.whole() {
            Ok(Some((first, last))) => TickError::Outside { first, last },
            Ok(None) => TickError::Empty,
            Err(error) => error,
        }
    }

    /// The times of the first and the last tick of all files, in the span or not.
    fn whole(&mut self) -> Result<Option<(BrokerTime, BrokerTime)>, TickError> {
        let mut times = Vec::new();
        for source in &mut self.sources {
            times.extend(source.before.map(|(first, _)| first));
            times.extend(source.first);
            let mut last = source.before.map(|(_, last)| last);
            while let Some(time) = source.next.as_ref().map(|tick| tick.time) {
                last = Some(time);
                source.advance()?;
            }
            times.extend(last);
        }
        let first = times.iter().min().copied();
        Ok(first.zip(times.into_iter().max()))
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

/// The symbol that a file is named after, whatever it is packed as.
fn symbol_named(path: &Path) -> Option<Symbol> {
    symbol_of(&unpacked(path))
}

/// Whether no two names begin with different symbols.
fn of_one_symbol(files: &[PathBuf]) -> Result<(), TickError> {
    let mut named: BTreeMap<Symbol, &PathBuf> = BTreeMap::new();
    for path in files {
        if let Some(symbol) = symbol_named(path) {
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
    fn open(
        path: &Path,
        rows: Rows,
        spec: SymbolSpec,
        from: Option<BrokerTime>,
    ) -> Result<Self, TickError> {
        let mut source = Self {
            path: path.to_owned(),
            rows,
            spec,
            next: None,
            first: None,
            before: None,
        };
        source.advance()?;
        let early = |time: &BrokerTime| from.is_some_and(|from| *time < from);
        while let Some(time) = source.next.as_ref().map(|tick| tick.time).filter(early) {
            let first = source.before.map_or(time, |(first, _)| first);
            source.before = Some((first, time));
            source.advance()?;
        }
        source.first = source.next.as_ref().map(|tick| tick.time);
        Ok(source)
    }

    /// Takes the next tick, and reads the one after it.
    fn advance(&mut self) -> Result<Option<Tick>, TickError> {
        let next = self.rows.next_tick()?;
        let last = std::mem::replace(&mut self.next, next);
        let goes_back = last
            .as_ref()
            .zip(self.next.as_ref())
            .is_some_and(|(last, next)| next.time < last.time);
        if goes_back {
            return Err(self.rows.too_early().into());
        }
        Ok(last)
    }
}
