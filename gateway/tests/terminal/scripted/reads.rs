//! Reads that take more than one call.

use super::bridge::{Scripted, account, deal, terminal as terminal_row, usual};
use crate::support::{bounded, terminal};
use mymt5_gateway::broker::{Broker, BrokerError, Change};
use mymt5_model::{BrokerTime, Ticket};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

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
async fn rows_are_read_again_when_a_deal_came_in_between() {
    let reads = Arc::new(AtomicU64::new(0));
    let count = reads.clone();
    let bridge = Scripted::start(usual(move |call, _| match call {
        "state" => {
            let read = count.fetch_add(1, Ordering::Relaxed) + 1;
            let mut account = account();
            account["balance"] = json!(1000.0 + read as f64);
            Some(vec![json!({"ok": {
                "account": account, "terminal": terminal_row(), "orders": [], "positions": [],
                "server_time": 5,
            }})])
        }
        // The second reading finds nothing new.
        "history_deals" if count.load(Ordering::Relaxed) > 0 => {
            Some(vec![json!({"ok": {"rows": [deal(7)]}})])
        }
        _ => None,
    }))
    .await;
    let terminal = terminal(bridge.settings());
    let mut events = bounded(terminal.open()).await.unwrap();
    let snapshot = bounded(terminal.snapshot()).await.unwrap();
    assert_eq!(reads.load(Ordering::Relaxed), 2);
    assert_eq!(
        (snapshot.last_deal, snapshot.account.balance.to_f64()),
        (Ticket(7), 1002.0)
    );
    assert_eq!(snapshot.time, Some(BrokerTime(5)));
    let told = bounded(events.changes.recv()).await.unwrap();
    assert!(matches!(told, Change::Deal(deal) if deal.ticket == Ticket(7)));
}
