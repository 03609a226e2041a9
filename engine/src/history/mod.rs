//! A symbol's past, from the gateway into a file as the terminal exports it. What was written before
//! an interruption is kept: it is read again, held against what the gateway tells, and continued.

mod export;
mod part;
mod source;

pub use part::OpenError;
pub use source::{Source, SourceError};

use crate::bars::Timeframe;
use export::Row;
use mymt5_model::{Bar, BrokerTime, Symbol, Tick};
use part::Part;
use source::Told;
use std::path::{Path, PathBuf};

/// What a file has rows of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Ticks.
    Ticks,
    /// Bars of that length.
    Bars(Timeframe),
}

/// Which past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The symbol.
    pub symbol: Symbol,
    /// Ticks or bars.
    pub kind: Kind,
    /// The first moment.
    pub from: BrokerTime,
    /// The moment after the last one.
    pub to: BrokerTime,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Rows that the file has.
    pub rows: u64,
    /// The time of the last one; that of the beginning before the first.
    pub at: BrokerTime,
}

/// Why a file is not complete. What was written of it stays.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The file cannot be begun or continued.
    #[error(transparent)]
    File(#[from] OpenError),
    /// The gateway does not tell the past.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The file begun is of another past.
    #[error(
        "{} holds other rows than the gateway tells for these options; repeat the command that began it, move it away, or name another --out", .0.display()
    )]
    OtherRows(PathBuf),
    /// A row cannot be written.
    #[error("cannot write {}; make room on its disk and repeat the command, which continues it", .0.display())]
    Write(PathBuf, #[source] std::io::Error),
}

/// Writes a past into the file `out`, which appears once it is whole: until then its rows are in
/// `out` with `.part` behind it, which the next call continues. Returns the number of its rows.
///
/// # Errors
/// See [`HistoryError`].
pub async fn download(
    source: &Source,
    wanted: &Wanted,
    out: &Path,
    told: impl FnMut(Progress),
) -> Result<u64, HistoryError> {
    match wanted.kind {
        Kind::Ticks => write::<Tick>(source, wanted, out, told).await,
        Kind::Bars(_) => write::<Bar>(source, wanted, out, told).await,
    }
}

async fn write<R: Told>(
    source: &Source,
    wanted: &Wanted,
    out: &Path,
    mut told: impl FnMut(Progress),
) -> Result<u64, HistoryError> {
    source.check(wanted).await?;
    let mut part = Part::<R>::open(out, wanted.kind, source.spec())?;
    verify(source, wanted, &part).await?;
    let from = part.last().map_or(wanted.from, Row::time);
    // Those of the last moment that the file has already.
    let mut known = part.of_last_moment().len();
    let mut pages = source.pages::<R>(wanted, from..wanted.to);
    while let Some(mut rows) = pages.next().await? {
        let of_the_file = known.min(rows.len());
        rows.drain(..of_the_file);
        known -= of_the_file;
        part.append(rows)
            .map_err(|error| HistoryError::Write(part.path().to_owned(), error))?;
        told(Progress {
            rows: part.rows(),
            at: part.last().map_or(wanted.from, Row::time),
        });
    }
    let rows = part.rows();
    part.complete(out)?;
    Ok(rows)
}

/// Holds the first row of a file that was begun, and those of its last moment, against what the
/// gateway tells.
async fn verify<R: Told>(
    source: &Source,
    wanted: &Wanted,
    part: &Part<R>,
) -> Result<(), HistoryError> {
    let other = || HistoryError::OtherRows(part.path().to_owned());
    let (Some(first), Some(last)) = (part.first(), part.last()) else {
        return Ok(());
    };
    if first.time() < wanted.from || last.time() >= wanted.to {
        return Err(other());
    }
    let earliest = source.first::<R>(wanted, wanted.from..wanted.to).await?;
    if !earliest.is_some_and(|earliest| first.is(&earliest)) {
        return Err(other());
    }
    let kept = part.of_last_moment();
    let moment = last.time()..BrokerTime(last.time().0 + 1);
    let mut pages = source.pages::<R>(wanted, moment);
    let mut told = Vec::new();
    while let Some(mut rows) = pages.next().await? {
        told.append(&mut rows);
    }
    let pairs = kept.iter().zip(&told);
    let alike = pairs.filter(|(kept, told)| kept.is(told)).count();
    if alike == kept.len() {
        Ok(())
    } else {
        Err(other())
    }
}
