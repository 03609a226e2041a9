//! A position that ends before the order that is to turn it: of what that opens no more stays than risk
//! admitted.

use super::{risk::tick_at, *};

/// What the order opens where nothing is left to close.
const NEW: PositionId = PositionId(8);

fn lots(lots: f64) -> Lots {
    Lots::from_f64(lots).unwrap()
}

/// A trader whose reversal from 0.49 lots sold to 0.48 bought is under way, as `id-1`.
fn turning() -> Trader {
    let mut trader = at_once(&[turn_to_buy]);
    trader.on_event(&opened(Side::Sell));
    let intent = tick_at(&mut trader, 0, 100_000);
    assert!(matches!(&intent, Some(Intent::Submit(submit)) if submit.lots == lots(0.97)));
    trader
}

fn bought(position_id: PositionId, volume: f64) -> Event {
    Event::PositionChanged(Held {
        position_id,
        lots: lots(volume),
        ..held(Side::Buy)
    })
}

fn ended(request_id: &str, state: OrderState, filled: f64, closes: Option<PositionId>) -> Event {
    Event::Order(OrderUpdate {
        request_id: Some(id(request_id)),
        closes,
        state,
        filled: lots(filled),
        refused: state == OrderState::Rejected,
        working: None,
    })
}

/// What the order opened where nothing was left to close.
fn too_much() -> Held {
    Held {
        position_id: NEW,
        lots: lots(0.97),
        ..held(Side::Buy)
    }
}

/// The part that is to be closed of the new position.
fn part(intent: Option<&Intent>) -> Option<Lots> {
    match intent? {
        Intent::Close(close) if close.position_id == NEW => close.lots,
        other => panic!("{other:?}"),
    }
}

/// Tells these, one after the other; the last intent that they led to.
fn told(trader: &mut Trader, events: &[Event]) -> Option<Intent> {
    let steps = events.iter().map(|event| trader.on_event(event));
    let mut intents: Vec<Intent> = steps.flat_map(|step| step.intents).collect();
    intents.pop()
}

#[test]
fn what_a_turn_opens_beyond_what_risk_admits_is_closed_whatever_is_told_first() {
    let filled = ended("id-1", OrderState::Filled, 0.97, None);
    for events in [
        [CLOSED, bought(NEW, 0.97), filled.clone()],
        [CLOSED, filled.clone(), bought(NEW, 0.97)],
        [filled, CLOSED, bought(NEW, 0.97)],
    ] {
        let mut trader = turning();
        let intent = told(&mut trader, &events);
        assert_eq!(part(intent.as_ref()), Some(lots(0.49)), "{events:?}");
        // The part is told before its order, or after it: the rest stays.
        for event in [
            bought(NEW, 0.48),
            ended("id-2", OrderState::Filled, 0.49, Some(NEW)),
            bought(NEW, 0.48),
        ] {
            assert_eq!(trader.on_event(&event).intents, []);
        }
        let rest = trader.portfolio.position(NEW).map(|held| held.lots);
        assert_eq!(rest, Some(lots(0.48)));
        assert!(trader.is_idle());
    }
}

#[test]
fn of_a_turn_that_is_filled_in_part_no_more_stays_than_risk_admits() {
    let mut trader = turning();
    let events = [
        CLOSED,
        bought(NEW, 0.6),
        ended("id-1", OrderState::Canceled, 0.6, None),
    ];
    let intent = told(&mut trader, &events);
    assert_eq!(part(intent.as_ref()), Some(lots(0.12)));
}

#[test]
fn a_turn_that_finds_its_position_is_done_and_a_later_change_is_none_of_its() {
    let mut trader = turning();
    let events = [
        bought(POSITION, 0.48),
        ended("id-1", OrderState::Filled, 0.97, None),
        bought(POSITION, 0.8),
    ];
    assert_eq!(told(&mut trader, &events), None);
    assert_eq!(tick_at(&mut trader, 1_000, 100_000), None);
}

#[test]
fn a_close_of_what_a_turn_opened_too_much_that_fails_is_tried_again_after_a_while() {
    let mut trader = turning();
    let events = [
        CLOSED,
        bought(NEW, 0.97),
        ended("id-1", OrderState::Filled, 0.97, None),
        ended("id-2", OrderState::Rejected, 0.0, Some(NEW)),
    ];
    let first = told(&mut trader, &events);
    assert_eq!(part(first.as_ref()), Some(lots(0.49)));
    assert_eq!(tick_at(&mut trader, 999, 100_000), None);
    let again = tick_at(&mut trader, 1_000, 100_000);
    assert_eq!(part(again.as_ref()), Some(lots(0.49)));
}

#[test]
fn what_a_turn_opened_too_much_while_nobody_followed_is_closed_in_the_next_session() {
    let mut trader = turning();
    trader.on_snapshot(Snapshot {
        positions: vec![too_much()],
        ..snapshot(TradingState::Active)
    });
    trader.on_recalled(&id("id-1"), true);
    let intent = tick_at(&mut trader, 0, 100_000);
    assert_eq!(part(intent.as_ref()), Some(lots(0.49)));
}

#[test]
fn the_bars_of_the_past_do_not_take_the_close_of_what_a_turn_opened_too_much() {
    let mut trader = turning();
    trader.on_snapshot(Snapshot {
        positions: vec![too_much()],
        ..snapshot(TradingState::Active)
    });
    trader.on_recalled(&id("id-1"), true);
    trader.await_history();
    trader.on_history(&spec().symbol, Timeframe::M1, &History::default());
    assert!(trader.is_idle(), "nothing was asked for");
    let intent = tick_at(&mut trader, 0, 100_000);
    assert_eq!(part(intent.as_ref()), Some(lots(0.49)));
}

#[test]
fn a_close_of_what_a_turn_opened_too_much_that_may_be_done_is_not_sent_again() {
    let ends: [fn(&mut Trader); 2] = [
        |trader| {
            let canceled = ended("id-2", OrderState::Canceled, 0.0, Some(NEW));
            trader.on_event(&canceled);
        },
        |trader| {
            trader.on_snapshot(Snapshot {
                positions: vec![too_much()],
                ..snapshot(TradingState::Active)
            });
            trader.on_recalled(&id("id-2"), true);
        },
    ];
    for end in ends {
        let mut trader = turning();
        let events = [
            CLOSED,
            bought(NEW, 0.97),
            ended("id-1", OrderState::Filled, 0.97, None),
        ];
        let first = told(&mut trader, &events);
        assert_eq!(part(first.as_ref()), Some(lots(0.49)));
        end(&mut trader);
        assert!(trader.is_idle());
        assert_eq!(tick_at(&mut trader, 1_000, 100_000), None);
    }
}

#[test]
fn a_turn_that_was_never_sent_leaves_a_later_position_alone() {
    let mut trader = turning();
    trader.on_snapshot(snapshot(TradingState::Active));
    trader.on_recalled(&id("id-1"), false);
    assert_eq!(told(&mut trader, &[bought(NEW, 0.97)]), None);
    assert_eq!(tick_at(&mut trader, 1_000, 100_000), None);
}

#[test]
fn of_a_turn_that_is_filled_after_its_end_was_told_no_more_stays_than_risk_admits() {
    let mut trader = turning();
    let over = trader.on_event(&ended("id-1", OrderState::Canceled, 0.0, None));
    assert!(
        matches!(&over.intents[..], [Intent::Close(close)] if close.position_id == POSITION),
        "{over:?}"
    );
    let events = [
        CLOSED,
        ended("id-2", OrderState::Filled, 0.49, Some(POSITION)),
        bought(NEW, 0.97),
    ];
    let intent = told(&mut trader, &events);
    assert_eq!(part(intent.as_ref()), Some(lots(0.49)));
}

#[test]
fn a_turn_that_falls_short_waits_for_no_position() {
    let mut trader = at_once(&[turn_to_buy, turn_to_buy]);
    trader.on_event(&opened(Side::Sell));
    assert_eq!(go(&mut trader).len(), 1);
    let rest = Event::PositionChanged(Held {
        lots: lots(0.19),
        ..held(Side::Sell)
    });
    let events = [
        rest,
        ended("id-1", OrderState::Canceled, 0.3, None),
        ended("id-2", OrderState::Rejected, 0.0, Some(POSITION)),
    ];
    let close = told(&mut trader, &events);
    assert!(matches!(close, Some(Intent::Close(_))), "{close:?}");
    let again = go(&mut trader);
    assert!(matches!(&again[..], [Intent::Submit(_)]), "{again:?}");
}

#[test]
fn a_turn_that_opened_nothing_waits_for_no_position() {
    let rest = Event::PositionChanged(Held {
        lots: lots(0.19),
        ..held(Side::Sell)
    });
    let all = vec![CLOSED, ended("id-1", OrderState::Canceled, 0.49, None)];
    let beside_a_stop = vec![rest, CLOSED, ended("id-1", OrderState::Canceled, 0.3, None)];
    for events in [all, beside_a_stop] {
        let mut trader = at_once(&[turn_to_buy, turn_to_buy]);
        trader.on_event(&opened(Side::Sell));
        assert_eq!(go(&mut trader).len(), 1);
        assert_eq!(told(&mut trader, &events), None);
        let again = go(&mut trader);
        assert!(matches!(&again[..], [Intent::Submit(_)]), "{again:?}");
    }
}

#[test]
fn of_a_turn_that_falls_short_after_its_position_ended_what_risk_admits_stays() {
    // The position that ended, what the order opened in its place, and what is closed of that.
    for (ended_lots, opened_lots, closed) in [(0.49, 0.3, None), (2.0, 1.0, Some(lots(0.52)))] {
        let mut trader = at_once(&[turn_to_buy]);
        trader.on_event(&Event::PositionChanged(Held {
            lots: lots(ended_lots),
            ..held(Side::Sell)
        }));
        assert!(matches!(&go(&mut trader)[..], [Intent::Submit(_)]));
        let events = [
            CLOSED,
            bought(NEW, opened_lots),
            ended("id-1", OrderState::Canceled, opened_lots, None),
        ];
        let intent = told(&mut trader, &events);
        assert_eq!(intent.is_some(), closed.is_some(), "{intent:?}");
        assert_eq!(part(intent.as_ref()), closed, "{opened_lots}");
    }
}
