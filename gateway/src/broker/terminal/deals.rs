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

    /// The highest ticket known; 0 without any.
    pub(crate) fn highest(&self) -> Ticket {
        self.seen.last().copied().unwrap_or(Ticket(0))
    }

    /// When the newest of them was done.
    pub(crate) fn newest(&self) -> Option<BrokerTime> {
        self.newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use mymt5_model::{Entry, Side};

    fn row(ticket: u64) -> DealRow {
        DealRow {
            time: BrokerTime(ticket as i64 * 10),
            ..testing::deal(ticket, 1, Side::Buy, Entry::In, 1, 1)
        }
    }

    fn tickets(rows: &[DealRow]) -> Vec<u64> {
        rows.iter().map(|deal| deal.ticket.0).collect()
    }

    #[test]
    fn each_deal_is_new_once() {
        let mut deals = Deals::default();
        assert_eq!(deals.highest(), Ticket(0));
        assert_eq!(tickets(&deals.take(vec![row(7), row(5), row(7)])), [5, 7]);
        assert_eq!(tickets(&deals.take(vec![row(6), row(7), row(9)])), [6, 9]);
        assert_eq!(
            (deals.highest(), deals.newest()),
            (Ticket(9), Some(BrokerTime(90)))
        );
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
