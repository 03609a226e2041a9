//! An order from the call to its fill: what a receipt is worth, what freezes, what never leaves.

use crate::bench::{by_hand::*, rows::*};
use mymt5_model::{Entry, OrderState, Reason, Retcode, Side, Ticket};
use mymt5_orders::{Answer, Audience, Input, Notice, ObstacleKind};

#[test]
fn a_receipt_is_a_hint_and_only_deals_fill() {
    let mut shell = ready();
    let (id, magic) = shell.send("alpha", "a", buy(0.3));
    shell.answer(id, Ok(receipt(Retcode::DONE, 1)));
    assert_eq!(shell.order(id).state, OrderState::Sent);
    for (ticket, state) in [
        (1, OrderState::PartiallyFilled),
        (1, OrderState::PartiallyFilled),
        (2, OrderState::Filled),
    ] {
        let mut part = deal(ticket, 1, Side::Buy, Entry::In, 15_000_000, 110_010);
        (part.magic, part.order) = (magic, Some(Ticket(1)));
        shell.feed(Input::Deal(part));
        assert_eq!(shell.order(id).state, state);
    }
    assert_eq!(shell.order(id).filled, lots(0.3));
}

#[test]
fn a_deal_of_an_order_that_is_full_is_counted_and_noticed() {
    let mut shell = holding();
    let opened = shell.order_of("alpha", "held-1").clone();
    let mut more = fill(2, 1, &opened);
    more.order = opened.ticket;
    shell.feed(Input::Deal(more));
    let order = shell.order(opened.id);
    assert_eq!((order.state, order.filled), (OrderState::Filled, lots(0.2)));
    assert!(shell.noticed(|notice| *notice == Notice::Overfilled(Ticket(2))));
    assert_eq!(shell.position(HELD).lots, lots(0.2));
}

#[test]
fn a_deal_of_long_ago_is_not_counted_again() {
    let mut shell = ready();
    let deals = (1..=600).map(|n| deal(n, n, Side::Buy, Entry::In, 1_000_000, 110_000));
    for deal in deals.clone() {
        shell.feed(Input::Deal(deal));
    }
    shell.restart();
    let before = shell.disk.deals.len();
    for deal in deals {
        shell.feed(Input::Deal(deal));
    }
    assert_eq!(shell.disk.deals.len(), before);
}

#[test]
fn an_unknown_outcome_freezes_the_symbol_until_evidence() {
    let mut shell = ready();
    let (id, _) = shell.unknown("a");
    assert_eq!(shell.order(id).state, OrderState::Unknown);
    let refused = shell.entry_refusal("alpha", "b");
    assert_eq!(refused, Some(Reason::SymbolFrozen));
    let Some(Answer::Order(again)) = shell.ask("alpha", "a", submit(buy(0.1))) else {
        panic!()
    };
    assert_eq!((again.id, again.state), (id, OrderState::Unknown));
    assert!(shell.left().is_empty());
    let fill = fill(1, 1, shell.order(id));
    shell.feed(Input::Deal(fill));
    assert_eq!(shell.order(id).state, OrderState::Filled);
    assert_eq!(shell.entry_refusal("alpha", "b"), None);
}

#[test]
fn what_waited_too_long_is_never_sent() {
    let mut shell = ready();
    let asker = shell.step_call("alpha", "a", submit(buy(0.1)));
    shell.pass(2_000);
    shell.settle();
    assert!(shell.left().is_empty());
    let Some(Answer::Order(order)) = shell.answer_to(asker) else {
        panic!()
    };
    assert_eq!(
        (order.state, order.reason.as_str()),
        (OrderState::Expired, "EXPIRED_BEFORE_SEND")
    );
}

/// It surely never was at the broker, which the next process could not know.
#[test]
fn what_waits_when_the_process_ends_is_never_sent_and_not_unknown() {
    let mut shell = ready();
    let asker = shell.step_call("alpha", "a", submit(buy(0.1)));
    shell.feed(Input::Stop);
    assert!(shell.left().is_empty());
    let Some(Answer::Order(order)) = shell.answer_to(asker) else {
        panic!()
    };
    let id = order.id;
    let ended = (OrderState::Expired, "EXPIRED_BEFORE_SEND");
    assert_eq!((order.state, order.reason.as_str()), ended);
    shell.restart();
    let order = &shell.disk.orders[&id];
    assert_eq!((order.state, order.reason.as_str()), ended);
}

#[test]
fn nothing_new_while_draining_or_without_link_or_quote_yet_repeats_answer() {
    let mut shell = ready();
    let (id, _) = shell.send("alpha", "a", buy(0.1));
    shell.prices.ticks.clear();
    let refused = shell.entry_refusal("alpha", "b");
    assert_eq!(refused, Some(Reason::QuoteMissing));
    shell.feed(Input::Link(false));
    let refused = shell.entry_refusal("alpha", "b");
    assert_eq!(refused, Some(Reason::LinkDown));
    shell.feed(Input::Drain);
    let refused = shell.entry_refusal("alpha", "b");
    assert_eq!(refused, Some(Reason::Draining));
    // A repeat in flight waits beside the first, and both are told.
    let repeat = shell.step_call("alpha", "a", submit(buy(0.1)));
    shell.settle();
    assert!(shell.answer_to(repeat).is_none());
    shell.answer(id, Err(lost()));
    let told = shell.answers.iter();
    let told = told.filter(|(_, answer)| matches!(answer, Answer::Order(order) if order.id == id));
    assert_eq!(told.count(), 2);
    assert!(matches!(shell.answer_to(repeat), Some(Answer::Order(_))));
}

#[test]
fn an_old_quote_is_none() {
    let mut shell = ready();
    shell.pass(60_000);
    assert_eq!(shell.entry_refusal("alpha", "a"), None);
    shell.pass(1);
    let refused = shell.entry_refusal("alpha", "b");
    assert_eq!(refused, Some(Reason::QuoteMissing));
}

#[test]
fn foreign_deals_are_for_the_operator_only() {
    let mut shell = ready();
    let before = shell.events.len();
    let foreign = deal(9, 9, Side::Buy, Entry::In, 1_000_000, 110_000);
    shell.feed(Input::Deal(foreign));
    let told = &shell.events[before..];
    assert!(!told.is_empty());
    let control = |audience: &Audience| *audience == Audience::Control;
    assert!(told.iter().all(|told| control(&told.audience)));
    assert!(!shell.is_hindered_by(ObstacleKind::ForeignTrade));
}
