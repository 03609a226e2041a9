//! Pending orders: triggered, expired, refused at their price.

use crate::support::*;
use mymt5_model::{OrderType::*, Side::*, *};
use mymt5_simulator::{AccountConfig, Event, Simulator};

#[test]
fn limits_and_stops_trigger_at_their_side() {
    for (side, kind, price, calm, due) in [
        (Buy, Limit, 109_900, 109_901, 109_898),
        (Sell, Limit, 110_100, 110_099, 110_103),
        (Buy, Stop, 110_100, 110_099, 110_103),
        (Sell, Stop, 109_900, 109_901, 109_898),
    ] {
        let mut desk = Desk::open(hedging());
        let ticket = desk.done(&pending(side, kind, price));
        let quote = |touch: i64| match side {
            Buy => (touch - 10, touch),
            Sell => (touch, touch + 10),
        };
        let (bid, ask) = quote(calm);
        assert!(desk.tick(1, bid, ask).is_empty(), "{side:?} {kind:?}");
        let (bid, ask) = quote(due);
        let events = desk.tick(2, bid, ask);
        let deal = deals_of(&events)[0];
        assert_eq!((deal.price, deal.order), (Some(px(due)), Some(ticket)));
        assert_eq!(desk.position().id, PositionId(ticket.0));
        let order = desk.finished().pop().unwrap();
        assert_eq!(
            (order.state, order.position_id),
            (RowState::Filled, Some(desk.position().id))
        );
        assert!(desk.sim.orders().is_empty());
    }
}

#[test]
fn a_stop_limit_becomes_a_limit() {
    let mut desk = Desk::open(netting());
    let mut request = pending(Buy, StopLimit, 110_100);
    if let TradeRequest::Pending {
        stop_limit_price, ..
    } = &mut request
    {
        *stop_limit_price = Some(px(110_050));
    }
    desk.done(&request);
    assert_eq!(desk.tick(1, 110_095, 110_105), [Event::OrdersChanged]);
    let order = &desk.sim.orders()[0];
    assert_eq!(
        (order.kind, order.price, order.stop_limit_price),
        (Limit, Some(px(110_050)), None)
    );
    assert!(desk.tick(2, 110_041, 110_051).is_empty());
    desk.tick(3, 110_035, 110_045);
    assert_eq!(desk.position().open_price, px(110_045));
}

#[test]
fn levels_go_over_to_the_position() {
    let mut desk = Desk::open(hedging());
    desk.done(&with_levels(
        pending(Buy, Limit, 109_900),
        levels(Some(109_800), Some(110_000)),
    ));
    desk.tick(1, 109_890, 109_900);
    assert_eq!(desk.position().levels, levels(Some(109_800), Some(110_000)));
}

#[test]
fn orders_expire_when_their_time_passes() {
    let day_end = DAY;
    for (life, last) in [
        (TimeInForce::Gtd(until(HOUR)), HOUR),
        (TimeInForce::Day, day_end),
        (TimeInForce::GtdDay(until(DAY + HOUR)), 2 * day_end),
    ] {
        let mut desk = Desk::open(hedging());
        desk.done(&lasting(pending(Buy, Limit, 109_000), life));
        assert!(desk.tick(last - 1, 110_000, 110_010).is_empty());
        // At the end of its time the price would be reached, too: time comes first.
        assert_eq!(desk.tick(last, 108_000, 108_010), [Event::OrdersChanged]);
        let order = &desk.finished()[0];
        assert_eq!(
            (order.state, order.done),
            (RowState::Expired, Some(BrokerTime(MONDAY + last)))
        );
        assert!(desk.deals().is_empty());
    }
}

#[test]
fn time_that_passes_between_two_ticks_dates_what_is_done_then_and_never_goes_back() {
    let charged = SymbolSpec {
        swap_long_points: -6.0,
        ..spec("EURUSD")
    };
    let mut desk = Desk::with(hedging(), vec![charged]);
    desk.done(&lasting(pending(Buy, Limit, 109_000), TimeInForce::Day));
    assert!(desk.sim.pass_to(BrokerTime(MONDAY + HOUR)).is_empty());
    desk.done(&deal(Buy, 0.1));
    assert_eq!(desk.last_deal().time, BrokerTime(MONDAY + HOUR));
    desk.tick(HOUR - 1, 110_000, 110_010);
    desk.done(&deal(Buy, 0.1));
    assert_eq!(desk.last_deal().time, BrokerTime(MONDAY + HOUR));
    let events = desk.sim.pass_to(BrokerTime(MONDAY + DAY));
    assert!(events.contains(&Event::OrdersChanged), "{events:?}");
    let finished = desk.finished();
    assert!(
        finished
            .iter()
            .any(|order| order.state == RowState::Expired)
    );
    assert!(desk.sim.positions()[0].swap < Money::ZERO);
}

#[test]
fn before_the_first_tick_no_time_passes() {
    let mut sim = Simulator::new(hedging(), vec![spec("EURUSD")]).unwrap();
    assert!(sim.pass_to(BrokerTime(MONDAY)).is_empty());
    assert_eq!(sim.time(), None);
}

#[test]
fn expiry_does_not_wait_for_the_orders_own_symbol() {
    let mut desk = Desk::with(hedging(), vec![spec("EURUSD"), spec("GBPUSD")]);
    desk.done(&lasting(pending(Buy, Limit, 109_000), TimeInForce::Day));
    let events = desk.sim.on_tick(&tick("GBPUSD", DAY, 127_000, 127_010));
    assert_eq!(events, [Event::OrdersChanged]);
}

#[test]
fn a_modified_lifetime_counts() {
    let mut desk = Desk::open(hedging());
    let order = desk.done(&lasting(pending(Buy, Limit, 109_000), TimeInForce::Day));
    desk.done(&TradeRequest::ModifyOrder {
        order,
        symbol: symbol("EURUSD"),
        terms: TermsEdit {
            price: Some(px(109_000)),
            levels: LevelsEdit::to(Levels::default()),
            time_in_force: Some(TimeInForce::Gtc),
            ..TermsEdit::default()
        },
    });
    assert!(desk.tick(3 * DAY, 110_000, 110_010).is_empty());
    assert_eq!(desk.sim.orders().len(), 1);
}

#[test]
fn without_margin_the_activation_is_refused() {
    let account = AccountConfig {
        balance: money("1000"),
        ..hedging()
    };
    let mut desk = Desk::open(account);
    desk.done(&pending(Buy, Limit, 109_900));
    assert_eq!(desk.tick(1, 109_890, 109_900), [Event::OrdersChanged]);
    assert_eq!(desk.finished()[0].state, RowState::Rejected);
    assert!(desk.sim.positions().is_empty());
}

#[test]
fn a_pending_order_nets_too() {
    let mut desk = Desk::open(netting());
    desk.done(&deal(Buy, 1.0));
    desk.done(&pending(Sell, Limit, 110_200));
    desk.tick(1, 110_200, 110_210);
    assert!(desk.sim.positions().is_empty());
    assert_eq!(desk.sim.account().balance, money("100190"));
}

#[test]
fn slips_go_against_the_trader_but_never_past_a_limit() {
    let account = AccountConfig {
        slippage_points: 4,
        ..hedging()
    };
    let mut desk = Desk::open(account);
    for ms in 0..40 {
        desk.done(&deal(Sell, 0.01));
        desk.done(&pending(Buy, Limit, 109_900));
        desk.tick(2 * ms + 1, 109_888, 109_898);
        desk.tick(2 * ms + 2, 110_000, 110_010);
    }
    let prices = |side| {
        let of_side = move |d: &DealRow| d.kind == DealKind::Trade(side);
        let mut prices: Vec<i64> = desk
            .deals()
            .into_iter()
            .filter(of_side)
            .map(|d| d.price.unwrap().points())
            .collect();
        prices.sort_unstable();
        prices.dedup();
        prices
    };
    assert_eq!(prices(Sell), [109_996, 109_997, 109_998, 109_999, 110_000]);
    assert_eq!(prices(Buy), [109_898]);
}
