//! Rows that cannot be understood: entries wait, everything else goes on, and what cannot be read is
//! not taken for absent.

use crate::bench::{rows::*, scenes::*, shell::BROKER_START};
use mymt5_model::{OrderState, Reason, Ticket};
use mymt5_orders::{
    Acceptance, Event, History, Input, ObstacleKind, RowKind, Snapshot, Unreadable,
};

fn unreadable(kind: RowKind, ticket: Ticket) -> Unreadable {
    Unreadable {
        kind,
        ticket,
        symbol: Some(symbol("EURUSD")),
        why: "type: expected 0 or 1".to_owned(),
    }
}

/// The row of that ticket cannot be understood from now on.
fn garble(rows: Snapshot, kind: RowKind, ticket: Ticket) -> Snapshot {
    let Snapshot {
        mut positions,
        mut orders,
        ..
    } = rows.clone();
    positions.retain(|row| row.ticket != ticket);
    orders.retain(|row| row.ticket != ticket);
    Snapshot {
        positions,
        orders,
        unreadable: vec![unreadable(kind, ticket)],
        ..rows
    }
}

/// Time passes, and the row of that ticket is unreadable all the while.
fn live_garbled(scene: &mut Scene, kind: RowKind, ticket: Ticket, seconds: i64) {
    for _ in 0..seconds {
        scene.shell.pass(1_000);
        scene.tick(BID, ASK);
        let rows = garble(scene.snapshot(), kind, ticket);
        let input = if scene.shell.core.wants_pass() {
            Input::Pass(rows, scene.history())
        } else {
            Input::Rows(rows)
        };
        scene.shell.feed(input);
    }
}

fn closed_positions(scene: &Scene) -> usize {
    let closed = scene.events();
    let closed = closed.filter(|event| matches!(event, Event::PositionClosed(_)));
    closed.count()
}

#[test]
fn one_row_that_cannot_be_read_spoils_no_pass() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    live_garbled(&mut scene, RowKind::Order, Ticket(77), 61);
    assert_eq!(scene.obstacle(ObstacleKind::NotCompared), None);
    let listed = scene.obstacle(ObstacleKind::UnreadableRows).unwrap();
    assert!(listed.why.contains("77") && listed.why.contains("expected"));
    let entry = scene.submit("alpha", "e", buy(0.1));
    assert_eq!(scene.refusal(entry), Reason::UnreadableRows);
    scene.close("alpha", "c", held, None);
    scene.obey();
    assert_eq!(scene.state("alpha", "c"), OrderState::Filled);
    assert_eq!(scene.notices("unreadable_rows"), 1);
}

#[test]
fn what_was_accepted_holds_for_these_rows_alone() {
    let mut scene = scene();
    live_garbled(&mut scene, RowKind::Order, Ticket(77), 1);
    scene.accept("ok", Acceptance::UnreadableRows);
    live_garbled(&mut scene, RowKind::Order, Ticket(77), 5);
    assert_eq!(scene.obstacles(), []);
    live_garbled(&mut scene, RowKind::Order, Ticket(78), 1);
    assert!(scene.obstacle(ObstacleKind::UnreadableRows).is_some());
}

#[test]
fn what_was_accepted_stays_accepted_in_the_next_process() {
    let mut scene = scene();
    live_garbled(&mut scene, RowKind::Order, Ticket(77), 1);
    scene.accept("ok", Acceptance::UnreadableRows);
    scene.restart();
    live_garbled(&mut scene, RowKind::Order, Ticket(77), 1);
    assert_eq!(scene.obstacle(ObstacleKind::UnreadableRows), None);
}

#[test]
fn a_position_that_cannot_be_read_is_not_closed() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    live_garbled(&mut scene, RowKind::Position, Ticket(held), 30);
    assert_eq!(closed_positions(&scene), 0);
    scene.close("alpha", "c", held, None);
    scene.obey();
    assert_eq!(scene.state("alpha", "c"), OrderState::Filled);
}

#[test]
fn a_flatten_does_not_end_while_a_position_cannot_be_read() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    live_garbled(&mut scene, RowKind::Position, Ticket(held), 30);
    scene.flatten("f", None, false);
    scene.shell.feed(Input::Second);
    scene.obey_all();
    scene.shell.feed(Input::Second);
    let over = scene.obstacle(ObstacleKind::Flattening).is_none();
    assert!(!over || scene.positions.is_empty());
}

#[test]
fn a_working_order_that_cannot_be_read_is_not_over() {
    let mut scene = scene();
    let ticket = scene.work("alpha", "p", 0.1);
    live_garbled(&mut scene, RowKind::Order, ticket, 450);
    assert_eq!(scene.state("alpha", "p"), OrderState::Working);
}

#[test]
fn an_unknown_order_is_not_absent_while_a_row_cannot_be_read() {
    let mut scene = scene();
    scene.submit("alpha", "p", buy_limit(0.1, BID - 1_000));
    scene.lose_answer();
    let ticket = scene.orders[0].ticket;
    live_garbled(&mut scene, RowKind::Order, ticket, 60);
    assert_eq!(scene.state("alpha", "p"), OrderState::Unknown);
    scene.live(6);
    assert_eq!(scene.state("alpha", "p"), OrderState::Working);
}

#[test]
fn an_unknown_order_is_not_absent_while_a_deal_cannot_be_read() {
    let mut scene = scene();
    scene.submit("alpha", "a", buy(0.1));
    scene.lose_answer();
    let deal = scene.deals.pop().unwrap();
    scene.positions.clear();
    scene.ended.clear();
    for _ in 0..20 {
        scene.shell.pass(5_000);
        let rows = scene.snapshot();
        let history = History {
            unreadable: vec![unreadable(RowKind::Deal, deal.ticket)],
            ..scene.history()
        };
        scene.shell.feed(Input::Pass(rows, history));
    }
    assert_eq!(scene.state("alpha", "a"), OrderState::Unknown);
}

/// A pass whose history holds a deal of the start that cannot be understood, where it reaches so far.
fn pass_garbled(scene: &mut Scene) {
    let (rows, mut history) = (scene.snapshot(), scene.history());
    if history.from <= BROKER_START {
        history.unreadable = vec![unreadable(RowKind::Deal, Ticket(5))];
    }
    scene.shell.feed(Input::Pass(rows, history));
}

#[test]
fn passes_reach_a_deal_that_cannot_be_read_until_it_is_accepted() {
    let mut scene = scene();
    for restarts in [false, true] {
        for _ in 0..3 {
            scene.shell.pass(2 * 86_400_000);
            pass_garbled(&mut scene);
            assert!(scene.obstacle(ObstacleKind::UnreadableRows).is_some());
            assert_eq!(scene.obstacle(ObstacleKind::NotCompared), None);
        }
        if !restarts {
            scene.shell.restart();
            scene.shell.feed(Input::Link(true));
        }
    }
    scene.accept("ok", Acceptance::UnreadableRows);
    pass_garbled(&mut scene);
    scene.shell.pass(2 * 86_400_000);
    pass_garbled(&mut scene);
    assert_eq!(scene.obstacles(), []);
    let (from, _) = scene
        .shell
        .core
        .lookback()
        .window(Some(scene.broker_time()));
    assert!(from > BROKER_START);
}

#[test]
fn passes_of_a_first_start_reach_a_deal_that_cannot_be_read() {
    let mut scene = Scene::unseen(fresh());
    scene.shell.feed(Input::Link(true));
    pass_garbled(&mut scene);
    scene.shell.pass(7 * 86_400_000);
    pass_garbled(&mut scene);
    assert!(scene.obstacle(ObstacleKind::UnreadableRows).is_some());
    scene.pass();
    scene.tick(BID, ASK);
    scene.accept("ok", Acceptance::UnreadableRows);
    assert_eq!(scene.obstacles(), []);
}

#[test]
fn a_known_deal_that_cannot_be_read_any_more_is_not_lacking() {
    let mut scene = scene();
    scene.hold("alpha", "a", 0.1);
    let deal = scene.deals.pop().unwrap();
    let rows = scene.snapshot();
    let history = History {
        unreadable: vec![unreadable(RowKind::Deal, deal.ticket)],
        ..scene.history()
    };
    scene.shell.feed(Input::Pass(rows, history));
    scene.accept("ok", Acceptance::UnreadableRows);
    assert_eq!(scene.obstacles(), []);
}

#[test]
fn an_account_that_cannot_be_read_closes_entries_alone() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    scene.shell.feed(Input::Unreadable(true));
    assert!(scene.shell.core.is_unreadable());
    let entry = scene.submit("alpha", "e", buy(0.1));
    assert_eq!(scene.refusal(entry), Reason::PendingReconciliation);
    scene.close("alpha", "c", held, None);
    scene.obey();
    scene.shell.feed(Input::Unreadable(false));
    assert_eq!(scene.obstacles(), []);
}

/// The rows lag behind it, too.
#[test]
fn deals_after_one_that_cannot_be_read_are_not_in_their_order() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.13);
    let lagging = scene.snapshot();
    let hidden = scene.close_by_hand(held, 0.05);
    scene.deals.pop();
    let history = History {
        unreadable: vec![unreadable(RowKind::Deal, hidden.ticket)],
        ..scene.history()
    };
    scene.shell.feed(Input::Pass(lagging, history));
    scene.close("alpha", "c", held, Some(0.02));
    scene.obey();
    assert_eq!(scene.state("alpha", "c"), OrderState::Filled);
    assert_eq!(scene.position(held).unwrap().row.lots, lots(0.13));
    scene.deals.insert(1, hidden);
    scene.pass();
    assert_eq!(scene.position(held).unwrap().row.lots, lots(0.06));
}
