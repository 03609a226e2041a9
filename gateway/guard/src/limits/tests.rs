#![allow(clippy::unwrap_used)]
//! Each limit alone: reached, just not reached, and its fact missing.

use super::*;
use crate::Exposure;

fn percent(percent: f64) -> Option<Percent> {
    Some(Percent::try_from(percent).unwrap())
}

fn money(amount: f64) -> Option<Money> {
    Some(Money::from_f64(amount).unwrap())
}

fn facts() -> EntryFacts {
    EntryFacts {
        symbol: Symbol::parse("EURUSD").unwrap(),
        lots: Lots::from_units(5),
        stop: Some(StopFacts {
            distance_points: Some(200),
            risk: money(100.0),
        }),
        price_distance_percent: Some(1.5),
        spread_points: Some(12),
        exposure: Exposure {
            lots_of_symbol: Lots::from_units(10),
            lots_total: Lots::from_units(20),
            positions: 3,
            orders: 2,
            recent_entries: 7,
        },
        equity: money(10_000.0),
        margin_after: money(5_000.0),
    }
}

fn check(set: impl FnOnce(&mut Limits)) -> Result<(), LimitReached> {
    let mut limits = Limits::default();
    set(&mut limits);
    limits.check(&facts())
}

#[test]
fn nothing_limits_where_nothing_is_set() {
    let mut unknown = facts();
    (unknown.stop, unknown.equity, unknown.margin_after) = (None, None, None);
    (unknown.spread_points, unknown.price_distance_percent) = (None, None);
    assert_eq!(Limits::default().check(&unknown), Ok(()));
}

#[test]
fn lots_count_what_is_held() {
    for (units, order, symbol, total) in [
        (4, false, false, false),
        (5, true, false, false),
        (14, true, false, false),
        (15, true, true, false),
        (24, true, true, false),
        (25, true, true, true),
    ] {
        let limit = Some(Lots::from_units(units));
        let told = |ok: bool, reached| if ok { Ok(()) } else { Err(reached) };
        assert_eq!(
            check(|l| l.max_lots_per_order = limit),
            told(order, LimitReached::LotsPerOrder)
        );
        assert_eq!(
            check(|l| l.max_lots_per_symbol = limit),
            told(symbol, LimitReached::LotsPerSymbol)
        );
        assert_eq!(
            check(|l| l.max_lots_total = limit),
            told(total, LimitReached::LotsTotal)
        );
    }
}

#[test]
fn a_limit_is_told_with_its_value() {
    let limits = Limits {
        max_lots_per_order: Some(Lots::from_f64(0.05).unwrap()),
        max_open_orders: Some(7),
        min_stop_distance_points: Some(20),
        max_stop_distance_points: Some(500),
        max_spread_points: Some(30),
        max_risk_per_trade: percent(1.5),
        ..Limits::default()
    };
    for (limit, value) in [
        (LimitReached::LotsPerOrder, "allows: 0.05 lots"),
        (LimitReached::OpenOrders, "reached: 7"),
        (LimitReached::StopDistance, ": 20 to 500 points"),
        (LimitReached::Spread, "allows: 30 points"),
        (LimitReached::Risk, "allows: 1.5 %"),
        (
            LimitReached::StopLossMissing,
            "ask for a stop loss: limits.max_stop_distance_points",
        ),
    ] {
        let told = limits.describe(limit);
        assert!(told.ends_with(value), "{told}");
    }
}

#[test]
fn counts_leave_room_for_one_more() {
    assert_eq!(
        check(|l| l.max_open_positions = Some(3)),
        Err(LimitReached::OpenPositions)
    );
    assert_eq!(check(|l| l.max_open_positions = Some(4)), Ok(()));
    assert_eq!(
        check(|l| l.max_open_orders = Some(2)),
        Err(LimitReached::OpenOrders)
    );
    assert_eq!(check(|l| l.max_open_orders = Some(3)), Ok(()));
    assert_eq!(
        check(|l| l.max_orders_per_minute = Some(7)),
        Err(LimitReached::OrdersPerMinute)
    );
    assert_eq!(check(|l| l.max_orders_per_minute = Some(8)), Ok(()));
}

#[test]
fn only_listed_symbols_trade() {
    let listed = |name: &str| Some([Symbol::parse(name).unwrap()].into());
    assert_eq!(check(|l| l.symbols = listed("EURUSD")), Ok(()));
    assert_eq!(
        check(|l| l.symbols = listed("GBPUSD")),
        Err(LimitReached::Symbol)
    );
}

#[test]
fn quote_collar_margin_and_risk_have_their_bounds() {
    let collar = |p| check(|l| l.max_price_distance = percent(p));
    assert_eq!(collar(1.5), Ok(()));
    assert_eq!(collar(1.4), Err(LimitReached::PriceCollar));
    assert_eq!(check(|l| l.max_spread_points = Some(12)), Ok(()));
    assert_eq!(
        check(|l| l.max_spread_points = Some(11)),
        Err(LimitReached::Spread)
    );
    let margin = |p| check(|l| l.max_margin_use = percent(p));
    assert_eq!(margin(50.0), Ok(()));
    assert_eq!(margin(49.9), Err(LimitReached::Margin));
    let risk = |p| check(|l| l.max_risk_per_trade = percent(p));
    assert_eq!(risk(1.0), Ok(()));
    assert_eq!(risk(0.99), Err(LimitReached::Risk));
}

#[test]
fn a_stop_must_be_there_and_between_its_bounds() {
    for (least, most, result) in [
        (200, 200, Ok(())),
        (201, 300, Err(LimitReached::StopDistance)),
        (100, 199, Err(LimitReached::StopDistance)),
    ] {
        let set = |l: &mut Limits| {
            (l.min_stop_distance_points, l.max_stop_distance_points) = (Some(least), Some(most));
        };
        assert_eq!(check(set), result);
    }
    let bare = EntryFacts {
        stop: None,
        ..facts()
    };
    let asking: [fn(&mut Limits); 3] = [
        |l| l.require_stop_loss = true,
        |l| l.max_stop_distance_points = Some(500),
        |l| l.max_risk_per_trade = percent(1.0),
    ];
    for set in asking {
        let mut limits = Limits::default();
        set(&mut limits);
        assert_eq!(limits.check(&bare), Err(LimitReached::StopLossMissing));
        assert_eq!(limits.check(&facts()), Ok(()));
    }
}

#[test]
fn a_limit_without_its_fact_refuses() {
    type Case = (fn(&mut Limits), fn(&mut EntryFacts), Fact);
    let unknown_stop = |facts: &mut EntryFacts| {
        facts.stop = Some(StopFacts {
            distance_points: None,
            risk: None,
        });
    };
    let cases: [Case; 8] = [
        (
            |l| l.max_price_distance = percent(5.0),
            |f| f.price_distance_percent = None,
            Fact::PriceDistance,
        ),
        (
            |l| l.max_spread_points = Some(50),
            |f| f.spread_points = None,
            Fact::Spread,
        ),
        (
            |l| l.max_margin_use = percent(90.0),
            |f| f.margin_after = None,
            Fact::Margin,
        ),
        (
            |l| l.max_margin_use = percent(90.0),
            |f| f.equity = None,
            Fact::Equity,
        ),
        (
            |l| l.max_risk_per_trade = percent(5.0),
            |f| f.equity = None,
            Fact::Equity,
        ),
        (
            |l| l.max_risk_per_trade = percent(5.0),
            unknown_stop,
            Fact::Risk,
        ),
        (
            |l| l.min_stop_distance_points = Some(1),
            unknown_stop,
            Fact::StopDistance,
        ),
        (
            |l| l.max_stop_distance_points = Some(900),
            unknown_stop,
            Fact::StopDistance,
        ),
    ];
    for (set, forget, fact) in cases {
        let (mut limits, mut facts) = (Limits::default(), facts());
        set(&mut limits);
        assert_eq!(limits.check(&facts), Ok(()), "{fact}");
        forget(&mut facts);
        assert_eq!(limits.check(&facts), Err(LimitReached::FactMissing(fact)));
    }
}
