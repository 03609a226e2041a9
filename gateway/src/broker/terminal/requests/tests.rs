#![allow(clippy::unwrap_used)]
use super::*;
use mymt5_model::{BrokerTime, Moment, Symbol};
use serde_json::{Value, json};

fn basics(execution: Execution, filling: u32) -> Basics {
    Basics {
        digits: 5,
        execution,
        filling: FillingModes(filling),
    }
}

fn price(points: i64) -> Price {
    Price::from_points(points, 5)
}

fn target(execution: Execution, filling: u32) -> Target {
    Target {
        name: Some("EURUSD.m".into()),
        basics: Some(basics(execution, filling)),
        touch: Some(price(110_000)),
    }
}

fn symbol() -> Symbol {
    Symbol::parse("EURUSD").unwrap()
}

fn market(deviation: Option<u32>) -> TradeRequest {
    TradeRequest::Market {
        symbol: symbol(),
        side: Side::Sell,
        lots: Lots::from_f64(0.3).unwrap(),
        levels: Levels {
            stop_loss: Some(price(120_000)),
            take_profit: None,
        },
        max_deviation_points: deviation,
        magic: Magic::from_raw(77),
        comment: Comment::fitting("c"),
    }
}

fn close(all: bool) -> TradeRequest {
    TradeRequest::Close {
        symbol: symbol(),
        side: Side::Sell,
        position: Ticket(9),
        lots: Lots::from_f64(0.3).unwrap(),
        all,
        max_deviation_points: None,
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

fn sent(request: &TradeRequest, target: &Target) -> Value {
    serde_json::to_value(super::written(request, target).unwrap().request).unwrap()
}

#[test]
fn a_market_order_has_both_levels_and_no_price_where_the_market_makes_it() {
    let request = sent(&market(Some(5)), &target(Execution::Market, 2));
    let expected = json!({
        "action": 1, "magic": 77, "symbol": "EURUSD.m", "volume": 0.3, "sl": 1.2, "tp": 0.0,
        "type": 1, "type_filling": 1, "type_time": 0, "comment": "c",
    });
    assert_eq!(request, expected);
}

#[test]
fn a_close_names_its_position_and_leaves_the_levels_alone() {
    let target = target(Execution::Market, 1);
    let request = sent(&close(false), &target);
    assert_eq!(
        (&request["position"], &request["volume"]),
        (&json!(9), &json!(0.3))
    );
    assert!(request.get("sl").is_none() && request.get("tp").is_none());
    assert!(written(&close(false), &target).unwrap().take.is_empty());
    // Of all: the bridge takes the volume from the row, and has the expected one without it.
    assert_eq!(written(&close(true), &target).unwrap().take, ["volume"]);
    assert_eq!(sent(&close(true), &target)["volume"], json!(0.3));
}

#[test]
fn instant_execution_names_price_and_slip_and_never_a_slip_of_zero() {
    for execution in [Execution::Request, Execution::Instant] {
        for (asked, slip) in [(None, 10), (Some(0), 1), (Some(3), 3)] {
            let request = sent(&market(asked), &target(execution, 1));
            assert_eq!(
                (&request["price"], &request["deviation"]),
                (&json!(1.1), &json!(slip))
            );
        }
        let mut blind = target(execution, 1);
        blind.touch = None;
        assert_eq!(written(&market(None), &blind), Err(RequestError::Price));
    }
}

#[test]
fn the_filling_mode_follows_execution_and_bits() {
    use Execution::{Exchange, Instant, Market, Request};
    let of = |execution, bits, kind| filling(basics(execution, bits), kind);
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
        let request = sent(
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
        let request = sent(&request, &target(Execution::Market, 2));
        assert_eq!(request["type_time"], json!(code));
        assert_eq!(request.get("expiration").and_then(Value::as_i64), until);
    }
    let unknown = pending(
        Side::Buy,
        OrderType::Limit,
        TimeInForce::Gtd(Moment::default()),
    );
    assert_eq!(
        written(&unknown, &target(Execution::Market, 2)),
        Err(RequestError::Time)
    );
}

#[test]
fn changes_name_their_target_and_take_what_is_kept_from_its_row() {
    let named = Target {
        name: Some("EURUSD.m".into()),
        ..Target::default()
    };
    let levels = LevelsEdit {
        stop_loss: Edit::Remove,
        take_profit: Edit::Set(price(120_000)),
    };
    let position = |levels| TradeRequest::ModifyPosition {
        position: Ticket(9),
        symbol: symbol(),
        levels,
    };
    let expected = json!({"action": 6, "symbol": "EURUSD.m", "position": 9, "sl": 0.0, "tp": 1.2});
    assert_eq!(sent(&position(levels), &named), expected);
    let kept = written(&position(LevelsEdit::default()), &named).unwrap();
    assert_eq!(kept.take, ["sl", "tp"]);
    let order = |terms| TradeRequest::ModifyOrder {
        order: Ticket(8),
        symbol: symbol(),
        terms,
    };
    let all = order(TermsEdit {
        price: Some(price(100_000)),
        stop_limit_price: Some(price(100_100)),
        levels,
        time_in_force: Some(TimeInForce::Day),
    });
    let expected = json!({
        "action": 7, "order": 8, "symbol": "EURUSD.m", "price": 1.0, "stoplimit": 1.001, "sl": 0.0,
        "tp": 1.2, "type_time": 1,
    });
    assert_eq!(sent(&all, &named), expected);
    assert!(written(&all, &named).unwrap().take.is_empty());
    let none = written(&order(TermsEdit::default()), &named).unwrap();
    let whole = ["price", "stoplimit", "type_time", "expiration", "sl", "tp"];
    assert_eq!(none.take, whole);
    let cancel = TradeRequest::Cancel {
        order: Ticket(8),
        symbol: symbol(),
    };
    let expected = json!({"action": 8, "order": 8, "symbol": "EURUSD.m"});
    assert_eq!(sent(&cancel, &named), expected);
}

#[test]
fn only_what_may_open_is_an_entry() {
    assert!(is_entry(&market(None)));
    assert!(is_entry(&pending(
        Side::Buy,
        OrderType::Stop,
        TimeInForce::Gtc
    )));
    let cancel = TradeRequest::Cancel {
        order: Ticket(1),
        symbol: symbol(),
    };
    let change = TradeRequest::ModifyPosition {
        position: Ticket(1),
        symbol: symbol(),
        levels: LevelsEdit::default(),
    };
    for protective in [close(true), cancel, change] {
        assert!(!is_entry(&protective));
    }
}

#[test]
fn a_symbol_outside_the_map_is_not_traded() {
    assert_eq!(
        written(&market(None), &Target::default()),
        Err(RequestError::Symbol)
    );
}
