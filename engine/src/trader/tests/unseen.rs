//! A position that was opened and closed while nobody could tell of it holds no entry back for ever.

use super::{
    risk::{MONDAY, free_but, tick_at},
    *,
};

type Decision = fn(&mut Context<'_>);

/// A trader that may hold one position, and whose first decision is filled without a word of its
/// position. From then on it buys with each tick.
fn unseen(first: Decision, events: &[Event]) -> Trader {
    let again: Decision = buy;
    let mut decisions = vec![first];
    decisions.extend([again; 100]);
    let risk = free_but("max_open_positions = 1");
    let mut trader = trader_under(risk, vec![settings("jumps", script(&decisions))]);
    assert!(tick_at(&mut trader, MONDAY, 100_000).is_some());
    for event in events {
        assert_eq!(trader.on_event(event).intents, []);
    }
    trader
}

#[test]
fn a_position_that_is_never_told_is_waited_for_a_minute() {
    let filled = order("id-1", OrderState::Filled);
    let waits = Event::Order(working("id-1"));
    let at_once: (Decision, Vec<Event>) = (buy, vec![filled.clone()]);
    let later: (Decision, Vec<Event>) = (limit, vec![waits, filled]);
    for (first, events) in [at_once, later] {
        let mut trader = unseen(first, &events);
        for second in 0..60 {
            let time = MONDAY + second * 1_000;
            assert_eq!(tick_at(&mut trader, time, 100_000), None, "{second}");
        }
        let entry = tick_at(&mut trader, MONDAY + 60_000, 100_000);
        assert!(matches!(entry, Some(Intent::Submit(_))), "{entry:?}");
    }
}

#[test]
fn time_without_ticks_is_no_time_in_which_a_position_is_told() {
    let mut trader = unseen(buy, &[order("id-1", OrderState::Filled)]);
    for hour in 0..3 {
        let time = MONDAY + hour * 3_600_000;
        assert_eq!(tick_at(&mut trader, time, 100_000), None, "{hour}");
    }
    trader.on_event(&opened(Side::Buy));
    assert_eq!(trader.portfolio.open_but(None).len(), 1);
}

#[test]
fn an_exit_waits_no_longer_for_a_position_that_is_never_told() {
    let exit: Decision = |context| context.exit();
    let decisions = script(&[buy, exit]);
    let mut trader = trader_under(free_but(""), vec![settings("jumps", decisions)]);
    assert!(tick_at(&mut trader, MONDAY, 100_000).is_some());
    assert_eq!(tick_at(&mut trader, MONDAY, 100_000), None, "it is busy");
    let filled = order("id-1", OrderState::Filled);
    assert_eq!(trader.on_event(&filled).intents, []);
    for second in 0..=60 {
        let time = MONDAY + second * 1_000;
        assert_eq!(tick_at(&mut trader, time, 100_000), None, "{second}");
    }
    let adopted = trader.on_event(&opened(Side::Buy));
    assert_eq!(adopted.intents, [], "nobody decided to close that one");
}

#[test]
fn where_positions_stand_side_by_side_one_of_the_other_side_ends_no_wait() {
    let again: Decision = buy;
    let decisions = script(&[again; 100]);
    let risk = free_but("max_open_positions = 1");
    let mut trader = trader_under(risk, vec![settings("jumps", decisions)]);
    trader.on_snapshot(Snapshot {
        mode: AccountMode::Hedging,
        ..snapshot(TradingState::Active)
    });
    assert!(tick_at(&mut trader, MONDAY, 100_000).is_some());
    let filled = order("id-1", OrderState::Filled);
    for event in [filled, opened(Side::Sell), CLOSED] {
        assert_eq!(trader.on_event(&event).intents, [], "{event:?}");
    }
    for second in 0..60 {
        let time = MONDAY + second * 1_000;
        assert_eq!(tick_at(&mut trader, time, 100_000), None, "{second}");
    }
    let entry = tick_at(&mut trader, MONDAY + 60_000, 100_000);
    assert!(matches!(entry, Some(Intent::Submit(_))), "{entry:?}");
}

#[test]
fn what_another_strategy_entered_counts_still_where_a_position_is_given_up() {
    let pair = ["jumps", "other"].map(|name| settings(name, script(&[buy])));
    let mut trader = trader_without_snapshot(free_but(""), pair.into());
    trader.on_snapshot(Snapshot {
        mode: AccountMode::Hedging,
        ..snapshot(TradingState::Active)
    });
    assert_eq!(trader.on_tick(&tick(MONDAY, 100_000)).intents.len(), 2);
    trader.on_event(&order("id-1", OrderState::Filled));
    for second in 0..60 {
        tick_at(&mut trader, MONDAY + second * 1_000, 100_000);
    }
    trader.on_event(&order("id-2", OrderState::Filled));
    tick_at(&mut trader, MONDAY + 60_000, 100_000);
    assert!(!trader.portfolio.awaits_position(&id("id-1")));
    assert!(trader.portfolio.awaits_position(&id("id-2")));
}
