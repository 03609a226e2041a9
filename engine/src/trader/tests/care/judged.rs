//! What care judged a position by may change while something else is under way: what was due upon it is
//! judged again.

use super::*;

const OTHER: PositionId = PositionId(8);

fn with_id(position_id: PositionId, held: Held) -> Held {
    Held {
        position_id,
        ..held
    }
}

fn with_lots(volume: f64, held: Held) -> Held {
    Held {
        lots: lots(volume),
        ..held
    }
}

#[test]
fn a_stop_that_was_moved_is_not_taken_back_by_a_tick_that_knew_the_one_before() {
    for position_first in [false, true] {
        let mut trader = under("trailing.points = 150");
        told(&mut trader, position(Side::Buy, 99_800));
        let first = tick_at(&mut trader, MONDAY, 100_300).unwrap();
        assert_eq!(moved(Some(&first)), (POSITION, price(100_150)));
        // The answer takes its time, and the price goes back.
        assert_eq!(tick_at(&mut trader, MONDAY + 1_500, 100_200), None);
        if position_first {
            told(&mut trader, position(Side::Buy, 100_150));
        }
        let answered = trader.on_changed(first.request_id(), true);
        assert_eq!(answered, Step::default());
        assert_eq!(tick_at(&mut trader, MONDAY + 1_600, 100_200), None);
        if !position_first {
            told(&mut trader, position(Side::Buy, 100_150));
        }
        assert_eq!(tick_at(&mut trader, MONDAY + 3_000, 100_200), None);
    }
}

#[test]
fn a_stop_that_is_answered_late_is_known_before_its_position_is_told() {
    let mut trader = under("trailing.points = 150");
    told(&mut trader, position(Side::Buy, 99_800));
    let first = tick_at(&mut trader, MONDAY, 100_300).unwrap();
    assert_eq!(moved(Some(&first)), (POSITION, price(100_150)));
    let answered = trader.on_changed(first.request_id(), true);
    assert_eq!(answered, Step::default());
    assert_eq!(tick_at(&mut trader, MONDAY + 1_500, 100_200), None);
    // What the position's event tells counts.
    told(&mut trader, position(Side::Buy, 100_000));
    let again = tick_at(&mut trader, MONDAY + 3_000, 100_200);
    assert_eq!(moved(again.as_ref()), (POSITION, price(100_050)));
}

#[test]
fn an_answer_moves_no_stop_but_that_of_the_position_as_it_was_asked_for() {
    let stop = |trader: &Trader| -> Option<Price> {
        let held = trader.portfolio.position(POSITION)?;
        held.levels.stop_loss
    };
    let unchanged = || Event::PositionChanged(position(Side::Buy, 99_800));
    let by_hand = Event::PositionChanged(position(Side::Buy, 100_010));
    let turned = Event::PositionChanged(position(Side::Sell, 99_800));
    for (meanwhile, done, expected) in [
        (unchanged(), true, Some(100_000)),
        (unchanged(), false, Some(99_800)),
        (by_hand, true, Some(100_010)),
        (turned, true, Some(99_800)),
        (CLOSED, true, None),
    ] {
        let mut trader = under("break_even.at_r = 1.0");
        told(&mut trader, position(Side::Buy, 99_800));
        let first = tick_at(&mut trader, MONDAY, 100_200).unwrap();
        assert_eq!(trader.on_event(&meanwhile), Step::default());
        let answered = trader.on_changed(first.request_id(), done);
        assert_eq!(answered, Step::default(), "{meanwhile:?}");
        assert_eq!(stop(&trader), expected.map(price), "{meanwhile:?} {done}");
    }
}

#[test]
fn a_stop_that_was_set_by_hand_meanwhile_is_not_taken_back() {
    let mut trader = under("break_even.at_r = 1.0");
    told(&mut trader, position(Side::Buy, 99_800));
    told(&mut trader, with_id(OTHER, position(Side::Buy, 99_800)));
    let first = tick_at(&mut trader, MONDAY, 100_200).unwrap();
    assert_eq!(moved(Some(&first)), (POSITION, price(100_000)));
    told(&mut trader, with_id(OTHER, position(Side::Buy, 100_150)));
    let answered = trader.on_changed(first.request_id(), true);
    assert_eq!(answered, Step::default());
}

#[test]
fn a_stop_that_is_refused_late_rests_as_long_as_one_that_is_refused_at_once() {
    let mut trader = under("trailing.points = 150");
    told(&mut trader, position(Side::Buy, 99_800));
    let first = tick_at(&mut trader, MONDAY, 100_300).unwrap();
    assert_eq!(tick_at(&mut trader, MONDAY + 1_500, 100_300), None);
    let refused = trader.on_changed(first.request_id(), false);
    assert_eq!(refused, Step::default());
    assert_eq!(tick_at(&mut trader, MONDAY + 11_499, 100_300), None);
    let again = tick_at(&mut trader, MONDAY + 11_500, 100_300);
    assert_eq!(moved(again.as_ref()), (POSITION, price(100_150)));
}

#[test]
fn the_part_that_is_closed_is_one_of_what_is_left() {
    let mut trader = under(BOTH);
    told(&mut trader, position(Side::Buy, 99_800));
    let stop = tick_at(&mut trader, MONDAY, 100_200).unwrap();
    // Half of it is closed by hand.
    told(&mut trader, with_lots(0.24, position(Side::Buy, 99_800)));
    let answered = trader.on_changed(stop.request_id(), true);
    assert_eq!(answered, Step::default());
    told(&mut trader, with_lots(0.24, position(Side::Buy, 100_000)));
    let part = tick_at(&mut trader, MONDAY + 500, 100_200);
    assert_eq!(closed(part.as_ref()), Some(lots(0.12)));
}

#[test]
fn no_part_of_all_that_a_turn_opened_is_closed_of_what_its_trim_leaves() {
    let turns = StrategySettings {
        reverse: Reverse::OneOrder,
        ..caring("partial_close.at_r = 1.0", &[turn_to_buy])
    };
    let mut trader = trader_under(free_but(""), vec![turns]);
    trader.on_event(&opened(Side::Sell));
    let turn = tick_at(&mut trader, MONDAY, 100_000).unwrap();
    assert!(matches!(&turn, Intent::Submit(submit) if submit.lots == lots(0.99)));
    let all = with_lots(0.99, with_id(OTHER, position(Side::Buy, 99_800)));
    trader.on_event(&CLOSED);
    trader.on_event(&Event::PositionChanged(all.clone()));
    let filled = order(turn.request_id().as_str(), OrderState::Filled);
    let trim = trader.on_event(&filled).intents;
    assert!(
        matches!(&trim[..], [Intent::Close(close)] if close.lots == Some(lots(0.49))),
        "{trim:?}"
    );
    assert_eq!(tick_at(&mut trader, MONDAY + 1_000, 100_200), None);
    // Its order is told before the position.
    let trimmed = order(trim[0].request_id().as_str(), OrderState::Filled);
    assert_eq!(trader.on_event(&trimmed).intents, []);
    told(&mut trader, with_lots(0.5, all));
    let part = tick_at(&mut trader, MONDAY + 2_000, 100_200);
    assert!(
        matches!(&part, Some(Intent::Close(close)) if close.lots == Some(lots(0.25))),
        "{part:?}"
    );
}

#[test]
fn a_part_that_is_told_late_to_be_closed_is_not_closed_again_by_the_tick_before() {
    let mut trader = under(BOTH);
    told(&mut trader, position(Side::Buy, 99_800));
    let stop = tick_at(&mut trader, MONDAY, 100_200).unwrap();
    let part = trader.on_changed(stop.request_id(), true).intents;
    trader.on_refused(part[0].request_id(), "MARKET_CLOSED".into());
    told(&mut trader, position(Side::Buy, 100_000));
    told(&mut trader, with_id(OTHER, position(Side::Buy, 99_800)));
    // Both parts are due, after the other one's stop.
    let stop = tick_at(&mut trader, MONDAY + 10_000, 100_200).unwrap();
    assert_eq!(moved(Some(&stop)), (OTHER, price(100_000)));
    assert_eq!(trader.on_event(&part_filled(&part[0])).intents, []);
    let others = trader.on_changed(stop.request_id(), true).intents;
    assert!(
        matches!(&others[..], [Intent::Close(close)] if close.position_id == OTHER),
        "{others:?}"
    );
    let filled = order(others[0].request_id().as_str(), OrderState::Filled);
    assert_eq!(trader.on_event(&filled).intents, []);
}

#[test]
fn a_price_of_before_a_position_was_enlarged_is_reason_for_nothing() {
    let mut trader = under("partial_close.at_r = 1.0");
    told(&mut trader, position(Side::Buy, 99_800));
    assert_eq!(tick_at(&mut trader, MONDAY, 100_150), None);
    let enlarged = Held {
        open_price: Some(price(99_940)),
        ..with_lots(0.96, position(Side::Buy, 99_800))
    };
    told(&mut trader, enlarged);
    assert_eq!(tick_at(&mut trader, MONDAY + 1_000, 100_139), None);
    let part = tick_at(&mut trader, MONDAY + 2_000, 100_140);
    assert_eq!(closed(part.as_ref()), Some(lots(0.48)));
}
