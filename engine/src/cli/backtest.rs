//! `backtest`: trades past ticks or bars with the strategies of a configuration, and tells how it
//! went.

use super::report::{names, page, shown};
use crate::{
    backtest::{Backtest, Conditions, Kind, Outcome, Span, Ticks},
    report::{Record, Report},
    risk::RiskSettings,
    settings::{self, TABLE},
    strategy::{Registry, StrategySettings},
};
use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
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
    /// A tick export of the terminal, plain, gzip or zstd; several are merged by time.
    #[arg(
        long,
        value_name = "FILE",
        num_args = 1..,
        required_unless_present = "bars",
        conflicts_with = "bars"
    )]
    ticks: Vec<PathBuf>,
    /// A bar export instead, M1 to D1: each bar is traded as four ticks, its open, its extremes and
    /// its close.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    bars: Vec<PathBuf>,
    /// The symbol of the files; else the one that each file's name begins with.
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

/// Ticks between two looks at how far it is.
const BETWEEN_LOOKS: u64 = 4_096;

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
    let (files, kind) = if asked.bars.is_empty() {
        (&asked.ticks, Kind::Ticks)
    } else {
        (&asked.bars, Kind::Bars)
    };
    let contracts = &setup.conditions.contracts;
    let ticks = Ticks::open(files, kind, symbol.as_ref(), span, contracts)?;
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
            "strategy {} trades {}, of which there are no ticks; give them by --ticks or --bars",
            strategy.name,
            strategy.symbol
        );
        can_make_bars(&ticks, strategy)?;
    }
    let symbols: Vec<&str> = specs.iter().map(|spec| spec.symbol.as_str()).collect();
    let traded = format!("{} on {}", names(&strategies), symbols.join(", "));
    let longest = specs
        .iter()
        .filter_map(|spec| ticks.timeframe(&spec.symbol));
    let longest = longest.max();
    let mut backtest = Backtest::new(&setup.conditions, specs, strategies, setup.risk)
        .context("cannot set up the account of [backtest]; correct it")?;
    let bar = bar(&ticks)?;
    let mut count = 0u64;
    while let Some(tick) = ticks.next_tick()? {
        backtest.on_tick(&tick);
        count += 1;
        if count.is_multiple_of(BETWEEN_LOOKS) {
            show(&bar, &ticks, count, tick.time);
        }
    }
    bar.finish_and_clear();
    let (outcome, mut record) = backtest.finish();
    if let Some(timeframe) = longest {
        record.notes.push(format!(
            "The ticks are made of {timeframe} bars, four of each: in which order its prices came, and what was between them, is not known."
        ));
    }
    record.title = format!("Backtest of {traded}");
    record.settings = shown(&setup.provenance, &["strategies", "risk", "backtest"]);
    Ok((outcome, record))
}

/// Whether the bars that a strategy wants can be made of the ticks of its symbol.
fn can_make_bars(ticks: &Ticks, strategy: &StrategySettings) -> anyhow::Result<()> {
    let Some(of_file) = ticks.timeframe(&strategy.symbol) else {
        return Ok(());
    };
    for series in strategy.strategy.series() {
        anyhow::ensure!(
            series.timeframe >= of_file,
            "strategy {} wants {} bars, which {of_file} bars cannot tell; set its timeframe to {of_file} or longer, or give shorter bars by --bars",
            strategy.name,
            series.timeframe
        );
    }
    Ok(())
}

/// On standard error, and only where that is a terminal. Its length is the files'.
fn bar(ticks: &Ticks) -> anyhow::Result<ProgressBar> {
    let (_, bytes) = ticks.progress();
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {msg}  {eta} left")?;
    Ok(ProgressBar::new(bytes).with_style(style))
}

fn show(bar: &ProgressBar, ticks: &Ticks, count: u64, at: BrokerTime) {
    let (read, _) = ticks.progress();
    let seconds = bar.elapsed().as_secs_f64();
    bar.set_position(read);
    bar.set_message(format!("{at}, {:.0} ticks/s", count as f64 / seconds));
}
