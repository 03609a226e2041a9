//! A close or a reversal of which a part was done while nobody followed it: the rest is closed, by another
//! process too, and before anything opens.

use super::*;
use crate::risk::Open;

/// Another position of the symbol.
const OTHER: PositionId = PositionId(8);

fn lots(lots: f64) -> Lots {
    Lots::from_f64(lots).unwrap()
}

/// A new session begins, and finds so much of the position, or nothing.
fn begin_again(trader: &mut Trader, side: Side, volume: f64) {
    let position = Held {
        lots: lots(volume),
        ..held(side)
    };
    trader.on_snapshot(Snapshot {
        positions: vec![position],
        ..snapshot(TradingState::Active)
    });
}

/// What is left of the position that was sold, and the end of the order that closed the rest of it.
fn part_closed(request_id: &str, closes: Option<PositionId>) -> [Event; 2] {
    let rest = Held {
        lots: lots(0.19),
        ..held(Side::Sell)
    };
    let ended = OrderUpdate {
        request_id: Some(id(request_id)),
        closes,
        state: OrderState::Canceled,
        filled: lots(0.3),
        refused: false,
        working: None,
    };
    [Event::PositionChanged(rest), Event::Order(ended)]
}

/// The intents that these lead to.
fn told(trader: &mut Trader, events: &[Event]) -> Vec<Intent> {
    let steps = events.iter().map(|event| trader.on_event(event));
    steps.flat_map(|step| step.intents).collect()
}

fn is_close(intents: &[Intent]) -> bool {
    matches!(intents, [Intent::Close(close)] if close.position_id == POSITION && close.lots.is_none())
}

/// A trader of 0.49 lots sold whose reversal is under way, as `id-1`.
fn reversing(reverse: Reverse) -> Trader {
    let strategy = StrategySettings {
        reverse,
        ..settings("jumps", script(&[turn_to_buy]))
    };
    let mut trader = trader_of(vec![strategy]);
    trader.on_event(&opened(Side::Sell));
    assert_eq!(go(&mut trader).len(), 1);
    trader
}

/// A process that knows nothing of before, and finds so much of the position.
fn restarted(side: Side, volume: f64) -> Trader {
    let mut trader = deciding(&[]);
    begin_again(&mut trader, side, volume);
    trader
}

/// The reversal to 0.48 lots bought as an earlier process sent it.
fn turn() -> Open {
    Open {
        symbol: spec().symbol,
        side: Side::Buy,
        lots: lots(0.97),
        price: None,
        stop: None,
        in_flight: true,
        unmeasured: false,
    }
}

#[test]
fn of_a_reversal_that_did_nothing_or_a_part_the_rest_is_closed_and_nothing_opens() {
    type Recall = fn(&mut Trader);
    let nothing: Recall = |trader| trader.on_recalled(&id("id-1"), false);
    let part: Recall = |trader| {
        trader.on_part_recalled(&id("id-1"), lots(0.3), None);
    };
    for reverse in [Reverse::CloseFirst, Reverse::OneOrder] {
        for (recall, left) in [(nothing, 0.49), (part, 0.19)] {
            let mut trader = reversing(reverse);
            begin_again(&mut trader, Side::Sell, left);
            recall(&mut trader);
            let close = go(&mut trader);
            assert!(is_close(&close), "{reverse:?} {left}: {close:?}");
            let events = [CLOSED, order("id-2", OrderState::Filled)];
            assert_eq!(told(&mut trader, &events), [], "{reverse:?} {left}");
            assert_eq!(go(&mut trader), [], "{reverse:?} {left}");
        }
    }
}

#[test]
fn of_a_reversal_that_may_be_done_or_opened_a_part_nothing_is_closed() {
    let mut perhaps = reversing(Reverse::CloseFirst);
    begin_again(&mut perhaps, Side::Sell, 0.49);
    perhaps.on_recalled(&id("id-1"), true);
    let mut opened = reversing(Reverse::OneOrder);
    begin_again(&mut opened, Side::Buy, 0.11);
    opened.on_part_recalled(&id("id-1"), lots(0.6), None);
    for mut trader in [perhaps, opened] {
        assert_eq!(go(&mut trader), []);
    }
}

#[test]
fn a_reversal_whose_close_is_under_way_in_the_next_session_closes_the_rest() {
    let mut trader = reversing(Reverse::CloseFirst);
    begin_again(&mut trader, Side::Sell, 0.49);
    assert_eq!(go(&mut trader), [], "it is under way");
    let close = told(&mut trader, &part_closed("id-1", Some(POSITION)));
    assert!(is_close(&close), "{close:?}");
}

#[test]
fn a_reversal_whose_close_was_unknown_closes_the_rest() {
    let mut trader = reversing(Reverse::CloseFirst);
    trader.on_event(&order("id-1", OrderState::Unknown));
    let close = told(&mut trader, &part_closed("id-1", Some(POSITION)));
    assert!(is_close(&close), "{close:?}");
    let events = [CLOSED, order("id-2", OrderState::Filled)];
    assert_eq!(told(&mut trader, &events), []);
}

#[test]
fn a_reversal_that_waited_when_the_session_broke_leaves_its_exit() {
    let trail: fn(&mut Context<'_>) = |context| context.move_stop(price(100_050));
    for (side, exits) in [(Side::Sell, true), (Side::Buy, false)] {
        let mut trader = deciding(&[trail, turn_to_buy]);
        trader.on_event(&opened(side));
        assert!(matches!(&go(&mut trader)[..], [Intent::Move(_)]));
        assert_eq!(go(&mut trader), [], "the change is under way");
        begin_again(&mut trader, side, 0.49);
        let intents = go(&mut trader);
        assert_eq!(is_close(&intents), exits, "{side:?}: {intents:?}");
    }
}

#[test]
fn what_an_earlier_process_closed_in_part_is_closed() {
    let close = Sent::Close(POSITION);
    let elsewhere = Sent::Close(PositionId(8));
    let entry = |opens| Sent::Entry {
        tag: "jumps".into(),
        opens,
    };
    let waited = Open {
        price: Some(price(99_900)),
        ..turn()
    };
    for (recorded, closes) in [
        (Some(close), true),
        (Some(elsewhere), false),
        (Some(entry(turn())), true),
        (Some(entry(waited)), false),
        (None, false),
    ] {
        let mut trader = restarted(Side::Sell, 0.19);
        let rest = trader.on_part_recalled(&id("old"), lots(0.3), recorded.as_ref());
        assert_eq!(rest, closes.then_some(POSITION), "{recorded:?}");
        let intents = go(&mut trader);
        assert_eq!(is_close(&intents), closes, "{recorded:?}: {intents:?}");
    }
    let mut turned = restarted(Side::Buy, 0.11);
    turned.on_part_recalled(&id("old"), lots(0.6), Some(&entry(turn())));
    assert_eq!(go(&mut turned), [], "it stands as it was decided");
    let mut beside = restarted(Side::Sell, 0.19);
    beside.on_snapshot(Snapshot {
        mode: AccountMode::Hedging,
        positions: vec![held(Side::Sell)],
        ..snapshot(TradingState::Active)
    });
    beside.on_part_recalled(&id("old"), lots(0.3), Some(&entry(turn())));
    assert_eq!(go(&mut beside), [], "no position is turned there");
}

#[test]
fn what_an_earlier_process_was_to_close_and_never_did_is_closed() {
    let entry = |opens| Sent::Entry {
        tag: "jumps".into(),
        opens,
    };
    for recorded in [Sent::Close(POSITION), entry(turn())] {
        let mut trader = restarted(Side::Sell, 0.49);
        trader.on_part_recalled(&id("old"), Lots::ZERO, Some(&recorded));
        let intents = go(&mut trader);
        assert!(is_close(&intents), "{recorded:?}: {intents:?}");
    }
    let mut entered = restarted(Side::Buy, 0.48);
    entered.on_part_recalled(&id("old"), Lots::ZERO, Some(&entry(turn())));
    assert_eq!(go(&mut entered), [], "it stands as it was decided");
}

#[test]
fn what_an_earlier_process_sent_is_waited_for_and_its_rest_is_closed() {
    let mut closing = restarted(Side::Sell, 0.49);
    closing.on_close_under_way(id("old"), POSITION);
    let mut turning = restarted(Side::Sell, 0.49);
    turning.on_under_way(id("old"), "jumps", turn());
    for (mut trader, closes) in [(closing, Some(POSITION)), (turning, None)] {
        assert!(!trader.is_idle());
        assert_eq!(go(&mut trader), [], "it is under way");
        let close = told(&mut trader, &part_closed("old", closes));
        assert!(is_close(&close), "{closes:?}: {close:?}");
    }
    let mut whole = restarted(Side::Sell, 0.49);
    whole.on_close_under_way(id("old"), POSITION);
    let events = [CLOSED, order("old", OrderState::Filled)];
    assert_eq!(told(&mut whole, &events), []);
    assert_eq!(go(&mut whole), []);
}

/// A process that knows nothing of before, and finds what is left of the position beside another one of
/// that name, on an account that hedges.
fn restarted_beside(tag: &str) -> Trader {
    let rest = Held {
        lots: lots(0.19),
        ..held(Side::Sell)
    };
    let other = Held {
        position_id: OTHER,
        tag: tag.into(),
        ..held(Side::Sell)
    };
    let mut trader = deciding(&[]);
    trader.on_snapshot(Snapshot {
        mode: AccountMode::Hedging,
        positions: vec![rest, other],
        ..snapshot(TradingState::Active)
    });
    trader
}

#[test]
fn of_what_an_earlier_process_was_to_close_the_rest_is_closed_and_no_other_position() {
    for tag in ["jumps", "other"] {
        let mut ended = restarted_beside(tag);
        ended.on_part_recalled(&id("old"), lots(0.3), Some(&Sent::Close(POSITION)));
        let close = go(&mut ended);
        assert!(is_close(&close), "{tag}: {close:?}");
        let mut under_way = restarted_beside(tag);
        under_way.on_close_under_way(id("old"), POSITION);
        let close = told(&mut under_way, &part_closed("old", Some(POSITION)));
        assert!(is_close(&close), "{tag}: {close:?}");
        for mut trader in [ended, under_way] {
            let events = [CLOSED, order("id-1", OrderState::Filled)];
            assert_eq!(told(&mut trader, &events), [], "{tag}");
            assert_eq!(go(&mut trader), [], "{tag}");
            assert!(trader.portfolio.position(OTHER).is_some(), "{tag}");
        }
    }
}

#[test]
fn of_a_close_of_an_earlier_process_that_fell_short_unseen_the_rest_alone_is_closed() {
    for (filled, closes) in [(Some(lots(0.3)), true), (None, false)] {
        let mut trader = restarted_beside("jumps");
        trader.on_close_under_way(id("old"), POSITION);
        match filled {
            Some(filled) => {
                let recorded = Sent::Close(POSITION);
                let rest = trader.on_part_recalled(&id("old"), filled, Some(&recorded));
                assert_eq!(rest, Some(POSITION));
            }
            None => trader.on_recalled(&id("old"), true),
        }
        let close = go(&mut trader);
        assert_eq!(is_close(&close), closes, "{close:?}");
        let events = [CLOSED, order("id-1", OrderState::Filled)];
        assert_eq!(told(&mut trader, &events), [], "{filled:?}");
    }
}

#[test]
fn a_rest_that_cannot_be_closed_holds_no_other_one_back() {
    let mut trader = restarted_beside("jumps");
    for position_id in [POSITION, OTHER] {
        let sent = Sent::Close(position_id);
        trader.on_part_recalled(&id("old"), lots(0.3), Some(&sent));
    }
    let close = go(&mut trader);
    assert!(is_close(&close), "{close:?}");
    let next = told(&mut trader, &[order("id-1", OrderState::Rejected)]);
    assert!(
        matches!(&next[..], [Intent::Close(close)] if close.position_id == OTHER),
        "{next:?}"
    );
}
