//! What a flatten leaves: nothing but what was opened by hand, by closes that do no more than close.

use super::{Finding, Wrong, units};
use crate::ledger::{BY_HAND, Line, own_close};
use mymt5_model::Ticket;
use std::collections::{BTreeMap, BTreeSet};

/// The account, as the ledger tells it line by line.
#[derive(Default)]
struct Account {
    /// Signed lots by position, in units.
    held: BTreeMap<u64, i64>,
    working: BTreeSet<Ticket>,
    /// The orders of the gateway's own closes.
    closes: BTreeSet<Ticket>,
    /// Orders by hand. A position has the number of the order that opened it.
    by_hand: BTreeSet<Ticket>,
}

impl Account {
    /// The position of which a close of the gateway's own did more than close, or that it had to
    /// leave alone.
    fn take(&mut self, line: &Line) -> Option<u64> {
        match line {
            Line::Order { ticket, id, .. } => {
                self.working.insert(*ticket);
                if own_close(id).is_some() {
                    self.closes.insert(*ticket);
                }
                if id == BY_HAND {
                    self.by_hand.insert(*ticket);
                }
            }
            Line::Ended { ticket, .. } => {
                self.working.remove(ticket);
            }
            Line::Deal {
                order,
                position,
                side,
                lots,
                ..
            } => {
                let held = self.held.entry(*position).or_default();
                let before = *held;
                let after = before + units(*side, *lots);
                *held = after;
                let closes = (before.min(0)..=before.max(0)).contains(&after);
                let own = order.is_some_and(|order| self.closes.contains(&order));
                let may = closes && !self.is_by_hand(*position);
                return (own && !may).then_some(*position);
            }
            Line::Received { .. } | Line::Released { .. } | Line::Booked { .. } => {}
        }
        None
    }

    fn is_by_hand(&self, position: u64) -> bool {
        self.by_hand.contains(&Ticket(position))
    }
}

/// Judges an account that was flattened while nothing else was asked for and no send was held back.
/// `before`: the deals that were done until then.
pub(crate) fn judge_flat(ledger: &[Line], before: &BTreeSet<u64>) -> Vec<Finding> {
    let finding = |wrong, whose| Finding { wrong, whose };
    let (mut account, mut findings) = (Account::default(), Vec::new());
    for line in ledger {
        let overdone = account.take(line);
        let known = matches!(line, Line::Deal { ticket, .. } if before.contains(&ticket.0));
        let overdone = overdone.filter(|_| !known);
        findings.extend(overdone.map(|id| finding(Wrong::Overdone, format!("position {id}"))));
    }
    let held = account.held.iter().filter(|(_, lots)| **lots != 0);
    let left = held.filter(|(id, _)| !account.is_by_hand(**id));
    findings.extend(left.map(|(id, _)| finding(Wrong::Left, format!("position {id}"))));
    let working = account.working.into_iter();
    findings.extend(working.map(|ticket| finding(Wrong::Left, format!("order {ticket}"))));
    findings
}
