//! On a symbol that strategies share, what bears the name of none of them: where nothing may stay open,
//! it is closed, too; and what waits on a symbol that none of them trades is cancelled.

use super::{
    risk::{MONDAY, free_but, tick_at},
    *,
};

/// Friday 20:30, from which on nothing stays open.
const END: i64 = MONDAY + 4 * 86_400_000 + 510 * 60_000;
const NOBODYS: PositionId = PositionId(8);

/// Two strategies on one symbol, the first of which decides so, over this account.
fn pair(decisions: &[fn(&mut Context<'_>)], held: Vec<Held>, orders: Vec<WorkingOrder>) -> Trader {
    let risk = free_but("friday_flat = \"20:30\"");
    let other = settings("other", script(&[]));
    let mut trader =
        trader_without_snapshot(risk, vec![settings("jumps", script(decisions)), other]);
    trader.on_snapshot(Snapshot {
        mode: AccountMode::Hedging,
        positions: held,
        orders,
        ..snapshot(TradingState::Active)
    });
    trader
}

fn nobodys(tag: &str) -> Held {
    Held {
        position_id: NOBODYS,
        tag: tag.into(),
        ..held(Side::Buy)
    }
}

#[test]
fn what_is_held_under_no_strategys_name_is_told_and_closed_where_nothing_may_stay_open() {
    for tag in ["", "gone"] {
        let mut trader = pair(&[], vec![held(Side::Sell), nobodys(tag)], Vec::new());
        assert_eq!(trader.unattended, [spec().symbol].into());
        assert_eq!(tick_at(&mut trader, END - 1, 100_000), None);
        let own = tick_at(&mut trader, END, 100_000);
        assert!(matches!(own, Some(Intent::Close(close)) if close.position_id == POSITION));
        trader.on_event(&CLOSED);
        let step = trader.on_event(&order("id-1", OrderState::Filled));
        assert!(
            matches!(&step.intents[..], [Intent::Close(close)] if close.position_id == NOBODYS),
            "{tag}: {step:?}"
        );
        trader.on_event(&Event::PositionClosed(NOBODYS, None));
        let step = trader.on_event(&order("id-2", OrderState::Filled));
        assert_eq!(step.intents, []);
        assert_eq!(tick_at(&mut trader, END + 1_000, 100_000), None);
    }
}

#[test]
fn what_waits_under_no_strategys_name_is_cancelled_where_nothing_may_stay_open() {
    let mut waits = working("old").working.unwrap();
    waits.tag = "gone".into();
    let mut trader = pair(&[], Vec::new(), vec![waits]);
    assert_eq!(tick_at(&mut trader, END - 1, 100_000), None);
    let cancel = tick_at(&mut trader, END, 100_000);
    assert!(matches!(cancel, Some(Intent::Cancel(cancel)) if cancel.order_id == OrderId(9)));
    trader.on_changed(&id("id-1"), true);
    assert_eq!(tick_at(&mut trader, END + 1_000, 100_000), None);
}

/// An order of an earlier process that waits.
fn waiting(order_id: u64, symbol: &str, tag: &str) -> WorkingOrder {
    WorkingOrder {
        order_id: OrderId(order_id),
        symbol: Symbol::parse(symbol).unwrap(),
        tag: tag.into(),
        ..working(&format!("old-{order_id}")).working.unwrap()
    }
}

#[test]
fn whatever_waits_is_cancelled_where_nothing_may_stay_open_whosever_it_is() {
    let orders = vec![
        waiting(9, "EURUSD", "jumps"),
        waiting(10, "EURUSD", "other"),
        waiting(11, "EURUSD", "gone"),
        // No strategy trades that any more.
        waiting(12, "GBPUSD", "jumps"),
        waiting(13, "GBPUSD", "gone"),
    ];
    let mut trader = pair(&[], Vec::new(), orders);
    assert_eq!(tick_at(&mut trader, END - 1, 100_000), None);
    let mut intents = VecDeque::from(trader.on_tick(&tick(END, 100_000)).intents);
    let mut cancelled = BTreeSet::new();
    while let Some(intent) = intents.pop_front() {
        let Intent::Cancel(cancel) = &intent else {
            panic!("{intent:?}")
        };
        assert!(cancelled.insert(cancel.order_id), "twice: {cancel:?}");
        let step = trader.on_changed(intent.request_id(), true);
        intents.extend(step.intents);
    }
    assert_eq!(cancelled, [9, 10, 11, 12, 13].map(OrderId).into());
}

#[test]
fn what_cannot_be_cancelled_holds_no_other_order_back() {
    let orders = vec![
        waiting(9, "GBPUSD", "gone"),
        waiting(10, "EURUSD", "gone"),
        waiting(11, "GBPUSD", "gone"),
    ];
    let mut trader = pair(&[], Vec::new(), orders);
    for (second, expected) in (0..).zip([9, 10, 11, 9]) {
        let intent = tick_at(&mut trader, END + second * 1_000, 100_000).unwrap();
        assert!(
            matches!(&intent, Intent::Cancel(cancel) if cancel.order_id == OrderId(expected)),
            "{expected}: {intent:?}"
        );
        let failed = trader.on_changed(intent.request_id(), false);
        assert_eq!(failed, Step::default());
    }
}

#[test]
fn a_strategy_alone_closes_nothing_that_is_not_its_own() {
    let exit: fn(&mut Context<'_>) = |context| context.exit();
    let theirs = Held {
        position_id: PositionId(9),
        tag: "other".into(),
        ..held(Side::Buy)
    };
    let mut trader = pair(&[exit], vec![nobodys("gone"), theirs], Vec::new());
    assert_eq!(tick_at(&mut trader, MONDAY, 100_000), None);
    assert_eq!(tick_at(&mut trader, MONDAY + 1_000, 100_000), None);
}

#[test]
fn a_position_that_comes_under_no_strategys_name_is_told() {
    let mut trader = pair(&[], Vec::new(), Vec::new());
    trader.on_event(&opened(Side::Sell));
    assert!(trader.unattended.is_empty(), "it is a strategy's");
    trader.on_event(&Event::PositionChanged(nobodys("")));
    assert_eq!(trader.unattended, [spec().symbol].into());
}
