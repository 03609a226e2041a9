//! What a flatten leaves: nothing, by closes that do no more than close.

use super::{Finding, Wrong, units};
use crate::ledger::{Line, own_close};
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
}

impl Account {
    /// The position of which a close of the gateway's own did more than close.
    fn take(&mut self, line: &Line) -> Option<u64> {
        match line {
            Line::Order { ticket, id, .. } => {
                self.working.insert(*ticket);
                if own_close(id).is_some() {
                    self.closes.insert(*ticket);
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
                return (own && !closes).then_some(*position);
            }
            Line::Received { .. } | Line::Released { .. } => {}
        }
        None
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
    let held = account.held.into_iter().filter(|(_, lots)| *lots != 0);
    findings.extend(held.map(|(id, _)| finding(Wrong::Left, format!("position {id}"))));
    let working = account.working.into_iter();
    findings.extend(working.map(|ticket| finding(Wrong::Left, format!("order {ticket}"))));
    findings
}
