//! What others do on the account: told and frozen where it touches what is ours, and never seen where
//! nobody did anything.

use crate::bench::{rows::*, scenes::*};
use mymt5_guard::TradingState;
use mymt5_model::{
    BrokerTime, DealReason, DealRow, Entry, Lots, Magic, OrderState, PositionId, Reason, Side,
    Ticket,
};
use mymt5_orders::{Acceptance, Adoption, Event, History, Input, NewOrder, ObstacleKind, Snapshot};

/// An expert of nobody's trades: a deal that is in the history, and told.
fn expert(scene: &mut Scene, position: u64, side: Side, entry: Entry, volume: f64) -> DealRow {
    let ticket = scene.next_ticket();
    let price = if side == Side::Buy { ASK } else { BID };
    let units = lots(volume).units();
    let mut deal = deal(ticket, position, side, entry, units, price);
    (deal.magic, deal.time) = (Magic::from_raw(4_711), scene.broker_time());
    scene.add_deal(deal)
}

fn told_foreign(scene: &Scene) -> Vec<bool> {
    let told = scene.events().filter_map(|event| match event {
        Event::Foreign { frozen, .. } => Some(*frozen),
        _ => None,
    });
    told.collect()
}

fn is_frozen(scene: &mut Scene, request: &str) -> bool {
    let asker = scene.submit("alpha", request, buy(0.01));
    if scene.shell.sent.is_empty() {
        assert_eq!(scene.refusal(asker), Reason::SymbolFrozen);
        return true;
    }
    scene.obey();
    false
}

#[test]
fn a_close_by_hand_of_the_only_position_freezes_its_symbol() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    let deal = scene.close_by_hand(held, 0.1);
    scene.shell.feed(Input::Deal(deal));
    assert_eq!(told_foreign(&scene), [true]);
    assert!(scene.obstacle(ObstacleKind::ForeignTrade).is_some());
    assert!(is_frozen(&mut scene, "e"));
    scene.restart();
    assert!(is_frozen(&mut scene, "f"));
    scene.accept("ok", Acceptance::Symbol(symbol("EURUSD")));
    assert!(!is_frozen(&mut scene, "g"));
    assert_eq!(told_foreign(&scene), [true, false]);
}

/// The answer to the opening is lost, and after a start the stream tells its end first.
#[test]
fn a_close_by_hand_of_a_position_that_nobody_knows_is_its_owners() {
    let mut scene = scene();
    scene.submit("alpha", "a", buy(0.1));
    scene.lose_answer();
    let held = scene.positions[0].id.0;
    let deal = scene.close_by_hand(held, 0.1);
    scene.shell.restart();
    scene.shell.feed(Input::Link(true));
    scene.shell.feed(Input::Deal(deal.clone()));
    assert!(!scene.shell.disk.deals.contains_key(&deal.ticket));
    scene.pass();
    let known = &scene.shell.disk.deals[&deal.ticket];
    assert_eq!(known.client, Some(name("alpha")));
}

/// On netting, after a pass whose history lacked the opening yet.
#[test]
fn what_is_added_to_a_position_that_nobody_knows_is_its_owners() {
    let mut scene = netting_scene();
    scene.submit("alpha", "a", buy(0.1));
    scene.lose_answer();
    let rows = std::mem::take(&mut scene.positions);
    let deals = std::mem::take(&mut scene.deals);
    scene.ended.clear();
    scene.restart();
    let held = rows[0].id;
    scene.open(Side::Buy, lots(0.1), Magic::NONE);
    let mut deal = scene.deals.pop().unwrap();
    (deal.reason, deal.position_id) = (DealReason::Client, Some(held));
    scene.positions = rows;
    scene.deals = [deals, vec![deal.clone()]].concat();
    scene.shell.feed(Input::Deal(deal.clone()));
    assert!(!scene.shell.disk.deals.contains_key(&deal.ticket));
    scene.live(5);
    let known = &scene.shell.disk.deals[&deal.ticket];
    assert_eq!(known.client, Some(name("alpha")));
}

/// The pass that was under way when it was told had read its deals before.
#[test]
fn a_deal_that_waits_for_a_pass_is_looked_for_soon_again() {
    let mut scene = scene();
    scene.submit("alpha", "a", buy(0.1));
    scene.lose_answer();
    let held = scene.positions[0].id.0;
    let (rows, history) = (
        scene.snapshot(),
        History {
            deals: Vec::new(),
            orders: Vec::new(),
            ..scene.history()
        },
    );
    let deal = scene.close_by_hand(held, 0.1);
    scene.shell.feed(Input::Deal(deal.clone()));
    let rows = Snapshot {
        positions: Vec::new(),
        ..rows
    };
    scene.shell.feed(Input::Pass(rows, history));
    scene.live(6);
    let known = &scene.shell.disk.deals[&deal.ticket];
    assert_eq!(known.client, Some(name("alpha")));
}

/// On netting, where its opening is known last.
#[test]
fn what_somebody_else_opened_is_not_of_whoever_added_to_it() {
    let mut scene = netting_scene();
    scene.open(Side::Buy, lots(0.1), Magic::NONE);
    let opening = scene.deals.pop().unwrap();
    scene.submit("alpha", "a", buy(0.1));
    scene.obey();
    let held = scene.positions[0].id.0;
    scene.close_by_hand(held, 0.2);
    scene.deals.insert(0, opening.clone());
    scene.restart();
    let known = &scene.shell.disk.deals[&opening.ticket];
    assert_eq!(known.client, None);
}

/// On netting, after a start: what is known of it closes more than it had, and its opening is known
/// late, or never.
#[test]
fn what_somebody_else_added_to_its_own_is_not_of_whoever_added_to_it_later() {
    for lacking in [0, 1] {
        let mut scene = netting_scene();
        scene.open(Side::Buy, lots(0.1), Magic::NONE);
        scene.open(Side::Buy, lots(0.1), Magic::NONE);
        let late = scene.deals.split_off(lacking);
        scene.deals.clear();
        scene.submit("alpha", "a", buy(0.1));
        scene.obey();
        let sell = NewOrder {
            side: Side::Sell,
            ..buy(0.3)
        };
        scene.submit("alpha", "b", sell);
        scene.obey();
        scene.deals.splice(0..0, late.iter().cloned());
        scene.restart();
        for deal in late {
            let known = &scene.shell.disk.deals[&deal.ticket];
            assert_eq!(known.client, None, "{lacking}");
        }
    }
}

#[test]
fn a_close_by_hand_that_only_a_pass_tells_freezes_too() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    scene.close_by_hand(held, 0.1);
    scene.live(61);
    assert_eq!(told_foreign(&scene), [true]);
    assert!(is_frozen(&mut scene, "e"));
}

#[test]
fn another_expert_on_an_owned_position_freezes_its_symbol() {
    for (entry, side) in [(Entry::In, Side::Buy), (Entry::Out, Side::Sell)] {
        let mut scene = netting_scene();
        let held = scene.hold("alpha", "a", 1.0);
        let deal = expert(&mut scene, held, side, entry, 0.4);
        let row = &mut scene.positions[0];
        row.lots = if side == Side::Buy {
            lots(1.4)
        } else {
            lots(0.6)
        };
        scene.shell.feed(Input::Deal(deal));
        scene.rows();
        assert_eq!(told_foreign(&scene), [true], "{entry:?}");
        assert!(is_frozen(&mut scene, "e"));
        let held_now = scene.position(held).unwrap().row.lots;
        assert_eq!(held_now, scene.positions[0].lots);
        scene.close("alpha", "c", held, None);
        scene.obey();
        assert!(scene.position(held).is_none());
    }
}

#[test]
fn a_trade_where_nobody_of_ours_is_freezes_nothing() {
    let mut scene = scene();
    scene.hold_foreign(0.1);
    assert_eq!(told_foreign(&scene), [false]);
    assert!(!is_frozen(&mut scene, "e"));
}

#[test]
fn a_hand_that_takes_our_magic_is_a_hand() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    let mut deal = scene.close_by_hand(held, 0.05);
    deal.magic = scene.order("alpha", "a").magic;
    deal.reason = DealReason::Mobile;
    scene.shell.feed(Input::Deal(deal));
    assert_eq!(told_foreign(&scene), [true]);
    assert_eq!(scene.order("alpha", "a").filled, lots(0.1));
}

#[test]
fn what_the_broker_itself_does_is_not_foreign() {
    for reason in [
        DealReason::StopLoss,
        DealReason::TakeProfit,
        DealReason::StopOut,
        DealReason::Rollover,
        DealReason::Other,
    ] {
        let mut scene = scene();
        let held = scene.hold("alpha", "a", 0.1);
        let mut deal = scene.close_by_hand(held, 0.1);
        deal.reason = reason;
        scene.deals.last_mut().unwrap().reason = reason;
        scene.shell.feed(Input::Deal(deal));
        scene.live(61);
        assert_eq!(told_foreign(&scene), [] as [bool; 0]);
        assert_eq!(scene.obstacles(), []);
    }
}

#[test]
fn resuming_the_account_accepts_what_froze_symbols() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    let deal = scene.close_by_hand(held, 0.1);
    scene.shell.feed(Input::Deal(deal));
    scene.set_state("r", None, TradingState::Active);
    assert_eq!(scene.obstacles(), []);
}

#[test]
fn a_process_that_dies_within_its_own_change_of_levels_sees_nobody_else() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    scene.stop("alpha", "s", held, BID - 100);
    let sent = scene.sent();
    scene.execute(&sent).unwrap();
    scene.restart();
    scene.live(90);
    assert_eq!(told_foreign(&scene), [] as [bool; 0]);
    assert_eq!(scene.obstacles(), []);
}

#[test]
fn a_process_that_dies_between_send_and_deal_sees_nobody_else() {
    let mut scene = scene();
    scene.submit("alpha", "a", buy(0.1));
    let sent = scene.sent();
    scene.execute(&sent).unwrap();
    scene.restart();
    scene.live(90);
    assert_eq!(told_foreign(&scene), [] as [bool; 0]);
    assert_eq!(scene.state("alpha", "a"), OrderState::Filled);
    assert_eq!(scene.obstacles(), []);
}

#[test]
fn a_history_that_lags_by_seconds_freezes_nothing_for_long() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    let deal = {
        scene.reduce(PositionId(held), lots(0.05), Magic::NONE);
        scene.deals.last_mut().unwrap().reason = DealReason::StopLoss;
        scene.deals.pop().unwrap()
    };
    scene.live(4);
    assert_eq!(scene.obstacles(), []);
    scene.live(4);
    assert!(scene.obstacle(ObstacleKind::RowsDisagree).is_some());
    scene.deals.push(deal);
    scene.live(61);
    assert_eq!(scene.obstacles(), []);
}

#[test]
fn a_truncated_average_price_or_another_ticket_is_no_trade_of_others() {
    let mut scene = netting_scene();
    let held = scene.hold("alpha", "a", 0.1);
    scene.positions[0].open_price = points(ASK - 1);
    scene.positions[0].ticket = Ticket(9_999);
    scene.live(90);
    assert_eq!(told_foreign(&scene), [] as [bool; 0]);
    scene.close("alpha", "c", held, None);
    scene.obey();
    assert!(scene.position(held).is_none());
}

#[test]
fn positions_that_are_missing_just_after_a_login_are_not_gone() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    scene.shell.restart();
    scene.shell.feed(Input::Link(true));
    let rows = std::mem::take(&mut scene.positions);
    for _ in 0..6 {
        scene.pass();
        scene.shell.pass(250);
    }
    scene.positions = rows;
    scene.live(90);
    assert!(scene.position(held).is_some());
    assert_eq!(told_foreign(&scene), [] as [bool; 0]);
    let closed = scene.events();
    let mut closed = closed.filter(|event| matches!(event, Event::PositionClosed(_)));
    assert!(closed.next().is_none());
}

#[test]
fn a_symbol_that_a_stranger_holds_is_shared_on_netting() {
    let mut scene = netting_scene();
    scene.hold_foreign(0.1);
    let entry = scene.submit("alpha", "a", buy(0.1));
    assert_eq!(scene.refusal(entry), Reason::SymbolShared);
    let held = scene.positions[0].id;
    scene.adopt("x", "alpha", Adoption::Position(held));
    let other = scene.submit("beta", "b", buy(0.1));
    assert_eq!(scene.refusal(other), Reason::SymbolShared);
    scene.submit("alpha", "c", buy(0.1));
    scene.sent();
}

#[test]
fn foreign_rows_are_nobodys_to_touch_but_controls() {
    let mut scene = scene();
    let held = scene.hold_foreign(0.1);
    let own = scene.close("alpha", "c", held, None);
    assert_eq!(scene.refusal(own), Reason::PositionNotFound);
    scene.close("local", "c", held, None);
    scene.obey();
    assert!(scene.position(held).is_none());
    assert_eq!(told_foreign(&scene), [false]);
}

#[test]
fn an_acceptance_of_what_no_deal_explains_holds_in_the_next_process() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    scene.positions[0].lots = lots(0.05);
    scene.live(10);
    assert!(scene.obstacle(ObstacleKind::RowsDisagree).is_some());
    scene.accept("ok", Acceptance::Symbol(symbol("EURUSD")));
    scene.live(10);
    assert_eq!(scene.obstacles(), []);
    assert_eq!(scene.position(held).unwrap().row.lots, lots(0.05));
    scene.restart();
    scene.live(10);
    assert_eq!(scene.obstacle(ObstacleKind::RowsDisagree), None);
}

#[test]
fn what_no_deal_explains_is_frozen_in_the_next_process_from_the_start() {
    let mut scene = scene();
    scene.hold("alpha", "a", 0.1);
    scene.positions[0].lots = lots(0.05);
    scene.live(10);
    assert!(is_frozen(&mut scene, "e"));
    scene.restart();
    assert!(is_frozen(&mut scene, "f"));
}

#[test]
fn a_foreign_trade_in_a_frozen_symbol_is_told_each_time() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    for _ in 0..3 {
        let deal = scene.close_by_hand(held, 0.02);
        scene.shell.feed(Input::Deal(deal));
    }
    assert_eq!(told_foreign(&scene), [true; 3]);
    assert_eq!(scene.notices("foreign_trade"), 3);
    let left = Lots::from_units(4_000_000);
    assert_eq!(scene.position(held).unwrap().row.lots, left);
}

/// Beyond those that a pass always keeps, and older than the next one reads back.
#[test]
fn a_deal_of_a_pass_is_not_forgotten_before_it_can_be_durable() {
    let mut scene = scene();
    let time = BrokerTime(scene.broker_time().0 - 599_000);
    scene.shell.pass(10_000);
    for number in 0..600 {
        let ticket = scene.next_ticket();
        let mut deal = deal(ticket, 9_000 + number, Side::Buy, Entry::In, 1_000_000, ASK);
        deal.time = time;
        scene.add_deal(deal);
    }
    // The disk is slow: three passes, and the link between them, before it has the first.
    let told = |scene: &Scene| (scene.snapshot(), scene.history());
    let (rows, history) = told(&scene);
    assert_eq!(history.deals.len(), 600);
    scene.shell.step(Input::Pass(rows, history));
    scene.shell.pass(6_000);
    let (rows, history) = told(&scene);
    assert!(history.deals.is_empty());
    scene.shell.step(Input::Pass(rows, history));
    scene.shell.step(Input::Link(false));
    scene.shell.step(Input::Link(true));
    let (rows, history) = told(&scene);
    assert_eq!(history.deals.len(), 600);
    scene.shell.step(Input::Pass(rows, history));
    scene.shell.settle();
    let deals = scene
        .events()
        .filter(|event| matches!(event, Event::Deal { .. }));
    assert_eq!(deals.count(), 600);
}
