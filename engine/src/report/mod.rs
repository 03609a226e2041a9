//! Reports: what was traded, how it went, and what was refused. Pure: plain records in, a page for
//! people and two files for programs out.
//!
//! # The way of a record
//! [`Record`] is what is told -> [`Report::of`] works out its statistics (`statistics`, by the
//! names and definitions of MetaTrader 5's testing report), its drawdown in other orders
//! (`bootstrap`) and its months (`series`) -> `page` draws it with `charts`, `excursions` and
//! `figures`, `data` writes it as CSV and JSON -> [`Report::write`] puts the three files down.
//! [`History`] makes a record of a gateway's deals and orders; a backtest makes its own. The deals of
//! both become trades in `positions`.
//!
//! The page is whole in itself: it loads nothing and runs no script. Whatever comes from data is
//! escaped, and however long the data, the page stays within a few megabytes.

mod bootstrap;
mod calendar;
mod charts;
mod columns;
mod data;
mod drawdown;
mod excursions;
mod figures;
mod history;
mod mathematics;
mod page;
mod positions;
mod record;
mod series;
mod statistics;
mod svg;
#[cfg(test)]
mod tests;
mod text;

pub use bootstrap::{Bootstrap, Percentiles};
pub(crate) use drawdown::Depth;
pub use drawdown::{Drawdown, Drawdowns};
pub use history::History;
pub(crate) use page::{BEGIN, document, settings as settings_table, tone};
pub(crate) use positions::{Deal, Positions};
pub use record::{Excursion, Point, PriceRange, Record, Trade};
pub use series::Year;
pub use statistics::{Excursions, Holding, Kind, Statistics, Streak, Won, ZScore};
pub(crate) use text::{cell, escape, number};

use mymt5_chassis::process::write_atomically;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Why a report was not written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file cannot be written.
    #[error("cannot write {}; name a file in a folder that this user may write", .0.display())]
    Write(PathBuf, #[source] io::Error),
    /// Another file has that name.
    #[error("{} is there already, and not of a report; move it away, or name another page", .0.display())]
    Foreign(PathBuf),
    /// A file that was to be new.
    #[error("{} is there already; move it away, or name another file", .0.display())]
    Exists(PathBuf),
}

/// A record and what follows from it.
#[derive(Clone, Debug)]
pub struct Report {
    record: Record,
    statistics: Statistics,
    bootstrap: Option<Bootstrap>,
    years: BTreeMap<i16, Year>,
}

impl Report {
    /// Works out a record.
    #[must_use]
    pub fn of(mut record: Record) -> Self {
        order(&mut record);
        let nets: Vec<f64> = record.trades.iter().map(Trade::net).collect();
        Self {
            statistics: Statistics::of(&record),
            bootstrap: Bootstrap::of(record.initial, &nets),
            years: series::years(&record),
            record,
        }
    }

    /// The statistics.
    #[must_use]
    pub const fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// The page.
    #[must_use]
    pub fn html(&self) -> String {
        page::of(self)
    }

    /// The trades, one a line.
    #[must_use]
    pub fn csv(&self) -> String {
        data::csv(&self.record.trades)
    }

    /// All but the series.
    ///
    /// # Errors
    /// None that the data can cause.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        data::json(self)
    }

    /// Writes the page, and beside it the same name with `.trades.csv` and with `.report.json`. A
    /// file is there whole or not at all. Those of an earlier report are replaced.
    ///
    /// # Errors
    /// A file cannot be written, or one of another kind is in its place: then none is written.
    pub fn write(&self, page: &Path) -> Result<[PathBuf; 3], ReportError> {
        let document = page.with_extension("report.json");
        let json = self
            .json()
            .map_err(|error| ReportError::Write(document.clone(), error.into()))?;
        let files = [
            (page.to_owned(), self.html(), BEGIN),
            (page.with_extension("trades.csv"), self.csv(), data::HEADER),
            (document, json, data::BEGIN),
        ];
        for (file, _, begin) in &files {
            if !is_free(file, begin).map_err(|error| ReportError::Write(file.clone(), error))? {
                return Err(ReportError::Foreign(file.clone()));
            }
        }
        for (file, text, _) in &files {
            write_atomically(file, text.as_bytes())
                .map_err(|error| ReportError::Write(file.clone(), error))?;
        }
        Ok(files.map(|(file, _, _)| file))
    }
}

/// The statistics of a record, without what else a page tells.
#[must_use]
pub fn statistics(mut record: Record) -> Statistics {
    order(&mut record);
    Statistics::of(&record)
}

/// Puts the trades in the order of their closes, and takes the balance for a series that is not there.
fn order(record: &mut Record) {
    record.trades.sort_by_key(|trade| trade.closed);
    if record.series.is_empty() {
        record.series = series::of_trades(record.initial, &record.trades);
    }
}

/// True where there is no file, or one that begins as a report's does.
pub(crate) fn is_free(file: &Path, begin: &str) -> io::Result<bool> {
    let file = match File::open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        opened => opened?,
    };
    let mut begun = Vec::new();
    file.take(begin.len() as u64).read_to_end(&mut begun)?;
    Ok(begun == begin.as_bytes())
}
