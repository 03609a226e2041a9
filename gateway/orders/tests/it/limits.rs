//! Every limit, of the client and of the account, from the core's own facts: it refuses an entry
//! with its reason, lets an exit pass, and refuses what it cannot judge.

use crate::bench::{Shell, by_hand::*, rows::*};
use mymt5_guard::{Limits, Percent};
use mymt5_model::{AccountRow, Lots, OrderState, OrderType, Price, Reason, Side, SymbolSpec, Tick};
use mymt5_orders::NewOrder;
use std::sync::Arc;

pub(crate) type Setter<T> = fn(&mut T);

/// What an entry meets.
pub(crate) struct Scene {
    pub(crate) order: NewOrder,
    pub(crate) quote: Tick,
    pub(crate) account: AccountRow,
}

/// A buy of 0.5 lots of EURUSD at 1.10010 with a stop 200 points below: 100.00 at risk, 550.05
/// of margin, on an account of 10,000.00; the spread is 10 points.
pub(crate) fn scene() -> Scene {
    let mut order = buy(0.5);
    order.levels.stop_loss = Some(points(109_810));
    Scene {
        order,
        quote: quote(),
        account: account(),
    }
}

pub(crate) fn some_lots(amount: f64) -> Option<Lots> {
    Some(lots(amount))
}

pub(crate) fn percent(percent: f64) -> Option<Percent> {
    Some(Percent::try_from(percent).unwrap())
}

fn change_spec(scene: &mut Scene, change: Setter<SymbolSpec>) {
    let mut spec = SymbolSpec::clone(&scene.order.spec);
    change(&mut spec);
    scene.order.spec = Arc::new(spec);
}

/// The same in GBPUSD, of which alpha holds nothing.
pub(crate) fn elsewhere(scene: &mut Scene) {
    change_spec(scene, |spec| spec.symbol = symbol("GBPUSD"));
    scene.quote.symbol = symbol("GBPUSD");
}

fn pending(scene: &mut Scene) {
    let order = &mut scene.order;
    (order.kind, order.price) = (OrderType::Limit, Some(points(109_910)));
}

/// A core that holds position 1, 0.3 lots long, of alpha's, and that account.
pub(crate) fn holding_with(clients: Limits, whole: Limits, row: AccountRow) -> Shell {
    let mut shell = ready();
    shell.hold("alpha", 1, 0.3);
    shell.regulate(clients, whole);
    shell.compare_account(row);
    shell
}

/// The same after a restart: taken up from the journal, and compared.
fn restarted(clients: Limits, whole: Limits, row: AccountRow) -> Shell {
    let mut shell = holding_with(clients, whole, row.clone());
    shell.restart_and_connect();
    shell.compare_account(row);
    shell
}

/// The order leaves, or is refused for that reason.
pub(crate) fn try_order(shell: &mut Shell, id: &str, scene: &Scene) -> Result<(), Reason> {
    let order = scene.order.clone();
    let symbol = order.spec.symbol.clone();
    shell.prices.specs.insert(symbol, order.spec.clone());
    shell.prices.tick(scene.quote.clone());
    match shell.refusal("alpha", id, submit(order)) {
        Some(reason) => Err(reason),
        None => {
            shell.leaves();
            Ok(())
        }
    }
}

/// Submits the changed scene under a limit, once of the client and once of the account, before and
/// after a restart; and then closes the position, which no limit may hinder.
fn try_it(set: Setter<Limits>, change: Setter<Scene>) -> Result<(), Reason> {
    let mut limits = Limits::default();
    set(&mut limits);
    let mut scene = scene();
    change(&mut scene);
    let of_client = (limits.clone(), Limits::default());
    let of_account = (Limits::default(), limits);
    let mut outcomes = Vec::new();
    for (client, whole) in [of_client, of_account] {
        for start in [holding_with, restarted] {
            let mut shell = start(client.clone(), whole.clone(), scene.account.clone());
            outcomes.push(try_order(&mut shell, "new", &scene));
            shell.must("alpha", "close", close(HELD, None));
        }
    }
    let first = outcomes[0];
    assert!(outcomes.iter().all(|one| *one == first), "{outcomes:?}");
    first
}

/// The limit refuses the scene with that reason, and lets it pass when set by `wide`.
fn refuses(tight: Setter<Limits>, wide: Setter<Limits>, change: Setter<Scene>, reason: Reason) {
    assert_eq!(try_it(wide, change), Ok(()), "{reason:?}");
    assert_eq!(try_it(tight, change), Err(reason));
}

const AS_IT_IS: Setter<Scene> = |_| {};

#[test]
fn nothing_is_limited_where_nothing_is_set() {
    assert_eq!(try_it(|_| {}, AS_IT_IS), Ok(()));
}

#[test]
fn lots_of_an_order() {
    refuses(
        |l| l.max_lots_per_order = some_lots(0.49),
        |l| l.max_lots_per_order = some_lots(0.5),
        AS_IT_IS,
        Reason::LimitLotsPerOrder,
    );
}

#[test]
fn lots_of_a_symbol_with_those_held() {
    refuses(
        |l| l.max_lots_per_symbol = some_lots(0.79),
        |l| l.max_lots_per_symbol = some_lots(0.8),
        AS_IT_IS,
        Reason::LimitLotsPerSymbol,
    );
    let sell = |scene: &mut Scene| {
        scene.order.side = Side::Sell;
        scene.order.levels.stop_loss = None;
    };
    let other_side = try_it(|l| l.max_lots_per_symbol = some_lots(0.5), sell);
    assert_eq!(other_side, Ok(()));
}

#[test]
fn lots_in_total() {
    refuses(
        |l| l.max_lots_total = some_lots(0.79),
        |l| l.max_lots_total = some_lots(0.8),
        elsewhere,
        Reason::LimitLotsTotal,
    );
    let other_symbol = try_it(|l| l.max_lots_per_symbol = some_lots(0.5), elsewhere);
    assert_eq!(other_symbol, Ok(()));
}

#[test]
fn open_positions() {
    refuses(
        |l| l.max_open_positions = Some(1),
        |l| l.max_open_positions = Some(2),
        AS_IT_IS,
        Reason::LimitOpenPositions,
    );
}

#[test]
fn open_orders() {
    refuses(
        |l| l.max_open_orders = Some(0),
        |l| l.max_open_orders = Some(1),
        pending,
        Reason::LimitOpenOrders,
    );
}

#[test]
fn orders_per_minute() {
    refuses(
        |l| l.max_orders_per_minute = Some(1),
        |l| l.max_orders_per_minute = Some(2),
        AS_IT_IS,
        Reason::RateLimited,
    );
}

#[test]
fn a_stop_loss() {
    refuses(
        |l| l.require_stop_loss = true,
        |_| {},
        |scene| scene.order.levels.stop_loss = None,
        Reason::LimitStopLoss,
    );
    assert_eq!(try_it(|l| l.require_stop_loss = true, AS_IT_IS), Ok(()));
}

#[test]
fn the_distance_of_the_stop_loss() {
    refuses(
        |l| l.min_stop_distance_points = Some(201),
        |l| l.min_stop_distance_points = Some(200),
        AS_IT_IS,
        Reason::LimitStopDistance,
    );
    refuses(
        |l| l.max_stop_distance_points = Some(199),
        |l| l.max_stop_distance_points = Some(200),
        AS_IT_IS,
        Reason::LimitStopDistance,
    );
    // From its own price, a pending order's stop is 100 points away.
    refuses(
        |l| l.max_stop_distance_points = Some(99),
        |l| l.max_stop_distance_points = Some(100),
        pending,
        Reason::LimitStopDistance,
    );
}

#[test]
fn the_distance_of_a_price_from_the_quote() {
    // 100 of 110,010 points.
    refuses(
        |l| l.max_price_distance = percent(0.0908),
        |l| l.max_price_distance = percent(0.091),
        pending,
        Reason::LimitPriceCollar,
    );
    let at_market = try_it(|l| l.max_price_distance = percent(0.0001), AS_IT_IS);
    assert_eq!(at_market, Ok(()));
}

#[test]
fn the_farther_price_of_a_stop_limit_order_counts() {
    let stop_limit = |scene: &mut Scene| {
        scene.order.kind = OrderType::StopLimit;
        scene.order.price = Some(points(110_030));
        scene.order.stop_limit_price = Some(points(109_910));
    };
    refuses(
        |l| l.max_price_distance = percent(0.0908),
        |l| l.max_price_distance = percent(0.091),
        stop_limit,
        Reason::LimitPriceCollar,
    );
}

#[test]
fn the_spread() {
    refuses(
        |l| l.max_spread_points = Some(9),
        |l| l.max_spread_points = Some(10),
        AS_IT_IS,
        Reason::LimitSpread,
    );
}

#[test]
fn an_order_that_waited_is_checked_against_the_quote_once_more() {
    let tight = Limits {
        max_spread_points: Some(10),
        ..Limits::default()
    };
    for wide in [None, Some(Price::from_points(110_020, 5))] {
        let mut shell = ready_with(tight.clone(), Limits::default());
        let Scene { order, quote, .. } = scene();
        shell.step_call("alpha", "waits", submit(order));
        shell.prices.ticks.clear();
        if let Some(ask) = wide {
            shell.prices.tick(Tick { ask, ..quote });
        }
        shell.settle();
        assert!(shell.left().is_empty());
        let order = shell.order_of("alpha", "waits");
        let reason = if wide.is_some() {
            "LIMIT_SPREAD"
        } else {
            "FACT_MISSING"
        };
        assert_eq!(
            (order.state, order.reason.as_str()),
            (OrderState::Rejected, reason)
        );
        assert!(order.retryable);
    }
}

#[test]
fn symbols() {
    refuses(
        |l| l.symbols = Some([symbol("GBPUSD")].into()),
        |l| l.symbols = Some([symbol("EURUSD")].into()),
        AS_IT_IS,
        Reason::LimitSymbol,
    );
}

#[test]
fn margin_in_use() {
    // 4,449.95 + 550.05 of 10,000.00.
    let used = |scene: &mut Scene| scene.account.margin = money(4_449.95);
    refuses(
        |l| l.max_margin_use = percent(49.99),
        |l| l.max_margin_use = percent(50.0),
        used,
        Reason::LimitMargin,
    );
}

#[test]
fn risk_to_the_stop() {
    refuses(
        |l| l.max_risk_per_trade = percent(0.99),
        |l| l.max_risk_per_trade = percent(1.0),
        AS_IT_IS,
        Reason::LimitRisk,
    );
    let without = |scene: &mut Scene| scene.order.levels.stop_loss = None;
    let refused = try_it(|l| l.max_risk_per_trade = percent(1.0), without);
    assert_eq!(refused, Err(Reason::LimitStopLoss));
}

#[test]
fn what_cannot_be_judged_is_refused() {
    let no_rate: Setter<Scene> = |scene| change_spec(scene, |spec| spec.tick_value = None);
    let no_leverage: Setter<Scene> = |scene| scene.account.leverage = 0;
    let crossed: Setter<Scene> = |scene| scene.quote.bid = points(110_020);
    let no_ask: Setter<Scene> = |scene| {
        pending(scene);
        scene.quote.ask = points(0);
    };
    let cases: [(Setter<Limits>, Setter<Scene>); 5] = [
        (|l| l.max_risk_per_trade = percent(100.0), no_rate),
        (|l| l.max_margin_use = percent(100.0), no_rate),
        (|l| l.max_margin_use = percent(100.0), no_leverage),
        (|l| l.max_spread_points = Some(1_000), crossed),
        (|l| l.max_price_distance = percent(100.0), no_ask),
    ];
    for (set, forget) in cases {
        assert_eq!(try_it(set, AS_IT_IS), Ok(()));
        assert_eq!(try_it(|_| {}, forget), Ok(()));
        assert_eq!(try_it(set, forget), Err(Reason::FactMissing));
    }
}
