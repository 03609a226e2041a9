//! Reads that take more than one call.

use super::bridge::{Scripted, account, deal, terminal as terminal_row, tick, usual};
use crate::{
    real::market,
    support::{bounded, send, symbol, terminal, until},
};
use mymt5_chassis::clock;
use mymt5_gateway::broker::{Broker, BrokerError, TickPlace};
use mymt5_model::{BrokerTime, Ticket};
use mymt5_orders::RowKind;
use serde_json::{Value, json};
use std::{thread, time::Duration};

fn place(ms: i64, skip: usize) -> TickPlace {
    TickPlace {
        time: BrokerTime(ms),
        skip,
    }
}

fn seconds(args: &Value) -> (i64, i64) {
    (args["from"].as_i64().unwrap(), args["to"].as_i64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_history_is_read_in_windows_and_each_row_once() {
    // A deal every ten seconds of an hour; at most 20 go into one answer.
    let base = 1_700_000_000;
    let bridge = Scripted::start(usual(move |call, args| {
        let (from, to) = if call == "history_deals" {
            seconds(args)
        } else {
            return None;
        };
        let hits = (0..360).filter(|n| (from..=to).contains(&(base + n * 10)));
        let rows: Vec<Value> = hits
            .map(|n| {
                let mut row = deal(n as u64 + 1);
                row["time_msc"] = json!((base + n * 10) * 1_000);
                row
            })
            .collect();
        let answer = if rows.len() > 20 {
            json!({"total": rows.len()})
        } else {
            json!({"rows": rows})
        };
        Some(vec![json!({"ok": answer})])
    }))
    .await;
    let terminal = terminal(bridge.settings());
    let _events = bounded(terminal.open()).await.unwrap();
    let all = terminal.history(BrokerTime(0), BrokerTime(i64::MAX));
    let all = bounded(all).await.unwrap();
    let tickets: Vec<u64> = all.deals.iter().map(|row| row.ticket.0).collect();
    assert_eq!(tickets, (1..=360).collect::<Vec<_>>());
    let at = |n: i64| BrokerTime((base + n * 10) * 1_000);
    let some = bounded(terminal.history(at(5), at(7))).await.unwrap();
    let tickets: Vec<u64> = some.deals.iter().map(|row| row.ticket.0).collect();
    assert_eq!(tickets, [6, 7]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_without_end_is_given_up() {
    let bridge = Scripted::start(usual(|call, _| {
        (call == "history_orders").then(|| vec![json!({"ok": {"total": 6000}})])
    }))
    .await;
    let terminal = terminal(bridge.settings());
    let _events = bounded(terminal.open()).await.unwrap();
    let read = bounded(terminal.history(BrokerTime(0), BrokerTime(i64::MAX))).await;
    assert!(matches!(read, Err(BrokerError::Unreachable(why)) if why.contains("more rows")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_not_understood_hides_no_other_and_the_clock_goes_on() {
    let bridge = Scripted::start(usual(|call, _| match call {
        "state" => {
            let order = json!({"ticket": 7, "symbol": "EURUSD", "type": 99});
            Some(vec![json!({"ok": {
                "account": account(), "terminal": terminal_row(), "orders": [order, {}],
                "positions": [], "server_time": 5_000,
            }})])
        }
        "history_deals" => {
            let mut odd = deal(8);
            odd["type"] = json!("odd");
            Some(vec![json!({"ok": {"rows": [deal(7), odd]}})])
        }
        _ => None,
    }))
    .await;
    let terminal = terminal(bridge.settings());
    let _events = bounded(terminal.open()).await.unwrap();
    let snapshot = bounded(terminal.snapshot(9)).await.unwrap();
    assert_eq!(snapshot.begun, 9);
    let unread = snapshot.unreadable.iter();
    let unread = unread.map(|row| (row.kind, row.ticket, row.symbol.clone()));
    let expected = [
        (RowKind::Order, Ticket(7), Some(symbol("EURUSD"))),
        (RowKind::Order, Ticket(0), None),
    ];
    assert_eq!(unread.collect::<Vec<_>>(), expected);
    assert!(snapshot.unreadable[0].why.contains("type"));
    let past = bounded(terminal.history(BrokerTime(0), BrokerTime(i64::MAX))).await;
    let past = past.unwrap();
    assert_eq!((past.deals.len(), past.unreadable.len()), (1, 1));
    assert_eq!(past.unreadable[0].ticket, Ticket(8));
    // Between two ticks the broker's clock is this one's.
    let later = until(async || {
        let time = terminal.snapshot(0).await.unwrap().time.unwrap();
        (time > snapshot.time.unwrap()).then_some(time)
    });
    assert!(later.await > BrokerTime(5_000));
}

/// The bridge keeps the latest one for ever: where the broker's clock went back, or one tick was dated
/// ahead, it is wrong.
#[tokio::test(flavor = "multi_thread")]
async fn the_latest_time_that_the_bridge_saw_moves_no_clock_that_ticks_show() {
    let now = clock::utc_now_ms() / 1_000;
    let hour = 3_600;
    let bridge = Scripted::start(usual(move |call, _| {
        let state = json!({
            "account": account(), "terminal": terminal_row(), "orders": [], "positions": [],
            "server_time": (now + 3 * hour) * 1_000,
        });
        (call == "state").then(|| vec![json!({ "ok": state })])
    }))
    .await;
    let terminal = terminal(bridge.settings());
    let mut events = bounded(terminal.open()).await.unwrap();
    bridge.push(tick(now + 2 * hour, 1));
    bounded(events.ticks.recv()).await.unwrap();
    let read = bounded(terminal.snapshot(0)).await.unwrap().time.unwrap();
    assert!(read < BrokerTime((now + 3 * hour) * 1_000), "{read}");
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_read_the_past_the_bridge_has_one_such_call_and_orders_go() {
    let silent = |call: &str, _: &Value| (call == "ticks").then(Vec::new);
    let bridge = Scripted::start(usual(silent)).await;
    let terminal = terminal(bridge.settings());
    let _events = bounded(terminal.open()).await.unwrap();
    let euro = symbol("EURUSD");
    let place = TickPlace {
        time: BrokerTime(5_000),
        skip: 0,
    };
    let read = || terminal.ticks(&euro, place, BrokerTime(9_000), 10);
    let sent = async {
        until(async || bridge.calls("ticks").pop()).await;
        bounded(send(&terminal, &market(1, None))).await
    };
    tokio::select! {
        _ = async { tokio::join!(read(), read(), read()) } => panic!("there is no answer"),
        receipt = sent => assert!(receipt.is_ok(), "{receipt:?}"),
    }
    let asked = [json!({"symbol": "EURUSD", "from": 5, "count": 10})];
    assert_eq!(bridge.calls("ticks"), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_who_give_up_do_not_fill_the_bridge() {
    let silent = |call: &str, _: &Value| (call == "ticks").then(Vec::new);
    let bridge = Scripted::start(usual(silent)).await;
    let terminal = terminal(bridge.settings());
    let _events = bounded(terminal.open()).await.unwrap();
    let euro = symbol("EURUSD");
    let read = || terminal.ticks(&euro, place(5_000, 0), BrokerTime(9_000), 10);
    tokio::select! {
        _ = read() => panic!("there is no answer"),
        _ = until(async || bridge.calls("ticks").pop()) => {}
    }
    // What a further one asks would reach the bridge before the order does.
    let order = market(1, None);
    tokio::select! {
        biased;
        _ = read() => panic!("there is no answer"),
        receipt = bounded(send(&terminal, &order)) => {
            assert!(receipt.is_ok(), "{receipt:?}");
        }
    }
    assert_eq!(bridge.calls("ticks").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_is_not_asked_for_while_an_order_is_on_its_way() {
    let silent = |call: &str, _: &Value| (call == "order_send").then(Vec::new);
    let bridge = Scripted::start(usual(silent)).await;
    let terminal = terminal(bridge.settings());
    let _events = bounded(terminal.open()).await.unwrap();
    let (euro, order) = (symbol("EURUSD"), market(1, None));
    let heard = async {
        until(async || bridge.calls("order_send").pop()).await;
        bounded(terminal.snapshot(0)).await.unwrap();
    };
    tokio::select! {
        biased;
        _ = send(&terminal, &order) => panic!("there is no answer"),
        _ = terminal.ticks(&euro, place(5_000, 0), BrokerTime(9_000), 10) => panic!("it waits"),
        () = heard => {}
    }
    assert!(bridge.calls("ticks").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_past_that_is_not_told_says_why_and_the_link_stays() {
    let nothing =
        |call: &str, _: &Value| (call == "ticks").then(|| vec![json!({"none": [-4, "not found"]})]);
    let bridge = Scripted::start(usual(nothing)).await;
    let terminal = terminal(bridge.settings());
    let _events = bounded(terminal.open()).await.unwrap();
    let euro = symbol("EURUSD");
    let read = terminal.ticks(&euro, place(5_000, 0), BrokerTime(9_000), 10);
    let Err(BrokerError::PastUnavailable { why, .. }) = bounded(read).await else {
        panic!("the package told nothing");
    };
    assert!(why.contains("not found (-4)"), "{why}");
    assert!(bounded(terminal.snapshot(0)).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_bars_are_read_in_one_turn_however_long_each_part_takes() {
    let bridge = Scripted::start(usual(|call, args| {
        if call != "bars" {
            return None;
        }
        // A call that takes so long is followed by a pause.
        thread::sleep(Duration::from_millis(1_100));
        let from = args["from"].as_i64().unwrap();
        let newest = from - from % 60;
        let row = |back: i64| json!([newest - back * 60, 1.1, 1.2, 1.0, 1.15, 7, 9, 0]);
        let count = args["count"].as_i64().unwrap();
        let rows: Vec<Value> = (0..count).rev().map(row).collect();
        Some(vec![json!({ "ok": rows })])
    }))
    .await;
    let terminal = terminal(bridge.settings());
    let _events = bounded(terminal.open()).await.unwrap();
    let euro = symbol("EURUSD");
    let bars = bounded(terminal.newest_bars(&euro, 1, 2_001)).await;
    let bars = bars.unwrap();
    assert_eq!((bars.len(), bridge.calls("bars").len()), (2_001, 2));
    assert!(bars.is_sorted_by(|one, next| one.time < next.time));
    // The next question is kept from the terminal for a while.
    let next = bounded(terminal.newest_bars(&euro, 1, 1)).await;
    assert!(
        matches!(next, Err(BrokerError::PastUnavailable { .. })),
        "{next:?}"
    );
    assert_eq!(bridge.calls("bars").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_ends_only_where_the_newest_tick_does() {
    let bridge = Scripted::start(usual(|call, _| {
        (call == "ticks").then(|| vec![json!({"ok": []})])
    }))
    .await;
    let terminal = terminal(bridge.settings());
    let mut events = bounded(terminal.open()).await.unwrap();
    bridge.push(tick(9, 1));
    bounded(events.ticks.recv()).await.unwrap();
    let euro = symbol("EURUSD");
    let read = |from| terminal.ticks(&euro, place(from, 0), BrokerTime(20_000), 10);
    let loading = bounded(read(5_000)).await;
    assert!(
        matches!(loading, Err(BrokerError::PastUnavailable { .. })),
        "{loading:?}"
    );
    let part = bounded(read(10_000)).await.unwrap();
    assert_eq!((part.rows.len(), part.rest), (0, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_behind_more_ticks_than_there_are_is_refused_with_one_small_call() {
    let bridge = Scripted::start(usual(|call, _| {
        let row = |ms: i64| json!([ms, 1.1, 1.1001, 0.0, 0, 6, 0.0]);
        (call == "ticks").then(|| vec![json!({"ok": [row(5_000), row(6_000)]})])
    }))
    .await;
    let terminal = terminal(bridge.settings());
    let _events = bounded(terminal.open()).await.unwrap();
    let euro = symbol("EURUSD");
    let forged = terminal.ticks(&euro, place(5_000, 65_000), BrokerTime(9_000), 1);
    let forged = bounded(forged).await;
    assert!(
        matches!(forged, Err(BrokerError::NotAvailable(_))),
        "{forged:?}"
    );
    let asked = [json!({"symbol": "EURUSD", "from": 5, "count": 2_000})];
    assert_eq!(bridge.calls("ticks"), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_full_of_ticks_is_read_with_a_greater_call_and_no_endless_one() {
    // So many ticks of one millisecond, and one of the next second.
    const CROWD: usize = 40;
    let bridge = Scripted::start(usual(|call, args| {
        if call != "ticks" {
            return None;
        }
        let count = args["count"].as_u64().unwrap() as usize;
        let endless = args["from"] == 9;
        let crowd = if endless { usize::MAX } else { CROWD };
        let row = |ms: i64| json!([ms, 1.1, 1.1001, 0.0, 0, 6, 0.0]);
        let second = args["from"].as_i64().unwrap() * 1_000;
        let rows = std::iter::repeat_n(row(second), crowd).chain([row(second + 1_000)]);
        Some(vec![json!({"ok": rows.take(count).collect::<Vec<_>>()})])
    }))
    .await;
    let terminal = terminal(bridge.settings());
    let _events = bounded(terminal.open()).await.unwrap();
    let euro = symbol("EURUSD");
    let (to, mut read) = (BrokerTime(8_000), 0);
    let mut place = Some(TickPlace {
        time: BrokerTime(5_000),
        skip: 0,
    });
    while let Some(from) = place {
        let part = bounded(terminal.ticks(&euro, from, to, 3)).await.unwrap();
        read += part.rows.len();
        place = part.rest.filter(|place| place.time < BrokerTime(6_000));
    }
    assert_eq!(read, CROWD + 1);
    let stuck = TickPlace {
        time: BrokerTime(9_500),
        skip: 0,
    };
    let stuck = bounded(terminal.ticks(&euro, stuck, BrokerTime(9_900), 5_000)).await;
    assert!(
        matches!(stuck, Err(BrokerError::NotAvailable(_))),
        "{stuck:?}"
    );
}
