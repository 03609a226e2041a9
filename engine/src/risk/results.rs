//! What the deals of an open position made so far: one that is closed in parts is one trade.

use mymt5_model::{Entry, Lots, Money, PositionId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A deal of a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionDeal {
    /// Its effect.
    pub entry: Entry,
    /// Its volume, lots.
    pub lots: Lots,
    /// What it made without commission, in the account's currency.
    pub made: Money,
}

/// The positions whose deals are all known, from the one that opened them on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Results(BTreeMap<PositionId, Sum>);

/// What a position's deals come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sum {
    opened: Lots,
    closed: Lots,
    made: Money,
    /// What it had made when a deal turned it, until the position is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    turned: Option<Money>,
}

impl Results {
    /// Takes a deal; none: it is not understood. A position that is `told` was opened by deals that
    /// nobody saw, unless one of them is here.
    pub(super) fn take(&mut self, position: PositionId, deal: Option<PositionDeal>, told: bool) {
        let Some(deal) = deal else {
            self.0.remove(&position);
            return;
        };
        if deal.entry == Entry::In && !told {
            self.0.entry(position).or_default();
        }
        let Some(sum) = self.0.get_mut(&position) else {
            return;
        };
        sum.add(&deal);
        if !told && sum.is_closed() {
            self.0.remove(&position);
        }
    }

    /// A position was turned: what it had made by then; none: it is not known.
    pub(super) fn turn(&mut self, position: PositionId) -> Option<Money> {
        self.0.get_mut(&position)?.turned.take()
    }

    /// A position is gone: what it made in all; none: one of its deals is not known.
    pub(super) fn end(&mut self, position: PositionId) -> Option<Money> {
        let sum = self.0.remove(&position)?;
        sum.is_closed().then_some(sum.made)
    }

    /// Forgets what is not open.
    pub(super) fn retain(&mut self, open: &BTreeSet<PositionId>) {
        self.0.retain(|position, _| open.contains(position));
    }

    /// True where nothing is known.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Sum {
    fn add(&mut self, deal: &PositionDeal) {
        let made = self.made + deal.made;
        match deal.entry {
            Entry::In => self.opened = self.opened.plus(deal.lots),
            Entry::Out | Entry::OutBy => self.closed = self.closed.plus(deal.lots),
            Entry::InOut => {
                let left = self.opened.minus(self.closed);
                *self = Self {
                    opened: deal.lots.minus(left),
                    turned: Some(made),
                    ..Self::default()
                };
                return;
            }
        }
        self.made = made;
    }

    /// True when its deals closed just what they opened.
    fn is_closed(&self) -> bool {
        self.opened == self.closed
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ID: PositionId = PositionId(7);

    fn money(amount: f64) -> Money {
        Money::from_f64(amount).unwrap()
    }

    fn deal(entry: Entry, lots: f64, made: f64) -> Option<PositionDeal> {
        Some(PositionDeal {
            entry,
            lots: Lots::from_f64(lots).unwrap(),
            made: money(made),
        })
    }

    /// After a deal that opened 0.5 lots.
    fn opened() -> Results {
        let mut results = Results::default();
        results.take(ID, deal(Entry::In, 0.5, 0.0), false);
        results
    }

    #[test]
    fn the_parts_of_a_position_are_summed() {
        let mut results = opened();
        results.take(ID, deal(Entry::Out, 0.2, 5.0), true);
        results.take(ID, deal(Entry::In, 0.1, 0.0), true);
        results.take(ID, deal(Entry::OutBy, 0.4, -3.0), true);
        assert_eq!(results.end(ID), Some(money(2.0)));
        assert!(results.is_empty());
    }

    #[test]
    fn of_a_position_of_which_a_deal_is_missing_nothing_is_known() {
        let last = deal(Entry::Out, 0.2, -1.0);
        let mut part = opened();
        part.take(ID, last, true);
        assert_eq!(part.end(ID), None, "another closing was not seen");
        let mut unread = opened();
        unread.take(ID, None, true);
        unread.take(ID, deal(Entry::Out, 0.5, -1.0), true);
        assert_eq!(unread.end(ID), None, "a deal was not understood");
        let mut late = Results::default();
        late.take(ID, deal(Entry::In, 0.2, 0.0), true);
        late.take(ID, last, true);
        assert_eq!(late.end(ID), None, "it was there before");
    }

    #[test]
    fn what_was_turned_begins_again() {
        let mut results = opened();
        results.take(ID, deal(Entry::Out, 0.2, 5.0), true);
        results.take(ID, deal(Entry::InOut, 0.7, -1.0), true);
        assert_eq!(results.turn(ID), Some(money(4.0)));
        assert_eq!(results.turn(ID), None);
        results.take(ID, deal(Entry::Out, 0.4, -2.0), true);
        assert_eq!(results.end(ID), Some(money(-2.0)));
    }

    #[test]
    fn what_is_not_open_is_forgotten() {
        let mut unseen = opened();
        unseen.take(ID, deal(Entry::Out, 0.5, 1.0), false);
        assert!(unseen.is_empty(), "it was gone before it was told");
        let mut results = opened();
        results.retain(&BTreeSet::from([ID]));
        assert!(!results.is_empty());
        results.retain(&BTreeSet::new());
        assert!(results.is_empty());
    }
}
