//! What a configuration tells a backtest, and which past it trades: the same for one as for many.

use crate::{
    backtest::{Backtest, Conditions, Kind, Span, TickError, Ticks},
    risk::RiskSettings,
    settings::{self, TABLE},
    strategy::{Registry, StrategySettings},
};
use anyhow::Context;
use mymt5_chassis::{
    config_errors::ConfigErrors,
    loader::{Environment, Provenance, Reader},
};
use mymt5_model::Symbol;
use serde::de::IgnoredAny;
use std::path::{Path, PathBuf};

/// The tables that a backtest reads.
pub const TABLES: [&str; 3] = ["strategies", "risk", "backtest"];

/// Tables that only a running engine reads.
const OTHERS: [&str; 6] = [
    "engine",
    "gateway",
    "operations",
    "process",
    "logging",
    "tracing",
];

/// Files of the past, and what of them is traded.
#[derive(Clone, Debug)]
pub struct Past {
    /// Exports of the terminal, plain, gzip or zstd.
    pub files: Vec<PathBuf>,
    /// What they hold.
    pub kind: Kind,
    /// The symbol of all of them; none: the one that each name begins with.
    pub symbol: Option<Symbol>,
    /// When is traded.
    pub span: Span,
}

impl Past {
    /// Opens the files from their beginning, for one reading of them.
    ///
    /// # Errors
    /// See [`TickError`].
    pub fn open(&self, conditions: &Conditions) -> Result<Ticks, TickError> {
        let symbol = self.symbol.as_ref();
        Ticks::open(
            &self.files,
            self.kind,
            symbol,
            self.span,
            &conditions.contracts,
        )
    }
}

/// What a configuration tells a backtest. One strategy is one run of it: it is used up.
#[derive(Debug)]
pub struct Setup {
    /// The account.
    pub conditions: Conditions,
    /// What trades.
    pub strategies: Vec<StrategySettings>,
    /// What it may risk.
    pub risk: RiskSettings,
    /// Where each value came from.
    pub provenance: Provenance,
}

/// Opens a configuration with what stands beside it and in the environment.
///
/// # Errors
/// A file cannot be read or parsed.
pub fn open(config: &Path) -> Result<Reader, ConfigErrors> {
    Reader::open(&TABLE, config, Environment::of_process())
}

impl Setup {
    /// Reads a configuration.
    ///
    /// # Errors
    /// All of its faults.
    pub fn read(mut reader: Reader) -> anyhow::Result<Self> {
        let keys = read_keys(&mut reader);
        let provenance = reader.finish()?;
        let (conditions, strategies, risk) = keys
            .context("the configuration was not read whole; check it against config/engine.toml")?;
        Ok(Self {
            conditions,
            strategies,
            risk,
            provenance,
        })
    }

    /// The same for ticks of these symbols: one strategy trades whatever symbol they are of.
    ///
    /// # Errors
    /// A strategy has no ticks of its symbol, or wants bars shorter than those that its ticks are
    /// made of.
    pub fn fit(mut self, ticks: &Ticks) -> anyhow::Result<Self> {
        let specs = ticks.specs();
        if let ([strategy], [spec]) = (self.strategies.as_mut_slice(), specs.as_slice()) {
            strategy.symbol = spec.symbol.clone();
        }
        for strategy in &self.strategies {
            let quoted = specs.iter().any(|spec| spec.symbol == strategy.symbol);
            anyhow::ensure!(
                quoted,
                "strategy {} trades {}, of which there are no ticks; give them by --ticks or --bars",
                strategy.name,
                strategy.symbol
            );
            can_make_bars(ticks, strategy)?;
        }
        Ok(self)
    }

    /// Begins a backtest over ticks that it fits.
    ///
    /// # Errors
    /// The account cannot be set up.
    pub fn begin(self, ticks: &Ticks) -> anyhow::Result<Backtest> {
        Backtest::new(&self.conditions, ticks.specs(), self.strategies, self.risk)
            .context("cannot set up the account of [backtest]; correct it")
    }

    /// The settings in force as a report shows them: name and value.
    #[must_use]
    pub fn shown(&self) -> Vec<(String, String)> {
        shown(&self.provenance, &TABLES)
    }
}

/// Reads the keys of a backtest; faults are collected by the reader. None: there were some.
pub fn read_keys(reader: &mut Reader) -> Option<(Conditions, Vec<StrategySettings>, RiskSettings)> {
    for table in OTHERS {
        reader.optional::<IgnoredAny>(table, "a table");
    }
    let conditions = Conditions::read(reader);
    let strategies = settings::strategies(reader, Registry::of_program());
    let risk = RiskSettings::read(&mut reader.section("risk"));
    Some((conditions?, strategies?, risk?))
}

/// What a reader must know of these ticks. None: nothing.
#[must_use]
pub fn note(ticks: &Ticks) -> Option<String> {
    let specs = ticks.specs();
    let frames = specs
        .iter()
        .filter_map(|spec| ticks.timeframe(&spec.symbol));
    let longest = frames.max()?;
    Some(format!(
        "The ticks are made of {longest} bars, four of each: in which order its prices came, and what was between them, is not known. Within a bar the price is taken to go from each to the next without a jump, so that levels and orders on its way are done at their own price; from one bar to the next it may jump."
    ))
}

/// The settings of those sections as a report shows them.
#[must_use]
pub fn shown(provenance: &Provenance, sections: &[&str]) -> Vec<(String, String)> {
    let values = sections
        .iter()
        .flat_map(|section| provenance.section(section));
    values
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// Whether the bars that a strategy wants can be made of the ticks of its symbol.
fn can_make_bars(ticks: &Ticks, strategy: &StrategySettings) -> anyhow::Result<()> {
    let Some(of_file) = ticks.timeframe(&strategy.symbol) else {
        return Ok(());
    };
    let series = strategy.strategy.series().into_iter();
    let series = series.map(|series| ("timeframe", series.timeframe));
    let ranges = strategy.care.ranges();
    let ranges = ranges.map(|ranges| ("care.trailing.atr_timeframe", ranges.timeframe));
    for (key, timeframe) in series.chain(ranges) {
        anyhow::ensure!(
            timeframe >= of_file,
            "strategy {} wants {timeframe} bars, which {of_file} bars cannot tell; set its {key} to {of_file} or longer, or give shorter bars by --bars",
            strategy.name
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_backtest_reads_the_shipped_configuration() {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/engine.toml");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("engine.toml");
        std::fs::copy(shipped, &file).unwrap();
        let environment = Environment::from_pairs([("", ""); 0]);
        let reader = Reader::open(&TABLE, &file, environment).unwrap();
        assert_eq!(Setup::read(reader).unwrap().strategies.len(), 1);
    }
}
