//! Replies that are lost, bridges that die: what may have happened is never told as certain.

use super::{process::Bridge, trading::market};
use crate::support::{bounded, lost, send, terminal, until};
use mymt5_gateway::broker::{Broker, BrokerError, SendFailure};
use std::{sync::Arc, time::Duration};

const EXECUTED: &str = "SELECT count(*) FROM sends WHERE executed";

#[tokio::test(flavor = "multi_thread")]
async fn last_errors_tell_what_was_not_sent_from_what_may_have_been() {
    let bridge = Bridge::start(&[]);
    let terminal = terminal(bridge.settings(""));
    let _events = bounded(terminal.open()).await.unwrap();
    let codes = [
        -2, -3, -5, -6, -7, -8, -10_003, -10_004, -1, -10_000, -10_001, -10_002, -10_005,
    ];
    for (number, code) in (1..).zip(codes) {
        bridge.fault("order_send", &format!("none:{code}"), "{}");
        let outcome = bounded(send(&terminal, &market(number, None))).await;
        let definite = code != -1 && code != -10_005 && !(-10_002..=-10_000).contains(&code);
        match outcome {
            Err(SendFailure::NotSent(_)) if definite => {}
            Err(SendFailure::Unknown(_)) if !definite => {}
            outcome => panic!("{code}: {outcome:?}"),
        }
    }
    bridge.fault("order_send", "timeout_after", "{}");
    let outcome = bounded(send(&terminal, &market(50, None))).await;
    assert!(
        matches!(outcome, Err(SendFailure::Unknown(_))),
        "{outcome:?}"
    );
    assert_eq!(bridge.count(EXECUTED), 1);
    bridge.fault("order_send", "raise", r#"{"when": "before"}"#);
    let outcome = bounded(send(&terminal, &market(51, None))).await;
    assert!(matches!(&outcome, Err(SendFailure::Unknown(why)) if why.contains("ValueError")));
    bridge.fault("order_send", "zero_result", "{}");
    let receipt = bounded(send(&terminal, &market(52, None))).await.unwrap();
    assert_eq!(
        (receipt.deal, receipt.lots, receipt.price),
        (None, None, None)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_late_is_recalled() {
    let bridge = Bridge::start(&[]);
    let mut settings = bridge.settings("");
    settings.call_timeout = Duration::from_millis(700);
    let terminal = terminal(settings);
    let _events = bounded(terminal.open()).await.unwrap();
    bridge.fault("order_send", "delay_ms", r#"{"after_ms": 1000}"#);
    bounded(send(&terminal, &market(1, None))).await.unwrap();
    assert_eq!(bridge.count(EXECUTED), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_lost_with_its_session_is_recalled_from_the_next() {
    let bridge = Bridge::start(&[]);
    let terminal = Arc::new(terminal(bridge.settings("")));
    let mut events = bounded(terminal.open()).await.unwrap();
    bridge.fault("order_send", "delay_ms", r#"{"before_ms": 1000}"#);
    let sending = tokio::spawn({
        let terminal = terminal.clone();
        async move { send(&*terminal, &market(1, None)).await }
    });
    until(async || {
        let busy = terminal.status().busy;
        busy.is_some_and(|(call, _)| call == "order_send")
            .then_some(())
    })
    .await;
    let _next = bounded(terminal.open()).await.unwrap();
    assert_eq!(lost(&mut events).await, "a new session is opened");
    bounded(sending).await.unwrap().unwrap();
    assert_eq!(bridge.count(EXECUTED), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_killed_in_a_send_leaves_it_unknown_and_the_rows_tell() {
    let mut bridge = Bridge::start(&[]);
    let mut settings = bridge.settings("");
    settings.call_timeout = Duration::from_secs(3);
    let terminal = Arc::new(terminal(settings));
    let mut events = bounded(terminal.open()).await.unwrap();
    bridge.fault("order_send", "delay_ms", r#"{"after_ms": 30000}"#);
    let sending = tokio::spawn({
        let terminal = terminal.clone();
        async move { send(&*terminal, &market(1, None)).await }
    });
    tokio::task::block_in_place(|| bridge.wait_for(EXECUTED, 1));
    bridge.kill();
    lost(&mut events).await;
    assert!(matches!(
        terminal.ping().await,
        Err(BrokerError::Unreachable(_))
    ));
    let down = send(&*terminal, &market(2, None)).await;
    assert!(matches!(down, Err(SendFailure::NotSent(_))));
    bridge.launch();
    let _events = bounded(terminal.open()).await.unwrap();
    let outcome = bounded(sending).await.unwrap();
    assert!(
        matches!(outcome, Err(SendFailure::Unknown(_))),
        "{outcome:?}"
    );
    assert_eq!(terminal.snapshot(0).await.unwrap().positions.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_bridge_is_noticed_given_up_late_and_sends_nothing_late() {
    let bridge = Bridge::start(&[]);
    let mut settings = bridge.settings("");
    settings.call_timeout = Duration::from_secs(2);
    let terminal = terminal(settings);
    let mut events = bounded(terminal.open()).await.unwrap();
    let held = {
        send(&terminal, &market(1, None)).await.unwrap();
        terminal.snapshot(0).await.unwrap().positions.remove(0)
    };
    bridge.signal("STOP");
    let outcome = bounded(send(&terminal, &market(2, Some(held.ticket)))).await;
    assert!(
        matches!(outcome, Err(SendFailure::Unknown(_))),
        "{outcome:?}"
    );
    let silent =
        async || matches!(terminal.ping().await, Err(BrokerError::Silent(_))).then_some(());
    until(silent).await;
    bridge.signal("CONT");
    until(async || terminal.ping().await.ok()).await;
    assert_eq!(terminal.snapshot(0).await.unwrap().positions.len(), 1);
    bridge.signal("STOP");
    assert!(lost(&mut events).await.starts_with("no answer in time"));
    bridge.signal("CONT");
    let _events = until(async || terminal.open().await.ok()).await;
    assert_eq!(terminal.snapshot(0).await.unwrap().positions.len(), 1);
    assert_eq!(bridge.count(EXECUTED), 1);
}
