//! `history`: writes a symbol's past into a file, as the terminal exports it.

use super::{
    report::unavailable,
    usage::{self, Usage},
};
use crate::{
    bars::Timeframe,
    history::{HistoryError, Kind, OpenError, Progress, Source, SourceError, Wanted, download},
    session::Gateway,
    settings::Settings,
};
use anyhow::ensure;
use clap::{ArgGroup, Args};
use indicatif::{ProgressBar, ProgressStyle};
use mymt5_chassis::{
    cli::{block_on, configure, say},
    exit,
};
use mymt5_model::{BrokerTime, Symbol};
use std::{path::PathBuf, process::ExitCode};

/// What is asked for.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("rows").required(true))]
pub(super) struct HistoryArgs {
    /// Which symbol, by its canonical name.
    #[arg(long, value_parser = Symbol::parse)]
    symbol: Symbol,
    /// From when on, on the broker's clock: 2026-07-01, or 2026-07-01T08:30.
    #[arg(long, value_name = "TIME")]
    from: BrokerTime,
    /// Until before when, on the broker's clock.
    #[arg(long, value_name = "TIME")]
    to: BrokerTime,
    /// Every tick.
    #[arg(long, group = "rows")]
    ticks: bool,
    /// Bars of that length.
    #[arg(long, value_name = "TIMEFRAME", ignore_case = true, group = "rows")]
    bars: Option<Timeframe>,
    /// The file. Until it is whole its rows are in FILE.part, which the same command continues.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = "config/engine.toml")]
    config: PathBuf,
}

pub(super) fn history(asked: HistoryArgs) -> anyhow::Result<ExitCode> {
    let configured = configure::<Settings>(&asked.config)?;
    ensure!(
        asked.from < asked.to,
        Usage("invalid --to: expected a time after --from")
    );
    let wanted = Wanted {
        symbol: asked.symbol,
        kind: match (asked.ticks, asked.bars) {
            (false, Some(timeframe)) => Kind::Bars(timeframe),
            _ => Kind::Ticks,
        },
        from: asked.from,
        to: asked.to,
    };
    let out = asked.out;
    block_on(async {
        let gateway = Gateway::connect(&configured.settings.gateway, &configured.redactor);
        let gateway = gateway.await.map_err(unavailable)?;
        let source = Source::of(gateway, &wanted.symbol).await;
        let source = source.map_err(HistoryError::from)?;
        let bar = bar(&wanted)?;
        let rows = download(&source, &wanted, &out, |progress| {
            show(&bar, &wanted, progress);
        });
        let rows = rows.await?;
        bar.finish_and_clear();
        say(&format!("{}: {rows} rows", out.display()));
        Ok(ExitCode::SUCCESS)
    })
}

/// The exit code of what keeps a file from being whole: what can be waited for, or made room for, is told
/// from what needs another file or another command. None: an error inside the program.
pub(super) const fn code_of(error: &HistoryError) -> Option<u8> {
    use HistoryError::{File, OtherRows, Write};
    match error {
        File(OpenError::Exists(_) | OpenError::Open(..) | OpenError::Busy(_)) | Write(..) => {
            Some(exit::UNAVAILABLE)
        }
        File(OpenError::Foreign(_) | OpenError::Unreadable(..)) | OtherRows(_) => Some(exit::DATA),
        HistoryError::Source(error) => match error {
            SourceError::Refused(_) => Some(exit::UNAVAILABLE),
            SourceError::Symbol(_) | SourceError::Future(_) => Some(usage::CODE),
            SourceError::Unreadable(_) => None,
        },
    }
}

/// On standard error, and only where that is a terminal. Its length is the span's.
fn bar(wanted: &Wanted) -> anyhow::Result<ProgressBar> {
    let length = wanted.to.0.abs_diff(wanted.from.0);
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {msg}  {eta} left")?;
    Ok(ProgressBar::new(length).with_style(style))
}

fn show(bar: &ProgressBar, wanted: &Wanted, progress: Progress) {
    bar.set_position(progress.at.0.abs_diff(wanted.from.0));
    bar.set_message(format!("{} rows, {}", progress.rows, progress.at));
}
