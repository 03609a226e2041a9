//! What must be known of a position later, when nothing shows it any more: kept over restarts.

use mymt5_model::{BrokerTime, PositionId, Price, RequestId, Side};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Orders that did not close a part, of which a position remembers so many: the newest.
const MOST_FAILED: usize = 16;

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Book {
    /// Positions that are open.
    positions: BTreeMap<PositionId, Kept>,
    /// The stop loss of each strategy's newest entry, as it was sent.
    sent: BTreeMap<String, Price>,
}

/// What is remembered of a position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    side: Side,
    /// When it was opened, or turned to this side.
    since: Option<BrokerTime>,
    /// R, points; none: it is not known.
    risk: Option<i64>,
    /// It was seen from its opening on: its first stop loss is the initial one.
    from_opening: bool,
    part: Part,
    /// Orders that were to close a part and did not, as far as was told: later it may be told that one
    /// did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    failed: Vec<RequestId>,
}

impl Kept {
    /// True for an order that closes a part of it alone.
    fn is_part(&self, order: &RequestId) -> bool {
        let newest = matches!(&self.part, Part::Asked(of) | Part::Done(of) if of == order);
        newest || self.failed.contains(order)
    }

    /// One of its orders for a part has ended. What may have been done is done, whichever of them did.
    fn end(&mut self, order: &RequestId, done: bool) {
        let is_asked = matches!(&self.part, Part::Asked(asked) if asked == order);
        if matches!(self.part, Part::Done(_)) || !(done || is_asked) {
            return;
        }
        let part = if done {
            Part::Done(order.clone())
        } else {
            Part::Whole
        };
        if let Part::Asked(asked) = std::mem::replace(&mut self.part, part)
            && !self.is_part(&asked)
        {
            if self.failed.len() == MOST_FAILED {
                self.failed.remove(0);
            }
            self.failed.push(asked);
        }
    }
}

/// How far the partial close is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Part {
    /// All is there.
    Whole,
    /// That order is about to be sent, or under way.
    Asked(RequestId),
    /// That order closed it, or may have.
    Done(RequestId),
}

/// A position as it is seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) id: PositionId,
    pub(crate) side: Side,
    pub(crate) open: Option<Price>,
    pub(crate) stop: Option<Price>,
    pub(crate) opened: Option<BrokerTime>,
}

impl Seen {
    /// From the opening price to a stop loss that would lose.
    fn distance(&self) -> Option<i64> {
        let (open, stop) = self.open.zip(self.stop)?;
        let points = (open.points() - stop.points()) * self.side.sign();
        (points > 0).then_some(points)
    }
}

impl Book {
    /// An entry of a strategy is about to be sent.
    pub(crate) fn on_entry(&mut self, strategy: &str, stop: Option<Price>) {
        match stop {
            Some(stop) => self.sent.insert(strategy.to_owned(), stop),
            None => self.sent.remove(strategy),
        };
    }

    /// A position was opened or changed. One that is turned is another one from then on; to enlarge it
    /// changes no R.
    pub(crate) fn on_changed(&mut self, seen: &Seen, now: Option<BrokerTime>) {
        let known = self.positions.get_mut(&seen.id);
        let turned = known.is_some();
        match known.filter(|known| known.side == seen.side) {
            Some(known) if known.from_opening => known.risk = known.risk.or(seen.distance()),
            Some(_) => {}
            None => {
                let since = if turned {
                    now.max(seen.opened)
                } else {
                    seen.opened.or(now)
                };
                self.open(seen, since, seen.distance(), true);
            }
        }
    }

    /// A position is there as a session begins. Of one that was opened unseen the stop loss is the
    /// initial one where it is as its strategy sent it.
    pub(crate) fn on_found(&mut self, seen: &Seen, strategy: &str) {
        let known = self.positions.get(&seen.id);
        if known.is_some_and(|known| known.side == seen.side) {
            return;
        }
        let is_as_sent = seen.stop.is_some() && self.sent.get(strategy) == seen.stop.as_ref();
        let risk = seen.distance().filter(|_| is_as_sent);
        self.open(seen, seen.opened, risk, false);
    }

    fn open(
        &mut self,
        seen: &Seen,
        since: Option<BrokerTime>,
        risk: Option<i64>,
        from_opening: bool,
    ) {
        let kept = Kept {
            side: seen.side,
            since,
            risk,
            from_opening,
            part: Part::Whole,
            failed: Vec::new(),
        };
        self.positions.insert(seen.id, kept);
    }

    /// Forgets all positions but these, and the entries of strategies that there are not any more.
    pub(crate) fn retain(&mut self, open: &BTreeSet<PositionId>, strategies: &BTreeSet<&str>) {
        self.positions.retain(|id, _| open.contains(id));
        self.sent
            .retain(|name, _| strategies.contains(name.as_str()));
    }

    /// A position is gone.
    pub(crate) fn on_closed(&mut self, id: PositionId) {
        self.positions.remove(&id);
    }

    /// A part of a position is about to be closed by that order.
    pub(crate) fn on_asked(&mut self, id: PositionId, order: RequestId) {
        if let Some(kept) = self.positions.get_mut(&id) {
            kept.part = Part::Asked(order);
        }
    }

    /// An order that was to close a part has ended, done or not. One that was not may be done after all,
    /// as later evidence tells.
    pub(crate) fn on_ended(&mut self, order: &RequestId, done: bool) {
        let mut all = self.positions.values_mut();
        if let Some(kept) = all.find(|kept| kept.is_part(order)) {
            kept.end(order, done);
        }
    }

    /// The orders that are to close a part and have not ended.
    pub(crate) fn asked(&self) -> impl Iterator<Item = &RequestId> {
        self.positions.values().filter_map(|kept| match &kept.part {
            Part::Asked(order) => Some(order),
            Part::Whole | Part::Done(_) => None,
        })
    }

    /// True for an order that closes a part alone.
    pub(crate) fn is_part(&self, order: &RequestId) -> bool {
        self.positions.values().any(|kept| kept.is_part(order))
    }

    /// True for a position of which a part was asked for: its lots are those of the last event.
    pub(crate) fn is_cut(&self, id: PositionId) -> bool {
        let kept = self.positions.get(&id);
        kept.is_some_and(|kept| kept.part != Part::Whole || !kept.failed.is_empty())
    }

    /// True for a position that is remembered.
    pub(crate) fn knows(&self, id: PositionId) -> bool {
        self.positions.contains_key(&id)
    }

    /// R of a position, points; none: it is not known.
    pub(crate) fn risk(&self, id: PositionId) -> Option<i64> {
        self.positions.get(&id)?.risk
    }

    /// When a position was opened, or turned to its side; none: it is not known.
    pub(crate) fn since(&self, id: PositionId) -> Option<BrokerTime> {
        self.positions.get(&id)?.since
    }

    /// True while all of a position is there.
    pub(crate) fn is_whole(&self, id: PositionId) -> bool {
        let kept = self.positions.get(&id);
        kept.is_some_and(|kept| kept.part == Part::Whole)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::care::testing::price;

    const ID: PositionId = PositionId(7);
    const NOW: Option<BrokerTime> = Some(BrokerTime(90_000));

    fn seen(side: Side, stop: Option<i64>) -> Seen {
        Seen {
            id: ID,
            side,
            open: Some(price(100_000)),
            stop: stop.map(price),
            opened: Some(BrokerTime(60_000)),
        }
    }

    fn order(number: u128) -> RequestId {
        RequestId::of_number(number)
    }

    /// As the next process reads it.
    fn restarted(book: &Book) -> Book {
        let text = serde_json::to_string(book).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn the_first_stop_is_the_initial_one_and_stays_so() {
        for (side, first, moved) in [(Side::Buy, 99_800, 100_005), (Side::Sell, 100_200, 99_995)] {
            let mut book = Book::default();
            book.on_changed(&seen(side, None), NOW);
            assert_eq!(book.risk(ID), None);
            book.on_changed(&seen(side, Some(first)), NOW);
            book.on_changed(&seen(side, Some(moved)), NOW);
            book.on_changed(&seen(side, None), NOW);
            let mut book = restarted(&book);
            book.on_found(&seen(side, Some(moved)), "one");
            assert_eq!(book.risk(ID), Some(200), "{side:?}");
            assert_eq!(book.since(ID), Some(BrokerTime(60_000)));
        }
    }

    #[test]
    fn a_position_that_is_turned_is_another_one() {
        let mut book = Book::default();
        book.on_changed(&seen(Side::Buy, Some(99_800)), NOW);
        book.on_asked(ID, order(1));
        book.on_ended(&order(1), true);
        book.on_changed(&seen(Side::Sell, Some(100_300)), NOW);
        assert_eq!(book.risk(ID), Some(300));
        assert_eq!(book.since(ID), NOW);
        assert!(book.is_whole(ID));
    }

    #[test]
    fn the_stop_of_a_position_that_was_opened_unseen_counts_where_it_is_as_it_was_sent() {
        for (sent, found, risk) in [
            (Some(99_800), Some(99_800), Some(200)),
            (Some(99_800), Some(99_900), None),
            (None, Some(99_800), None),
            (None, None, None),
        ] {
            let mut book = Book::default();
            book.on_entry("one", Some(price(99_000)));
            book.on_entry("one", sent.map(price));
            let mut book = restarted(&book);
            book.on_found(&seen(Side::Buy, found), "one");
            assert_eq!(book.risk(ID), risk, "{sent:?} {found:?}");
            book.on_changed(&seen(Side::Buy, Some(99_700)), NOW);
            assert_eq!(book.risk(ID), risk, "a later stop is not the initial one");
        }
    }

    #[test]
    fn a_part_is_closed_once_over_restarts_and_again_only_where_it_was_not() {
        let mut book = Book::default();
        book.on_changed(&seen(Side::Buy, Some(99_800)), NOW);
        assert!(book.is_whole(ID));
        book.on_asked(ID, order(1));
        let mut book = restarted(&book);
        assert!(!book.is_whole(ID) && book.is_part(&order(1)));
        assert_eq!(book.asked().collect::<Vec<_>>(), [&order(1)]);
        book.on_ended(&order(2), false);
        assert!(!book.is_whole(ID), "another order");
        book.on_ended(&order(1), false);
        assert!(book.is_whole(ID) && book.is_part(&order(1)));
        book.on_asked(ID, order(3));
        book.on_ended(&order(3), true);
        book.on_ended(&order(3), false);
        let book = restarted(&book);
        assert!(!book.is_whole(ID) && book.is_part(&order(3)));
        assert_eq!(book.asked().count(), 0);
    }

    #[test]
    fn a_part_that_is_told_late_to_be_closed_is_closed() {
        let mut book = Book::default();
        book.on_changed(&seen(Side::Buy, Some(99_800)), NOW);
        book.on_asked(ID, order(1));
        book.on_ended(&order(1), false);
        let mut late = restarted(&book);
        late.on_ended(&order(1), true);
        assert!(!late.is_whole(ID), "between two orders");
        book.on_asked(ID, order(2));
        book.on_ended(&order(1), true);
        assert!(!book.is_whole(ID) && book.is_part(&order(2)));
        book.on_ended(&order(2), false);
        assert!(!book.is_whole(ID), "the other one closed it");
    }

    #[test]
    fn orders_that_failed_are_remembered_up_to_a_bound() {
        let mut book = Book::default();
        book.on_changed(&seen(Side::Buy, Some(99_800)), NOW);
        for number in 0..=MOST_FAILED as u128 {
            book.on_asked(ID, order(number));
            book.on_ended(&order(number), false);
        }
        assert!(!book.is_part(&order(0)) && book.is_part(&order(1)));
    }

    #[test]
    fn what_is_gone_is_forgotten() {
        let mut book = Book::default();
        book.on_entry("one", Some(price(99_800)));
        book.on_changed(&seen(Side::Buy, Some(99_800)), NOW);
        book.retain(&BTreeSet::from([ID]), &BTreeSet::from(["one"]));
        assert_eq!(book.risk(ID), Some(200));
        book.on_closed(ID);
        assert_eq!(book.risk(ID), None);
        book.retain(&BTreeSet::new(), &BTreeSet::new());
        assert_eq!(book, Book::default());
    }
}
