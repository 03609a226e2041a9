#![allow(clippy::unwrap_used)]
use super::*;
use mymt5_model::{
    AccountKind, AccountMode, DealKind, DealReason, Entry, Execution, OrderType, RowState, Side,
    Ticket, TimeInForce, TradeMode,
};
use serde_json::{Value, json};

pub(crate) fn raw(value: &Value) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).unwrap()
}

fn euro() -> Symbol {
    Symbol::parse("EURUSD").unwrap()
}

fn context() -> Context {
    Context {
        symbol_map: SymbolMap::new([(euro(), "EURUSD.m".into())].into()).unwrap(),
        digits: [(euro(), 5)].into(),
        money: 2,
    }
}

fn raw_order() -> Value {
    json!({
        "ticket": 7, "time_setup": 1, "time_setup_msc": 1_000, "time_done": 0, "time_done_msc": 0,
        "time_expiration": 0, "type": 2, "type_time": 0, "type_filling": 2, "state": 1,
        "magic": 42, "position_id": 0, "position_by_id": 0, "reason": 3, "volume_initial": 0.3,
        "volume_current": 0.2, "price_open": 1.1, "sl": 1.09, "tp": 0.0, "price_current": 1.2,
        "price_stoplimit": 0.0, "symbol": "EURUSD.m", "comment": "c", "external_id": "",
    })
}

fn raw_position() -> Value {
    json!({
        "ticket": 9, "time": 1, "time_msc": 1_000, "time_update": 2, "time_update_msc": 2_000,
        "type": 1, "magic": 42, "identifier": 8, "reason": 3, "volume": 0.1,
        "price_open": 1.100_004, "sl": 0.0, "tp": 1.0, "price_current": 1.2, "swap": -0.125,
        "profit": -9.999, "symbol": "EURUSD.m", "comment": "", "external_id": "",
    })
}

fn raw_deal() -> Value {
    json!({
        "ticket": 5, "order": 7, "time": 1, "time_msc": 1_500, "type": 0, "entry": 1, "magic": 42,
        "position_id": 8, "reason": 4, "volume": 0.1, "price": 1.1, "commission": -0.5,
        "swap": -1.0, "profit": 10.0, "fee": -0.25, "symbol": "EURUSD.m", "comment": "[sl 1.1]",
        "external_id": "",
    })
}

pub(crate) fn with(mut row: Value, field: &str, value: Value) -> Box<RawValue> {
    row[field] = value;
    raw(&row)
}

#[test]
fn orders_are_read() {
    let read = |field: &str, value: Value| order(&with(raw_order(), field, value), &context());
    let row = order(&raw(&raw_order()), &context()).unwrap().unwrap();
    assert_eq!(
        (row.ticket, row.symbol, row.side),
        (Ticket(7), euro(), Side::Buy)
    );
    assert_eq!(
        (row.kind, row.state, row.done),
        (OrderType::Limit, RowState::Placed, None)
    );
    assert_eq!((row.lots.to_f64(), row.lots_left.to_f64()), (0.3, 0.2));
    assert_eq!(row.price, Some(Price::from_points(110_000, 5)));
    assert_eq!(
        (
            row.levels.stop_loss.map(Price::points),
            row.levels.take_profit
        ),
        (Some(109_000), None)
    );
    let kinds = [
        (0, "Buy Market"),
        (3, "Sell Limit"),
        (4, "Buy Stop"),
        (7, "Sell StopLimit"),
    ];
    for (code, told) in kinds {
        let row = read("type", json!(code)).unwrap().unwrap();
        assert_eq!(format!("{:?} {:?}", row.side, row.kind), told);
        assert_eq!(row.price.is_none(), code == 0);
    }
    assert_eq!(read("type", json!(8)), Ok(None));
    let states = [
        (0, RowState::Placed),
        (2, RowState::Canceled),
        (3, RowState::Partial),
        (4, RowState::Filled),
        (5, RowState::Rejected),
        (6, RowState::Expired),
        (9, RowState::Placed),
    ];
    for (code, state) in states {
        assert_eq!(read("state", json!(code)).unwrap().unwrap().state, state);
    }
    let mut dated = raw_order();
    (dated["type_time"], dated["time_expiration"]) = (json!(2), json!(60));
    let row = order(&raw(&dated), &context()).unwrap().unwrap();
    assert!(
        matches!(row.time_in_force, TimeInForce::Gtd(at) if at.broker == Some(BrokerTime(60_000)))
    );
    let other = read("magic", json!(-1)).unwrap().unwrap();
    assert_eq!(other.magic.raw(), u64::MAX);
}

#[test]
fn positions_and_deals_are_read() {
    let row = position(&raw(&raw_position()), &context()).unwrap();
    assert_eq!((row.ticket.0, row.id.0, row.side), (9, 8, Side::Sell));
    assert_eq!(row.open_price, Price::from_points(110_000, 5));
    assert_eq!(
        (row.profit.to_string(), row.swap.to_string()),
        ("-10.00".into(), "-0.13".into())
    );
    assert_eq!(
        (row.opened, row.updated),
        (BrokerTime(1_000), BrokerTime(2_000))
    );

    let row = deal(&raw(&raw_deal()), &context()).unwrap();
    assert_eq!(
        (row.kind, row.entry),
        (DealKind::Trade(Side::Buy), Some(Entry::Out))
    );
    assert_eq!(
        (row.reason, row.commission.to_string()),
        (DealReason::StopLoss, "-0.75".into())
    );
    let mut balance = raw_deal();
    for (field, value) in [
        ("type", json!(2)),
        ("symbol", json!("")),
        ("price", json!(0.0)),
        ("order", json!(0)),
        ("position_id", json!(0)),
    ] {
        balance[field] = value;
    }
    let row = deal(&raw(&balance), &context()).unwrap();
    assert_eq!(
        (row.kind, row.symbol, row.price),
        (DealKind::Balance, None, None)
    );
    assert_eq!((row.entry, row.order, row.position_id), (None, None, None));
    let kinds = [
        (3, DealKind::Credit),
        (5, DealKind::Correction),
        (6, DealKind::Correction),
        (4, DealKind::Other),
        (13, DealKind::Other),
        (99, DealKind::Other),
    ];
    for (code, kind) in kinds {
        let row = deal(&with(raw_deal(), "type", json!(code)), &context()).unwrap();
        assert_eq!((row.kind, row.entry), (kind, None));
    }
}

#[test]
fn foreign_symbols_keep_their_names_and_fine_prices() {
    let row = position(&with(raw_position(), "symbol", json!("GOLD")), &context()).unwrap();
    assert_eq!(row.symbol.as_str(), "GOLD");
    assert_eq!(row.open_price, Price::from_points(110_000_400, 8));
    let row = position(&with(raw_position(), "symbol", json!("EURUSD")), &context()).unwrap();
    assert_ne!(row.symbol, euro());
}

#[test]
fn a_row_that_is_not_understood_names_its_field() {
    let fault = |field: &str, value: Value| {
        let rows = [raw_order(), raw_position(), raw_deal()];
        let faults = [
            order(&with(rows[0].clone(), field, value.clone()), &context()).err(),
            position(&with(rows[1].clone(), field, value.clone()), &context()).err(),
            deal(&with(rows[2].clone(), field, value), &context()).err(),
        ];
        faults.map(|fault| fault.map(|fault| fault.field))
    };
    let both = |field| [Some(field); 3];
    assert_eq!(fault("ticket", json!(0)), both("ticket"));
    assert_eq!(fault("ticket", json!(-1)), both("ticket"));
    assert_eq!(fault("ticket", json!(1_u64 << 63)), both("ticket"));
    assert_eq!(fault("symbol", json!("")), both("symbol"));
    assert_eq!(fault("magic", json!(1.5)), both("magic"));
    assert_eq!(fault("type", json!(true)), both("type"));
    assert_eq!(fault("comment", json!(null)), both("comment"));
    assert_eq!(fault("state", json!(10)), [Some("state"), None, None]);
    assert_eq!(fault("type", json!(9)), [Some("type"), Some("type"), None]);
    assert_eq!(
        fault("type_time", json!(4)),
        [Some("type_time"), None, None]
    );
    assert_eq!(fault("entry", json!(4)), [None, None, Some("entry")]);
    assert_eq!(
        fault("profit", json!(null)),
        [None, Some("profit"), Some("profit")]
    );
    assert_eq!(
        fault("volume", json!(-1.0)),
        [None, Some("volume"), Some("volume")]
    );
    assert_eq!(fault("price", json!(-0.5)), [None, None, Some("price")]);
    // A trade at nothing is one all the same.
    assert_eq!(fault("price", json!(0.0)), [None; 3]);
    assert_eq!(fault("sl", json!(-1.0)), [Some("sl"), Some("sl"), None]);
    assert_eq!(
        fault("time_msc", json!(-5)),
        [None, Some("time_msc"), Some("time_msc")]
    );
    assert_eq!(
        fault("time_msc", json!(i64::MAX)),
        [None, Some("time_msc"), Some("time_msc")]
    );
    assert_eq!(
        order(&raw(&json!([])), &context()).err().unwrap().field,
        "it"
    );
}

pub(crate) fn raw_account() -> Value {
    json!({
        "login": 12_345_678, "trade_mode": 2, "leverage": 500, "margin_so_mode": 0,
        "trade_allowed": true, "trade_expert": true, "margin_mode": 2, "currency_digits": 2,
        "balance": 1000.0, "credit": 5.0, "profit": -10.0, "equity": 995.0, "margin": 100.0,
        "margin_free": 895.0, "margin_level": 995.0, "margin_so_call": 100.0, "server": "S",
        "currency": "EUR", "name": "Holder", "company": "Company",
    })
}

fn connected() -> TerminalRow {
    let on = json!({"connected": true, "trade_allowed": true, "tradeapi_disabled": false});
    TerminalRow::read(&raw(&on)).unwrap()
}

#[test]
fn an_account_is_read_without_its_holder() {
    let (row, _, obstacle) = account(&raw(&raw_account()), connected()).unwrap();
    assert_eq!(
        (row.account.to_string(), obstacle),
        ("****5678".into(), None)
    );
    assert_eq!(
        (row.kind, row.mode, row.margin_level),
        (AccountKind::Real, AccountMode::Hedging, Some(995.0))
    );
    let told = format!("{row:?}");
    assert!(!told.contains("Holder") && !told.contains("Company") && !told.contains("12345678"));
    let read = |field: &str, value: Value| account(&with(raw_account(), field, value), connected());
    for (code, kind) in [(0, AccountKind::Demo), (1, AccountKind::Demo)] {
        assert_eq!(read("trade_mode", json!(code)).unwrap().0.kind, kind);
    }
    for (code, mode) in [(0, AccountMode::Netting), (1, AccountMode::Netting)] {
        assert_eq!(read("margin_mode", json!(code)).unwrap().0.mode, mode);
    }
    assert_eq!(read("margin", json!(0.0)).unwrap().0.margin_level, None);
    for (field, value) in [
        ("trade_mode", json!(3)),
        ("margin_mode", json!(3)),
        ("login", json!(0)),
        ("equity", json!(null)),
        ("currency_digits", json!(9)),
        ("trade_expert", json!("yes")),
    ] {
        assert_eq!(read(field, value).unwrap_err().field, field);
    }
    assert!(!read("trade_expert", json!(false)).unwrap().0.trade_allowed);
}

#[test]
fn the_margin_call_is_a_percentage_or_none() {
    let level = |field: &str, value: Value| call_level(&with(raw_account(), field, value));
    assert_eq!(level("margin_so_call", json!(80.0)), Ok(Some(80.0)));
    assert_eq!(level("margin_so_call", json!(0.0)), Ok(None));
    assert_eq!(level("margin_so_mode", json!(1)), Ok(None));
    assert!(level("margin_so_mode", json!(2)).is_err());
}

pub(crate) fn raw_symbol() -> Value {
    json!({
        "digits": 5, "trade_mode": 4, "trade_stops_level": 10, "trade_freeze_level": 3,
        "trade_exemode": 1, "swap_mode": 1, "filling_mode": 3, "bid": 1.1, "ask": 1.1001,
        "trade_tick_value": 0.0, "trade_tick_size": 0.00005, "trade_contract_size": 100_000.0,
        "volume_min": 0.01, "volume_max": 50.0, "volume_step": 0.01, "swap_long": -7.5,
        "swap_short": 3.0, "currency_base": "EUR", "currency_profit": "USD",
        "description": "Euro", "name": "EURUSD.m",
    })
}

#[test]
fn a_symbol_is_read() {
    let read = |field: &str, value: Value| symbol(&with(raw_symbol(), field, value), &euro());
    let row = symbol(&raw(&raw_symbol()), &euro()).unwrap();
    let spec = &row.spec;
    assert_eq!(
        (spec.tick_size_points, spec.tick_value, spec.filling.0),
        (5, None, 3)
    );
    assert_eq!(
        (spec.execution, spec.trade_mode),
        (Execution::Instant, TradeMode::Full)
    );
    assert_eq!((spec.stops_level_points, spec.freeze_level_points), (10, 3));
    assert_eq!(
        (spec.swap_long_points, row.ask.map(Price::points)),
        (-7.5, Some(110_010))
    );
    assert_eq!(
        read("swap_mode", json!(4)).unwrap().spec.swap_long_points,
        0.0
    );
    assert_eq!(read("bid", json!(0.0)).unwrap().bid, None);
    let odd = [
        ("digits", json!(9)),
        ("trade_tick_size", json!(0.0)),
        ("trade_tick_size", json!(0.000_012)),
        ("volume_step", json!(0.0)),
        ("volume_max", json!(0.001)),
        ("trade_mode", json!(5)),
        ("trade_exemode", json!(4)),
        ("trade_contract_size", json!(null)),
        ("filling_mode", json!(-1)),
    ];
    for (field, value) in odd {
        assert_eq!(read(field, value).unwrap_err().field, field);
    }
}

#[test]
fn what_an_exit_needs_is_read_of_a_symbol_that_is_not_understood() {
    let read = |field: &str, value: Value| basics(&with(raw_symbol(), field, value));
    for (field, value) in [
        ("volume_step", json!(0.0)),
        ("trade_mode", json!(5)),
        ("trade_tick_size", json!(0.0)),
        ("digits", json!(9)),
        ("digits", json!(0)),
        ("bid", json!(null)),
    ] {
        let row = read(field, value).unwrap();
        assert_eq!((row.basics.digits, row.basics.filling.0), (8, 3));
        assert_eq!(row.basics.execution, Execution::Instant);
        assert_eq!(row.ask.map(Price::to_f64), Some(1.1001));
        assert_eq!(row.bid.is_some(), field != "bid");
    }
    assert_eq!(
        read("trade_exemode", json!(4)).unwrap_err().field,
        "trade_exemode"
    );
}

#[test]
fn a_result_needs_its_code_and_nothing_else() {
    let receipt = |value: Value| receipt(&raw(&value));
    let full = json!({"retcode": 10009, "deal": 1, "order": 2, "volume": 0.1, "price": 1.1, "comment": "Done"});
    let read = receipt(full).unwrap();
    assert_eq!((read.order, read.deal), (Some(Ticket(2)), Some(Ticket(1))));
    assert_eq!(
        (read.lots.map(Lots::to_f64), read.price.map(Price::to_f64)),
        (Some(0.1), Some(1.1))
    );
    let bare = receipt(json!({"retcode": 10009, "volume": null, "price": 0.0})).unwrap();
    assert_eq!(
        (bare.order, bare.lots, bare.price, bare.comment),
        (None, None, None, String::new())
    );
    assert!(receipt(json!({"retcode": -1})).is_err());
}
