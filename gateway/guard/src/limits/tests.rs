#![allow(clippy::unwrap_used)]
//! Each limit alone: reached, just not reached, and its fact missing.

use super::*;

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

fn check(set: impl FnOnce(&mut Limits)) -> Result<(), Reason> {
    let mut limits = Limits::default();
    set(&mut limits);
    let checked = limits.check(&facts());
    checked.map_err(|refusal| refusal.reason())
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
            told(order, Reason::LimitLotsPerOrder)
        );
        assert_eq!(
            check(|l| l.max_lots_per_symbol = limit),
            told(symbol, Reason::LimitLotsPerSymbol)
        );
        assert_eq!(
            check(|l| l.max_lots_total = limit),
            told(total, Reason::LimitLotsTotal)
        );
    }
}

#[test]
fn a_limit_is_told_with_its_value() {
    type Case = (fn(&mut Limits), &'static str);
    let cases: [Case; 7] = [
        (
            |l| l.max_lots_per_order = Some(Lots::from_f64(0.05).unwrap()),
            "allows: 0.05 lots",
        ),
        (|l| l.max_open_orders = Some(2), "reached: 2"),
        (|l| l.max_orders_per_minute = Some(7), "reached: 7"),
        (
            |l| {
                (l.min_stop_distance_points, l.max_stop_distance_points) = (Some(20), Some(150));
            },
            ": 20 to 150 points",
        ),
        (
            |l| l.min_stop_distance_points = Some(300),
            ": 300 points or more",
        ),
        (|l| l.max_spread_points = Some(10), "allows: 10 points"),
        (|l| l.max_risk_per_trade = percent(0.5), "allows: 0.5 %"),
    ];
    let mut facts = facts();
    facts.lots = Lots::from_f64(1.0).unwrap();
    for (set, value) in cases {
        let mut limits = Limits::default();
        set(&mut limits);
        let told = limits.check(&facts).unwrap_err().to_string();
        assert!(told.contains(value), "{told}");
    }
    let limits = Limits {
        require_stop_loss: true,
        ..Limits::default()
    };
    facts.stop = None;
    let told = limits.check(&facts).unwrap_err().to_string();
    assert!(told.contains(": limits.require_stop_loss"), "{told}");
}

#[test]
fn holdings_count_by_what_they_are() {
    let symbol = Symbol::parse("EURUSD").unwrap();
    let other = Symbol::parse("GBPUSD").unwrap();
    let holding = |symbol, side, opens, unsettled| Holding {
        symbol,
        side,
        lots: Lots::from_units(5),
        opens,
        unsettled,
    };
    let mut held = Exposure::default();
    held.add(&symbol, Side::Buy, holding(&symbol, Side::Buy, true, true));
    held.add(
        &symbol,
        Side::Buy,
        holding(&symbol, Side::Buy, false, false),
    );
    held.add(
        &symbol,
        Side::Buy,
        holding(&symbol, Side::Sell, true, false),
    );
    held.add(&symbol, Side::Buy, holding(&other, Side::Buy, true, true));
    let expected = Exposure {
        lots_of_symbol: Lots::from_units(10),
        lots_total: Lots::from_units(20),
        positions: 3,
        orders: 2,
        recent_entries: 0,
    };
    assert_eq!(held, expected);
}

#[test]
fn counts_leave_room_for_one_more() {
    assert_eq!(
        check(|l| l.max_open_positions = Some(3)),
        Err(Reason::LimitOpenPositions)
    );
    assert_eq!(check(|l| l.max_open_positions = Some(4)), Ok(()));
    assert_eq!(
        check(|l| l.max_open_orders = Some(2)),
        Err(Reason::LimitOpenOrders)
    );
    assert_eq!(check(|l| l.max_open_orders = Some(3)), Ok(()));
    assert_eq!(
        check(|l| l.max_orders_per_minute = Some(7)),
        Err(Reason::RateLimited)
    );
    assert_eq!(check(|l| l.max_orders_per_minute = Some(8)), Ok(()));
}

#[test]
fn only_listed_symbols_trade() {
    let listed = |name: &str| Some([Symbol::parse(name).unwrap()].into());
    assert_eq!(check(|l| l.symbols = listed("EURUSD")), Ok(()));
    assert_eq!(
        check(|l| l.symbols = listed("GBPUSD")),
        Err(Reason::LimitSymbol)
    );
}

#[test]
fn quote_collar_margin_and_risk_have_their_bounds() {
    let collar = |p| check(|l| l.max_price_distance = percent(p));
    assert_eq!(collar(1.5), Ok(()));
    assert_eq!(collar(1.4), Err(Reason::LimitPriceCollar));
    assert_eq!(check(|l| l.max_spread_points = Some(12)), Ok(()));
    assert_eq!(
        check(|l| l.max_spread_points = Some(11)),
        Err(Reason::LimitSpread)
    );
    let margin = |p| check(|l| l.max_margin_use = percent(p));
    assert_eq!(margin(50.0), Ok(()));
    assert_eq!(margin(49.9), Err(Reason::LimitMargin));
    let risk = |p| check(|l| l.max_risk_per_trade = percent(p));
    assert_eq!(risk(1.0), Ok(()));
    assert_eq!(risk(0.99), Err(Reason::LimitRisk));
}

#[test]
fn a_stop_must_be_there_and_between_its_bounds() {
    for (least, most, result) in [
        (200, 200, Ok(())),
        (201, 300, Err(Reason::LimitStopDistance)),
        (100, 199, Err(Reason::LimitStopDistance)),
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
        assert_eq!(
            limits.check(&bare).unwrap_err().reason(),
            Reason::LimitStopLoss
        );
        assert_eq!(limits.check(&facts()), Ok(()));
    }
}

#[test]
fn the_stop_of_a_whole_position_may_be_in_profit_and_not_too_far() {
    let limits = Limits {
        min_stop_distance_points: Some(50),
        max_stop_distance_points: Some(300),
        max_risk_per_trade: percent(1.0),
        ..Limits::default()
    };
    let equity = money(10_000.0);
    for (distance, risk, expected) in [
        (-609, -609.0, Ok(())),
        (0, 0.0, Ok(())),
        (300, 100.0, Ok(())),
        (301, 100.0, Err(Reason::LimitStopDistance)),
        (300, 101.0, Err(Reason::LimitRisk)),
    ] {
        let stop = StopFacts {
            distance_points: Some(distance),
            risk: money(risk),
        };
        let checked = limits.check_whole(stop, equity);
        let checked = checked.map_err(|refusal| refusal.reason());
        assert_eq!(checked, expected, "{distance} {risk}");
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
        assert_eq!(limits.check(&facts), Err(fact.missing()));
    }
}
