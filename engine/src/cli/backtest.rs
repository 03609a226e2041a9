//! `backtest`: trades past ticks with the strategies of a configuration, and tells how it went.

use super::report::{names, page, shown};
use crate::{
    backtest::{Backtest, Conditions, Outcome, Span, Ticks},
    report::{Record, Report},
    risk::RiskSettings,
    settings::{self, TABLE},
    strategy::{Registry, StrategySettings},
};
use anyhow::Context;
use clap::Args;
use mymt5_chassis::{
    cli::say,
    loader::{Environment, Provenance, Reader},
};
use mymt5_model::{BrokerTime, Symbol};
use serde::de::IgnoredAny;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// What is asked for.
#[derive(Debug, Args)]
pub(super) struct BacktestArgs {
    /// The configuration: its strategies, risk and account ([backtest]).
    #[arg(long, value_name = "FILE", default_value = "config/engine.toml")]
    config: PathBuf,
    /// A tick export of the terminal; several are merged by time.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    ticks: Vec<PathBuf>,
    /// The symbol of the ticks; else the one that each file's name begins with.
    #[arg(long)]
    symbol: Option<String>,
    /// Trade from that time on, in the broker's time, such as 2020-01-30 or 2020-01-30T16:00.
    #[arg(long, value_name = "TIME")]
    from: Option<BrokerTime>,
    /// Trade up to that time.
    #[arg(long, value_name = "TIME")]
    to: Option<BrokerTime>,
    /// JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Write a report as well: this page, and beside it the same name with .trades.csv and with
    /// .report.json.
    #[arg(long, value_name = "FILE", value_parser = page)]
    report: Option<PathBuf>,
}

/// What a configuration tells a backtest.
struct Setup {
    conditions: Conditions,
    strategies: Vec<StrategySettings>,
    risk: RiskSettings,
    provenance: Provenance,
}

/// Tables that only a running engine reads.
const OTHERS: [&str; 5] = ["engine", "gateway", "operations", "process", "logging"];

pub(super) fn backtest(asked: &BacktestArgs) -> anyhow::Result<ExitCode> {
    let setup = read(&asked.config)?;
    let symbol = asked.symbol.as_deref().map(Symbol::parse).transpose();
    let symbol = symbol.context("invalid --symbol: expected a symbol such as EURUSD")?;
    let span = Span {
        from: asked.from,
        to: asked.to,
    };
    let contracts = &setup.conditions.contracts;
    let ticks = Ticks::open(&asked.ticks, symbol.as_ref(), span, contracts)?;
    let (outcome, record) = run(setup, ticks)?;
    if asked.json {
        say(&serde_json::to_string_pretty(&outcome)?);
    } else {
        let rows = outcome.rows();
        rows.iter()
            .for_each(|(name, value)| say(&format!("{name:<16} {value}")));
    }
    if let Some(page) = &asked.report {
        let files = Report::of(record).write(page)?;
        if !asked.json {
            let file = |file: &PathBuf| say(&format!("{:<16} {}", "report", file.display()));
            files.iter().for_each(file);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read(config: &Path) -> anyhow::Result<Setup> {
    let mut reader = Reader::open(&TABLE, config, Environment::of_process())?;
    for table in OTHERS {
        reader.optional::<IgnoredAny>(table, "a table");
    }
    let conditions = Conditions::read(&mut reader);
    let strategies = settings::strategies(&mut reader, Registry::of_program());
    let risk = RiskSettings::read(&mut reader.section("risk"));
    let provenance = reader.finish()?;
    let setup = conditions.zip(strategies).zip(risk);
    let ((conditions, strategies), risk) = setup
        .context("the configuration was not read whole; check it against config/engine.toml")?;
    Ok(Setup {
        conditions,
        strategies,
        risk,
        provenance,
    })
}

fn run(setup: Setup, mut ticks: Ticks) -> anyhow::Result<(Outcome, Record)> {
    let specs = ticks.specs();
    let mut strategies = setup.strategies;
    // One strategy trades whatever symbol the ticks are of.
    if let ([strategy], [spec]) = (strategies.as_mut_slice(), specs.as_slice()) {
        strategy.symbol = spec.symbol.clone();
    }
    for strategy in &strategies {
        let quoted = specs.iter().any(|spec| spec.symbol == strategy.symbol);
        anyhow::ensure!(
            quoted,
            "strategy {} trades {}, of which there are no ticks; give them by --ticks",
            strategy.name,
            strategy.symbol
        );
    }
    let symbols: Vec<&str> = specs.iter().map(|spec| spec.symbol.as_str()).collect();
    let traded = format!("{} on {}", names(&strategies), symbols.join(", "));
    let mut backtest = Backtest::new(&setup.conditions, specs, strategies, setup.risk)
        .context("cannot set up the account of [backtest]; correct it")?;
    while let Some(tick) = ticks.next_tick()? {
        backtest.on_tick(&tick);
    }
    let (outcome, mut record) = backtest.finish();
    record.title = format!("Backtest of {traded}");
    record.settings = shown(&setup.provenance, &["strategies", "risk", "backtest"]);
    Ok((outcome, record))
}
