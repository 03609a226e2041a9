//! What is waited for runs on a clock that never goes back; the wall clock dates, and tells until when
//! a caller wants something.

use crate::bench::{rows::*, scenes::*};
use mymt5_guard::{Limits, TradingState};
use mymt5_model::{OrderState, Reason};
use mymt5_orders::{Command, DeadMan, DeadManAction, Input, ObstacleKind};

const HOUR_MS: i64 = 3_600_000;

#[test]
fn a_clock_that_is_set_back_stops_no_pass_and_no_search() {
    for by_ms in [-HOUR_MS, -400 * 24 * HOUR_MS, 2 * HOUR_MS] {
        let mut scene = scene();
        scene.submit("alpha", "a", buy(0.1));
        scene.lose();
        scene.set_clock(by_ms);
        let before = scene.shell.core.sequence();
        scene.live(45);
        assert_eq!(scene.state("alpha", "a"), OrderState::Rejected, "{by_ms}");
        assert!(scene.shell.core.sequence() > before);
    }
}

#[test]
fn a_clock_that_is_set_back_hides_no_evidence() {
    let mut scene = scene();
    scene.submit("alpha", "a", buy(0.1));
    scene.lose_answer();
    scene.set_clock(-HOUR_MS);
    scene.live(6);
    assert_eq!(scene.state("alpha", "a"), OrderState::Filled);
}

#[test]
fn a_silent_client_is_reduced_though_the_clock_was_set_back() {
    let mut scene = scene();
    let dead_man = DeadMan {
        after_ms: 5_000,
        action: DeadManAction::Reduce,
    };
    scene.arm("alpha", dead_man);
    scene.beat("alpha", "one", false);
    scene.set_clock(-HOUR_MS);
    scene.live(6);
    let state = scene.shell.core.state_of(&name("alpha"));
    assert_eq!(state, TradingState::Reducing);
}

#[test]
fn a_lease_ends_though_the_clock_was_set_back() {
    let mut scene = scene();
    scene.beat("alpha", "one", false);
    scene.set_clock(-HOUR_MS);
    scene.live(6);
    let told = scene.beat("alpha", "two", false);
    assert!(matches!(told, mymt5_orders::Answer::State(_)), "{told:?}");
}

#[test]
fn a_flatten_tries_again_though_the_clock_was_set_back() {
    let mut scene = scene();
    scene.hold("alpha", "a", 0.1);
    scene.flatten("f", None, false);
    scene.refuse(mymt5_model::Retcode::PRICE_OFF);
    scene.set_clock(-HOUR_MS);
    scene.live_and_obey(3);
    assert!(scene.positions.is_empty());
}

#[test]
fn a_minute_of_entries_lasts_a_minute_whatever_the_clock_says() {
    let limits = Limits {
        max_orders_per_minute: Some(2),
        ..Limits::default()
    };
    let mut scene = limited_scene(entry_limits(limits), entry_limits(Limits::default()));
    for n in 0..2 {
        scene.submit("alpha", &format!("a{n}"), buy(0.01));
        scene.obey();
    }
    scene.set_clock(HOUR_MS);
    let more = scene.submit("alpha", "b", buy(0.01));
    assert_eq!(scene.refusal(more), Reason::RateLimited);
    scene.live(61);
    scene.submit("alpha", "c", buy(0.01));
    scene.obey();
}

#[test]
fn a_minute_of_entries_goes_on_in_the_next_process() {
    let limits = Limits {
        max_orders_per_minute: Some(2),
        ..Limits::default()
    };
    let mut scene = limited_scene(entry_limits(limits), entry_limits(Limits::default()));
    for n in 0..2 {
        scene.submit("alpha", &format!("a{n}"), buy(0.01));
        scene.obey();
    }
    scene.restart();
    let more = scene.submit("alpha", "b", buy(0.01));
    assert_eq!(scene.refusal(more), Reason::RateLimited);
}

#[test]
fn an_order_that_may_not_wait_longer_ends_by_the_clock_that_never_goes_back() {
    let mut scene = one_lane();
    scene.submit("alpha", "busy", buy(0.1));
    let asker = scene.submit("alpha", "a", buy(0.1));
    scene.set_clock(-HOUR_MS);
    scene.live(3);
    let told = scene.order_told(asker);
    assert_eq!(told.state, OrderState::Expired);
    assert_eq!(told.reason, mymt5_orders::reason::EXPIRED_BEFORE_SEND);
    scene.obey_all();
    assert_eq!(scene.positions.len(), 1);
}

#[test]
fn an_order_that_was_late_when_it_should_leave_never_leaves() {
    let mut scene = scene();
    let call = scene.call("alpha", "a", Command::Submit(Ok(Box::new(buy(0.1)))));
    let asker = call.asker;
    scene.shell.step(Input::Call(Box::new(call)));
    scene.shell.pass(2_000);
    scene.shell.settle();
    assert!(scene.shell.sent.is_empty());
    assert_eq!(scene.order_told(asker).state, OrderState::Expired);
}

#[test]
fn a_call_after_its_not_after_is_refused_and_binds_nothing() {
    let mut scene = scene();
    let held = scene.hold("alpha", "h", 0.1);
    let commands = [
        Command::Submit(Ok(Box::new(buy(0.1)))),
        Command::Close(Ok(exit(held, None))),
        Command::Flatten {
            scope: None,
            include_foreign: false,
            reason: String::new(),
        },
    ];
    for (n, command) in commands.into_iter().enumerate() {
        let request = format!("late{n}");
        let mut call = scene.call("local", &request, command.clone());
        call.not_after_ms = Some(scene.shell.now.utc.0 - 1);
        let asker = scene.take(call);
        assert_eq!(scene.refusal(asker), Reason::NotAfterPassed);
        let key = mymt5_orders::RequestKey(name("local"), id(&request));
        assert!(!scene.shell.disk.requests.contains_key(&key));
    }
    assert_eq!(scene.obstacles(), []);
    assert!(scene.shell.sent.is_empty());
    let mut call = scene.call("alpha", "a", Command::Submit(Ok(Box::new(buy(0.1)))));
    call.not_after_ms = Some(scene.shell.now.utc.0);
    scene.take(call);
    scene.obey();
    scene.shell.pass(10_000);
    let mut repeat = scene.call("alpha", "a", Command::Submit(Ok(Box::new(buy(0.1)))));
    repeat.not_after_ms = Some(scene.shell.now.utc.0 - 5_000);
    let repeat = scene.take(repeat);
    assert_eq!(scene.order_told(repeat).state, OrderState::Filled);
}

#[test]
fn a_call_whose_deadline_passed_is_refused_and_binds_nothing() {
    let mut scene = scene();
    let mut call = scene.call("alpha", "a", Command::Submit(Ok(Box::new(buy(0.1)))));
    call.send_before_ms = scene.shell.now.utc.0;
    let asker = scene.take(call);
    assert_eq!(scene.refusal(asker), Reason::DeadlineExpired);
    scene.submit("alpha", "a", buy(0.1));
    scene.obey();
}

#[test]
fn a_clock_that_is_set_forward_and_back_gives_no_id_twice() {
    let mut scene = scene();
    let mut ids = Vec::new();
    for (n, by_ms) in [0, 400 * 24 * HOUR_MS, -400 * 24 * HOUR_MS, -HOUR_MS]
        .into_iter()
        .enumerate()
    {
        scene.set_clock(by_ms);
        scene.submit("alpha", &format!("a{n}"), buy(0.01));
        scene.obey();
        ids.push(scene.id("alpha", &format!("a{n}")).0);
        scene.restart();
    }
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
}

#[test]
fn losses_that_were_measured_stay_measured_when_the_clock_is_set() {
    let limits = daily(500.0, mymt5_guard::LimitAction::Halt);
    let mut scene = limited_scene(limits.clone(), limits);
    scene.set_clock(-HOUR_MS);
    scene.live(2);
    assert_eq!(scene.obstacle(ObstacleKind::LossUnmeasured), None);
    assert_eq!(scene.obstacles(), []);
}

#[test]
fn ids_are_bound_as_often_as_is_granted_and_exits_and_repeats_always() {
    let mut scene = scene();
    let grant = scene.shell.config.grants.get_mut(&name("alpha")).unwrap();
    grant.max_ids_per_minute = Some(3);
    scene.regrant();
    let held = scene.hold("alpha", "h", 0.1);
    for n in 0..2 {
        scene.submit("alpha", &format!("a{n}"), buy(0.01));
        scene.obey();
    }
    let more = scene.submit("alpha", "b", buy(0.01));
    assert_eq!(scene.refusal(more), Reason::RateLimited);
    // Stops that are tightened have room of their own, and that has an end too.
    for n in 0..3 {
        scene.stop("alpha", &format!("s{n}"), held, BID - 500 + 10 * n);
        scene.obey();
    }
    let more = scene.stop("alpha", "t", held, BID - 400);
    assert_eq!(scene.refusal(more), Reason::RateLimited);
    let again = scene.submit("alpha", "a0", buy(0.01));
    assert_eq!(scene.order_told(again).state, OrderState::Filled);
    let other = scene.submit("beta", "b", buy(0.01));
    scene.obey();
    assert_eq!(scene.order_told(other).state, OrderState::Filled);
    scene.close("alpha", "c", held, None);
    scene.obey();
    assert!(scene.position(held).is_none());
    scene.live(61);
    let later = scene.submit("alpha", "d", buy(0.01));
    scene.obey();
    assert_eq!(scene.order_told(later).state, OrderState::Filled);
}
