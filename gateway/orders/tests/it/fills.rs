//! What fills an order is told by its deals alone, each counted once; its end waits for them.

use crate::bench::{rows::*, scenes::*};
use mymt5_model::{
    DealReason, Entry, Magic, Moment, OrderState, PositionId, Receipt, Retcode, RowState, Side,
    Ticket, TimeInForce,
};
use mymt5_orders::{Input, NewOrder, Notice, Severity};

#[test]
fn a_deal_counts_once_however_often_it_is_told() {
    let mut scene = scene();
    scene.submit("alpha", "a", buy(0.1));
    scene.obey();
    let deal = scene.deals[0].clone();
    scene.shell.feed(Input::Deal(deal.clone()));
    scene.pass();
    scene.restart();
    scene.shell.feed(Input::Deal(deal));
    scene.live(61);
    assert_eq!(scene.order("alpha", "a").filled, lots(0.1));
    assert_eq!(scene.shell.disk.deals.len(), 1);
    assert_eq!(scene.positions[0].lots, lots(0.1));
    let told = scene.shell.core.book().positions().next().unwrap();
    assert_eq!(told.row.lots, lots(0.1));
}

#[test]
fn what_a_receipt_says_beside_its_code_is_a_hint() {
    let mut scene = scene();
    let asker = scene.submit("alpha", "a", buy(0.1));
    let sent = scene.sent();
    scene.say(
        sent.job,
        Ok(Receipt {
            lots: Some(lots(0.1)),
            price: Some(points(ASK)),
            order: Some(Ticket(1)),
            deal: Some(Ticket(2)),
            ..Receipt::bare(Retcode::DONE)
        }),
    );
    assert_eq!(scene.state("alpha", "a"), OrderState::Sent);
    assert!(scene.answers(asker).is_empty());
    scene.give_up(asker);
    let told = scene.order_told(asker);
    assert_eq!((told.state, told.filled), (OrderState::Sent, lots(0.0)));
}

#[test]
fn an_average_price_has_no_crumbs() {
    let mut scene = scene();
    scene.submit("alpha", "a", buy(0.3));
    let sent = scene.sent();
    let magic = sent.request.magic().unwrap();
    let mut deals = Vec::new();
    for (n, price) in [(0, 109_171), (1, 109_171), (2, 109_171)] {
        let units = lots(0.1).units();
        let mut fill = deal(2_000 + n, 2_000, Side::Buy, Entry::In, units, price);
        fill.order = Some(Ticket(2_000));
        fill.magic = magic;
        deals.push(fill);
    }
    scene.say(sent.job, Ok(done(2_000, deals)));
    let average = scene.order("alpha", "a").average_price().unwrap();
    assert_eq!(average.to_string(), "1.09171");
}

#[test]
fn a_rest_that_fills_later_is_never_told_as_cancelled() {
    let mut scene = scene();
    scene.submit("alpha", "a", buy(1.0));
    let sent = scene.sent();
    let magic = sent.request.magic().unwrap();
    let mut receipt = scene.open(Side::Buy, lots(0.6), magic);
    receipt.retcode = Retcode::DONE_PARTIAL;
    let row = scene.ended.pop().unwrap();
    scene.orders.push(mymt5_model::OrderRow {
        state: RowState::Partial,
        lots: lots(1.0),
        lots_left: lots(0.4),
        done: None,
        ..row
    });
    let ticket = receipt.order.unwrap();
    scene.say(sent.job, Ok(receipt));
    assert!(scene.shell.core.wants_pass());
    scene.live(3);
    assert_eq!(scene.state("alpha", "a"), OrderState::PartiallyFilled);
    let rest = scene.fill_pending(ticket, lots(0.4));
    scene.shell.feed(Input::Deal(rest));
    scene.live(2);
    let order = scene.id("alpha", "a");
    let told: Vec<OrderState> = scene.told_of(order).iter().map(|o| o.state).collect();
    assert_eq!(told.last(), Some(&OrderState::Filled));
    assert!(!told.contains(&OrderState::Canceled), "{told:?}");
}

/// Whatever the history calls an order of which nothing works any more.
#[test]
fn a_partial_fill_without_a_rest_ends_cancelled_with_what_was_filled() {
    for called in [RowState::Canceled, RowState::Partial, RowState::Filled] {
        let mut scene = scene();
        scene.submit("alpha", "a", buy(1.0));
        let sent = scene.sent();
        let magic = sent.request.magic().unwrap();
        let mut receipt = scene.open(Side::Buy, lots(0.6), magic);
        receipt.retcode = Retcode::DONE_PARTIAL;
        let row = scene.ended.last_mut().unwrap();
        (row.state, row.lots, row.lots_left) = (called, lots(1.0), lots(0.4));
        scene.say(sent.job, Ok(receipt));
        scene.live(2);
        let order = scene.order("alpha", "a");
        assert_eq!(
            (order.state, order.filled),
            (OrderState::Canceled, lots(0.6)),
            "{called:?}"
        );
        assert_eq!(scene.notices("late_evidence"), 0);
    }
}

#[test]
fn an_order_that_the_history_calls_filled_waits_for_the_deals_that_tell_so() {
    let mut scene = scene();
    scene.submit("alpha", "a", buy(1.0));
    let sent = scene.sent();
    let magic = sent.request.magic().unwrap();
    scene.open(Side::Buy, lots(0.6), magic);
    let row = scene.ended.last_mut().unwrap();
    (row.lots, row.lots_left) = (lots(1.0), lots(0.4));
    let late = scene.deals.pop().unwrap();
    scene.say(sent.job, lost());
    scene.live(7);
    assert_eq!(scene.state("alpha", "a"), OrderState::Unknown);
    scene.deals.push(late.clone());
    scene.shell.feed(Input::Deal(late));
    scene.live(7);
    let order = scene.order("alpha", "a");
    assert_eq!(
        (order.state, order.filled),
        (OrderState::Canceled, lots(0.6))
    );
}

fn until_tomorrow(scene: &Scene) -> NewOrder {
    let tomorrow = Moment {
        utc: None,
        broker: Some(scene.broker_time().day_end()),
    };
    NewOrder {
        time_in_force: TimeInForce::Gtd(tomorrow),
        ..buy_limit(1.0, BID - 1_000)
    }
}

#[test]
fn an_expiry_waits_for_the_deals_that_it_tells_of_and_alarms_nobody() {
    let mut scene = scene();
    let new = until_tomorrow(&scene);
    scene.submit("alpha", "p", new);
    scene.obey();
    let ticket = scene.order("alpha", "p").ticket.unwrap();
    let deal = scene.fill_pending(ticket, lots(0.4));
    scene.remove(ticket, RowState::Expired).unwrap();
    let late = scene.deals.pop().unwrap();
    scene.live(7);
    assert_eq!(scene.state("alpha", "p"), OrderState::Working);
    scene.deals.push(late);
    scene.shell.feed(Input::Deal(deal));
    scene.live(7);
    let order = scene.order("alpha", "p");
    assert_eq!(
        (order.state, order.filled),
        (OrderState::Expired, lots(0.4))
    );
    let order = order.id;
    let told: Vec<OrderState> = scene.told_of(order).iter().map(|o| o.state).collect();
    let ends = told.iter().filter(|state| state.is_final()).count();
    assert_eq!(ends, 1, "{told:?}");
    assert_eq!(scene.notices("late_evidence"), 0);
}

#[test]
fn deals_after_an_expiry_fill_without_a_false_alarm() {
    let mut scene = scene();
    let new = until_tomorrow(&scene);
    scene.submit("alpha", "p", new);
    scene.obey();
    let ticket = scene.order("alpha", "p").ticket.unwrap();
    scene.remove(ticket, RowState::Expired).unwrap();
    scene.live(61);
    assert_eq!(scene.state("alpha", "p"), OrderState::Expired);
    let row = scene.ended.pop().unwrap();
    scene.orders.push(row);
    let deal = scene.fill_pending(ticket, lots(0.4));
    scene.orders.clear();
    scene.shell.feed(Input::Deal(deal));
    let order = scene.order("alpha", "p");
    assert_eq!(
        (order.state, order.filled),
        (OrderState::Expired, lots(0.4))
    );
    assert_eq!(scene.notices("late_evidence"), 0);
}

#[test]
fn a_close_of_all_is_of_what_there_is_when_it_is_executed() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 1.0);
    scene.close("alpha", "c", held, None);
    let sent = scene.sent();
    assert_eq!(closed_by(&sent).1, None);
    let mut stop = scene.reduce(PositionId(held), lots(0.4), Magic::NONE).deals;
    stop[0].reason = DealReason::StopLoss;
    scene.deals.last_mut().unwrap().reason = DealReason::StopLoss;
    let outcome = scene.execute(&sent);
    scene.say(sent.job, outcome);
    let close = scene.order("alpha", "c");
    assert_eq!(close.state, OrderState::Filled);
    assert_eq!((close.lots, close.filled), (lots(0.6), lots(0.6)));
    assert_eq!(scene.notices("other_lots"), 1);
    let other = scene.shell.notices.iter();
    let other = other.filter(|notice| notice.kind() == "other_lots");
    assert!(other.map(Notice::severity).all(|s| s == Severity::Info));
    scene.shell.feed(Input::Deal(stop.remove(0)));
    scene.live(61);
    assert!(scene.position(held).is_none());
    assert_eq!(scene.obstacles(), []);
}

#[test]
fn a_close_of_all_tells_every_deal_of_it() {
    let mut scene = netting_scene();
    let held = scene.hold("alpha", "a", 1.0);
    scene.close("alpha", "c", held, None);
    let sent = scene.sent();
    let magic = sent.request.magic().unwrap();
    scene.positions[0].lots = lots(1.5);
    for part in [1.0, 0.5] {
        let receipt = scene.reduce(PositionId(held), lots(part), magic);
        let mut deal = receipt.deals[0].clone();
        deal.order = Some(Ticket(5_000));
        scene.shell.feed(Input::Deal(deal));
    }
    scene.say(
        sent.job,
        Ok(Receipt {
            order: Some(Ticket(5_000)),
            lots_sent: Some(lots(1.5)),
            ..Receipt::bare(Retcode::DONE)
        }),
    );
    let close = scene.order("alpha", "c").clone();
    assert_eq!((close.lots, close.filled), (lots(1.5), lots(1.5)));
    let told = scene.told_of(close.id);
    let told = told.last().unwrap();
    assert_eq!((told.lots, told.filled), (lots(1.5), lots(1.5)));
}

#[test]
fn a_stop_loss_is_no_fill_of_the_order_that_opened() {
    let mut scene = scene();
    let held = scene.hold("alpha", "a", 0.1);
    let magic = scene.order("alpha", "a").magic;
    scene.reduce(PositionId(held), lots(0.1), magic);
    let deal = scene.deals.last_mut().unwrap();
    deal.reason = DealReason::StopLoss;
    let deal = deal.clone();
    scene.shell.feed(Input::Deal(deal));
    scene.live(61);
    assert_eq!(scene.order("alpha", "a").filled, lots(0.1));
    assert_eq!(scene.notices("overfilled"), 0);
    let stop = scene.shell.disk.deals.values().next_back().unwrap();
    assert_eq!(stop.client, Some(name("alpha")));
    assert_eq!(stop.order, None);
    assert_eq!(scene.obstacles(), []);
}
