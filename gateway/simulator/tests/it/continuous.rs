//! A price that moves on without a jump: orders and levels on its way are done at their own price.

use crate::support::*;
use mymt5_model::{OrderType::*, Side::*, *};
use mymt5_simulator::{AccountConfig, Event, Week};

/// Moves EURUSD there from its last quote without a jump; its spread is 10.
fn go(desk: &mut Desk, ms: i64, bid: i64) -> Vec<Event> {
    desk.sim.on_tick(&Tick {
        is_continuous: true,
        ..tick("EURUSD", ms, bid, bid + 10)
    })
}

/// Prices of the deals, in points.
fn prices(events: &[Event]) -> Vec<i64> {
    let price = |deal: &DealRow| deal.price.unwrap().points();
    deals_of(events).into_iter().map(price).collect()
}

#[test]
fn levels_close_at_their_own_price_and_after_a_jump_at_the_quote() {
    let long = levels(Some(109_900), Some(110_200));
    let short = levels(Some(110_100), Some(109_800));
    for (side, levels, bid, reason, own, jumped) in [
        (Buy, long, 109_700, DealReason::StopLoss, 109_900, 109_700),
        (Buy, long, 110_900, DealReason::TakeProfit, 110_200, 110_900),
        (Sell, short, 110_300, DealReason::StopLoss, 110_100, 110_310),
        (
            Sell,
            short,
            109_000,
            DealReason::TakeProfit,
            109_800,
            109_010,
        ),
    ] {
        let opened = || {
            let mut desk = Desk::open(hedging());
            desk.done(&with_levels(deal(side, 1.0), levels));
            desk
        };
        let mut desk = opened();
        let events = go(&mut desk, 1, bid);
        assert_eq!(prices(&events), [own], "{side:?} {reason:?}");
        assert_eq!(deals_of(&events)[0].reason, reason);
        assert_eq!(desk.sim.quote(&symbol("EURUSD")).unwrap().bid, px(bid));
        assert!(desk.sim.positions().is_empty());

        let mut desk = opened();
        let events = desk.tick(1, bid, bid + 10);
        assert_eq!(prices(&events), [jumped], "{side:?} {reason:?}");
    }
}

#[test]
fn the_take_profit_pays_what_it_promises() {
    let mut desk = Desk::open(hedging());
    desk.done(&with_levels(deal(Buy, 1.0), levels(None, Some(110_110))));
    assert!(go(&mut desk, 1, 110_109).is_empty());
    let events = go(&mut desk, 2, 110_500);
    assert_eq!(deals_of(&events)[0].profit, money("100"));
    assert_eq!(desk.sim.account().balance, money("100100"));
}

#[test]
fn waiting_orders_are_filled_at_their_own_price_and_after_a_jump_at_the_quote() {
    for (side, kind, price, bid, jumped) in [
        (Buy, Limit, 109_900, 109_700, 109_710),
        (Sell, Limit, 110_100, 110_300, 110_300),
        (Buy, Stop, 110_100, 110_300, 110_310),
        (Sell, Stop, 109_900, 109_700, 109_700),
    ] {
        let placed = || {
            let mut desk = Desk::open(hedging());
            desk.done(&pending(side, kind, price));
            desk
        };
        let events = go(&mut placed(), 1, bid);
        assert_eq!(prices(&events), [price], "{side:?} {kind:?}");
        let events = placed().tick(1, bid, bid + 10);
        assert_eq!(prices(&events), [jumped], "{side:?} {kind:?}");
    }
}

#[test]
fn stops_slip_from_their_own_price_and_limits_and_targets_do_not() {
    let account = AccountConfig {
        slippage_points: 4,
        ..hedging()
    };
    let mut desk = Desk::open(account);
    let mut stopped = Vec::new();
    let mut limited = Vec::new();
    let mut gained = Vec::new();
    for turn in 0..40 {
        let ms = 10 * turn;
        desk.tick(ms + 1, 110_000, 110_010);
        desk.done(&with_levels(deal(Buy, 0.01), levels(Some(109_900), None)));
        stopped.extend(prices(&go(&mut desk, ms + 2, 109_700)));
        desk.tick(ms + 3, 110_000, 110_010);
        desk.done(&with_levels(
            pending(Buy, Limit, 109_900),
            levels(None, Some(110_200)),
        ));
        limited.extend(prices(&go(&mut desk, ms + 4, 109_700)));
        gained.extend(prices(&go(&mut desk, ms + 5, 110_500)));
    }
    assert_eq!((stopped.len(), limited.len(), gained.len()), (40, 40, 40));
    assert!(
        stopped
            .iter()
            .all(|price| (109_896..=109_900).contains(price))
    );
    assert!(stopped.iter().any(|price| *price < 109_900));
    assert!(limited.iter().all(|price| *price == 109_900));
    assert!(gained.iter().all(|price| *price == 110_200));
}

#[test]
fn what_lies_on_the_way_is_done_in_its_order() {
    // The bid is at the target before the ask is at the order.
    let mut desk = Desk::open(netting());
    desk.done(&with_levels(deal(Buy, 1.0), levels(None, Some(110_100))));
    desk.done(&pending(Buy, Stop, 110_200));
    assert_eq!(prices(&go(&mut desk, 1, 110_300)), [110_100, 110_200]);
    let left = desk.position();
    assert_eq!((left.lots, left.open_price), (lots(1.0), px(110_200)));
    assert_eq!(left.levels, Levels::default());
}

#[test]
fn a_position_that_opens_on_the_way_may_close_on_it() {
    let mut desk = Desk::open(hedging());
    desk.done(&with_levels(
        pending(Buy, Stop, 110_100),
        levels(Some(110_000), Some(110_200)),
    ));
    let events = go(&mut desk, 1, 110_300);
    assert_eq!(prices(&events), [110_100, 110_200]);
    assert_eq!(deals_of(&events)[1].reason, DealReason::TakeProfit);
}

#[test]
fn nothing_is_done_on_the_way_while_the_market_is_closed() {
    let morning = Week::always().with(Weekday::Monday, vec![0..30, 30..60]);
    let account = AccountConfig {
        sessions: morning,
        ..hedging()
    };
    let mut desk = Desk::open(account);
    desk.done(&with_levels(deal(Buy, 1.0), levels(Some(109_900), None)));
    assert!(go(&mut desk, HOUR, 109_000).is_empty());
    // It opens beyond the level.
    assert_eq!(prices(&go(&mut desk, DAY, 109_500)), [109_500]);
}

#[test]
fn without_a_quote_before_there_is_no_way() {
    let mut desk = Desk::with(hedging(), vec![spec("EURUSD"), spec("GBPUSD")]);
    let first = Tick {
        is_continuous: true,
        ..tick("GBPUSD", 1, 125_000, 125_010)
    };
    assert!(desk.sim.on_tick(&first).is_empty());
    let quote = desk.sim.quote(&symbol("GBPUSD")).unwrap();
    assert_eq!(quote.bid, px(125_000));
}
