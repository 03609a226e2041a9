//! What an operator decides: unknown orders, and rows at the broker that the journal does not know.

use crate::{
    bench::{Shell, by_hand::*, rows::*},
    reconcile::{filled_by, position},
};
use mymt5_model::{DealRow, Entry, Magic, OrderId, OrderRow, OrderState, Reason, Side, Ticket};
use mymt5_orders::{Adoption, Answer, Command, Input, ObstacleKind, Resolution, Snapshot};

fn resolve(order: OrderId, resolution: Resolution) -> Command {
    let reason = "asked the broker".to_owned();
    Command::Resolve {
        order,
        resolution,
        reason,
    }
}

fn adopt(client: &str, what: Adoption) -> Command {
    Command::Adopt {
        client: name(client),
        what,
        reason: "looked at it".to_owned(),
    }
}

#[test]
fn rows_of_ours_that_the_journal_lacks_close_trading_until_adopted() {
    let mut shell = ready();
    let of_broker = |shell: &Shell| Snapshot {
        positions: vec![position(Magic::new(1, 77).unwrap())],
        ..rows(shell)
    };
    let snapshot = of_broker(&shell);
    shell.feed(Input::Pass(snapshot, history()));
    assert_eq!(shell.obstacles(), [ObstacleKind::OrphanRows]);
    for client in ["alpha", "beta"] {
        let refused = shell.entry_refusal(client, "b");
        assert_eq!(refused, Some(Reason::OrphansFound));
    }
    let what = Adoption::Position(HELD);
    shell.must("local", "adopt", adopt("beta", what));
    shell.must("local", "adopt", adopt("beta", what));
    assert!(shell.obstacles().is_empty());
    shell.restart();
    shell.feed(Input::Link(true));
    let snapshot = of_broker(&shell);
    shell.feed(Input::Pass(snapshot, history()));
    assert!(shell.obstacles().is_empty());
    let held = shell.core.book().position(HELD).unwrap();
    assert_eq!(held.client, Some(name("beta")));
}

#[test]
fn deals_of_ours_that_the_journal_lacks_close_their_owner_until_adopted() {
    let mut shell = ready();
    let orphan = DealRow {
        magic: Magic::new(1, 77).unwrap(),
        ..deal(5, 5, Side::Sell, Entry::Out, 10_000_000, 110_010)
    };
    shell.feed(Input::Deal(orphan));
    assert_eq!(shell.obstacles(), [ObstacleKind::OrphanDeals]);
    shell.restart_and_connect();
    let refused = shell.entry_refusal("alpha", "a");
    assert_eq!(refused, Some(Reason::OrphansFound));
    assert_eq!(shell.entry_refusal("beta", "b"), None);
    let what = |ticket| Adoption::Deal(Ticket(ticket));
    let wrong = shell.refusal("local", "wrong", adopt("alpha", what(6)));
    assert_eq!(wrong, Some(Reason::DealNotFound));
    shell.must("local", "adopt", adopt("alpha", what(5)));
    assert_eq!(shell.entry_refusal("alpha", "a"), None);
}

#[test]
fn an_operator_decides_only_what_is_unknown_and_evidence_still_wins() {
    let mut shell = ready();
    let (id, magic) = shell.unknown("a");
    shell.pass_without_orders(2_000, Vec::new());
    assert!(!shell.core.wants_pass());
    shell.must("local", "look", resolve(id, Resolution::Reconcile));
    assert!(shell.core.wants_pass());
    assert_eq!(shell.order(id).state, OrderState::Unknown);
    shell.must("local", "no", resolve(id, Resolution::NotDone));
    assert_eq!(shell.state(id), (OrderState::Rejected, "RESOLVED_NOT_DONE"));
    assert_eq!(shell.entry_refusal("alpha", "b"), None);
    let repeat = shell.ask("local", "no", resolve(id, Resolution::NotDone));
    assert!(matches!(repeat, Some(Answer::Order(order)) if order.id == id));
    let refused = shell.refusal("local", "x", resolve(id, Resolution::NotDone));
    assert_eq!(refused, Some(Reason::OrderNotUnknown));
    shell.feed(Input::Deal(filled_by(magic)));
    assert_eq!(shell.state(id), (OrderState::Filled, "LATE_EVIDENCE"));
}

#[test]
fn an_operator_may_say_that_it_was_done() {
    let mut shell = ready();
    let (id, _) = shell.unknown("a");
    shell.must("local", "yes", resolve(id, Resolution::Done));
    assert_eq!(shell.state(id), (OrderState::Filled, "RESOLVED_DONE"));
    assert!(shell.obstacles().is_empty());
}

#[test]
fn a_working_order_of_ours_that_the_journal_lacks_is_adopted_by_its_ticket() {
    let mut shell = ready();
    let known = shell.work("alpha", "limit", 1);
    let orphan = OrderRow {
        ticket: Ticket(77),
        magic: Magic::new(1, 5).unwrap(),
        ..order_row(shell.order(known))
    };
    let shown = |shell: &Shell| {
        let mut rows = shell.known_rows();
        rows.orders.retain(|row| row.ticket != orphan.ticket);
        rows.orders.push(orphan.clone());
        rows
    };
    let snapshot = shown(&shell);
    shell.feed(Input::Pass(snapshot, history()));
    assert_eq!(shell.obstacles(), [ObstacleKind::OrphanRows]);
    let refused = shell.entry_refusal("beta", "b");
    assert_eq!(refused, Some(Reason::OrphansFound));
    let what = |ticket| Adoption::Order(Ticket(ticket));
    let wrong = shell.refusal("local", "wrong", adopt("beta", what(78)));
    assert_eq!(wrong, Some(Reason::OrderNotFound));
    shell.must("local", "adopt", adopt("beta", what(77)));
    shell.must("local", "adopt", adopt("beta", what(77)));
    assert_eq!(shell.core.open_orders().count(), 2);
    assert!(shell.obstacles().is_empty());
    shell.restart();
    shell.feed(Input::Link(true));
    let snapshot = shown(&shell);
    shell.feed(Input::Pass(snapshot, history()));
    assert!(shell.obstacles().is_empty());
    let mut open = shell.core.open_orders();
    let adopted = open.find(|order| order.ticket == Some(Ticket(77))).unwrap();
    assert_eq!(
        (adopted.client.clone(), adopted.state),
        (name("beta"), OrderState::Working)
    );
}

#[test]
fn a_refused_adoption_takes_nothing_from_its_owner() {
    let mut shell = holding();
    let what = Adoption::Position(HELD);
    let refused = shell.refusal("local", "adopt", adopt("beta", what));
    assert_eq!(refused, Some(Reason::PositionNotFound));
    let held = shell.core.book().position(HELD).unwrap();
    assert_eq!(held.client, Some(name("alpha")));
}
