//! A flatten goes on until nothing is left, whatever stands in its way.

use crate::bench::{rows::*, scenes::*};
use mymt5_guard::{LimitAction, ScopeLimits, TradingState};
use mymt5_model::{
    Lots, Magic, OrderRow, OrderState, OrderType, PositionId, Retcode, RowState, Side, SymbolSpec,
    Ticket, TradeRequest,
};
use mymt5_orders::{
    Adoption, Event, Input, Item, Job, ObstacleKind, Purpose, Resolution, SendFailure,
};
use std::sync::Arc;

/// A pending order of a hand, far below the market.
fn place_by_hand(scene: &mut Scene) -> Ticket {
    let ticket = Ticket(scene.next_ticket());
    let row = scene.market_row(ticket.0, Side::Buy, lots(0.1), Magic::NONE);
    scene.orders.push(OrderRow {
        kind: OrderType::Limit,
        state: RowState::Placed,
        lots_left: row.lots,
        price: Some(points(BID - 2_000)),
        done: None,
        ..row
    });
    scene.rows();
    ticket
}

fn most_lots(scene: &mut Scene, most: f64) {
    let mut spec = SymbolSpec::clone(&spec());
    spec.volume.max = lots(most);
    let specs = &mut scene.shell.prices.specs;
    specs.insert(symbol("EURUSD"), Arc::new(spec));
}

fn is_flattening(scene: &Scene) -> bool {
    scene.obstacle(ObstacleKind::Flattening).is_some()
}

/// What each flatten event said is left.
fn told_left(scene: &Scene) -> Vec<usize> {
    let told = scene.events().filter_map(|event| match event {
        Event::Flatten(_, left) => Some(left.len()),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_flatten_closes_everything_though_one_lane_takes_its_time() {
    let mut scene = one_lane();
    for n in 0..40 {
        scene.hold("alpha", &format!("h{n}"), 0.1);
    }
    let report = scene.flatten("f", None, false);
    assert_eq!((report.closes, report.left.len()), (40, 40));
    for _ in 0..40 {
        scene.obey();
        scene.shell.pass(200);
        scene.shell.feed(Input::Second);
        scene.rows();
    }
    assert!(scene.positions.is_empty(), "{} left", scene.positions.len());
    scene.live(2);
    assert!(!is_flattening(&scene));
    assert_eq!(scene.shell.core.account_state(), TradingState::Halted);
    assert_eq!(told_left(&scene).last(), Some(&0));
}

#[test]
fn a_close_of_a_flatten_that_waited_too_long_is_tried_again() {
    let mut scene = one_lane();
    scene.hold("alpha", "a", 0.1);
    let held = scene.hold("alpha", "b", 0.1);
    scene.flatten("f", None, false);
    let stuck = scene.sent();
    scene.live(61);
    let closes = scene.shell.disk.orders.values();
    let expired = closes.filter(|order| order.state == OrderState::Expired);
    assert_eq!(expired.count(), 1);
    assert!(scene.position(held).is_some());
    scene.say(stuck.job, lost());
    scene.live_and_obey(61);
    assert!(scene.positions.is_empty());
}

#[test]
fn a_close_that_the_broker_refused_is_tried_again_after_growing_pauses() {
    let mut scene = scene();
    scene.hold("alpha", "a", 0.1);
    scene.flatten("f", None, false);
    let mut attempts = 0;
    for _ in 0..30 {
        while !scene.shell.sent.is_empty() {
            attempts += 1;
            scene.refuse(Retcode::PRICE_OFF);
        }
        scene.live(1);
    }
    assert!((4..=6).contains(&attempts), "{attempts}");
    let report = scene.flatten("again", None, false);
    assert!(report.left[0].why.contains("closing"), "{report:?}");
    scene.refuse(Retcode::MARKET_CLOSED);
    scene.shell.feed(Input::Second);
    let left = scene.events().filter_map(|event| match event {
        Event::Flatten(_, left) => left.first(),
        _ => None,
    });
    let why = &left.last().unwrap().why;
    assert!(why.contains("market is closed"), "{why}");
}

#[test]
fn an_entry_that_waits_never_leaves_a_flattened_scope() {
    let mut scene = one_lane();
    scene.hold("alpha", "h", 0.1);
    let held = scene.positions[0].id.0;
    scene.stop("alpha", "busy", held, BID - 100);
    let asker = scene.submit("alpha", "a", buy(0.1));
    scene.flatten("f", None, false);
    scene.obey_all();
    assert_eq!(scene.order_told(asker).state, OrderState::Rejected);
    assert_eq!(scene.order_told(asker).reason, "TRADING_STATE");
    scene.live_and_obey(3);
    assert!(scene.positions.is_empty());
}

#[test]
fn what_fills_late_is_closed_too() {
    let mut scene = scene();
    scene.submit("alpha", "a", buy(0.1));
    let on_its_way = scene.sent();
    let report = scene.flatten("f", Some("alpha"), false);
    assert_eq!(report.left.len(), 1);
    assert!(report.left[0].why.contains("on its way"));
    scene.live(5);
    assert!(is_flattening(&scene));
    let receipt = scene.execute(&on_its_way);
    scene.say(on_its_way.job, receipt);
    scene.live_and_obey(3);
    assert!(scene.positions.is_empty());
    assert!(!is_flattening(&scene));
}

#[test]
fn a_working_order_is_cancelled_and_a_refused_cancellation_is_tried_again() {
    let mut scene = scene();
    scene.work("alpha", "p", 0.1);
    let report = scene.flatten("f", None, false);
    assert_eq!(report.cancellations, 1);
    let sent = scene.refuse(Retcode::LOCKED);
    assert!(matches!(sent.request, TradeRequest::Cancel { .. }));
    assert!(is_flattening(&scene));
    scene.live_and_obey(4);
    assert_eq!(scene.state("alpha", "p"), OrderState::Canceled);
    scene.live(5);
    assert!(
        !is_flattening(&scene),
        "a pass told that nothing of it was filled"
    );
}

#[test]
fn foreign_pending_orders_go_only_with_include_foreign() {
    for include in [false, true] {
        let mut scene = scene();
        let ticket = place_by_hand(&mut scene);
        let report = scene.flatten("f", None, include);
        let listed = report
            .left
            .iter()
            .any(|left| left.item == Item::Foreign(ticket));
        assert_eq!(listed, include);
        assert_eq!(report.cancellations, u32::from(include));
        scene.live_and_obey(3);
        assert_eq!(scene.orders.is_empty(), include);
        assert!(!is_flattening(&scene));
    }
}

#[test]
fn foreign_positions_go_only_with_include_foreign() {
    for include in [false, true] {
        let mut scene = scene();
        scene.hold_foreign(0.2);
        scene.flatten("f", None, include);
        scene.live_and_obey(3);
        assert_eq!(scene.positions.is_empty(), include);
        assert!(!is_flattening(&scene));
    }
}

#[test]
fn a_client_s_flatten_leaves_the_others_alone() {
    let mut scene = scene();
    scene.hold("alpha", "a", 0.1);
    let other = scene.hold("beta", "b", 0.1);
    let working = scene.work("beta", "p", 0.1);
    let by_hand = place_by_hand(&mut scene);
    scene.flatten("f", Some("alpha"), true);
    scene.live_and_obey(3);
    let left: Vec<u64> = scene.positions.iter().map(|held| held.id.0).collect();
    assert_eq!(left, [other]);
    let works: Vec<Ticket> = scene.orders.iter().map(|row| row.ticket).collect();
    assert_eq!(works, [working, by_hand]);
    assert_eq!(
        scene.shell.core.state_of(&name("beta")),
        TradingState::Active
    );
    assert_eq!(
        scene.shell.core.state_of(&name("alpha")),
        TradingState::Halted
    );
}

#[test]
fn a_position_above_the_largest_volume_is_closed_in_parts() {
    let mut scene = netting_scene();
    let held = scene.hold("alpha", "a", 2.5);
    most_lots(&mut scene, 1.0);
    scene.flatten("f", None, false);
    let sent = std::mem::take(&mut scene.shell.sent);
    let volumes: Vec<Option<Lots>> = sent.iter().map(|sent| closed_by(sent).1).collect();
    let parts = [1.0, 1.0, 0.5].map(|part| Some(lots(part)));
    assert_eq!(volumes, parts);
    for sent in sent {
        let outcome = scene.execute(&sent);
        scene.say(sent.job, outcome);
    }
    scene.live(2);
    assert!(scene.position(held).is_none());
    assert!(!is_flattening(&scene));
}

#[test]
fn a_halt_does_not_end_a_flatten() {
    let mut scene = limited_scene(ScopeLimits::default(), daily(500.0, LimitAction::Flatten));
    let held = scene.hold("alpha", "a", 1.0);
    scene.positions[0].profit = money(-600.0);
    scene.refresh();
    scene.rows();
    assert!(is_flattening(&scene));
    scene.set_state("h", None, TradingState::Halted);
    assert!(is_flattening(&scene));
    scene.live_and_obey(3);
    assert!(scene.position(held).is_none());
    assert_eq!(scene.shell.core.account_state(), TradingState::Halted);
}

#[test]
fn resuming_ends_a_flatten() {
    let mut scene = scene();
    scene.hold("alpha", "a", 0.1);
    scene.flatten("f", None, false);
    scene.refuse(Retcode::MARKET_CLOSED);
    scene.set_state("r", None, TradingState::Active);
    scene.live(100);
    assert!(scene.shell.sent.is_empty());
    assert!(!is_flattening(&scene));
    assert_eq!(scene.positions.len(), 1);
}

#[test]
fn a_flatten_goes_on_in_the_next_process() {
    let mut scene = scene();
    scene.hold("alpha", "a", 0.1);
    scene.hold("alpha", "b", 0.1);
    scene.flatten("f", None, false);
    scene.lose();
    scene.restart();
    assert!(is_flattening(&scene));
    scene.live_and_obey(3);
    assert!(scene.positions.is_empty(), "{:?}", scene.positions);
    assert_eq!(scene.shell.core.account_state(), TradingState::Halted);
}

#[test]
fn a_flatten_waits_for_the_link_and_goes_on_at_once_when_it_is_back() {
    let mut scene = scene();
    scene.hold("alpha", "a", 0.1);
    scene.shell.feed(Input::Link(false));
    let report = scene.flatten("f", None, false);
    assert!(report.left[0].why.contains("cannot be reached"));
    scene.shell.feed(Input::Second);
    assert!(scene.shell.sent.is_empty());
    scene.connect();
    scene.live_and_obey(1);
    assert!(scene.positions.is_empty());
}

#[test]
fn an_unknown_close_holds_others_back_on_netting_alone() {
    for netting in [false, true] {
        let mut scene = if netting { netting_scene() } else { scene() };
        scene.hold("alpha", "a", 0.1);
        scene.flatten("f", None, false);
        let Job::Order(close) = scene.lose().job else {
            panic!()
        };
        scene.live_and_obey(5);
        assert_eq!(scene.positions.is_empty(), !netting);
        if netting {
            let report = scene.flatten("why", None, false);
            assert!(report.left[0].why.contains("unknown outcome"), "{report:?}");
            scene.resolve("r", close, Resolution::NotDone);
            scene.live_and_obey(61);
            assert!(scene.positions.is_empty());
        }
    }
}

#[test]
fn the_closes_of_a_flatten_bear_names_of_their_own() {
    let mut scene = scene();
    scene.hold("alpha", "a", 0.1);
    scene.hold("alpha", "b", 0.1);
    scene.flatten("f", None, false);
    let closes = scene.shell.disk.orders.values();
    let closes = closes.filter(|order| !matches!(order.purpose, Purpose::Entry));
    let names: Vec<&str> = closes.map(|order| order.request_id.as_str()).collect();
    assert_eq!(names.len(), 2);
    assert_ne!(names[0], names[1]);
    assert!(!names.contains(&"f"));
}

#[test]
fn a_flatten_that_waits_with_nothing_left_says_so_once() {
    let mut scene = scene();
    scene.shell.feed(Input::Link(false));
    scene.flatten("f", None, false);
    for _ in 0..60 {
        scene.shell.pass(1_000);
        scene.shell.feed(Input::Second);
    }
    assert!(is_flattening(&scene));
    let told = told_left(&scene);
    assert!(told.len() <= 1, "{} events in a minute", told.len());
}

#[test]
fn an_orphan_order_is_no_end_of_a_flatten() {
    let mut scene = scene();
    let magic = Magic::new(1, 77).unwrap();
    let ticket = place_by_hand(&mut scene);
    scene.orders[0].magic = magic;
    scene.rows();
    assert!(scene.obstacle(ObstacleKind::OrphanRows).is_some());
    scene.flatten("f", None, false);
    scene.live_and_obey(5);
    let gone = scene.orders.iter().all(|row| row.ticket != ticket);
    assert!(gone || is_flattening(&scene), "over, and {ticket} works");
}

#[test]
fn a_position_that_is_closed_meanwhile_is_no_failure() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    scene.flatten("f", None, false);
    let close = scene.sent();
    scene.reduce(PositionId(held), lots(0.1), Magic::NONE);
    scene.say(
        close.job,
        Err(SendFailure::Rejected(Retcode::POSITION_CLOSED)),
    );
    assert!(scene.shell.core.wants_pass());
    scene.live(2);
    assert!(scene.position(held).is_none());
    assert!(!is_flattening(&scene));
}

#[test]
fn a_link_that_comes_back_ends_the_pauses_of_a_flatten() {
    let mut scene = scene();
    scene.hold("alpha", "a", 0.1);
    scene.flatten("f", None, false);
    for _ in 0..40 {
        if !scene.shell.sent.is_empty() {
            scene.refuse(Retcode::PRICE_OFF);
        }
        scene.live(1);
    }
    scene.shell.feed(Input::Link(false));
    scene.connect();
    scene.live_and_obey(1);
    assert!(scene.positions.is_empty());
}

#[test]
fn a_flatten_is_not_over_before_the_broker_was_compared() {
    let mut scene = scene();
    scene.flatten("f", None, false);
    scene.shell.restart();
    scene.shell.feed(Input::Link(true));
    let magic = Magic::new(1, 77).unwrap();
    let late = scene.open(Side::Buy, lots(0.1), magic).order.unwrap();
    scene.shell.feed(Input::Second);
    assert!(is_flattening(&scene));
    scene.pass();
    assert!(scene.position(late.0).is_some());
    scene.live_and_obey(2);
    assert!(scene.positions.is_empty());
    scene.live_and_obey(1);
    assert!(!is_flattening(&scene));
}

/// How often a flatten asks within so many seconds, of which a broker refuses each.
fn refused(scene: &mut Scene, seconds: i64, ticks: bool) -> usize {
    let mut asked = 0;
    for _ in 0..seconds {
        scene.shell.pass(1_000);
        if ticks {
            scene.tick(BID, ASK);
        }
        scene.shell.feed(Input::Second);
        while !scene.shell.sent.is_empty() {
            scene.refuse(Retcode::MARKET_CLOSED);
            asked += 1;
        }
    }
    asked
}

#[test]
fn a_closed_market_is_tried_less_and_less_and_at_once_when_it_moves() {
    let mut scene = scene();
    scene.hold("alpha", "a", 0.1);
    scene.flatten("f", None, false);
    scene.refuse(Retcode::MARKET_CLOSED);
    let day = refused(&mut scene, 86_400, false);
    assert!((96..=120).contains(&day), "{day}");
    while refused(&mut scene, 1, false) == 0 {}
    scene.shell.pass(61_000);
    scene.shell.feed(Input::Second);
    assert!(scene.shell.sent.is_empty());
    scene.tick(BID, ASK);
    scene.shell.feed(Input::Second);
    scene.obey();
    assert!(scene.positions.is_empty());
}

#[test]
fn a_market_that_moves_and_refuses_is_not_hammered() {
    let mut scene = scene();
    scene.hold("alpha", "a", 0.1);
    scene.flatten("f", None, false);
    scene.refuse(Retcode::MARKET_CLOSED);
    let hour = refused(&mut scene, 3_600, true);
    assert!(hour <= 66, "{hour}");
}

#[test]
fn orders_that_no_journal_knows_are_cancelled_in_the_scope_of_their_slot() {
    for (scope, goes) in [(Some("alpha"), true), (Some("beta"), false), (None, true)] {
        let mut scene = scene();
        let ticket = place_by_hand(&mut scene);
        scene.orders[0].magic = Magic::new(1, 77).unwrap();
        scene.rows();
        let report = scene.flatten("f", scope, false);
        assert_eq!(report.left.len(), usize::from(goes), "{scope:?}");
        scene.live_and_obey(5);
        let gone = scene.orders.iter().all(|row| row.ticket != ticket);
        assert_eq!(gone, goes, "{scope:?}");
        assert!(!is_flattening(&scene));
    }
}

/// Its deals are known in part, since somebody else opened it: they tell nothing of it.
#[test]
fn a_flatten_ends_with_a_position_that_no_deals_tell() {
    let mut scene = netting_scene();
    scene.open(Side::Buy, lots(0.1), Magic::NONE);
    scene.deals.clear();
    scene.live(61);
    let held = scene.positions[0].id;
    scene.adopt("adopt", "alpha", Adoption::Position(held));
    scene.submit("alpha", "a", buy(0.1));
    scene.obey();
    scene.rows();
    scene.flatten("f", None, false);
    scene.live_and_obey(7);
    assert!(scene.positions.is_empty());
    assert!(!is_flattening(&scene));
}
