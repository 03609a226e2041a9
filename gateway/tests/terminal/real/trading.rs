//! Orders through the real bridge.

use super::process::Bridge;
use crate::support::{bounded, change, send, symbol, terminal, until};
use mymt5_gateway::broker::{Broker, BrokerEvent, SendFailure, terminal::Terminal};
use mymt5_model::{
    BrokerTime, Comment, Entry, Levels, LevelsEdit, Lots, Magic, OrderType, Price, Retcode,
    RowState, Side, TermsEdit, Ticket, TimeInForce, TradeRequest,
};

fn magic(number: u64) -> Magic {
    Magic::new(1, number).unwrap()
}

fn lots(lots: f64) -> Lots {
    Lots::from_f64(lots).unwrap()
}

/// Buys, or closes a long position.
pub fn market(number: u64, position: Option<Ticket>) -> TradeRequest {
    let comment = Comment::fitting("a comment that is longer than it may be");
    match position {
        None => TradeRequest::Market {
            symbol: symbol("EURUSD"),
            side: Side::Buy,
            lots: lots(0.1),
            levels: Levels::default(),
            max_deviation_points: None,
            magic: magic(number),
            comment,
        },
        Some(position) => TradeRequest::Close {
            symbol: symbol("EURUSD"),
            side: Side::Sell,
            position,
            lots: lots(0.1),
            all: true,
            max_deviation_points: None,
            magic: magic(number),
            comment,
        },
    }
}

fn cancel(order: Ticket) -> TradeRequest {
    TradeRequest::Cancel {
        order,
        symbol: symbol("EURUSD"),
    }
}

/// A buy limit far below the market.
fn pending(price: Price) -> TradeRequest {
    TradeRequest::Pending {
        symbol: symbol("EURUSD"),
        side: Side::Buy,
        kind: OrderType::Limit,
        lots: lots(0.2),
        price,
        stop_limit_price: None,
        levels: Levels {
            stop_loss: Some(price.moved(-1_000)),
            take_profit: None,
        },
        time_in_force: TimeInForce::Gtc,
        magic: magic(2),
        comment: Comment::default(),
    }
}

/// The bid, once there is one.
async fn bid(terminal: &Terminal) -> Price {
    let now = until(async || terminal.snapshot(0).await.unwrap().time).await;
    let from = BrokerTime(now.0 - 120_000);
    let to = BrokerTime(now.0 + 1);
    let bars = terminal.bars(&symbol("EURUSD"), 1, from, to, 2).await;
    bars.unwrap().rows.last().unwrap().close
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_is_opened_protected_and_closed() {
    let bridge = Bridge::start(&[]);
    let terminal = terminal(bridge.settings(""));
    let mut events = bounded(terminal.open()).await.unwrap();
    let price = bid(&terminal).await;

    let receipt = bounded(send(&terminal, &market(1, None))).await.unwrap();
    assert_eq!(receipt.retcode, Retcode::DONE);
    assert_eq!(receipt.price.map(Price::digits), Some(5));
    let deal = change(&mut events, |change| match change {
        BrokerEvent::Deal(deal) => Some(deal),
        _ => None,
    })
    .await;
    assert_eq!(
        (deal.magic, deal.entry, deal.lots),
        (magic(1), Some(Entry::In), lots(0.1))
    );
    let snapshot = terminal.snapshot(0).await.unwrap();
    let held = &snapshot.positions[0];
    assert_eq!((held.magic, held.lots), (magic(1), lots(0.1)));
    assert_eq!(held.comment.len(), Comment::MAX);

    let levels = Levels {
        stop_loss: Some(price.moved(-2_000)),
        take_profit: Some(price.moved(2_000)),
    };
    let protect = TradeRequest::ModifyPosition {
        position: held.ticket,
        symbol: symbol("EURUSD"),
        levels: LevelsEdit::to(levels),
    };
    bounded(send(&terminal, &protect)).await.unwrap();
    assert_eq!(
        terminal.snapshot(0).await.unwrap().positions[0].levels,
        levels
    );
    // 10025: they are so already.
    bounded(send(&terminal, &protect)).await.unwrap();

    bounded(send(&terminal, &market(3, Some(held.ticket))))
        .await
        .unwrap();
    let snapshot = terminal.snapshot(0).await.unwrap();
    assert!(snapshot.positions.is_empty());
    let again = bounded(send(&terminal, &market(4, Some(held.ticket)))).await;
    assert!(matches!(again, Err(SendFailure::Rejected(_))), "{again:?}");

    let history = terminal
        .history(BrokerTime(0), BrokerTime(i64::MAX))
        .await
        .unwrap();
    let ours = history.deals.iter().filter(|row| row.magic != Magic::NONE);
    assert_eq!(ours.count(), 2);
    let orders: Vec<_> = history
        .orders
        .iter()
        .map(|row| (row.kind, row.state))
        .collect();
    assert_eq!(orders, [(OrderType::Market, RowState::Filled); 2]);
    let (at, none) = (
        deal.time,
        terminal.history(BrokerTime(0), deal.time).await.unwrap(),
    );
    assert!(none.deals.iter().all(|row| row.time < at));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_order_is_placed_moved_and_removed() {
    let bridge = Bridge::start(&["suffix=.m"]);
    let terminal = terminal(bridge.settings(".m"));
    let _events = bounded(terminal.open()).await.unwrap();
    let price = bid(&terminal).await.moved(-3_000);

    let receipt = bounded(send(&terminal, &pending(price))).await.unwrap();
    let order = receipt.order.unwrap();
    let row = terminal.snapshot(0).await.unwrap().orders.remove(0);
    assert_eq!(
        (row.ticket, row.symbol, row.price),
        (order, symbol("EURUSD"), Some(price))
    );

    let moved = TradeRequest::ModifyOrder {
        order,
        symbol: symbol("EURUSD"),
        terms: TermsEdit {
            price: Some(price.moved(-10)),
            ..TermsEdit::default()
        },
    };
    bounded(send(&terminal, &moved)).await.unwrap();
    let row = terminal.snapshot(0).await.unwrap().orders.remove(0);
    assert_eq!(row.price, Some(price.moved(-10)));
    assert_eq!(row.levels.stop_loss, Some(price.moved(-1_000)));

    bounded(send(&terminal, &cancel(order))).await.unwrap();
    assert!(terminal.snapshot(0).await.unwrap().orders.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn instant_execution_names_its_price() {
    let bridge = Bridge::start(&[]);
    bridge.change(
        r#"INSERT INTO symbols VALUES ('EURUSD', '{"trade_exemode": 1, "filling_mode": 1}')"#,
    );
    let terminal = terminal(bridge.settings(""));
    let mut events = bounded(terminal.open()).await.unwrap();
    bounded(events.ticks.recv()).await.unwrap();
    bridge.fault("order_send", "requote", "{}");
    let moved = bounded(send(&terminal, &market(1, None))).await;
    assert_eq!(moved, Err(SendFailure::Rejected(Retcode::REQUOTE)));
    bridge.change("UPDATE settings SET value = '1' WHERE key = 'ticks_per_second'");
    // A price may move between tick and order: that is not a fault of the request. The bridge answers a
    // request that it knows as before, so that each is a new one.
    let mut magic = 1;
    until(|| {
        magic += 1;
        let request = market(magic, None);
        let terminal = &terminal;
        async move { send(terminal, &request).await.ok() }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_netting_account_closes_by_the_opposite_deal() {
    let bridge = Bridge::start(&["margin_mode=0"]);
    let terminal = terminal(bridge.settings(""));
    let _events = bounded(terminal.open()).await.unwrap();
    bounded(send(&terminal, &market(1, None))).await.unwrap();
    let held = terminal.snapshot(0).await.unwrap().positions.remove(0);
    bounded(send(&terminal, &market(2, Some(held.ticket))))
        .await
        .unwrap();
    assert!(terminal.snapshot(0).await.unwrap().positions.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_check_stops_an_entry_and_no_exit() {
    let bridge = Bridge::start(&[]);
    let terminal = terminal(bridge.settings(""));
    let _events = bounded(terminal.open()).await.unwrap();
    bounded(send(&terminal, &market(1, None))).await.unwrap();
    let held = terminal.snapshot(0).await.unwrap().positions.remove(0);
    bridge.broker(&["fault", "order_check", "timeout_before", "-1", "{}"]);
    let entry = bounded(send(&terminal, &market(2, None))).await;
    assert!(matches!(entry, Err(SendFailure::NotSent(_))), "{entry:?}");
    assert_eq!(bridge.count("SELECT count(*) FROM sends"), 1);
    bounded(send(&terminal, &market(3, Some(held.ticket))))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_refuses_is_the_brokers_refusal() {
    let bridge = Bridge::start(&["terminal_trade_allowed=0"]);
    let terminal = terminal(bridge.settings(""));
    let _events = bounded(terminal.open()).await.unwrap();
    let refused = bounded(send(&terminal, &market(1, None))).await;
    assert_eq!(
        refused,
        Err(SendFailure::Rejected(Retcode::CLIENT_DISABLES_AT))
    );
    assert_eq!(bridge.count("SELECT count(*) FROM sends"), 0);
}
