//! A symbol whose specification is not known: what ends risk passes.

use super::change_outcomes::outcome;
use crate::bench::{rows::*, scenes::*};
use mymt5_guard::TradingState;
use mymt5_model::{Edit, LevelsEdit, OrderState, Reason, TradeRequest};
use mymt5_orders::{ChangeOutcome, PositionEdit};

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
