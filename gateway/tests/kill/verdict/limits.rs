//! A client's limits, by the ledger alone.

use super::{Finding, Wrong, units};
use crate::ledger::Line;
use mymt5_model::Lots;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A minute as the broker sees it, milliseconds: an entry counts from when it was taken, and may wait
/// for some seconds before it arrives.
const MINUTE_MS: i64 = 50_000;

/// The limits of a client; none: as much as it likes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    /// Lots of one entry.
    pub(crate) lots: Option<Lots>,
    /// Positions, and orders that could open one.
    pub(crate) open: Option<usize>,
    /// Entries within a minute.
    pub(crate) per_minute: Option<usize>,
}

/// What a client has at the broker, as the ledger tells it line by line.
#[derive(Default)]
struct Account<'a> {
    /// Its entries by their tickets. A position has the number of the order that opened it.
    entries: BTreeMap<u64, &'a str>,
    working: BTreeSet<u64>,
    /// Signed lots by position, in units.
    held: BTreeMap<u64, i64>,
    /// When the entries of the last minute arrived.
    recent: VecDeque<i64>,
}

impl<'a> Account<'a> {
    /// Entries that work or that opened what is still held.
    fn open(&self) -> impl Iterator<Item = &'a str> {
        let is_held = move |number: &u64| self.held.get(number).is_some_and(|lots| *lots != 0);
        let open = move |number: &u64| self.working.contains(number) || is_held(number);
        let entries = self.entries.iter();
        entries
            .filter(move |(number, _)| open(number))
            .map(|(_, id)| *id)
    }

    /// Entries that arrived within the minute before that.
    fn arrive(&mut self, at: i64) -> usize {
        self.recent.push_back(at);
        while self
            .recent
            .front()
            .is_some_and(|old| at - *old >= MINUTE_MS)
        {
            self.recent.pop_front();
        }
        self.recent.len()
    }
}

/// Judges a client by what it asked to open. What was held back and is done late counts in no
/// position, nor do the entries that an operator decided: `decided`.
pub(crate) fn judge_limits(
    ledger: &[Line],
    limits: &Limits,
    entries: &BTreeSet<String>,
    decided: &BTreeSet<String>,
) -> Vec<Finding> {
    let mut account = Account::default();
    let mut findings = BTreeSet::new();
    let mut excused: BTreeSet<&str> = decided.iter().map(String::as_str).collect();
    let mut find = |wrong, whose: &str| {
        let whose = whose.to_owned();
        findings.insert(Finding { wrong, whose });
    };
    for line in ledger {
        match line {
            Line::Received {
                at,
                held,
                order: Some((_, id)),
                ..
            } if entries.contains(id) => {
                if *held {
                    excused.insert(id);
                }
                let recent = account.arrive(*at);
                if limits.per_minute.is_some_and(|most| recent > most) {
                    find(Wrong::TooOften, id);
                }
            }
            Line::Order {
                ticket, id, lots, ..
            } if entries.contains(id) => {
                if limits.lots.is_some_and(|most| *lots > most) {
                    find(Wrong::TooLarge, id);
                }
                if !excused.contains(id.as_str()) {
                    account.entries.insert(ticket.0, id);
                    account.working.insert(ticket.0);
                }
            }
            Line::Ended { ticket, .. } => {
                account.working.remove(&ticket.0);
            }
            Line::Deal {
                position,
                side,
                lots,
                ..
            } => *account.held.entry(*position).or_default() += units(*side, *lots),
            _ => {}
        }
        if let Some(most) = limits.open
            && let Some(id) = account.open().nth(most)
        {
            find(Wrong::TooMany, id);
        }
    }
    findings.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mymt5_model::{RowState, Side, Ticket};

    const LOT: Lots = Lots::from_units(Lots::SCALE);

    /// An entry that arrives at that second and works.
    fn entry(number: u64, second: i64, held: bool) -> [Line; 2] {
        let id = format!("a-{number}");
        let received = Line::Received {
            send: number,
            at: second * 1_000,
            fault: String::new(),
            held,
            order: Some((number, id.clone())),
        };
        let order = Line::Order {
            ticket: Ticket(number),
            magic: number,
            id,
            symbol: "EURUSD".into(),
            lots: LOT,
        };
        [received, order]
    }

    fn deal(ticket: u64, position: u64, side: Side) -> Line {
        Line::Deal {
            ticket: Ticket(ticket),
            order: Some(Ticket(ticket)),
            position,
            symbol: "EURUSD".into(),
            side,
            lots: LOT,
            price: 1.1,
            result: 0.0,
        }
    }

    fn filled(number: u64) -> [Line; 2] {
        let ended = Line::Ended {
            ticket: Ticket(number),
            state: RowState::Filled,
        };
        [ended, deal(number, number, Side::Buy)]
    }

    /// What is wrong, where those two entries are a client's, and whose it is.
    fn found(ledger: &[Line], limits: Limits, decided: &[&str]) -> Vec<(Wrong, String)> {
        let set =
            |ids: &[&str]| -> BTreeSet<String> { ids.iter().map(|id| (*id).to_owned()).collect() };
        let findings = judge_limits(ledger, &limits, &set(&["a-1", "a-2"]), &set(decided));
        let found = findings.into_iter().map(|found| (found.wrong, found.whose));
        found.collect()
    }

    #[test]
    fn an_entry_of_more_lots_is_too_large() {
        let limits = |units| Limits {
            lots: Some(Lots::from_units(units)),
            ..Limits::default()
        };
        let ledger = entry(1, 0, false);
        assert_eq!(found(&ledger, limits(LOT.units()), &[]), []);
        let less = limits(LOT.units() - 1);
        let too_large = [(Wrong::TooLarge, "a-1".to_owned())];
        assert_eq!(found(&ledger, less, &[]), too_large);
        assert_eq!(found(&entry(3, 0, false), less, &[]), []);
    }

    #[test]
    fn positions_and_working_orders_are_too_many_together() {
        let one = Limits {
            open: Some(1),
            ..Limits::default()
        };
        let first = [entry(1, 0, false), filled(1)].concat();
        let second = |held| [first.as_slice(), &entry(2, 1, held)].concat();
        let too_many = [(Wrong::TooMany, "a-2".to_owned())];
        assert_eq!(found(&first, one, &[]), []);
        assert_eq!(found(&second(false), one, &[]), too_many);
        let both = [second(false), filled(2).to_vec()].concat();
        assert_eq!(found(&both, one, &[]), too_many);
        // Late, decided by an operator, or after the first was closed.
        assert_eq!(found(&second(true), one, &[]), []);
        assert_eq!(found(&second(false), one, &["a-2"]), []);
        let closed = [deal(9, 1, Side::Sell)];
        let closed = [first.as_slice(), &closed, &entry(2, 1, false)].concat();
        assert_eq!(found(&closed, one, &[]), []);
    }

    #[test]
    fn entries_within_a_minute_are_too_often() {
        let one = Limits {
            per_minute: Some(1),
            ..Limits::default()
        };
        let after = |second| [entry(1, 0, false), entry(2, second, false)].concat();
        let too_often = [(Wrong::TooOften, "a-2".to_owned())];
        assert_eq!(found(&after(49), one, &[]), too_often);
        assert_eq!(found(&after(50), one, &[]), []);
    }
}
