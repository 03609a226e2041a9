//! What is to be done, looked at before anything trades: keys, values and files.

use super::{
    Axis, Criterion, Grid, PastFile, Period, Sweep, SweepError, identity::ENGINE,
    limits::MOST_RESULTS,
};
use crate::{
    backtest::{Backtest, Ticks, UNLIMITED},
    setup::{Past, Setup, TABLES, note, read_keys},
};
use mymt5_chassis::{config_errors::ConfigErrors, loader::Reader};
use mymt5_model::BrokerTime;
use std::{collections::BTreeSet, path::PathBuf};

/// The option that sets the keys.
const OPTION: &str = "--vary";
/// A file that the settings name, and that every point reads.
const CALENDAR: &str = "risk.news.calendar";
/// Ticks between two looks at how far it is.
const BETWEEN_LOOKS: u64 = 65_536;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The past that each point trades.
    pub past: Past,
    /// The keys and their values.
    pub vary: Vec<Axis>,
    /// By which figure is chosen.
    pub by: Criterion,
    /// Folds of the walk forward; 0: none.
    pub folds: usize,
}

/// A sweep that can be run.
pub struct Plan {
    /// The configuration, of which each point takes a copy.
    base: Reader,
    past: Past,
    sweep: Sweep,
    parts: Vec<Period>,
}

impl Plan {
    /// Looks at the keys and values, and reads the files once. `look` is called now and then with how
    /// far that is.
    ///
    /// # Errors
    /// Unknown keys, values that fit no others, too many points, or files that are not as expected.
    pub fn new(base: Reader, asked: Asked, look: impl FnMut(&Ticks)) -> anyhow::Result<Self> {
        let grid = Grid::new(asked.vary)?;
        check_size(&grid, asked.folds)?;
        check_tables(&base, &grid)?;
        let first = first_fit(&base, &grid)?;
        let mut ticks = asked.past.open(&first.conditions)?;
        check_values(&base, &grid, &ticks)?;
        let files = files(&base, &asked.past)?;
        let (span, count) = read_through(&mut ticks, look)?;
        let (first_time, last_time) = span.ok_or(SweepError::Empty)?;
        let specs = ticks.specs();
        let varied = |key: &str| grid.axes().iter().any(|axis| axis.key == key);
        let settings = first.shown().into_iter();
        let unlimited = (!first.conditions.is_limited()).then(|| UNLIMITED.to_owned());
        let sweep = Sweep {
            engine: ENGINE.to_owned(),
            by: asked.by,
            walk_forward: asked.folds,
            files,
            symbols: specs.iter().map(|spec| spec.symbol.to_string()).collect(),
            first: first_time,
            last: last_time,
            ticks: count,
            notes: note(&ticks).into_iter().chain(unlimited).collect(),
            currency: first.conditions.account.currency.clone(),
            settings: settings.filter(|(key, _)| !varied(key)).collect(),
            vary: grid,
        };
        Ok(Self {
            base,
            past: asked.past,
            parts: sweep.parts(),
            sweep,
        })
    }

    /// What is swept.
    #[must_use]
    pub const fn sweep(&self) -> &Sweep {
        &self.sweep
    }

    pub(super) const fn past(&self) -> &Past {
        &self.past
    }

    pub(super) fn parts(&self) -> &[Period] {
        &self.parts
    }

    /// The settings of a point.
    pub(super) fn setup(&self, point: usize) -> anyhow::Result<Setup> {
        read(&self.base, &self.sweep.vary, point)
    }

    /// A backtest of a point over ticks of its own.
    pub(super) fn begin(&self, point: usize, ticks: &Ticks) -> anyhow::Result<Backtest> {
        self.setup(point)?.fit(ticks)?.begin(ticks)
    }
}

/// Why a point cannot be traded, in a line.
pub(super) fn reason(error: &anyhow::Error) -> String {
    let faults = error.downcast_ref::<ConfigErrors>();
    let first = faults.and_then(|faults| faults.0.first());
    first.map_or_else(|| format!("{error:#}"), ToString::to_string)
}

/// The configuration with the values of a point.
fn with_values(base: &Reader, grid: &Grid, point: usize) -> anyhow::Result<Reader> {
    let mut reader = base.clone();
    for (key, value) in grid.settings(point) {
        if reader.set(OPTION, key, value).is_err() {
            return Err(unknown(&read_again(base), key).into());
        }
    }
    Ok(reader)
}

fn read(base: &Reader, grid: &Grid, point: usize) -> anyhow::Result<Setup> {
    Setup::read(with_values(base, grid, point)?)
}

/// The configuration after its keys were read: it knows which there are.
fn read_again(base: &Reader) -> Reader {
    let mut reader = base.clone();
    // Its faults are told where it is read in earnest.
    let _ = read_keys(&mut reader);
    reader
}

fn check_size(grid: &Grid, folds: usize) -> Result<(), SweepError> {
    let parts = if folds == 0 { 0 } else { folds as u64 + 1 };
    let results = grid.count() as u64 * (1 + parts);
    if results > MOST_RESULTS {
        return Err(SweepError::Results(results));
    }
    Ok(())
}

/// Whether every key is in a table that a backtest reads: one of another table would change nothing.
fn check_tables(base: &Reader, grid: &Grid) -> Result<(), SweepError> {
    for axis in grid.axes() {
        let table = axis.key.split('.').next();
        if !table.is_some_and(|table| TABLES.contains(&table)) {
            return Err(unknown(&read_again(base), &axis.key));
        }
    }
    Ok(())
}

/// Whether each value has a point that can be traded. What fits no values of the others is a fault of
/// its own; points whose values do not fit together are left out.
fn check_values(base: &Reader, grid: &Grid, ticks: &Ticks) -> Result<(), SweepError> {
    for (axis, of) in grid.axes().iter().enumerate() {
        for (at, value) in of.values.iter().enumerate() {
            let points = (0..grid.count()).filter(|point| grid.at(*point, axis) == at);
            let mut errors = points.map(|point| trial(base, grid, point, ticks).err());
            let Some(first) = errors.next().flatten() else {
                continue;
            };
            if errors.all(|error| error.is_some()) {
                return Err(misfit(&of.key, value, &first));
            }
        }
    }
    Ok(())
}

fn trial(base: &Reader, grid: &Grid, point: usize, ticks: &Ticks) -> anyhow::Result<Backtest> {
    read(base, grid, point)?.fit(ticks)?.begin(ticks)
}

/// The settings of the first point whose values fit together.
fn first_fit(base: &Reader, grid: &Grid) -> anyhow::Result<Setup> {
    let error = match read(base, grid, 0) {
        Ok(setup) => return Ok(setup),
        Err(error) => error,
    };
    let next = (1..grid.count()).find_map(|point| read(base, grid, point).ok());
    next.ok_or_else(|| fault(base, grid, error))
}

/// What is wrong where no point can be read, by the error of the first one: a key that is not known, a
/// value, or the configuration itself.
fn fault(base: &Reader, grid: &Grid, error: anyhow::Error) -> anyhow::Error {
    let Ok(reader) = with_values(base, grid, 0) else {
        return error;
    };
    let known = read_again(&reader);
    let stranger = grid.axes().iter().find(|axis| !known.knows(&axis.key));
    if let Some(stranger) = stranger {
        return unknown(&known, &stranger.key).into();
    }
    let faults = error.downcast_ref::<ConfigErrors>();
    let is_of = |key: &str| faults.is_some_and(|faults| faults.0.iter().any(|of| of.key == key));
    let blamed = grid.settings(0).find(|(key, _)| is_of(key));
    match blamed {
        Some((key, value)) => misfit(key, value, &error).into(),
        None => error,
    }
}

fn misfit(key: &str, value: &str, error: &anyhow::Error) -> SweepError {
    SweepError::Misfit {
        key: key.to_owned(),
        value: value.to_owned(),
        reason: reason(error),
    }
}

/// A key that no backtest reads, with the keys beside it that one does, or else the tables that have
/// keys.
fn unknown(reader: &Reader, key: &str) -> SweepError {
    let of_tables = |asked: &&str| {
        let table = asked.split('.').next();
        table.is_some_and(|table| TABLES.contains(&table))
    };
    let asked: Vec<(&str, &str)> = reader
        .asked()
        .filter(of_tables)
        .filter_map(|asked| Some((asked.rsplit_once('.')?.0, asked)))
        .collect();
    let table = key.rsplit_once('.').map_or("", |(table, _)| table);
    let beside = asked.iter().filter(|(of, _)| *of == table);
    let beside: Vec<&str> = beside.map(|(_, asked)| *asked).collect();
    let tables: BTreeSet<&str> = asked.iter().map(|(of, _)| *of).collect();
    let known = if beside.is_empty() {
        let tables: Vec<&str> = tables.into_iter().collect();
        format!("a key of {}", tables.join(", "))
    } else {
        format!("one of {}", beside.join(", "))
    };
    SweepError::Unknown {
        key: key.to_owned(),
        known,
    }
}

/// The files that rows depend on.
fn files(base: &Reader, past: &Past) -> Result<Vec<PastFile>, SweepError> {
    let calendar: Option<PathBuf> = base.peek(CALENDAR);
    let files = past.files.iter().chain(&calendar);
    files.map(|path| PastFile::of(path)).collect()
}

type Span = Option<(BrokerTime, BrokerTime)>;

/// Reads all ticks: the times of the first and the last one, and how many there are.
fn read_through(ticks: &mut Ticks, mut look: impl FnMut(&Ticks)) -> anyhow::Result<(Span, u64)> {
    let mut span: Span = None;
    let mut count = 0u64;
    while let Some(tick) = ticks.next_tick()? {
        let (first, _) = span.unwrap_or((tick.time, tick.time));
        span = Some((first, tick.time));
        count += 1;
        if count.is_multiple_of(BETWEEN_LOOKS) {
            look(ticks);
        }
    }
    Ok((span, count))
}
