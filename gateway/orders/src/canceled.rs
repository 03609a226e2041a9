//! Cancellations that the broker confirmed. A part of the order may have been filled before, and its
//! deal is reported later than the answer: until a pass settles that, the order counts as before.

use crate::{Core, order::Order};
use mymt5_model::{Lots, OrderId, OrderRow};
use std::collections::{BTreeMap, BTreeSet};

/// The orders that were canceled lately.
#[derive(Debug, Default)]
pub(crate) struct Canceled(BTreeMap<OrderId, Confirmed>);

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
        self.0.insert(id, Confirmed { at, news });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Core {
    /// Entries that were canceled, and what of them may have been filled before though no deal
    /// shows it.
    pub(crate) fn canceled_entries(&self) -> impl Iterator<Item = (&Order, Lots)> {
        let canceled = self.canceled.0.keys();
        let canceled = canceled.filter_map(|id| self.orders.get(*id));
        let entries = canceled.filter(|order| order.is_entry() && order.state.is_final());
        let left = entries.map(|order| (order, order.lots.minus(order.filled)));
        left.filter(|(_, lots)| !lots.is_zero())
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
        self.canceled.0.retain(|id, confirmed| {
            let waits = confirmed.news > begun || now - confirmed.at < grace;
            waits && !whole.contains(id)
        });
    }
}
