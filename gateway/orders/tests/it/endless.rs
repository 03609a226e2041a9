//! No state goes on without an end: each ends by evidence, by time, or by an operator's word; and
//! nothing is refused, or kept in memory, for how much was done before.

use crate::bench::{rows::*, scenes::*};
use mymt5_guard::{LimitAction, ScopeLimits};
use mymt5_model::{
    BrokerTime, Magic, OrderRow, OrderState, PositionId, Reason, Receipt, Retcode, RowState, Side,
    Ticket,
};
use mymt5_orders::{
    Acceptance, Adoption, Input, Job, ObstacleKind, Resolution, SendFailure, reason,
};

const DAY_MS: i64 = 86_400_000;

/// How long an absence takes that is believed although the broker had acknowledged the order.
const ACKNOWLEDGED_S: i64 = 400;

/// The broker forgets everything of an order that works.
fn purge(scene: &mut Scene, ticket: Ticket) {
    scene.orders.retain(|row| row.ticket != ticket);
    scene.ended.retain(|row| row.ticket != ticket);
}

/// A close of a position that the broker says is done, of which no deal ever shows.
fn done_without_a_deal(scene: &mut Scene, request: &str, position: u64) -> Job {
    scene.close("alpha", request, position, None);
    let sent = scene.sent();
    scene.say(sent.job, Ok(Receipt::bare(Retcode::DONE)));
    sent.job
}

fn round_trip(scene: &mut Scene, n: usize) {
    let held = scene.hold("alpha", &format!("o{n}"), 0.01);
    scene.close("alpha", &format!("c{n}"), held, None);
    scene.obey_all();
    scene.live(1);
}

#[test]
fn nothing_is_refused_for_how_much_was_done_before() {
    let mut scene = scene();
    let mut trade = |from: usize, to: usize| {
        for n in from..to {
            round_trip(&mut scene, n);
            scene.shell.pass(600_000);
            scene.tick(BID, ASK);
        }
        scene.shell.core.in_memory()
    };
    let (before, after) = (trade(0, 1_500), trade(1_500, 3_000));
    assert!(after <= before + 100, "{before} grew to {after}");
    scene.submit("alpha", "last", buy(0.1));
    scene.obey();
    assert_eq!(scene.state("alpha", "last"), OrderState::Filled);
}

#[test]
fn trailing_stops_leave_nothing_behind() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    let mut trail = |from: i64, to: i64| {
        for n in from..to {
            scene.stop("alpha", &format!("s{n}"), held, BID - 5_000 + n);
            scene.obey_all();
            if n % 10 == 0 {
                scene.live(1);
            }
        }
        scene.shell.core.in_memory()
    };
    let (before, after) = (trail(0, 1_500), trail(1_500, 3_000));
    assert!(after <= before + 100, "{before} grew to {after}");
}

#[test]
fn cancelled_orders_leave_nothing_behind() {
    let mut scene = scene();
    let mut cancel = |from: i64, to: i64| {
        for n in from..to {
            let request = format!("p{n}");
            scene.work("alpha", &request, 0.01);
            let order = scene.id("alpha", &request);
            scene.cancel("alpha", &format!("c{n}"), order);
            scene.obey_all();
            scene.live(1);
        }
        scene.shell.core.in_memory()
    };
    let (before, after) = (cancel(0, 1_200), cancel(1_200, 2_400));
    assert!(after <= before + 100, "{before} grew to {after}");
}

#[test]
fn losses_are_measured_though_the_last_deal_is_old() {
    let mut scene = Scene::unseen(limited(
        ScopeLimits::default(),
        daily(500.0, LimitAction::Halt),
    ));
    let mut old = flow(3, 10_000.0);
    old.time = BrokerTime(scene.broker_time().0 - 30 * DAY_MS);
    scene.deals.push(old);
    scene.connect();
    assert_eq!(scene.obstacles(), []);
    scene.submit("alpha", "a", buy(0.1));
    assert_eq!(scene.state("alpha", "a"), OrderState::Sent);
}

#[test]
fn exits_go_while_the_history_lacks_known_deals() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    let other = scene.hold("alpha", "b", 0.1);
    scene.deals.pop();
    scene.live(61);
    assert!(scene.obstacle(ObstacleKind::HistoryIncomplete).is_some());
    let entry = scene.submit("alpha", "e", buy(0.1));
    assert_eq!(scene.refusal(entry), Reason::HistoryIncomplete);
    scene.close("alpha", "c", held, None);
    scene.obey();
    assert_eq!(scene.state("alpha", "c"), OrderState::Filled);
    scene.restart();
    assert!(scene.obstacle(ObstacleKind::HistoryIncomplete).is_some());
    scene.close("alpha", "d", other, None);
    scene.obey();
    assert_eq!(scene.state("alpha", "d"), OrderState::Filled);
    scene.flatten("f", None, false);
    scene.live_and_obey(2);
    assert!(scene.positions.is_empty());
}

#[test]
fn deals_that_an_operator_accepts_as_missing_close_nothing_any_more() {
    for newest in [false, true] {
        let mut scene = scene();
        for n in 0..5 {
            round_trip(&mut scene, n);
        }
        let gone = if newest { scene.deals.len() - 1 } else { 2 };
        scene.deals.remove(gone);
        scene.live(61);
        assert!(scene.obstacle(ObstacleKind::HistoryIncomplete).is_some());
        scene.accept("ok", Acceptance::MissingDeals);
        scene.live(1);
        assert_eq!(scene.obstacles(), []);
        scene.restart();
        assert_eq!(scene.obstacles(), []);
        let nothing = scene.accept("again", Acceptance::MissingDeals);
        assert_eq!(scene.refusal(nothing), Reason::NothingToAccept);
    }
}

#[test]
fn a_position_whose_deals_are_gone_closes_when_its_row_goes() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    scene.reduce(PositionId(held), lots(0.1), Magic::NONE);
    scene.deals.pop();
    scene.live(70);
    assert!(scene.position(held).is_none());
    assert!(scene.obstacle(ObstacleKind::RowsDisagree).is_some());
    scene.accept("ok", Acceptance::Symbol(symbol("EURUSD")));
    assert_eq!(scene.obstacles(), []);
}

#[test]
fn a_working_order_that_left_no_trace_ends() {
    let mut scene = scene();
    let ticket = scene.work("alpha", "p", 0.1);
    purge(&mut scene, ticket);
    scene.live(60);
    assert_eq!(scene.state("alpha", "p"), OrderState::Unknown);
    assert_eq!(scene.order("alpha", "p").reason, reason::NOT_LISTED);
    assert!(scene.obstacle(ObstacleKind::OrderUnknown).is_some());
    scene.live(ACKNOWLEDGED_S);
    assert_eq!(scene.state("alpha", "p"), OrderState::Canceled);
    assert_eq!(scene.order("alpha", "p").reason, reason::NOT_FOUND);
    assert_eq!(scene.obstacles(), []);
}

#[test]
fn an_operator_ends_what_left_no_trace_before_its_time() {
    let mut scene = scene();
    let ticket = scene.work("alpha", "p", 0.1);
    purge(&mut scene, ticket);
    scene.live(60);
    let order = scene.id("alpha", "p");
    let told = scene.resolve("r", order, Resolution::NotDone);
    assert_eq!(scene.order_told(told).state, OrderState::Rejected);
    assert_eq!(scene.order_told(told).reason, reason::RESOLVED_NOT_DONE);
    let again = scene.resolve("s", order, Resolution::NotDone);
    assert_eq!(scene.refusal(again), Reason::OrderNotUnknown);
    assert_eq!(scene.obstacles(), []);
}

#[test]
fn a_close_that_is_done_without_a_deal_is_doubted_and_holds_back_no_exit_on_hedging() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    done_without_a_deal(&mut scene, "c", held);
    assert_eq!(scene.state("alpha", "c"), OrderState::Sent);
    scene.live(60);
    assert_eq!(scene.state("alpha", "c"), OrderState::Unknown);
    assert_eq!(scene.order("alpha", "c").reason, reason::DONE_WITHOUT_DEAL);
    assert!(scene.notices("order_unknown") > 0);
    scene.close("alpha", "d", held, None);
    scene.obey();
    assert_eq!(scene.state("alpha", "d"), OrderState::Filled);
    scene.live(ACKNOWLEDGED_S);
    assert!(scene.order("alpha", "c").state.is_final());
    assert_eq!(scene.obstacles(), []);
}

#[test]
fn a_close_that_is_done_without_a_deal_ends_by_an_operators_word_on_netting() {
    for resolution in [Resolution::NotDone, Resolution::Done] {
        let mut scene = netting_scene();
        let held = scene.hold("alpha", "a", 0.1);
        done_without_a_deal(&mut scene, "c", held);
        scene.live(60);
        let next = scene.close("alpha", "d", held, None);
        assert_eq!(scene.refusal(next), Reason::PendingReconciliation);
        let order = scene.id("alpha", "c");
        scene.resolve("r", order, resolution);
        scene.close("alpha", "d", held, None);
        scene.obey();
        assert_eq!(scene.state("alpha", "d"), OrderState::Filled);
    }
}

#[test]
fn what_was_resolved_as_done_takes_the_deals_that_come_after_all() {
    let mut scene = scene();
    scene.submit("alpha", "a", buy(0.1));
    let sent = scene.lose_answer();
    let (deals, rows) = (
        std::mem::take(&mut scene.deals),
        std::mem::take(&mut scene.ended),
    );
    scene.live(1);
    let order = scene.id("alpha", "a");
    let told = scene.resolve("r", order, Resolution::Done);
    assert_eq!(scene.order_told(told).reason, reason::RESOLVED_DONE);
    scene.deals = deals;
    scene.ended = rows;
    scene.live(61);
    assert_eq!(scene.order("alpha", "a").filled, lots(0.1));
    assert_eq!(scene.order("alpha", "a").average_price(), Some(1.1001));
    let told = scene.told_of(order);
    assert_eq!(told.last().unwrap().filled, lots(0.1), "{:?}", sent.job);
}

#[test]
fn resolve_looks_again_when_it_is_told_to() {
    let mut scene = scene();
    scene.submit("alpha", "a", buy(0.1));
    scene.lose_answer();
    let order = scene.id("alpha", "a");
    scene.pass();
    assert_eq!(scene.state("alpha", "a"), OrderState::Filled);
    let late = scene.resolve("r", order, Resolution::Reconcile);
    assert_eq!(scene.refusal(late), Reason::OrderNotUnknown);
    scene.submit("alpha", "b", buy(0.1));
    scene.lose();
    scene.pass();
    assert!(!scene.shell.core.wants_pass());
    let order = scene.id("alpha", "b");
    let told = scene.resolve("s", order, Resolution::Reconcile);
    assert_eq!(scene.order_told(told).state, OrderState::Unknown);
    assert!(scene.shell.core.wants_pass());
}

#[test]
fn an_old_order_that_works_makes_no_pass_look_further_back() {
    let mut scene = scene();
    scene.work("alpha", "p", 0.1);
    scene.shell.pass(181 * DAY_MS);
    scene.tick(BID, ASK);
    scene.pass();
    let lookback = scene.shell.core.lookback();
    assert_eq!(lookback.oldest, None);
    let (from, _) = lookback.window(Some(scene.broker_time()));
    assert!(scene.broker_time().0 - from.0 < DAY_MS);
}

#[test]
fn an_end_whose_deals_never_come_is_believed_in_the_end() {
    let mut scene = scene();
    let ticket = scene.work("alpha", "p", 1.0);
    scene.fill_pending(ticket, lots(0.4));
    scene.deals.pop();
    scene.remove(ticket, RowState::Canceled).unwrap();
    scene.live(120);
    let order = scene.order("alpha", "p");
    assert_eq!(order.state, OrderState::Canceled, "{}", order.reason);
}

#[test]
fn a_close_of_all_that_was_smaller_is_filled_when_only_its_row_says_so() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 1.0);
    scene.close("alpha", "c", held, None);
    let sent = scene.sent();
    scene.reduce(PositionId(held), lots(0.4), Magic::NONE);
    scene.execute(&sent).unwrap();
    let deal = scene.deals.last().unwrap().clone();
    scene.shell.feed(Input::Deal(deal));
    scene.say(sent.job, lost());
    scene.live(120);
    let close = scene.order("alpha", "c");
    assert_eq!((close.lots, close.filled), (lots(0.6), lots(0.6)));
    assert_eq!(close.state, OrderState::Filled);
}

/// The rest of an order that was done in part is gone, and its row in the history says PARTIAL.
#[test]
fn an_order_that_ended_in_part_ends() {
    let mut scene = scene();
    scene.submit("alpha", "a", buy(1.0));
    let sent = scene.sent();
    let magic = sent.request.magic().unwrap();
    let mut receipt = scene.open(Side::Buy, lots(0.6), magic);
    receipt.retcode = Retcode::DONE_PARTIAL;
    let row = scene.ended.last_mut().unwrap();
    (row.state, row.lots, row.lots_left) = (RowState::Partial, lots(1.0), lots(0.4));
    scene.say(sent.job, Ok(receipt));
    assert_eq!(scene.state("alpha", "a"), OrderState::PartiallyFilled);
    scene.live(ACKNOWLEDGED_S);
    let order = scene.order("alpha", "a");
    assert_eq!(
        (order.state, order.filled),
        (OrderState::Canceled, lots(0.6))
    );
}

/// The rest of an order that was done in part is gone, and nothing tells of its end.
#[test]
fn an_order_that_was_done_in_part_and_left_no_trace_ends() {
    let mut scene = scene();
    scene.submit("alpha", "a", buy(1.0));
    let sent = scene.sent();
    let magic = sent.request.magic().unwrap();
    let mut receipt = scene.open(Side::Buy, lots(0.6), magic);
    receipt.retcode = Retcode::DONE_PARTIAL;
    scene.ended.clear();
    scene.reduce(PositionId(receipt.order.unwrap().0), lots(0.6), Magic::NONE);
    scene.say(sent.job, Ok(receipt));
    scene.live(60 + ACKNOWLEDGED_S);
    let order = scene.order("alpha", "a");
    assert_eq!(
        (order.state, order.filled),
        (OrderState::Canceled, lots(0.6))
    );
}

#[test]
fn an_order_that_was_adopted_half_filled_is_filled_by_its_other_half() {
    let mut scene = scene();
    let ticket = Ticket(scene.next_ticket());
    let magic = Magic::new(1, 77).unwrap();
    let row = scene.market_row(ticket.0, Side::Buy, lots(1.0), magic);
    scene.orders.push(OrderRow {
        kind: mymt5_model::OrderType::Limit,
        state: RowState::Placed,
        lots_left: lots(1.0),
        price: Some(points(BID - 100)),
        done: None,
        ..row
    });
    let first = scene.fill_pending(ticket, lots(0.4));
    scene.live(61);
    scene.adopt("o", "alpha", Adoption::Order(ticket));
    scene.adopt("d", "alpha", Adoption::Deal(first.ticket));
    scene.adopt("p", "alpha", Adoption::Position(PositionId(ticket.0)));
    let rest = scene.fill_pending(ticket, lots(0.6));
    scene.shell.feed(Input::Deal(rest));
    scene.live(120);
    let adopted = scene.shell.disk.orders.values().find(|o| o.magic == magic);
    assert_eq!(adopted.unwrap().state, OrderState::Filled);
}

#[test]
fn an_order_with_a_row_and_no_deal_ends_by_an_operators_word() {
    let mut scene = scene();
    scene.submit("alpha", "a", buy(0.1));
    scene.lose_answer();
    scene.deals.clear();
    scene.positions.clear();
    scene.live(ACKNOWLEDGED_S);
    assert_eq!(scene.state("alpha", "a"), OrderState::Unknown);
    let order = scene.id("alpha", "a");
    scene.resolve("r", order, Resolution::NotDone);
    assert_eq!(scene.obstacles(), []);
}

#[test]
fn a_refused_entry_frees_its_lane() {
    let mut scene = one_lane();
    for n in 0..3 {
        scene.submit("alpha", &format!("a{n}"), buy(0.1));
        scene.shell.pass(300);
        let sent = scene.sent();
        scene.say(sent.job, Err(SendFailure::Throttled(Retcode::LOCKED)));
    }
    assert!(scene.shell.core.open_orders().next().is_none());
}

/// A close was done in part, and its row in the history says PARTIAL.
#[test]
fn a_close_that_ended_in_part_holds_no_other_back() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 1.0);
    scene.close("alpha", "c", held, Some(1.0));
    let sent = scene.sent();
    let magic = sent.request.magic().unwrap();
    let mut receipt = scene.reduce(PositionId(held), lots(0.6), magic);
    receipt.retcode = Retcode::DONE_PARTIAL;
    receipt.lots_sent = None;
    let row = scene.ended.last_mut().unwrap();
    (row.state, row.lots, row.lots_left) = (RowState::Partial, lots(1.0), lots(0.4));
    scene.say(sent.job, Ok(receipt));
    scene.live(ACKNOWLEDGED_S);
    scene.close("alpha", "d", held, None);
    scene.obey();
    assert!(scene.position(held).is_none());
}

#[test]
fn the_end_of_an_old_order_is_looked_for_since_it_was_seen_last() {
    let mut scene = scene();
    let ticket = scene.work("alpha", "p", 0.1);
    scene.shell.pass(181 * DAY_MS);
    scene.tick(BID, ASK);
    scene.pass();
    scene.remove(ticket, RowState::Canceled).unwrap();
    scene.shell.pass(1_000);
    scene.rows();
    let (from, _) = scene
        .shell
        .core
        .lookback()
        .window(Some(scene.broker_time()));
    assert!(scene.broker_time().0 - from.0 <= 2 * DAY_MS);
}
