//! Orders, positions, deals and the figures of the account.

use crate::support::{Asked, hedging, limit, market, netting, settings, span, started};
use mymt5_model::AccountMode;
use mymt5_simulated_terminal::{
    Status,
    layout::{Account, CheckResult, Deal, Order, Position, Request, Tick, Wire},
    number, text,
};
use std::slice;

const DONE: u32 = 10_009;
const PLACED: u32 = 10_008;

fn quote(asked: &mut Asked) -> Tick {
    asked.one(number::TICK, &text("EURUSD"))
}

#[test]
fn a_position_is_opened_and_closed() {
    let mut asked = hedging();
    let tick = quote(&mut asked);
    let opened = asked.send(&market(0, 0.1));
    assert_eq!(
        (opened.retcode, opened.volume, opened.price),
        (DONE, 0.1, tick.ask)
    );
    assert_eq!((opened.bid, opened.ask), (tick.bid, tick.ask));
    assert_eq!((opened.request_id, opened.retcode_external), (1, 0));
    let ticket = opened.order.to_bytes();
    let position: Position = asked.one(number::POSITION, &ticket);
    assert_eq!(
        (position.ticket, position.identifier),
        (opened.order, opened.order)
    );
    assert_eq!(
        (position.kind, position.volume, position.magic),
        (0, 0.1, 77)
    );
    assert_eq!(
        (position.price_open, position.price_current),
        (tick.ask, tick.bid)
    );
    assert_eq!((position.time, position.reason), (tick.time, 3));
    assert_eq!(position.comment.0, "probe");
    let points = ((tick.bid - tick.ask) * 1e5).round();
    assert_eq!(position.profit, points * 0.1);
    assert_eq!(asked.positions(), slice::from_ref(&position));
    assert_eq!(
        asked
            .list::<Position>(number::POSITIONS_OF_SYMBOL, &text("EURUSD"))
            .len(),
        1
    );
    assert!(
        asked
            .list::<Position>(number::POSITIONS_OF_SYMBOL, &text("USDJPY"))
            .is_empty()
    );
    assert_eq!(asked.one::<u32>(number::POSITIONS_TOTAL, &[]), 1);
    let unselect = [text("EURUSD"), vec![0]].concat();
    assert_eq!(asked.raw(number::SELECT, &unselect), Err(Status::FAIL));

    let close = Request {
        position: opened.order,
        ..market(1, 0.1)
    };
    let closed = asked.send(&close);
    assert_eq!((closed.retcode, closed.price), (DONE, tick.bid));
    assert_eq!(asked.raw(number::POSITION, &ticket), Err(Status::NOT_FOUND));
    assert_eq!(asked.retcode(&close), 10_036);
    let of_position: Vec<Deal> = asked.list(number::DEALS_OF_POSITION, &ticket);
    let entries: Vec<_> = of_position
        .iter()
        .map(|deal| (deal.kind, deal.entry))
        .collect();
    assert_eq!(entries, [(0, 0), (1, 1)]);
    assert_eq!(of_position[1].profit, position.profit);
    assert_eq!(of_position[1].ticket, closed.deal);
    let account: Account = asked.one(number::ACCOUNT, &[]);
    assert_eq!(account.balance, 100_000.0 + position.profit);
    let deal: Deal = asked.one(number::DEAL, &opened.deal.to_bytes());
    assert_eq!((deal.order, deal.price), (opened.order, tick.ask));
    assert_eq!(asked.raw(number::DEAL, &ticket), Err(Status::NOT_FOUND));
    asked.set("deals-by-order");
    assert_eq!(asked.one::<Deal>(number::DEAL, &ticket), deal);
}

#[test]
fn finished_orders_are_listed() {
    let mut asked = hedging();
    let opened = asked.send(&market(0, 0.1));
    let order: Order = asked.one(number::PAST_ORDER, &opened.order.to_bytes());
    assert_eq!((order.state, order.kind, order.type_filling), (4, 0, 1));
    assert_eq!((order.volume_initial, order.volume_current), (0.1, 0.0));
    assert_eq!(
        (order.position_id, order.price_current),
        (opened.order, opened.price)
    );
    assert_eq!(asked.past_orders(), slice::from_ref(&order));
    let ticket = opened.order.to_bytes();
    assert_eq!(
        asked
            .list::<Order>(number::PAST_ORDERS_OF_POSITION, &ticket)
            .len(),
        1
    );
    let total = |asked: &mut Asked, command, ends| asked.one::<u32>(command, &span(ends));
    let at = order.time_done;
    for (ends, orders) in [((at, at), 1), ((at + 1, at + 9), 0), ((1, at - 1), 0)] {
        assert_eq!(total(&mut asked, number::PAST_ORDERS_TOTAL, ends), orders);
    }
    // The deposit lies before the day's ticks.
    assert_eq!(total(&mut asked, number::DEALS_TOTAL, (at, at)), 1);
    assert_eq!(total(&mut asked, number::DEALS_TOTAL, (1, at)), 2);
}

#[test]
fn opposite_positions_close_each_other() {
    let mut asked = hedging();
    let long = asked.send(&market(0, 0.3));
    let short = asked.send(&market(1, 0.1));
    let by = |position, position_by| Request {
        action: 10,
        position,
        position_by,
        comment: "one by another".into(),
        ..Request::default()
    };
    assert_eq!(asked.retcode(&by(long.order, long.order)), 10_013);
    assert_eq!(asked.retcode(&by(long.order, 5)), 10_036);
    let check: CheckResult = asked.one(number::CHECK, &by(long.order, short.order).to_bytes());
    assert_eq!(check.retcode, 0);
    let closed = asked.send(&by(long.order, short.order));
    assert_eq!(
        (closed.retcode, closed.volume, closed.price),
        (DONE, 0.1, short.price)
    );
    let positions = asked.positions();
    assert_eq!(
        (positions.len(), positions[0].ticket, positions[0].volume),
        (1, long.order, 0.2)
    );
    let deals = asked.deals().split_off(3);
    let seen = |deal: &Deal| (deal.position_id, deal.kind, deal.entry, deal.profit);
    let lost = ((short.price - long.price) * 1e5).round() * 0.1;
    assert_eq!(seen(&deals[0]), (long.order, 1, 3, lost));
    assert_eq!(seen(&deals[1]), (short.order, 0, 3, 0.0));
    let order: Order = asked.one(number::PAST_ORDER, &closed.order.to_bytes());
    assert_eq!(
        (order.kind, order.state, order.position_id),
        (8, 4, long.order)
    );
    assert_eq!(
        (order.position_by_id, order.comment.0.as_str()),
        (short.order, "one by another")
    );
    let account: Account = asked.one(number::ACCOUNT, &[]);
    assert_eq!(account.balance, 100_000.0 + lost);
    let mut netting = netting();
    let only = netting.send(&market(0, 0.3)).order;
    assert_eq!(netting.retcode(&by(only, only)), 10_013);
}

#[test]
fn comments_are_kept_as_they_were_sent() {
    let mut asked = hedging();
    let opened = asked.send(&Request {
        comment: "a comment, über".into(),
        ..market(0, 0.1)
    });
    let texts = [
        asked.positions().pop().unwrap().comment.0,
        asked.deals().pop().unwrap().comment.0,
        asked.past_orders().pop().unwrap().comment.0,
    ];
    assert_eq!(texts, ["a comment, über"; 3]);
    asked.send(&Request {
        position: opened.order,
        comment: "another".into(),
        ..market(1, 0.05)
    });
    assert_eq!(asked.positions()[0].comment.0, "a comment, über");
    assert_eq!(asked.deals().pop().unwrap().comment.0, "another");
}

#[test]
fn netting_reverses() {
    let mut asked = netting();
    let first = asked.send(&market(0, 0.1));
    // A position that is named is met like one that is not.
    let more = Request {
        position: first.order,
        ..market(1, 0.3)
    };
    let second = asked.send(&more);
    assert_eq!(second.retcode, DONE);
    let positions = asked.positions();
    assert_eq!(
        (positions.len(), positions[0].kind, positions[0].volume),
        (1, 1, 0.2)
    );
    let deal: Deal = asked.one(number::DEAL, &second.deal.to_bytes());
    assert_eq!((deal.entry, deal.volume), (2, 0.3));
    let levels = Request {
        action: 6,
        symbol: "EURUSD".into(),
        sl: 1.2,
        ..Request::default()
    };
    assert_eq!(asked.retcode(&levels), DONE);
    assert_eq!(asked.positions()[0].sl, 1.2);
    let unknown = Request {
        position: 5,
        ..market(1, 0.3)
    };
    assert_eq!(asked.retcode(&unknown), 10_036);
}

#[test]
fn a_pending_order_is_placed_changed_and_removed() {
    let mut asked = hedging();
    let tick = quote(&mut asked);
    let end = tick.time + 3_600;
    let placed = asked.send(&Request {
        type_time: 2,
        expiration: end,
        ..limit(0.9)
    });
    assert_eq!(
        (placed.retcode, placed.volume, placed.price),
        (PLACED, 0.5, 0.9)
    );
    let ticket = placed.order.to_bytes();
    let order: Order = asked.one(number::ORDER, &ticket);
    assert_eq!((order.kind, order.state, order.type_filling), (2, 1, 2));
    assert_eq!((order.type_time, order.time_expiration), (2, end));
    assert_eq!((order.price_open, order.price_current), (0.9, tick.ask));
    assert_eq!(
        (order.volume_current, order.reason, order.magic),
        (0.5, 3, 77)
    );
    let change = Request {
        action: 7,
        order: placed.order,
        price: 0.91,
        sl: 0.8,
        ..Request::default()
    };
    assert_eq!(asked.retcode(&change), DONE);
    assert_eq!(asked.retcode(&change), 10_025);
    let changed = asked.orders();
    assert_eq!(
        (changed[0].price_open, changed[0].sl, changed[0].type_time),
        (0.91, 0.8, 0)
    );
    assert_eq!(
        asked.list::<Order>(number::ORDERS_OF_SYMBOL, &text("EURUSD")),
        changed
    );
    assert_eq!(asked.one::<u32>(number::ORDERS_TOTAL, &[]), 1);
    let remove = Request {
        action: 8,
        order: placed.order,
        ..Request::default()
    };
    assert_eq!(asked.retcode(&remove), DONE);
    assert_eq!(asked.retcode(&remove), 10_023);
    assert!(asked.orders().is_empty());
    assert_eq!(asked.raw(number::ORDER, &ticket), Err(Status::NOT_FOUND));
    assert_eq!(asked.past_orders()[0].state, 2);
}

#[test]
fn a_stop_loss_closes_by_the_servers_hand() {
    let mut asked = hedging();
    let tick = quote(&mut asked);
    let near = |points: f64| ((tick.bid * 1e5).round() - points) / 1e5;
    let opened = asked.send(&Request {
        sl: near(10.0),
        tp: near(-40.0),
        ..market(0, 0.1)
    });
    assert_eq!(opened.retcode, DONE);
    for _ in 0..3_600 {
        asked.wait(1_000);
        if asked.positions().is_empty() {
            break;
        }
    }
    let deal = asked.deals().pop().unwrap();
    assert!(deal.reason == 4 || deal.reason == 5, "{deal:?}");
    let order: Order = asked.one(number::PAST_ORDER, &deal.order.to_bytes());
    assert_eq!(order.reason, deal.reason);
    assert!(
        order
            .comment
            .0
            .starts_with(if deal.reason == 4 { "[sl " } else { "[tp " })
    );
}

#[test]
fn of_a_position_that_is_not_there_the_account_tells_what_is_wrong() {
    let mut forbidden = settings(AccountMode::Hedging);
    forbidden.account.trade_allowed = false;
    let close = Request {
        position: 5,
        ..market(1, 0.1)
    };
    let levels = Request {
        action: 6,
        position: 5,
        ..Request::default()
    };
    for request in [&close, &levels] {
        assert_eq!(started(forbidden.clone(), &[]).retcode(request), 10_026);
        assert_eq!(hedging().retcode(request), 10_036);
    }
}

#[test]
fn what_a_server_refuses_is_refused() {
    let mut asked = hedging();
    let opened = asked.send(&market(0, 0.1)).order;
    let by = |change: fn(&mut Request)| {
        let mut request = market(0, 0.1);
        change(&mut request);
        request
    };
    for (request, retcode) in [
        (by(|r| r.type_filling = 0), 10_030),
        (by(|r| r.type_filling = 2), 10_030),
        (by(|r| r.volume = 0.015), 10_014),
        (by(|r| r.volume = f64::NAN), 10_014),
        (by(|r| r.volume = 1e9), 10_014),
        (by(|r| r.sl = 1.5), 10_016),
        (by(|r| r.sl = 1.000_001), 10_016),
        (by(|r| r.symbol = "NONE".into()), 10_013),
        (by(|r| r.kind = 2), 10_013),
        (by(|r| r.kind = -1), 10_013),
        (by(|r| r.action = 0), 10_013),
        (by(|r| r.action = 10), 10_036),
        (by(|r| r.position = 5), 10_036),
        (by(|r| r.volume = 100.0), 10_019),
        (limit(2.0), 10_015),
        (limit(0.0), 10_015),
    ] {
        assert_eq!(asked.retcode(&request), retcode, "{request:?}");
    }
    let past = Request {
        type_time: 2,
        expiration: 1,
        ..limit(0.9)
    };
    assert_eq!(asked.retcode(&past), 10_022);
    let too_much = Request {
        position: opened,
        ..market(1, 0.2)
    };
    assert_eq!(asked.retcode(&too_much), 10_038);
    let short = &market(0, 0.1).to_bytes()[..200];
    assert_eq!(asked.raw(number::SEND, short), Err(Status::INVALID_PARAMS));
    assert_eq!(asked.positions().len(), 1);
}

#[test]
fn a_check_tells_what_an_order_would_do_and_does_nothing() {
    let mut asked = hedging();
    let request = market(0, 1.0);
    let check: CheckResult = asked.one(number::CHECK, &request.to_bytes());
    assert_eq!((check.retcode, check.comment.0.as_str()), (0, "Done"));
    assert!(asked.positions().is_empty());
    assert_eq!(asked.retcode(&request), DONE);
    let account: Account = asked.one(number::ACCOUNT, &[]);
    assert_eq!(
        (check.margin, check.equity),
        (account.margin, account.equity)
    );
    assert_eq!(
        (check.margin_free, check.profit),
        (account.margin_free, account.profit)
    );
    assert_eq!(check.margin_level, account.margin_level);
    let poor: CheckResult = asked.one(number::CHECK, &market(0, 100.0).to_bytes());
    assert_eq!((poor.retcode, poor.balance), (10_019, 100_000.0));
}

#[test]
fn margin_and_profit_are_those_of_the_account() {
    let mut asked = hedging();
    let body = |action: i32, symbol: &str, numbers: &[f64]| {
        let numbers = numbers.iter().flat_map(Wire::to_bytes).collect();
        [action.to_bytes(), text(symbol), numbers].concat()
    };
    let margin: f64 = asked.one(number::MARGIN, &body(0, "EURUSD", &[0.5, 1.1]));
    assert_eq!(margin, 550.0);
    let yen: f64 = asked.one(number::MARGIN, &body(1, "USDJPY", &[1.0, 150.0]));
    assert_eq!(yen, 1_000.0);
    let profit: f64 = asked.one(number::PROFIT, &body(1, "EURUSD", &[0.1, 1.1, 1.2]));
    assert_eq!(profit, -1_000.0);
    for (wrong, status) in [
        (body(8, "EURUSD", &[0.5, 1.1]), Status::INVALID_PARAMS),
        (body(0, "EURUSD", &[0.5, 0.0]), Status::INVALID_PARAMS),
        (body(0, "EURUSD", &[0.5]), Status::INVALID_PARAMS),
        (body(0, "NONE", &[0.5, 1.1]), Status::NOT_FOUND),
    ] {
        assert_eq!(asked.raw(number::MARGIN, &wrong), Err(status));
    }
}
