//! A symbol whose specification is not known: what ends risk passes, and its prices, which are read
//! with the most digits then, are those that were known before.

use super::change_outcomes::outcome;
use crate::bench::{rows::*, scenes::*};
use mymt5_guard::TradingState;
use mymt5_model::{Edit, LevelsEdit, OrderState, Price, Reason, TradeRequest};
use mymt5_orders::{ChangeOutcome, Input, PositionEdit};

#[test]
fn a_stop_is_tightened_and_never_loosened() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    scene.stop("alpha", "s", held, BID - 500);
    scene.obey();
    scene.rows();
    scene.shell.prices.specs.clear();
    scene.set_state("halt", None, TradingState::Halted);
    let tighter = scene.stop("alpha", "t", held, BID - 400);
    let sent = scene.obey();
    let TradeRequest::ModifyPosition { levels, .. } = sent.request else {
        panic!("{sent:?}")
    };
    assert_eq!(
        levels,
        LevelsEdit {
            stop_loss: Edit::Set(points(BID - 400)),
            take_profit: Edit::Keep,
        }
    );
    assert_eq!(outcome(&scene, tighter), ChangeOutcome::Done);
    scene.rows();
    let remove = PositionEdit {
        stop_loss: Edit::Remove,
        take_profit: Edit::Keep,
    };
    let removed = scene.levels("alpha", "r", held, remove);
    assert_eq!(scene.refusal(removed), Reason::SymbolUnknown);
    let looser = scene.stop("alpha", "l", held, BID - 600);
    assert_eq!(scene.refusal(looser), Reason::SymbolUnknown);
    let garbage = PositionEdit {
        stop_loss: Edit::Set(f64::NAN),
        take_profit: Edit::Keep,
    };
    let garbage = scene.levels("alpha", "g", held, garbage);
    assert_eq!(scene.refusal(garbage), Reason::NumberInvalid);
    assert!(scene.shell.sent.is_empty());
    scene.close("alpha", "c", held, None);
    scene.obey();
    assert_eq!(scene.state("alpha", "c"), OrderState::Filled);
}

/// A price of so many points of five digits, as it is read where those are not known.
fn fine(points: i64) -> Option<Price> {
    Some(Price::from_points(points * 1_000, Price::MAX_DIGITS))
}

#[test]
fn a_fill_counts_at_its_price() {
    let mut scene = scene();
    let ticket = scene.work("alpha", "p", 0.1);
    scene.fill_pending(ticket, lots(0.1));
    let fill = scene.deals.last_mut().unwrap();
    fill.price = fine(BID - 1_000);
    let fill = fill.clone();
    scene.shell.feed(Input::Deal(fill));
    scene.live(2);
    let order = scene.order("alpha", "p");
    assert_eq!(order.state, OrderState::Filled);
    assert_eq!(order.average_price().unwrap().to_string(), "1.09");
}

#[test]
fn a_change_that_was_done_is_told_as_done() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    scene.work("alpha", "p", 0.1);
    let order = scene.id("alpha", "p");
    scene.stop("alpha", "s", held, BID - 500);
    scene.lose_answer();
    scene.reprice("alpha", "m", order, BID - 900);
    scene.lose_answer();
    scene.positions[0].open_price = fine(ASK).unwrap();
    scene.positions[0].levels.stop_loss = fine(BID - 500);
    scene.orders[0].price = fine(BID - 900);
    scene.live(31);
    let levels = scene.stop("alpha", "s", held, BID - 500);
    assert_eq!(outcome(&scene, levels), ChangeOutcome::Done);
    let terms = scene.reprice("alpha", "m", order, BID - 900);
    assert_eq!(outcome(&scene, terms), ChangeOutcome::Done);
}

#[test]
fn a_stop_is_judged_by_its_price() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    scene.positions[0].levels.stop_loss = fine(BID - 500);
    scene.rows();
    scene.set_state("halt", None, TradingState::Halted);
    let looser = scene.stop("alpha", "l", held, BID - 600);
    assert_eq!(scene.refusal(looser), Reason::TradingStateForbids);
    let tighter = scene.stop("alpha", "t", held, BID - 400);
    scene.obey();
    assert_eq!(outcome(&scene, tighter), ChangeOutcome::Done);
}
