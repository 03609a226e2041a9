//! Flattening: a latched state of a scope. It halts the scope, catches what fills late, and closes
//! and cancels in rounds until nothing is left. What is left, and why, is told in the answer, in the
//! status and as events.

use crate::{
    records::Scope,
    time::{Backoff, Now},
};
use mymt5_model::{Lots, OrderId, PositionId, Symbol, Ticket};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How long a close or cancellation of a flatten may wait to be sent, milliseconds.
pub(crate) const OWN_TIME_MS: i64 = 60_000;

/// Something that a flatten has still to close or cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Item {
    /// A position.
    Position(PositionId),
    /// An order of ours.
    Order(OrderId),
    /// A pending order that is none of the journal's, by its ticket.
    Foreign(Ticket),
}

/// What is left of a flatten, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    /// Which.
    pub item: Item,
    /// Where.
    pub symbol: Symbol,
    /// How much.
    pub lots: Lots,
    /// Why it is still there.
    pub why: String,
}

/// A flatten, as it is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlattenReport {
    /// Cancellations under way.
    pub cancellations: u32,
    /// Closes under way.
    pub closes: u32,
    /// Everything that is left, what is under way included.
    pub left: Vec<Leftover>,
}

/// When each item may be tried again, and what its last attempt led to.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    all: BTreeMap<Item, (Backoff, String)>,
    reported: BTreeMap<Scope, Vec<Leftover>>,
}

impl Attempts {
    /// True when an item may be tried now. Where the market is closed, pauses grow longer.
    pub(crate) fn is_due(&self, item: Item, closed: bool, now: Now) -> bool {
        let longest = if closed {
            Backoff::CLOSED_MS
        } else {
            Backoff::OPEN_MS
        };
        let attempt = self.all.get(&item);
        attempt.is_none_or(|(backoff, _)| backoff.is_due(longest, now))
    }

    pub(crate) fn note(&mut self, item: Item, now: Now) {
        let fresh = || (Backoff::new(), String::new());
        let (backoff, _) = self.all.entry(item).or_insert_with(fresh);
        backoff.note(now);
    }

    /// What an attempt led to.
    pub(crate) fn learn(&mut self, item: Item, why: String) {
        if let Some((_, last)) = self.all.get_mut(&item) {
            *last = why;
        }
    }

    pub(crate) fn why(&self, item: Item) -> Option<&str> {
        let (_, why) = self.all.get(&item)?;
        (!why.is_empty()).then_some(why)
    }

    /// Everything may be tried at once: the link is new.
    pub(crate) fn forget_pauses(&mut self) {
        for (backoff, _) in self.all.values_mut() {
            *backoff = Backoff::new();
        }
    }

    /// Forgets what is over.
    pub(crate) fn keep(&mut self, lives: impl Fn(Item) -> bool) {
        self.all.retain(|item, _| lives(*item));
    }

    /// True when that is not what was told last of the scope.
    pub(crate) fn is_news(&mut self, scope: &Scope, left: &[Leftover]) -> bool {
        let reported = self.reported.get(scope).map(Vec::as_slice);
        if reported == Some(left) {
            return false;
        }
        self.reported.insert(scope.clone(), left.to_vec());
        true
    }

    /// Forgets what was told of flattens that are over.
    pub(crate) fn keep_told(&mut self, lives: impl Fn(&Scope) -> bool) {
        self.reported.retain(|scope, _| lives(scope));
    }

    /// Items and leftovers in memory.
    pub(crate) fn in_memory(&self) -> usize {
        let reported = self.reported.values().map(Vec::len);
        self.all.len() + reported.sum::<usize>()
    }
}
