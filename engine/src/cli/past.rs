//! Which past is traded, and by which configuration: the options that every backtest has.

use super::usage::Usage;
use crate::{
    backtest::{Kind, Span, TickError},
    setup::Past,
};
use anyhow::ensure;
use clap::{ArgGroup, Args};
use mymt5_chassis::exit;
use mymt5_model::{BrokerTime, Symbol};
use std::path::PathBuf;

/// What is asked for.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("files").required(true))]
pub(super) struct PastArgs {
    /// The configuration: its strategies, risk and account ([backtest]).
    #[arg(long, value_name = "FILE", default_value = "config/engine.toml")]
    pub(super) config: PathBuf,
    /// A tick export of the terminal, plain, gzip or zstd; several are merged by time.
    #[arg(long, value_name = "FILE", num_args = 1.., group = "files")]
    ticks: Vec<PathBuf>,
    /// A bar export instead, M1 to D1: each bar is traded as four ticks, its open, its extremes and
    /// its close, between which the price goes without a jump.
    #[arg(long, value_name = "FILE", num_args = 1.., group = "files")]
    bars: Vec<PathBuf>,
    /// The symbol of the files; else the one that each file's name begins with.
    #[arg(long, value_parser = Symbol::parse)]
    symbol: Option<Symbol>,
    /// Trade from that time on, in the broker's time, such as 2020-01-30 or 2020-01-30T16:00.
    #[arg(long, value_name = "TIME")]
    from: Option<BrokerTime>,
    /// Trade up to that time.
    #[arg(long, value_name = "TIME")]
    to: Option<BrokerTime>,
}

impl PastArgs {
    /// The past that these options name.
    ///
    /// # Errors
    /// It would be empty.
    pub(super) fn past(&self) -> anyhow::Result<Past> {
        let span = self.from.zip(self.to);
        ensure!(
            span.is_none_or(|(from, to)| from < to),
            Usage("invalid --to: expected a time after --from")
        );
        let (files, kind) = if self.bars.is_empty() {
            (&self.ticks, Kind::Ticks)
        } else {
            (&self.bars, Kind::Bars)
        };
        Ok(Past {
            files: files.clone(),
            kind,
            symbol: self.symbol.clone(),
            span: Span {
                from: self.from,
                to: self.to,
            },
        })
    }
}

/// The exit code where files cannot be traded: a file that cannot be read is told from one that says the
/// wrong thing.
pub(super) const fn code_of(error: &TickError) -> u8 {
    match error {
        TickError::Open(..) | TickError::Read { .. } => exit::UNAVAILABLE,
        _ => exit::DATA,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::cli::Cli;
    use clap::Parser;

    fn refused(line: &str) -> String {
        let parsed = Cli::try_parse_from(line.split_whitespace());
        parsed.unwrap_err().to_string()
    }

    #[test]
    fn one_kind_of_files_is_needed_and_both_are_named() {
        for command in ["backtest", "sweep --vary strategies.0.fast=5..50/5"] {
            let said = refused(&format!("engine {command}"));
            for kind in ["--ticks", "--bars"] {
                assert!(said.contains(kind), "{command}: {said}");
            }
            let said = refused(&format!("engine {command} --ticks a b --bars c"));
            assert!(said.contains("cannot be used with"), "{command}: {said}");
        }
        let span = "--symbol EURUSD --from 2026-07-01 --to 2026-07-02 --out f";
        let said = refused(&format!("engine history {span}"));
        for kind in ["--ticks", "--bars"] {
            assert!(said.contains(kind), "{said}");
        }
        for whole in [
            "engine backtest --ticks a b".to_owned(),
            "engine backtest --bars a".to_owned(),
            format!("engine history {span} --ticks"),
            format!("engine history {span} --bars h1"),
        ] {
            assert!(
                Cli::try_parse_from(whole.split_whitespace()).is_ok(),
                "{whole}"
            );
        }
    }
}
