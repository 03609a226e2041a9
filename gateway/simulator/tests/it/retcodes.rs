//! One row per return code: the account, the symbol, and the request that meets it.

use crate::support::*;
use mymt5_model::{OrderType::*, Side::*, *};
use mymt5_simulator::{AccountConfig, Week};

/// What a fresh desk answers to one request.
fn answer(account: AccountConfig, spec: SymbolSpec, request: &TradeRequest) -> u32 {
    Desk::with(account, vec![spec]).code(request)
}

#[test]
fn requests_on_a_fresh_account() {
    let eurusd = || spec("EURUSD");
    let mode = |trade_mode| SymbolSpec {
        trade_mode,
        ..eurusd()
    };
    let instant = |filling| SymbolSpec {
        execution: Execution::Instant,
        filling: FillingModes(filling),
        ..eurusd()
    };
    let stop_limit = |price, limit| {
        let mut request = pending(Buy, StopLimit, price);
        if let TradeRequest::Pending {
            stop_limit_price, ..
        } = &mut request
        {
            *stop_limit_price = limit;
        }
        request
    };
    let sl_tp = |side, sl, tp| with_levels(deal(side, 1.0), levels(sl, tp));
    let gtd = |ms| lasting(pending(Buy, Limit, 109_000), TimeInForce::Gtd(until(ms)));
    let no_zone = TimeInForce::Gtd(Moment::default());
    let forbidden = AccountConfig {
        trade_allowed: false,
        ..hedging()
    };
    let no_orders = AccountConfig {
        max_orders: Some(0),
        ..hedging()
    };
    let no_positions = AccountConfig {
        max_positions: Some(0),
        ..hedging()
    };
    let one_lot = AccountConfig {
        max_symbol_lots: Some(lots(1.0)),
        ..hedging()
    };
    let closed = Week::always().with(Weekday::Monday, Vec::new());
    let closed = AccountConfig {
        sessions: closed,
        ..hedging()
    };

    let rows = [
        (10009, hedging(), eurusd(), deal(Buy, 1.0)),
        (
            10009,
            hedging(),
            eurusd(),
            sl_tp(Buy, Some(109_990), Some(110_010)),
        ),
        (
            10009,
            hedging(),
            eurusd(),
            sl_tp(Sell, Some(110_020), Some(110_000)),
        ),
        (10008, hedging(), eurusd(), pending(Buy, Limit, 110_000)),
        (10008, hedging(), eurusd(), pending(Sell, Stop, 109_990)),
        (
            10008,
            hedging(),
            eurusd(),
            stop_limit(110_100, Some(px(110_050))),
        ),
        (10008, hedging(), eurusd(), gtd(1)),
        (10013, hedging(), eurusd(), deal_in("GBPUSD", Buy, 1.0)),
        (10013, hedging(), eurusd(), pending(Buy, Market, 109_000)),
        (10013, hedging(), eurusd(), stop_limit(110_100, None)),
        (10014, hedging(), eurusd(), deal(Buy, 0.0)),
        (10014, hedging(), eurusd(), deal(Buy, 0.015)),
        (10014, hedging(), eurusd(), deal(Buy, 100.01)),
        (10015, hedging(), eurusd(), pending(Buy, Limit, 110_001)),
        (10015, hedging(), eurusd(), pending(Sell, Limit, 110_009)),
        (10015, hedging(), eurusd(), pending(Buy, Stop, 110_019)),
        (10015, hedging(), eurusd(), pending(Sell, Stop, 110_050)),
        (10015, hedging(), eurusd(), pending(Buy, Limit, i64::MIN)),
        (
            10015,
            hedging(),
            eurusd(),
            stop_limit(110_100, Some(px(110_095))),
        ),
        (
            10015,
            hedging(),
            eurusd(),
            stop_limit(110_100, Some(Price::from_points(110, 2))),
        ),
        (10016, hedging(), eurusd(), sl_tp(Buy, Some(109_991), None)),
        (10016, hedging(), eurusd(), sl_tp(Buy, None, Some(110_009))),
        (10016, hedging(), eurusd(), sl_tp(Sell, Some(109_000), None)),
        (
            10016,
            hedging(),
            eurusd(),
            sl_tp(Sell, None, Some(i64::MAX)),
        ),
        (
            10016,
            hedging(),
            eurusd(),
            with_levels(pending(Buy, Limit, 109_000), levels(Some(108_995), None)),
        ),
        (10017, hedging(), mode(TradeMode::Disabled), deal(Buy, 1.0)),
        (10018, closed, eurusd(), deal(Buy, 1.0)),
        (10019, hedging(), eurusd(), deal(Buy, 95.0)),
        (10022, hedging(), eurusd(), gtd(0)),
        (
            10022,
            hedging(),
            eurusd(),
            lasting(pending(Buy, Limit, 109_000), no_zone),
        ),
        (
            10022,
            hedging(),
            eurusd(),
            lasting(pending(Buy, Limit, 109_000), TimeInForce::GtdDay(until(-1))),
        ),
        (10026, forbidden, eurusd(), deal(Buy, 1.0)),
        (10030, hedging(), instant(FillingModes::IOC), deal(Buy, 1.0)),
        (10009, hedging(), instant(FillingModes::FOK), deal(Buy, 1.0)),
        (10033, no_orders, eurusd(), pending(Buy, Limit, 109_000)),
        (10034, one_lot.clone(), eurusd(), deal(Buy, 1.01)),
        (10009, one_lot, eurusd(), deal(Buy, 1.0)),
        (10035, hedging(), eurusd(), cancel(Ticket(5))),
        (10036, hedging(), eurusd(), close(Ticket(5), Sell, 1.0)),
        (
            10036,
            hedging(),
            eurusd(),
            set_levels(Ticket(5), Levels::default()),
        ),
        (10040, no_positions, eurusd(), deal(Buy, 1.0)),
        (10042, hedging(), mode(TradeMode::LongOnly), deal(Sell, 1.0)),
        (10009, hedging(), mode(TradeMode::LongOnly), deal(Buy, 1.0)),
        (
            10043,
            hedging(),
            mode(TradeMode::ShortOnly),
            pending(Buy, Stop, 111_000),
        ),
        (
            10044,
            hedging(),
            mode(TradeMode::CloseOnly),
            deal(Sell, 1.0),
        ),
    ];
    for (code, account, spec, request) in rows {
        assert_eq!(answer(account, spec, &request), code, "{request:?}");
    }
}

#[test]
fn no_quote_and_no_rate() {
    let symbols = vec![spec("EURUSD"), spec("EURGBP"), spec("GBPUSD")];
    let mut desk = Desk::with(hedging(), symbols);
    assert_eq!(desk.code(&deal_in("GBPUSD", Buy, 1.0)), 10021);
    desk.sim.on_tick(&tick("EURGBP", 1, 86_000, 86_010));
    assert_eq!(desk.code(&deal_in("EURGBP", Buy, 1.0)), 10021);
    desk.sim.on_tick(&tick("GBPUSD", 2, 127_000, 127_010));
    assert_eq!(desk.code(&deal_in("EURGBP", Buy, 1.0)), 10009);
}

#[test]
fn closing() {
    let mut desk = Desk::open(hedging());
    let ticket = desk.done(&deal(Buy, 1.0));
    assert_eq!(desk.code(&close(ticket, Buy, 1.0)), 10013);
    assert_eq!(desk.code(&close(ticket, Sell, 1.01)), 10038);
    assert_eq!(desk.code(&close(ticket, Sell, 0.405)), 10014);
    assert_eq!(desk.code(&close(ticket, Sell, 0.4)), 10009);
    assert_eq!(desk.code(&close(ticket, Sell, 0.6)), 10009);
    assert_eq!(desk.code(&close(ticket, Sell, 0.6)), 10036);
    assert!(desk.sim.positions().is_empty());
}

#[test]
fn closing_needs_neither_money_nor_permission_to_open() {
    let poor = AccountConfig {
        balance: money("1200"),
        stop_out_level: 0.0,
        ..hedging()
    };
    let close_only = SymbolSpec {
        trade_mode: TradeMode::CloseOnly,
        ..spec("EURUSD")
    };
    let mut desk = Desk::open(poor.clone());
    let ticket = desk.done(&deal(Buy, 1.0));
    desk.tick(1, 109_000, 109_010);
    assert!(desk.sim.account().free_margin.is_negative());
    assert_eq!(desk.code(&deal(Buy, 0.01)), 10019);
    let state = desk.sim.save();
    let sim = mymt5_simulator::Simulator::restore(poor, vec![close_only], state).unwrap();
    let mut desk = Desk { sim };
    assert_eq!(desk.code(&deal(Buy, 0.01)), 10044);
    assert_eq!(desk.code(&close(ticket, Sell, 1.0)), 10009);
}

#[test]
fn modifying_a_position() {
    let mut desk = Desk::open(netting());
    let position = desk.done(&deal(Buy, 1.0));
    let modify = |levels| set_levels(position, levels);
    assert_eq!(desk.code(&modify(Levels::default())), 10025);
    assert_eq!(desk.code(&modify(levels(Some(110_000), None))), 10016);
    assert_eq!(
        desk.code(&modify(levels(Some(109_900), Some(110_200)))),
        10009
    );
    assert_eq!(
        desk.code(&modify(levels(Some(109_900), Some(110_200)))),
        10025
    );
    assert_eq!(desk.position().levels, levels(Some(109_900), Some(110_200)));
    assert_eq!(desk.code(&modify(levels(None, Some(110_200)))), 10009);
    assert_eq!(desk.position().levels, levels(None, Some(110_200)));
}

#[test]
fn modifying_and_cancelling_an_order() {
    let mut desk = Desk::open(hedging());
    let order = desk.done(&pending(Buy, Limit, 109_000));
    let modify = |price: i64| TradeRequest::ModifyOrder {
        order,
        symbol: symbol("EURUSD"),
        terms: TermsEdit {
            price: Some(px(price)),
            levels: LevelsEdit::to(Levels::default()),
            time_in_force: Some(TimeInForce::Gtc),
            ..TermsEdit::default()
        },
    };
    assert_eq!(desk.code(&modify(109_000)), 10025);
    assert_eq!(desk.code(&modify(110_005)), 10015);
    assert_eq!(
        desk.code(&lasting(modify(109_100), TimeInForce::Gtd(until(0)))),
        10022
    );
    assert_eq!(
        desk.code(&with_levels(modify(109_100), levels(Some(109_200), None))),
        10016
    );
    assert_eq!(desk.code(&modify(109_100)), 10009);
    assert_eq!(desk.sim.orders()[0].price, Some(px(109_100)));
    assert_eq!(desk.code(&cancel(order)), 10009);
    assert_eq!(desk.code(&cancel(order)), 10023);
    assert_eq!(desk.code(&modify(109_000)), 10023);
    assert_eq!(desk.finished()[0].state, RowState::Canceled);
}

#[test]
fn near_the_market_everything_is_frozen() {
    let spec = SymbolSpec {
        freeze_level_points: 50,
        ..spec("EURUSD")
    };
    let mut desk = Desk::with(hedging(), vec![spec]);
    let order = desk.done(&pending(Buy, Limit, 109_900));
    let far = levels(Some(109_900), None);
    let position = desk.done(&with_levels(deal(Buy, 1.0), far));
    desk.tick(1, 109_940, 109_950);
    assert_eq!(desk.code(&cancel(order)), 10029);
    assert_eq!(desk.code(&close(position, Sell, 1.0)), 10029);
    let levels = Levels::default();
    assert_eq!(desk.code(&set_levels(position, levels)), 10029);
    desk.tick(2, 109_951, 109_961);
    assert_eq!(desk.code(&set_levels(position, levels)), 10009);
    assert_eq!(desk.code(&close(position, Sell, 1.0)), 10009);
    assert_eq!(desk.code(&cancel(order)), 10009);
}

#[test]
fn without_a_stops_level_the_price_itself_is_still_too_near() {
    let spec = || SymbolSpec {
        stops_level_points: 0,
        ..spec("EURUSD")
    };
    let sl = |points| with_levels(deal(Buy, 1.0), levels(Some(points), None));
    for (code, request) in [
        (10015, pending(Buy, Limit, 110_010)),
        (10008, pending(Buy, Limit, 110_009)),
        (10015, pending(Sell, Stop, 110_000)),
        (10008, pending(Sell, Stop, 109_999)),
        (10016, sl(110_000)),
        (10009, sl(109_999)),
    ] {
        assert_eq!(answer(hedging(), spec(), &request), code, "{request:?}");
    }
}
