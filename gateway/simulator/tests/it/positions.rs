//! What deals do to positions, on both kinds of account.

use crate::support::*;
use mymt5_model::{Side::*, *};
use mymt5_simulator::{AccountConfig, Event};

#[test]
fn fills_at_the_touch_and_counts_the_profit() {
    let mut desk = Desk::open(netting());
    let (receipt, events) = desk.sim.send(&deal(Buy, 2.0));
    let order = receipt.order.unwrap();
    assert_eq!(
        (receipt.price, receipt.lots),
        (Some(px(110_010)), Some(lots(2.0)))
    );
    let position = desk.position();
    assert_eq!((position.ticket, position.id), (order, PositionId(order.0)));
    assert_eq!((position.side, position.open_price), (Buy, px(110_010)));
    assert_eq!(position.profit, money("-20"));
    let deals = deals_of(&events);
    assert_eq!(
        (deals.len(), deals[0].entry, deals[0].magic),
        (1, Some(Entry::In), MAGIC)
    );
    assert_eq!(Some(deals[0].ticket), receipt.deal);
    assert_eq!(events[1..], [Event::OrdersChanged, Event::PositionsChanged]);

    desk.tick(1, 110_110, 110_120);
    let account = desk.sim.account();
    assert_eq!(
        (account.profit, account.equity),
        (money("200"), money("100200"))
    );
    assert_eq!(
        (account.margin, account.free_margin),
        (money("2200.20"), money("97999.80"))
    );
}

#[test]
fn netting_adds_reduces_closes() {
    let mut desk = Desk::open(netting());
    let first = desk.done(&deal(Buy, 1.0));
    desk.tick(1, 110_020, 110_030);
    desk.done(&deal(Buy, 3.0));
    assert_eq!(desk.position().open_price, px(110_025));
    desk.done(&deal(Sell, 1.5));
    let out = desk.last_deal();
    assert_eq!((out.entry, out.profit), (Some(Entry::Out), money("-7.50")));
    assert_eq!(
        (desk.position().lots, desk.position().ticket),
        (lots(2.5), first)
    );
    desk.done(&deal(Sell, 2.5));
    assert!(desk.sim.positions().is_empty());
    assert_eq!(desk.sim.account().balance, money("99980"));
}

#[test]
fn netting_reverses_in_one_deal_and_keeps_the_identifier() {
    let mut desk = Desk::open(netting());
    let first = desk.done(&with_levels(deal(Buy, 1.0), levels(Some(109_000), None)));
    let second = desk.done(&deal(Sell, 3.0));
    let deal = desk.last_deal();
    assert_eq!((deal.entry, deal.lots), (Some(Entry::InOut), lots(3.0)));
    assert_eq!(deal.profit, money("-10"));
    let position = desk.position();
    assert_eq!(
        (position.id, position.ticket),
        (PositionId(first.0), second)
    );
    assert_eq!((position.side, position.lots), (Sell, lots(2.0)));
    assert_eq!(
        (position.open_price, position.levels),
        (px(110_000), Levels::default())
    );
}

#[test]
fn hedging_keeps_positions_apart_and_needs_margin_for_the_greater_leg() {
    let mut desk = Desk::open(hedging());
    let long = desk.done(&deal(Buy, 1.0));
    let short = desk.done(&deal(Sell, 1.0));
    assert_eq!(desk.sim.positions().len(), 2);
    assert_eq!(desk.sim.account().margin, money("1100.10"));
    desk.done(&close(long, Sell, 0.4));
    assert_eq!(desk.last_deal().position_id, Some(PositionId(long.0)));
    assert_eq!(desk.sim.account().margin, money("1100"));
    desk.done(&close(short, Buy, 1.0));
    assert_eq!(
        (desk.position().ticket, desk.position().lots),
        (long, lots(0.6))
    );
}

#[test]
fn commission_is_paid_on_each_side() {
    let account = AccountConfig {
        commission_per_lot: money("3.50"),
        ..netting()
    };
    let mut desk = Desk::open(account);
    desk.done(&deal(Buy, 0.5));
    assert_eq!(desk.last_deal().commission, money("-1.75"));
    desk.done(&deal(Sell, 0.5));
    assert_eq!(desk.sim.account().balance, money("99991.50"));
}

#[test]
fn stop_loss_and_take_profit_close_at_the_touch() {
    for (bid, reason, comment, profit) in [
        (109_895, DealReason::StopLoss, "[sl 1.09900]", "-115"),
        (110_205, DealReason::TakeProfit, "[tp 1.10200]", "195"),
    ] {
        let mut desk = Desk::open(hedging());
        let ticket = desk.done(&with_levels(
            deal(Buy, 1.0),
            levels(Some(109_900), Some(110_200)),
        ));
        assert!(desk.tick(1, 109_901, 109_911).is_empty());
        let events = desk.tick(2, bid, bid + 10);
        let deal = deals_of(&events)[0];
        assert_eq!((deal.reason, deal.comment.as_str()), (reason, comment));
        assert_eq!((deal.profit, deal.magic), (money(profit), MAGIC));
        assert_eq!(deal.position_id, Some(PositionId(ticket.0)));
        assert!(desk.sim.positions().is_empty());
        let order = desk.finished().pop().unwrap();
        assert_eq!(
            (Some(order.ticket), order.comment.as_str()),
            (deal.order, comment)
        );
    }
}

#[test]
fn levels_of_a_short_look_at_the_ask() {
    let mut desk = Desk::open(netting());
    desk.done(&with_levels(
        deal(Sell, 1.0),
        levels(Some(110_100), Some(109_900)),
    ));
    assert!(desk.tick(1, 110_095, 110_099).is_empty());
    let events = desk.tick(2, 110_095, 110_100);
    assert_eq!(deals_of(&events)[0].price, Some(px(110_100)));
}

#[test]
fn deals_by_hand_are_told_from_a_programs() {
    let mut desk = Desk::open(netting());
    let mut request = deal(Buy, 1.0);
    if let TradeRequest::Market { magic, .. } = &mut request {
        *magic = Magic::NONE;
    }
    desk.done(&request);
    assert_eq!(desk.last_deal().reason, DealReason::Client);
    desk.done(&deal(Sell, 1.0));
    assert_eq!(desk.last_deal().reason, DealReason::Expert);
}

#[test]
fn adding_keeps_the_levels_that_it_does_not_name() {
    let mut desk = Desk::open(netting());
    desk.done(&with_levels(
        deal(Buy, 1.0),
        levels(Some(109_000), Some(111_000)),
    ));
    desk.done(&deal(Buy, 1.0));
    assert_eq!(desk.position().levels, levels(Some(109_000), Some(111_000)));
    desk.done(&with_levels(deal(Buy, 1.0), levels(Some(109_500), None)));
    assert_eq!(desk.position().levels, levels(Some(109_500), Some(111_000)));
    desk.done(&deal(Sell, 1.0));
    assert_eq!(desk.position().levels, levels(Some(109_500), Some(111_000)));
}
