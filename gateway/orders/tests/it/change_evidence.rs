//! What rows tell of changes: those of before them undo nothing, and where the answer is lost they
//! decide what became of it.

use super::change_outcomes::{outcome, stop_of};
use crate::bench::{rows::*, scenes::*};
use mymt5_guard::TradingState;
use mymt5_model::{
    BrokerTime, Edit, Moment, OrderId, OrderState, OrderType, Receipt, Retcode, RowState,
    TimeInForce, TradeRequest, UtcTime,
};
use mymt5_orders::{ChangeOutcome, Command, Event, Input, NewOrder, OrderEdit, reason};

#[test]
fn rows_from_before_a_change_undo_no_levels() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    let stale = scene.snapshot();
    scene.stop("alpha", "s", held, BID - 500);
    scene.obey();
    scene.shell.feed(Input::Rows(stale));
    assert_eq!(stop_of(&scene, held), Some(points(BID - 500)));
    let told = scene.events().filter_map(|event| match event {
        Event::Position(position) => Some(position.row.levels.stop_loss),
        _ => None,
    });
    assert_eq!(told.last(), Some(Some(points(BID - 500))));
    scene.positions[0].levels.stop_loss = Some(points(BID - 700));
    scene.rows();
    assert_eq!(stop_of(&scene, held), Some(points(BID - 700)));
}

#[test]
fn rows_from_before_a_change_undo_no_terms() {
    let mut scene = scene();
    scene.work("alpha", "p", 0.1);
    let order = scene.id("alpha", "p");
    let stale = scene.snapshot();
    scene.reprice("alpha", "m", order, BID - 900);
    scene.obey();
    scene.shell.feed(Input::Rows(stale));
    assert_eq!(scene.order("alpha", "p").price, Some(points(BID - 900)));
    scene.orders[0].price = Some(points(BID - 950));
    scene.rows();
    assert_eq!(scene.order("alpha", "p").price, Some(points(BID - 950)));
}

#[test]
fn rows_from_before_the_placing_miss_no_order() {
    let mut scene = scene();
    let stale = scene.snapshot();
    scene.submit("alpha", "p", buy_limit(0.1, BID - 1_000));
    scene.obey();
    scene.shell.pass(6_000);
    scene.shell.feed(Input::Rows(stale));
    assert!(!scene.shell.core.wants_pass());
    assert_eq!(scene.shell.core.lookback().oldest, None);
    assert_eq!(scene.state("alpha", "p"), OrderState::Working);
}

#[test]
fn rows_from_before_two_changes_tell_nothing_of_the_second() {
    let mut scene = scene();
    scene.work("alpha", "p", 0.1);
    let order = scene.id("alpha", "p");
    let stale = scene.snapshot();
    scene.reprice("alpha", "m", order, BID - 900);
    scene.obey();
    let back = scene.reprice("alpha", "n", order, BID - 1_000);
    scene.lose();
    scene.shell.feed(Input::Rows(stale));
    assert_eq!(outcome(&scene, back), ChangeOutcome::Unknown);
    let repeat = scene.reprice("alpha", "n", order, BID - 1_000);
    assert_eq!(outcome(&scene, repeat), ChangeOutcome::Unknown);
}

#[test]
fn an_unknown_change_is_done_when_the_rows_say_so() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    scene.work("alpha", "p", 0.1);
    let order = scene.id("alpha", "p");
    scene.stop("alpha", "s", held, BID - 500);
    scene.lose_answer();
    scene.reprice("alpha", "m", order, BID - 900);
    scene.lose_answer();
    scene.rows();
    let levels = scene.stop("alpha", "s", held, BID - 500);
    assert_eq!(outcome(&scene, levels), ChangeOutcome::Done);
    let terms = scene.reprice("alpha", "m", order, BID - 900);
    assert_eq!(outcome(&scene, terms), ChangeOutcome::Done);
    assert_eq!(scene.order("alpha", "p").price, Some(points(BID - 900)));
}

#[test]
fn an_unknown_change_is_not_done_when_the_rows_lack_it_over_the_grace_time() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    scene.work("alpha", "p", 0.1);
    let order = scene.id("alpha", "p");
    scene.stop("alpha", "s", held, BID - 500);
    scene.lose();
    scene.cancel("alpha", "c", order);
    scene.lose();
    scene.live(29);
    let early = scene.stop("alpha", "s", held, BID - 500);
    assert_eq!(outcome(&scene, early), ChangeOutcome::Unknown);
    scene.live(2);
    let levels = scene.stop("alpha", "s", held, BID - 500);
    assert_eq!(outcome(&scene, levels), ChangeOutcome::NotDone);
    let cancelled = scene.cancel("alpha", "c", order);
    assert_eq!(outcome(&scene, cancelled), ChangeOutcome::NotDone);
    assert_eq!(scene.state("alpha", "p"), OrderState::Working);
}

/// Placed tells that the broker has the request, and not what became of it.
#[test]
fn a_change_that_was_placed_is_decided_by_the_rows() {
    for executed in [false, true] {
        let mut scene = scene();
        let held = scene.hold("alpha", "a", 0.1);
        scene.work("alpha", "p", 0.1);
        let order = scene.id("alpha", "p");
        let levels = scene.stop("alpha", "s", held, BID - 500);
        let cancelled = scene.cancel("alpha", "c", order);
        for _ in 0..2 {
            let sent = scene.sent();
            if executed {
                scene.execute(&sent).unwrap();
            }
            scene.say(sent.job, Ok(Receipt::bare(Retcode::PLACED)));
        }
        assert_eq!(outcome(&scene, levels), ChangeOutcome::Unknown);
        assert_eq!(outcome(&scene, cancelled), ChangeOutcome::Unknown);
        assert_eq!(scene.state("alpha", "p"), OrderState::Working);
        assert_eq!(stop_of(&scene, held), None);
        scene.live(31);
        let (told, state) = if executed {
            (ChangeOutcome::Done, OrderState::Canceled)
        } else {
            (ChangeOutcome::NotDone, OrderState::Working)
        };
        let levels = scene.stop("alpha", "s", held, BID - 500);
        assert_eq!(outcome(&scene, levels), told);
        let cancelled = scene.cancel("alpha", "c", order);
        assert_eq!(outcome(&scene, cancelled), told);
        assert_eq!(scene.state("alpha", "p"), state);
        assert!(scene.shell.sent.is_empty());
    }
}

/// The broker says that it is done, and does nothing.
#[test]
fn an_order_that_is_listed_after_its_cancellation_works_on_with_an_alarm() {
    for dies in [false, true] {
        let mut scene = scene();
        scene.work("alpha", "p", 0.1);
        let order = scene.id("alpha", "p");
        scene.cancel("alpha", "c", order);
        let sent = scene.sent();
        scene.say(sent.job, Ok(Receipt::bare(Retcode::DONE)));
        if dies {
            scene.restart();
        }
        scene.live(5);
        assert_eq!(scene.state("alpha", "p"), OrderState::Canceled);
        scene.live(15);
        let known = scene.order("alpha", "p");
        assert_eq!(
            (known.state, known.reason.as_str()),
            (OrderState::Working, reason::LATE_EVIDENCE)
        );
        assert_eq!(scene.notices("late_evidence"), 1);
        scene.cancel("alpha", "d", order);
        scene.obey();
        scene.live(20);
        assert_eq!(scene.state("alpha", "p"), OrderState::Canceled);
        assert_eq!(scene.notices("late_evidence"), 1);
    }
}

#[test]
fn a_halt_cancels_again_what_works_though_it_was_told_as_cancelled() {
    let mut scene = scene();
    scene.work("alpha", "p", 0.1);
    scene.set_state("h", None, TradingState::Halted);
    let sent = scene.sent();
    scene.say(sent.job, Ok(Receipt::bare(Retcode::DONE)));
    scene.live_and_obey(60);
    assert!(scene.orders.is_empty());
    assert_eq!(scene.state("alpha", "p"), OrderState::Canceled);
}

#[test]
fn a_halt_pauses_between_cancellations_that_the_broker_only_says_are_done() {
    let mut scene = scene();
    scene.work("alpha", "p", 0.1);
    scene.set_state("h", None, TradingState::Halted);
    let mut cancellations = 0;
    for _ in 0..900 {
        for sent in std::mem::take(&mut scene.shell.sent) {
            cancellations += 1;
            scene.say(sent.job, Ok(Receipt::bare(Retcode::DONE)));
        }
        scene.live(1);
    }
    // One in a minute in the end.
    assert!((5..30).contains(&cancellations), "{cancellations}");
}

#[test]
fn rows_that_lag_behind_a_cancellation_revive_nothing() {
    let mut scene = scene();
    scene.work("alpha", "p", 0.1);
    let order = scene.id("alpha", "p");
    let listed = scene.orders.clone();
    scene.cancel("alpha", "c", order);
    scene.obey();
    scene.orders = listed;
    scene.live(60);
    assert_eq!(scene.state("alpha", "p"), OrderState::Canceled);
    assert_eq!(scene.notices("late_evidence"), 0);
}

/// It lists whole seconds of its own clock.
#[test]
fn an_unknown_change_of_a_lifetime_is_done_when_the_broker_lists_it() {
    let mut scene = scene();
    scene.work("alpha", "p", 0.1);
    let order = scene.id("alpha", "p");
    let until = scene.broker_time().0 + 3_600_250;
    let asked = Moment {
        utc: Some(UtcTime(until)),
        broker: Some(BrokerTime(until)),
    };
    let edit = OrderEdit {
        price: None,
        stop_limit_price: None,
        stop_loss: Edit::Keep,
        take_profit: Edit::Keep,
        time_in_force: Some(TimeInForce::Gtd(asked)),
    };
    let lives_until = Command::ModifyOrder(order, Ok(edit));
    scene.ask("alpha", "m", lives_until.clone());
    scene.lose_answer();
    let listed = Moment {
        utc: None,
        broker: Some(BrokerTime(until.div_euclid(1_000) * 1_000)),
    };
    scene.orders[0].time_in_force = TimeInForce::Gtd(listed);
    scene.live(31);
    let told = scene.ask("alpha", "m", lives_until);
    assert_eq!(outcome(&scene, told), ChangeOutcome::Done);
    let known = scene.order("alpha", "p").time_in_force;
    assert_eq!(known, TimeInForce::Gtd(asked));
}

#[test]
fn a_lifetime_that_a_hand_changed_is_told() {
    let mut scene = scene();
    scene.work("alpha", "p", 0.1);
    scene.orders[0].time_in_force = TimeInForce::Day;
    scene.rows();
    let order = scene.order("alpha", "p");
    assert_eq!(order.time_in_force, TimeInForce::Day);
    let told = scene.told_of(order.id);
    assert_eq!(told.last().unwrap().time_in_force, TimeInForce::Day);
}

#[test]
fn an_unknown_cancellation_is_done_when_the_order_ends() {
    let mut scene = scene();
    scene.work("alpha", "p", 0.1);
    let order = scene.id("alpha", "p");
    scene.cancel("alpha", "c", order);
    scene.lose_answer();
    scene.live(2);
    assert_eq!(scene.state("alpha", "p"), OrderState::Canceled);
    let repeat = scene.cancel("alpha", "c", order);
    assert_eq!(outcome(&scene, repeat), ChangeOutcome::Done);
}

#[test]
fn an_unknown_change_that_a_later_one_overwrote_has_no_outcome_any_more() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    scene.stop("alpha", "s", held, BID - 500);
    scene.lose_answer();
    scene.stop("alpha", "t", held, BID - 400);
    scene.obey();
    scene.live(61);
    let repeat = scene.stop("alpha", "s", held, BID - 500);
    assert_eq!(outcome(&scene, repeat), ChangeOutcome::Moot);
}

#[test]
fn a_change_of_a_process_that_died_is_decided_by_the_rows() {
    for executed in [false, true] {
        let mut scene = scene();
        let held = scene.hold("alpha", "a", 0.1);
        scene.stop("alpha", "s", held, BID - 500);
        let sent = scene.sent();
        if executed {
            scene.execute(&sent).unwrap();
        }
        scene.restart();
        scene.live(40);
        let first = scene.stop("alpha", "s", held, BID - 500);
        let expected = if executed {
            ChangeOutcome::Done
        } else {
            ChangeOutcome::NotDone
        };
        assert_eq!(outcome(&scene, first), expected);
        assert!(scene.shell.sent.is_empty());
    }
}

#[test]
fn terms_that_a_hand_changed_are_told() {
    let mut scene = scene();
    scene.work("alpha", "p", 0.1);
    scene.orders[0].price = Some(points(BID - 700));
    scene.rows();
    let order = scene.order("alpha", "p");
    assert_eq!(order.price, Some(points(BID - 700)));
    let told = scene.told_of(order.id);
    assert_eq!(told.last().unwrap().price, Some(points(BID - 700)));
}

#[test]
fn an_order_that_a_hand_removed_is_cancelled() {
    let mut scene = scene();
    let ticket = scene.work("alpha", "p", 0.1);
    scene.remove(ticket, RowState::Canceled).unwrap();
    scene.live(6);
    assert_eq!(scene.state("alpha", "p"), OrderState::Canceled);
    assert_eq!(scene.obstacles(), []);
}

/// Somebody may have moved them meanwhile: only rows tell.
#[test]
fn what_no_row_showed_since_it_was_changed_is_asked_for_again() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    scene.work("alpha", "p", 0.1);
    let order = scene.id("alpha", "p");
    scene.stop("alpha", "s", held, BID - 500);
    scene.reprice("alpha", "r", order, BID - 900);
    scene.obey_all();
    scene.stop("alpha", "t", held, BID - 500);
    scene.reprice("alpha", "u", order, BID - 900);
    assert_eq!(scene.shell.sent.len(), 2);
}

#[test]
fn the_grace_time_of_a_change_counts_only_while_the_link_is_up() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    scene.stop("alpha", "s", held, BID - 500);
    scene.lose();
    scene.shell.feed(Input::Link(false));
    scene.shell.pass(60_000);
    scene.connect();
    scene.live(2);
    let early = scene.stop("alpha", "s", held, BID - 500);
    assert_eq!(outcome(&scene, early), ChangeOutcome::Unknown);
    scene.live(30);
    let late = scene.stop("alpha", "s", held, BID - 500);
    assert_eq!(outcome(&scene, late), ChangeOutcome::NotDone);
}

#[test]
fn a_late_answer_lets_no_second_change_of_a_target_fly() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    for n in 1..=3 {
        scene.stop("alpha", &format!("s{n}"), held, BID - 600 + n * 100);
    }
    let first = scene.lose_answer();
    assert_eq!(scene.shell.sent.len(), 1);
    scene.say_late(first.job, Ok(Receipt::bare(Retcode::DONE)));
    assert_eq!(scene.shell.sent.len(), 1);
    scene.obey_all();
    assert_eq!(stop_of(&scene, held), Some(points(BID - 300)));
}

#[test]
fn an_order_of_unknown_outcome_is_cancelled_under_its_ticket() {
    for by_halt in [false, true] {
        let mut scene = scene();
        let ticket = scene.work("alpha", "p", 0.1);
        let order = scene.id("alpha", "p");
        let rows = std::mem::take(&mut scene.orders);
        scene.live(60);
        assert_eq!(scene.state("alpha", "p"), OrderState::Unknown);
        scene.orders = rows;
        if by_halt {
            scene.set_state("h", None, TradingState::Halted);
        } else {
            scene.cancel("alpha", "c", order);
        }
        let sent = scene.obey();
        assert!(matches!(sent.request, TradeRequest::Cancel { order, .. } if order == ticket));
        assert_eq!(scene.state("alpha", "p"), OrderState::Canceled);
    }
}

#[test]
fn rows_that_lack_a_position_tell_nothing_of_its_levels() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    scene.stop("alpha", "s", held, BID - 500);
    scene.lose();
    scene.live(29);
    let rows = std::mem::take(&mut scene.positions);
    scene.shell.pass(2_000);
    scene.rows();
    let early = scene.stop("alpha", "s", held, BID - 500);
    assert_eq!(outcome(&scene, early), ChangeOutcome::Unknown);
    scene.positions = rows;
    scene.rows();
    let late = scene.stop("alpha", "s", held, BID - 500);
    assert_eq!(outcome(&scene, late), ChangeOutcome::NotDone);
}

/// What was on its way when the process stood still may be executed only now.
#[test]
fn the_grace_time_of_a_change_counts_only_while_rows_are_read() {
    for executed in [false, true] {
        let mut scene = scene();
        scene.work("alpha", "p", 0.1);
        let order = scene.id("alpha", "p");
        scene.cancel("alpha", "c", order);
        let sent = scene.lose();
        scene.live(5);
        scene.shell.pass(60_000);
        // Rows of just before it is executed.
        scene.rows();
        let early = scene.cancel("alpha", "c", order);
        assert_eq!(outcome(&scene, early), ChangeOutcome::Unknown);
        if executed {
            scene.execute(&sent).unwrap();
        }
        scene.live(29);
        let then = scene.cancel("alpha", "c", order);
        let (soon, last) = if executed {
            (ChangeOutcome::Done, ChangeOutcome::Done)
        } else {
            (ChangeOutcome::Unknown, ChangeOutcome::NotDone)
        };
        assert_eq!(outcome(&scene, then), soon);
        scene.live(2);
        let late = scene.cancel("alpha", "c", order);
        assert_eq!(outcome(&scene, late), last);
    }
}

/// A buy stop-limit order of alpha that waits for its trigger.
fn waiting(scene: &mut Scene) -> OrderId {
    let new = NewOrder {
        kind: OrderType::StopLimit,
        price: Some(points(BID + 500)),
        stop_limit_price: Some(points(BID + 450)),
        ..buy(0.1)
    };
    scene.submit("alpha", "p", new);
    scene.obey();
    scene.rows();
    scene.id("alpha", "p")
}

/// The broker makes a limit order of it.
fn trigger(scene: &mut Scene) {
    let row = &mut scene.orders[0];
    (row.kind, row.price) = (OrderType::Limit, row.stop_limit_price.take());
}

#[test]
fn a_trigger_hides_whether_the_price_before_it_was_changed() {
    for executed in [false, true] {
        let mut scene = scene();
        let order = waiting(&mut scene);
        scene.reprice("alpha", "m", order, BID + 600);
        if executed {
            scene.lose_answer();
        } else {
            scene.lose();
        }
        trigger(&mut scene);
        scene.live(29);
        let early = scene.reprice("alpha", "m", order, BID + 600);
        assert_eq!(outcome(&scene, early), ChangeOutcome::Unknown);
        scene.live(2);
        let late = scene.reprice("alpha", "m", order, BID + 600);
        assert_eq!(outcome(&scene, late), ChangeOutcome::Moot);
        let waits_at = scene.order("alpha", "p").price;
        assert_eq!(waits_at, Some(points(BID + 450)));
        // A change of the limit order is there to see.
        scene.reprice("alpha", "n", order, BID - 900);
        scene.lose_answer();
        scene.rows();
        let next = scene.reprice("alpha", "n", order, BID - 900);
        assert_eq!(outcome(&scene, next), ChangeOutcome::Done);
    }
}

#[test]
fn a_trigger_hides_no_levels() {
    let mut scene = scene();
    let order = waiting(&mut scene);
    let edit = OrderEdit {
        price: None,
        stop_limit_price: None,
        stop_loss: Edit::Set(points(BID - 500).to_f64()),
        take_profit: Edit::Keep,
        time_in_force: None,
    };
    let protect = Command::ModifyOrder(order, Ok(edit));
    scene.ask("alpha", "l", protect.clone());
    scene.lose();
    trigger(&mut scene);
    scene.live(31);
    let told = scene.ask("alpha", "l", protect);
    assert_eq!(outcome(&scene, told), ChangeOutcome::NotDone);
}
