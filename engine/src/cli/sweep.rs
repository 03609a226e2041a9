//! `sweep` and `merge`: backtests over ranges of settings, at once or in shards.

use super::{past::PastArgs, report::page, usage};
use crate::{
    setup,
    sweep::{self, Asked, Axis, Criterion, Part, Plan, Shard, SweepError, Swept},
};
use clap::{Args, value_parser};
use indicatif::{ProgressBar, ProgressStyle};
use mymt5_chassis::{cli::say, exit};
use std::{num::NonZero, path::PathBuf, process::ExitCode, thread};

/// What is asked for.
#[derive(Debug, Args)]
pub(super) struct SweepArgs {
    #[command(flatten)]
    past: PastArgs,
    /// A key and its values, such as strategies.0.fast=5..50/5 or strategies.0.slow=20,50,100; several
    /// keys make a grid of all their values.
    #[arg(long, value_name = "KEY=VALUES", required = true)]
    vary: Vec<Axis>,
    /// By which figure the best point is chosen.
    #[arg(long, value_name = "FIGURE", default_value = "net_profit")]
    by: Criterion,
    /// Cut the past into N + 1 parts: the best point of each of the first N is tried in the next one.
    #[arg(long, value_name = "N", value_parser = value_parser!(u8).range(1..=50))]
    walk_forward: Option<u8>,
    /// Points that are traded at a time; else as many as there are cores.
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=1_024))]
    jobs: Option<u16>,
    /// Trade only the points of one shard, such as 0/4 to 3/4, and write their rows by --out.
    #[arg(long, value_name = "I/N", requires = "out")]
    shard: Option<Shard>,
    /// The file of the shard's rows, for `merge`.
    #[arg(long, value_name = "PART", requires = "shard", conflicts_with_all = ["report", "json"])]
    out: Option<PathBuf>,
    #[command(flatten)]
    told: ToldArgs,
}

/// The parts of a sweep.
#[derive(Debug, Args)]
pub(super) struct MergeArgs {
    /// What `sweep --shard` wrote: every shard of one sweep.
    #[arg(value_name = "PART", required = true)]
    parts: Vec<PathBuf>,
    #[command(flatten)]
    told: ToldArgs,
}

/// How a sweep is told.
#[derive(Debug, Args)]
struct ToldArgs {
    /// JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Write a report as well: this page, and beside it the same name with .points.csv and with
    /// .sweep.json.
    #[arg(long, value_name = "FILE", value_parser = page)]
    report: Option<PathBuf>,
}

pub(super) fn sweep(asked: SweepArgs) -> anyhow::Result<ExitCode> {
    let base = setup::open(&asked.past.config)?;
    let bar = bar("{bar:40} {percent:>3} %  reading the files  {eta} left")?;
    let plan = Asked {
        past: asked.past.past()?,
        vary: asked.vary,
        by: asked.by,
        folds: asked.walk_forward.map_or(0, usize::from),
    };
    let plan = Plan::new(base, plan, |ticks| {
        let (read, bytes) = ticks.progress();
        bar.set_length(bytes);
        bar.set_position(read);
    })?;
    bar.finish_and_clear();
    let jobs = asked.jobs.map_or_else(cores, usize::from);
    let part = run(&plan, asked.shard.unwrap_or(Shard::WHOLE), jobs)?;
    match asked.out {
        Some(out) => {
            part.write(&out)?;
            let rows = part.rows.len();
            say(&format!(
                "{}: shard {}, {rows} points",
                out.display(),
                part.shard
            ));
        }
        None => tell(&Swept::from(part), &asked.told)?,
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn merge(asked: MergeArgs) -> anyhow::Result<ExitCode> {
    let read = |path: PathBuf| Part::read(&path).map(|part| (path, part));
    let parts = asked.parts.into_iter().map(read);
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    tell(&sweep::merge(parts)?, &asked.told)?;
    Ok(ExitCode::SUCCESS)
}

/// The exit code where a sweep cannot be made, or its parts not be merged: wrong options are told from a
/// file that cannot be read or written, and from one that says the wrong thing.
pub(super) const fn code_of(error: &SweepError) -> u8 {
    use SweepError::{
        Changed, Doubled, Empty, Foreign, Large, Misfit, Missing, NotAPart, Other, Points, Read,
        Results, Twice, Unknown, Write,
    };
    match error {
        Points(_) | Results(_) | Twice(_) | Unknown { .. } | Misfit { .. } => usage::CODE,
        Read(..) | Write(..) => exit::UNAVAILABLE,
        Empty
        | Changed
        | Foreign(_)
        | NotAPart(..)
        | Large(_)
        | Other { .. }
        | Doubled { .. }
        | Missing { .. } => exit::DATA,
    }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

fn run(plan: &Plan, shard: Shard, jobs: usize) -> anyhow::Result<Part> {
    let bar = bar("{bar:40} {pos} of {len} points  {per_sec}  {eta} left")?;
    let points = shard.points(plan.sweep().vary.count());
    bar.set_length(points.count() as u64);
    bar.tick();
    let part = plan.run(shard, jobs, || bar.inc(1))?;
    bar.finish_and_clear();
    Ok(part)
}

/// On standard error, and only where that is a terminal.
fn bar(template: &str) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template(template)?;
    Ok(ProgressBar::new(0).with_style(style))
}

fn tell(swept: &Swept, told: &ToldArgs) -> anyhow::Result<()> {
    if told.json {
        say(&swept.json()?);
    } else {
        swept.lines().iter().for_each(|line| say(line));
    }
    if let Some(page) = &told.report {
        let files = swept.write(page)?;
        if !told.json {
            let file = |file: &PathBuf| say(&format!("{:<16} {}", "report", file.display()));
            files.iter().for_each(file);
        }
    }
    Ok(())
}
