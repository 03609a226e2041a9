//! `cargo demo`: builds both binaries, starts them as two real processes on the simulator with
//! throw-away certificates, shows them at work, and ends with a summary.

mod build;
mod observe;
mod options;
mod processes;
mod show;
mod stage;
mod summary;

use anyhow::Context;
use clap::Parser;
use observe::{Observer, Sample};
use options::Options;
use processes::Pair;
use show::Show;
use stage::Stage;
use std::{process::ExitCode, time::Duration};
use summary::Summary;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, interval},
};

/// A replay that makes no progress for so long has ended.
const STANDSTILL: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let show = Show::new();
    let done = tokio::runtime::Runtime::new()
        .context("no runtime")
        .and_then(|runtime| runtime.block_on(demo(&show)));
    match done {
        Ok(code) => code,
        Err(error) => {
            show.line(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn demo(show: &Show) -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    show.line("building gateway and engine (the first build takes a few minutes)");
    build::build()?;
    let stage = Stage::set(&options)?;
    show.line(&format!(
        "starting both on the simulator in {}",
        stage.folder().display()
    ));
    let mut pair = Pair::start(&stage)?;
    let mut observer = Observer::connect(&stage, &mut pair, show).await?;
    show.line("both serve; Ctrl-C ends the demo");
    let last = watch(&options, &mut observer, &mut pair, show).await?;
    let healths = observer.healths().await;
    pair.stop().await?;
    let summary = Summary::of(&last, healths, stage.log_files());
    if options.json {
        summary.print_json()?
    } else {
        summary.print()
    }
    Ok(if summary.is_healthy() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Samples once a second until the time, a signal, or the end of a replay.
async fn watch(
    options: &Options,
    observer: &mut Observer,
    pair: &mut Pair,
    show: &Show,
) -> anyhow::Result<Sample> {
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let begun = Instant::now();
    let mut second = interval(Duration::from_secs(1));
    let (mut last, mut moved) = (observer.sample().await?, Instant::now());
    loop {
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            _ = second.tick() => {}
        }
        pair.check()?;
        let sample = observer.sample().await?;
        if sample.ticks_received != last.ticks_received || sample.fills != last.fills {
            moved = Instant::now();
        }
        show.table(&sample, &last);
        let settled = sample.is_over() && sample.settled_since(&last);
        last = sample;
        let timed_out = options
            .seconds
            .is_some_and(|seconds| begun.elapsed() >= Duration::from_secs(seconds));
        if timed_out || settled || (last.replay_over && moved.elapsed() > STANDSTILL) {
            break;
        }
    }
    Ok(last)
}
