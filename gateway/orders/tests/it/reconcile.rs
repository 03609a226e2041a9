//! Unknown outcomes: only evidence, or its absence for long enough, decides.

use crate::bench::{Shell, by_hand::*, rows::*, shell::BROKER_START};
use mymt5_guard::TradingState::Active;
use mymt5_model::{
    BrokerTime, DealReason, DealRow, Entry, Levels, Magic, OrderId, OrderRow, OrderState,
    OrderType, PositionRow, Reason, Retcode, RowState, Side, Ticket, TimeInForce,
};
use mymt5_orders::{
    Answer, Command, Event, History, Input, Lookback, Notice, ObstacleKind, Snapshot,
};

/// The deal that fills 0.1 lots of the order with that magic and the ticket 1.
pub(crate) fn filled_by(magic: Magic) -> DealRow {
    DealRow {
        magic,
        ..deal(1, 1, Side::Buy, Entry::In, 10_000_000, 110_010)
    }
}

/// The row of position 1, which that deal opened.
pub(crate) fn position(magic: Magic) -> PositionRow {
    PositionRow {
        ticket: Ticket(1),
        id: HELD,
        magic,
        symbol: symbol("EURUSD"),
        side: Side::Buy,
        lots: lots(0.1),
        open_price: points(110_010),
        levels: Levels::default(),
        profit: money(0.0),
        swap: money(0.0),
        opened: BROKER_START,
        updated: BROKER_START,
        comment: String::new(),
    }
}

fn market_row(magic: Magic, state: RowState) -> OrderRow {
    OrderRow {
        ticket: Ticket(1),
        position_id: None,
        magic,
        symbol: symbol("EURUSD"),
        side: Side::Buy,
        kind: OrderType::Market,
        state,
        lots: lots(0.1),
        lots_left: lots(0.1),
        price: None,
        stop_limit_price: None,
        levels: Levels::default(),
        time_in_force: TimeInForce::Gtc,
        created: BROKER_START,
        done: None,
        comment: String::new(),
    }
}

/// The state of an order after a pass without a trace of it, at that time.
fn after_pass(shell: &mut Shell, id: OrderId, at: i64) -> OrderState {
    shell.pass_without_orders(at, Vec::new());
    shell.order(id).state
}

#[test]
fn absence_counts_after_three_passes_over_the_grace() {
    let mut shell = ready();
    let (id, _) = shell.unknown("a");
    for at in [2_000, 7_000, 12_000, 17_000, 31_999] {
        assert_eq!(after_pass(&mut shell, id, at), OrderState::Unknown, "{at}");
    }
    shell.pass_without_orders(32_000, Vec::new());
    assert_eq!(
        shell.state(id),
        (OrderState::Rejected, "NOT_FOUND_AT_BROKER")
    );
}

#[test]
fn absence_of_what_the_broker_acknowledged_takes_ten_times_the_grace() {
    let mut shell = ready();
    let (id, _) = shell.unknown("a");
    shell.answer_late(id, Ok(receipt(Retcode::DONE, 1)));
    assert_eq!(shell.order(id).state, OrderState::Unknown);
    for at in (2_000..302_000).step_by(10_000) {
        assert_eq!(after_pass(&mut shell, id, at), OrderState::Unknown, "{at}");
    }
    assert_eq!(
        after_pass(&mut shell, id, 302_000),
        OrderState::Rejected,
        "0.1 lots of which nothing is left anywhere"
    );
}

#[test]
fn a_row_is_evidence_though_it_does_not_tell_the_outcome_yet() {
    for state_of_row in [RowState::Placed, RowState::Partial, RowState::Filled] {
        for in_history in [true, false] {
            let mut shell = ready();
            let (id, magic) = shell.unknown("a");
            let row = market_row(magic, state_of_row);
            for at in [2_000, 10_000, 20_000, 40_000, 80_000] {
                shell.at(at);
                let (mut snapshot, mut history) = (rows(&shell), history());
                let place = if in_history {
                    &mut history.orders
                } else {
                    &mut snapshot.orders
                };
                place.push(row.clone());
                shell.feed(Input::Pass(snapshot, history));
                assert_eq!(shell.order(id).state, OrderState::Unknown, "{row:?}");
            }
            // Gone without a trace after all: it is missed from then on, and for long, since the
            // broker had it once.
            for at in (90_000..390_000).step_by(50_000).chain([389_999]) {
                assert_eq!(after_pass(&mut shell, id, at), OrderState::Unknown, "{at}");
            }
            assert_eq!(after_pass(&mut shell, id, 390_000), OrderState::Rejected);
        }
    }
}

#[test]
fn an_account_that_cannot_be_read_is_not_traded() {
    let mut shell = ready();
    assert!(shell.obstacles().is_empty());
    shell.feed(Input::Unreadable(true));
    assert_eq!(shell.obstacles(), [ObstacleKind::AccountUnreadable]);
    let refused = shell.entry_refusal("alpha", "a");
    assert_eq!(refused, Some(Reason::PendingReconciliation));
    shell.feed(Input::Unreadable(false));
    assert!(shell.obstacles().is_empty());
    assert_eq!(shell.entry_refusal("alpha", "a"), None);
}

#[test]
fn nothing_is_opened_before_the_broker_was_compared() {
    let mut shell = fresh();
    let refused = shell.entry_refusal("alpha", "a");
    assert_eq!(refused, Some(Reason::LinkDown));
    shell.feed(Input::Link(true));
    let refused = shell.entry_refusal("alpha", "a");
    assert_eq!(refused, Some(Reason::PendingReconciliation));
    let rows = rows(&shell);
    shell.feed(Input::Rows(rows));
    let refused = shell.entry_refusal("alpha", "a");
    assert_eq!(refused, Some(Reason::PendingReconciliation));
    shell.compare();
    assert_eq!(shell.entry_refusal("alpha", "a"), None);
}

#[test]
fn many_passes_at_once_are_one() {
    let mut shell = ready();
    let (id, _) = shell.unknown("a");
    after_pass(&mut shell, id, 2_000);
    for n in 0..50 {
        let state = after_pass(&mut shell, id, 40_000 + n);
        assert_eq!(state, OrderState::Unknown);
    }
    assert_eq!(after_pass(&mut shell, id, 46_000), OrderState::Rejected);
}

#[test]
fn a_link_loss_starts_the_grace_again() {
    let mut shell = ready();
    let (id, _) = shell.unknown("a");
    for at in [2_000, 7_000, 12_000] {
        after_pass(&mut shell, id, at);
    }
    shell.feed(Input::Link(false));
    shell.feed(Input::Link(true));
    for at in [40_000, 46_000, 52_000] {
        assert_eq!(after_pass(&mut shell, id, at), OrderState::Unknown, "{at}");
    }
    assert_eq!(after_pass(&mut shell, id, 70_000), OrderState::Rejected);
}

#[test]
fn a_history_that_lacks_what_the_journal_knows_decides_nothing_and_closes_trading() {
    let mut shell = holding();
    let (id, _) = shell.unknown("b");
    for n in 0..12 {
        shell.at(2_000 + n * 6_000);
        let rows = shell.known_rows();
        shell.feed(Input::Pass(rows, history()));
    }
    assert_eq!(shell.order(id).state, OrderState::Unknown);
    assert!(shell.is_hindered_by(ObstacleKind::HistoryIncomplete));
    assert!(shell.noticed(|notice| *notice == Notice::HistoryLacks(1)));
    let refused = shell.entry_refusal("beta", "c");
    assert_eq!(refused, Some(Reason::HistoryIncomplete));
    for n in 0..7 {
        after_pass(&mut shell, id, 80_000 + n * 6_000);
    }
    assert_eq!(shell.order(id).state, OrderState::Rejected);
    assert!(shell.obstacles().is_empty());
}

#[test]
fn what_appears_after_all_is_believed_with_an_alarm() {
    let mut shell = ready();
    let (id, magic) = shell.unknown("a");
    for at in [2_000, 10_000, 20_000, 40_000] {
        after_pass(&mut shell, id, at);
    }
    assert_eq!(shell.order(id).state, OrderState::Rejected);
    shell.pass_without_orders(50_000, vec![filled_by(magic)]);
    assert_eq!(shell.state(id), (OrderState::Filled, "LATE_EVIDENCE"));
    let alarm =
        |notice: &Notice| matches!(notice, Notice::LateEvidence { order, .. } if *order == id);
    assert!(shell.noticed(alarm));
}

#[test]
fn a_late_answer_is_evidence() {
    let mut shell = ready();
    let (id, _) = shell.unknown("a");
    shell.answer_late(id, Err(rejected(Retcode::NO_MONEY)));
    assert_eq!(shell.order(id).state, OrderState::Rejected);
    assert_eq!(shell.order(id).retcode, Some(Retcode::NO_MONEY));
}

#[test]
fn nothing_is_sent_at_a_restart_and_what_was_flying_is_unknown() {
    let mut shell = ready_by(|config| config.max_in_flight = 1);
    let (flying, magic) = shell.send("alpha", "a", buy(0.1));
    shell.must("alpha", "b", submit(buy(0.1)));
    assert!(shell.left().is_empty(), "it waits for its turn");
    let waiting = shell.order_of("alpha", "b").id;
    shell.restart();
    for id in [flying, waiting] {
        assert_eq!(shell.state(id), (OrderState::Unknown, "OUTCOME_UNKNOWN"));
    }
    let refused = shell.entry_refusal("alpha", "c");
    assert_eq!(refused, Some(Reason::LinkDown));
    let repeat = shell.ask("alpha", "b", submit(buy(0.1)));
    assert!(matches!(repeat, Some(Answer::Order(order)) if order.id == waiting));
    shell.feed(Input::Link(true));
    shell.pass_without_orders(2_000, vec![filled_by(magic)]);
    shell.second();
    assert!(shell.left().is_empty());
    assert_eq!(shell.order(flying).state, OrderState::Filled);
    assert_eq!(shell.order(waiting).state, OrderState::Unknown);
}

#[test]
fn what_was_not_durable_when_the_process_died_never_was() {
    let mut shell = ready();
    let asker = shell.step_call("alpha", "a", submit(buy(0.1)));
    shell.crash();
    shell.connect();
    assert!(shell.left().is_empty() && shell.answer_to(asker).is_none());
    assert_eq!(shell.core.open_orders().count(), 0);
    shell.quote_again();
    shell.send("alpha", "a", buy(0.1));
}

#[test]
fn a_magic_is_never_used_again() {
    let mut shell = ready();
    let (_, magic) = shell.send("alpha", "a", buy(0.1));
    shell.restart();
    shell.quote_again();
    shell.feed(Input::Link(true));
    let seen = Magic::new(2, magic.counter() + 5_000).unwrap();
    let of_beta = |ticket, side, entry| DealRow {
        magic: seen,
        ..deal(ticket, 2, side, entry, 10_000_000, 110_010)
    };
    let deals = vec![
        filled_by(magic),
        of_beta(2, Side::Buy, Entry::In),
        of_beta(3, Side::Sell, Entry::Out),
    ];
    shell.pass_without_orders(1_500, deals);
    let refused = shell.entry_refusal("beta", "b");
    assert_eq!(refused, Some(Reason::OrphansFound), "its own alone");
    let (_, next) = shell.send("alpha", "b", buy(0.1));
    assert!(next.counter() > seen.counter());
}

fn frozen_told(shell: &Shell) -> usize {
    shell.told(|event| matches!(event, Event::Foreign { frozen: true, .. }))
}

/// Passes at these times in which position 1 is that row.
fn passes_with(shell: &mut Shell, row: &PositionRow, times: &[i64]) {
    for at in times {
        shell.at(*at);
        let snapshot = Snapshot {
            positions: vec![row.clone()],
            ..rows(shell)
        };
        let history = shell.known_history();
        shell.feed(Input::Pass(snapshot, history));
    }
}

#[test]
fn lots_that_no_deal_explains_freeze_their_symbol_until_one_does() {
    let mut shell = holding();
    let mut row = shell.position(HELD);
    row.lots = row.lots.minus(lots(0.04));
    passes_with(&mut shell, &row, &[2_000, 3_000, 5_000, 7_000]);
    assert_eq!(frozen_told(&shell), 0);
    assert!(shell.obstacles().is_empty());
    passes_with(&mut shell, &row, &[7_001]);
    assert_eq!(frozen_told(&shell), 1);
    assert_eq!(shell.obstacles(), [ObstacleKind::RowsDisagree]);
    assert!(shell.noticed(|notice| matches!(notice, Notice::RowsDisagree { .. })));
    let refused = shell.entry_refusal("alpha", "a");
    assert_eq!(refused, Some(Reason::SymbolFrozen));
    let explains = deal(2, 1, Side::Sell, Entry::Out, 4_000_000, 110_000);
    shell.feed(Input::Deal(explains));
    // Somebody else's deal: its own reason to freeze, which an operator lifts.
    assert_eq!(shell.obstacles(), [ObstacleKind::ForeignTrade]);
    shell.enter("seen", None, Active);
    assert!(shell.obstacles().is_empty());
    assert_eq!(shell.position(HELD).lots, lots(0.06));
}

#[test]
fn an_operator_accepts_lots_that_no_deal_explains() {
    let mut shell = holding();
    let mut row = shell.position(HELD);
    row.lots = row.lots.minus(lots(0.04));
    passes_with(&mut shell, &row, &[2_000, 3_000, 5_000, 7_000, 7_001]);
    let accept = Command::Accept {
        what: mymt5_orders::Acceptance::Symbol(symbol("EURUSD")),
        reason: "looked at it".to_owned(),
    };
    shell.must("local", "accept", accept);
    assert!(shell.obstacles().is_empty());
    passes_with(&mut shell, &row, &[12_000, 17_000, 22_000]);
    assert!(shell.obstacles().is_empty());
    assert_eq!(shell.position(HELD).lots, lots(0.06));
}

#[test]
fn what_rows_show_otherwise_than_lots_freezes_nothing() {
    for change in [
        |row: &mut PositionRow| row.ticket = Ticket(99),
        |row: &mut PositionRow| row.open_price = points(110_011),
        |row: &mut PositionRow| row.levels.stop_loss = Some(row.open_price),
    ] {
        for restarts in [false, true] {
            let mut shell = holding();
            let mut row = shell.position(HELD);
            change(&mut row);
            if restarts {
                shell.restart();
                shell.feed(Input::Link(true));
            }
            passes_with(&mut shell, &row, &[2_000, 5_000, 9_000]);
            assert!(shell.obstacles().is_empty());
            assert_eq!(frozen_told(&shell), 0);
            assert_eq!(shell.position(HELD), row);
        }
    }
}

#[test]
fn rows_that_are_empty_after_a_login_are_no_closed_positions() {
    let mut shell = holding();
    let row = shell.position(HELD);
    shell.restart();
    shell.feed(Input::Link(true));
    for at in [2_000, 3_000] {
        shell.at(at);
        let (empty, history) = (rows(&shell), shell.known_history());
        shell.feed(Input::Pass(empty, history));
        let held = shell.core.book().position(HELD).unwrap();
        assert_eq!(
            (held.row.lots, &held.client),
            (row.lots, &Some(name("alpha")))
        );
    }
    passes_with(&mut shell, &row, &[4_000]);
    assert!(shell.obstacles().is_empty());
}

#[test]
fn deals_of_others_on_what_is_ours_freeze_and_those_of_the_broker_do_not() {
    use DealReason::{Client, Expert, Mobile, Rollover, StopLoss, StopOut, TakeProfit, Web};
    let all = 10_000_000;
    for (reason, by_magic, freezes) in [
        (Client, 0, true),
        (Mobile, 0, true),
        (Web, 0, true),
        (Expert, 4_711, true),
        (StopLoss, 0, false),
        (TakeProfit, 0, false),
        (StopOut, 0, false),
        (Rollover, 0, false),
    ] {
        // The whole position, so that nothing is left in the symbol; and a part of it.
        for units in [all, all / 2] {
            let mut shell = holding();
            let mut closing = deal(2, 1, Side::Sell, Entry::Out, units, 110_000);
            closing.reason = reason;
            closing.magic = Magic::from_raw(by_magic);
            shell.feed(Input::Deal(closing));
            let frozen = shell.is_hindered_by(ObstacleKind::ForeignTrade);
            assert_eq!(frozen, freezes, "{reason:?} {units}");
            assert_eq!(frozen_told(&shell), usize::from(freezes), "{reason:?}");
        }
    }
}

#[test]
fn a_hands_deal_is_foreign_whatever_magic_it_carries() {
    let mut shell = holding();
    let mut by_hand = deal(2, 1, Side::Sell, Entry::Out, 10_000_000, 110_000);
    by_hand.reason = DealReason::Client;
    by_hand.magic = shell.position(HELD).magic;
    shell.feed(Input::Deal(by_hand));
    assert!(shell.is_hindered_by(ObstacleKind::ForeignTrade));
    assert_eq!(shell.order_of("alpha", "held-1").filled, lots(0.1));
}

#[test]
fn a_close_takes_what_the_position_has_though_its_deal_came_late() {
    for all in [true, false] {
        // The row was read with the position in it, by a read that knew no deal of it yet.
        let mut shell = ready();
        let (_, magic) = shell.send("alpha", "open", buy(0.1));
        let rows = Snapshot {
            positions: vec![position(magic)],
            ..rows(&shell)
        };
        shell.feed(Input::Rows(rows));
        shell.feed(Input::Deal(filled_by(magic)));
        let more = shell.refusal("alpha", "more", close(HELD, Some(0.11)));
        assert_eq!(more, Some(Reason::ExitExceedsPosition));
        let part = (!all).then_some(0.1);
        shell.must("alpha", "close", close(HELD, part));
        assert_eq!(closed_by(&shell.leaves()).1, part.map(lots));
        assert_eq!(shell.order_of("alpha", "close").lots, lots(0.1));
    }
}

#[test]
fn a_receipt_alone_does_not_end_an_unknown_order() {
    let mut shell = ready();
    let (id, _) = shell.unknown("a");
    shell.answer_late(id, Ok(receipt(Retcode::DONE, 1)));
    assert_eq!(shell.order(id).state, OrderState::Unknown);
}

#[test]
fn a_close_of_all_takes_what_other_closes_left() {
    let mut shell = holding();
    shell.must("alpha", "part", close(HELD, Some(0.04)));
    shell.must("alpha", "rest", close(HELD, None));
    assert_eq!(shell.order_of("alpha", "rest").lots, lots(0.06));
    let more = shell.refusal("alpha", "more", close(HELD, None));
    assert_eq!(more, Some(Reason::ExitExceedsPosition));
}

#[test]
fn an_exit_does_not_wait_for_a_specification() {
    let mut shell = holding();
    shell.prices.specs.clear();
    for id in ["part", "rest"] {
        shell.must("alpha", id, close(HELD, Some(0.05)));
        assert_eq!(closed_by(&shell.leaves()).1, Some(lots(0.05)));
    }
}

#[test]
fn a_close_is_sent_to_the_ticket_that_the_position_has_by_then() {
    let mut shell = holding();
    shell.step_call("alpha", "close", close(HELD, None));
    let mut row = shell.position(HELD);
    row.ticket = Ticket(99);
    let rows = Snapshot {
        positions: vec![row],
        ..rows(&shell)
    };
    shell.step(Input::Rows(rows));
    shell.settle();
    assert_eq!(closed_by(&shell.leaves()).0, Ticket(99));
}

#[test]
fn the_order_of_a_stop_loss_is_not_the_one_that_opened() {
    let mut shell = ready();
    let id = shell.work("alpha", "limit", 1);
    let row = OrderRow {
        ticket: Ticket(500),
        side: Side::Sell,
        state: RowState::Filled,
        ..order_row(shell.order(id))
    };
    let ended = History {
        orders: vec![row.clone()],
        ..history()
    };
    let rows = shell.known_rows();
    shell.feed(Input::Pass(rows, ended));
    assert_eq!(shell.order(id).ticket, Some(Ticket(1)));
    let mut stop = deal(9, 1, Side::Sell, Entry::Out, 10_000_000, 109_000);
    (stop.magic, stop.order) = (row.magic, Some(Ticket(500)));
    stop.reason = DealReason::StopLoss;
    shell.feed(Input::Deal(stop));
    assert!(shell.order(id).filled.is_zero());
    assert_eq!(shell.order(id).state, OrderState::Working);
}

#[test]
fn the_order_of_a_stop_loss_is_not_the_one_whose_ticket_is_unknown() {
    let mut shell = ready();
    let (id, magic) = shell.unknown("a");
    let stop = OrderRow {
        ticket: Ticket(500),
        side: Side::Sell,
        ..market_row(magic, RowState::Filled)
    };
    let ended = History {
        orders: vec![stop],
        ..history()
    };
    let rows = rows(&shell);
    shell.feed(Input::Pass(rows, ended));
    assert_eq!(shell.order(id).ticket, None);
}

#[test]
fn a_pass_looks_back_to_what_is_not_settled() {
    const DAY: i64 = 86_400_000;
    let now = Some(BrokerTime(100 * DAY));
    assert_eq!(
        Lookback::default().window(now),
        (BrokerTime(99 * DAY), BrokerTime(101 * DAY))
    );
    let since = Lookback {
        compared: Some(BrokerTime(95 * DAY)),
        ..Lookback::default()
    };
    assert_eq!(since.window(now).0, BrokerTime(94 * DAY));
    let routine = Lookback {
        routine: true,
        ..since
    };
    assert_eq!(routine.window(now).0, BrokerTime(95 * DAY - 600_000));
    let unsettled = Lookback {
        oldest: Some(BrokerTime(90 * DAY)),
        ..routine
    };
    assert_eq!(unsettled.window(now).0, BrokerTime(89 * DAY));
    let everything = Lookback::default().window(None);
    assert_eq!(everything, (BrokerTime(0), BrokerTime(i64::MAX)));
    let mut shell = ready();
    let (id, _) = shell.unknown("a");
    let taken = shell.order(id).created.broker;
    shell.at(3 * DAY);
    shell.second();
    assert_eq!(shell.core.lookback().oldest, taken);
}

#[test]
fn a_position_is_evidence_while_its_deal_is_missing() {
    let mut shell = ready();
    let (id, magic) = shell.unknown("a");
    passes_with(
        &mut shell,
        &position(magic),
        &[2_000, 10_000, 20_000, 40_000, 50_000],
    );
    assert_eq!(shell.order(id).state, OrderState::Unknown);
}
