//! Changes on their way: cancellations, new terms of orders, new levels of positions. One at a time
//! for each target, in their order, so that a later one always has the last word; what cannot have
//! the broker's answer any more is decided by the broker's rows.

use crate::{
    Asker, ChangeId, RequestKey,
    records::{ChangeEdit, ChangeOutcome, Target},
};
use mymt5_guard::Action;
use mymt5_model::{ClientName, OrderId, PositionId, TradeRequest};
use std::collections::{BTreeMap, VecDeque};

/// Changes of one target that may wait for each other.
pub(crate) const MOST_WAITING: usize = 16;

/// Changes kept whose absence was believed.
const ABSENT: usize = 64;

/// How far a change has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Another change of its target is under way.
    Behind,
    /// It waits to be sent.
    Queued,
    /// The broker has it.
    InFlight,
    /// It may have happened.
    Unknown {
        /// Since when, on the clock that never goes back.
        since: i64,
        /// By which news: what was read before proves nothing about it.
        news: u64,
    },
}

impl Phase {
    pub(crate) const fn is_unknown(self) -> bool {
        matches!(self, Self::Unknown { .. })
    }

    /// True before it left.
    pub(crate) const fn waits(self) -> bool {
        matches!(self, Self::Behind | Self::Queued)
    }
}

/// A change without a final outcome.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) target: Target,
    pub(crate) edit: ChangeEdit,
    /// Who asked for it, and whose turn it takes in the queue.
    pub(crate) client: ClientName,
    /// The call that asked; none: the gateway itself.
    pub(crate) request: Option<RequestKey>,
    pub(crate) askers: Vec<Asker>,
    /// As what it was judged.
    pub(crate) action: Action,
    /// None: it was sent by a process that ended.
    pub(crate) trade: Option<TradeRequest>,
    pub(crate) before_ms: i64,
    pub(crate) trace_id: String,
    pub(crate) phase: Phase,
}

/// Readings of the rows that are so far apart prove nothing about what came between them: the
/// process may have stood still.
const UNATTENDED_MS: i64 = 15_000;

/// The changes without a final outcome.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    last: u64,
    all: BTreeMap<ChangeId, Change>,
    /// The last that were believed not to have been done: their answers may still come.
    absent: VecDeque<(ChangeId, Change)>,
    /// When rows were read last, or the link came up, on the clock that never goes back.
    attended: i64,
}

impl Changes {
    /// Takes one up. It is `Queued` where no other change of its target is under way, else `Behind`.
    pub(crate) fn add(&mut self, change: Change) -> ChangeId {
        self.last += 1;
        let id = ChangeId(self.last);
        self.all.insert(id, change);
        id
    }

    pub(crate) fn get(&self, id: ChangeId) -> Option<&Change> {
        self.all.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: ChangeId) -> Option<&mut Change> {
        self.all.get_mut(&id)
    }

    pub(crate) fn remove(&mut self, id: ChangeId) -> Option<Change> {
        self.all.remove(&id)
    }

    /// The rows lack it for so long that it is believed not to have been done.
    pub(crate) fn note_absent(&mut self, id: ChangeId, change: Change) {
        self.absent.push_back((id, change));
        if self.absent.len() > ABSENT {
            self.absent.pop_front();
        }
    }

    /// One of those, whose answer came after all.
    pub(crate) fn take_absent(&mut self, id: ChangeId) -> Option<Change> {
        let at = self.absent.iter().position(|(absent, _)| *absent == id)?;
        self.absent.remove(at).map(|(_, change)| change)
    }

    /// Unknown changes of a target that were asked for before that one.
    pub(crate) fn unknown_before(&self, id: ChangeId, target: Target) -> Vec<ChangeId> {
        let before = self.of(target);
        let before = before.filter(|(of, change)| *of < id && change.phase.is_unknown());
        before.map(|(id, _)| id).collect()
    }

    /// By their ids: the order in which they were asked for.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ChangeId, &Change)> {
        self.all.iter().map(|(id, change)| (*id, change))
    }

    /// Those of a target.
    pub(crate) fn of(&self, target: Target) -> impl Iterator<Item = (ChangeId, &Change)> {
        self.iter()
            .filter(move |(_, change)| change.target == target)
    }

    /// True while a change of the target waits or is in flight.
    pub(crate) fn is_busy(&self, target: Target) -> bool {
        self.of(target)
            .any(|(_, change)| !change.phase.is_unknown())
    }

    /// How many changes of the target wait or are in flight.
    pub(crate) fn waiting(&self, target: Target) -> usize {
        let of = self.of(target);
        of.filter(|(_, change)| !change.phase.is_unknown()).count()
    }

    /// True while a cancellation of the order waits or is in flight.
    pub(crate) fn cancels(&self, target: Target) -> bool {
        self.of(target)
            .any(|(_, change)| change.edit == ChangeEdit::Cancel && !change.phase.is_unknown())
    }

    /// The next change of a target, once nothing else of it is under way.
    pub(crate) fn next_behind(&self, target: Target) -> Option<ChangeId> {
        let under_way = |phase| matches!(phase, Phase::Queued | Phase::InFlight);
        if self.of(target).any(|(_, change)| under_way(change.phase)) {
            return None;
        }
        let mut behind = self.of(target);
        let next = behind.find(|(_, change)| change.phase == Phase::Behind);
        next.map(|(id, _)| id)
    }

    /// The change that a call asked for.
    pub(crate) fn of_request(&self, key: &RequestKey) -> Option<ChangeId> {
        let mut changes = self.iter();
        let found = changes.find(|(_, change)| change.request.as_ref() == Some(key));
        found.map(|(id, _)| id)
    }

    /// Nobody waits for the change's outcome any more. Which change that was.
    pub(crate) fn give_up(&mut self, asker: Asker) -> Option<ChangeId> {
        let mut changes = self.all.iter_mut();
        let (id, change) = changes.find(|(_, change)| change.askers.contains(&asker))?;
        change.askers.retain(|waiting| *waiting != asker);
        Some(*id)
    }

    /// Rows were read. After a long time without any, what was on its way then may come only now.
    pub(crate) fn attend(&mut self, now: i64) {
        if now - self.attended > UNATTENDED_MS {
            self.restart_grace(now);
        }
        self.attended = now;
    }

    /// Unknown outcomes are waited for from now on again: absence counts only where it is seen.
    pub(crate) fn restart_grace(&mut self, now: i64) {
        self.attended = now;
        for change in self.all.values_mut() {
            if let Phase::Unknown { since, .. } = &mut change.phase {
                *since = now;
            }
        }
    }

    pub(crate) fn in_memory(&self) -> usize {
        self.all.len() + self.absent.len()
    }
}

impl Change {
    /// Its outcome as it is known by now.
    pub(crate) const fn outcome(&self) -> ChangeOutcome {
        match self.phase {
            Phase::Unknown { .. } => ChangeOutcome::Unknown,
            Phase::Behind | Phase::Queued | Phase::InFlight => ChangeOutcome::Pending,
        }
    }
}

impl Target {
    /// The order of ours.
    pub(crate) const fn order(self) -> Option<OrderId> {
        match self {
            Self::Order(id) => Some(id),
            Self::Position(_) | Self::Foreign(_) => None,
        }
    }

    /// The position.
    pub(crate) const fn position(self) -> Option<PositionId> {
        match self {
            Self::Position(id) => Some(id),
            Self::Order(_) | Self::Foreign(_) => None,
        }
    }
}
