//! `backtest`: trades past ticks or bars with the strategies of a configuration, and tells how it
//! went.

use super::{
    past::PastArgs,
    report::{names, page},
};
use crate::{
    backtest::{Outcome, Ticks},
    report::{Record, Report},
    setup::{self, Setup},
};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use mymt5_chassis::cli::say;
use mymt5_model::BrokerTime;
use std::{path::PathBuf, process::ExitCode};

/// What is asked for.
#[derive(Debug, Args)]
pub(super) struct BacktestArgs {
    #[command(flatten)]
    past: PastArgs,
    /// JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Write a report as well: this page, and beside it the same name with .trades.csv and with
    /// .report.json.
    #[arg(long, value_name = "FILE", value_parser = page)]
    report: Option<PathBuf>,
}

/// Ticks between two looks at how far it is.
const BETWEEN_LOOKS: u64 = 4_096;

pub(super) fn backtest(asked: &BacktestArgs) -> anyhow::Result<ExitCode> {
    let setup = Setup::read(setup::open(&asked.past.config)?)?;
    let ticks = asked.past.past()?.open(&setup.conditions)?;
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

fn run(setup: Setup, mut ticks: Ticks) -> anyhow::Result<(Outcome, Record)> {
    let setup = setup.fit(&ticks)?;
    let specs = ticks.specs();
    let symbols: Vec<&str> = specs.iter().map(|spec| spec.symbol.as_str()).collect();
    let traded = format!("{} on {}", names(&setup.strategies), symbols.join(", "));
    let settings = setup.shown();
    let note = setup::note(&ticks);
    let mut backtest = setup.begin(&ticks)?;
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
    record.notes.extend(note);
    record.title = format!("Backtest of {traded}");
    record.settings = settings;
    Ok((outcome, record))
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
