//! The position of a filled entry that is still to be told.

use mymt5_model::BrokerTime;

/// So long it is waited for, milliseconds in which ticks come: a position that was opened and closed
/// while the gateway had no link to its broker is never told.
const WAIT_MS: i64 = 60_000;
/// So much counts of the time between two ticks at most: without a link neither ticks nor positions come.
const STEP_MS: i64 = 1_000;

/// Whether it is waited for.
#[derive(Debug, Default)]
pub(super) struct Unseen(Option<Wait>);

#[derive(Debug, Default)]
struct Wait {
    last: Option<BrokerTime>,
    waited_ms: i64,
}

impl Unseen {
    /// It is waited for from now on, if it is not yet.
    pub(super) fn begin(&mut self) {
        self.0.get_or_insert_default();
    }

    /// It is not waited for.
    pub(super) fn end(&mut self) {
        self.0 = None;
    }

    pub(super) const fn is_awaited(&self) -> bool {
        self.0.is_some()
    }

    /// A tick came. True: the wait ends with it, in vain. The broker's clock may go back.
    pub(super) fn on_tick(&mut self, now: BrokerTime) -> bool {
        let Some(wait) = &mut self.0 else {
            return false;
        };
        let last = wait.last.replace(now).unwrap_or(now);
        wait.waited_ms += (now.0 - last.0).clamp(0, STEP_MS);
        let is_over = wait.waited_ms >= WAIT_MS;
        if is_over {
            self.end();
        }
        is_over
    }
}
