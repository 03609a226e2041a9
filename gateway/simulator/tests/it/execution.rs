//! How far orders are done: deviations, filling modes, remainders; and the limits of an account.

use crate::support::*;
use mymt5_model::{OrderType::*, Side::*, *};
use mymt5_simulator::{AccountConfig, Simulator};

#[test]
fn instant_execution_requotes_beyond_the_deviation() {
    let spec = SymbolSpec {
        execution: Execution::Instant,
        filling: FillingModes(FillingModes::FOK),
        ..spec("EURUSD")
    };
    let account = AccountConfig {
        slippage_points: 5,
        ..hedging()
    };
    let mut desk = Desk::with(account, vec![spec]);
    let within = |points| {
        let mut request = deal(Buy, 0.01);
        if let TradeRequest::Market {
            max_deviation_points,
            ..
        } = &mut request
        {
            *max_deviation_points = Some(points);
        }
        request
    };
    let codes: Vec<u32> = (0..60).map(|_| desk.code(&within(2))).collect();
    assert!(codes.contains(&10004) && codes.contains(&10009));
    assert!(codes.iter().all(|code| [10004, 10009].contains(code)));
    let worst = desk.sim.positions().iter().map(|p| p.open_price).max();
    assert_eq!(worst, Some(px(110_012)));
    assert!((0..60).all(|_| desk.code(&within(5)) == 10009));
}

#[test]
fn all_or_nothing_where_filling_says_so() {
    let filled = |filling, execution| {
        let account = AccountConfig {
            partial_fill_probability: 1.0,
            ..hedging()
        };
        let spec = SymbolSpec {
            filling: FillingModes(filling),
            execution,
            ..spec("EURUSD")
        };
        let mut desk = Desk::with(account, vec![spec]);
        let code = desk.code(&deal(Buy, 10.0));
        (code, desk)
    };
    let (code, desk) = filled(FillingModes::FOK, Execution::Market);
    assert_eq!((code, desk.deals().len()), (10006, 0));

    let (code, desk) = filled(FillingModes::IOC, Execution::Market);
    let order = &desk.finished()[0];
    assert_eq!((code, order.state), (10010, RowState::Canceled));
    assert_eq!(order.lots_left, order.lots.minus(desk.position().lots));
    assert!(!order.lots_left.is_zero() && desk.sim.orders().is_empty());

    let (code, mut desk) = filled(0, Execution::Exchange);
    assert_eq!(
        (code, desk.sim.orders()[0].state),
        (10010, RowState::Partial)
    );
    for ms in 1..200 {
        desk.tick(ms, 110_000, 110_010);
    }
    assert_eq!(desk.position().lots, lots(10.0));
    assert_eq!(desk.finished()[0].state, RowState::Filled);
    assert!(desk.sim.orders().is_empty());
}

#[test]
fn a_working_close_refuses_a_second_one() {
    let exchange = SymbolSpec {
        execution: Execution::Exchange,
        ..spec("EURUSD")
    };
    let whole = hedging();
    let partial = AccountConfig {
        partial_fill_probability: 1.0,
        ..hedging()
    };
    let mut desk = Desk::with(whole, vec![exchange.clone()]);
    let ticket = desk.done(&deal(Buy, 10.0));
    let state = desk.sim.save();
    let sim = mymt5_simulator::Simulator::restore(partial, vec![exchange], state).unwrap();
    let mut desk = Desk { sim };
    assert_eq!(desk.code(&close(ticket, Sell, 10.0)), 10010);
    assert_eq!(desk.code(&close(ticket, Sell, 0.01)), 10039);
    for ms in 1..200 {
        desk.tick(ms, 110_000, 110_010);
    }
    assert!(desk.sim.positions().is_empty() && desk.sim.orders().is_empty());
}

#[test]
fn a_whole_position_closes_off_the_grid_too() {
    let mut desk = Desk::open(hedging());
    let ticket = desk.done(&deal(Buy, 0.05));
    let coarse = VolumeGrid {
        min: lots(0.1),
        step: lots(0.1),
        max: lots(10.0),
    };
    let coarse = SymbolSpec {
        volume: coarse,
        ..spec("EURUSD")
    };
    let state = desk.sim.save();
    let sim = mymt5_simulator::Simulator::restore(hedging(), vec![coarse], state).unwrap();
    let mut desk = Desk { sim };
    assert_eq!(desk.code(&close(ticket, Sell, 0.04)), 10014);
    assert_eq!(desk.code(&close(ticket, Sell, 0.05)), 10009);
}

#[test]
fn what_is_left_of_a_close_never_reverses() {
    let exchange = || {
        vec![SymbolSpec {
            execution: Execution::Exchange,
            ..spec("EURUSD")
        }]
    };
    let again = |desk: Desk, account| Desk {
        sim: mymt5_simulator::Simulator::restore(account, exchange(), desk.sim.save()).unwrap(),
    };
    let mut desk = Desk::open(netting());
    let ticket = desk.done(&deal(Buy, 10.0));
    let partial = AccountConfig {
        partial_fill_probability: 1.0,
        ..netting()
    };
    let mut desk = again(desk, partial);
    let closing = desk.done(&close(ticket, Sell, 10.0));
    let left = desk.position().lots;
    assert!(left > lots(0.02));
    let mut desk = again(desk, netting());
    desk.done(&deal(Sell, left.to_f64() - 0.02));
    desk.tick(1, 110_000, 110_010);
    desk.tick(2, 110_000, 110_010);
    assert!(desk.sim.positions().is_empty() && desk.sim.orders().is_empty());
    let order = desk.finished().pop().unwrap();
    assert_eq!((order.ticket, order.state), (closing, RowState::Canceled));
    assert_eq!(desk.last_deal().lots, lots(0.02));
}

#[test]
fn the_volume_limit_counts_positions_and_orders_of_the_side() {
    let account = AccountConfig {
        max_symbol_lots: Some(lots(3.0)),
        ..hedging()
    };
    let mut desk = Desk::open(account);
    desk.done(&deal(Buy, 1.0));
    desk.done(&pending(Buy, Limit, 109_000));
    assert_eq!(desk.code(&deal(Buy, 1.01)), 10034);
    assert_eq!(desk.code(&deal(Sell, 3.0)), 10009);
    assert_eq!(desk.code(&pending(Sell, Limit, 111_000)), 10034);
    assert_eq!(desk.code(&deal(Buy, 1.0)), 10009);
}

#[test]
fn the_position_limit_counts_all_symbols() {
    let account = AccountConfig {
        max_positions: Some(1),
        ..netting()
    };
    let mut desk = Desk::with(account, vec![spec("EURUSD"), spec("GBPUSD")]);
    desk.sim.on_tick(&tick("GBPUSD", 0, 127_000, 127_010));
    desk.done(&pending(Buy, Limit, 109_900));
    desk.done(&deal_in("GBPUSD", Buy, 1.0));
    assert_eq!(desk.code(&deal_in("GBPUSD", Buy, 1.0)), 10009);
    assert_eq!(desk.code(&deal(Buy, 1.0)), 10040);
    desk.tick(1, 109_890, 109_900);
    assert_eq!(desk.finished().pop().unwrap().state, RowState::Rejected);
    assert_eq!(desk.position().symbol, symbol("GBPUSD"));

    let account = AccountConfig {
        max_positions: Some(1),
        ..hedging()
    };
    let mut desk = Desk::open(account);
    assert_eq!(desk.code(&deal(Buy, 1.0)), 10009);
    assert_eq!(desk.code(&deal(Buy, 1.0)), 10040);
}

#[test]
fn margin_in_another_symbol_is_not_free() {
    let mut desk = Desk::with(hedging(), vec![spec("EURUSD"), spec("GBPUSD")]);
    desk.sim.on_tick(&tick("GBPUSD", 0, 127_000, 127_010));
    desk.done(&deal_in("GBPUSD", Buy, 50.0));
    assert_eq!(desk.code(&deal(Buy, 50.0)), 10019);
    assert_eq!(desk.code(&deal(Buy, 30.0)), 10009);
}

#[test]
fn a_close_without_a_volume_takes_all_there_is() {
    for account in [netting(), hedging()] {
        let mut desk = Desk::open(account);
        let ticket = desk.done(&deal(Buy, 1.0));
        assert_eq!(desk.code(&close(ticket, Sell, 0.4)), 10009);
        let (receipt, _) = desk.sim.send(&close_lots(ticket, Sell, None));
        assert_eq!(receipt.lots_sent, Some(lots(0.6)));
        assert_eq!(receipt.deals.len(), 1);
        assert!(desk.sim.positions().is_empty());
        // Of the same side it closes nothing.
        let ticket = desk.done(&deal(Buy, 1.0));
        assert_eq!(desk.code(&close_lots(ticket, Buy, None)), 10013);
    }
}

#[test]
fn what_is_no_trade_moves_balance_or_credit() {
    let mut desk = Desk::open(hedging());
    let before = desk.sim.account();
    desk.sim
        .book(DealKind::Balance, money("-250.004"), "withdrawal");
    desk.sim.book(DealKind::Credit, money("100"), "credit");
    let after = desk.sim.account();
    assert_eq!(after.balance, before.balance - money("250"));
    assert_eq!(after.credit, money("100"));
    assert_eq!(after.equity, before.equity - money("150"));
    let state = desk.sim.save();
    let again = Simulator::restore(hedging(), vec![spec("EURUSD")], state).unwrap();
    assert_eq!(again.account(), after);
}
