//! The position of a filled entry that is still to be told.

use mymt5_model::{BrokerTime, RequestId};
use std::collections::BTreeSet;

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
    /// The orders that are filled.
    entries: BTreeSet<RequestId>,
    last: Option<BrokerTime>,
    waited_ms: i64,
}

impl Unseen {
    /// That of this order is waited for from now on, if none is yet; else as long as the other.
    pub(super) fn begin(&mut self, entry: RequestId) {
        let wait = self.0.get_or_insert_default();
        wait.entries.insert(entry);
    }

    /// It is not waited for.
    pub(super) fn end(&mut self) {
        self.0 = None;
    }

    pub(super) const fn is_awaited(&self) -> bool {
        self.0.is_some()
    }

    /// True where one of the orders that it waits for is such.
    pub(super) fn awaits(&self, is_such: impl Fn(&RequestId) -> bool) -> bool {
        let wait = self.0.as_ref();
        wait.is_some_and(|wait| wait.entries.iter().any(is_such))
    }

    /// A tick came. Where the wait ends with it, in vain: the orders whose positions were never told. The
    /// broker's clock may go back.
    pub(super) fn on_tick(&mut self, now: BrokerTime) -> BTreeSet<RequestId> {
        if let Some(wait) = &mut self.0 {
            let last = wait.last.replace(now).unwrap_or(now);
            wait.waited_ms += (now.0 - last.0).clamp(0, STEP_MS);
        }
        let in_vain = self.0.take_if(|wait| wait.waited_ms >= WAIT_MS);
        in_vain.map(|wait| wait.entries).unwrap_or_default()
    }
}
