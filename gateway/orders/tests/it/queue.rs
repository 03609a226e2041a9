//! Who is sent first: exits, then what else protects, then the clients in turn; and nobody's flood
//! keeps another out.

use crate::bench::{rows::*, scenes::*};
use mymt5_model::{Reason, TradeRequest};
use mymt5_orders::{Answer, Input};

fn kinds(scene: &mut Scene) -> Vec<&'static str> {
    let mut kinds = Vec::new();
    while !scene.shell.sent.is_empty() {
        assert_eq!(scene.shell.sent.len(), 1);
        kinds.push(match scene.obey().request {
            TradeRequest::Market { .. } => "entry",
            TradeRequest::Close { .. } => "exit",
            TradeRequest::Cancel { .. } => "cancel",
            TradeRequest::ModifyPosition { .. } => "stop",
            _ => "other",
        });
    }
    kinds
}

/// The clients whose entries leave, in their order.
fn owners(scene: &mut Scene) -> Vec<String> {
    let mut owners = Vec::new();
    while !scene.shell.sent.is_empty() {
        let magic = scene.obey().request.magic().unwrap();
        let slots = scene.shell.disk.slots.iter();
        let mut owner = slots.filter(|(_, slot)| u64::from(**slot) == magic.slot());
        owners.push(owner.next().unwrap().0.to_string());
    }
    owners
}

#[test]
fn exits_pass_cancellations_and_these_pass_entries() {
    let mut scene = one_lane();
    let held = scene.hold("alpha", "h", 0.1);
    scene.work("alpha", "p", 0.1);
    let order = scene.id("alpha", "p");
    scene.submit("beta", "busy", buy(0.1));
    scene.submit("alpha", "e", buy(0.1));
    scene.cancel("alpha", "c", order);
    scene.stop("alpha", "s", held, BID - 500);
    scene.close("alpha", "x", held, Some(0.05));
    let kinds = kinds(&mut scene);
    assert_eq!(kinds, ["entry", "exit", "cancel", "stop", "entry"]);
}

#[test]
fn a_loosened_stop_has_no_precedence() {
    let mut scene = one_lane();
    let held = scene.hold("alpha", "h", 0.1);
    scene.stop("alpha", "s", held, BID - 500);
    scene.obey();
    scene.submit("beta", "busy", buy(0.1));
    scene.submit("alpha", "e", buy(0.1));
    scene.stop("alpha", "t", held, BID - 600);
    assert_eq!(kinds(&mut scene), ["entry", "entry", "stop"]);
}

#[test]
fn the_clients_take_turns() {
    let mut scene = one_lane();
    for n in 0..5 {
        scene.submit("alpha", &format!("a{n}"), buy(0.01));
    }
    for n in 0..2 {
        scene.submit("beta", &format!("b{n}"), buy(0.01));
    }
    let owners = owners(&mut scene);
    let expected = ["alpha", "alpha", "beta", "alpha", "beta", "alpha", "alpha"];
    assert_eq!(owners, expected);
}

#[test]
fn a_flood_of_entries_leaves_room_for_every_exit() {
    let mut scene = one_lane();
    let held = scene.hold("alpha", "h", 0.1);
    let mut refused = 0;
    for n in 0..300 {
        let asker = scene.submit("alpha", &format!("a{n}"), buy(0.01));
        if let [Answer::Refused(refusal)] = &scene.answers(asker)[..] {
            assert_eq!(refusal.reason(), Reason::QueueFull);
            refused += 1;
        }
    }
    assert_eq!(refused, 43);
    scene.close("alpha", "c", held, None);
    scene.obey();
    let exit = scene.obey();
    assert!(matches!(exit.request, TradeRequest::Close { .. }));
}

#[test]
fn a_flood_of_one_clients_entries_keeps_no_other_client_out() {
    let mut scene = one_lane();
    for n in 0..300 {
        scene.submit("alpha", &format!("a{n}"), buy(0.01));
    }
    let other = scene.submit("beta", "b", buy(0.01));
    assert!(
        scene.answers(other).is_empty(),
        "{:?}",
        scene.answers(other)
    );
}

#[test]
fn a_flood_of_one_clients_closes_keeps_no_other_clients_exit_out() {
    let mut scene = one_lane();
    let held = scene.hold("alpha", "a", 10.0);
    let other = scene.hold("beta", "b", 0.1);
    for n in 0..600 {
        scene.close("alpha", &format!("c{n}"), held, Some(0.01));
    }
    let exit = scene.close("beta", "x", other, None);
    assert!(scene.answers(exit).is_empty(), "{:?}", scene.answers(exit));
}

#[test]
fn a_large_flatten_keeps_nobodys_cancellation_out() {
    let mut scene = scene();
    for n in 0..600 {
        scene.hold("alpha", &format!("a{n}"), 0.01);
    }
    scene.work("beta", "p", 0.1);
    let order = scene.id("beta", "p");
    scene.flatten("f", Some("alpha"), false);
    let cancelled = scene.cancel("beta", "c", order);
    let answers = scene.answers(cancelled);
    assert!(answers.is_empty(), "{answers:?}");
}

#[test]
fn nothing_leaves_before_what_asked_for_it_is_durable() {
    let mut scene = scene();
    let held = scene.hold("alpha", "h", 0.1);
    let call = scene.call(
        "alpha",
        "c",
        mymt5_orders::Command::Close(Ok(exit(held, None))),
    );
    scene.shell.step(Input::Call(Box::new(call)));
    scene.shell.step(Input::Second);
    assert!(scene.shell.sent.is_empty());
    scene.shell.settle();
    assert_eq!(scene.shell.sent.len(), 1);
}

#[test]
fn an_entry_is_judged_again_before_it_leaves() {
    let mut scene = one_lane();
    let held = scene.hold("alpha", "h", 0.1);
    scene.submit("beta", "busy", buy(0.01));
    let entry = scene.submit("alpha", "e", buy(0.01));
    let deal = scene.close_by_hand(held, 0.1);
    scene.shell.feed(Input::Deal(deal));
    scene.obey_all();
    let told = scene.order_told(entry);
    assert_eq!(told.reason, "SYMBOL_FROZEN");
    assert!(told.retryable);
}

#[test]
fn a_spread_that_widened_while_an_entry_waited_holds_it_back() {
    let limits = mymt5_guard::Limits {
        max_spread_points: Some(20),
        ..Default::default()
    };
    let mut shell = limited(entry_limits(limits), entry_limits(Default::default()));
    shell.config.max_in_flight = 1;
    shell.restart();
    let mut scene = Scene::of(shell);
    scene.submit("beta", "busy", buy(0.01));
    let entry = scene.submit("alpha", "e", buy(0.01));
    scene.tick(BID, BID + 50);
    scene.obey();
    assert_eq!(scene.order_told(entry).reason, "LIMIT_SPREAD");
}

#[test]
fn an_exit_that_waited_for_what_is_gone_ends_without_leaving() {
    let mut scene = one_lane();
    let held = scene.hold("alpha", "h", 0.1);
    scene.submit("beta", "busy", buy(0.01));
    let close = scene.close("alpha", "c", held, None);
    let deal = scene.close_by_hand(held, 0.1);
    scene.shell.feed(Input::Deal(deal));
    scene.obey();
    assert!(scene.shell.sent.is_empty());
    assert_eq!(scene.order_told(close).reason, "EXIT_EXCEEDS_POSITION");
}

#[test]
fn an_exit_that_waited_and_is_too_large_by_now_ends_without_leaving() {
    let mut scene = one_lane();
    let held = scene.hold("alpha", "h", 0.2);
    scene.submit("beta", "busy", buy(0.01));
    let close = scene.close("alpha", "c", held, Some(0.15));
    let deal = scene.close_by_hand(held, 0.1);
    scene.shell.feed(Input::Deal(deal));
    scene.obey();
    assert!(scene.shell.sent.is_empty());
    assert_eq!(scene.order_told(close).reason, "EXIT_EXCEEDS_POSITION");
    scene.close("alpha", "d", held, None);
    scene.obey();
    assert!(scene.position(held).is_none());
}

#[test]
fn an_exit_that_waited_for_what_the_newest_rows_lack_does_not_leave_on_netting() {
    let mut shell = fresh();
    shell.config.max_in_flight = 1;
    shell.restart();
    let mut scene = Scene::unseen(shell);
    scene.account.mode = mymt5_model::AccountMode::Netting;
    scene.connect();
    let held = scene.hold("alpha", "h", 0.2);
    scene.submit("alpha", "busy", buy(0.01));
    let close = scene.close("alpha", "c", held, None);
    let rows = std::mem::take(&mut scene.positions);
    scene.rows();
    scene.positions = rows;
    let busy = scene.sent();
    scene.say(busy.job, not_sent());
    assert!(scene.shell.sent.is_empty());
    assert_eq!(scene.order_told(close).reason, "EXIT_EXCEEDS_POSITION");
}

#[test]
fn the_clients_take_turns_within_exits_too() {
    let mut scene = one_lane();
    let flood = scene.hold("alpha", "a", 1.0);
    let other = scene.hold("beta", "b", 0.1);
    for n in 0..10 {
        scene.close("alpha", &format!("c{n}"), flood, Some(0.01));
    }
    scene.close("beta", "x", other, None);
    scene.obey();
    scene.obey();
    assert!(closed_by(&scene.sent()).0.0 == other || scene.position(other).is_none());
}
