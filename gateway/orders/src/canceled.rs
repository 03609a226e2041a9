//! Cancellations that the broker confirmed. A part of the order may have been filled before, and its
//! deal is reported later than the answer: until a pass settles that, the order counts as before. What
//! the broker goes on listing as working is not over, whatever its answer was.

use crate::{Core, book::Reads, order::Order};
use mymt5_model::{Lots, OrderId, OrderRow, OrderState, RowState};
use std::collections::{BTreeMap, BTreeSet};

/// The orders that were canceled lately, and those that work though they were told as over.
#[derive(Debug, Default)]
pub(crate) struct Canceled {
    confirmed: BTreeMap<OrderId, Confirmed>,
    /// The readings in a row that list them as working.
    listed: BTreeMap<OrderId, Reads>,
}

/// One confirmation.
#[derive(Clone, Copy, Debug)]
struct Confirmed {
    /// When it came, on the clock that never goes back.
    at: i64,
    /// By which news.
    news: u64,
}

impl Canceled {
    pub(crate) fn note(&mut self, id: OrderId, at: i64, news: u64) {
        self.confirmed.insert(id, Confirmed { at, news });
    }

    /// The grace counts while the link is up: only then a deal can be told.
    pub(crate) fn restart_grace(&mut self, now: i64) {
        for confirmed in self.confirmed.values_mut() {
            confirmed.at = now;
        }
    }

    /// True while a pass is to tell what became of one.
    pub(crate) fn wants_pass(&self) -> bool {
        !self.confirmed.is_empty() || self.listed.values().any(Reads::are_believed)
    }

    pub(crate) fn len(&self) -> usize {
        self.confirmed.len() + self.listed.len()
    }

    /// Orders that are not over: reading after reading lists them as working. The history, which is
    /// read after the rows, has no end of theirs among its orders: rows do not merely lag.
    pub(crate) fn take_listed(&mut self, ended: impl Iterator<Item = OrderId>) -> Vec<OrderId> {
        for id in ended {
            self.listed.remove(&id);
        }
        let believed = self.listed.extract_if(.., |_, reads| reads.are_believed());
        believed.map(|(id, _)| id).collect()
    }
}

impl Core {
    /// Entries that were canceled, and what of them may have been filled before though no deal
    /// shows it.
    pub(crate) fn canceled_entries(&self) -> impl Iterator<Item = (&Order, Lots)> {
        let canceled = self.canceled.confirmed.keys();
        let canceled = canceled.filter_map(|id| self.orders.get(*id));
        let entries = canceled.filter(|order| order.is_entry() && order.state.is_final());
        let left = entries.map(|order| (order, order.lots.minus(order.filled)));
        left.filter(|(_, lots)| !lots.is_zero())
    }

    /// Counts a reading for each order that it lists as working and that was told as over before it
    /// began. `begun`: the news when it did.
    pub(crate) fn count_listed(&mut self, rows: &[OrderRow], begun: u64) {
        let orders = &self.orders;
        let now = self.out.now.elapsed_ms;
        let known = std::mem::take(&mut self.canceled.listed);
        let over = rows.iter().filter_map(|row| {
            let works = matches!(row.state, RowState::Placed | RowState::Partial);
            let order = orders.get(orders.by_ticket(row.ticket)?)?;
            let over = matches!(order.state, OrderState::Canceled | OrderState::Expired);
            let since = orders.changed(order.id) <= begun;
            (works && over && since).then_some(order.id)
        });
        let counted = over.map(|id| (id, Reads::after(known.get(&id).copied(), now)));
        self.canceled.listed = counted.collect();
    }

    /// A canceled order counts no more once its row shows that all of its deals are known, or where
    /// none does for the grace time. `begun`: the news when the pass began.
    pub(crate) fn forget_canceled(&mut self, begun: u64, ended: &[OrderRow]) {
        let orders = &self.orders;
        let now = self.out.now.elapsed_ms;
        let grace = self.reconciliation.config.grace_ms;
        let whole = |row: &OrderRow| {
            let id = orders.by_ticket(row.ticket)?;
            let filled = row.lots.minus(row.lots_left);
            (filled <= orders.get(id)?.filled).then_some(id)
        };
        let whole: BTreeSet<OrderId> = ended.iter().filter_map(whole).collect();
        self.canceled.confirmed.retain(|id, confirmed| {
            let waits = confirmed.news > begun || now - confirmed.at < grace;
            waits && !whole.contains(id)
        });
    }
}
