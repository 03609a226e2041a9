//! Orders that a strategy cancelled. A part of one may have been filled before, which its end tells: no
//! entry takes its place earlier. Where a part is told later still, an entry that was made meanwhile stands
//! beside what that part opened: one that waits is cancelled, and what is open beyond it is closed.

use super::{next::Next, turn::Turn};
use crate::portfolio::{OrderUpdate, Portfolio};
use mymt5_model::{Lots, RequestId, Side};
use std::collections::VecDeque;

/// So many are remembered: what is told late is told within seconds.
const KEPT: usize = 16;

/// An entry in the place of one of them.
#[derive(Clone, Copy, Debug)]
struct Entered {
    side: Side,
    /// What risk admitted.
    admitted: Lots,
    /// What its end told that it opened.
    opened: Lots,
}

/// The newest of them.
#[derive(Debug, Default)]
pub(super) struct Replaced {
    orders: VecDeque<(RequestId, Side)>,
    /// The newest order of which a part was told while nobody cancelled it, its position too; and how much.
    known: Option<(RequestId, Lots)>,
    /// The newest entry since the newest cancellation.
    entered: Option<Entered>,
    /// The end of the newest one is still to be told.
    ending: Option<RequestId>,
    /// A part of one was told since the newest entry, and stands or is still to be told of as a position.
    filled: bool,
    /// A position of its own was told since the newest cancellation.
    told: bool,
    /// The newest cancellation was for an exit, or one went on after it, and no entry was made since.
    exits: bool,
}

impl Replaced {
    /// An entry knows of all that was told before it; and what a cancellation ends is no entry any more.
    /// `exits`: it is for an exit.
    pub(super) fn on_next(&mut self, next: &Next, exits: bool, portfolio: &Portfolio) {
        if matches!(next, Next::Open(_) | Next::Cancel(_)) {
            self.filled = false;
            self.exits = exits;
        }
        if let Next::Open(order) = next {
            self.entered = Some(Entered {
                side: order.side,
                admitted: order.lots,
                opened: Lots::ZERO,
            });
        }
        if let Next::Cancel(order_id) = next {
            self.told = false;
            self.entered = None;
            let mut waiting = portfolio.orders();
            let order = waiting.find(|order| order.order_id == *order_id);
            self.ending = order.map(|order| order.request_id.clone());
            let cancelled = order.map(|order| (order.request_id.clone(), order.side));
            self.orders.extend(cancelled);
            let beyond = self.orders.len().saturating_sub(KEPT);
            self.orders.drain(..beyond);
        }
    }

    /// A part of an order of its own stands. Its end tells no more of that.
    pub(super) fn on_standing_part(&mut self, order: &OrderUpdate) {
        let open = order.request_id.as_ref();
        let open = open.filter(|_| order.working.is_some() && !order.filled.is_zero());
        if let Some(id) = open.filter(|id| self.side_of(id).is_none()) {
            self.known = Some((id.clone(), order.filled));
        }
    }

    fn known_of(&self, request_id: &RequestId) -> Lots {
        let known = self.known.as_ref().filter(|(id, _)| id == request_id);
        known.map_or(Lots::ZERO, |(_, lots)| *lots)
    }

    /// The newest cancellation failed, or a snapshot tells what became of it.
    pub(super) fn end(&mut self) {
        self.ending = None;
    }

    /// True while the newest cancelled order may turn out to have been filled: its end is not told.
    pub(super) const fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    /// True for the newest cancelled order while its end is not told.
    pub(super) fn awaits(&self, request_id: &RequestId) -> bool {
        self.ending.as_ref() == Some(request_id)
    }

    /// True for the end that is waited for, and for one of them that is over and was filled further than was
    /// known. Where a position was told since, and none stands, that part is closed already.
    pub(super) fn on_order(&mut self, order: &OrderUpdate, stands: bool) -> bool {
        let ended = order.request_id.as_ref();
        let ended = ended.filter(|_| order.state.is_final());
        let ending = self.ending.take_if(|id| ended == Some(&*id));
        let part = ended.filter(|id| order.filled > self.known_of(id));
        let is_part = part.is_some_and(|id| self.side_of(id).is_some());
        self.filled |= is_part && (stands || !self.told);
        is_part || ending.is_some()
    }

    /// The side of one of them.
    pub(super) fn side_of(&self, request_id: &RequestId) -> Option<Side> {
        let mut orders = self.orders.iter();
        let order = orders.find(|(id, _)| id == request_id);
        order.map(|(_, side)| *side)
    }

    /// True where the newest of them was of the other side.
    pub(super) fn is_against(&self, side: Side) -> bool {
        self.orders.back().is_some_and(|(_, of)| *of != side)
    }

    /// The newest entry beside a part of one of them that is told late. Of both sides nothing of the part is
    /// to stay, unless they net.
    pub(super) fn beside(&self, part: &OrderUpdate, nets: bool) -> Option<Turn> {
        let entered = self.entered?;
        let side = self.side_of(part.request_id.as_ref()?)?;
        if side == entered.side {
            let turn = Turn::beside(side, entered.admitted, part.filled);
            return Some(turn.with(side, entered.opened));
        }
        (!nets).then(|| Turn::beside(side, Lots::ZERO, part.filled))
    }

    /// The newest entry ended, and opened so much.
    pub(super) const fn on_opened(&mut self, opened: Lots) {
        if let Some(entered) = &mut self.entered {
            entered.opened = opened;
        }
    }

    /// A position of its own was told; where none stands, neither a part of a cancelled order nor an entry
    /// does.
    pub(super) const fn on_position(&mut self, stands: bool) {
        self.told = true;
        self.filled &= stands;
        if !stands {
            self.forget_entry();
        }
    }

    /// Nothing of the newest entry stands, nor is to come.
    pub(super) const fn forget_entry(&mut self) {
        self.entered = None;
    }

    /// An exit finds nothing any more to close or to cancel: of what was cancelled before it nothing is to
    /// be left, either.
    pub(super) const fn on_exit(&mut self) {
        self.exits = true;
    }

    /// True where nothing is to be left of what was cancelled.
    pub(super) const fn is_for_exit(&self) -> bool {
        self.exits
    }

    /// True while an entry may stand beside a part of one of them.
    pub(super) const fn is_filled(&self) -> bool {
        self.filled
    }
}
