//! The rows of one file: ticks, or bars told as the few ticks that MetaTrader 5's tester makes of
//! them.

use super::{
    errors::TickError,
    open::{Meter, open},
};
use crate::bars::Timeframe;
use mymt5_model::{SymbolSpec, Tick};
use mymt5_simulator::feed::{BarFile, BarTicks, FeedError, TickFile};
use std::{io::Read, path::Path};

/// What files hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Ticks.
    Ticks,
    /// Bars, of a timeframe that their times tell.
    Bars,
}

/// A file whose next tick can be read.
pub(super) enum Rows {
    Ticks(TickFile),
    Bars(BarTicks<BarFile>, Timeframe),
}

impl Rows {
    /// Opens a file of ticks.
    pub(super) fn of_ticks(
        path: &Path,
        spec: &SymbolSpec,
        meter: &Meter,
    ) -> Result<Self, TickError> {
        let looked_at = TickFile::read(path, unpack(path, Meter::default())?, spec)?;
        digits(path, spec, looked_at.decimals()?)?;
        let ticks = TickFile::read(path, unpack(path, meter.clone())?, spec)?;
        Ok(Self::Ticks(ticks))
    }

    /// Opens a file of bars. `spread`: in place of the file's own, points.
    pub(super) fn of_bars(
        path: &Path,
        spec: &SymbolSpec,
        spread: Option<u32>,
        meter: &Meter,
    ) -> Result<Self, TickError> {
        let looked_at = BarFile::read(path, unpack(path, Meter::default())?, spec)?;
        if spread.is_none() && !looked_at.has_spread() {
            return Err(TickError::Spread(path.to_owned(), spec.symbol.clone()));
        }
        let sample = looked_at.sample()?;
        digits(path, spec, sample.decimals)?;
        let period_ms = sample.period_ms;
        let period_ms = period_ms.ok_or_else(|| TickError::Short(path.to_owned()))?;
        let timeframe = Timeframe::of_milliseconds(period_ms);
        let timeframe = timeframe.ok_or_else(|| TickError::Period {
            file: path.to_owned(),
            seconds: period_ms / 1_000,
        })?;
        let bars = BarFile::read(path, unpack(path, meter.clone())?, spec)?;
        let ticks = BarTicks::new(bars, period_ms);
        let ticks = match spread {
            Some(points) => ticks.with_spread(points),
            None => ticks,
        };
        Ok(Self::Bars(ticks, timeframe))
    }

    /// The next tick; none after the last one.
    pub(super) fn next_tick(&mut self) -> Result<Option<Tick>, FeedError> {
        let next = match self {
            Self::Ticks(ticks) => ticks.next(),
            Self::Bars(ticks, _) => ticks.next(),
        };
        next.transpose()
    }

    /// Which bars the ticks are made of; none: they are no bars'.
    pub(super) const fn timeframe(&self) -> Option<Timeframe> {
        match self {
            Self::Ticks(_) => None,
            Self::Bars(_, timeframe) => Some(*timeframe),
        }
    }

    /// What is wrong with a line that is too early.
    pub(super) fn too_early(&self) -> FeedError {
        match self {
            Self::Ticks(ticks) => {
                ticks.refuse("invalid time: expected one not before that of the line above")
            }
            Self::Bars(ticks, _) => ticks.refuse(
                "invalid time: expected one that is a bar of the first lines' length after that of the line above",
            ),
        }
    }
}

fn unpack(path: &Path, meter: Meter) -> Result<Box<dyn Read + Send>, TickError> {
    open(path, meter).map_err(|source| TickError::Open(path.to_owned(), source))
}

/// Whether a point of the file is a point of the symbol.
fn digits(path: &Path, spec: &SymbolSpec, decimals: Option<u8>) -> Result<(), TickError> {
    match decimals {
        Some(decimals) if decimals < spec.digits => Err(TickError::Digits {
            file: path.to_owned(),
            decimals,
            symbol: spec.symbol.clone(),
            digits: spec.digits,
        }),
        _ => Ok(()),
    }
}
