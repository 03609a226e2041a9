//! The account's past, and how late the account is shown.

use mymt5_model::{DealReason, DealRow, OrderRow, PositionRow, Ticket, UtcTime};
use rand_pcg::{
    Pcg64,
    rand_core::{Rng, SeedableRng},
};
use std::collections::{HashMap, VecDeque};

/// Rows that are shown as of moments of their own.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Positions,
    Orders,
    Deals,
}

/// Finished orders and deals in the order of their times.
#[derive(Default)]
pub(crate) struct Ledger {
    orders: Vec<(UtcTime, OrderRow)>,
    deals: Vec<(UtcTime, DealRow)>,
    /// The first deal of each order.
    of_order: HashMap<Ticket, usize>,
}

impl Ledger {
    pub(crate) fn add(&mut self, orders: Vec<OrderRow>, deals: Vec<DealRow>, now: UtcTime) {
        self.orders.extend(orders.into_iter().map(|row| (now, row)));
        for deal in deals {
            if let Some(order) = deal.order {
                self.of_order.entry(order).or_insert(self.deals.len());
            }
            self.deals.push((now, deal));
        }
    }

    /// How many finished orders and deals there were at a moment.
    pub(crate) fn counts(&self, at: UtcTime) -> (usize, usize) {
        (
            self.orders.partition_point(|(noted, _)| *noted <= at),
            self.deals.partition_point(|(noted, _)| *noted <= at),
        )
    }

    pub(crate) fn orders(&self, count: usize) -> impl Iterator<Item = &OrderRow> {
        self.orders[..count].iter().map(|(_, row)| row)
    }

    pub(crate) fn deals(&self, count: usize) -> impl Iterator<Item = &DealRow> {
        self.deals[..count].iter().map(|(_, row)| row)
    }

    /// The first deal of an order.
    pub(crate) fn deal_of(&self, order: Ticket) -> Option<&DealRow> {
        self.of_order.get(&order).map(|place| &self.deals[*place].1)
    }

    /// Why an order was made, where the trade server made it.
    pub(crate) fn servers_reason(&self, order: Ticket) -> Option<DealReason> {
        let reason = self.deal_of(order)?.reason;
        reason.is_brokers().then_some(reason)
    }
}

/// The account at a moment.
#[derive(Clone)]
pub(crate) struct Moment {
    pub(crate) at: UtcTime,
    pub(crate) positions: Vec<PositionRow>,
    pub(crate) orders: Vec<OrderRow>,
}

/// The moments since the last so many milliseconds, and which of them each kind was shown at.
pub(crate) struct Lag {
    moments: VecDeque<Moment>,
    shown: [UtcTime; 3],
    dice: Pcg64,
}

impl Lag {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            moments: VecDeque::new(),
            shown: [UtcTime(0); 3],
            dice: Pcg64::seed_from_u64(seed),
        }
    }

    pub(crate) fn stop(&mut self) {
        self.moments.clear();
    }

    pub(crate) fn keep(&mut self, moment: Moment) {
        self.moments.push_back(moment);
    }

    /// The moment as of which a kind is shown now: never before the one that it was shown at last.
    pub(crate) fn show(&mut self, kind: Kind, now: UtcTime, ms: u64) -> UtcTime {
        let ms = i64::try_from(ms).unwrap_or(i64::MAX);
        let ago = self.dice.next_u64() % (ms as u64 + 1);
        let shown = &mut self.shown[kind as usize];
        *shown = UtcTime(now.0 - ago as i64).max(*shown);
        while self.moments.get(1).is_some_and(|m| m.at.0 <= now.0 - ms) {
            self.moments.pop_front();
        }
        *shown
    }

    /// The account as it was then; none where nothing is kept.
    pub(crate) fn at(&self, then: UtcTime) -> Option<&Moment> {
        let after = self.moments.partition_point(|moment| moment.at <= then);
        self.moments.get(after.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_shown_late_never_goes_back() {
        let mut lag = Lag::new(1);
        let empty = |at| Moment {
            at: UtcTime(at),
            positions: Vec::new(),
            orders: Vec::new(),
        };
        let mut last = UtcTime(0);
        for now in 0..500 {
            lag.keep(empty(now));
            let then = lag.show(Kind::Deals, UtcTime(now), 50);
            assert!(then >= last && then.0 >= now - 50 && then.0 <= now);
            assert_eq!(lag.at(then).unwrap().at, then.max(UtcTime(0)));
            last = then;
        }
        assert!(lag.moments.len() <= 52);
    }
}
