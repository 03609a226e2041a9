//! Finished orders and deals in the order of their times, bounded: the oldest rows go first.

use mymt5_model::{BrokerTime, DealRow, OrderRow};
use std::collections::VecDeque;

/// How much of an account's past there was at a moment: orders that ended and deals that were done
/// since its simulator was made or restored, rows that were restored included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Past {
    orders: usize,
    deals: usize,
}

/// The account's past.
pub(crate) struct History {
    orders: VecDeque<OrderRow>,
    deals: VecDeque<DealRow>,
    past: Past,
    limit: usize,
}

impl History {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            orders: VecDeque::new(),
            deals: VecDeque::new(),
            past: Past::default(),
            limit,
        }
    }

    pub(crate) fn add_order(&mut self, row: OrderRow) {
        push(&mut self.orders, row, self.limit);
        self.past.orders += 1;
    }

    pub(crate) fn add_deal(&mut self, row: DealRow) {
        push(&mut self.deals, row, self.limit);
        self.past.deals += 1;
    }

    pub(crate) const fn past(&self) -> Past {
        self.past
    }

    /// What came after that moment, as far as it is still kept.
    pub(crate) fn since(&self, past: Past) -> (Vec<OrderRow>, Vec<DealRow>) {
        (
            newest(&self.orders, self.past.orders - past.orders),
            newest(&self.deals, self.past.deals - past.deals),
        )
    }

    /// Orders that ended, and deals that were done, in `[from, to)`.
    pub(crate) fn between(
        &self,
        from: BrokerTime,
        to: BrokerTime,
    ) -> (Vec<OrderRow>, Vec<DealRow>) {
        let ended = |row: &OrderRow| row.done.unwrap_or(row.created);
        (
            slice(&self.orders, from, to, ended),
            slice(&self.deals, from, to, |row| row.time),
        )
    }
}

fn push<T>(rows: &mut VecDeque<T>, row: T, limit: usize) {
    if rows.len() >= limit {
        rows.pop_front();
    }
    rows.push_back(row);
}

fn newest<T: Clone>(rows: &VecDeque<T>, count: usize) -> Vec<T> {
    let older = rows.len().saturating_sub(count);
    rows.range(older..).cloned().collect()
}

fn slice<T: Clone>(
    rows: &VecDeque<T>,
    from: BrokerTime,
    to: BrokerTime,
    time: impl Fn(&T) -> BrokerTime,
) -> Vec<T> {
    let begin = rows.partition_point(|row| time(row) < from);
    let end = rows.partition_point(|row| time(row) < to).max(begin);
    rows.range(begin..end).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_half_open_and_rows_bounded() {
        let mut rows = VecDeque::new();
        for ms in 0..10 {
            push(&mut rows, BrokerTime(ms), 4);
        }
        let between = |from, to| slice(&rows, BrokerTime(from), BrokerTime(to), |t| *t);
        assert_eq!(between(0, 100).len(), 4);
        assert_eq!(between(7, 9), [BrokerTime(7), BrokerTime(8)]);
        assert!(between(9, 7).is_empty());
    }
}
