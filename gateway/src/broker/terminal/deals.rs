//! Which deals were told already. Bounded: deal tickets only rise, so the lowest go first.

use mymt5_model::{BrokerTime, DealRow, Ticket};
use std::collections::BTreeSet;

/// Tickets kept.
const MOST: usize = 20_000;

/// The deals known so far.
#[derive(Debug, Default)]
pub(crate) struct Deals {
    seen: BTreeSet<Ticket>,
    /// Tickets below this were dropped from `seen`: they are known, too.
    floor: Option<Ticket>,
    newest: Option<BrokerTime>,
}

impl Deals {
    /// The deals of these rows that were not known, in the order of their tickets. Known now.
    pub(crate) fn take(&mut self, mut rows: Vec<DealRow>) -> Vec<DealRow> {
        rows.sort_by_key(|deal| deal.ticket);
        rows.retain(|deal| {
            self.floor.is_none_or(|floor| deal.ticket > floor) && self.seen.insert(deal.ticket)
        });
        let newest = rows.iter().map(|deal| deal.time).max();
        self.newest = self.newest.max(newest);
        while self.seen.len() > MOST {
            self.floor = self.seen.pop_first().max(self.floor);
        }
        rows
    }

    /// When the newest of them was done.
    pub(crate) fn newest(&self) -> Option<BrokerTime> {
        self.newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mymt5_model::{DealKind, DealReason, Lots, Magic, Money};

    fn row(ticket: u64) -> DealRow {
        DealRow {
            ticket: Ticket(ticket),
            order: None,
            position_id: None,
            magic: Magic::NONE,
            symbol: None,
            kind: DealKind::Balance,
            entry: None,
            reason: DealReason::Client,
            lots: Lots::ZERO,
            price: None,
            profit: Money::ZERO,
            swap: Money::ZERO,
            commission: Money::ZERO,
            time: BrokerTime(ticket as i64 * 10),
            comment: String::new(),
        }
    }

    fn tickets(rows: &[DealRow]) -> Vec<u64> {
        rows.iter().map(|deal| deal.ticket.0).collect()
    }

    #[test]
    fn each_deal_is_new_once() {
        let mut deals = Deals::default();
        assert_eq!(tickets(&deals.take(vec![row(7), row(5), row(7)])), [5, 7]);
        assert_eq!(tickets(&deals.take(vec![row(6), row(7), row(9)])), [6, 9]);
        assert_eq!(deals.newest(), Some(BrokerTime(90)));
    }

    #[test]
    fn what_no_longer_fits_stays_known() {
        let mut deals = Deals::default();
        let most = MOST as u64;
        assert_eq!(
            deals.take((1..=most + 10).map(row).collect()).len(),
            MOST + 10
        );
        assert_eq!(deals.seen.len(), MOST);
        assert!(deals.take(vec![row(1), row(10), row(most)]).is_empty());
    }
}
