//! What is pushed, and what becomes of it.

use super::bridge::{Scripted, deal, rows, tick, usual};
use crate::support::{bounded, change, lost, send, terminal, until};
use mymt5_chassis::clock;
use mymt5_gateway::broker::{Broker, BrokerEvent};
use mymt5_model::BrokerTime;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn ticks_that_are_not_taken_end_the_session_and_come_again() {
    let bridge = Scripted::start(usual(|_, _| None)).await;
    let terminal = terminal(bridge.settings());
    let mut events = bounded(terminal.open()).await.unwrap();
    assert_eq!(
        bridge.calls("watch")[0]["symbols"],
        json!({"EURUSD": null, "USDJPY": null})
    );
    for second in 1..=400 {
        bridge.push(tick(second, 1));
    }
    assert_eq!(lost(&mut events).await, "ticks are not taken");
    let mut taken = 0;
    while let Ok(batch) = events.ticks.try_recv() {
        taken = batch[0].time.0 / 1_000;
    }
    assert!((1..400).contains(&taken), "{taken}");
    let mut events = bounded(terminal.open()).await.unwrap();
    // It resumes after the last one that was handed on, and a repeated one is passed over.
    assert_eq!(
        bridge.calls("watch")[1]["symbols"]["EURUSD"],
        json!([taken, 1])
    );
    bridge.push(tick(taken, 1));
    bridge.push(tick(taken, 2));
    bounded(events.ticks.recv()).await.unwrap();
    assert_eq!(terminal.status().repeated_pushes, 1);
    assert!(events.ticks.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn ticks_outside_the_map_are_counted() {
    let bridge = Scripted::start(usual(|_, _| None)).await;
    let terminal = terminal(bridge.settings());
    let mut events = bounded(terminal.open()).await.unwrap();
    let mut foreign = tick(1, 1);
    foreign["symbol"] = "GOLD".into();
    bridge.push(foreign);
    let mut quoteless = tick(1, 1);
    quoteless["rows"][0][1] = Value::Null;
    bridge.push(quoteless);
    bridge.push(tick(2, 1));
    assert_eq!(bounded(events.ticks.recv()).await.unwrap().len(), 1);
    let status = terminal.status();
    assert_eq!((status.unmapped_ticks, status.quoteless_ticks), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_changed_is_told_and_each_deal_once() {
    let bridge = Scripted::start(usual(|_, _| None)).await;
    let terminal = terminal(bridge.settings());
    let mut events = bounded(terminal.open()).await.unwrap();
    bridge.push(rows(vec![deal(5)]));
    bridge.push(rows(vec![deal(5), deal(6)]));
    let mut floating = rows(vec![deal(6)]);
    floating["account"]["equity"] = json!(990.0);
    floating["account"]["profit"] = json!(-10.0);
    bridge.push(floating);
    let mut other = rows(vec![]);
    other["account"]["balance"] = json!(2000.0);
    bridge.push(other);
    let mut told = Vec::new();
    for _ in 0..4 {
        told.push(match bounded(events.changes.recv()).await.unwrap() {
            BrokerEvent::Deal(deal) => deal.ticket.0,
            BrokerEvent::RowsChanged => 0,
            change => panic!("{change:?}"),
        });
    }
    assert_eq!(told, [5, 0, 6, 0]);
}

/// What was done tells the broker's clock as well, where ticks are rare.
#[tokio::test(flavor = "multi_thread")]
async fn the_brokers_clock_is_never_behind_a_deal() {
    let bridge = Scripted::start(usual(|_, _| None)).await;
    let terminal = terminal(bridge.settings());
    let mut events = bounded(terminal.open()).await.unwrap();
    bridge.push(tick(1, 1));
    bounded(events.ticks.recv()).await.unwrap();
    bridge.push(rows(vec![deal(5)]));
    let done = |change| match change {
        BrokerEvent::Deal(deal) => Some(deal.time),
        _ => None,
    };
    let done = change(&mut events, done).await;
    let read = bounded(terminal.snapshot(0)).await.unwrap().time;
    assert!(read >= Some(done), "{read:?}, {done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_dated_beyond_every_clock_does_not_set_the_brokers() {
    let bridge = Scripted::start(usual(|_, _| None)).await;
    let terminal = terminal(bridge.settings());
    let mut events = bounded(terminal.open()).await.unwrap();
    let now = clock::utc_now_ms() / 1_000;
    for second in [now, now + 15 * 3_600] {
        bridge.push(tick(second, 1));
        bounded(events.ticks.recv()).await.unwrap();
    }
    let read = bounded(terminal.snapshot(0)).await.unwrap().time.unwrap();
    assert!(read < BrokerTime((now + 14 * 3_600) * 1_000), "{read}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_margin_call_is_told_once_an_episode() {
    let bridge = Scripted::start(usual(|_, _| None)).await;
    let terminal = terminal(bridge.settings());
    let mut events = bounded(terminal.open()).await.unwrap();
    for level in [90.0, 80.0, 150.0, 70.0] {
        let mut push = rows(vec![]);
        push["account"]["margin"] = json!(500.0);
        push["account"]["margin_level"] = json!(level);
        bridge.push(push);
    }
    let call = |change| match change {
        BrokerEvent::MarginCall(level) => Some(level),
        _ => None,
    };
    assert_eq!(change(&mut events, call).await, 90.0);
    assert_eq!(change(&mut events, call).await, 70.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_not_understood_stop_no_exit() {
    let bridge = Scripted::start(usual(|_, _| None)).await;
    let terminal = terminal(bridge.settings());
    let mut events = bounded(terminal.open()).await.unwrap();
    let mut odd = rows(vec![]);
    odd["positions"] = json!([{"ticket": 1}]);
    bridge.push(odd);
    change(&mut events, |change| {
        matches!(change, BrokerEvent::RowsChanged).then_some(())
    })
    .await;
    let close = crate::real::market(1, Some(mymt5_model::Ticket(1)));
    bounded(send(&terminal, &close)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_is_gone_behind_its_bridge_ends_the_session() {
    let bridge = Scripted::start(usual(|_, _| None)).await;
    let terminal = terminal(bridge.settings());
    let mut events = bounded(terminal.open()).await.unwrap();
    let none = || json!({"push": "rows", "none": [-10_004, "No IPC connection"]});
    for push in [none(), none(), rows(vec![]), none(), none(), none()] {
        bridge.push(push);
    }
    assert!(lost(&mut events).await.contains("(-10004)"));
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_events_ends_the_session() {
    let bridge = Scripted::start(usual(|_, _| None)).await;
    let terminal = terminal(bridge.settings());
    drop(bounded(terminal.open()).await.unwrap());
    until(async || terminal.ping().await.is_err().then_some(())).await;
}
