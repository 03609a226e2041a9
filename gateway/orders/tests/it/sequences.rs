//! The core under random sequences: nothing is sent twice, fills add up, a settled order stays so,
//! and a restart knows all that was.

use crate::bench::{Shell, by_hand::*, rows::*};
use mymt5_model::{
    DealRow, Entry, Lots, OrderId, OrderState, PositionId, Receipt, Retcode, Ticket, TradeRequest,
};
use mymt5_orders::{
    History, Input, Job, Order, Outgoing, Position, Purpose, SendFailure, Snapshot,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// What may happen to a core, in any order.
#[derive(Clone, Debug)]
enum Step {
    Submit(u8),
    Close(u8, u8, Option<u8>),
    Outcome(u8, u8),
    Deal(u8, u8),
    Rows(bool),
    Pass(bool),
    Link(bool),
    Commit(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let lots = || prop::option::of(1..40u8);
    prop_oneof![
        3 => (0..24u8).prop_map(Step::Submit),
        2 => (0..24u8, 1..12u8, lots()).prop_map(|(id, of, lots)| Step::Close(id, of, lots)),
        2 => (any::<u8>(), 0..6u8).prop_map(|(order, kind)| Step::Outcome(order, kind)),
        2 => (any::<u8>(), 1..20u8).prop_map(|(order, lots)| Step::Deal(order, lots)),
        1 => any::<bool>().prop_map(Step::Rows),
        1 => any::<bool>().prop_map(Step::Pass),
        1 => prop::bool::weighted(0.9).prop_map(Step::Link),
        1 => (1..6u8).prop_map(Step::Commit),
    ]
}

fn outcome(kind: u8, ticket: u64) -> Result<Receipt, SendFailure> {
    match kind {
        0 => Ok(receipt(Retcode::DONE, ticket)),
        1 => Ok(receipt(Retcode::PLACED, ticket)),
        2 => Err(rejected(Retcode::NO_MONEY)),
        3 => Err(SendFailure::NotSent("x".into())),
        4 => Err(SendFailure::Throttled(Retcode::TOO_MANY_REQUESTS)),
        _ => Err(lost()),
    }
}

/// A core, and the broker that it met. The order that left as the nth has the ticket n there, and
/// opens the position n.
struct Play {
    shell: Shell,
    sends: Vec<Outgoing>,
    deals: Vec<DealRow>,
    filled: BTreeMap<OrderId, Lots>,
    /// Rows that were read some time ago.
    old: Snapshot,
}

impl Play {
    fn new() -> Self {
        let shell = ready_by(|config| config.max_in_flight = 1_000);
        let old = shell.known_rows();
        Self {
            shell,
            sends: Vec::new(),
            deals: Vec::new(),
            filled: BTreeMap::new(),
            old,
        }
    }

    fn play(mut self, steps: Vec<Step>) -> Self {
        for step in steps {
            self.take(step);
            self.sends.append(&mut self.shell.sent);
        }
        self.shell.settle();
        self.sends.append(&mut self.shell.sent);
        self
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Submit(id) => {
                let order = submit(buy(0.1));
                self.shell.step_call("alpha", &format!("s{id}"), order);
            }
            Step::Close(id, position, lots) => {
                let lots = lots.map(|lots| f64::from(lots) / 100.0);
                let exit = close(PositionId(position.into()), lots);
                self.shell.step_call("alpha", &format!("c{id}"), exit);
            }
            Step::Outcome(order, kind) => {
                if let Some((number, job)) = self.sent(order) {
                    let (outcome, late) = (outcome(kind, number), false);
                    self.shell.step(Input::Answered { job, outcome, late });
                }
            }
            Step::Deal(order, lots) => self.fill(order, i64::from(lots) * 1_000_000),
            Step::Rows(is_new) => {
                let rows = self.rows(is_new);
                self.shell.step(Input::Rows(rows));
            }
            Step::Pass(is_new) => {
                let (rows, deals) = (self.rows(is_new), self.deals.clone());
                let history = History { deals, ..history() };
                self.shell.step(Input::Pass(rows, history));
            }
            Step::Link(up) => self.shell.step(Input::Link(up)),
            Step::Commit(steps) => self.shell.commit(steps.into()),
        }
    }

    /// Rows of now, or those that were of now when the last ones were read.
    fn rows(&mut self, is_new: bool) -> Snapshot {
        let known = self.shell.known_rows();
        let old = std::mem::replace(&mut self.old, known.clone());
        if is_new { known } else { old }
    }

    /// One of those that left, and its number.
    fn sent(&self, which: u8) -> Option<(u64, Job)> {
        let which = usize::from(which).checked_rem(self.sends.len())?;
        Some((which as u64 + 1, self.sends[which].job))
    }

    /// A deal of one of the orders that left; it is told twice.
    fn fill(&mut self, order: u8, units: i64) {
        let Some((number, Job::Order(id))) = self.sent(order) else {
            return;
        };
        let known = self.shell.order(id);
        let (position, entry) = match known.purpose {
            Purpose::Entry => (number, Entry::In),
            Purpose::Exit(position) => (position.0, Entry::Out),
        };
        let ticket = self.deals.len() as u64 + 1;
        let mut fill = deal(ticket, position, known.side, entry, units, 110_000);
        (fill.magic, fill.order) = (known.magic, Some(Ticket(number)));
        let filled = self.filled.entry(id).or_insert(Lots::ZERO);
        *filled = filled.plus(fill.lots);
        self.deals.push(fill.clone());
        for _ in 0..2 {
            self.shell.step(Input::Deal(fill.clone()));
        }
    }

    /// Every order, as the core has it, or as the journal has what the core may have forgotten.
    fn orders(&self) -> Vec<Order> {
        let kept = self.shell.disk.orders.values();
        let orders = kept.map(|kept| self.shell.core.order(kept.id).unwrap_or(kept));
        orders.cloned().collect()
    }

    fn held(&self) -> Vec<Position> {
        self.shell.core.book().positions().cloned().collect()
    }
}

/// The lots of a close that names its volume, and of an entry.
fn lots_asked_for(sent: &Outgoing) -> Option<Lots> {
    match sent.request {
        TradeRequest::Market { lots, .. } => Some(lots),
        TradeRequest::Close { lots, all, .. } => (!all).then_some(lots),
        ref other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn no_sequence_sends_twice_or_loses_a_fill(steps in prop::collection::vec(step(), 0..120)) {
        let mut play = Play::new().play(steps);
        let jobs: BTreeSet<Job> = play.sends.iter().map(|sent| sent.job).collect();
        prop_assert_eq!(jobs.len(), play.sends.len());
        let before = play.orders();
        prop_assert_eq!(play.shell.core.counts().0, before.len() as u64);
        let magics: BTreeSet<_> = before.iter().map(|order| order.magic).collect();
        prop_assert_eq!(magics.len(), before.len());
        for order in &before {
            let sent = play.sends.iter().find(|sent| sent.job == Job::Order(order.id));
            let filled = play.filled.get(&order.id).copied().unwrap_or(Lots::ZERO);
            prop_assert_eq!(order.filled, filled);
            prop_assert!(order.state != OrderState::Filled || order.filled >= order.lots);
            prop_assert!(order.filled.is_zero() || order.state != OrderState::Rejected);
            match sent {
                Some(sent) => {
                    prop_assert_eq!(sent.request.magic(), Some(order.magic));
                    prop_assert!(lots_asked_for(sent).is_none_or(|lots| lots == order.lots));
                }
                // What does not leave once it is durable is refused.
                None => prop_assert_eq!(order.state, OrderState::Rejected),
            }
        }
        let sequences: Vec<_> = play.shell.events.iter().map(|event| event.sequence).collect();
        prop_assert_eq!(sequences, (1..=play.shell.core.sequence()).collect::<Vec<_>>());
        let held = play.held();
        play.shell.restart();
        prop_assert!(play.shell.sent.is_empty());
        play.shell.settle();
        for (before, after) in before.iter().zip(play.orders()) {
            let flying = matches!(before.state, OrderState::Accepted | OrderState::Sent);
            prop_assert_eq!(flying, *before != after);
            prop_assert!(!flying || after.state == OrderState::Unknown);
        }
        prop_assert_eq!(held, play.held());
    }
}
