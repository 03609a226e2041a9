#![allow(clippy::unwrap_used)]
//! Every limit, of the client and of the account, from the core's own facts: it refuses an entry
//! with its reason, lets an exit pass, and refuses what it cannot judge.

mod reservations;

use super::support::{call, core_with, entry, exit, quote, receipt, restart_with, sent, spec};
use crate::{
    broker::{History, Snapshot},
    records::Loaded,
    testing::{account, deal},
    {Core, Entry},
};
use mymt5_guard::{Limits, Percent, ScopeLimits};
use mymt5_model::Reason;
use mymt5_model::{
    AccountRow, Lots, Money, OrderState, OrderType, Price, Retcode, Side, Symbol, Tick, Ticket,
};
use std::sync::Arc;

type Change<T> = fn(&mut T);

/// What an entry meets.
struct Scene {
    entry: Entry,
    quote: Tick,
    account: AccountRow,
}

/// A buy of 0.5 lots of EURUSD at 1.10010 with a stop 200 points below: 100.00 at risk, 550.05
/// of margin, on an account of 10,000.00; the spread is 10 points.
fn scene() -> Scene {
    let mut buy = entry(0.5);
    let mut known = (*spec()).clone();
    known.tick_value = Some(1.0);
    buy.spec = Arc::new(known);
    buy.levels.stop_loss = Some(points(109_810));
    Scene {
        entry: buy,
        quote: quote(),
        account: account(),
    }
}

fn points(points: i64) -> Price {
    Price::from_points(points, 5)
}

fn lots(lots: f64) -> Option<Lots> {
    Some(Lots::from_f64(lots).unwrap())
}

fn percent(percent: f64) -> Option<Percent> {
    Some(Percent::try_from(percent).unwrap())
}

fn pending(entry: &mut Entry) {
    (entry.kind, entry.price) = (OrderType::Limit, Some(points(109_910)));
}

/// A core that holds position 1, 0.3 lots long, of the client.
fn holding(limits: Limits, account_limits: Limits, row: AccountRow) -> Core {
    let mut core = core_with(Limits::default(), Limits::default());
    let (id, magic) = sent(&mut core, "held", 0.3);
    let mut fill = deal(1, 1, Side::Buy, mymt5_model::Entry::In, 30_000_000, 110_010);
    fill.magic = magic;
    core.on_deal(fill);
    core.on_sent(id, Ok(receipt(Retcode::DONE)));
    read(&mut core, row);
    core.rules
        .values_mut()
        .for_each(|rules| rules.grant.limits = limits.clone());
    core.account_limits = account_limits;
    core
}

/// The same after a restart: taken up from the journal, and compared.
fn restarted(limits: Limits, account_limits: Limits, row: AccountRow) -> Core {
    let mut core = holding(Limits::default(), Limits::default(), row.clone());
    let account = ScopeLimits {
        entry: account_limits,
        ..ScopeLimits::default()
    };
    let deals = core
        .deals_before(None)
        .map(|deal| deal.deal.clone())
        .collect();
    let mut again = restart_with(&mut core, &mut Loaded::default(), account);
    let rules = again.rules.values_mut();
    rules.for_each(|rules| rules.grant.limits = limits.clone());
    let snapshot = Snapshot {
        account: row,
        positions: core.book().positions().map(|p| p.row.clone()).collect(),
        orders: vec![],
        last_deal: Ticket(1),
        time: None,
    };
    let history = History {
        orders: vec![],
        deals,
    };
    assert!(again.on_pass(snapshot, history));
    again
}

/// Reads the broker's rows as the core has them, with that account.
fn read(core: &mut Core, account: AccountRow) {
    let snapshot = Snapshot {
        account,
        positions: core.book().positions().map(|p| p.row.clone()).collect(),
        orders: vec![],
        last_deal: Ticket(1),
        time: None,
    };
    assert!(core.on_snapshot(snapshot));
}

fn submit(core: &mut Core, id: &str, entry: Entry, quote: &Tick) -> Result<(), Reason> {
    core.submit(call(id), Ok(entry), Some(quote))
        .map(drop)
        .map_err(|refusal| refusal.reason())
}

/// Submits the changed scene under a limit, once of the client and once of the account; and then
/// closes the position, which no limit may hinder.
fn try_it(set: Change<Limits>, change: Change<Scene>) -> Result<(), Reason> {
    let mut limits = Limits::default();
    set(&mut limits);
    let mut scene = scene();
    change(&mut scene);
    let [of_client, of_account] = [
        (limits.clone(), Limits::default()),
        (Limits::default(), limits),
    ]
    .map(|(client, whole)| {
        let core = holding(client.clone(), whole.clone(), scene.account.clone());
        let again = restarted(client, whole, scene.account.clone());
        let [now, later] = [core, again].map(|mut core| {
            let outcome = submit(&mut core, "new", scene.entry.clone(), &scene.quote);
            let closed = core.close(call("close"), Ok(exit(None)), |_| Some(spec()));
            assert!(closed.is_ok(), "an exit was refused");
            outcome
        });
        assert_eq!(now, later, "after a restart");
        now
    });
    assert_eq!(of_client, of_account);
    of_client
}

/// The limit refuses the scene with that reason, and lets it pass when set by `wide`.
fn refuses(tight: Change<Limits>, wide: Change<Limits>, change: Change<Scene>, reason: Reason) {
    assert_eq!(try_it(wide, change), Ok(()), "{reason:?}");
    assert_eq!(try_it(tight, change), Err(reason));
}

const AS_IT_IS: Change<Scene> = |_| {};

#[test]
fn nothing_is_limited_where_nothing_is_set() {
    assert_eq!(try_it(|_| {}, AS_IT_IS), Ok(()));
}

#[test]
fn lots_of_an_order() {
    refuses(
        |l| l.max_lots_per_order = lots(0.49),
        |l| l.max_lots_per_order = lots(0.5),
        AS_IT_IS,
        Reason::LimitLotsPerOrder,
    );
}

#[test]
fn lots_of_a_symbol_with_those_held() {
    refuses(
        |l| l.max_lots_per_symbol = lots(0.79),
        |l| l.max_lots_per_symbol = lots(0.8),
        AS_IT_IS,
        Reason::LimitLotsPerSymbol,
    );
    let sell = |scene: &mut Scene| {
        scene.entry.side = Side::Sell;
        scene.entry.levels.stop_loss = None;
    };
    assert_eq!(try_it(|l| l.max_lots_per_symbol = lots(0.5), sell), Ok(()));
}

#[test]
fn lots_in_total() {
    let other = |scene: &mut Scene| {
        let mut spec = (*scene.entry.spec).clone();
        spec.symbol = Symbol::parse("GBPUSD").unwrap();
        scene.entry.spec = Arc::new(spec);
    };
    refuses(
        |l| l.max_lots_total = lots(0.79),
        |l| l.max_lots_total = lots(0.8),
        other,
        Reason::LimitLotsTotal,
    );
    assert_eq!(try_it(|l| l.max_lots_per_symbol = lots(0.5), other), Ok(()));
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
        pending_scene(),
        Reason::LimitOpenOrders,
    );
}

fn pending_scene() -> Change<Scene> {
    |scene| pending(&mut scene.entry)
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
        |scene| scene.entry.levels.stop_loss = None,
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
        pending_scene(),
        Reason::LimitStopDistance,
    );
}

#[test]
fn the_distance_of_a_price_from_the_quote() {
    // 100 of 110,010 points.
    refuses(
        |l| l.max_price_distance = percent(0.0908),
        |l| l.max_price_distance = percent(0.091),
        pending_scene(),
        Reason::LimitPriceCollar,
    );
    assert_eq!(
        try_it(|l| l.max_price_distance = percent(0.0001), AS_IT_IS),
        Ok(())
    );
}

#[test]
fn the_farther_price_of_a_stop_limit_order_counts() {
    let stop_limit = |scene: &mut Scene| {
        scene.entry.kind = OrderType::StopLimit;
        scene.entry.price = Some(points(110_030));
        scene.entry.stop_limit_price = Some(points(109_910));
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
    let Scene { entry, quote, .. } = scene();
    for wide in [None, Some(Price::from_points(110_020, 5))] {
        let mut core = core_with(tight.clone(), Limits::default());
        let (taken, _) = core
            .submit(call("waits"), Ok(entry.clone()), Some(&quote))
            .unwrap();
        let moved = wide.map(|ask| Tick {
            ask,
            ..quote.clone()
        });
        assert!(!core.sending(taken.order, moved.as_ref()));
        let order = core.order(taken.order).unwrap();
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
        |l| l.symbols = Some([Symbol::parse("GBPUSD").unwrap()].into()),
        |l| l.symbols = Some([Symbol::parse("EURUSD").unwrap()].into()),
        AS_IT_IS,
        Reason::LimitSymbol,
    );
}

#[test]
fn margin_in_use() {
    // 4,449.95 + 550.05 of 10,000.00.
    let used = |scene: &mut Scene| scene.account.margin = Money::from_f64(4_449.95).unwrap();
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
    assert_eq!(
        try_it(
            |l| l.max_risk_per_trade = percent(1.0),
            |scene| scene.entry.levels.stop_loss = None
        ),
        Err(Reason::LimitStopLoss)
    );
}

#[test]
fn what_cannot_be_judged_is_refused() {
    let no_rate: Change<Scene> = |scene| {
        let mut spec = (*scene.entry.spec).clone();
        spec.tick_value = None;
        scene.entry.spec = Arc::new(spec);
    };
    let no_leverage: Change<Scene> = |scene| scene.account.leverage = 0;
    let crossed: Change<Scene> = |scene| scene.quote.bid = points(110_020);
    let no_ask: Change<Scene> = |scene| {
        pending(&mut scene.entry);
        scene.quote.ask = points(0);
    };
    let cases: [(Change<Limits>, Change<Scene>); 5] = [
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
