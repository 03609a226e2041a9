//! A journal that is older than the account: nothing is given twice, and what the journal does not know
//! keeps entries closed until an operator has looked.

use crate::bench::{Disk, rows::*, scenes::*};
use mymt5_guard::{Limits, Percent, ScopeLimits, TradingState};
use mymt5_model::{
    Magic, OrderRow, OrderState, OrderType, PositionId, Reason, RowState, Side, Ticket,
    TradeRequest,
};
use mymt5_orders::{
    Adoption, ChangeOutcome, Input, ObstacleKind, Outbox, Purpose, Record, Subject,
};

const HOUR_MS: i64 = 3_600_000;

/// The process ends, and another one starts with an older journal.
fn restore(scene: &mut Scene, backup: &Disk) {
    scene.shell.disk = backup.clone();
    scene.restart();
}

/// A working order in alpha's slot that no journal knows.
fn orphan_order(scene: &mut Scene, volume: f64) -> Ticket {
    let ticket = Ticket(scene.next_ticket());
    let magic = Magic::new(1, 77).unwrap();
    let row = scene.market_row(ticket.0, Side::Buy, lots(volume), magic);
    scene.orders.push(OrderRow {
        kind: OrderType::Limit,
        state: RowState::Placed,
        lots_left: row.lots,
        price: Some(points(BID - 1_000)),
        done: None,
        ..row
    });
    scene.rows();
    ticket
}

fn adopted_order(scene: &Scene, ticket: Ticket) -> mymt5_orders::Order {
    let mut orders = scene.shell.disk.orders.values();
    let adopted = orders.find(|order| order.ticket == Some(ticket));
    adopted.unwrap().clone()
}

/// The journal of before, and two orders of alpha that only the broker knows.
fn two_orders_later() -> Scene {
    let mut scene = scene();
    scene.hold("alpha", "b0", 0.1);
    let backup = scene.shell.disk.clone();
    for request in ["b3", "b4"] {
        let held = scene.hold("alpha", request, 0.1);
        scene.close("alpha", &format!("{request}-close"), held, None);
        scene.obey();
    }
    scene.shell.pass(60_000);
    restore(&mut scene, &backup);
    scene
}

#[test]
fn no_id_is_given_twice_after_a_restore_though_the_clock_went_back() {
    let mut scene = scene();
    let backup = scene.shell.disk.clone();
    let mut before = Vec::new();
    for n in 0..3 {
        scene.shell.pass(10);
        let request = format!("a{n}");
        scene.hold("alpha", &request, 0.1);
        before.push(scene.id("alpha", &request));
    }
    scene.set_clock(-HOUR_MS);
    restore(&mut scene, &backup);
    for held in scene.positions.clone() {
        let request = format!("x{}", held.id);
        scene.adopt(&request, "alpha", Adoption::Position(held.id));
    }
    scene.submit("beta", "b", buy(0.1));
    let given = scene.id("beta", "b");
    assert!(before.iter().all(|old| *old < given), "{before:?} {given}");
    let old = scene.cancel("beta", "c", before[0]);
    assert_eq!(scene.refusal(old), Reason::OrderNotFound);
}

#[test]
fn deals_that_the_journal_does_not_know_keep_their_clients_entries_closed() {
    let mut scene = two_orders_later();
    let entry = scene.submit("alpha", "e", buy(0.1));
    assert_eq!(scene.refusal(entry), Reason::OrphansFound);
    for lost in ["b3", "b4"] {
        let repeat = scene.submit("alpha", lost, buy(0.1));
        assert_eq!(scene.refusal(repeat), Reason::OrphansFound);
    }
    assert_eq!(scene.positions.len(), 1);
    scene.submit("beta", "b", buy(0.1));
    scene.obey();
    let held = scene.positions[0].id.0;
    scene.close("alpha", "c", held, None);
    scene.obey();
    scene.rows();
    assert!(scene.position(held).is_none());
    let listed = scene.obstacle(ObstacleKind::OrphanDeals).unwrap();
    assert_eq!(listed.client, Some(name("alpha")));
}

#[test]
fn they_stay_closed_in_the_next_process_until_each_deal_is_adopted() {
    let mut scene = two_orders_later();
    scene.restart();
    let orphans: Vec<Ticket> = scene.shell.disk.orphan_deals.keys().copied().collect();
    assert_eq!(orphans.len(), 4);
    for (n, ticket) in orphans.iter().enumerate() {
        let entry = scene.submit("alpha", "e", buy(0.1));
        assert_eq!(scene.refusal(entry), Reason::OrphansFound, "{n}");
        scene.adopt(&format!("d{n}"), "alpha", Adoption::Deal(*ticket));
    }
    scene.submit("alpha", "e", buy(0.1));
    scene.obey();
    scene.restart();
    assert_eq!(scene.obstacles(), []);
    let again = scene.adopt("again", "alpha", Adoption::Deal(orphans[0]));
    assert_eq!(scene.refusal(again), Reason::DealNotFound);
}

#[test]
fn all_deals_of_a_client_are_adopted_at_once() {
    let mut scene = two_orders_later();
    let other = scene.adopt("other", "beta", Adoption::Deals);
    assert_eq!(scene.refusal(other), Reason::DealNotFound);
    let entry = scene.submit("alpha", "e", buy(0.1));
    assert_eq!(scene.refusal(entry), Reason::OrphansFound);
    scene.adopt("all", "alpha", Adoption::Deals);
    scene.submit("alpha", "f", buy(0.1));
    scene.obey();
    scene.restart();
    assert_eq!(scene.obstacles(), []);
    let again = scene.adopt("again", "alpha", Adoption::Deals);
    assert_eq!(scene.refusal(again), Reason::DealNotFound);
}

#[test]
fn nothing_is_sent_at_a_start() {
    let mut scene = one_lane();
    scene.submit("alpha", "a", buy(0.1));
    scene.submit("alpha", "b", buy(0.1));
    let asker = scene.submit("alpha", "c", buy_limit(0.1, BID - 500));
    assert!(scene.answers(asker).is_empty());
    scene.restart();
    scene.live(60);
    assert!(scene.shell.sent.is_empty());
    for request in ["a", "b", "c"] {
        assert_eq!(scene.state("alpha", request), OrderState::Rejected);
    }
}

#[test]
fn an_adopted_order_is_its_clients_from_then_on() {
    let mut scene = scene();
    let ticket = orphan_order(&mut scene, 0.1);
    let refused = scene.submit("beta", "b", buy(0.1));
    assert_eq!(scene.refusal(refused), Reason::OrphansFound);
    scene.adopt("x", "alpha", Adoption::Order(ticket));
    assert_eq!(scene.obstacles(), []);
    scene.restart();
    assert_eq!(scene.obstacles(), []);
    let order = adopted_order(&scene, ticket);
    assert_eq!(
        (order.client, order.state),
        (name("alpha"), OrderState::Working)
    );
    let deal = scene.fill_pending(ticket, lots(0.1));
    scene.shell.feed(Input::Deal(deal));
    assert_eq!(adopted_order(&scene, ticket).state, OrderState::Filled);
    let held = scene.position(ticket.0).unwrap();
    assert_eq!(
        (held.client.clone(), held.orphan),
        (Some(name("alpha")), false)
    );
    assert_eq!(scene.obstacles(), []);
}

/// The row was read before the fill, and on netting the fill went to another's position.
#[test]
fn an_adopted_order_has_what_it_filled_since_its_row_was_read() {
    let mut scene = netting_scene();
    let held = scene.hold("alpha", "a", 0.1);
    let ticket = orphan_order(&mut scene, 0.1);
    let deal = scene.fill_pending(ticket, lots(0.1));
    scene.shell.feed(Input::Deal(deal));
    scene.adopt("x", "alpha", Adoption::Order(ticket));
    let order = adopted_order(&scene, ticket);
    assert_eq!(
        (order.state, order.filled, order.position),
        (OrderState::Filled, lots(0.1), Some(PositionId(held)))
    );
}

#[test]
fn an_adopted_order_has_what_the_process_before_learnt_of_its_fills() {
    let mut scene = netting_scene();
    scene.hold("alpha", "a", 0.1);
    let ticket = orphan_order(&mut scene, 0.1);
    let deal = scene.fill_pending(ticket, lots(0.04));
    scene.shell.feed(Input::Deal(deal));
    scene.restart();
    scene.adopt("x", "alpha", Adoption::Order(ticket));
    let order = adopted_order(&scene, ticket);
    assert_eq!(
        (order.state, order.filled),
        (OrderState::PartiallyFilled, lots(0.04))
    );
}

#[test]
fn an_adopted_order_is_cancelled_by_its_client_and_by_a_halt() {
    let mut scene = scene();
    let ticket = orphan_order(&mut scene, 0.1);
    scene.adopt("x", "beta", Adoption::Order(ticket));
    let order = adopted_order(&scene, ticket).id;
    let cancelled = scene.cancel("beta", "c", order);
    scene.obey();
    assert_eq!(scene.change_told(cancelled).outcome, ChangeOutcome::Done);
    let ticket = orphan_order(&mut scene, 0.1);
    scene.orders[0].magic = Magic::new(1, 78).unwrap();
    scene.rows();
    scene.adopt("y", "beta", Adoption::Order(ticket));
    scene.set_state("h", Some("beta"), TradingState::Halted);
    let sent = scene.sent();
    assert!(matches!(sent.request, TradeRequest::Cancel { order, .. } if order == ticket));
}

/// It left before the restore, and nothing tells of it before the broker has it.
#[test]
fn an_order_that_was_on_its_way_at_a_restore_counts_from_its_row_on() {
    let limits = entry_limits(Limits {
        max_lots_total: Some(lots(0.3)),
        ..Limits::default()
    });
    let mut scene = limited_scene(limits, ScopeLimits::default());
    let backup = scene.shell.disk.clone();
    scene.submit("alpha", "p", buy_limit(0.2, BID - 500));
    let sent = scene.sent();
    restore(&mut scene, &backup);
    drop(scene.execute(&sent));
    scene.rows();
    let closed = scene.submit("alpha", "a", buy(0.1));
    assert_eq!(scene.refusal(closed), Reason::OrphansFound);
    let ticket = scene.orders[0].ticket;
    scene.adopt("x", "alpha", Adoption::Order(ticket));
    let beyond = scene.submit("alpha", "b", buy(0.11));
    assert_eq!(scene.refusal(beyond), Reason::LimitLotsTotal);
    scene.submit("alpha", "c", buy(0.1));
    scene.obey();
    assert_eq!(scene.state("alpha", "c"), OrderState::Filled);
}

#[test]
fn an_adopted_order_is_no_missing_fact() {
    let limits = Limits {
        max_margin_use: Some(Percent::try_from(50.0).unwrap()),
        ..Limits::default()
    };
    let mut scene = limited_scene(entry_limits(limits.clone()), entry_limits(limits));
    let ticket = orphan_order(&mut scene, 0.1);
    scene.adopt("x", "alpha", Adoption::Order(ticket));
    scene.submit("alpha", "a", buy(0.1));
    scene.obey();
    assert_eq!(scene.state("alpha", "a"), OrderState::Filled);
}

#[test]
fn an_orphan_position_may_be_closed_by_its_owner_and_is_adopted_by_an_operator() {
    let mut scene = scene();
    let magic = Magic::new(1, 77).unwrap();
    let held = scene.open(Side::Buy, lots(0.2), magic).order.unwrap().0;
    scene.rows();
    assert!(scene.position(held).unwrap().orphan);
    let refused = scene.submit("beta", "b", buy(0.1));
    assert_eq!(scene.refusal(refused), Reason::OrphansFound);
    scene.close("alpha", "c", held, Some(0.1));
    scene.obey();
    scene.adopt("x", "beta", Adoption::Position(PositionId(held)));
    scene.restart();
    let told = scene.position(held).unwrap();
    assert_eq!(
        (told.client.clone(), told.orphan),
        (Some(name("beta")), false)
    );
    assert_eq!(scene.obstacle(ObstacleKind::OrphanRows), None);
    let stranger = scene.close("alpha", "d", held, None);
    assert_eq!(scene.refusal(stranger), Reason::PositionNotFound);
    scene.close("beta", "d", held, None);
    scene.obey();
    scene.rows();
    assert!(scene.position(held).is_none());
}

#[test]
fn an_adoption_is_recorded_with_its_call() {
    let mut scene = scene();
    let ticket = orphan_order(&mut scene, 0.1);
    let first = scene.adopt("x", "alpha", Adoption::Order(ticket));
    let second = scene.adopt("x", "alpha", Adoption::Order(ticket));
    for asker in [first, second] {
        assert!(matches!(scene.answer(asker), mymt5_orders::Answer::Done));
    }
    let key = mymt5_orders::RequestKey(name("local"), id("x"));
    assert_eq!(scene.shell.disk.requests[&key].subject, Subject::Done);
    assert_eq!(scene.notices("decided"), 1);
    assert_eq!(scene.shell.disk.orders.len(), 1);
}

#[test]
fn a_position_of_the_backup_that_is_gone_by_now_is_closed_by_its_deals() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    let backup = scene.shell.disk.clone();
    scene.close("alpha", "c", held, None);
    scene.obey();
    restore(&mut scene, &backup);
    assert!(scene.position(held).is_none());
    let closes = scene.shell.disk.orders.values();
    let closes = closes.filter(|order| matches!(order.purpose, Purpose::Exit(_)));
    assert_eq!(closes.count(), 0);
    assert!(scene.obstacle(ObstacleKind::OrphanDeals).is_some());
}

#[test]
fn an_order_that_worked_at_the_backup_is_told_as_it_ended_since() {
    let mut scene = scene();
    let ticket = scene.work("alpha", "p", 0.1);
    let backup = scene.shell.disk.clone();
    let deal = scene.fill_pending(ticket, lots(0.1));
    scene.shell.feed(Input::Deal(deal));
    restore(&mut scene, &backup);
    assert_eq!(scene.state("alpha", "p"), OrderState::Filled);
    assert_eq!(scene.obstacles(), []);
}

/// What a step with so many orphan deals records of them, in all: entries of its maps.
fn recorded_orphans(scene: &mut Scene, count: u64) -> usize {
    for n in 0..count {
        let magic = Magic::new(1, 100 + n).unwrap();
        let position = scene.open(Side::Buy, lots(0.01), magic).order.unwrap();
        scene.reduce(PositionId(position.0), lots(0.01), magic);
    }
    let (rows, history) = (scene.snapshot(), scene.history());
    let core = &mut scene.shell.core;
    let (now, prices) = (scene.shell.now, &scene.shell.prices);
    core.step(now, Input::Pass(rows, history), Default::default(), prices);
    let Outbox { records, .. } = core.take_outbox();
    let sizes = records.iter().map(|record| match record {
        Record::OrphanDeals(deals) => deals.len(),
        _ => 0,
    });
    sizes.sum()
}

#[test]
fn many_orphan_deals_are_recorded_once() {
    let mut scene = limited_scene(ScopeLimits::default(), ScopeLimits::default());
    let recorded = recorded_orphans(&mut scene, 200);
    assert!(recorded <= 2 * 400, "{recorded} entries for 400 deals");
}

#[test]
fn an_orphan_that_bears_the_number_of_an_order_of_ours_takes_nothing_of_it() {
    let mut scene = scene();
    scene.work("alpha", "p", 0.1);
    let order = scene.order("alpha", "p").clone();
    let ticket = orphan_order(&mut scene, 0.3);
    let twin = Magic::new(2, order.id.0).unwrap();
    for row in &mut scene.orders {
        if row.ticket == ticket {
            row.magic = twin;
        }
    }
    scene.rows();
    scene.adopt("x", "beta", Adoption::Order(ticket));
    let kept = scene.shell.core.order(order.id).unwrap();
    assert_eq!((&kept.client, kept.magic), (&order.client, order.magic));
}

#[test]
fn deals_of_the_lost_time_are_their_clients() {
    let scene = two_orders_later();
    let deals = scene.shell.disk.deals.values();
    let owners: Vec<_> = deals.map(|owned| owned.client.clone()).collect();
    assert_eq!(owners.len(), 5);
    assert!(owners.iter().all(|owner| *owner == Some(name("alpha"))));
}

/// The deal that opened it cannot be read any more: its order tells whose it was.
#[test]
fn a_close_by_hand_of_a_position_of_the_lost_time_is_its_owners() {
    let mut scene = scene();
    let backup = scene.shell.disk.clone();
    let held = scene.hold("alpha", "a", 0.1);
    let deal = scene.close_by_hand(held, 0.1);
    scene.deals.remove(0);
    restore(&mut scene, &backup);
    let known = &scene.shell.disk.deals[&deal.ticket];
    assert_eq!(known.client, Some(name("alpha")));
    assert!(scene.obstacle(ObstacleKind::ForeignTrade).is_some());
}

/// It got its slot after the backup, and the configuration named it again long after the start, or at
/// the next one.
#[test]
fn a_position_of_a_client_that_the_journal_forgot_is_its_orphan_once_it_is_granted_again() {
    for restarts in [false, true] {
        let mut scene = scene();
        let magic = Magic::new(4, 77).unwrap();
        let held = scene.open(Side::Buy, lots(0.2), magic).order.unwrap().0;
        scene.pass();
        assert_eq!(scene.position(held).unwrap().client, None);
        let grant = scene.shell.config.grants[&name("alpha")].clone();
        scene.shell.config.grants.insert(name("gamma"), grant);
        if restarts {
            scene.shell.disk.slots.insert(name("gamma"), 4);
            scene.restart();
        } else {
            scene.regrant();
        }
        let told = scene.position(held).unwrap();
        let owner = (told.client.clone(), told.orphan);
        assert_eq!(owner, (Some(name("gamma")), true), "{restarts}");
        assert!(scene.obstacle(ObstacleKind::OrphanRows).is_some());
        let deal = scene.close_by_hand(held, 0.1);
        scene.shell.feed(Input::Deal(deal.clone()));
        let known = &scene.shell.disk.deals[&deal.ticket];
        assert_eq!(known.client, Some(name("gamma")), "{restarts}");
    }
}
