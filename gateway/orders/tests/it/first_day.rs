//! What is measured on the first day of a journal, though no losses are limited.

use crate::bench::{rows::*, scenes::*};
use mymt5_model::{DealKind, DealRow, Ticket};
use mymt5_orders::{History, Input, RowKind, Snapshot, Unreadable};

/// The account's day begins with this balance within seconds, and with nothing before that.
fn begins_soon(scene: &mut Scene, balance: f64) {
    assert_eq!(scene.shell.core.losses_of(&None), None);
    scene.live(7);
    let losses = scene.shell.core.losses_of(&None).unwrap();
    assert_eq!(losses.1.base, money(balance));
    assert!(!scene.shell.core.wants_pass());
}

/// A new journal after a first pass that did not know the broker's time.
fn passed_without_time() -> Scene {
    let mut scene = Scene::unseen(fresh());
    scene.shell.feed(Input::Link(true));
    let rows = Snapshot {
        time: None,
        ..scene.snapshot()
    };
    let history = scene.history();
    scene.shell.feed(Input::Pass(rows, history));
    scene
}

#[test]
fn it_begins_though_the_first_pass_did_not_know_the_brokers_time() {
    let mut scene = passed_without_time();
    begins_soon(&mut scene, 10_000.0);
}

#[test]
fn it_begins_though_the_first_pass_met_a_deal_of_that_moment() {
    let mut scene = Scene::unseen(fresh());
    scene.account.balance = money(9_990.0);
    let ticket = scene.next_ticket();
    let fresh = DealRow {
        kind: DealKind::Other,
        time: scene.broker_time(),
        ..flow(ticket, -10.0)
    };
    scene.deals.push(fresh);
    scene.refresh();
    scene.connect();
    begins_soon(&mut scene, 9_990.0);
}

#[test]
fn nothing_hurries_while_the_brokers_time_is_unknown() {
    let mut scene = passed_without_time();
    scene.shell.pass(7_000);
    scene.shell.feed(Input::Second);
    assert!(!scene.shell.core.wants_pass());
}

#[test]
fn nothing_hurries_while_a_deal_cannot_be_understood() {
    let mut scene = Scene::unseen(fresh());
    scene.shell.feed(Input::Link(true));
    let garbled = Unreadable {
        kind: RowKind::Deal,
        ticket: Ticket(77),
        symbol: None,
        why: "type: expected 0 or 1".to_owned(),
    };
    let history = History {
        unreadable: vec![garbled],
        ..scene.history()
    };
    let rows = scene.snapshot();
    scene.shell.feed(Input::Pass(rows, history));
    scene.shell.pass(7_000);
    scene.shell.feed(Input::Second);
    assert!(!scene.shell.core.wants_pass());
    // Once it can be, the day begins with the next pass.
    scene.shell.pass(60_000);
    begins_soon(&mut scene, 10_000.0);
}
