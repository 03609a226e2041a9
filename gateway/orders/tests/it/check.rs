//! A check tells everything that would refuse an order now, and does nothing.

use crate::bench::{rows::*, scenes::*};
use mymt5_guard::{Limits, Percent, ScopeLimits, TradingState};
use mymt5_model::{Levels, Reason, Refusal, Side, SymbolSpec, TradeMode};
use mymt5_orders::{Answer, Asker, BrokerFigures, CheckReport, Input, NewOrder};
use std::sync::Arc;

fn report(scene: &mut Scene, client: &str, order: NewOrder) -> CheckReport {
    match scene.check(client, order) {
        Answer::Check(report) => report,
        other => panic!("{other:?}"),
    }
}

fn reasons(report: &CheckReport) -> Vec<Reason> {
    report.refusals.iter().map(Refusal::reason).collect()
}

fn with_stop(order: NewOrder, level: i64) -> NewOrder {
    NewOrder {
        levels: Levels {
            stop_loss: Some(points(level)),
            take_profit: None,
        },
        ..order
    }
}

fn in_mode(trade_mode: TradeMode, order: NewOrder) -> NewOrder {
    let spec = SymbolSpec {
        trade_mode,
        ..SymbolSpec::clone(&order.spec)
    };
    NewOrder {
        spec: Arc::new(spec),
        ..order
    }
}

fn strict() -> Limits {
    Limits {
        max_lots_per_order: Some(lots(0.5)),
        require_stop_loss: true,
        max_lots_total: Some(lots(1.0)),
        max_margin_use: Some(Percent::try_from(5.0).unwrap()),
        ..Limits::default()
    }
}

#[test]
fn an_order_that_nothing_refuses_would_be_sent() {
    let mut scene = scene();
    let told = report(&mut scene, "alpha", buy(0.1));
    assert_eq!(reasons(&told), []);
    scene.submit("alpha", "a", buy(0.1));
    scene.sent();
}

#[test]
fn margin_and_the_loss_at_the_stop_are_told() {
    let mut scene = scene();
    let told = report(&mut scene, "alpha", with_stop(buy(0.1), BID - 490));
    assert_eq!(told.margin, Some(money(110.01)));
    assert_eq!(told.loss_at_stop, Some(money(50.0)));
    let limit = with_stop(buy_limit(0.2, BID - 1_000), BID - 1_100);
    let told = report(&mut scene, "alpha", limit);
    assert_eq!(told.margin, Some(money(218.0)));
    assert_eq!(told.loss_at_stop, Some(money(20.0)));
    let sell = NewOrder {
        side: Side::Sell,
        ..with_stop(buy(0.1), ASK + 490)
    };
    let told = report(&mut scene, "alpha", sell);
    assert_eq!(told.loss_at_stop, Some(money(50.0)));
    let told = report(&mut scene, "alpha", buy(0.1));
    assert_eq!(told.loss_at_stop, None);
}

#[test]
fn the_brokers_own_figures_go_first() {
    let mut scene = scene();
    let asker = Asker(5);
    let figures = BrokerFigures {
        margin: Some(money(99.0)),
        loss_at_stop: Some(money(51.5)),
    };
    scene.shell.feed(Input::Check {
        asker,
        client: name("alpha"),
        order: Ok(Box::new(with_stop(buy(0.1), BID - 490))),
        figures,
    });
    let Answer::Check(told) = scene.answer(asker) else {
        panic!()
    };
    assert_eq!(told.margin, figures.margin);
    assert_eq!(told.loss_at_stop, figures.loss_at_stop);
}

#[test]
fn every_refusal_is_told_at_once() {
    let clients = entry_limits(strict());
    let mut scene = limited_scene(clients, entry_limits(strict()));
    scene.set_state("h", None, TradingState::Halted);
    scene.submit("beta", "lost", buy(0.1));
    let position = with_stop(in_mode(TradeMode::CloseOnly, buy(2.0)), BID + 100);
    let told = reasons(&report(&mut scene, "alpha", position));
    let client = [
        Reason::LimitLotsPerOrder,
        Reason::LimitLotsTotal,
        Reason::LimitMargin,
    ];
    let mut expected = vec![
        Reason::TradingStateForbids,
        Reason::MarketClosed,
        Reason::StopsWrongSide,
    ];
    expected.extend(client.iter().chain(&client));
    assert_eq!(told, expected);
    let told = reasons(&report(&mut scene, "alpha", buy(0.1)));
    let missing = [Reason::LimitStopLoss; 2];
    assert_eq!(told[0], Reason::TradingStateForbids);
    assert_eq!(told[1..], missing);
}

#[test]
fn what_is_closed_for_everybody_is_told_too() {
    let mut scene = scene();
    scene.submit("alpha", "lost", buy(0.1));
    scene.lose();
    scene.shell.feed(Input::Link(false));
    scene.shell.feed(Input::Drain);
    scene.shell.pass(61_000);
    scene.shell.feed(Input::Second);
    let told = reasons(&report(&mut scene, "alpha", buy(0.1)));
    assert_eq!(
        told,
        [
            Reason::Draining,
            Reason::LinkDown,
            Reason::PendingReconciliation,
            Reason::SymbolFrozen,
            Reason::QuoteMissing
        ]
    );
}

#[test]
fn the_first_refusal_of_a_check_is_the_refusal_of_the_order() {
    let orders = [
        buy(2.0),
        with_stop(buy(0.1), BID + 100),
        buy(0.1),
        in_mode(TradeMode::Disabled, with_stop(buy(0.1), BID - 100)),
    ];
    let clients = entry_limits(strict());
    let mut scene = limited_scene(clients, ScopeLimits::default());
    for (n, order) in orders.into_iter().enumerate() {
        let told = reasons(&report(&mut scene, "alpha", order.clone()));
        let asker = scene.submit("alpha", &format!("a{n}"), order);
        assert_eq!(scene.refusal(asker), told[0], "{n}");
    }
}

#[test]
fn a_check_records_sends_and_binds_nothing() {
    let limits = Limits {
        max_orders_per_minute: Some(1),
        ..Limits::default()
    };
    let mut scene = limited_scene(entry_limits(limits), ScopeLimits::default());
    let sequence = scene.shell.core.sequence();
    let memory = scene.shell.core.in_memory();
    for n in 0..100 {
        scene.shell.step(Input::Check {
            asker: Asker(n),
            client: name("alpha"),
            order: Ok(Box::new(buy(0.1))),
            figures: BrokerFigures::default(),
        });
    }
    assert!(scene.shell.sent.is_empty());
    scene.shell.settle();
    assert_eq!(scene.shell.core.sequence(), sequence);
    assert_eq!(scene.shell.core.in_memory(), memory);
    assert!(scene.shell.disk.requests.is_empty());
    assert!(scene.shell.disk.orders.is_empty());
    assert!((0..100).all(|n| scene.answers(Asker(n)).len() == 1));
    scene.submit("alpha", "a", buy(0.1));
    scene.obey();
    let told = reasons(&report(&mut scene, "alpha", buy(0.1)));
    assert_eq!(told, [Reason::RateLimited]);
}

#[test]
fn what_could_not_be_understood_is_refused() {
    let mut scene = scene();
    let asker = Asker(7);
    scene.shell.feed(Input::Check {
        asker,
        client: name("alpha"),
        order: Err(Refusal::new(Reason::PriceOffGrid)),
        figures: BrokerFigures::default(),
    });
    assert_eq!(scene.refusal(asker), Reason::PriceOffGrid);
}

#[test]
fn a_client_that_was_granted_nothing_may_open_nothing() {
    let mut scene = scene();
    let told = reasons(&report(&mut scene, "gamma", buy(0.1)));
    assert_eq!(told, [Reason::PermissionDenied]);
    let asker = scene.submit("gamma", "a", buy(0.1));
    assert_eq!(scene.refusal(asker), Reason::PermissionDenied);
}

#[test]
fn what_is_not_known_is_not_told() {
    let mut scene = scene();
    let spec = SymbolSpec {
        tick_value: None,
        ..SymbolSpec::clone(&spec())
    };
    let order = NewOrder {
        spec: Arc::new(spec),
        ..with_stop(buy(0.1), BID - 490)
    };
    let told = report(&mut scene, "alpha", order);
    assert_eq!((told.margin, told.loss_at_stop), (None, None));
}

#[test]
fn a_symbol_that_trades_one_way_refuses_the_other() {
    let mut scene = scene();
    let told = reasons(&report(
        &mut scene,
        "alpha",
        in_mode(TradeMode::ShortOnly, buy(0.1)),
    ));
    assert_eq!(told, [Reason::MarketClosed]);
}
