#![allow(clippy::unwrap_used)]
//! The core under random sequences: nothing is sent twice, fills add up, a settled order stays so,
//! and a restart knows all that was.

mod grants;
mod limits;
mod losses;
mod modify;
mod reconcile;
mod shut;
mod states;
mod support;

use super::{Core, Effect, Recorded};
use crate::{
    broker::{SendFailure, Snapshot},
    records::{Loaded, Record},
    testing::deal,
};
use mymt5_model::Reason;
use mymt5_model::{Lots, OrderId, OrderState, Receipt, Retcode, Side, Ticket, UtcTime};
use proptest::prelude::*;
use std::{collections::HashSet, sync::Arc};
use support::{call, core, entry, exit, quote, receipt, restart, rows, sent, spec};

/// The events that wait to be durable.
fn events(core: &mut Core) -> Vec<Arc<Recorded>> {
    let events = core
        .take_records()
        .into_iter()
        .filter_map(|record| match record {
            Record::Event(event) => Some(event),
            _ => None,
        });
    events.collect()
}

#[test]
fn a_receipt_is_a_hint_and_only_deals_fill() {
    let mut core = core();
    let (id, magic) = sent(&mut core, "a", 0.3);
    core.on_sent(id, Ok(receipt(Retcode::DONE)));
    assert_eq!(core.order(id).unwrap().state, OrderState::Sent);
    for (ticket, state) in [
        (1, OrderState::PartiallyFilled),
        (1, OrderState::PartiallyFilled),
        (2, OrderState::Filled),
    ] {
        let mut part = deal(
            ticket,
            1,
            Side::Buy,
            mymt5_model::Entry::In,
            15_000_000,
            110_010,
        );
        part.magic = magic;
        part.order = Some(Ticket(1));
        core.on_deal(part);
        assert_eq!(core.order(id).unwrap().state, state);
    }
    assert_eq!(core.order(id).unwrap().filled, Lots::from_f64(0.3).unwrap());
}

#[test]
fn an_unknown_outcome_freezes_the_symbol_until_evidence() {
    let mut core = core();
    let (id, magic) = sent(&mut core, "a", 0.1);
    core.on_sent(id, Err(SendFailure::Unknown("lost".into())));
    assert_eq!(core.order(id).unwrap().state, OrderState::Unknown);
    let refused = core
        .submit(call("b"), Ok(entry(0.1)), Some(&quote()))
        .unwrap_err();
    assert_eq!(refused.reason(), Reason::SymbolFrozen);
    assert!(
        core.submit(call("a"), Ok(entry(0.1)), Some(&quote()))
            .unwrap()
            .0
            .repeated
    );
    let mut fill = deal(1, 1, Side::Buy, mymt5_model::Entry::In, 10_000_000, 110_010);
    fill.magic = magic;
    core.on_deal(fill);
    assert_eq!(core.order(id).unwrap().state, OrderState::Filled);
    assert!(
        core.submit(call("b"), Ok(entry(0.1)), Some(&quote()))
            .is_ok()
    );
}

#[test]
fn what_waited_too_long_is_never_sent() {
    let mut core = core();
    let (taken, _) = core
        .submit(call("a"), Ok(entry(0.1)), Some(&quote()))
        .unwrap();
    core.at(UtcTime(2_000));
    assert!(!core.sending(taken.order, Some(&quote())));
    let order = core.order(taken.order).unwrap();
    assert_eq!(
        (order.state, order.reason.as_str()),
        (OrderState::Expired, "EXPIRED_BEFORE_SEND")
    );
}

#[test]
fn nothing_new_while_draining_or_without_link_or_quote_yet_repeats_answer() {
    let mut core = core();
    sent(&mut core, "a", 0.1);
    let refused = core.submit(call("b"), Ok(entry(0.1)), None).unwrap_err();
    assert_eq!(refused.reason(), Reason::QuoteMissing);
    core.link(false);
    assert_eq!(
        core.submit(call("b"), Ok(entry(0.1)), Some(&quote()))
            .unwrap_err()
            .reason(),
        Reason::LinkDown
    );
    core.drain();
    assert_eq!(
        core.submit(call("b"), Ok(entry(0.1)), Some(&quote()))
            .unwrap_err()
            .reason(),
        Reason::Draining
    );
    assert!(
        core.submit(call("a"), Ok(entry(0.1)), None)
            .unwrap()
            .0
            .repeated
    );
}

#[test]
fn foreign_deals_are_for_the_operator_only() {
    let mut core = core();
    core.on_deal(deal(
        9,
        9,
        Side::Buy,
        mymt5_model::Entry::In,
        1_000_000,
        110_000,
    ));
    let told = events(&mut core);
    assert!(
        !told.is_empty()
            && told
                .iter()
                .all(|event| event.audience == super::Audience::Control)
    );
}

/// What may happen to a core, in any order.
#[derive(Clone, Debug)]
enum Step {
    Submit(u8),
    Close(u8, Option<u8>),
    Outcome(u8, u8),
    Deal(u8, u8),
    Row(bool),
    Link(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..12u8).prop_map(Step::Submit),
        (0..12u8, prop::option::of(1..40u8)).prop_map(|(id, lots)| Step::Close(id, lots)),
        (0..24u8, 0..6u8).prop_map(|(order, kind)| Step::Outcome(order, kind)),
        (0..24u8, 1..20u8).prop_map(|(order, lots)| Step::Deal(order, lots)),
        any::<bool>().prop_map(Step::Row),
        prop::bool::weighted(0.9).prop_map(Step::Link),
    ]
}

fn outcome(kind: u8) -> Result<Receipt, SendFailure> {
    match kind {
        0 => Ok(receipt(Retcode::DONE)),
        1 => Ok(receipt(Retcode::PLACED)),
        2 => Err(SendFailure::Rejected(Retcode::NO_MONEY)),
        3 => Err(SendFailure::NotSent("x".into())),
        4 => Err(SendFailure::Throttled(Retcode::TOO_MANY_REQUESTS)),
        _ => Err(SendFailure::Unknown("x".into())),
    }
}

/// Runs the core and its stand-in shell; returns the orders sent, in order.
fn play(core: &mut Core, steps: Vec<Step>) -> Vec<OrderId> {
    let (mut sends, mut ticket) = (Vec::new(), 0);
    for step in steps {
        let effects = match step {
            Step::Submit(id) => {
                core.submit(call(&format!("s{id}")), Ok(entry(0.1)), Some(&quote()))
            }
            Step::Close(id, lots) => {
                let lots = lots.map(|lots| f64::from(lots) / 100.0);
                core.close(call(&format!("c{id}")), Ok(exit(lots)), |_| Some(spec()))
            }
            Step::Outcome(order, kind) => {
                core.on_sent(OrderId(u64::from(order) + 1), outcome(kind));
                continue;
            }
            Step::Deal(order, lots) => {
                let Some(known) = core.order(OrderId(u64::from(order) + 1)) else {
                    continue;
                };
                ticket += 1;
                let entry = if known.side == Side::Buy {
                    mymt5_model::Entry::In
                } else {
                    mymt5_model::Entry::Out
                };
                let mut fill = deal(
                    ticket,
                    1,
                    known.side,
                    entry,
                    i64::from(lots) * 1_000_000,
                    110_000,
                );
                (fill.magic, fill.order) = (known.magic, None);
                core.on_deal(fill.clone());
                core.on_deal(fill);
                continue;
            }
            Step::Row(fresh) => {
                let last_deal = Ticket(if fresh { ticket } else { 0 });
                let positions = core
                    .book()
                    .positions()
                    .map(|position| position.row.clone())
                    .collect();
                core.on_snapshot(Snapshot {
                    last_deal,
                    ..rows(positions, 0)
                });
                continue;
            }
            Step::Link(up) => {
                core.link(up);
                continue;
            }
        };
        for effect in effects.map(|(_, effects)| effects).unwrap_or_default() {
            if let Effect::Send(id, ..) = effect
                && core.sending(id, Some(&quote()))
            {
                sends.push(id);
            }
        }
    }
    sends
}

proptest! {
    #[test]
    fn no_sequence_sends_twice_or_loses_a_fill(steps in prop::collection::vec(step(), 0..120)) {
        let mut core = core();
        let sends = play(&mut core, steps);
        prop_assert_eq!(sends.iter().collect::<HashSet<_>>().len(), sends.len());
        let (orders, _, _) = core.counts();
        prop_assert_eq!(orders, sends.len() as u64);
        let magics: HashSet<_> = (1..=orders).map(|id| core.order(OrderId(id)).unwrap().magic).collect();
        prop_assert_eq!(magics.len() as u64, orders);
        for order in (1..=orders).map(|id| core.order(OrderId(id)).unwrap()) {
            prop_assert!(order.state != OrderState::Filled || order.filled >= order.lots);
            prop_assert!(order.filled.is_zero() || order.state != OrderState::Rejected);
        }
        let mut kept = Loaded::default();
        let resumed = restart(&mut core, &mut kept);
        let sequences: Vec<_> = kept.events.iter().map(|event| event.sequence).collect();
        prop_assert_eq!(sequences, (1..=core.sequence()).collect::<Vec<_>>());
        for id in (1..=orders).map(OrderId) {
            let (before, after) = (core.order(id).unwrap(), resumed.order(id).unwrap());
            let flying = matches!(before.state, OrderState::Accepted | OrderState::Sent);
            prop_assert_eq!(flying, before != after);
            prop_assert!(!flying || after.state == OrderState::Unknown);
        }
        let held = |core: &Core| core.book().positions().cloned().collect::<Vec<_>>();
        prop_assert_eq!(held(&core), held(&resumed));
    }
}
