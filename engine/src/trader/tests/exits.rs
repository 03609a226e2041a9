//! An exit that was decided is not lost before what it closes is closed, and fires no later.

use super::*;

fn exit(context: &mut Context<'_>) {
    context.exit();
}

fn trail(context: &mut Context<'_>) {
    context.move_stop(price(99_950));
}

fn turn_to_sell(context: &mut Context<'_>) {
    context.reverse(Entry::market(Side::Sell).with_stop_loss(Level::Points(200)));
}

/// A new session begins, and finds a position that was bought.
fn begin_again(trader: &mut Trader) {
    trader.on_snapshot(Snapshot {
        positions: vec![held(Side::Buy)],
        ..snapshot(TradingState::Active)
    });
}

fn lots(lots: f64) -> Lots {
    Lots::from_f64(lots).unwrap()
}

/// The end of an order of which so much was filled.
fn canceled(request_id: &str, filled: f64, closes: Option<PositionId>) -> Event {
    Event::Order(OrderUpdate {
        request_id: Some(id(request_id)),
        closes,
        state: OrderState::Canceled,
        filled: lots(filled),
        refused: false,
        working: None,
    })
}

/// The position as a part of it stands.
fn part(side: Side, volume: f64) -> Event {
    Event::PositionChanged(Held {
        lots: lots(volume),
        ..held(side)
    })
}

fn is_close(intents: &[Intent]) -> bool {
    matches!(intents, [Intent::Close(close)] if close.position_id == POSITION)
}

/// A trader whose strategy decided to exit while the change of a stop was under way.
fn exits_beside_a_change() -> Trader {
    let mut trader = deciding(&[trail, exit]);
    trader.on_event(&opened(Side::Buy));
    assert!(matches!(&go(&mut trader)[..], [Intent::Move(_)]));
    assert_eq!(go(&mut trader), [], "the change is under way");
    trader
}

#[test]
fn an_exit_that_waited_when_the_session_broke_closes_with_the_first_tick_of_the_next() {
    let mut trader = exits_beside_a_change();
    begin_again(&mut trader);
    let intents = go(&mut trader);
    assert!(is_close(&intents), "{intents:?}");
}

#[test]
fn what_was_decided_upon_one_account_closes_nothing_of_another() {
    type Begin = fn() -> Trader;
    let exits: Begin = exits_beside_a_change;
    let reverses: Begin = || {
        let strategy = StrategySettings {
            reverse: Reverse::OneOrder,
            ..settings("jumps", script(&[turn_to_sell]))
        };
        let mut trader = trader_of(vec![strategy]);
        trader.on_event(&opened(Side::Buy));
        assert!(matches!(&go(&mut trader)[..], [Intent::Submit(_)]));
        trader
    };
    for begin in [exits, reverses] {
        for (account, closes) in [("first", true), ("second", false)] {
            let mut trader = begin();
            for account in ["first", account] {
                trader.on_snapshot(Snapshot {
                    account_id: AccountId::parse(account).ok(),
                    positions: vec![held(Side::Buy)],
                    ..snapshot(TradingState::Active)
                });
            }
            trader.on_recalled(&id("id-1"), false);
            let intents = go(&mut trader);
            assert_eq!(is_close(&intents), closes, "{account}: {intents:?}");
        }
    }
}

#[test]
fn a_close_that_was_sent_goes_on_with_its_own_position_alone_whatever_account_is_served() {
    let sent = Sent::Close(POSITION);
    // A new journal counts as another account, and the positions may be the same.
    for accounts in [&["first", "second"][..], &["first", "second", "first"]] {
        for (found, closes) in [(POSITION, true), (PositionId(8), false)] {
            let mut trader = deciding(&[exit]);
            trader.on_event(&opened(Side::Buy));
            assert!(is_close(&go(&mut trader)));
            for account in accounts {
                trader.on_snapshot(Snapshot {
                    account_id: AccountId::parse(account).ok(),
                    positions: vec![Held {
                        position_id: found,
                        ..held(Side::Buy)
                    }],
                    ..snapshot(TradingState::Active)
                });
            }
            trader.on_part_recalled(&id("id-1"), Lots::ZERO, Some(&sent));
            let intents = go(&mut trader);
            let is_closed = matches!(&intents[..], [Intent::Close(_)]);
            assert_eq!(is_closed, closes, "{accounts:?} {found}: {intents:?}");
        }
    }
}

#[test]
fn an_exit_decided_before_an_entry_was_found_done_closes_what_that_opened() {
    let mut trader = deciding(&[buy, exit]);
    assert!(matches!(&go(&mut trader)[..], [Intent::Submit(_)]));
    assert_eq!(go(&mut trader), [], "the entry is under way");
    begin_again(&mut trader);
    trader.on_recalled(&id("id-1"), true);
    let intents = go(&mut trader);
    assert!(is_close(&intents), "{intents:?}");
}

#[test]
fn an_exit_whose_close_did_nothing_or_a_part_goes_on_in_the_next_session() {
    type Recall = fn(&mut Trader, &RequestId);
    let nothing: Recall = |trader, id| trader.on_recalled(id, false);
    let perhaps: Recall = |trader, id| trader.on_recalled(id, true);
    let part: Recall = |trader, id| {
        let rest = trader.on_part_recalled(id, lots(0.2), Some(&Sent::Close(POSITION)));
        assert_eq!(rest, Some(POSITION), "it is on record until it is closed");
    };
    for (what, recall, again) in [
        ("nothing", nothing, true),
        ("perhaps", perhaps, false),
        ("a part", part, true),
    ] {
        let mut trader = deciding(&[exit]);
        trader.on_event(&opened(Side::Buy));
        assert!(is_close(&go(&mut trader)));
        begin_again(&mut trader);
        recall(&mut trader, &id("id-1"));
        let intents = go(&mut trader);
        assert_eq!(is_close(&intents), again, "{what}: {intents:?}");
    }
}

/// What an exit of an earlier process left: this one finds so many positions, and orders that wait.
fn found_after_a_restart(positions: &[u64], orders: Vec<WorkingOrder>) -> Trader {
    let held = |id: &u64| Held {
        position_id: PositionId(*id),
        ..held(Side::Buy)
    };
    let mut trader = deciding(&[]);
    trader.on_snapshot(Snapshot {
        mode: AccountMode::Hedging,
        positions: positions.iter().map(held).collect(),
        orders,
        ..snapshot(TradingState::Active)
    });
    trader
}

#[test]
fn an_exit_of_an_earlier_process_goes_on_with_all_that_is_left() {
    let waiting = || -> Vec<WorkingOrder> { working("old").working.into_iter().collect() };
    let mut trader = found_after_a_restart(&[7, 8], waiting());
    assert_eq!(trader.on_exit_recalled("jumps"), Some(POSITION));
    let mut next = go(&mut trader);
    for (number, order_id) in [(7, "id-1"), (8, "id-2")] {
        let [Intent::Close(close)] = &next[..] else {
            panic!("{number}: {next:?}")
        };
        assert_eq!(close.position_id, PositionId(number));
        assert!(close.exits, "the next process goes on with it, too");
        let gone = Event::PositionClosed(PositionId(number), None);
        assert_eq!(trader.on_event(&gone).intents, []);
        let filled = order(order_id, OrderState::Filled);
        next = trader.on_event(&filled).intents;
    }
    assert!(matches!(&next[..], [Intent::Cancel(_)]), "{next:?}");
    let mut alone = found_after_a_restart(&[], waiting());
    assert_eq!(alone.on_exit_recalled("jumps"), None);
    let cancel = go(&mut alone);
    assert!(matches!(&cancel[..], [Intent::Cancel(_)]), "{cancel:?}");
}

#[test]
fn an_exit_of_an_earlier_process_that_left_nothing_is_over() {
    let mut trader = found_after_a_restart(&[], Vec::new());
    assert_eq!(trader.on_exit_recalled("jumps"), None);
    assert_eq!(trader.on_event(&opened(Side::Buy)).intents, []);
    assert_eq!(go(&mut trader), []);
    let mut other = found_after_a_restart(&[7], Vec::new());
    assert_eq!(
        other.on_exit_recalled("gone"),
        None,
        "no strategy of that name"
    );
    assert_eq!(go(&mut other), []);
}

#[test]
fn an_exit_that_finds_nothing_in_the_next_session_is_over() {
    let mut trader = exits_beside_a_change();
    trader.on_snapshot(snapshot(TradingState::Active));
    assert_eq!(go(&mut trader), []);
    assert_eq!(trader.on_event(&opened(Side::Buy)).intents, []);
    assert_eq!(go(&mut trader), []);
}

#[test]
fn an_exit_of_which_a_part_was_closed_goes_on_with_the_rest() {
    let mut trader = deciding(&[exit]);
    trader.on_event(&opened(Side::Buy));
    assert!(is_close(&go(&mut trader)));
    assert_eq!(trader.on_event(&part(Side::Buy, 0.29)).intents, []);
    let step = trader.on_event(&canceled("id-1", 0.2, Some(POSITION)));
    assert!(is_close(&step.intents), "{step:?}");
    // One of which nothing was filled failed: it is not tried before the next decision.
    let step = trader.on_event(&canceled("id-2", 0.0, Some(POSITION)));
    assert_eq!(step.intents, []);
    assert_eq!(go(&mut trader), []);
}

#[test]
fn an_exit_whose_position_ended_before_its_close_cancels_what_waits() {
    let refused = || order("id-2", OrderState::Rejected);
    for (told, cancels) in [
        (vec![CLOSED, refused()], true),
        (vec![refused(), CLOSED], true),
        (vec![refused()], false),
    ] {
        let mut trader = deciding(&[limit, exit]);
        go(&mut trader);
        let partly = Event::Order(OrderUpdate {
            state: OrderState::PartiallyFilled,
            filled: lots(0.2),
            ..working("id-1")
        });
        for event in [part(Side::Buy, 0.2), partly] {
            assert_eq!(trader.on_event(&event).intents, [], "{event:?}");
        }
        let close = go(&mut trader);
        assert!(is_close(&close), "{close:?}");
        for event in &told {
            assert_eq!(trader.on_event(event).intents, [], "{event:?}");
        }
        // One that failed is not tried before the next decision.
        let next = trader.on_tick(&tick(1_000, 100_000)).intents;
        let is_cancelled = matches!(&next[..], [Intent::Cancel(_)]);
        assert_eq!(is_cancelled, cancels, "{told:?}: {next:?}");
    }
}

#[test]
fn an_exit_that_failed_closes_nothing_once_its_position_is_closed_for_another_reason() {
    let mut trader = deciding(&[exit, turn_to_sell]);
    let other = Held {
        position_id: PositionId(8),
        ..held(Side::Sell)
    };
    trader.on_snapshot(Snapshot {
        mode: AccountMode::Hedging,
        positions: vec![held(Side::Buy), other],
        ..snapshot(TradingState::Active)
    });
    let exits = go(&mut trader);
    assert!(is_close(&exits), "{exits:?}");
    let refused = order("id-1", OrderState::Rejected);
    assert_eq!(trader.on_event(&refused).intents, []);
    // What is against the reversal is closed, and what is not stays.
    let turns = trader.on_tick(&tick(3_600_000, 100_000)).intents;
    assert!(is_close(&turns), "{turns:?}");
    for event in [CLOSED, order("id-2", OrderState::Filled)] {
        assert_eq!(trader.on_event(&event).intents, [], "{event:?}");
    }
    let next = trader.on_tick(&tick(3_601_000, 100_000)).intents;
    assert_eq!(next, []);
}

#[test]
fn an_exit_that_failed_closes_nothing_that_one_order_opened_in_the_place_of_its_position() {
    let mut trader = trader_of(vec![StrategySettings {
        reverse: Reverse::OneOrder,
        ..settings("jumps", script(&[exit, turn_to_sell]))
    }]);
    trader.on_event(&opened(Side::Buy));
    let exits = go(&mut trader);
    assert!(is_close(&exits), "{exits:?}");
    let refused = order("id-1", OrderState::Rejected);
    assert_eq!(trader.on_event(&refused).intents, []);
    let turns = go(&mut trader);
    assert!(matches!(&turns[..], [Intent::Submit(_)]), "{turns:?}");
    let sold = Event::PositionChanged(Held {
        position_id: PositionId(8),
        lots: lots(0.97),
        ..held(Side::Sell)
    });
    for event in [CLOSED, sold, order("id-2", OrderState::Filled)] {
        assert_eq!(trader.on_event(&event).intents, [], "{event:?}");
    }
    // No more is closed than is beyond what risk admitted.
    let next = trader.on_tick(&tick(1_000, 100_000)).intents;
    let part = Some(lots(0.49));
    let trims = matches!(&next[..], [Intent::Close(close)] if close.lots == part);
    assert!(trims, "{next:?}");
}

#[test]
fn an_exit_closes_what_was_filled_of_an_order_before_its_cancellation() {
    let part = || canceled("id-1", 0.49, None);
    let nothing = || canceled("id-1", 0.0, None);
    for told in [
        vec![opened(Side::Buy), part()],
        vec![part(), opened(Side::Buy)],
        vec![nothing(), opened(Side::Buy), part()],
        vec![nothing(), part(), opened(Side::Buy)],
    ] {
        let mut trader = deciding(&[limit, exit]);
        go(&mut trader);
        trader.on_event(&Event::Order(working("id-1")));
        assert!(matches!(&go(&mut trader)[..], [Intent::Cancel(_)]));
        assert_eq!(trader.on_changed(&id("id-2"), true), Step::default());
        assert!(!trader.is_idle(), "a part may be filled");
        let steps = told.iter().map(|event| trader.on_event(event));
        let intents: Vec<Intent> = steps.flat_map(|step| step.intents).collect();
        assert!(is_close(&intents), "{told:?}: {intents:?}");
        for event in [CLOSED, order("id-3", OrderState::Filled), part()] {
            assert_eq!(trader.on_event(&event).intents, [], "{event:?}");
        }
        assert_eq!(go(&mut trader), [], "{told:?}");
    }
}

#[test]
fn an_exit_closes_what_was_filled_of_an_order_whose_cancellation_was_under_way() {
    let nothing = || canceled("id-1", 0.0, None);
    let filled = || [opened(Side::Buy), canceled("id-1", 0.49, None)];
    for before in [vec![], vec![nothing()]] {
        let mut trader = deciding(&[limit, limit, exit]);
        go(&mut trader);
        trader.on_event(&Event::Order(working("id-1")));
        assert!(matches!(&go(&mut trader)[..], [Intent::Cancel(_)]));
        assert_eq!(go(&mut trader), [], "the cancellation is under way");
        assert_eq!(trader.on_changed(&id("id-2"), true), Step::default());
        assert!(!trader.is_idle(), "a part may be filled");
        for event in &before {
            assert_eq!(trader.on_event(event).intents, [], "{before:?}");
        }
        let steps = filled().map(|event| trader.on_event(&event));
        let intents: Vec<Intent> = steps.into_iter().flat_map(|step| step.intents).collect();
        assert!(is_close(&intents), "{before:?}: {intents:?}");
    }
}

#[test]
fn an_exit_closes_what_the_next_session_finds_of_an_order_that_it_cancelled() {
    for ended in [false, true] {
        let mut trader = deciding(&[limit, exit]);
        go(&mut trader);
        trader.on_event(&Event::Order(working("id-1")));
        assert!(matches!(&go(&mut trader)[..], [Intent::Cancel(_)]));
        assert_eq!(trader.on_changed(&id("id-2"), true), Step::default());
        if ended {
            trader.on_event(&canceled("id-1", 0.0, None));
        }
        begin_again(&mut trader);
        let intents = go(&mut trader);
        assert_eq!(is_close(&intents), !ended, "{ended}: {intents:?}");
    }
}

#[test]
fn an_exit_waits_for_no_part_that_was_told_before_it_cancelled_the_rest() {
    let mut trader = deciding(&[limit, exit, buy]);
    go(&mut trader);
    trader.on_event(&Event::Order(working("id-1")));
    let partly = Event::Order(OrderUpdate {
        state: OrderState::PartiallyFilled,
        filled: lots(0.2),
        ..working("id-1")
    });
    for event in [part(Side::Buy, 0.2), partly] {
        assert_eq!(trader.on_event(&event).intents, [], "{event:?}");
    }
    let close = go(&mut trader);
    assert!(is_close(&close), "{close:?}");
    trader.on_event(&CLOSED);
    let step = trader.on_event(&order("id-2", OrderState::Filled));
    assert!(matches!(&step.intents[..], [Intent::Cancel(_)]), "{step:?}");
    assert_eq!(trader.on_changed(&id("id-3"), true), Step::default());
    let end = trader.on_event(&canceled("id-1", 0.2, None));
    assert_eq!(end.intents, []);
    let entry = go(&mut trader);
    assert!(matches!(&entry[..], [Intent::Submit(_)]), "{entry:?}");
}

/// A trader whose order to buy waited, and is cancelled for a reversal.
fn reverses_an_order() -> Trader {
    let mut trader = deciding(&[limit, turn_to_sell]);
    go(&mut trader);
    trader.on_event(&Event::Order(working("id-1")));
    assert!(matches!(&go(&mut trader)[..], [Intent::Cancel(_)]));
    trader
}

#[test]
fn a_reversal_whose_order_was_filled_before_its_cancellation_leaves_its_exit() {
    let events = [order("id-1", OrderState::Filled), opened(Side::Buy)];
    let mut first = reverses_an_order();
    assert_eq!(first.on_changed(&id("id-2"), false), Step::default());
    let steps = events.iter().map(|event| first.on_event(event));
    let close: Vec<Intent> = steps.flat_map(|step| step.intents).collect();
    assert!(is_close(&close), "{close:?}");
    let mut last = reverses_an_order();
    for event in &events {
        assert_eq!(last.on_event(event).intents, [], "{event:?}");
    }
    let step = last.on_changed(&id("id-2"), false);
    assert!(is_close(&step.intents), "{step:?}");
}

#[test]
fn a_reversal_whose_session_broke_cancels_the_order_against_it() {
    let mut trader = reverses_an_order();
    trader.on_snapshot(Snapshot {
        orders: working("id-1").working.into_iter().collect(),
        ..snapshot(TradingState::Active)
    });
    let intents = trader.on_tick(&tick(1_000, 100_000)).intents;
    assert!(matches!(&intents[..], [Intent::Cancel(_)]), "{intents:?}");
}

#[test]
fn a_reversal_of_which_a_part_was_closed_goes_on_with_the_rest_and_then_opens() {
    let mut trader = deciding(&[turn_to_buy]);
    trader.on_event(&opened(Side::Sell));
    assert!(is_close(&go(&mut trader)));
    assert_eq!(trader.on_event(&part(Side::Sell, 0.29)).intents, []);
    let step = trader.on_event(&canceled("id-1", 0.2, Some(POSITION)));
    assert!(is_close(&step.intents), "{step:?}");
    trader.on_event(&CLOSED);
    let step = trader.on_event(&order("id-2", OrderState::Filled));
    assert!(matches!(&step.intents[..], [Intent::Submit(_)]), "{step:?}");
}

#[test]
fn of_a_reversal_decided_while_an_entry_was_filled_in_part_the_exit_is_left() {
    let sell: fn(&mut Context<'_>) =
        |context| context.enter(Entry::market(Side::Sell).with_stop_loss(Level::Points(200)));
    for position_first in [true, false] {
        let mut trader = deciding(&[sell, turn_to_buy]);
        assert_eq!(go(&mut trader).len(), 1);
        assert_eq!(go(&mut trader), [], "the entry is under way");
        let mut events = [part(Side::Sell, 0.3), canceled("id-1", 0.3, None)];
        if !position_first {
            events.reverse();
        }
        assert_eq!(trader.on_event(&events[0]).intents, []);
        let step = trader.on_event(&events[1]);
        assert!(is_close(&step.intents), "{step:?}");
    }
}
