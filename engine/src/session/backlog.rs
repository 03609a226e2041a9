//! How long a live tick may have waited to be taken: the price of one that waited in a queue is not that
//! of now. No clock but this process's own says so, whatever time the tick itself is of.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{task::coop, time::Instant};
use tokio_stream::Stream;

/// After so long an intent's call is refused: whatever held it up, it trades no more. For an entry the
/// time that its tick waited is part of that.
pub(super) const VALID: Duration = Duration::from_secs(5);
/// A session looks for ticks every second: after so long without, it was held up.
const STANDSTILL: Duration = Duration::from_secs(2);
/// Why an entry does not leave: its tick waited for too long.
pub(super) const LATE: &str = "LATE";

/// The ticks that wait in a session.
#[derive(Debug)]
pub(super) struct Backlog {
    /// Nothing waited when that was last looked at.
    empty: Instant,
    /// When it was looked at, whatever there was.
    looked: Instant,
    /// The operator was told of entries that are late.
    is_told: bool,
}

impl Backlog {
    /// Nothing waits yet.
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            empty: now,
            looked: now,
            is_told: false,
        }
    }

    /// Polls for what comes next, and notes where nothing waits. What held its task up since, or the
    /// whole process, held up what comes next.
    pub(super) fn poll_next<S: Stream + Unpin>(
        &mut self,
        stream: &mut S,
        context: &mut Context<'_>,
    ) -> Poll<Option<S::Item>> {
        let next = Pin::new(stream).poll_next(context);
        let now = Instant::now();
        // What came while all stood still is not in the stream at once.
        let stood_still = now - self.looked > STANDSTILL;
        // A task that had its turn is told that there is nothing, whatever there is.
        if next.is_pending() && !stood_still && coop::has_budget_remaining() {
            self.empty = now;
        }
        self.looked = now;
        next
    }

    /// How long an entry that is decided now may still trade; none: its tick may have waited for too
    /// long.
    pub(super) fn left(&mut self) -> Option<Duration> {
        let left = VALID.checked_sub(self.empty.elapsed());
        if left.is_none() && !self.is_told {
            self.is_told = true;
            tracing::warn!(
                "an entry is refused: its tick may have waited for more than 5 s; where that goes on, use fewer timeframes, and look why the gateway lists bars slowly"
            );
        }
        left
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::future::poll_fn;
    use tokio::sync::mpsc;
    use tokio_stream::wrappers::ReceiverStream;

    #[tokio::test(start_paused = true)]
    async fn what_a_tick_may_have_waited_is_part_of_the_time_that_an_entry_has() {
        let mut backlog = Backlog::new();
        let (ticks, stream) = mpsc::channel(8);
        let mut stream = ReceiverStream::new(stream);
        let second = Duration::from_secs(1);
        assert_eq!(backlog.left(), Some(VALID));
        for (held_up, left) in [(0, Some(5)), (2, Some(3)), (6, None), (0, Some(5))] {
            let waits = poll_fn(|context| {
                Poll::Ready(backlog.poll_next(&mut stream, context).is_pending())
            });
            assert!(waits.await);
            // The process stands still, or something else holds the loop, and ticks come.
            tokio::time::advance(second * held_up).await;
            for tick in [1, 2] {
                ticks.try_send(tick).unwrap();
            }
            for tick in [1, 2] {
                let next = poll_fn(|context| backlog.poll_next(&mut stream, context));
                assert_eq!(next.await, Some(tick));
                assert_eq!(backlog.left(), left.map(|left| second * left));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_standstill_an_empty_stream_proves_nothing_at_once() {
        let mut backlog = Backlog::new();
        let mut stream = tokio_stream::pending::<u8>();
        tokio::time::advance(Duration::from_secs(10)).await;
        for left in [None, Some(VALID)] {
            let waits = poll_fn(|context| {
                Poll::Ready(backlog.poll_next(&mut stream, context).is_pending())
            });
            assert!(waits.await);
            assert_eq!(backlog.left(), left);
        }
    }
}
