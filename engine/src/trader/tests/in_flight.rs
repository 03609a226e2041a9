//! What is in flight or waits for its price counts as what it may become, and once; and a cancel that
//! fails is not tried without end, nor holds it an exit back.

mod untold;

use super::{
    risk::{MONDAY, free_but, tick_at, trades_at, under},
    *,
};
use crate::risk::Open;

/// An entry that sells 0.49.
fn sold() -> Open {
    Open {
        symbol: spec().symbol,
        side: Side::Sell,
        lots: Lots::from_f64(0.49).unwrap(),
        price: Some(price(100_000)),
        stop: None,
        in_flight: true,
        unmeasured: false,
    }
}

#[test]
fn an_entry_in_flight_counts_until_its_position_is_told() {
    let mut portfolio = Portfolio::default();
    let lots = |portfolio: &Portfolio| {
        let open = portfolio.open_but(None);
        open.iter().map(|open| open.lots.to_f64()).sum::<f64>()
    };
    let entry = sold();
    for position_first in [false, true] {
        portfolio.send(id("a"), entry.clone(), None);
        assert_eq!(lots(&portfolio), 0.49);
        if position_first {
            portfolio.apply(&opened(Side::Sell));
            portfolio.apply(&order("a", OrderState::Filled));
        } else {
            portfolio.apply(&order("a", OrderState::Filled));
            assert_eq!(
                lots(&portfolio),
                0.49,
                "filled, its position is not told yet"
            );
            portfolio.apply(&opened(Side::Sell));
        }
        assert_eq!(lots(&portfolio), 0.49, "once");
        portfolio.apply(&CLOSED);
        assert_eq!(lots(&portfolio), 0.0);
    }
    portfolio.send(id("b"), entry, None);
    portfolio.apply(&order("b", OrderState::Rejected));
    assert_eq!(lots(&portfolio), 0.0);
}

#[test]
fn an_entry_in_flight_counts_whatever_is_told_of_positions_that_are_not_its_own() {
    let entry = sold();
    let lots = |portfolio: &Portfolio| {
        let open = portfolio.open_but(None);
        open.iter().map(|open| open.lots.to_f64()).sum::<f64>()
    };
    for (tag, side) in [("other", Side::Sell), ("jumps", Side::Buy)] {
        let another = || {
            Event::PositionChanged(Held {
                position_id: PositionId(8),
                tag: tag.into(),
                ..held(side)
            })
        };
        let gone = || Event::PositionClosed(PositionId(8), None);
        let filled = || order("a", OrderState::Filled);
        for told in [
            [filled(), another(), gone()],
            [another(), filled(), gone()],
            [another(), gone(), filled()],
        ] {
            let mut portfolio = Portfolio::default();
            portfolio.send(id("a"), entry.clone(), Some("jumps"));
            for event in &told {
                portfolio.apply(event);
            }
            assert_eq!(lots(&portfolio), 0.49, "{told:?}");
            assert!(portfolio.awaits_position(&id("a")), "{told:?}");
            portfolio.apply(&opened(Side::Sell));
            assert_eq!(lots(&portfolio), 0.49, "once: {told:?}");
            assert!(!portfolio.awaits_position(&id("a")), "{told:?}");
        }
    }
}

#[test]
fn an_order_that_waits_counts_once_and_that_of_an_earlier_process_counts_too() {
    let lots = |portfolio: &Portfolio| {
        let open = portfolio.open_but(None);
        assert!(open.iter().all(|open| open.in_flight));
        open.iter().map(|open| open.lots.to_f64()).sum::<f64>()
    };
    let waiting = Event::Order(working("a"));
    let mut earlier = Portfolio::default();
    earlier.apply(&waiting);
    assert_eq!(lots(&earlier), 0.48);
    let stops = earlier.open_but(None);
    assert_eq!(stops[0].stop, Some(price(99_698)));

    let mut portfolio = Portfolio::default();
    portfolio.send(id("a"), stops[0].clone(), None);
    portfolio.apply(&waiting);
    assert_eq!(lots(&portfolio), 0.48);
    portfolio.cancel(OrderId(9));
    assert_eq!(lots(&portfolio), 0.0);

    portfolio.send(id("a"), stops[0].clone(), None);
    portfolio.apply(&waiting);
    portfolio.apply(&order("a", OrderState::Filled));
    assert_eq!(lots(&portfolio), 0.48, "its position is not told yet");
    portfolio.apply(&opened(Side::Buy));
    let held = portfolio.open_but(None);
    assert_eq!(held.len(), 1);
    assert!(!held[0].in_flight);
}

#[test]
fn an_order_that_waits_stops_another_entry_of_the_account() {
    let mut trader = under("max_open_positions = 1");
    let mut elsewhere = working("old");
    elsewhere.working.as_mut().unwrap().symbol = Symbol::parse("GBPUSD").unwrap();
    trader.on_event(&Event::Order(elsewhere));
    assert!(!trades_at(&mut trader, MONDAY));
}

#[test]
fn an_entry_of_an_earlier_process_that_is_under_way_counts_and_is_waited_for() {
    let entry = |symbol: &str| Open {
        symbol: Symbol::parse(symbol).unwrap(),
        side: Side::Sell,
        lots: Lots::from_f64(0.49).unwrap(),
        price: None,
        stop: None,
        in_flight: true,
        unmeasured: false,
    };
    for (tag, symbol, is_waited_for) in [("jumps", "EURUSD", true), ("gone", "GBPUSD", false)] {
        let mut trader = under("max_open_positions = 1");
        trader.on_under_way(id("old"), tag, entry(symbol));
        assert_eq!(trader.is_idle(), !is_waited_for, "{tag}");
        assert!(!trades_at(&mut trader, MONDAY), "{tag}");
        // The next session finds it under way, too.
        trader.on_snapshot(snapshot(TradingState::Active));
        trader.on_under_way(id("old"), tag, entry(symbol));
        assert!(!trades_at(&mut trader, MONDAY), "{tag}");
        trader.on_event(&order("old", OrderState::Rejected));
        assert!(trader.is_idle(), "{tag}");
        assert!(trades_at(&mut trader, MONDAY), "{tag}");
    }
    let mut trader = under("max_open_positions = 1");
    trader.on_under_way(id("old"), "jumps", entry("EURUSD"));
    trader.on_event(&order("old", OrderState::Filled));
    assert!(!trades_at(&mut trader, MONDAY), "its position is to come");
    trader.on_event(&opened(Side::Sell));
    trader.on_event(&CLOSED);
    assert!(trades_at(&mut trader, MONDAY));
}

#[test]
fn an_entry_whose_position_the_snapshot_has_leaves_nothing_to_wait_for() {
    let found = || Snapshot {
        positions: vec![held(Side::Sell)],
        ..snapshot(TradingState::Active)
    };
    let mut earlier = under("");
    earlier.on_snapshot(found());
    let entry = Open {
        symbol: spec().symbol,
        side: Side::Sell,
        lots: Lots::from_f64(0.49).unwrap(),
        price: None,
        stop: None,
        in_flight: true,
        unmeasured: false,
    };
    earlier.on_under_way(id("id-1"), "jumps", entry);
    let open = earlier.portfolio.open_but(None);
    assert!(open.iter().all(|open| open.price == Some(price(100_000))));
    assert_eq!(open.len(), 2, "what is not filled counts");
    tick_at(&mut earlier, MONDAY, 99_900);

    let mut own = under("");
    assert!(trades_at(&mut own, MONDAY));
    own.on_snapshot(found());

    for mut trader in [earlier, own] {
        trader.on_event(&order("id-1", OrderState::Filled));
        assert_eq!(trader.portfolio.open_but(None).len(), 1);
        let close = tick_at(&mut trader, MONDAY, 100_500);
        assert!(matches!(close, Some(Intent::Close(_))), "{close:?}");
    }
}

#[test]
fn of_a_reversal_by_one_order_the_position_that_it_closes_counts_no_more() {
    for (most, turns) in [
        ("max_lots_total = 0.5", true),
        ("max_lots_total = 0.4", false),
    ] {
        let strategy = StrategySettings {
            reverse: Reverse::OneOrder,
            ..settings("jumps", script(&[turn_to_buy]))
        };
        let mut trader = trader_under(free_but(most), vec![strategy]);
        trader.on_event(&opened(Side::Sell));
        let intent = tick_at(&mut trader, MONDAY, 100_000);
        match intent {
            Some(Intent::Submit(submit)) if turns => {
                assert_eq!(submit.lots, Lots::from_f64(0.99).unwrap());
            }
            Some(Intent::Close(_)) if !turns => {}
            other => panic!("{most}: {other:?}"),
        }
    }
}

#[test]
fn a_reversal_by_one_order_that_falls_short_leaves_the_exit() {
    for (state, filled, exits) in [
        (OrderState::Rejected, 0.0, true),
        (OrderState::Canceled, 0.3, true),
        (OrderState::Canceled, 0.5, false),
        (OrderState::Filled, 0.97, false),
    ] {
        let strategy = StrategySettings {
            reverse: Reverse::OneOrder,
            ..settings("jumps", script(&[turn_to_buy]))
        };
        let mut trader = trader_of(vec![strategy]);
        trader.on_event(&opened(Side::Sell));
        let intents = go(&mut trader);
        assert!(matches!(&intents[..], [Intent::Submit(_)]), "{intents:?}");
        let ended = OrderUpdate {
            request_id: Some(intents[0].request_id().clone()),
            closes: None,
            state,
            filled: Lots::from_f64(filled).unwrap(),
            refused: state == OrderState::Rejected,
            working: None,
        };
        let step = trader.on_event(&Event::Order(ended));
        let closes =
            matches!(&step.intents[..], [Intent::Close(close)] if close.position_id == POSITION);
        assert_eq!(closes, exits, "{state:?} {filled}: {step:?}");
    }
}

#[test]
fn while_a_position_is_not_understood_nothing_is_opened_and_exits_still_go() {
    let mut trader = trader();
    trader.on_event(&Event::PositionUnknown(PositionId(8)));
    assert!(feed(&mut trader, DOWN).is_empty());
    trader.on_event(&opened(Side::Sell));
    assert!(matches!(&feed(&mut trader, UP)[..], [Intent::Close(_)]));
    let mut trader = super::trader();
    trader.on_snapshot(Snapshot {
        is_whole: false,
        ..snapshot(TradingState::Active)
    });
    assert!(feed(&mut trader, DOWN).is_empty());
    trader.on_snapshot(snapshot(TradingState::Active));
    assert!(!feed(&mut trader, &[100_500]).is_empty());
}

#[test]
fn positions_of_a_symbol_that_no_strategy_trades_are_told() {
    let mut trader = trader();
    let symbol = Symbol::parse("GBPUSD").unwrap();
    let foreign = Held {
        position_id: PositionId(8),
        symbol: symbol.clone(),
        ..held(Side::Buy)
    };
    trader.on_snapshot(Snapshot {
        positions: vec![foreign, held(Side::Sell)],
        ..snapshot(TradingState::Active)
    });
    assert_eq!(trader.unattended, [symbol].into());
}

#[test]
fn a_reversal_by_one_order_that_the_gateway_refuses_leaves_the_exit() {
    let strategy = StrategySettings {
        reverse: Reverse::OneOrder,
        ..settings("jumps", script(&[turn_to_buy]))
    };
    let mut trader = trader_of(vec![strategy]);
    trader.on_event(&opened(Side::Sell));
    let reversal = go(&mut trader).remove(0);
    let step = trader.on_refused(reversal.request_id(), "LIMIT_LOTS".into());
    assert!(matches!(&step.intents[..], [Intent::Close(_)]), "{step:?}");
}

#[test]
fn changes_that_fail_are_no_failed_orders_and_an_order_that_waits_is_done() {
    let trail: fn(&mut Context<'_>) = |context| context.move_stop(price(99_950));
    let decisions = [trail, buy];
    let strategy = settings("jumps", script(&decisions));
    let mut trader = trader_under(free_but("max_errors = 1"), vec![strategy]);
    trader.on_event(&opened(Side::Buy));
    let change = tick_at(&mut trader, MONDAY, 100_000).unwrap();
    trader.on_changed(change.request_id(), false);
    trader.on_event(&CLOSED);
    assert!(tick_at(&mut trader, MONDAY, 100_000).is_some());

    let strategy = settings("jumps", script(&[buy, limit, buy, buy]));
    let mut trader = trader_under(free_but("max_errors = 2"), vec![strategy]);
    let fail = |trader: &mut Trader| {
        let intent = tick_at(trader, MONDAY, 100_000).unwrap();
        trader.on_event(&order(intent.request_id().as_str(), OrderState::Rejected));
    };
    fail(&mut trader);
    tick_at(&mut trader, MONDAY, 100_000).unwrap();
    trader.on_event(&Event::Order(working("id-2")));
    trader.on_event(&order("id-2", OrderState::Expired));
    fail(&mut trader);
    assert!(
        tick_at(&mut trader, MONDAY, 100_000).is_some(),
        "not in a row"
    );
}

#[test]
fn what_could_not_be_cancelled_is_not_entered_beside() {
    let mut trader = deciding(&[limit, buy]);
    go(&mut trader);
    trader.on_event(&Event::Order(working("id-1")));
    go(&mut trader);
    assert_eq!(trader.on_changed(&id("id-2"), false), Step::default());
}

/// A trader whose second order waits in the place of its first one, which it cancelled, and what it wants
/// done as it is told these.
fn replaced(mode: AccountMode, told: &[Event]) -> (Trader, Vec<Intent>) {
    let mut trader = deciding(&[limit, limit]);
    trader.on_snapshot(Snapshot {
        mode,
        ..snapshot(TradingState::Active)
    });
    go(&mut trader);
    trader.on_event(&Event::Order(working("id-1")));
    assert!(matches!(&go(&mut trader)[..], [Intent::Cancel(_)]));
    assert_eq!(trader.on_changed(&id("id-2"), true), Step::default());
    let step = trader.on_event(&canceled("id-1", 0.0));
    assert!(matches!(&step.intents[..], [Intent::Submit(_)]), "{step:?}");
    let mut second = working("id-3");
    second.working.as_mut().unwrap().order_id = OrderId(10);
    assert_eq!(trader.on_event(&Event::Order(second)).intents, []);
    let intents = told
        .iter()
        .flat_map(|event| trader.on_event(event).intents)
        .collect();
    (trader, intents)
}

fn bought(position_id: u64, volume: f64) -> Event {
    Event::PositionChanged(Held {
        position_id: PositionId(position_id),
        lots: Lots::from_f64(volume).unwrap(),
        ..held(Side::Buy)
    })
}

fn canceled(request_id: &str, filled: f64) -> Event {
    Event::Order(OrderUpdate {
        state: OrderState::Canceled,
        filled: Lots::from_f64(filled).unwrap(),
        working: None,
        ..working(request_id)
    })
}

/// A trader that cancels its order, to buy at the market in its place.
fn replacing() -> Trader {
    let mut trader = deciding(&[limit, buy]);
    go(&mut trader);
    trader.on_event(&Event::Order(working("id-1")));
    assert!(matches!(&go(&mut trader)[..], [Intent::Cancel(_)]));
    trader
}

#[test]
fn an_entry_in_the_place_of_an_order_waits_for_the_end_of_that_one() {
    let ended = canceled("id-1", 0.0);
    for answer_first in [true, false] {
        let mut trader = replacing();
        let answer = |trader: &mut Trader| trader.on_changed(&id("id-2"), true);
        let step = if answer_first {
            assert_eq!(answer(&mut trader), Step::default());
            assert!(!trader.is_idle(), "it is about to enter");
            assert_eq!(go(&mut trader), [], "the order may be filled");
            trader.on_event(&ended)
        } else {
            assert_eq!(trader.on_event(&ended).intents, []);
            answer(&mut trader)
        };
        assert!(matches!(&step.intents[..], [Intent::Submit(_)]), "{step:?}");
    }
}

#[test]
fn no_entry_takes_the_place_of_an_order_that_was_filled_before_its_cancellation() {
    let part = || canceled("id-1", 0.4);
    let whole = || order("id-1", OrderState::Filled);
    for told in [
        [opened(Side::Buy), part()],
        [part(), opened(Side::Buy)],
        [opened(Side::Buy), whole()],
    ] {
        let mut trader = replacing();
        trader.on_changed(&id("id-2"), true);
        for event in &told {
            assert_eq!(trader.on_event(event).intents, [], "{told:?}");
        }
        assert_eq!(go(&mut trader), [], "{told:?}");
        assert!(trader.is_idle(), "{told:?}");
    }
}

#[test]
fn what_a_late_part_of_an_order_opened_beside_the_entry_in_its_place_is_closed() {
    let part = || canceled("id-1", 0.4);
    let filled = || order("id-3", OrderState::Filled);
    for (mode, told, closes) in [
        (
            AccountMode::Netting,
            [bought(7, 0.48), filled(), bought(7, 0.88), part()],
            7,
        ),
        (
            AccountMode::Netting,
            [bought(7, 0.4), part(), bought(7, 0.88), filled()],
            7,
        ),
        (
            AccountMode::Hedging,
            [bought(7, 0.48), filled(), bought(8, 0.4), part()],
            8,
        ),
    ] {
        let mut trader = entering(mode, &[limit, buy]);
        let steps = told.iter().map(|event| trader.on_event(event));
        let intents: Vec<Intent> = steps.flat_map(|step| step.intents).collect();
        let [Intent::Close(close)] = &intents[..] else {
            panic!("{told:?}: {intents:?}")
        };
        assert_eq!(close.position_id, PositionId(closes), "{told:?}");
        assert_eq!(close.lots, Lots::from_f64(0.4).ok(), "{told:?}");
        let rest = if closes == 7 {
            bought(7, 0.48)
        } else {
            Event::PositionClosed(PositionId(8), None)
        };
        for event in [rest, order("id-4", OrderState::Filled)] {
            assert_eq!(trader.on_event(&event).intents, [], "{event:?}");
        }
        assert_eq!(go(&mut trader), [], "{told:?}");
    }
}

/// A trader whose next entry, in the place of an order that it cancelled, is under way as `id-3`.
fn entering(mode: AccountMode, decisions: &[fn(&mut Context<'_>)]) -> Trader {
    let mut trader = deciding(decisions);
    trader.on_snapshot(Snapshot {
        mode,
        ..snapshot(TradingState::Active)
    });
    go(&mut trader);
    trader.on_event(&Event::Order(working("id-1")));
    assert!(matches!(&go(&mut trader)[..], [Intent::Cancel(_)]));
    trader.on_changed(&id("id-2"), true);
    let entry = trader.on_event(&canceled("id-1", 0.0)).intents;
    assert!(matches!(&entry[..], [Intent::Submit(_)]), "{entry:?}");
    trader
}

/// A late part of the cancelled order that is more than the entry in its place, and its position.
fn late_part() -> [Event; 2] {
    let opened = Event::PositionChanged(Held {
        position_id: PositionId(8),
        lots: Lots::from_f64(0.6).unwrap(),
        ..held(Side::Buy)
    });
    [opened, canceled("id-1", 0.6)]
}

#[test]
fn a_late_part_that_is_more_than_the_entry_in_its_place_is_closed_at_once() {
    let mut trader = entering(AccountMode::Hedging, &[limit, buy]);
    let entry = Event::PositionChanged(Held {
        lots: Lots::from_f64(0.48).unwrap(),
        ..held(Side::Buy)
    });
    let filled = order("id-3", OrderState::Filled);
    for event in [entry, filled] {
        assert_eq!(trader.on_event(&event).intents, []);
    }
    let [opened, part] = late_part();
    assert_eq!(trader.on_event(&opened).intents, []);
    let intents = trader.on_event(&part).intents;
    let [Intent::Close(close)] = &intents[..] else {
        panic!("{intents:?}")
    };
    assert_eq!(close.position_id, PositionId(8));
    assert_eq!(close.lots, Lots::from_f64(0.6).ok());
}

#[test]
fn a_late_part_against_the_entry_in_its_place_is_closed() {
    let sell: fn(&mut Context<'_>) =
        |context| context.enter(Entry::market(Side::Sell).with_stop_loss(Level::Points(200)));
    let mut trader = entering(AccountMode::Hedging, &[limit, sell]);
    for event in [opened(Side::Sell), order("id-3", OrderState::Filled)] {
        assert_eq!(trader.on_event(&event).intents, []);
    }
    let [position, part] = late_part();
    assert_eq!(trader.on_event(&position).intents, []);
    let intents = trader.on_event(&part).intents;
    assert!(
        matches!(&intents[..], [Intent::Close(close)] if close.position_id == PositionId(8)),
        "{intents:?}"
    );
}

#[test]
fn a_late_part_stays_where_the_entry_in_its_place_was_refused_or_is_closed() {
    let refused = vec![order("id-3", OrderState::Rejected)];
    let filled = order("id-3", OrderState::Filled);
    let closed = vec![opened(Side::Buy), filled, CLOSED];
    for events in [refused, closed] {
        let mut trader = entering(AccountMode::Hedging, &[limit, buy]);
        for event in events.iter().chain(&late_part()) {
            assert_eq!(trader.on_event(event).intents, [], "{event:?}");
        }
        assert_eq!(go(&mut trader), [], "{events:?}");
    }
}

#[test]
fn a_late_part_stays_where_the_order_in_its_place_comes_to_wait() {
    let mut trader = entering(AccountMode::Hedging, &[limit, limit]);
    for event in late_part() {
        assert_eq!(trader.on_event(&event).intents, [], "{event:?}");
    }
    let mut second = working("id-3");
    second.working.as_mut().unwrap().order_id = OrderId(10);
    let intents = trader.on_event(&Event::Order(second)).intents;
    assert!(
        matches!(&intents[..], [Intent::Cancel(cancel)] if cancel.order_id == OrderId(10)),
        "{intents:?}"
    );
}

#[test]
fn a_cancellation_whose_session_broke_holds_no_later_entry_back() {
    let mut trader = deciding(&[limit, buy, buy]);
    go(&mut trader);
    trader.on_event(&Event::Order(working("id-1")));
    assert!(matches!(&go(&mut trader)[..], [Intent::Cancel(_)]));
    trader.on_changed(&id("id-2"), true);
    trader.on_snapshot(snapshot(TradingState::Active));
    assert!(matches!(&go(&mut trader)[..], [Intent::Submit(_)]));
}

#[test]
fn no_order_waits_beside_a_part_of_the_one_in_whose_place_it_is() {
    let part = || canceled("id-1", 0.4);
    for told in [[opened(Side::Buy), part()], [part(), opened(Side::Buy)]] {
        let (mut trader, intents) = replaced(AccountMode::Netting, &told);
        assert!(
            matches!(&intents[..], [Intent::Cancel(cancel)] if cancel.order_id == OrderId(10)),
            "{told:?}: {intents:?}"
        );
        let failed = trader.on_changed(&id("id-4"), false);
        assert_eq!(failed, Step::default(), "it is not tried again");
    }
}

#[test]
fn an_order_waits_where_the_part_of_the_one_before_it_is_closed_already() {
    let closed = Event::PositionClosed(held(Side::Buy).position_id, None);
    let part = canceled("id-1", 0.4);
    let (mut trader, intents) = replaced(AccountMode::Netting, &[opened(Side::Buy), closed, part]);
    assert_eq!(intents, []);
    let own = Event::PositionChanged(Held {
        position_id: PositionId(8),
        ..held(Side::Buy)
    });
    assert_eq!(trader.on_event(&own).intents, []);
}

#[test]
fn an_order_waits_beside_a_part_of_its_own() {
    let told = [canceled("id-1", 0.0), opened(Side::Buy)];
    let (_, intents) = replaced(AccountMode::Netting, &told);
    assert_eq!(intents, []);
}

/// A trader that cancels its second order, as `id-4`: of the first one a part was told late.
fn cancelling_beside(mode: AccountMode, part: f64) -> Trader {
    let told = [bought(7, part), canceled("id-1", part)];
    let (trader, intents) = replaced(mode, &told);
    assert!(
        matches!(&intents[..], [Intent::Cancel(cancel)] if cancel.order_id == OrderId(10)),
        "{intents:?}"
    );
    trader
}

#[test]
fn of_an_order_that_is_filled_beside_a_late_part_before_its_cancellation_what_risk_admits_stays() {
    let ended = canceled("id-3", 0.48);
    for (mode, position) in [
        (AccountMode::Netting, bought(7, 0.88)),
        (AccountMode::Hedging, bought(8, 0.48)),
    ] {
        for answer in [true, false] {
            let mut trader = cancelling_beside(mode, 0.4);
            assert_eq!(trader.on_event(&position).intents, []);
            let mut intents = Vec::new();
            if answer {
                intents.extend(trader.on_changed(&id("id-4"), true).intents);
                intents.extend(trader.on_event(&ended).intents);
            } else {
                intents.extend(trader.on_event(&ended).intents);
                intents.extend(trader.on_changed(&id("id-4"), false).intents);
            }
            intents.extend(trader.on_tick(&tick(1_000, 100_000)).intents);
            let [Intent::Close(close)] = &intents[..] else {
                panic!("{mode:?} {answer}: {intents:?}")
            };
            assert_eq!(close.position_id, POSITION, "{mode:?} {answer}");
            assert_eq!(close.lots, Lots::from_f64(0.4).ok());
        }
    }
}

#[test]
fn a_late_part_stays_where_the_order_beside_it_is_cancelled() {
    let mut trader = cancelling_beside(AccountMode::Hedging, 0.6);
    assert_eq!(trader.on_changed(&id("id-4"), true), Step::default());
    assert_eq!(trader.on_event(&canceled("id-3", 0.0)).intents, []);
    assert_eq!(go(&mut trader), []);
}

#[test]
fn a_cancel_that_fails_holds_no_exit_back() {
    let cancel: fn(&mut Context<'_>) = |context| context.cancel();
    let exit: fn(&mut Context<'_>) = |context| context.exit();
    let mut trader = deciding(&[limit, cancel, exit]);
    go(&mut trader);
    trader.on_event(&Event::Order(working("id-1")));
    trader.on_event(&opened(Side::Buy));
    assert!(matches!(&go(&mut trader)[..], [Intent::Cancel(_)]));
    assert_eq!(go(&mut trader), [], "the cancellation is under way");
    let step = trader.on_changed(&id("id-2"), false);
    assert!(matches!(&step.intents[..], [Intent::Close(_)]), "{step:?}");
}

#[test]
fn an_exit_whose_cancel_failed_closes_what_the_order_became() {
    let exit: fn(&mut Context<'_>) = |context| context.exit();
    let mut trader = deciding(&[limit, exit]);
    go(&mut trader);
    trader.on_event(&Event::Order(working("id-1")));
    assert!(matches!(&go(&mut trader)[..], [Intent::Cancel(_)]));
    let failed = trader.on_changed(&id("id-2"), false);
    assert_eq!(failed, Step::default(), "it is not tried again at once");
    assert_eq!(trader.on_tick(&tick(999, 100_000)).intents, []);
    let again = trader.on_tick(&tick(1_000, 100_000)).intents;
    assert!(matches!(&again[..], [Intent::Cancel(_)]), "{again:?}");
    assert_eq!(trader.on_changed(&id("id-3"), false), Step::default());
    assert_eq!(
        trader.on_event(&order("id-1", OrderState::Filled)).intents,
        []
    );
    let step = trader.on_event(&opened(Side::Buy));
    assert!(matches!(&step.intents[..], [Intent::Close(_)]), "{step:?}");
}
