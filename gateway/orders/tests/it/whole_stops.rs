//! On netting an entry's stop loss becomes that of the whole position: it passes no limit that a
//! change of the position would not pass.

use crate::bench::{rows::*, scenes::*};
use mymt5_guard::{Limits, Percent, ScopeLimits};
use mymt5_model::{AccountMode, Edit, OrderId, PositionRow, Reason, Retcode};
use mymt5_orders::{Answer, Asker, Command, Input, NewOrder, OrderEdit, Snapshot};

fn limited_by(limits: Limits, mode: AccountMode) -> Scene {
    let mut scene = Scene::unseen(limited(entry_limits(limits), ScopeLimits::default()));
    scene.account.mode = mode;
    scene.connect();
    scene
}

/// At most 4 percent of 10,000.00 at risk with each trade.
fn risk() -> Limits {
    Limits {
        max_risk_per_trade: Some(Percent::try_from(4.0).unwrap()),
        ..Limits::default()
    }
}

fn limited_risk(mode: AccountMode) -> Scene {
    limited_by(risk(), mode)
}

fn with_stop(mut order: NewOrder, stop: i64) -> NewOrder {
    order.levels.stop_loss = Some(points(stop));
    order
}

/// 0.3 lots with 1,000 points to the stop loss: 3 percent are at risk.
fn large() -> NewOrder {
    with_stop(buy(0.3), ASK - 1_000)
}

/// 0.01 lots, whose own risk is little at any stop loss.
fn small(stop: i64) -> NewOrder {
    with_stop(buy(0.01), stop)
}

/// Alpha holds the large one.
fn holding(mode: AccountMode) -> Scene {
    let mut scene = limited_risk(mode);
    scene.submit("alpha", "large", large());
    scene.obey();
    scene.positions[0].levels.stop_loss = Some(points(ASK - 1_000));
    scene.rows();
    scene
}

/// Why an order of alpha's is refused; none: it is not.
fn refusal(scene: &mut Scene, request: &str, order: NewOrder) -> Option<Reason> {
    let asker = scene.submit("alpha", request, order);
    told(scene, asker)
}

/// Why a change of a working order's stop loss is refused; none: it is not.
fn moved(scene: &mut Scene, request: &str, order: OrderId, stop: i64) -> Option<Reason> {
    let edit = OrderEdit {
        price: None,
        stop_limit_price: None,
        stop_loss: Edit::Set(points(stop).to_f64()),
        take_profit: Edit::Keep,
        time_in_force: None,
    };
    let asker = scene.ask("alpha", request, Command::ModifyOrder(order, Ok(edit)));
    told(scene, asker)
}

/// Why a call was refused; none: it was not.
fn told(scene: &Scene, asker: Asker) -> Option<Reason> {
    match scene.answers(asker).pop() {
        Some(Answer::Refused(refusal)) => Some(refusal.reason()),
        _ => None,
    }
}

#[test]
fn a_small_entry_moves_no_large_positions_stop_past_a_limit() {
    let cases = [
        (AccountMode::Netting, 2_000, Some(Reason::LimitRisk)),
        (AccountMode::Netting, 1_200, None),
        (AccountMode::Netting, 1_000, None),
        (AccountMode::Netting, 500, None),
        (AccountMode::Hedging, 2_000, None),
    ];
    for (mode, distance, expected) in cases {
        let mut scene = holding(mode);
        let refused = refusal(&mut scene, "small", small(ASK - distance));
        assert_eq!(refused, expected, "{mode:?} {distance}");
    }
}

#[test]
fn a_pending_entry_moves_it_no_farther() {
    let mut scene = holding(AccountMode::Netting);
    let pending = |stop| with_stop(buy_limit(0.01, BID - 500), stop);
    let far = refusal(&mut scene, "far", pending(BID - 2_000));
    assert_eq!(far, Some(Reason::LimitRisk));
    let near = refusal(&mut scene, "near", pending(ASK - 1_000));
    assert_eq!(near, None);
    scene.obey();
    scene.rows();
    let order = scene.id("alpha", "near");
    let far = moved(&mut scene, "m", order, BID - 2_000);
    assert_eq!(far, Some(Reason::LimitRisk));
    assert_eq!(moved(&mut scene, "n", order, ASK - 1_010), None);
}

#[test]
fn a_stop_loss_in_profit_is_not_too_near_to_the_average() {
    let least = Limits {
        min_stop_distance_points: Some(50),
        ..Limits::default()
    };
    let mut scene = limited_by(least, AccountMode::Netting);
    scene.submit("alpha", "large", large());
    scene.obey();
    scene.positions[0].levels.stop_loss = Some(points(ASK + 800));
    scene.tick(BID + 1_000, ASK + 1_000);
    scene.rows();
    let pending = with_stop(buy_limit(0.01, ASK + 900), ASK + 800);
    assert_eq!(refusal(&mut scene, "pending", pending), None);
    scene.obey();
    scene.rows();
    let order = scene.id("alpha", "pending");
    assert_eq!(moved(&mut scene, "m", order, ASK + 700), None);
    assert_eq!(refusal(&mut scene, "small", small(ASK + 700)), None);
}

#[test]
fn what_is_on_its_way_or_was_filled_just_now_counts_as_part_of_the_position() {
    for fills in [false, true] {
        let mut scene = limited_risk(AccountMode::Netting);
        scene.submit("alpha", "large", large());
        if fills {
            scene.obey();
        }
        let refused = refusal(&mut scene, "small", small(ASK - 2_000));
        assert_eq!(refused, Some(Reason::LimitRisk), "{fills}");
    }
}

/// A small position is held, as the rows tell it, and a large part at a nearer stop loss is ordered.
fn a_large_part_is_ordered() -> (Scene, Vec<PositionRow>) {
    let mut scene = limited_risk(AccountMode::Netting);
    scene.submit("alpha", "first", small(ASK - 2_000));
    scene.obey();
    scene.positions[0].levels.stop_loss = Some(points(ASK - 2_000));
    scene.rows();
    let before = scene.positions.clone();
    scene.submit("alpha", "large", large());
    (scene, before)
}

/// A small position got a large part at a nearer stop loss, and the process ended. The next one reads
/// rows that lack that part.
fn restarted_with_rows_that_lag(early: bool) -> Scene {
    let (mut scene, before) = a_large_part_is_ordered();
    match early {
        true => drop(scene.obey_early()),
        false => drop(scene.obey()),
    }
    scene.shell.restart();
    scene.tick(BID, ASK);
    scene.shell.feed(Input::Link(true));
    let late = Snapshot {
        positions: before,
        ..scene.snapshot()
    };
    let history = scene.history();
    scene.shell.feed(Input::Pass(late, history));
    scene
}

#[test]
fn a_start_that_does_not_know_a_fills_stop_loss_lets_no_entry_move_it_past_a_limit() {
    for early in [false, true] {
        for (distance, expected) in [(2_000, Some(Reason::LimitRisk)), (1_000, None)] {
            let mut scene = restarted_with_rows_that_lag(early);
            let refused = refusal(&mut scene, "small", small(ASK - distance));
            assert_eq!(refused, expected, "{early} {distance}");
        }
    }
}

#[test]
fn a_start_whose_rows_lack_a_fill_loosens_no_stop_loss_past_a_limit() {
    for early in [false, true] {
        let mut scene = restarted_with_rows_that_lag(early);
        let held = scene.positions[0].id.0;
        let asker = scene.stop("alpha", "m", held, ASK - 2_500);
        assert_eq!(told(&scene, asker), Some(Reason::LimitRisk), "{early}");
    }
}

/// The rows have the whole position by then, and where its stop loss is.
#[test]
fn the_stop_loss_of_such_a_fill_is_the_rows_once_they_have_it() {
    for early in [false, true] {
        let mut scene = restarted_with_rows_that_lag(early);
        scene.live(6);
        let refused = refusal(&mut scene, "small", small(ASK - 2_000));
        assert_eq!(refused, None, "{early}");
    }
}

/// Its deals tell the position by then, but the stop loss is the row's.
#[test]
fn rows_that_lag_behind_a_fill_that_is_told_hide_no_stop_loss() {
    let (mut scene, before) = a_large_part_is_ordered();
    scene.obey();
    let late = Snapshot {
        positions: before,
        ..scene.snapshot()
    };
    scene.shell.feed(Input::Rows(late));
    let refused = refusal(&mut scene, "small", small(ASK - 2_000));
    assert_eq!(refused, Some(Reason::LimitRisk));
}

#[test]
fn the_stop_loss_of_an_order_that_may_fill_later_counts_for_an_entry() {
    let mut scene = limited_risk(AccountMode::Netting);
    let pending = with_stop(buy_limit(0.01, BID - 1_000), BID - 2_000);
    assert_eq!(refusal(&mut scene, "pending", pending), None);
    scene.obey();
    scene.rows();
    let refused = refusal(&mut scene, "large", large());
    assert_eq!(refused, Some(Reason::LimitRisk));
}

#[test]
fn the_stop_loss_that_a_change_may_give_such_an_order_counts_too() {
    let mut scene = limited_risk(AccountMode::Netting);
    let pending = with_stop(buy_limit(0.01, BID - 500), ASK - 1_000);
    assert_eq!(refusal(&mut scene, "pending", pending), None);
    scene.obey();
    scene.rows();
    let order = scene.id("alpha", "pending");
    assert_eq!(moved(&mut scene, "m", order, BID - 2_000), None);
    let refused = refusal(&mut scene, "large", large());
    assert_eq!(refused, Some(Reason::LimitRisk));
    scene.refuse(Retcode::REJECT);
    assert_eq!(refusal(&mut scene, "again", large()), None);
}

/// Alpha holds the small one. Its position.
fn holding_little(limits: Limits, mode: AccountMode, distance: i64) -> (Scene, u64) {
    let mut scene = limited_by(limits, mode);
    scene.submit("alpha", "small", small(ASK - distance));
    scene.obey();
    scene.positions[0].levels.stop_loss = Some(points(ASK - distance));
    scene.rows();
    let held = scene.positions[0].id.0;
    (scene, held)
}

#[test]
fn a_stop_loss_is_loosened_for_what_is_on_its_way_too() {
    let cases = [
        (AccountMode::Netting, 2_000, Some(Reason::LimitRisk)),
        (AccountMode::Netting, 1_200, None),
        (AccountMode::Netting, 900, None),
        (AccountMode::Hedging, 2_000, None),
    ];
    for (mode, distance, expected) in cases {
        for is_lost in [false, true] {
            let (mut scene, held) = holding_little(risk(), mode, 1_000);
            assert_eq!(refusal(&mut scene, "large", large()), None);
            if is_lost {
                scene.lose();
            }
            let asker = scene.stop("alpha", "m", held, ASK - distance);
            let refused = told(&scene, asker);
            assert_eq!(refused, expected, "{mode:?} {distance} {is_lost}");
        }
    }
}

#[test]
fn a_stop_loss_is_loosened_for_what_was_filled_just_now_too() {
    let (mut scene, held) = holding_little(risk(), AccountMode::Netting, 1_000);
    let before = scene.positions.clone();
    scene.submit("alpha", "large", large());
    scene.obey();
    let late = Snapshot {
        positions: before,
        ..scene.snapshot()
    };
    scene.shell.feed(Input::Rows(late));
    let asker = scene.stop("alpha", "m", held, ASK - 2_000);
    assert_eq!(told(&scene, asker), Some(Reason::LimitRisk));
}

#[test]
fn a_tighter_stop_loss_is_never_refused_for_what_is_on_its_way() {
    let (mut scene, held) = holding_little(risk(), AccountMode::Netting, 3_000);
    assert_eq!(refusal(&mut scene, "large", large()), None);
    let asker = scene.stop("alpha", "m", held, ASK - 2_000);
    assert_eq!(told(&scene, asker), None);
}

#[test]
fn a_loosened_stop_loss_is_not_too_far_from_the_average_to_be() {
    let most = Limits {
        max_stop_distance_points: Some(1_500),
        ..Limits::default()
    };
    for (is_ordered, expected) in [(false, None), (true, Some(Reason::LimitStopDistance))] {
        let (mut scene, held) = holding_little(most.clone(), AccountMode::Netting, 500);
        scene.tick(BID + 1_000, ASK + 1_000);
        if is_ordered {
            let large = with_stop(buy(0.3), ASK);
            assert_eq!(refusal(&mut scene, "large", large), None);
        }
        let asker = scene.stop("alpha", "m", held, ASK - 800);
        assert_eq!(told(&scene, asker), expected, "{is_ordered}");
    }
}

#[test]
fn the_stop_loss_that_a_change_may_give_the_position_counts_for_an_entry() {
    let cases = [
        (AccountMode::Netting, Some(Reason::LimitRisk)),
        (AccountMode::Hedging, None),
    ];
    for (mode, expected) in cases {
        let (mut scene, held) = holding_little(risk(), mode, 1_000);
        let ahead = scene.stop("alpha", "ahead", held, ASK - 900);
        let behind = scene.stop("alpha", "behind", held, ASK - 2_000);
        assert_eq!([told(&scene, ahead), told(&scene, behind)], [None, None]);
        assert_eq!(refusal(&mut scene, "large", large()), expected, "{mode:?}");
    }
}

#[test]
fn the_stop_loss_of_a_change_that_came_to_nothing_counts_no_more() {
    let (mut scene, held) = holding_little(risk(), AccountMode::Netting, 1_000);
    scene.stop("alpha", "m", held, ASK - 2_000);
    let refused = refusal(&mut scene, "large", large());
    assert_eq!(refused, Some(Reason::LimitRisk));
    scene.refuse(Retcode::REJECT);
    assert_eq!(refusal(&mut scene, "again", large()), None);
}

#[test]
fn a_check_tells_each_reason_once() {
    let mut scene = holding(AccountMode::Netting);
    for order in [small(ASK - 2_000), with_stop(buy(0.3), ASK - 2_000)] {
        let Answer::Check(report) = scene.check("alpha", order) else {
            panic!()
        };
        let reasons = report.refusals.iter().map(|refusal| refusal.reason());
        assert_eq!(reasons.collect::<Vec<_>>(), [Reason::LimitRisk]);
    }
}
