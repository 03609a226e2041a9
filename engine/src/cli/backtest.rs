//! `backtest`: trades past ticks or bars with the strategies of a configuration, and tells how it
//! went.

use super::{
    past::PastArgs,
    report::{names, page},
};
use crate::{
    backtest::{Ledger, Outcome, Ticks},
    report::{Record, Report, ReportError},
    setup::{self, Setup},
};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use mymt5_chassis::cli::say;
use mymt5_model::BrokerTime;
use std::{
    fs::{self, File, OpenOptions},
    io::{BufWriter, ErrorKind},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

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
    /// Write each order and each deal into this new file, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
}

/// Ticks between two looks at how far it is.
const BETWEEN_LOOKS: u64 = 4_096;

pub(super) fn backtest(asked: &BacktestArgs) -> anyhow::Result<ExitCode> {
    let setup = Setup::read(setup::open(&asked.past.config)?)?;
    let ticks = asked.past.past()?.open(&setup.conditions)?;
    let ledger = asked.ledger.as_deref().map(NewFile::open).transpose()?;
    let (outcome, record) = run(setup, ticks, ledger.is_some())?;
    if let Some((file, rows)) = ledger.zip(outcome.ledger.as_ref()) {
        file.take(rows)?;
    }
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

/// A file of its user's alone that was not there before; opened before the ticks are traded, which may
/// take long. One that is not written whole is removed.
struct NewFile<'a> {
    path: &'a Path,
    file: File,
    is_whole: bool,
}

impl<'a> NewFile<'a> {
    fn open(path: &'a Path) -> Result<Self, ReportError> {
        let mut file = OpenOptions::new();
        let file = file.write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => ReportError::Exists(path.to_owned()),
            _ => ReportError::Write(path.to_owned(), error),
        })?;
        Ok(Self {
            path,
            file,
            is_whole: false,
        })
    }

    fn take(mut self, ledger: &Ledger) -> Result<(), ReportError> {
        let written = ledger.write(BufWriter::new(&self.file));
        written.map_err(|error| ReportError::Write(self.path.to_owned(), error))?;
        self.is_whole = true;
        Ok(())
    }
}

impl Drop for NewFile<'_> {
    fn drop(&mut self) {
        if !self.is_whole {
            // What is wrong is told already.
            let _ = fs::remove_file(self.path);
        }
    }
}

fn run(setup: Setup, mut ticks: Ticks, keeps_ledger: bool) -> anyhow::Result<(Outcome, Record)> {
    let setup = setup.fit(&ticks)?;
    let specs = ticks.specs();
    let symbols: Vec<&str> = specs.iter().map(|spec| spec.symbol.as_str()).collect();
    let traded = format!("{} on {}", names(&setup.strategies), symbols.join(", "));
    let settings = setup.shown();
    let note = setup::note(&ticks);
    let mut backtest = setup.begin(&ticks)?;
    if keeps_ledger {
        backtest.keep_ledger();
    }
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
    if count == 0 {
        return Err(ticks.nothing().into());
    }
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
