//! An id of a call is bound once: a caller that repeats it learns what it led to, and nothing is done twice.

use crate::bench::{rows::*, scenes::*};
use mymt5_guard::TradingState;
use mymt5_model::{OrderState, Reason, RowState};
use mymt5_orders::{Acceptance, Answer, Asker, Command, Input, RequestKey, Resolution};

fn is_bound(scene: &Scene, client: &str, request: &str) -> bool {
    let key = RequestKey(name(client), id(request));
    scene.shell.disk.requests.contains_key(&key)
}

fn fill_many(scene: &mut Scene, prefix: &str, count: usize) {
    for n in 0..count {
        scene.submit("alpha", &format!("{prefix}{n}"), buy(0.01));
        scene.obey();
    }
}

#[test]
fn a_repeat_with_other_content_is_refused() {
    let mut scene = scene();
    scene.submit("alpha", "a", buy(0.1));
    let mut other = scene.call("alpha", "a", Command::Submit(Ok(Box::new(buy(0.2)))));
    other.content = [8; 32];
    let other = scene.take(other);
    assert_eq!(scene.refusal(other), Reason::IdempotencyMismatch);
    scene.obey();
    scene.restart();
    let mut other = scene.call("alpha", "a", Command::Submit(Ok(Box::new(buy(0.2)))));
    other.content = [8; 32];
    let other = scene.take(other);
    assert_eq!(scene.refusal(other), Reason::IdempotencyMismatch);
    assert_eq!(scene.positions.len(), 1);
}

#[test]
fn the_same_id_of_two_clients_is_two_ids() {
    let mut scene = scene();
    scene.submit("alpha", "a", buy(0.1));
    scene.submit("beta", "a", buy(0.1));
    scene.obey_all();
    assert_eq!(scene.positions.len(), 2);
}

#[test]
fn a_repeat_is_answered_whatever_closed_meanwhile() {
    let mut scene = scene();
    scene.submit("alpha", "a", buy(0.1));
    scene.obey();
    scene.set_state("h", None, TradingState::Halted);
    scene.shell.feed(Input::Link(false));
    scene.shell.feed(Input::Drain);
    let repeat = scene.submit("alpha", "a", buy(0.1));
    assert_eq!(scene.order_told(repeat).state, OrderState::Filled);
}

#[test]
fn a_refused_call_binds_nothing_and_may_be_repeated() {
    let mut scene = scene();
    scene.shell.feed(Input::Link(false));
    let refused = scene.submit("alpha", "a", buy(0.1));
    assert_eq!(scene.refusal(refused), Reason::LinkDown);
    assert!(!is_bound(&scene, "alpha", "a"));
    scene.connect();
    scene.submit("alpha", "a", buy(0.1));
    scene.obey();
    assert_eq!(scene.state("alpha", "a"), OrderState::Filled);
}

#[test]
fn what_a_crash_ate_was_never_bound_and_what_it_left_is_unknown() {
    let mut scene = scene();
    let call = scene.call("alpha", "a", Command::Submit(Ok(Box::new(buy(0.1)))));
    scene.shell.step(Input::Call(Box::new(call)));
    scene.shell.crash();
    scene.connect();
    assert!(!is_bound(&scene, "alpha", "a"));
    scene.submit("alpha", "a", buy(0.1));
    let sent = scene.sent();
    scene.execute(&sent).unwrap();
    scene.shell.crash();
    scene.shell.feed(Input::Link(true));
    let repeat = scene.submit("alpha", "a", buy(0.1));
    assert_eq!(scene.order_told(repeat).state, OrderState::Unknown);
    assert!(scene.shell.sent.is_empty());
    scene.pass();
    assert_eq!(scene.state("alpha", "a"), OrderState::Filled);
    assert_eq!(scene.positions.len(), 1);
}

#[test]
fn only_the_call_that_made_an_order_finds_it_by_its_id() {
    let mut scene = scene();
    scene.work("alpha", "p", 0.1);
    let order = scene.id("alpha", "p");
    scene.reprice("alpha", "m", order, BID - 900);
    scene.obey();
    scene.cancel("alpha", "c", order);
    scene.obey();
    let core = &scene.shell.core;
    for request in ["m", "c"] {
        let found = core.order_of_request(&name("alpha"), &id(request));
        assert_eq!(found, None);
    }
    let found = core.order_of_request(&name("alpha"), &id("p")).unwrap();
    assert_eq!(found.request_id, id("p"));
}

#[test]
fn what_an_operator_asked_for_is_done_once() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    let deal = scene.close_by_hand(held, 0.05);
    scene.shell.feed(Input::Deal(deal));
    scene.accept("ok", Acceptance::Symbol(symbol("EURUSD")));
    scene.submit("alpha", "lost", buy(0.1));
    scene.lose();
    let order = scene.id("alpha", "lost");
    scene.resolve("r", order, Resolution::NotDone);
    scene.set_state("h", None, TradingState::Halted);
    scene.set_state("g", None, TradingState::Active);
    for _ in 0..2 {
        let accepted = scene.accept("ok", Acceptance::Symbol(symbol("EURUSD")));
        assert!(matches!(scene.answer(accepted), Answer::Done));
        let resolved = scene.resolve("r", order, Resolution::NotDone);
        assert_eq!(scene.order_told(resolved).state, OrderState::Rejected);
        let halted = scene.set_state("h", None, TradingState::Halted);
        let told = scene.answer(halted);
        assert!(matches!(told, Answer::State(TradingState::Halted)));
        assert_eq!(scene.shell.core.account_state(), TradingState::Active);
        scene.restart();
    }
}

#[test]
fn an_order_of_long_ago_is_told_as_it_ended() {
    let mut scene = scene();
    fill_many(&mut scene, "a", 1_200);
    let repeat = scene.submit("alpha", "a0", buy(0.01));
    assert_eq!(scene.order_told(repeat).state, OrderState::Filled);
    assert!(scene.shell.sent.is_empty());
}

#[test]
fn an_order_that_old_ones_drove_out_of_memory_is_told_all_the_same() {
    let mut scene = scene();
    fill_many(&mut scene, "a", 1_100);
    for n in 0..5 {
        let old = scene.id("alpha", &format!("a{n}"));
        scene.cancel("alpha", &format!("c{n}"), old);
    }
    for n in 0..100 {
        let repeat = scene.submit("alpha", &format!("a{n}"), buy(0.01));
        assert_eq!(scene.order_told(repeat).state, OrderState::Filled, "a{n}");
    }
}

/// Takes an order and withdraws it, and nothing of that is durable yet.
fn end_one_more(scene: &mut Scene, request: &str) {
    let call = scene.call("alpha", request, Command::Submit(Ok(Box::new(buy(0.01)))));
    scene.shell.step(Input::Call(Box::new(call)));
    let core = &scene.shell.core;
    let order = core.order_of_request(&name("alpha"), &id(request)).unwrap();
    let cancel = Command::Cancel(order.id);
    let call = scene.call("alpha", &format!("c{request}"), cancel);
    scene.shell.step(Input::Call(Box::new(call)));
}

#[test]
fn an_ended_order_that_changed_is_not_forgotten_before_that_is_durable() {
    let mut scene = scene();
    let ticket = scene.work("alpha", "late", 0.3);
    scene.remove(ticket, RowState::Expired).unwrap();
    scene.live(61);
    assert_eq!(scene.state("alpha", "late"), OrderState::Expired);
    fill_many(&mut scene, "a", 1_023);
    let row = scene.ended.remove(0);
    scene.orders.push(row);
    let deals = [0.1, 0.1].map(|part| scene.fill_pending(ticket, lots(part)));
    let [first, second] = deals;
    scene.shell.step(Input::Deal(first));
    end_one_more(&mut scene, "b");
    scene.shell.step(Input::Deal(second));
    scene.shell.settle();
    assert_eq!(scene.order("alpha", "late").filled, lots(0.2));
}

#[test]
fn all_who_repeat_a_call_in_flight_are_answered_together() {
    let mut scene = scene();
    let askers: Vec<Asker> = (0..5)
        .map(|_| scene.submit("alpha", "a", buy(0.1)))
        .collect();
    assert_eq!(scene.shell.sent.len(), 1);
    scene.obey();
    for asker in askers {
        assert_eq!(scene.order_told(asker).state, OrderState::Filled);
    }
}
