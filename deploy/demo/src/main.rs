//! `cargo demo`: builds both binaries, starts them as two real processes on the simulator with
//! throw-away certificates, shows them at work, and ends with a summary.
//!
//! # Rooms
//! * The way of the demo: `options` -> `replay` (a file's faults come first) -> `build` (both
//!   binaries) -> `stage` (a folder with all they need) -> `processes` -> `watch` (until the time, a
//!   signal by `ending`, or a replay's end) -> `summary`.
//! * What is seen: `observe` takes a `sample` of the pair, `show` draws it.

mod build;
mod ending;
#[cfg(test)]
mod messages;
mod observe;
mod options;
mod processes;
mod replay;
mod sample;
mod show;
mod stage;
mod summary;
mod watch;

use anyhow::Context;
use clap::Parser;
use ending::Ending;
use options::Options;
use processes::Pair;
use replay::Replay;
use show::Show;
use stage::Stage;
use std::process::ExitCode;
use summary::Summary;
use watch::Watch;

fn main() -> ExitCode {
    let show = Show::new();
    let done = tokio::runtime::Runtime::new()
        .context("cannot start threads; let this user have more of them")
        .and_then(|runtime| runtime.block_on(demo(&show)));
    done.unwrap_or_else(|error| {
        show.line(&format!("error: {error:#}"));
        ExitCode::FAILURE
    })
}

async fn demo(show: &Show) -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    let replay = options
        .ticks
        .as_deref()
        .map(|file| Replay::of(file, &options.speed))
        .transpose()?;
    show.line("building gateway and engine (the first build takes a few minutes)");
    build::build()?;
    if options.build_only {
        return Ok(ExitCode::SUCCESS);
    }
    let mut ending = Ending::listen()?;
    let stage = Stage::set(replay.as_ref(), &options.speed)?;
    let folder = stage.folder().display();
    show.line(&format!("starting both on the simulator in {folder}"));
    let mut pair = Pair::start(&stage)?;
    let watched = Watch {
        seconds: options.seconds,
        replay: replay.as_ref(),
        show,
    };
    let played = watched.play(&stage, &mut pair, &mut ending).await;
    let stopped = pair.stop().await;
    let log_files = stage.keep_logs();
    if played.is_err() {
        log_files
            .iter()
            .for_each(|file| show.line(&format!("log {}", file.display())));
    }
    let (last, healths) = played?;
    let summary = Summary::of(&last, healths, log_files);
    if options.json {
        summary.print_json()?
    } else {
        summary.print()
    }
    stopped?;
    Ok(if summary.is_healthy() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
