//! Unknown outcomes: only evidence, or its absence for long enough, decides.

use super::{
    events,
    support::{call, core, entry, name, quote, receipt, restart, rows, sent},
};
use crate::{
    broker::{History, SendFailure, Snapshot},
    records::Loaded,
    testing::deal,
    {Core, Event, Reach, Resolution},
};
use mymt5_model::Reason;
use mymt5_model::{
    BrokerTime, DealRow, Entry, Magic, OrderId, OrderRow, OrderState, OrderType, PositionId,
    PositionRow, Retcode, RowState, Side, Ticket, TradeRequest, UtcTime,
};

/// An order whose outcome is unknown.
fn unknown(core: &mut Core) -> (OrderId, Magic) {
    let (id, magic) = sent(core, "a", 0.1);
    core.on_sent(id, Err(SendFailure::Unknown("lost".into())));
    (id, magic)
}

fn state(core: &Core, id: OrderId) -> (OrderState, &str) {
    let order = core.order(id).unwrap();
    (order.state, &order.reason)
}

/// A complete look in which nothing is found, at that time.
fn look(core: &mut Core, at: i64, deals: Vec<DealRow>) {
    core.at(UtcTime(at));
    let last = core.book().reflected().0;
    let orders = Vec::new();
    assert!(core.on_pass(rows(vec![], last), History { orders, deals }));
}

fn fill(magic: Magic) -> DealRow {
    let mut fill = deal(1, 1, Side::Buy, Entry::In, 10_000_000, 110_010);
    fill.magic = magic;
    fill
}

fn position(magic: Magic) -> PositionRow {
    let mut core = core();
    core.on_deal(fill(magic));
    core.book().position(PositionId(1)).unwrap().row.clone()
}

fn market_row(magic: Magic, state: RowState) -> OrderRow {
    OrderRow {
        magic,
        state,
        kind: OrderType::Market,
        price: None,
        ..super::modify::working(&mut core()).1
    }
}

#[test]
fn absence_counts_after_three_looks_over_the_grace() {
    let mut core = core();
    let (id, _) = unknown(&mut core);
    for at in [2_000, 7_000, 12_000, 17_000, 31_999] {
        look(&mut core, at, vec![]);
        assert_eq!(state(&core, id).0, OrderState::Unknown, "{at}");
    }
    look(&mut core, 32_000, vec![]);
    assert_eq!(
        state(&core, id),
        (OrderState::Rejected, "NOT_FOUND_AT_BROKER")
    );
}

#[test]
fn a_row_is_evidence_though_it_does_not_tell_the_outcome_yet() {
    for state_of_row in [RowState::Placed, RowState::Partial, RowState::Filled] {
        for in_history in [true, false] {
            let mut core = core();
            let (id, magic) = unknown(&mut core);
            let row = market_row(magic, state_of_row);
            for at in [2_000, 10_000, 20_000, 40_000, 80_000] {
                core.at(UtcTime(at));
                let mut snapshot = rows(vec![], 0);
                let mut orders = Vec::new();
                let place = if in_history {
                    &mut orders
                } else {
                    &mut snapshot.orders
                };
                place.push(row.clone());
                let deals = Vec::new();
                assert!(core.on_pass(snapshot, History { orders, deals }));
                assert_eq!(state(&core, id).0, OrderState::Unknown, "{row:?}");
            }
            // Gone without a trace after all: it is missed from then on.
            for at in [90_000, 100_000, 110_000, 119_999] {
                look(&mut core, at, vec![]);
                assert_eq!(state(&core, id).0, OrderState::Unknown, "{at}");
            }
            look(&mut core, 120_000, vec![]);
            assert_eq!(state(&core, id).0, OrderState::Rejected);
        }
    }
}

#[test]
fn an_account_that_cannot_be_read_is_not_traded() {
    let mut core = core();
    assert!(core.closed().is_empty());
    core.blind(true);
    assert_eq!(core.closed(), [Reason::PendingReconciliation]);
    core.blind(false);
    assert!(core.closed().is_empty());
}

#[test]
fn many_looks_at_once_are_one() {
    let mut core = core();
    let (id, _) = unknown(&mut core);
    look(&mut core, 2_000, vec![]);
    (0..50).for_each(|at| look(&mut core, 40_000 + at, vec![]));
    assert_eq!(state(&core, id).0, OrderState::Unknown);
    look(&mut core, 46_000, vec![]);
    assert_eq!(state(&core, id).0, OrderState::Rejected);
}

#[test]
fn a_link_loss_starts_the_grace_anew() {
    let mut core = core();
    let (id, _) = unknown(&mut core);
    [2_000, 7_000, 12_000]
        .into_iter()
        .for_each(|at| look(&mut core, at, vec![]));
    core.link(false);
    core.link(true);
    for at in [40_000, 46_000, 52_000] {
        look(&mut core, at, vec![]);
        assert_eq!(state(&core, id).0, OrderState::Unknown, "{at}");
    }
    look(&mut core, 70_000, vec![]);
    assert_eq!(state(&core, id).0, OrderState::Rejected);
}

#[test]
fn a_history_that_lacks_what_the_journal_knows_decides_nothing_and_closes_trading() {
    let mut core = core();
    let (_, magic) = sent(&mut core, "known", 0.1);
    let known = fill(magic);
    core.on_deal(known.clone());
    let (id, _) = sent(&mut core, "b", 0.1);
    core.on_sent(id, Err(SendFailure::Unknown("lost".into())));
    (0..12).for_each(|n| look(&mut core, 2_000 + n * 6_000, vec![]));
    assert_eq!(state(&core, id).0, OrderState::Unknown);
    assert_eq!(core.closed(), [Reason::HistoryIncomplete]);
    (0..7).for_each(|n| look(&mut core, 80_000 + n * 6_000, vec![known.clone()]));
    assert_eq!(state(&core, id).0, OrderState::Rejected);
    assert!(core.closed().is_empty());
}

#[test]
fn what_appears_after_all_is_adopted_with_an_alarm() {
    let mut core = core();
    let (id, magic) = unknown(&mut core);
    [2_000, 10_000, 20_000, 40_000]
        .into_iter()
        .for_each(|at| look(&mut core, at, vec![]));
    assert_eq!(state(&core, id).0, OrderState::Rejected);
    look(&mut core, 50_000, vec![fill(magic)]);
    assert_eq!(state(&core, id), (OrderState::Filled, "LATE_EVIDENCE"));
}

#[test]
fn a_late_answer_is_evidence() {
    let mut core = core();
    let (id, _) = unknown(&mut core);
    core.on_sent(id, Err(SendFailure::Rejected(Retcode(10_019))));
    assert_eq!(state(&core, id).0, OrderState::Rejected);
}

#[test]
fn nothing_is_sent_at_a_restart_and_what_was_flying_is_unknown() {
    let mut core = core();
    let (flying, magic) = sent(&mut core, "a", 0.1);
    let (taken, _) = core
        .submit(call("b"), Ok(entry(0.1)), Some(&quote()))
        .unwrap();
    let mut again = restart(&mut core, &mut Loaded::default());
    for id in [flying, taken.order] {
        assert_eq!(state(&again, id), (OrderState::Unknown, "OUTCOME_UNKNOWN"));
        assert!(!again.sending(id, Some(&quote())));
    }
    let refused = again
        .submit(call("c"), Ok(entry(0.1)), Some(&quote()))
        .unwrap_err();
    assert_eq!(refused.reason(), Reason::LinkDown);
    assert!(
        again
            .submit(call("b"), Ok(entry(0.1)), None)
            .unwrap()
            .0
            .repeated
    );
    look(&mut again, 2_000, vec![fill(magic)]);
    assert_eq!(state(&again, flying).0, OrderState::Filled);
    assert_eq!(state(&again, taken.order).0, OrderState::Unknown);
}

#[test]
fn a_magic_is_never_used_again() {
    let mut core = core();
    let (_, magic) = sent(&mut core, "a", 0.1);
    let mut again = restart(&mut core, &mut Loaded::default());
    let seen = Magic::new(2, magic.counter() + 5_000).unwrap();
    look(
        &mut again,
        1_500,
        vec![
            fill(magic),
            DealRow {
                ticket: Ticket(2),
                ..fill(seen)
            },
        ],
    );
    let (_, next) = sent(&mut again, "b", 0.1);
    assert!(next.counter() > seen.counter());
}

#[test]
fn rows_of_ours_that_the_journal_lacks_close_trading_until_adopted() {
    let mut core = core();
    let row = position(Magic::new(1, 77).unwrap());
    assert!(core.on_pass(rows(vec![row], 1), History::default()));
    assert_eq!(core.closed(), [Reason::StraysFound]);
    let refused = core
        .submit(call("b"), Ok(entry(0.1)), Some(&quote()))
        .unwrap_err();
    assert_eq!(refused.reason(), Reason::StraysFound);
    core.adopt_position(&call("adopt"), &name("beta"), PositionId(1))
        .unwrap();
    core.adopt_position(&call("adopt"), &name("beta"), PositionId(1))
        .unwrap();
    assert!(core.closed().is_empty());
    let mut again = restart(&mut core, &mut Loaded::default());
    let row = position(Magic::new(1, 77).unwrap());
    assert!(again.on_pass(rows(vec![row], 1), History::default()));
    assert!(again.closed().is_empty());
    assert_eq!(
        again.book().position(PositionId(1)).unwrap().client,
        Some(name("beta"))
    );
}

/// A core whose client alpha holds a position that a deal of its order opened.
fn holding() -> (Core, PositionRow) {
    let mut core = core();
    let (_, magic) = sent(&mut core, "open", 0.1);
    core.on_deal(fill(magic));
    let row = core.book().position(PositionId(1)).unwrap().row.clone();
    (core, row)
}

fn foreign(events: &[std::sync::Arc<crate::Recorded>]) -> Vec<bool> {
    let frozen = events.iter().filter_map(|event| match &event.event {
        Event::Foreign { frozen, .. } => Some(*frozen),
        _ => None,
    });
    frozen.collect()
}

#[test]
fn lots_that_no_deal_explains_freeze_their_symbol_until_one_does() {
    let (mut core, mut row) = holding();
    row.lots = row.lots.minus(mymt5_model::Lots::from_units(4_000_000));
    let look = |core: &mut Core, at: i64| {
        core.at(UtcTime(at));
        assert!(core.on_pass(rows(vec![row.clone()], 1), History::default()));
    };
    look(&mut core, 2_000);
    look(&mut core, 3_000);
    assert!(foreign(&events(&mut core)).is_empty() && core.frozen().is_empty());
    look(&mut core, 7_000);
    assert_eq!(foreign(&events(&mut core)), [true]);
    assert!(core.frozen().contains(&row.symbol));
    core.on_deal(deal(2, 1, Side::Sell, Entry::Out, 4_000_000, 110_000));
    // Somebody else's deal: its own reason to freeze, which an operator lifts.
    assert!(core.frozen().contains(&row.symbol));
    core.set_state(
        &call("seen"),
        None,
        mymt5_guard::TradingState::Active,
        "seen",
    )
    .unwrap();
    assert!(core.frozen().is_empty());
}

#[test]
fn what_rows_show_otherwise_than_lots_freezes_nothing() {
    for change in [
        |row: &mut PositionRow| row.ticket = Ticket(99),
        |row: &mut PositionRow| row.open_price = mymt5_model::Price::from_points(110_011, 5),
        |row: &mut PositionRow| row.levels.stop_loss = Some(row.open_price),
    ] {
        let (mut core, mut row) = holding();
        change(&mut row);
        let mut again = restart(&mut core, &mut Loaded::default());
        for at in [2_000, 5_000, 9_000] {
            for core in [&mut core, &mut again] {
                core.at(UtcTime(at));
                assert!(core.on_pass(rows(vec![row.clone()], 1), History::default()));
                assert!(core.frozen().is_empty() && foreign(&events(core)).is_empty());
            }
        }
    }
}

#[test]
fn rows_that_are_empty_after_a_login_are_no_closed_positions() {
    let (mut core, row) = holding();
    let mut again = restart(&mut core, &mut Loaded::default());
    for at in [2_000, 3_000] {
        again.at(UtcTime(at));
        assert!(again.on_pass(rows(vec![], 1), History::default()));
        let held = again.book().position(PositionId(1)).unwrap();
        assert_eq!(
            (held.row.lots, &held.client),
            (row.lots, &Some(name("alpha")))
        );
    }
    assert!(again.on_pass(rows(vec![row], 1), History::default()));
    assert!(again.frozen().is_empty());
}

#[test]
fn deals_of_others_on_what_is_ours_freeze_and_those_of_the_broker_do_not() {
    use mymt5_model::DealReason::{Client, Expert, Mobile, Rollover, StopLoss, StopOut, Web};
    let lots = 10_000_000;
    for (reason, by_magic, freezes) in [
        (Client, 0, true),
        (Mobile, 0, true),
        (Web, 0, true),
        (Expert, 4_711, true),
        (StopLoss, 0, false),
        (StopOut, 0, false),
        (Rollover, 0, false),
    ] {
        // The whole position, so that nothing is left in the symbol; and a part of it.
        for lots in [lots, lots / 2] {
            let (mut core, row) = holding();
            let mut closing = deal(2, 1, Side::Sell, Entry::Out, lots, 110_000);
            closing.reason = reason;
            closing.magic = Magic::from_raw(by_magic);
            core.on_deal(closing);
            let frozen = core.frozen().contains(&row.symbol);
            assert_eq!(frozen, freezes, "{reason:?} {lots}");
            let told = foreign(&events(&mut core));
            assert_eq!(told, vec![true; usize::from(freezes)], "{reason:?}");
        }
    }
}

#[test]
fn a_close_takes_what_the_position_has_though_its_deal_came_late() {
    // The row was read with the position in it, by a read that knew no deal of it yet.
    let mut core = core();
    let (_, magic) = sent(&mut core, "open", 0.1);
    assert!(core.on_snapshot(rows(vec![position(magic)], 0)));
    core.on_deal(fill(magic));
    let (_, effects) = core
        .close(call("close"), Ok(super::exit(None)), |_| None)
        .unwrap();
    let Some(crate::Effect::Send(_, TradeRequest::Market { lots, .. }, true)) =
        effects.into_iter().next()
    else {
        panic!()
    };
    assert_eq!(lots, mymt5_model::Lots::from_units(10_000_000));
}

#[test]
fn an_operator_decides_only_what_is_unknown_and_evidence_still_wins() {
    let mut core = core();
    let (id, magic) = unknown(&mut core);
    core.resolve(&call("look"), id, Resolution::Reconcile, "now")
        .unwrap();
    assert!(core.wants_pass() && state(&core, id).0 == OrderState::Unknown);
    core.resolve(&call("no"), id, Resolution::NotDone, "asked the broker")
        .unwrap();
    assert_eq!(
        state(&core, id),
        (OrderState::Rejected, "RESOLVED_NOT_DONE")
    );
    assert!(
        core.resolve(&call("no"), id, Resolution::NotDone, "again")
            .unwrap()
            .repeated
    );
    let refused = core
        .resolve(&call("x"), id, Resolution::NotDone, "again")
        .unwrap_err();
    assert_eq!(refused.reason(), Reason::OrderNotUnknown);
    core.on_deal(fill(magic));
    assert_eq!(state(&core, id), (OrderState::Filled, "LATE_EVIDENCE"));
}

#[test]
fn a_receipt_alone_does_not_end_an_unknown_order() {
    let mut core = core();
    let (id, _) = unknown(&mut core);
    core.on_sent(id, Ok(receipt(Retcode::DONE)));
    assert_eq!(state(&core, id).0, OrderState::Unknown);
}

#[test]
fn a_working_order_of_ours_that_the_journal_lacks_is_adopted_by_its_ticket() {
    let mut core = core();
    let (_, mut row) = super::modify::working(&mut core);
    (row.ticket, row.magic) = (Ticket(77), Magic::new(1, 5).unwrap());
    let known = core.open_orders().count();
    let shown = || Snapshot {
        orders: vec![row.clone()],
        ..rows(vec![], 0)
    };
    assert!(core.on_pass(shown(), History::default()));
    assert_eq!(core.closed(), [Reason::StraysFound]);
    let wrong = core.adopt_order(&call("wrong"), &name("beta"), Ticket(78));
    assert_eq!(wrong.unwrap_err().reason(), Reason::OrderNotFound);
    core.adopt_order(&call("adopt"), &name("beta"), Ticket(77))
        .unwrap();
    core.adopt_order(&call("adopt"), &name("beta"), Ticket(77))
        .unwrap();
    assert_eq!(core.open_orders().count(), known + 1);
    assert!(core.closed().is_empty());
    let mut again = restart(&mut core, &mut Loaded::default());
    assert!(again.on_pass(shown(), History::default()));
    assert!(again.closed().is_empty());
    let adopted = again
        .open_orders()
        .find(|order| order.ticket == Some(Ticket(77)))
        .unwrap();
    assert_eq!(
        (adopted.client.clone(), adopted.state),
        (name("beta"), OrderState::Working)
    );
}

#[test]
fn an_exit_does_not_wait_for_a_specification() {
    let mut core = core();
    let (_, magic) = sent(&mut core, "open", 0.1);
    core.on_deal(fill(magic));
    assert!(
        core.close(call("part"), Ok(super::exit(Some(0.05))), |_| None)
            .is_ok()
    );
    assert!(
        core.close(call("rest"), Ok(super::exit(Some(0.05))), |_| None)
            .is_ok()
    );
}

#[test]
fn a_close_is_sent_to_the_ticket_that_the_position_has_by_then() {
    let mut core = core();
    let (_, magic) = sent(&mut core, "open", 0.1);
    core.on_deal(fill(magic));
    let (_, effects) = core
        .close(call("close"), Ok(super::exit(None)), |_| None)
        .unwrap();
    let mut row = core.book().position(PositionId(1)).unwrap().row.clone();
    row.ticket = Ticket(99);
    assert!(core.on_snapshot(rows(vec![row], 1)));
    let Some(crate::Effect::Send(id, request, true)) = effects.into_iter().next() else {
        panic!()
    };
    let request = core.resolved(id, request);
    assert!(matches!(
        request,
        TradeRequest::Market {
            position: Some(Ticket(99)),
            ..
        }
    ));
}

#[test]
fn a_refused_adoption_takes_nothing_from_its_owner() {
    let mut core = core();
    let (_, magic) = sent(&mut core, "a", 0.1);
    core.on_deal(fill(magic));
    let refused = core.adopt_position(&call("adopt"), &name("beta"), PositionId(1));
    assert_eq!(refused.unwrap_err().reason(), Reason::PositionNotFound);
    let held = core.book().position(PositionId(1)).unwrap();
    assert_eq!(held.client, Some(name("alpha")));
}

#[test]
fn the_order_of_a_stop_loss_is_not_the_one_that_opened() {
    let mut core = core();
    let (_, mut row) = super::modify::working(&mut core);
    let (id, ticket) = (OrderId(1), core.order(OrderId(1)).unwrap().ticket);
    (row.ticket, row.side, row.state) = (Ticket(500), Side::Sell, RowState::Filled);
    core.on_row(&row);
    assert_eq!(core.order(id).unwrap().ticket, ticket);
    let mut stop = deal(9, 1, Side::Sell, Entry::Out, 10_000_000, 109_000);
    (stop.magic, stop.order) = (row.magic, Some(Ticket(500)));
    stop.reason = mymt5_model::DealReason::StopLoss;
    core.on_deal(stop);
    assert!(core.order(id).unwrap().filled.is_zero());
}

#[test]
fn a_look_reaches_back_to_what_is_not_settled() {
    const DAY: i64 = 86_400_000;
    let now = Some(BrokerTime(100 * DAY));
    assert_eq!(
        Reach::default().window(now),
        (BrokerTime(99 * DAY), BrokerTime(101 * DAY))
    );
    let reach = Reach {
        age_ms: 3 * DAY,
        newest_deal: Some(BrokerTime(95 * DAY)),
    };
    assert_eq!(reach.window(now).0, BrokerTime(94 * DAY));
    let mut core = core();
    unknown(&mut core);
    core.at(UtcTime(3 * DAY));
    assert!(core.reach().age_ms >= 3 * DAY - 1_000);
}

#[test]
fn a_position_is_evidence_while_its_deal_is_missing() {
    let mut core = core();
    let (id, magic) = unknown(&mut core);
    for at in [2_000, 10_000, 20_000, 40_000, 50_000] {
        core.at(UtcTime(at));
        let snapshot = rows(vec![position(magic)], 1);
        assert!(core.on_pass(snapshot, History::default()));
    }
    assert_eq!(state(&core, id).0, OrderState::Unknown);
}
