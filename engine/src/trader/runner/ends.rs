//! How what a runner waits for ends, also where nobody followed it: what it leaves is closed before
//! anything opens.

use super::{EntryRefused, InFlight, Replaced, StrategyRunner, Turn, What};
use crate::{
    portfolio::{OrderUpdate, Portfolio},
    strategy::{Plan, Wanted},
};
use mymt5_model::{Lots, PositionId, RequestId, Side};

impl StrategyRunner {
    /// What an earlier process sent is still under way.
    pub(in crate::trader) fn resume(&mut self, request_id: RequestId, what: What) {
        if self.in_flight.is_some() {
            return;
        }
        // Of a close that falls short the rest is closed.
        if let What::Close(position_id) = what {
            self.rests.insert(position_id);
        }
        self.in_flight = Some(InFlight { request_id, what });
    }

    /// What is waited for has ended; done: at least in part. What failed is not tried again before the
    /// next decision, and an entry that was decided while another one was under way lapses: of a reversal
    /// its exit is left, also where the order that it was to replace could not be cancelled, as it may be
    /// filled. True: it was to open.
    pub(in crate::trader) fn end(&mut self, done: bool) -> bool {
        let Some(InFlight { request_id, what }) = self.in_flight.take() else {
            return false;
        };
        if done && matches!(what, What::Close(_) | What::Cancel(_) | What::Trim) {
            self.tried = None;
        }
        self.close_failed = matches!(what, What::Close(_)) && !done;
        match what {
            What::Open { side, told, .. } => {
                let entry = self.plan.entry.take();
                let turns = |wanted: Wanted| wanted.reverses && wanted.entry.side != side;
                self.plan.exit |= done && entry.is_some_and(turns);
                if done && !told {
                    self.unseen.begin(request_id);
                } else {
                    self.unseen.end();
                }
            }
            What::Close(id) if !done => {
                self.plan = Plan::default();
                self.rests.remove(&id);
            }
            What::Cancel(id) if !done => {
                self.uncancelled = Some(id);
                self.replaced.end();
                self.plan.cancel = false;
                let entry = self.plan.entry.take();
                let turns =
                    |wanted: Wanted| wanted.reverses && self.replaced.is_against(wanted.entry.side);
                self.plan.exit |= entry.is_some_and(turns);
            }
            What::Move(moved) if done => self.carer.on_moved(moved.position_id, self.time),
            What::Move(moved) => self.carer.on_move_failed(moved.position_id, self.time),
            What::Reduce(id) if !done => self.carer.on_part_failed(id, self.time),
            // What is left may be told later: no part of all that there was is due of it.
            What::Trim => self.carer.lapse(),
            What::Close(_) | What::Reduce(_) | What::Cancel(_) => {}
        }
        matches!(what, What::Open { .. })
    }

    /// The same of an order. An exit whose position ended before its close, as by its stop loss, has not
    /// failed: it goes on with what is left, also where that end is told right after it.
    pub(in crate::trader) fn end_order(&mut self, done: bool, portfolio: &Portfolio) -> bool {
        let closing = match self.what() {
            Some(What::Close(id)) if self.plan.exit => Some(id),
            _ => None,
        };
        let opens = self.end(done);
        let is_held = |id: &PositionId| portfolio.position(*id).is_some();
        self.lapsed_exit = closing.filter(|id| !done && is_held(id));
        self.plan.exit |= closing.is_some() && self.lapsed_exit.is_none();
        opens
    }

    /// What is waited for ended while nobody followed it. An exit is left where it is known to have done
    /// nothing, or a part.
    pub(in crate::trader) fn end_recalled(&mut self, falls_short: bool) {
        let exits = self.plan.exit && falls_short;
        let rest = match self.what() {
            Some(What::Close(id)) if falls_short => self.rests.take(&id),
            _ => None,
        };
        self.end(false);
        self.plan.exit |= exits;
        self.plan.is_fresh |= exits || rest.is_some();
        self.rests.extend(rest);
    }

    /// What is waited for ends. A turn of which nothing was done, for certain, opened nothing too much;
    /// and what closes that is not sent twice where it may be done.
    pub(in crate::trader) fn end_turn(&mut self, may_be_done: bool) {
        if !may_be_done && matches!(self.what(), Some(What::Open { .. })) {
            self.replaced.forget_entry();
        }
        let is_over = match self.what() {
            Some(What::Open { .. }) => !may_be_done,
            Some(What::Trim) => may_be_done,
            _ => false,
        };
        self.turn = self.turn.filter(|_| !is_over);
    }

    /// An order that waited for its price, or whose cancellation was answered, has ended.
    pub(super) fn end_waiting(&mut self, order: &OrderUpdate, portfolio: &Portfolio) {
        if !order.is_done() {
            // It opened nothing beside a part of the one before it.
            self.turn = None;
            return;
        }
        let Some(request_id) = &order.request_id else {
            return;
        };
        let waiting = portfolio.order(request_id).map(|order| order.side);
        if let Some(side) = waiting.or_else(|| self.replaced.side_of(request_id)) {
            self.note_opened(side, order.filled);
        }
    }

    /// What is waited for has ended, and was filled so far. Where a late part stands beside it, a position
    /// that was told may be that part's.
    pub(in crate::trader) fn note_filled(&mut self, filled: Lots, portfolio: &Portfolio) {
        let Some(What::Open { side, closes, .. }) = self.what() else {
            return;
        };
        self.note_opened(side, filled.minus(closes));
        let is_untold = self.is_untold(portfolio);
        if let Some(in_flight) = &mut self.in_flight
            && let What::Open { told, .. } = &mut in_flight.what
        {
            *told &= !is_untold;
        }
    }

    fn note_opened(&mut self, side: Side, opened: Lots) {
        self.replaced.on_opened(opened);
        self.turn = self.turn.map(|turn| turn.with(side, opened));
    }

    /// True while less stands than is told to be filled, where no more may stay than risk admitted.
    pub(super) fn is_untold(&self, portfolio: &Portfolio) -> bool {
        let is_untold = |turn: Turn| turn.is_untold(self.stands(turn.side(), portfolio));
        self.turn.is_some_and(is_untold)
    }

    /// What it holds on that side.
    fn stands(&self, side: Side, portfolio: &Portfolio) -> Lots {
        let positions = portfolio.positions();
        let own = positions.filter(|held| held.side == side && self.owns_position(held));
        own.map(|held| held.lots).fold(Lots::ZERO, Lots::plus)
    }

    /// The entry beside a part of a cancelled order that is told late, where no more stands than that part:
    /// the position that was told is not the entry's.
    pub(in crate::trader) fn untold_entry(
        &self,
        part: &OrderUpdate,
        portfolio: &Portfolio,
    ) -> Option<RequestId> {
        let of = self.turn.filter(|_| self.replaced.is_filled())?.side();
        let (entry, side) = match &self.in_flight {
            Some(InFlight {
                request_id,
                what: What::Open { side, .. },
            }) => (request_id, *side),
            _ => {
                let mut orders = portfolio.orders();
                let waiting = orders.find(|order| self.owns_order(order))?;
                (&waiting.request_id, waiting.side)
            }
        };
        let of_part = if side == of { part.filled } else { Lots::ZERO };
        (self.stands(side, portfolio) <= of_part).then(|| entry.clone())
    }

    /// What is waited for will not be filled any further. Where it was to turn a position and did not
    /// close all of it, what still stands is against what was decided: it is closed.
    pub(in crate::trader) fn fall_short(&mut self, filled: Lots, portfolio: &Portfolio) {
        let Some(What::Open { side, closes, .. }) = self.what() else {
            return;
        };
        if closes.is_zero() || filled > closes {
            return;
        }
        let mut positions = portfolio.positions();
        let stands = positions.any(|held| self.owns_position(held) && held.side != side);
        if stands && filled < closes {
            self.plan.exit = true;
            // One of which nothing is told may still turn out to be filled.
            self.turn = self.turn.filter(|_| filled.is_zero());
        }
        // Positions are told before the orders that made them: none of its side is to come.
        self.note_told(side);
    }

    /// What became of what is waited for is not known, and may not be for long. An entry that was to
    /// follow a close is no more, but for the exit of a reversal; one that turns a filled entry is left,
    /// for its exit.
    pub(in crate::trader) fn on_unknown(&mut self) {
        if !matches!(self.what(), Some(What::Close(_))) {
            return;
        }
        if let Some(wanted) = self.plan.entry.take() {
            self.plan.exit |= wanted.reverses;
            self.tell_refused(EntryRefused::Late);
        }
    }

    /// The session began again: but for an exit, that of a reversal too, what was wanted before is no
    /// reason to trade now, and changes are not waited for.
    pub(in crate::trader) fn on_snapshot(&mut self, portfolio: &Portfolio) {
        // Its end is not told any more, and what was filled of it may be among the positions.
        let exits = self.replaced.is_ending() && self.replaced.is_for_exit();
        self.plan.exit |= exits || self.turns_away(portfolio);
        self.plan.lapse();
        self.plan.is_fresh = self.turn.is_some() || self.plan.exit || !self.rests.is_empty();
        self.unseen.end();
        self.replaced.end();
        let is_over = |in_flight: &mut InFlight| {
            matches!(in_flight.what, What::Cancel(_) | What::Move(_))
                || portfolio.order(&in_flight.request_id).is_some()
        };
        let _ = self.in_flight.take_if(is_over);
        for held in portfolio.positions() {
            if self.owns_position(held) {
                self.note_told(held.side);
            }
        }
        self.carer.lapse();
        self.carer.retain(|id| portfolio.position(id).is_some());
    }

    /// Another account is served: what was decided upon the one before closes nothing of it. An order of
    /// that one is waited for until it is asked for; but the close of all of a position, which is of one
    /// account alone, is gone on with by what was recorded of it, wherever that position is found.
    pub(in crate::trader) fn on_other_account(&mut self) {
        self.plan = Plan::default();
        self.lapsed_exit = None;
        self.rests.clear();
        self.carer.retain(|_| false);
        self.turn = None;
        self.replaced = Replaced::default();
        let is_close = |in_flight: &mut InFlight| matches!(in_flight.what, What::Close(_));
        let _ = self.in_flight.take_if(is_close);
        if let Some(in_flight) = &mut self.in_flight
            && let What::Open { closes, .. } = &mut in_flight.what
        {
            *closes = Lots::ZERO;
        }
    }

    /// True where a reversal is wanted against what is held or waits for its price, or against an entry that
    /// is under way.
    fn turns_away(&self, portfolio: &Portfolio) -> bool {
        let Some(wanted) = self.plan.entry.filter(|wanted| wanted.reverses) else {
            return false;
        };
        let is_against = |side: Side| side != wanted.entry.side;
        if let Some(What::Open { side, .. }) = self.what() {
            return is_against(side);
        }
        let mut positions = portfolio.positions();
        let mut orders = portfolio.orders();
        positions.any(|held| self.owns_position(held) && is_against(held.side))
            || orders.any(|order| self.owns_order(order) && is_against(order.side))
    }

    /// What an earlier process decided to close, or to turn, was closed in part alone or not at all: what
    /// is left of that position is closed, and no other one is.
    pub(in crate::trader) fn close_rest(&mut self, position_id: PositionId) {
        self.rests.insert(position_id);
        self.plan.is_fresh = true;
    }

    /// An exit is gone on with, if anything is left to be closed or to be cancelled. The position that is
    /// closed next.
    pub(in crate::trader) fn resume_exit(&mut self, portfolio: &Portfolio) -> Option<PositionId> {
        let next = self.closing(portfolio);
        if next.is_some() || self.waiting(portfolio).is_some() {
            self.plan.exit();
        }
        next
    }

    /// True where a position of its own is closed next, whatever else is wanted.
    pub(in crate::trader) fn closes(&self, position_id: PositionId) -> bool {
        self.plan.exit || self.rests.contains(&position_id)
    }
}
