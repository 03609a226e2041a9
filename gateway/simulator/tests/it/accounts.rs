//! The account's money: conversion, swap, margin call, stop-out, set-up.

use crate::support::*;
use mymt5_model::{Side::*, *};
use mymt5_simulator::{AccountConfig, Event, SetupError, Simulator, Week, catalogue};

#[test]
fn converts_by_the_symbols_own_price() {
    let mut desk = Desk::with(netting(), vec![spec("EURUSD"), spec("USDJPY")]);
    desk.sim.on_tick(&tick("USDJPY", 1, 150_000, 150_010));
    desk.done(&deal_in("USDJPY", Buy, 1.0));
    assert_eq!(desk.sim.account().margin, money("1000"));
    desk.sim.on_tick(&tick("USDJPY", 2, 151_000, 151_010));
    // 0.990 * 100,000 JPY / 151.000
    assert_eq!(desk.sim.account().profit, money("655.63"));
    desk.done(&deal_in("USDJPY", Sell, 1.0));
    assert_eq!(desk.last_deal().profit, money("655.63"));
}

#[test]
fn converts_through_another_symbol_and_follows_it() {
    let mut desk = Desk::with(
        netting(),
        vec![spec("EURUSD"), spec("EURGBP"), spec("GBPUSD")],
    );
    desk.sim.on_tick(&tick("EURGBP", 1, 86_000, 86_010));
    desk.sim.on_tick(&tick("GBPUSD", 2, 125_000, 125_010));
    desk.done(&deal_in("EURGBP", Buy, 1.0));
    assert_eq!(desk.sim.account().margin, money("1075.13"));
    assert_eq!(desk.sim.account().profit, money("-12.50"));
    desk.sim.on_tick(&tick("GBPUSD", 3, 130_000, 130_010));
    assert_eq!(desk.sim.account().profit, money("-13"));
    let tick_value = desk.sim.symbols()[1].tick_value.unwrap();
    assert!((tick_value - 1.3).abs() < 1e-9);
}

#[test]
fn converts_by_the_inverse_of_another_symbol() {
    let account = AccountConfig {
        currency: "EUR".into(),
        ..netting()
    };
    let mut desk = Desk::with(account, vec![spec("EURUSD"), spec("GBPUSD")]);
    desk.tick(1, 119_990, 120_000);
    desk.sim.on_tick(&tick("GBPUSD", 2, 126_000, 126_012));
    desk.done(&deal_in("GBPUSD", Buy, 1.0));
    assert_eq!(desk.sim.account().profit, money("-10"));
    assert_eq!(desk.sim.account().margin, money("1050.10"));
}

#[test]
fn converts_by_a_configured_rate_either_way_round() {
    for (name, rate) in [("GBPUSD", 1.25), ("USDGBP", 0.8)] {
        let rates = [(name.to_owned(), rate)].into();
        let account = AccountConfig { rates, ..netting() };
        let mut desk = Desk::with(account, vec![spec("EURUSD"), spec("EURGBP")]);
        desk.sim.on_tick(&tick("EURGBP", 1, 86_000, 86_010));
        desk.done(&deal_in("EURGBP", Buy, 1.0));
        assert_eq!(desk.sim.account().profit, money("-12.50"));
    }
}

#[test]
fn refuses_accounts_that_cannot_be() {
    let error = |account, symbols| Simulator::new(account, symbols).err().unwrap();
    let no_rate = error(hedging(), vec![spec("EURGBP")]);
    assert!(
        matches!(&no_rate, SetupError::NoConversion { from, to, .. } if from == "GBP" && to == "USD")
    );
    assert!(no_rate.to_string().contains("add GBPUSD"));
    let twice = error(hedging(), vec![spec("EURUSD"), spec("EURUSD")]);
    assert_eq!(
        twice,
        SetupError::Duplicate {
            symbol: symbol("EURUSD")
        }
    );
    let faulty = SymbolSpec {
        contract_size: f64::NAN,
        ..spec("EURUSD")
    };
    assert!(matches!(
        error(hedging(), vec![faulty]),
        SetupError::Spec { .. }
    ));
    let faulty = AccountConfig {
        partial_fill_probability: 1.5,
        ..hedging()
    };
    assert!(matches!(error(faulty, vec![]), SetupError::Account { .. }));
}

#[test]
fn asks_for_margin_and_profit_beforehand() {
    let desk = Desk::open(hedging());
    let eurusd = symbol("EURUSD");
    assert_eq!(
        desk.sim.margin_for(&eurusd, Buy, lots(0.1), px(110_000)),
        Some(money("110"))
    );
    let profit = |side| {
        desk.sim
            .profit_for(&eurusd, side, lots(0.1), px(110_000), px(110_100))
    };
    assert_eq!(
        (profit(Buy), profit(Sell)),
        (Some(money("10")), Some(money("-10")))
    );
    assert_eq!(
        desk.sim
            .margin_for(&symbol("GBPUSD"), Buy, lots(0.1), px(1)),
        None
    );
}

#[test]
fn the_margin_of_an_index_is_a_share_of_its_price() {
    let mut desk = Desk::with(netting(), vec![spec("EURUSD"), spec("US500")]);
    desk.sim.on_tick(&tick("US500", 1, 600_000, 600_050));
    let index = symbol("US500");
    let price = Price::from_points(600_000, 2);
    // 10 lots of one unit at 6,000.00, by 1:100.
    let asked = desk.sim.margin_for(&index, Buy, lots(10.0), price);
    assert_eq!(asked, Some(money("600")));
    desk.done(&deal_in("US500", Buy, 10.0));
    assert_eq!(desk.sim.account().margin, money("600.05"));
}

#[test]
fn an_index_takes_no_more_than_the_free_margin() {
    let account = AccountConfig {
        balance: money("1000"),
        ..netting()
    };
    let mut desk = Desk::with(account, vec![spec("EURUSD"), spec("US500")]);
    desk.sim.on_tick(&tick("US500", 1, 600_000, 600_050));
    assert_eq!(desk.code(&deal_in("US500", Buy, 100.0)), 10019);
    assert_eq!(desk.code(&deal_in("US500", Buy, 10.0)), 10009);
}

#[test]
fn swap_is_charged_at_midnight_and_thrice_on_wednesday() {
    let eurusd = SymbolSpec {
        swap_long_points: -7.5,
        swap_short_points: 3.1,
        ..catalogue::spec(&symbol("EURUSD"))
    };
    let mut desk = Desk::with(netting(), vec![eurusd]);
    let ticket = desk.done(&deal(Buy, 2.0));
    assert!(desk.tick(DAY - 1, 110_000, 110_010).is_empty());
    assert_eq!(desk.tick(DAY, 110_000, 110_010), [Event::PositionsChanged]);
    assert_eq!(desk.position().swap, money("-15"));
    desk.tick(2 * DAY, 110_000, 110_010);
    desk.tick(3 * DAY, 110_000, 110_010);
    assert_eq!(desk.position().swap, money("-75"));
    assert_eq!(desk.sim.account().profit, money("-95"));
    desk.done(&close(ticket, Sell, 0.5));
    assert_eq!(desk.last_deal().swap, money("-18.75"));
    desk.done(&close(ticket, Sell, 1.5));
    assert_eq!(desk.sim.account().balance, money("99905"));
    desk.done(&deal(Sell, 2.0));
    desk.tick(4 * DAY, 110_000, 110_010);
    assert_eq!(desk.position().swap, money("6.20"));
}

#[test]
fn a_margin_call_is_told_once_and_the_stop_out_closes_the_greatest_loser() {
    let account = AccountConfig {
        balance: money("2000"),
        ..hedging()
    };
    let mut desk = Desk::open(account);
    let small = desk.done(&deal(Buy, 0.5));
    let great = desk.done(&deal(Buy, 1.0));
    assert!(desk.tick(1, 109_800, 109_810).is_empty());
    assert_eq!(desk.tick(2, 109_740, 109_750), [Event::MarginCall]);
    assert!(desk.tick(3, 109_739, 109_749).is_empty());
    let events = desk.tick(4, 109_200, 109_210);
    let deal = deals_of(&events)[0];
    assert_eq!(
        (deal.position_id, deal.reason),
        (Some(PositionId(great.0)), DealReason::StopOut)
    );
    assert!(deal.comment.starts_with("[so 4"), "{}", deal.comment);
    assert!(events.contains(&Event::StopOut));
    assert_eq!(desk.position().ticket, small);
    assert!(desk.sim.account().margin_level.unwrap() > 50.0);
}

#[test]
fn outside_the_sessions_prices_move_but_nothing_is_done() {
    let morning = Week::always().with(Weekday::Monday, vec![0..30, 30..60]);
    let account = AccountConfig {
        symbol_sessions: [(symbol("EURUSD"), morning)].into(),
        ..hedging()
    };
    let mut desk = Desk::open(account);
    desk.done(&with_levels(deal(Buy, 1.0), levels(Some(109_900), None)));
    assert!(desk.tick(HOUR, 109_000, 109_010).is_empty());
    assert_eq!(desk.sim.account().profit, money("-1010"));
    assert_eq!(
        deals_of(&desk.tick(DAY, 109_500, 109_510))[0].price,
        Some(px(109_500))
    );
}

#[test]
fn strange_ticks_change_nothing() {
    let mut desk = Desk::open(hedging());
    let before = desk.sim.save();
    let mut other_digits = tick("EURUSD", 5, 110_000, 110_010);
    other_digits.bid = Price::from_points(110, 2);
    for strange in [
        tick("GBPUSD", 5, 127_000, 127_010),
        tick("EURUSD", 5, 110_010, 110_000),
        tick("EURUSD", 5, 0, 110_000),
        tick("EURUSD", 5, 110_000, i64::MAX),
        other_digits,
    ] {
        assert!(desk.sim.on_tick(&strange).is_empty());
    }
    assert_eq!(desk.sim.save(), before);
    desk.tick(-1, 110_001, 110_011);
    assert_eq!(desk.sim.time(), Some(BrokerTime(MONDAY)));
}

#[test]
fn the_login_shows_masked_only() {
    let account = AccountConfig {
        login: 12_345_678,
        ..hedging()
    };
    let shown = format!("{account:?}");
    assert!(shown.contains("****5678") && !shown.contains("12345678"));
    assert_eq!(
        Desk::open(account).sim.account().account.to_string(),
        "****5678"
    );
}
