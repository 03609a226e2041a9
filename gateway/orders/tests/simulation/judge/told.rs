//! What is told: each event is true, comes once, follows from what was told before, and goes to whose
//! it is.

use super::{Judge, Verdict, ensure};
use crate::{
    bench::{Disk, Shell},
    broker::{Broker, Size},
};
use mymt5_model::{
    ClientName, DealReason, DealRow, Levels, Lots, OrderState, PositionId, PositionRow, Price,
};
use mymt5_orders::{Audience, Event, Order, Position, Purpose, Recorded, reason};

impl Judge {
    pub(super) fn event(&mut self, recorded: &Recorded, shell: &Shell, broker: &Broker) -> Verdict {
        let sequence = recorded.sequence;
        let follows = self.sequence == 0 || sequence == self.sequence + 1;
        ensure!(follows, "event {sequence} after {}", self.sequence);
        self.sequence = sequence;
        match &recorded.event {
            Event::Order(order) => self.order(order, broker),
            Event::Deal { deal, .. } => {
                let news = self.told_deals.insert(deal.ticket);
                ensure!(news, "deal {} was told twice", deal.ticket);
                self.stranger(deal);
                self.deal(recorded, deal, broker)
            }
            Event::Position(position) => self.position(position, broker),
            Event::PositionClosed(position) => self.closed(position, broker),
            Event::LimitLatched(scope, limit) => self.latched(scope.as_ref(), limit, shell, broker),
            Event::Balance(deal, _) => {
                let true_deal = broker.deals.get(&deal.ticket).map(|(_, deal)| deal);
                ensure!(true_deal == Some(deal), "a flow that never was: {deal:?}");
                Ok(())
            }
            Event::Foreign { description, .. } => {
                self.strangers.retain(|ticket| {
                    let told = format!("deal {ticket} of ");
                    !description.starts_with(&told)
                });
                Ok(())
            }
            Event::Flatten(scope, left) => self.flatten(scope, left),
            _ => Ok(()),
        }
    }

    /// A deal that somebody else made must be told as such.
    fn stranger(&mut self, deal: &DealRow) {
        let stranger = match deal.reason {
            DealReason::Client => true,
            DealReason::Expert => self.slot_of(deal.magic).is_none(),
            _ => false,
        };
        if stranger {
            self.strangers.insert(deal.ticket);
        }
    }

    /// What somebody else does is told with the deal that tells it.
    pub(super) fn strangers_told(&self) -> Verdict {
        let silent = &self.strangers;
        ensure!(silent.is_empty(), "not told as foreign: {silent:?}");
        Ok(())
    }

    fn deal(&mut self, recorded: &Recorded, deal: &DealRow, broker: &Broker) -> Verdict {
        let true_deal = broker.deals.get(&deal.ticket).map(|(_, deal)| deal);
        ensure!(true_deal == Some(deal), "a deal that never was: {deal:?}");
        let told = match &recorded.audience {
            Audience::Client(client) => Some(client),
            _ => None,
        };
        let owners = self.owners_of(deal, broker);
        let hidden =
            || told.is_none() && deal.position_id.is_some_and(|id| broker.hides_opening(id));
        let owned = owners.contains(&told) || hidden();
        ensure!(owned, "{recorded:?} belongs to {owners:?}");
        if let Some(client) = told.cloned() {
            *self.results.entry(client).or_default() += deal.result();
        }
        Ok(())
    }

    /// Whose a deal is: of its own slot, or else of its position under any magic that it had.
    fn owners_of(&self, deal: &DealRow, broker: &Broker) -> Vec<Option<&ClientName>> {
        let own = self.slot_of(deal.magic);
        if let (Some(client), DealReason::Expert) = (own, deal.reason) {
            return vec![Some(client)];
        }
        let Some(id) = deal.position_id else {
            return vec![None];
        };
        let life = broker.lives.get(&id);
        let magics = life.into_iter().flat_map(|life| &life.magics);
        let adopted = self.adopted.get(&id).map(|(_, client)| Some(client));
        let owners = magics.map(|magic| self.slot_of(*magic));
        owners.chain(adopted).collect()
    }

    fn order(&mut self, order: &Order, broker: &Broker) -> Verdict {
        let owner = self.slot_of(order.magic);
        ensure!(owner == Some(&order.client), "order of another: {order:?}");
        let truth = broker.filled.get(&order.magic).copied().unwrap_or_default();
        ensure!(
            order.filled <= truth.0,
            "told as filled more than it was: {order:?}"
        );
        if order.filled == truth.0 {
            let same = order.filled_points == truth.1;
            ensure!(same, "told at another price: {order:?}, {truth:?}");
        }
        if order.state == OrderState::Filled && order.reason != reason::RESOLVED_DONE {
            ensure!(order.filled >= order.lots, "FILLED in part: {order:?}");
        }
        let before = self.told.get(&order.id);
        let was = before.map(|before| before.state);
        self.fills += u64::from(order.state == OrderState::Filled && was != Some(order.state));
        if let Some(before) = before {
            let kept = order.filled >= before.filled;
            ensure!(kept, "fills were taken back: {order:?}");
            let may = follows(before, order);
            ensure!(may, "told as {:?} before: {order:?}", before.state);
        }
        if order.state == OrderState::Accepted {
            self.fits(order)?;
        }
        self.told.insert(order.id, order.clone());
        let nothing = order.filled.is_zero() && order.reason != reason::RESOLVED_NOT_DONE;
        let ends = matches!(order.state, OrderState::Rejected)
            || order.reason == reason::EXPIRED_BEFORE_SEND;
        if ends && nothing && !self.resolved.contains_key(&order.id) {
            let purged = broker.has_purged(order.magic);
            let executed = self.executed.contains(&order.magic) && !truth.0.is_zero() && !purged;
            ensure!(!executed, "told as not done, and it was: {order:?}");
            self.never.insert(order.magic, order.id);
        }
        Ok(())
    }

    /// All closes under way together are of no more than the position has, as it is told.
    fn fits(&self, order: &Order) -> Verdict {
        let Purpose::Exit(id) = order.purpose else {
            return Ok(());
        };
        let flying = self.told.values().filter(|of| {
            let ended = of.state.is_final() || of.state == OrderState::Unknown;
            of.purpose == order.purpose && !ended
        });
        let flying = flying.map(Order::lots_open);
        let closes = flying.fold(order.lots, Lots::plus);
        let held = self.positions.get(&id).map(|held| held.row.lots);
        let fits = held.is_some_and(|held| closes <= held);
        ensure!(fits, "closes of {closes} lots of {held:?}: {order:?}");
        Ok(())
    }

    fn position(&mut self, position: &Position, broker: &Broker) -> Verdict {
        let row = &position.row;
        let life = broker.lives.get(&row.id);
        let mut sizes = life.into_iter().flat_map(|life| &life.sizes);
        let adds = sizes.clone().count() as i128;
        let was = sizes.any(|size| is_of(size, row, adds));
        ensure!(
            was || broker.is_torn(row.id),
            "a position that never was so: {row:?}, {life:?}"
        );
        // What a change keeps is told as it was known, so that each level is judged by itself. Between
        // two deals of one moment it may have had none.
        let levels = life.map_or(&[][..], |life| &life.levels);
        let held = |level: Option<Price>, of: fn(&Levels) -> Option<Price>| {
            level.is_none() || levels.iter().any(|levels| of(levels) == level)
        };
        let stop = held(row.levels.stop_loss, |levels| levels.stop_loss);
        let profit = held(row.levels.take_profit, |levels| levels.take_profit);
        let was = levels.is_empty() || (stop && profit);
        ensure!(was, "levels that never were: {row:?}, {life:?}");
        let owner = self.owner(row.id, row.magic);
        let same = position.client.as_ref() == owner;
        ensure!(same, "position of another: {position:?}, {owner:?}");
        self.positions.insert(row.id, position.clone());
        Ok(())
    }

    fn closed(&mut self, position: &Position, broker: &Broker) -> Verdict {
        let row = &position.row;
        let life = broker.lives.get(&row.id);
        let mut sizes = life.into_iter().flat_map(|life| &life.sizes);
        let was = sizes.any(|size| size.side != row.side || size.lots.is_zero());
        // On netting a reversal ends it for its owner, too.
        let passed = life.is_some_and(|life| life.magics.len() > 1);
        let torn = broker.is_torn(row.id);
        ensure!(
            was || passed || torn,
            "told as closed, and it never was: {row:?}"
        );
        let known = self.positions.remove(&row.id);
        ensure!(
            known.is_some(),
            "told as closed, and never as open: {row:?}"
        );
        let owner = known.and_then(|known| known.client);
        ensure!(owner == position.client, "closed for another: {position:?}");
        Ok(())
    }

    /// What was told last is what is kept.
    pub fn agrees(&self, disk: &Disk) -> Verdict {
        let mark = |order: &Order| {
            (
                order.state,
                order.filled,
                order.lots,
                order.price,
                order.levels,
                order.cancel_pending,
            )
        };
        for (id, told) in &self.told {
            let kept = disk.orders.get(id);
            let same = kept.is_some_and(|kept| mark(kept) == mark(told));
            ensure!(same, "order told as {told:?}, kept as {kept:?}");
        }
        let told: Vec<PositionId> = self.positions.keys().copied().collect();
        let kept: Vec<PositionId> = disk.positions.keys().copied().collect();
        ensure!(told == kept, "positions told {told:?}, kept {kept:?}");
        for (id, told) in &self.positions {
            let kept = &disk.positions[id];
            let same =
                (&told.row, &told.client, told.orphan) == (&kept.row, &kept.client, kept.orphan);
            ensure!(same, "position told as {told:?}, kept as {kept:?}");
        }
        Ok(())
    }
}

/// The lots, side and price of a position at some time: a price that was averaged by deals may be off
/// by a point for each.
fn is_of(size: &Size, row: &PositionRow, adds: i128) -> bool {
    let off = size.points() - i128::from(row.open_price.points());
    (size.side, size.lots) == (row.side, row.lots) && off.abs() <= adds
}

/// Whether an order may be told so after that: an end gives way to evidence alone.
fn follows(before: &Order, now: &Order) -> bool {
    use OrderState::{Accepted, Canceled, Expired, Filled, PartiallyFilled, Sent};
    if before.state == now.state {
        return true;
    }
    let late = now.reason == reason::LATE_EVIDENCE;
    match (before.state, now.state) {
        (_, Accepted) => false,
        (from, Sent) => from == Accepted,
        (Canceled | Expired, Filled | PartiallyFilled) => true,
        (from, _) if from.is_final() => late,
        _ => true,
    }
}
