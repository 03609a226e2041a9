//! An entry that waits too long for what must be done before it is not made any more.

use super::{
    risk::{MONDAY, free_but, tick_at},
    *,
};

/// A trader that sold, and decided to buy instead: the close is under way, as `id-1`.
fn closing() -> Trader {
    let mut trader = trader_under(
        free_but(""),
        vec![settings("jumps", script(&[turn_to_buy]))],
    );
    trader.on_event(&opened(Side::Sell));
    let close = tick_at(&mut trader, MONDAY, 100_000);
    assert!(matches!(close, Some(Intent::Close(_))), "{close:?}");
    trader
}

/// What follows once the close is done.
fn closed(trader: &mut Trader) -> Vec<Intent> {
    trader.on_event(&CLOSED);
    trader.on_event(&order("id-1", OrderState::Filled)).intents
}

#[test]
fn a_reversal_whose_close_takes_too_long_opens_nothing() {
    for (passed, opens) in [(0, true), (5_000, true), (5_001, false), (300_000, false)] {
        let mut trader = closing();
        assert_eq!(tick_at(&mut trader, MONDAY + passed, 100_000), None);
        let intents = closed(&mut trader);
        let opened = matches!(&intents[..], [Intent::Submit(_)]);
        assert_eq!(opened, opens, "{passed}: {intents:?}");
        assert!(opens || intents.is_empty());
    }
}

/// Without a link no tick tells how long that took.
#[test]
fn a_reversal_whose_close_became_unknown_opens_nothing() {
    let mut trader = closing();
    let unknown = trader.on_event(&order("id-1", OrderState::Unknown));
    assert_eq!(unknown.intents, []);
    assert_eq!(closed(&mut trader), []);
    assert!(trader.is_idle());
}

#[test]
fn an_entry_that_waits_too_long_for_a_cancellation_is_not_made() {
    for (passed, opens) in [(5_000, true), (5_001, false)] {
        let decisions = script(&[limit, buy]);
        let mut trader = trader_under(free_but(""), vec![settings("jumps", decisions)]);
        tick_at(&mut trader, MONDAY, 100_000);
        trader.on_event(&Event::Order(working("id-1")));
        let cancel = tick_at(&mut trader, MONDAY, 100_000);
        assert!(matches!(cancel, Some(Intent::Cancel(_))), "{cancel:?}");
        assert_eq!(tick_at(&mut trader, MONDAY + passed, 100_000), None);
        assert_eq!(trader.on_changed(&id("id-2"), true), Step::default());
        let step = trader.on_event(&order("id-1", OrderState::Canceled));
        assert_eq!(!step.intents.is_empty(), opens, "{passed}: {step:?}");
    }
}

#[test]
fn of_a_reversal_decided_before_an_unknown_entry_was_found_the_exit_is_left() {
    let sell: fn(&mut Context<'_>) =
        |context| context.enter(Entry::market(Side::Sell).with_stop_loss(Level::Points(200)));
    let mut trader = deciding(&[sell, turn_to_buy]);
    go(&mut trader);
    trader.on_event(&order("id-1", OrderState::Unknown));
    assert_eq!(go(&mut trader), []);
    trader.on_event(&order("id-1", OrderState::Unknown));
    assert_eq!(tick_at(&mut trader, 300_000, 100_000), None);
    trader.on_event(&opened(Side::Sell));
    let step = trader.on_event(&order("id-1", OrderState::Filled));
    assert!(matches!(&step.intents[..], [Intent::Close(_)]), "{step:?}");
}
