//! Watches the pair at work, until the time, a signal, or the end of a replay.

use crate::{
    ending::Ending,
    observe::Observer,
    processes::Pair,
    replay::{Progress, Replay},
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

/// For how long, what, and where it is shown.
pub(crate) struct Watch<'a> {
    pub(crate) seconds: Option<u64>,
    pub(crate) replay: Option<&'a Replay>,
    pub(crate) show: &'a Show,
}

impl Watch<'_> {
    /// From the start to the last figures, taken while both still run.
    pub(crate) async fn play(
        &self,
        stage: &Stage,
        pair: &mut Pair,
        ending: &mut Ending,
    ) -> anyhow::Result<(Sample, Healths)> {
        let mut observer = tokio::select! {
            observer = Observer::connect(stage, pair, self.show) => observer?,
            () = ending.asked() => bail!("ended before both served; run the demo again"),
        };
        self.show.line("both serve; Ctrl-C ends the demo");
        let last = self.watch(&mut observer, pair, ending).await?;
        Ok((last, observer.healths().await))
    }

    /// Samples once a second; the last sample.
    async fn watch(
        &self,
        observer: &mut Observer,
        pair: &mut Pair,
        ending: &mut Ending,
    ) -> anyhow::Result<Sample> {
        let begun = Instant::now();
        let end = self
            .seconds
            .map(|seconds| begun + Duration::from_secs(seconds));
        let at_full_speed = self.replay.is_some_and(|replay| replay.at_full_speed);
        let mut progress = self.replay.map(Progress::of);
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
            let left = progress
                .as_mut()
                .map(|progress| progress.after(now.ticks_received, Instant::now()));
            self.show.table(&now, &last, left.as_deref());
            last = now;
            let over = last.is_over(at_full_speed) && settled;
            if over || end.is_some_and(|end| Instant::now() >= end) {
                return Ok(last);
            }
            if (last.replay_over || at_full_speed) && moved.elapsed() > STANDSTILL {
                bail!(
                    "the replay stands still, {} of {} ticks received and {} orders under way; run the demo again",
                    last.ticks_received,
                    last.ticks_sent,
                    last.working
                );
            }
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
