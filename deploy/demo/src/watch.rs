//! Watches the pair at work, until the time, a signal, or the end of a replay.

use crate::{
    ending::Ending,
    observe::Observer,
    options::Options,
    processes::Pair,
    sample::{Healths, Sample},
    show::Show,
    stage::Stage,
};
use anyhow::bail;
use std::time::Duration;
use tokio::time::{Instant, interval};

/// Longest wait for the next sign of progress in a replay that should make some.
const STANDSTILL: Duration = Duration::from_secs(60);

/// Longest time between a process's sockets being closed by its death and its end being seen.
const REAPED: Duration = Duration::from_secs(2);

/// From the start to the last figures, taken while both still run.
pub(crate) async fn play(
    options: &Options,
    stage: &Stage,
    pair: &mut Pair,
    ending: &mut Ending,
    show: &Show,
) -> anyhow::Result<(Sample, Healths)> {
    let mut observer = tokio::select! {
        observer = Observer::connect(stage, pair, show) => observer?,
        () = ending.asked() => bail!("ended before both served"),
    };
    show.line("both serve; Ctrl-C ends the demo");
    let last = watch(options, &mut observer, pair, ending, show).await?;
    Ok((last, observer.healths().await))
}

/// Samples once a second; the last sample.
async fn watch(
    options: &Options,
    observer: &mut Observer,
    pair: &mut Pair,
    ending: &mut Ending,
    show: &Show,
) -> anyhow::Result<Sample> {
    let begun = Instant::now();
    let end = options
        .seconds
        .map(|seconds| begun + Duration::from_secs(seconds));
    let mut second = interval(Duration::from_secs(1));
    let (mut last, mut moved) = (sample(observer, pair).await?, begun);
    loop {
        tokio::select! {
            () = ending.asked() => return Ok(last),
            _ = second.tick() => {}
        }
        pair.check()?;
        let now = sample(observer, pair).await?;
        let settled = now.settled_since(&last);
        if !settled {
            moved = Instant::now();
        }
        show.table(&now, &last);
        last = now;
        if (last.is_over() && settled) || end.is_some_and(|end| Instant::now() >= end) {
            return Ok(last);
        }
        let busy = last.replay_over || options.at_full_speed();
        if busy && moved.elapsed() > STANDSTILL {
            bail!(
                "the replay stands still: {} of {} ticks received, {} orders under way",
                last.ticks_received,
                last.ticks_sent,
                last.working
            );
        }
    }
}

/// A process that has ended is a better reason than the call that it left unanswered.
async fn sample(observer: &mut Observer, pair: &mut Pair) -> anyhow::Result<Sample> {
    match observer.sample().await {
        Ok(sample) => Ok(sample),
        Err(error) => {
            pair.ended_within(REAPED).await?;
            Err(error)
        }
    }
}
