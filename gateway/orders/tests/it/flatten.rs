//! Flattening: a latched state of its scope that closes until nothing is left, and says so.

use crate::bench::{Shell, by_hand::*, rows::*};
use mymt5_guard::TradingState::{Active, Halted};
use mymt5_model::{
    Entry, Magic, OrderRow, OrderState, Reason, Receipt, Retcode, Side, Ticket, TradeRequest,
};
use mymt5_orders::{Answer, Event, FlattenReport, Input, Item, ObstacleKind, Snapshot};

fn flattened(shell: &mut Shell, id: &str, scope: Option<&str>, foreign: bool) -> FlattenReport {
    match shell.ask("local", id, flatten(scope, foreign)) {
        Some(Answer::Flatten(report)) => report,
        other => panic!("{other:?}"),
    }
}

/// A position of alpha's, and one of nobody's beside it.
fn beside_a_foreign_one() -> Shell {
    let mut shell = holding();
    let foreign = deal(2, 2, Side::Sell, Entry::In, 5_000_000, 110_000);
    shell.feed(Input::Deal(foreign));
    shell
}

fn done(event: &Event) -> bool {
    matches!(event, Event::Flatten(_, left) if left.is_empty())
}

#[test]
fn flattening_closes_what_the_scope_owns_once() {
    let mut shell = beside_a_foreign_one();
    let beta = flattened(&mut shell, "beta", Some("beta"), false);
    assert_eq!(beta, FlattenReport::default());
    assert!(shell.left().is_empty());
    let report = flattened(&mut shell, "all", None, false);
    assert_eq!((report.cancellations, report.closes), (0, 1));
    let sent = shell.leaves();
    let TradeRequest::Close { side, .. } = sent.request else {
        panic!("{sent:?}")
    };
    assert_eq!(side, Side::Sell);
    assert_eq!(closed_by(&sent), (Ticket(1), None), "all that there is");
    let mymt5_orders::Job::Order(id) = sent.job else {
        panic!()
    };
    assert_eq!(shell.order(id).lots, lots(0.1));
    let repeated = flattened(&mut shell, "all", None, false);
    assert_eq!(repeated, report);
    assert!(shell.left().is_empty(), "a repeat sends nothing");
    let wider = flattened(&mut shell, "foreign", None, true);
    assert_eq!(wider.closes, 2, "under way");
    let sent = shell.leaves();
    assert_eq!(closed_by(&sent).0, Ticket(2), "the own one is closing");
}

#[test]
fn a_flatten_halts_its_scope_and_ends_once_nothing_is_left() {
    let mut shell = holding();
    let report = flattened(&mut shell, "all", None, false);
    let items: Vec<Item> = report.left.iter().map(|left| left.item).collect();
    assert_eq!(items, [Item::Position(HELD)]);
    assert_eq!(shell.core.account_state(), Halted);
    let entry = shell.entry_refusal("alpha", "entry");
    assert_eq!(entry, Some(Reason::TradingStateForbids));
    assert!(shell.is_hindered_by(ObstacleKind::Flattening));
    let sent = shell.leaves();
    let mut closing = deal(2, 1, Side::Sell, Entry::Out, 10_000_000, 110_000);
    closing.magic = sent.request.magic().unwrap();
    shell.answer(sent.job, Ok(receipt(Retcode::DONE, 2)));
    shell.feed(Input::Deal(closing));
    shell.compare();
    shell.second();
    assert_eq!(shell.told(done), 1);
    assert_eq!(shell.obstacles(), [ObstacleKind::Halted]);
    assert_eq!(shell.core.account_state(), Halted, "an operator resumes");
}

#[test]
fn a_flatten_goes_on_after_a_restart_until_an_operator_resumes() {
    let mut shell = holding();
    flattened(&mut shell, "all", None, false);
    let sent = shell.leaves();
    shell.answer(sent.job, Err(rejected(Retcode::NO_MONEY)));
    shell.restart_and_connect();
    assert!(shell.left().is_empty(), "nothing is sent at a restart");
    shell.second();
    let again = shell.leaves();
    assert_eq!(closed_by(&again).0, Ticket(1));
    shell.answer(again.job, Err(rejected(Retcode::NO_MONEY)));
    shell.enter("resume", None, Active);
    shell.pass(60_000);
    shell.second();
    assert!(shell.left().is_empty());
}

#[test]
fn a_flatten_catches_what_fills_after_it() {
    let mut shell = ready();
    let (id, _) = shell.send("alpha", "late", buy(0.1));
    let report = flattened(&mut shell, "all", None, false);
    let items: Vec<Item> = report.left.iter().map(|left| left.item).collect();
    assert_eq!(items, [Item::Order(id)]);
    assert!(shell.left().is_empty());
    let fill = fill(1, 1, shell.order(id));
    shell.feed(Input::Deal(fill));
    shell.second();
    assert_eq!(closed_by(&shell.leaves()).0, Ticket(1));
    assert_eq!(shell.told(done), 0);
}

/// The broker confirms the cancellation, and then tells of what was filled before.
#[test]
fn a_flatten_waits_for_what_a_cancelled_order_filled_before() {
    let mut shell = ready();
    let id = shell.work("alpha", "limit", 50);
    flattened(&mut shell, "all", None, false);
    let cancel = shell.leaves();
    shell.answer(cancel.job, Ok(Receipt::bare(Retcode::DONE)));
    shell.second();
    // The link is lost for longer than the grace, and what it brings then is the past of before.
    shell.feed(Input::Link(false));
    shell.pass(31_000);
    shell.quote_again();
    shell.connect();
    shell.second();
    assert_eq!(shell.told(done), 0);
    assert!(shell.is_hindered_by(ObstacleKind::Flattening));
    let mut part = fill(1, 50, shell.order(id));
    part.order = Some(Ticket(50));
    part.lots = lots(0.05);
    shell.feed(Input::Deal(part));
    shell.second();
    assert_eq!(closed_by(&shell.leaves()).0, Ticket(50));
}

/// Filled by two deals with the answer: which position that makes is told by the next rows.
#[test]
fn a_flatten_waits_for_a_position_that_is_not_told_yet() {
    let mut shell = ready();
    let (id, _) = shell.send("alpha", "late", buy(0.1));
    flattened(&mut shell, "all", None, false);
    let half = |ticket| {
        let mut half = fill(ticket, 1, shell.order(id));
        (half.order, half.lots) = (Some(Ticket(1)), lots(0.05));
        half
    };
    let receipt = Receipt {
        deals: vec![half(1), half(2)],
        ..receipt(Retcode::DONE, 1)
    };
    shell.answer(id, Ok(receipt));
    assert_eq!(shell.order(id).state, OrderState::Filled);
    assert!(shell.core.book().positions().next().is_none());
    shell.second();
    assert_eq!(shell.told(done), 0);
    assert!(shell.is_hindered_by(ObstacleKind::Flattening));
}

/// A pending order of somebody else.
fn foreign_order() -> OrderRow {
    let mut shell = ready();
    let id = shell.work("alpha", "limit", 50);
    OrderRow {
        magic: Magic::NONE,
        ..order_row(shell.order(id))
    }
}

#[test]
fn foreign_pending_orders_are_cancelled_only_where_they_are_included() {
    let row = foreign_order();
    let compare = |shell: &mut Shell, orders: Vec<OrderRow>| {
        let rows = Snapshot {
            orders,
            ..shell.known_rows()
        };
        shell.feed(Input::Pass(rows, history()));
    };
    let mut shell = ready();
    compare(&mut shell, vec![row.clone()]);
    flattened(&mut shell, "own", None, false);
    shell.second();
    assert!(shell.left().is_empty());
    let report = flattened(&mut shell, "all", None, true);
    assert_eq!(report.cancellations, 1);
    let sent = shell.leaves();
    assert!(matches!(
        sent.request,
        TradeRequest::Cancel {
            order: Ticket(50),
            ..
        }
    ));
    shell.pass(10_000);
    shell.second();
    assert!(shell.left().is_empty(), "it is on its way");
    shell.answer(sent.job, Err(rejected(Retcode::FROZEN)));
    assert!(shell.left().is_empty(), "none waited behind it");
    shell.second();
    let sent = shell.leaves();
    shell.answer(sent.job, Ok(Receipt::bare(Retcode::DONE)));
    compare(&mut shell, Vec::new());
    shell.second();
    assert_eq!(shell.obstacles(), [ObstacleKind::Halted]);
}
