#![allow(clippy::unwrap_used)]
use super::*;
use mymt5_model::{BrokerTime, Moment, Symbol, TradeMode, VolumeGrid};
use serde_json::{Value, json};

fn spec(execution: Execution, filling: u32) -> SymbolSpec {
    let lots = |lots| Lots::from_f64(lots).unwrap();
    SymbolSpec {
        symbol: Symbol::parse("EURUSD").unwrap(),
        description: String::new(),
        digits: 5,
        tick_size_points: 1,
        contract_size: 100_000.0,
        volume: VolumeGrid {
            min: lots(0.01),
            step: lots(0.01),
            max: lots(100.0),
        },
        stops_level_points: 0,
        freeze_level_points: 0,
        trade_mode: TradeMode::Full,
        execution,
        filling: FillingModes(filling),
        base_currency: "EUR".into(),
        quote_currency: "USD".into(),
        tick_value: None,
        swap_long_points: 0.0,
        swap_short_points: 0.0,
    }
}

fn price(points: i64) -> Price {
    Price::from_points(points, 5)
}

fn target(execution: Execution, filling: u32) -> Target {
    Target {
        name: Some("EURUSD.m".into()),
        spec: Some(spec(execution, filling)),
        touch: Some(price(110_000)),
    }
}

fn market(position: Option<u64>, deviation: Option<u32>) -> TradeRequest {
    TradeRequest::Market {
        symbol: Symbol::parse("EURUSD").unwrap(),
        side: Side::Sell,
        lots: Lots::from_f64(0.3).unwrap(),
        levels: Levels {
            stop_loss: Some(price(120_000)),
            take_profit: None,
        },
        position: position.map(Ticket),
        max_deviation_points: deviation,
        magic: Magic::from_raw(77),
        comment: Comment::fitting("c"),
    }
}

fn pending(side: Side, kind: OrderType, time_in_force: TimeInForce) -> TradeRequest {
    TradeRequest::Pending {
        symbol: Symbol::parse("EURUSD").unwrap(),
        side,
        kind,
        lots: Lots::from_f64(0.3).unwrap(),
        price: price(100_000),
        stop_limit_price: (kind == OrderType::StopLimit).then(|| price(100_100)),
        levels: Levels::default(),
        time_in_force,
        magic: Magic::from_raw(77),
        comment: Comment::default(),
    }
}

fn written(request: &TradeRequest, target: &Target) -> Value {
    serde_json::to_value(raw(request, target).unwrap()).unwrap()
}

#[test]
fn a_market_order_has_both_levels_and_no_price_where_the_market_makes_it() {
    let request = written(&market(None, Some(5)), &target(Execution::Market, 2));
    let expected = json!({
        "action": 1, "magic": 77, "symbol": "EURUSD.m", "volume": 0.3, "sl": 1.2, "tp": 0.0,
        "type": 1, "type_filling": 1, "type_time": 0, "comment": "c",
    });
    assert_eq!(request, expected);
}

#[test]
fn a_close_names_its_position_and_leaves_the_levels_alone() {
    let request = written(&market(Some(9), None), &target(Execution::Market, 1));
    assert_eq!(request["position"], json!(9));
    assert!(request.get("sl").is_none() && request.get("tp").is_none());
}

#[test]
fn instant_execution_names_price_and_slip_and_never_a_slip_of_zero() {
    for execution in [Execution::Request, Execution::Instant] {
        for (asked, slip) in [(None, 10), (Some(0), 1), (Some(3), 3)] {
            let request = written(&market(None, asked), &target(execution, 1));
            assert_eq!(
                (&request["price"], &request["deviation"]),
                (&json!(1.1), &json!(slip))
            );
        }
        let mut blind = target(execution, 1);
        blind.touch = None;
        assert_eq!(raw(&market(None, None), &blind), Err(Unfit::Price));
    }
}

#[test]
fn the_filling_mode_follows_execution_and_bits() {
    use Execution::{Exchange, Instant, Market, Request};
    let of = |execution, bits, kind| filling(&spec(execution, bits), kind);
    for bits in 0..8 {
        for execution in [Request, Instant] {
            assert_eq!(of(execution, bits, OrderType::Market), 0);
            assert_eq!(of(execution, bits, OrderType::Stop), 0);
        }
        for execution in [Market, Exchange] {
            let expected = if bits & 1 != 0 {
                0
            } else if bits & 2 != 0 {
                1
            } else {
                2
            };
            assert_eq!(of(execution, bits, OrderType::Market), expected);
            assert_eq!(of(execution, bits, OrderType::Stop), expected);
        }
        for execution in [Request, Instant, Market, Exchange] {
            assert_eq!(of(execution, bits, OrderType::Limit), 2);
            assert_eq!(of(execution, bits, OrderType::StopLimit), 2);
        }
    }
}

#[test]
fn pending_orders_have_their_codes_and_lifetimes() {
    let at = Moment {
        utc: None,
        broker: Some(BrokerTime(61_999)),
    };
    let kinds = [
        (Side::Buy, OrderType::Limit, 2),
        (Side::Sell, OrderType::Limit, 3),
        (Side::Buy, OrderType::Stop, 4),
        (Side::Sell, OrderType::Stop, 5),
        (Side::Buy, OrderType::StopLimit, 6),
        (Side::Sell, OrderType::StopLimit, 7),
    ];
    for (side, kind, code) in kinds {
        let request = written(
            &pending(side, kind, TimeInForce::Gtc),
            &target(Execution::Market, 2),
        );
        assert_eq!(
            (&request["action"], &request["type"]),
            (&json!(5), &json!(code))
        );
        assert_eq!(request.get("stoplimit").is_some(), code > 5);
        assert_eq!((&request["sl"], &request["tp"]), (&json!(0.0), &json!(0.0)));
        assert!(request.get("deviation").is_none());
    }
    let times = [
        (TimeInForce::Gtc, 0, None),
        (TimeInForce::Day, 1, None),
        (TimeInForce::Gtd(at), 2, Some(61)),
        (TimeInForce::GtdDay(at), 3, Some(61)),
    ];
    for (time_in_force, code, until) in times {
        let request = pending(Side::Buy, OrderType::Limit, time_in_force);
        let request = written(&request, &target(Execution::Market, 2));
        assert_eq!(request["type_time"], json!(code));
        assert_eq!(request.get("expiration").and_then(Value::as_i64), until);
    }
    let unknown = pending(
        Side::Buy,
        OrderType::Limit,
        TimeInForce::Gtd(Moment::default()),
    );
    assert_eq!(
        raw(&unknown, &target(Execution::Market, 2)),
        Err(Unfit::Time)
    );
}

#[test]
fn changes_name_their_target_and_both_levels() {
    let levels = Levels {
        stop_loss: None,
        take_profit: Some(price(120_000)),
    };
    let named = Target {
        name: Some("EURUSD.m".into()),
        ..Target::default()
    };
    let position = Ticket(9);
    let request = written(&TradeRequest::ModifyPosition { position, levels }, &named);
    let expected = json!({"action": 6, "symbol": "EURUSD.m", "position": 9, "sl": 0.0, "tp": 1.2});
    assert_eq!(request, expected);
    let modify = TradeRequest::ModifyOrder {
        order: Ticket(8),
        price: price(100_000),
        stop_limit_price: None,
        levels,
        time_in_force: TimeInForce::Day,
    };
    let expected = json!({
        "action": 7, "order": 8, "price": 1.0, "sl": 0.0, "tp": 1.2, "type_time": 1,
    });
    assert_eq!(written(&modify, &Target::default()), expected);
    let cancel = TradeRequest::Cancel { order: Ticket(8) };
    assert_eq!(written(&cancel, &named), json!({"action": 8, "order": 8}));
}

#[test]
fn only_what_may_open_is_an_entry() {
    let (levels, order) = (Levels::default(), Ticket(1));
    assert!(is_entry(&market(None, None)));
    assert!(is_entry(&pending(
        Side::Buy,
        OrderType::Stop,
        TimeInForce::Gtc
    )));
    assert!(!is_entry(&market(Some(1), None)));
    assert!(!is_entry(&TradeRequest::Cancel { order }));
    let position = Ticket(1);
    assert!(!is_entry(&TradeRequest::ModifyPosition {
        position,
        levels
    }));
}

#[test]
fn a_symbol_outside_the_map_is_not_traded() {
    assert_eq!(
        raw(&market(None, None), &Target::default()),
        Err(Unfit::Symbol)
    );
}
