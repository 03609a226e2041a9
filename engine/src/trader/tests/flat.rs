//! When nothing is there that someone must attend.

use super::*;

#[test]
fn only_what_is_known_to_hold_nothing_is_flat() {
    let risk = Risk::new(rules("max_per_trade = 1.0"));
    let mut trader = trader_without_snapshot(risk, vec![settings("jumps", Jumps(None))]);
    assert!(!trader.is_flat(), "nothing is known yet");
    trader.on_snapshot(Snapshot {
        is_whole: false,
        ..snapshot(TradingState::Active)
    });
    assert!(!trader.is_flat(), "a position is not understood");
    trader.on_snapshot(snapshot(TradingState::Active));
    assert!(trader.is_flat());
    assert_eq!(feed(&mut trader, DOWN).len(), 1);
    assert!(!trader.is_flat(), "an entry is under way");
    trader.on_event(&opened(Side::Sell));
    trader.on_event(&order("id-1", OrderState::Filled));
    assert!(!trader.is_flat(), "a position is open");
    trader.on_event(&CLOSED);
    assert!(trader.is_flat());
    trader.on_event(&Event::Order(working("id-9")));
    assert!(!trader.is_flat(), "an order waits for its price");
}
