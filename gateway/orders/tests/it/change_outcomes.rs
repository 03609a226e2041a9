//! Cancellations, new terms and new levels: in every state where they protect, one after the other, and
//! each with an outcome that is told and kept.

use crate::bench::{rows::*, scenes::*};
use mymt5_guard::TradingState;
use mymt5_model::{
    Edit, LevelsEdit, Magic, OrderState, PositionId, Price, Reason, Retcode, Ticket, TradeRequest,
};
use mymt5_orders::{ChangeOutcome, Command, Input, OrderEdit, PositionEdit, SendFailure};

pub(crate) fn outcome(scene: &Scene, asker: mymt5_orders::Asker) -> ChangeOutcome {
    scene.change_told(asker).outcome
}

pub(crate) fn stop_of(scene: &Scene, position: u64) -> Option<Price> {
    scene.position(position).unwrap().row.levels.stop_loss
}

fn levels_sent(scene: &mut Scene) -> LevelsEdit {
    match scene.obey().request {
        TradeRequest::ModifyPosition { levels, .. } => levels,
        other => panic!("{other:?}"),
    }
}

fn remove_stop() -> PositionEdit {
    PositionEdit {
        stop_loss: Edit::Remove,
        take_profit: Edit::Keep,
    }
}

#[test]
fn an_order_that_waits_in_the_queue_is_cancelled_and_never_leaves() {
    let mut scene = one_lane();
    scene.submit("alpha", "busy", buy(0.1));
    let submitted = scene.submit("alpha", "a", buy(0.1));
    let order = scene.id("alpha", "a");
    let cancelled = scene.cancel("alpha", "c", order);
    assert_eq!(outcome(&scene, cancelled), ChangeOutcome::Done);
    assert_eq!(scene.order_told(submitted).state, OrderState::Canceled);
    scene.obey_all();
    assert_eq!(scene.positions.len(), 1);
    let repeat = scene.cancel("alpha", "c", order);
    assert_eq!(outcome(&scene, repeat), ChangeOutcome::Done);
    scene.restart();
    let repeat = scene.cancel("alpha", "c", order);
    assert_eq!(outcome(&scene, repeat), ChangeOutcome::Done);
}

#[test]
fn a_cancellation_during_a_change_waits_for_it_and_goes() {
    let mut scene = scene();
    scene.work("alpha", "p", 0.1);
    let order = scene.id("alpha", "p");
    let modified = scene.reprice("alpha", "m", order, BID - 900);
    let cancelled = scene.cancel("alpha", "c", order);
    assert_eq!(scene.shell.sent.len(), 1);
    assert!(scene.order("alpha", "p").cancel_pending);
    scene.obey();
    assert_eq!(outcome(&scene, modified), ChangeOutcome::Done);
    let sent = scene.obey();
    assert!(matches!(sent.request, TradeRequest::Cancel { .. }));
    let told = scene.change_told(cancelled);
    assert_eq!(told.outcome, ChangeOutcome::Done);
    let order = told.order.unwrap();
    assert_eq!(order.state, OrderState::Canceled);
    assert_eq!(order.price, Some(points(BID - 900)));
    assert!(!order.cancel_pending);
}

#[test]
fn a_cancellation_goes_at_once_when_the_change_before_it_is_unknown() {
    let mut scene = scene();
    scene.work("alpha", "p", 0.1);
    let order = scene.id("alpha", "p");
    scene.reprice("alpha", "m", order, BID - 900);
    let cancelled = scene.cancel("alpha", "c", order);
    scene.lose();
    scene.obey();
    assert_eq!(outcome(&scene, cancelled), ChangeOutcome::Done);
    let repeat = scene.reprice("alpha", "m", order, BID - 900);
    assert_eq!(outcome(&scene, repeat), ChangeOutcome::Moot);
}

#[test]
fn an_order_that_is_being_cancelled_takes_no_new_terms() {
    let mut scene = scene();
    scene.work("alpha", "p", 0.1);
    let order = scene.id("alpha", "p");
    scene.cancel("alpha", "c", order);
    let modified = scene.reprice("alpha", "m", order, BID - 900);
    assert_eq!(scene.refusal(modified), Reason::ChangeInFlight);
}

#[test]
fn an_order_on_its_way_cannot_be_cancelled_yet_and_the_call_binds_nothing() {
    let mut scene = scene();
    scene.submit("alpha", "p", buy_limit(0.1, BID - 1_000));
    let order = scene.id("alpha", "p");
    let early = scene.cancel("alpha", "c", order);
    assert_eq!(scene.refusal(early), Reason::OrderNotWorking);
    scene.obey();
    let cancelled = scene.cancel("alpha", "c", order);
    scene.obey();
    assert_eq!(outcome(&scene, cancelled), ChangeOutcome::Done);
}

#[test]
fn stops_tightened_one_after_the_other_go_in_their_order() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    let askers: Vec<_> = (1..=5)
        .map(|n| scene.stop("alpha", &format!("s{n}"), held, BID - 600 + n * 100))
        .collect();
    let mut sent = Vec::new();
    while !scene.shell.sent.is_empty() {
        assert_eq!(scene.shell.sent.len(), 1);
        sent.push(levels_sent(&mut scene).stop_loss);
    }
    let expected: Vec<_> = (1..=5)
        .map(|n| Edit::Set(points(BID - 600 + n * 100)))
        .collect();
    assert_eq!(sent, expected);
    for asker in askers {
        assert_eq!(outcome(&scene, asker), ChangeOutcome::Done);
    }
    assert_eq!(stop_of(&scene, held), Some(points(BID - 100)));
    scene.live(61);
    assert_eq!(stop_of(&scene, held), Some(points(BID - 100)));
}

#[test]
fn a_stop_is_tightened_at_once_when_the_change_before_it_is_unknown() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    let first = scene.stop("alpha", "s", held, BID - 500);
    scene.lose();
    assert_eq!(outcome(&scene, first), ChangeOutcome::Unknown);
    let second = scene.stop("alpha", "t", held, BID - 400);
    scene.obey();
    assert_eq!(outcome(&scene, second), ChangeOutcome::Done);
    assert_eq!(stop_of(&scene, held), Some(points(BID - 400)));
}

#[test]
fn a_stop_is_tightened_in_every_state_and_loosened_in_none_but_active() {
    for state in [TradingState::Reducing, TradingState::Halted] {
        let mut scene = scene();
        let held = scene.hold("alpha", "a", 0.1);
        scene.stop("alpha", "s", held, BID - 500);
        scene.obey();
        scene.set_state("h", None, state);
        let tightened = scene.stop("alpha", "t", held, BID - 400);
        scene.obey();
        assert_eq!(outcome(&scene, tightened), ChangeOutcome::Done);
        let loosened = scene.stop("alpha", "l", held, BID - 450);
        assert_eq!(scene.refusal(loosened), Reason::TradingStateForbids);
        let removed = scene.levels("alpha", "r", held, remove_stop());
        assert_eq!(scene.refusal(removed), Reason::TradingStateForbids);
        scene.set_state("g", None, TradingState::Active);
        let loosened = scene.stop("alpha", "l", held, BID - 450);
        scene.obey();
        assert_eq!(outcome(&scene, loosened), ChangeOutcome::Done);
    }
}

#[test]
fn what_tightens_is_judged_by_every_level_that_may_hold_by_then() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    scene.stop("alpha", "s", held, BID - 500);
    scene.obey();
    scene.stop("alpha", "t", held, BID - 100);
    scene.lose();
    scene.set_state("h", None, TradingState::Halted);
    let between = scene.stop("alpha", "u", held, BID - 300);
    assert_eq!(scene.refusal(between), Reason::TradingStateForbids);
    let nearer = scene.stop("alpha", "v", held, BID - 50);
    scene.obey();
    assert_eq!(outcome(&scene, nearer), ChangeOutcome::Done);
}

#[test]
fn a_cancellation_goes_in_every_state() {
    for state in [TradingState::Reducing, TradingState::Halted] {
        let mut scene = scene();
        scene.work("alpha", "p", 0.1);
        let order = scene.id("alpha", "p");
        scene.set_state("h", Some("beta"), state);
        scene.set_state("i", Some("alpha"), state);
        let cancelled = scene.cancel("alpha", "c", order);
        scene.obey();
        scene.live(1);
        assert_eq!(outcome(&scene, cancelled), ChangeOutcome::Done);
    }
}

#[test]
fn a_refused_change_is_a_result_with_its_code() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    scene.work("alpha", "p", 0.1);
    let order = scene.id("alpha", "p");
    let levels = scene.stop("alpha", "s", held, BID - 500);
    let sent = scene.sent();
    scene.say(sent.job, Err(SendFailure::Throttled(Retcode::FROZEN)));
    assert_eq!(
        outcome(&scene, levels),
        ChangeOutcome::Refused(Retcode::FROZEN)
    );
    let terms = scene.reprice("alpha", "m", order, BID - 900);
    scene.refuse(Retcode::INVALID_PRICE);
    let refused = ChangeOutcome::Refused(Retcode::INVALID_PRICE);
    assert_eq!(outcome(&scene, terms), refused);
    let repeat = scene.reprice("alpha", "m", order, BID - 900);
    assert_eq!(outcome(&scene, repeat), refused);
    let nothing = scene.reprice("alpha", "n", order, BID - 800);
    scene.refuse(Retcode::NO_CHANGES);
    assert_eq!(outcome(&scene, nothing), ChangeOutcome::Done);
    let cancelled = scene.cancel("alpha", "c", order);
    let sent = scene.sent();
    scene.say(sent.job, not_sent());
    assert_eq!(outcome(&scene, cancelled), ChangeOutcome::NotSent);
    let order = scene.order("alpha", "p");
    assert_eq!(
        (order.state, order.cancel_pending),
        (OrderState::Working, false)
    );
}

#[test]
fn a_repeat_tells_what_was_recorded_though_the_position_is_gone() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    scene.stop("alpha", "s", held, BID - 500);
    scene.obey();
    scene.close("alpha", "c", held, None);
    scene.obey();
    scene.live(2);
    for _ in 0..2 {
        let repeat = scene.stop("alpha", "s", held, BID - 500);
        assert_eq!(outcome(&scene, repeat), ChangeOutcome::Done);
        let repeat = scene.close("alpha", "c", held, None);
        assert_eq!(scene.order_told(repeat).state, OrderState::Filled);
        scene.set_state("h", None, TradingState::Halted);
        scene.restart();
    }
    let mut other = scene.call(
        "alpha",
        "s",
        Command::ModifyPosition(PositionId(held), Ok(stop_at(BID - 400))),
    );
    other.content = [8; 32];
    let other = scene.take(other);
    assert_eq!(scene.refusal(other), Reason::IdempotencyMismatch);
}

#[test]
fn a_repeat_in_flight_joins_it() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    let first = scene.stop("alpha", "s", held, BID - 500);
    let second = scene.stop("alpha", "s", held, BID - 500);
    assert_eq!(scene.shell.sent.len(), 1);
    scene.obey();
    assert_eq!(outcome(&scene, first), ChangeOutcome::Done);
    assert_eq!(outcome(&scene, second), ChangeOutcome::Done);
}

#[test]
fn the_ticket_of_a_position_is_the_one_it_has_when_the_request_leaves() {
    let mut scene = one_lane();
    let held = scene.hold("alpha", "a", 0.1);
    scene.submit("alpha", "busy", buy(0.1));
    scene.stop("alpha", "s", held, BID - 500);
    scene.close("alpha", "c", held, Some(0.05));
    scene.positions[0].ticket = Ticket(9_999);
    scene.rows();
    scene.obey();
    let close = scene.obey();
    assert!(
        matches!(close.request, TradeRequest::Close { position, .. } if position == Ticket(9_999))
    );
    let levels = scene.obey();
    assert!(matches!(
        levels.request,
        TradeRequest::ModifyPosition { position, .. } if position == Ticket(9_999)
    ));
}

#[test]
fn a_change_of_a_position_that_closes_meanwhile_is_moot() {
    let mut scene = one_lane();
    let held = scene.hold("alpha", "a", 0.1);
    scene.submit("alpha", "busy", buy(0.1));
    let changed = scene.stop("alpha", "s", held, BID - 500);
    scene.reduce(PositionId(held), lots(0.1), Magic::NONE);
    let deal = scene.deals.last().unwrap().clone();
    scene.shell.feed(Input::Deal(deal));
    assert_eq!(outcome(&scene, changed), ChangeOutcome::Moot);
    scene.obey();
    assert!(scene.shell.sent.is_empty());
}

#[test]
fn an_order_that_fills_while_its_cancellation_is_in_flight_is_filled() {
    let mut scene = scene();
    let ticket = scene.work("alpha", "p", 0.1);
    let order = scene.id("alpha", "p");
    let cancelled = scene.cancel("alpha", "c", order);
    let deal = scene.fill_pending(ticket, lots(0.1));
    scene.shell.feed(Input::Deal(deal));
    assert_eq!(scene.state("alpha", "p"), OrderState::Filled);
    assert!(!scene.order("alpha", "p").cancel_pending);
    scene.obey();
    assert_eq!(
        outcome(&scene, cancelled),
        ChangeOutcome::Refused(Retcode::INVALID_ORDER)
    );
    assert_eq!(scene.state("alpha", "p"), OrderState::Filled);
}

#[test]
fn a_cancellation_that_crosses_a_fill_ends_filled_without_an_alarm() {
    let mut scene = scene();
    let ticket = scene.work("alpha", "p", 0.1);
    let order = scene.id("alpha", "p");
    let deal = scene.fill_pending(ticket, lots(0.1));
    scene.cancel("alpha", "c", order);
    let sent = scene.sent();
    scene.say(sent.job, Ok(mymt5_model::Receipt::bare(Retcode::DONE)));
    assert_eq!(scene.state("alpha", "p"), OrderState::Canceled);
    scene.shell.feed(Input::Deal(deal));
    assert_eq!(scene.state("alpha", "p"), OrderState::Filled);
    assert_eq!(scene.notices("late_evidence"), 0);
}

#[test]
fn a_stop_loss_on_the_wrong_side_is_refused_before_it_leaves() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    let above = scene.stop("alpha", "s", held, BID + 100);
    assert_eq!(scene.refusal(above), Reason::StopsWrongSide);
    let close = scene.stop("alpha", "t", held, BID - 5);
    assert_eq!(scene.refusal(close), Reason::StopsTooClose);
    let off = PositionEdit {
        stop_loss: Edit::Set(1.095_123_4),
        take_profit: Edit::Keep,
    };
    let off = scene.levels("alpha", "u", held, off);
    assert_eq!(scene.refusal(off), Reason::PriceOffGrid);
    assert!(scene.shell.sent.is_empty());
}

#[test]
fn a_level_that_is_not_named_is_kept_by_whoever_executes_the_change() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    scene.stop("alpha", "s", held, BID - 500);
    scene.obey();
    let profit = PositionEdit {
        stop_loss: Edit::Keep,
        take_profit: Edit::Set(points(ASK + 500).to_f64()),
    };
    scene.levels("alpha", "t", held, profit);
    let sent = levels_sent(&mut scene);
    assert_eq!(sent.stop_loss, Edit::Keep);
    let levels = scene.position(held).unwrap().row.levels;
    assert_eq!(levels.stop_loss, Some(points(BID - 500)));
    assert_eq!(levels.take_profit, Some(points(ASK + 500)));
}

#[test]
fn a_target_has_so_many_changes_and_no_more() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    for n in 0..16 {
        scene.stop("alpha", &format!("s{n}"), held, BID - 900 + n);
    }
    let one_more = scene.stop("alpha", "more", held, BID - 100);
    assert_eq!(scene.refusal(one_more), Reason::ChangeInFlight);
    scene.obey();
    scene.stop("alpha", "more", held, BID - 100);
    scene.obey_all();
    assert_eq!(stop_of(&scene, held), Some(points(BID - 100)));
}

#[test]
fn a_change_that_could_not_leave_in_time_says_so() {
    let mut scene = one_lane();
    let held = scene.hold("alpha", "a", 0.1);
    scene.submit("alpha", "busy", buy(0.1));
    let first = scene.stop("alpha", "s", held, BID - 500);
    let second = scene.stop("alpha", "t", held, BID - 400);
    scene.live(3);
    for asker in [first, second] {
        assert_eq!(outcome(&scene, asker), ChangeOutcome::Expired);
    }
    scene.obey_all();
    assert_eq!(stop_of(&scene, held), None);
}

#[test]
fn whoever_gives_up_learns_that_a_change_is_on_its_way() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    let asker = scene.stop("alpha", "s", held, BID - 500);
    scene.give_up(asker);
    assert_eq!(outcome(&scene, asker), ChangeOutcome::Pending);
    scene.obey();
    assert_eq!(scene.answers(asker).len(), 1);
    let repeat = scene.stop("alpha", "s", held, BID - 500);
    assert_eq!(outcome(&scene, repeat), ChangeOutcome::Done);
}

#[test]
fn control_touches_what_others_own_and_nobody_else_does() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    scene.work("alpha", "p", 0.1);
    let order = scene.id("alpha", "p");
    let stranger = scene.cancel("beta", "c", order);
    assert_eq!(scene.refusal(stranger), Reason::OrderNotFound);
    let stranger = scene.reprice("beta", "m", order, BID - 900);
    assert_eq!(scene.refusal(stranger), Reason::OrderNotFound);
    let stranger = scene.stop("beta", "s", held, BID - 500);
    assert_eq!(scene.refusal(stranger), Reason::PositionNotFound);
    let stranger = scene.close("beta", "x", held, None);
    assert_eq!(scene.refusal(stranger), Reason::PositionNotFound);
    scene.reprice("local", "m", order, BID - 900);
    scene.stop("local", "s", held, BID - 500);
    scene.obey_all();
    scene.cancel("local", "c", order);
    scene.close("local", "x", held, None);
    scene.obey_all();
    assert_eq!(scene.state("alpha", "p"), OrderState::Canceled);
    let close = scene.order("local", "x");
    assert_eq!(
        (close.client.clone(), close.state),
        (name("alpha"), OrderState::Filled)
    );
    assert!(scene.position(held).is_none());
}

#[test]
fn an_order_of_the_past_is_named_as_one_that_works_no_more() {
    let mut scene = scene();
    scene.hold("alpha", "a", 0.1);
    let order = scene.id("alpha", "a");
    scene.restart();
    let late = scene.cancel("alpha", "c", order);
    assert_eq!(scene.refusal(late), Reason::OrderNotWorking);
    let never = scene.cancel("alpha", "d", mymt5_model::OrderId(1));
    assert_eq!(scene.refusal(never), Reason::OrderNotFound);
}

#[test]
fn a_halts_own_cancellation_that_died_with_its_process_is_pending_no_more() {
    let mut scene = scene();
    scene.work("alpha", "p", 0.1);
    scene.set_state("h", None, TradingState::Halted);
    assert!(scene.order("alpha", "p").cancel_pending);
    scene.restart();
    scene.set_state("r", None, TradingState::Active);
    scene.live(61);
    let order = scene.order("alpha", "p");
    assert_eq!(
        (order.state, order.cancel_pending),
        (OrderState::Working, false)
    );
}

#[test]
fn new_terms_are_checked_against_the_levels_that_they_leave() {
    let mut scene = scene();
    scene.work("alpha", "p", 0.1);
    let order = scene.id("alpha", "p");
    let edit = OrderEdit {
        price: None,
        stop_limit_price: None,
        stop_loss: Edit::Set(points(BID + 500).to_f64()),
        take_profit: Edit::Keep,
        time_in_force: None,
    };
    let wrong = scene.ask("alpha", "m", Command::ModifyOrder(order, Ok(edit)));
    assert_eq!(scene.refusal(wrong), Reason::StopsWrongSide);
}

#[test]
fn a_change_back_is_no_change_of_nothing() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    scene.stop("alpha", "s", held, BID - 500);
    scene.obey();
    scene.stop("alpha", "t", held, BID - 400);
    let back = scene.stop("alpha", "u", held, BID - 500);
    scene.obey_all();
    assert_eq!(outcome(&scene, back), ChangeOutcome::Done);
    let held = &scene.positions[0];
    assert_eq!(held.levels.stop_loss, Some(points(BID - 500)));
}

#[test]
fn a_change_that_changes_nothing_is_done_without_a_request() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    scene.work("alpha", "p", 0.1);
    let order = scene.id("alpha", "p");
    scene.stop("alpha", "s", held, BID - 500);
    scene.reprice("alpha", "r", order, BID - 900);
    scene.obey_all();
    scene.rows();
    let told = scene.shell.events.len();
    let levels = scene.stop("alpha", "t", held, BID - 500);
    let terms = scene.reprice("alpha", "u", order, BID - 900);
    assert!(scene.shell.sent.is_empty());
    assert_eq!(scene.shell.events.len(), told);
    for same in [levels, terms] {
        assert_eq!(outcome(&scene, same), ChangeOutcome::Done);
    }
    let repeat = scene.stop("alpha", "t", held, BID - 500);
    assert_eq!(outcome(&scene, repeat), ChangeOutcome::Done);
}
