//! Reports: what was traded, how it went, and what was refused. Pure: plain records in, a page for
//! people and two files for programs out.
//!
//! # The way of a record
//! [`Record`] is what is told -> [`Report::of`] works out its statistics (`statistics`, by the
//! names and definitions of MetaTrader 5's testing report), its drawdown in other orders
//! (`bootstrap`) and its months (`series`) -> `page` draws it with `charts` and `figures`, `data`
//! writes it as CSV and JSON -> [`Report::write`] puts the three files down.
//! [`History`] makes a record of a gateway's deals and orders.
//!
//! The page is whole in itself: it loads nothing and runs no script. Whatever comes from data is
//! escaped, and however long the data, the page stays within a few megabytes.

mod bootstrap;
mod calendar;
mod charts;
mod columns;
mod data;
mod drawdown;
mod figures;
mod history;
mod mathematics;
mod page;
mod record;
mod series;
mod statistics;
mod svg;
#[cfg(test)]
mod tests;
mod text;

pub use bootstrap::{Bootstrap, Percentiles};
pub use drawdown::Drawdown;
pub use history::History;
pub use record::{Excursion, Point, PriceRange, Record, Trade};
pub use series::Year;
pub use statistics::{Excursions, Holding, Kind, Statistics, Streak, Won, ZScore};

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// Why a report was not written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file cannot be written.
    #[error("cannot write {}; name a file in a folder that this user may write", .0.display())]
    Write(PathBuf, #[source] io::Error),
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
        record.trades.sort_by_key(|trade| trade.closed);
        if record.series.is_empty() {
            record.series = series::of_trades(record.initial, &record.trades);
        }
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

    /// Writes the page, and beside it the same name with `.csv` and with `.json`. A file is there
    /// whole or not at all.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, page: &Path) -> Result<[PathBuf; 3], ReportError> {
        let json = self
            .json()
            .map_err(|error| ReportError::Write(page.with_extension("json"), error.into()))?;
        let files = [
            (page.to_owned(), self.html()),
            (page.with_extension("csv"), self.csv()),
            (page.with_extension("json"), json),
        ];
        for (file, text) in &files {
            put(file, text).map_err(|error| ReportError::Write(file.clone(), error))?;
        }
        Ok(files.map(|(file, _)| file))
    }
}

/// Writes a file beside its place, and moves it there.
fn put(file: &Path, text: &str) -> io::Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".part");
    fs::write(&beside, text)?;
    fs::rename(&beside, file)
}
