//! Each rule of care acts alone, over a restart too, and holds no exit back.

mod judged;

use super::{
    risk::{MONDAY, free_but, tick_at},
    *,
};
use crate::{
    care::testing::settings as care,
    risk::{FILE, Open},
};
use std::{fs, path::Path};

const MINUTE: i64 = 60_000;
/// Both at the same price, as in the example of a prop firm.
const BOTH: &str = "break_even.at_r = 1.0\npartial_close.at_r = 1.0";

fn caring(keys: &str, decisions: &[fn(&mut Context<'_>)]) -> StrategySettings {
    StrategySettings {
        care: care(keys),
        ..settings("jumps", script(decisions))
    }
}

/// A trader whose strategy decides nothing: what it does is care.
fn under(keys: &str) -> Trader {
    trader_under(free_but(""), vec![caring(keys, &[])])
}

/// A trader that goes on from what the folder holds, and finds these positions.
fn restarted(keys: &str, folder: &Path, positions: Vec<Held>) -> Trader {
    restarted_with(caring(keys, &[]), folder, positions)
}

fn restarted_with(strategy: StrategySettings, folder: &Path, positions: Vec<Held>) -> Trader {
    let risk = Risk::open(rules("lots = 0.5"), true, &folder.join(FILE));
    let mut trader = trader_without_snapshot(risk, vec![strategy]);
    trader.on_snapshot(Snapshot {
        positions,
        ..snapshot(TradingState::Active)
    });
    trader
}

/// 0.48 lots that opened at 1.00000, that Monday at noon.
fn position(side: Side, stop: i64) -> Held {
    Held {
        lots: lots(0.48),
        opened: Some(BrokerTime(MONDAY)),
        levels: Levels {
            stop_loss: Some(price(stop)),
            take_profit: None,
        },
        ..held(side)
    }
}

fn lots(lots: f64) -> Lots {
    Lots::from_f64(lots).unwrap()
}

/// A position changed. One that is new was opened by an entry of the trader.
fn told(trader: &mut Trader, held: Held) {
    let entry = id("entry");
    if trader.portfolio.position(held.position_id).is_none() {
        let open = Open {
            symbol: held.symbol.clone(),
            side: held.side,
            lots: held.lots,
            price: held.open_price,
            stop: held.levels.stop_loss,
            in_flight: true,
            unmeasured: false,
        };
        trader.portfolio.send(entry.clone(), open, None);
    }
    adopted(trader, held);
    trader.portfolio.end(&entry, true);
}

/// A position changed that no entry of the trader opened.
fn adopted(trader: &mut Trader, held: Held) {
    let step = trader.on_event(&Event::PositionChanged(held));
    assert_eq!(step, Step::default());
}

/// The stop loss that an intent moves, and where to.
fn moved(intent: Option<&Intent>) -> (PositionId, Price) {
    let Some(Intent::Move(change)) = intent else {
        panic!("{intent:?}")
    };
    let Edit::Set(stop) = change.levels.stop_loss else {
        panic!("{change:?}")
    };
    assert_eq!(change.levels.take_profit, Edit::Keep);
    (change.position_id, stop)
}

/// How much of the position an intent closes; none: all.
fn closed(intent: Option<&Intent>) -> Option<Lots> {
    let Some(Intent::Close(close)) = intent else {
        panic!("{intent:?}")
    };
    assert_eq!((close.position_id, close.tag.as_str()), (POSITION, "jumps"));
    close.lots
}

fn part_filled(intent: &Intent) -> Event {
    Event::Order(OrderUpdate {
        request_id: Some(intent.request_id().clone()),
        closes: Some(POSITION),
        state: OrderState::Filled,
        filled: lots(0.24),
        refused: false,
        working: None,
    })
}

#[test]
fn a_position_whose_prices_cannot_be_read_is_noted_once_they_can() {
    let mut trader = under("break_even.at_r = 1.0");
    let read = position(Side::Buy, 99_800);
    let unread = Held {
        open_price: None,
        levels: Levels::default(),
        ..read.clone()
    };
    let found = |held: &Held| Snapshot {
        positions: vec![held.clone()],
        ..snapshot(TradingState::Active)
    };
    trader
        .risk
        .remember(|book, _| book.on_entry("jumps", Some(price(99_800))));
    trader.specify(Vec::new());
    trader.on_snapshot(found(&unread));
    adopted(&mut trader, unread.clone());
    assert_eq!(tick_at(&mut trader, MONDAY, 100_200), None);
    assert!(!trader.risk.cared().knows(POSITION));
    trader.specify(vec![spec()]);
    trader.on_snapshot(found(&read));
    assert_eq!(trader.risk.cared().risk(POSITION), Some(200));
    trader.specify(Vec::new());
    trader.on_snapshot(found(&unread));
    assert_eq!(
        trader.risk.cared().risk(POSITION),
        Some(200),
        "not forgotten"
    );
}

#[test]
fn break_even_alone_moves_the_stop_once() {
    for (side, stop, early, late) in [
        (Side::Buy, 99_800, 100_199, 100_200),
        (Side::Sell, 100_200, 99_799, 99_798),
    ] {
        let mut trader = under("break_even.at_r = 1.0");
        told(&mut trader, position(side, stop));
        assert_eq!(tick_at(&mut trader, MONDAY, early), None, "{side:?}");
        let intent = tick_at(&mut trader, MONDAY, late).unwrap();
        assert_eq!(moved(Some(&intent)), (POSITION, price(100_000)));
        assert_eq!(tick_at(&mut trader, MONDAY, late), None, "it is under way");
        assert_eq!(
            trader.on_changed(intent.request_id(), true),
            Step::default()
        );
        told(&mut trader, position(side, 100_000));
        assert_eq!(tick_at(&mut trader, MONDAY + MINUTE, late), None, "once");
    }
}

#[test]
fn trailing_alone_moves_the_stop_at_a_pace_and_rests_after_a_failure() {
    let mut trader = under("trailing.points = 150");
    told(&mut trader, position(Side::Buy, 99_800));
    let intent = tick_at(&mut trader, MONDAY, 100_100).unwrap();
    assert_eq!(moved(Some(&intent)), (POSITION, price(99_950)));
    trader.on_changed(intent.request_id(), true);
    told(&mut trader, position(Side::Buy, 99_950));
    assert_eq!(
        tick_at(&mut trader, MONDAY + 999, 100_120),
        None,
        "too soon"
    );
    assert_eq!(tick_at(&mut trader, MONDAY + 1_000, 100_109), None, "small");
    let intent = tick_at(&mut trader, MONDAY + 1_000, 100_120).unwrap();
    assert_eq!(moved(Some(&intent)), (POSITION, price(99_970)));
    trader.on_changed(intent.request_id(), false);
    assert_eq!(tick_at(&mut trader, MONDAY + 10_999, 100_120), None);
    let again = tick_at(&mut trader, MONDAY + 11_000, 100_120);
    assert_eq!(moved(again.as_ref()), (POSITION, price(99_970)));
}

#[test]
fn trailing_by_ranges_knows_them_from_the_past() {
    let mut trader =
        under("trailing.atr = 2.0\ntrailing.atr_bars = 2\ntrailing.atr_timeframe = \"M1\"");
    trader.await_history();
    let wanted = WarmUp {
        symbol: spec().symbol,
        timeframe: Timeframe::M1,
        bars: 4,
    };
    assert_eq!(trader.warm_ups(), [wanted]);
    told(&mut trader, position(Side::Buy, 99_800));
    assert_eq!(tick_at(&mut trader, MONDAY, 100_100), None, "not known yet");
    let bar = |minutes: i64| Bar {
        symbol: spec().symbol,
        time: BrokerTime(MONDAY + minutes * MINUTE),
        open: price(100_000),
        high: price(100_015),
        low: price(99_985),
        close: price(100_000),
        tick_volume: 1,
        real_volume: 0,
        spread_points: 2,
    };
    let history = History {
        finished: vec![bar(-3), bar(-2), bar(-1)],
        running: None,
    };
    trader.on_history(&spec().symbol, Timeframe::M1, &history);
    let intent = tick_at(&mut trader, MONDAY, 100_100).unwrap();
    assert_eq!(moved(Some(&intent)), (POSITION, price(100_040)));
    trader.on_changed(intent.request_id(), true);
    told(&mut trader, position(Side::Buy, 100_040));
    trader.await_history();
    let later = tick_at(&mut trader, MONDAY + MINUTE, 100_300);
    assert_eq!(later, None, "those of before are none of now");
}

#[test]
fn a_partial_close_alone_takes_a_part_once_whatever_is_told_first() {
    for position_first in [false, true] {
        let mut trader = under("partial_close.at_r = 1.0");
        told(&mut trader, position(Side::Buy, 99_800));
        let intent = tick_at(&mut trader, MONDAY, 100_200).unwrap();
        assert_eq!(closed(Some(&intent)), Some(lots(0.24)));
        assert_eq!(
            tick_at(&mut trader, MONDAY, 100_200),
            None,
            "it is under way"
        );
        let rest = Held {
            lots: lots(0.24),
            ..position(Side::Buy, 99_800)
        };
        if position_first {
            told(&mut trader, rest.clone());
        }
        trader.on_event(&part_filled(&intent));
        assert!(
            trader.portfolio.position(POSITION).is_some(),
            "a rest is left"
        );
        assert_eq!(tick_at(&mut trader, MONDAY + MINUTE, 100_300), None, "once");
        if !position_first {
            told(&mut trader, rest);
        }
        assert_eq!(tick_at(&mut trader, MONDAY + MINUTE, 100_300), None, "once");
        assert!(trader.is_idle());
    }
}

/// Its order may be told before the position: what is left is not known by then.
#[test]
fn a_position_of_which_a_part_was_closed_is_closed_before_it_is_turned() {
    let nothing: fn(&mut Context<'_>) = |_| ();
    let turns = StrategySettings {
        reverse: Reverse::OneOrder,
        ..caring("partial_close.at_r = 1.0", &[nothing, turn_to_buy])
    };
    let mut trader = trader_under(free_but(""), vec![turns]);
    told(&mut trader, position(Side::Sell, 100_200));
    let part = tick_at(&mut trader, MONDAY, 99_798).unwrap();
    assert_eq!(closed(Some(&part)), Some(lots(0.24)));
    trader.on_event(&part_filled(&part));
    let turn = tick_at(&mut trader, MONDAY + 1_000, 99_798).unwrap();
    assert_eq!(closed(Some(&turn)), None, "all that is left");
}

#[test]
fn a_partial_close_that_fails_is_tried_again_after_a_while() {
    let mut trader = under("partial_close.at_r = 1.0");
    told(&mut trader, position(Side::Buy, 99_800));
    let intent = tick_at(&mut trader, MONDAY, 100_200).unwrap();
    let failed = trader.on_refused(intent.request_id(), "MARKET_CLOSED".into());
    assert_eq!(failed.intents, []);
    assert_eq!(tick_at(&mut trader, MONDAY + 9_999, 100_200), None);
    let again = tick_at(&mut trader, MONDAY + 10_000, 100_200);
    assert_eq!(closed(again.as_ref()), Some(lots(0.24)));
}

#[test]
fn a_time_exit_alone_closes_all_and_is_tried_until_it_is_done() {
    let mut trader = under("time_exit.minutes = 5");
    told(&mut trader, position(Side::Sell, 100_200));
    let end = MONDAY + 5 * MINUTE;
    assert_eq!(tick_at(&mut trader, end - 1, 100_000), None);
    let intent = tick_at(&mut trader, end, 100_000).unwrap();
    assert_eq!(closed(Some(&intent)), None);
    trader.on_event(&order(intent.request_id().as_str(), OrderState::Rejected));
    assert_eq!(tick_at(&mut trader, end + 999, 100_000), None, "paced");
    let again = tick_at(&mut trader, end + 1_000, 100_000).unwrap();
    assert_eq!(closed(Some(&again)), None);
    trader.on_event(&CLOSED);
    let done = order(again.request_id().as_str(), OrderState::Filled);
    assert_eq!(trader.on_event(&done).intents, []);
    assert_eq!(tick_at(&mut trader, end + MINUTE, 100_000), None);
}

#[test]
fn what_the_strategy_decides_comes_first() {
    let exit: fn(&mut Context<'_>) = |context| context.exit();
    let mut trader = trader_under(free_but(""), vec![caring(BOTH, &[exit])]);
    told(&mut trader, position(Side::Buy, 99_800));
    let intent = tick_at(&mut trader, MONDAY, 100_200);
    assert_eq!(closed(intent.as_ref()), None, "all of it");
}

#[test]
fn each_position_of_its_own_is_cared_for_and_none_of_another_strategy() {
    let others = settings("other", script(&[]));
    let cared = caring("break_even.at_r = 1.0", &[]);
    let mut trader = trader_under(free_but(""), vec![cared, others]);
    let of = |id: u64, tag: &str, stop: i64| Held {
        position_id: PositionId(id),
        tag: tag.into(),
        ..position(Side::Buy, stop)
    };
    trader.on_snapshot(Snapshot {
        mode: AccountMode::Hedging,
        ..snapshot(TradingState::Active)
    });
    told(&mut trader, of(6, "other", 99_800));
    assert_eq!(tick_at(&mut trader, MONDAY, 100_200), None);
    told(&mut trader, of(7, "jumps", 99_800));
    told(&mut trader, of(8, "jumps", 99_800));
    // Both by the same tick, one after the other.
    let first = tick_at(&mut trader, MONDAY, 100_200).unwrap();
    assert_eq!(moved(Some(&first)), (PositionId(7), price(100_000)));
    let second = trader.on_changed(first.request_id(), true).intents;
    assert_eq!(moved(second.first()), (PositionId(8), price(100_000)));
    let done = trader.on_changed(second[0].request_id(), true);
    assert_eq!(done, Step::default());
    for id in [7, 8] {
        told(&mut trader, of(id, "jumps", 100_000));
    }
    assert_eq!(tick_at(&mut trader, MONDAY + MINUTE, 100_200), None);
}

#[test]
fn all_that_is_due_by_a_tick_is_done_by_it_whether_the_first_of_it_is_done_or_not() {
    for is_moved in [true, false] {
        let mut trader = under(BOTH);
        told(&mut trader, position(Side::Buy, 99_800));
        let stop = tick_at(&mut trader, MONDAY, 100_200).unwrap();
        assert_eq!(moved(Some(&stop)), (POSITION, price(100_000)));
        let part = trader.on_changed(stop.request_id(), is_moved).intents;
        assert_eq!(closed(part.first()), Some(lots(0.24)), "{is_moved}");
        assert_eq!(trader.on_event(&part_filled(&part[0])).intents, []);
        assert!(trader.is_idle());
    }
}

#[test]
fn what_a_price_was_reason_for_is_done_where_the_price_went_back_meanwhile() {
    let mut trader = under(BOTH);
    told(&mut trader, position(Side::Buy, 99_800));
    let stop = tick_at(&mut trader, MONDAY, 100_200).unwrap();
    assert_eq!(moved(Some(&stop)), (POSITION, price(100_000)));
    assert_eq!(
        tick_at(&mut trader, MONDAY + 500, 100_050),
        None,
        "it is under way"
    );
    let part = trader.on_changed(stop.request_id(), true).intents;
    assert_eq!(closed(part.first()), Some(lots(0.24)));
    let failed = trader.on_refused(part[0].request_id(), "MARKET_CLOSED".into());
    assert_eq!(failed.intents, []);
    told(&mut trader, position(Side::Buy, 100_000));
    // It was tried: from now on the price must be there again.
    assert_eq!(tick_at(&mut trader, MONDAY + 10_500, 100_050), None);
    let again = tick_at(&mut trader, MONDAY + 20_500, 100_200);
    assert_eq!(closed(again.as_ref()), Some(lots(0.24)));
}

#[test]
fn a_price_of_before_a_position_is_reason_for_nothing() {
    let mut trader = under(BOTH);
    assert_eq!(tick_at(&mut trader, MONDAY, 100_300), None);
    told(&mut trader, position(Side::Buy, 99_800));
    assert_eq!(tick_at(&mut trader, MONDAY, 100_199), None);
    let stop = tick_at(&mut trader, MONDAY, 100_200);
    assert_eq!(moved(stop.as_ref()), (POSITION, price(100_000)));
}

#[test]
fn what_is_due_for_a_position_that_is_gone_or_turned_is_not_done() {
    let gone: fn(&mut Trader) = |trader| drop(trader.on_event(&CLOSED));
    let turned: fn(&mut Trader) = |trader| told(trader, position(Side::Sell, 100_300));
    for happens in [gone, turned] {
        let mut trader = under(BOTH);
        told(&mut trader, position(Side::Buy, 99_800));
        let stop = tick_at(&mut trader, MONDAY, 100_200).unwrap();
        happens(&mut trader);
        let after = trader.on_changed(stop.request_id(), false);
        assert_eq!(after, Step::default());
    }
}

#[test]
fn a_position_that_is_turned_has_an_r_of_its_own() {
    let mut trader = under("break_even.at_r = 1.0");
    told(&mut trader, position(Side::Buy, 99_800));
    told(&mut trader, position(Side::Sell, 100_300));
    assert_eq!(tick_at(&mut trader, MONDAY, 99_798), None);
    let intent = tick_at(&mut trader, MONDAY, 99_698);
    assert_eq!(moved(intent.as_ref()), (POSITION, price(100_000)));
}

#[test]
fn a_restart_forgets_no_r() {
    for (keys, stop) in [
        ("break_even.at_r = 1.0", 100_000),
        ("trailing.points = 150\ntrailing.from_r = 1.0", 100_050),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut first = restarted(keys, folder.path(), Vec::new());
        told(&mut first, position(Side::Buy, 99_800));
        told(&mut first, position(Side::Buy, 99_950));
        drop(first);
        let found = || vec![position(Side::Buy, 99_950)];
        let mut next = restarted(keys, folder.path(), found());
        assert_eq!(tick_at(&mut next, MONDAY, 100_199), None, "{keys}");
        let intent = tick_at(&mut next, MONDAY, 100_200);
        assert_eq!(moved(intent.as_ref()), (POSITION, price(stop)), "{keys}");
        let fresh = tempfile::tempdir().unwrap();
        let mut other = restarted(keys, fresh.path(), found());
        assert_eq!(
            tick_at(&mut other, MONDAY, 109_000),
            None,
            "{keys}: nothing is guessed"
        );
    }
}

#[test]
fn a_part_that_was_closed_is_not_closed_again_after_a_restart() {
    let keys = "partial_close.at_r = 1.0";
    let folder = tempfile::tempdir().unwrap();
    let mut first = restarted(keys, folder.path(), Vec::new());
    told(&mut first, position(Side::Buy, 99_800));
    let intent = tick_at(&mut first, MONDAY, 100_200).unwrap();
    assert_eq!(closed(Some(&intent)), Some(lots(0.24)));
    first.on_event(&part_filled(&intent));
    let rest = Held {
        lots: lots(0.24),
        ..position(Side::Buy, 99_800)
    };
    let mut next = restarted(keys, folder.path(), vec![rest]);
    assert_eq!(tick_at(&mut next, MONDAY, 100_300), None);
    // Its end is told again after the snapshot: the rest stays what it is.
    next.on_event(&part_filled(&intent));
    assert!(next.portfolio.position(POSITION).is_some());
}

#[test]
fn a_part_whose_order_was_under_way_waits_for_its_end_after_a_restart() {
    let keys = "partial_close.at_r = 1.0";
    for (arrived, again) in [(false, true), (true, false)] {
        let folder = tempfile::tempdir().unwrap();
        let mut first = restarted(keys, folder.path(), Vec::new());
        told(&mut first, position(Side::Buy, 99_800));
        let intent = tick_at(&mut first, MONDAY, 100_200).unwrap();
        drop(first);
        let whole = vec![position(Side::Buy, 99_800)];
        let mut next = restarted(keys, folder.path(), whole);
        assert_eq!(
            tick_at(&mut next, MONDAY, 100_200),
            None,
            "it may have been done"
        );
        next.on_recalled(intent.request_id(), arrived);
        let intent = tick_at(&mut next, MONDAY, 100_200);
        assert_eq!(intent.is_some(), again, "{intent:?}");
    }
}

#[test]
fn a_part_whose_order_was_never_recorded_was_never_sent() {
    let keys = "partial_close.at_r = 1.0";
    let folder = tempfile::tempdir().unwrap();
    let mut first = restarted(keys, folder.path(), Vec::new());
    told(&mut first, position(Side::Buy, 99_800));
    let intent = tick_at(&mut first, MONDAY, 100_200).unwrap();
    drop(first);
    let whole = vec![position(Side::Buy, 99_800)];
    let mut next = restarted(keys, folder.path(), whole);
    let record_of = |asked: &RequestId| {
        assert_eq!(asked, intent.request_id());
        Ok(Record::Open)
    };
    next.on_records(record_of).unwrap();
    assert_eq!(
        tick_at(&mut next, MONDAY, 100_200),
        None,
        "its end is to come"
    );
    next.on_records(|_| Ok(Record::Never)).unwrap();
    let again = tick_at(&mut next, MONDAY, 100_200);
    assert_eq!(closed(again.as_ref()), Some(lots(0.24)));
}

#[test]
fn a_part_whose_end_was_recorded_and_not_noted_is_not_closed_again() {
    let keys = "partial_close.at_r = 1.0";
    let folder = tempfile::tempdir().unwrap();
    let mut first = restarted(keys, folder.path(), Vec::new());
    told(&mut first, position(Side::Buy, 99_800));
    assert!(tick_at(&mut first, MONDAY, 100_200).is_some());
    drop(first);
    let rest = Held {
        lots: lots(0.24),
        ..position(Side::Buy, 99_800)
    };
    let mut next = restarted(keys, folder.path(), vec![rest]);
    next.on_records(|_| Ok(Record::Settled)).unwrap();
    next.on_records(|_| Ok(Record::Never)).unwrap();
    assert_eq!(tick_at(&mut next, MONDAY + MINUTE, 100_300), None);
}

#[test]
fn a_part_is_tried_again_after_a_definite_refusal_alone() {
    for refused in [true, false] {
        let mut trader = under("partial_close.at_r = 1.0");
        told(&mut trader, position(Side::Buy, 99_800));
        let intent = tick_at(&mut trader, MONDAY, 100_200).unwrap();
        let ended = OrderUpdate {
            request_id: Some(intent.request_id().clone()),
            closes: Some(POSITION),
            state: OrderState::Rejected,
            filled: Lots::ZERO,
            refused,
            working: None,
        };
        trader.on_event(&Event::Order(ended));
        let again = tick_at(&mut trader, MONDAY + 10_000, 100_200);
        assert_eq!(again.is_some(), refused, "{again:?}");
    }
}

#[test]
fn a_refused_part_that_is_filled_after_all_takes_no_rest_and_is_the_only_one() {
    let mut trader = under("partial_close.at_r = 1.0");
    told(&mut trader, position(Side::Buy, 99_800));
    let intent = tick_at(&mut trader, MONDAY, 100_200).unwrap();
    trader.on_refused(intent.request_id(), "MARKET_CLOSED".into());
    let rest = Held {
        lots: lots(0.24),
        ..position(Side::Buy, 99_800)
    };
    told(&mut trader, rest);
    trader.on_event(&part_filled(&intent));
    assert!(trader.portfolio.position(POSITION).is_some());
    assert_eq!(tick_at(&mut trader, MONDAY + MINUTE, 100_300), None);
}

#[test]
fn the_stop_of_a_position_that_it_did_not_open_is_not_the_initial_one() {
    let mut trader = under("break_even.at_r = 1.0");
    adopted(&mut trader, position(Side::Buy, 99_990));
    assert_eq!(tick_at(&mut trader, MONDAY, 109_000), None);
    adopted(&mut trader, position(Side::Buy, 99_800));
    assert_eq!(tick_at(&mut trader, MONDAY, 109_000), None);
}

#[test]
fn a_position_that_cannot_be_closed_keeps_no_other_from_its_end() {
    let others = settings("other", script(&[]));
    let cared = caring("time_exit.minutes = 5", &[]);
    let mut trader = trader_under(free_but(""), vec![cared, others]);
    trader.on_snapshot(Snapshot {
        mode: AccountMode::Hedging,
        ..snapshot(TradingState::Active)
    });
    for number in [7, 8] {
        let held = Held {
            position_id: PositionId(number),
            ..position(Side::Buy, 99_800)
        };
        told(&mut trader, held);
    }
    let end = MONDAY + 5 * MINUTE;
    for (time, number) in [(end, 7), (end + 1_000, 8), (end + 2_000, 7)] {
        let intent = tick_at(&mut trader, time, 100_000).unwrap();
        let Intent::Close(close) = &intent else {
            panic!("{intent:?}")
        };
        assert_eq!(close.position_id, PositionId(number));
        assert!(!close.exits, "it is the end of one position");
        trader.on_refused(&close.request_id, "MARKET_CLOSED".into());
    }
}

#[test]
fn a_restart_forgets_no_opening() {
    let keys = "time_exit.minutes = 5";
    let untold = || Held {
        opened: None,
        ..position(Side::Buy, 99_800)
    };
    let folder = tempfile::tempdir().unwrap();
    let mut first = restarted(keys, folder.path(), Vec::new());
    assert_eq!(tick_at(&mut first, MONDAY, 100_000), None);
    told(&mut first, untold());
    drop(first);
    let end = MONDAY + 5 * MINUTE;
    for (folder, closes) in [(folder, true), (tempfile::tempdir().unwrap(), false)] {
        let mut next = restarted(keys, folder.path(), vec![untold()]);
        assert_eq!(tick_at(&mut next, end - 1, 100_000), None);
        let intent = tick_at(&mut next, end, 100_000);
        assert_eq!(intent.is_some(), closes, "{intent:?}");
    }
    let fresh = tempfile::tempdir().unwrap();
    let found = vec![position(Side::Buy, 99_800)];
    let mut other = restarted(keys, fresh.path(), found);
    let intent = tick_at(&mut other, end, 100_000);
    assert_eq!(closed(intent.as_ref()), None, "the broker told the opening");
}

#[test]
fn an_entry_that_was_filled_while_this_process_was_away_has_its_r() {
    let keys = "break_even.at_r = 1.0";
    for (stop, r) in [(99_698, true), (99_700, false)] {
        let folder = tempfile::tempdir().unwrap();
        let mut first = restarted_with(caring(keys, &[limit]), folder.path(), Vec::new());
        let entry = tick_at(&mut first, MONDAY, 100_000);
        assert!(matches!(entry, Some(Intent::Submit(_))), "{entry:?}");
        drop(first);
        let filled = Held {
            open_price: Some(price(99_900)),
            ..position(Side::Buy, stop)
        };
        let mut next = restarted(keys, folder.path(), vec![filled]);
        let intent = tick_at(&mut next, MONDAY, 100_102);
        assert_eq!(intent.is_some(), r, "{stop}: {intent:?}");
    }
}

#[test]
fn what_cannot_be_remembered_is_not_closed_in_part_and_stops_still_move() {
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("gone");
    fs::create_dir(&gone).unwrap();
    let mut trader = restarted(BOTH, &gone, Vec::new());
    fs::remove_dir_all(&gone).unwrap();
    told(&mut trader, position(Side::Buy, 99_800));
    let intent = tick_at(&mut trader, MONDAY, 100_200).unwrap();
    assert_eq!(moved(Some(&intent)), (POSITION, price(100_000)));
    trader.on_changed(intent.request_id(), true);
    told(&mut trader, position(Side::Buy, 100_000));
    assert_eq!(tick_at(&mut trader, MONDAY, 100_200), None);
    fs::create_dir(&gone).unwrap();
    assert_eq!(tick_at(&mut trader, MONDAY + 9_999, 100_200), None);
    let part = tick_at(&mut trader, MONDAY + 10_000, 100_200);
    assert_eq!(closed(part.as_ref()), Some(lots(0.24)));
}
