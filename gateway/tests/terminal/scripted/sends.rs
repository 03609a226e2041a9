//! What a send comes to when the bridge answers oddly, or not.

use super::bridge::{Scripted, usual};
use crate::{
    real::market,
    support::{TRACE, bounded, lost, send, terminal},
};
use mymt5_gateway::broker::{Broker, SendFailure};
use mymt5_model::{Receipt, Retcode, Ticket};
use serde_json::{Value, json};
use std::time::Duration;

/// Closes a position against a bridge that answers the send, and a recall of it, like that.
async fn closed(
    answer: Option<Value>,
    recalled: Value,
) -> (Result<Receipt, SendFailure>, Scripted) {
    let bridge = Scripted::start(usual(move |call, _| match call {
        "order_send" => Some(answer.clone().into_iter().collect()),
        "recall" => Some(vec![json!({"ok": recalled})]),
        _ => None,
    }))
    .await;
    let mut settings = bridge.settings();
    settings.call_timeout = Duration::from_millis(200);
    let terminal = terminal(settings);
    let _events = bounded(terminal.open()).await.unwrap();
    let outcome = bounded(send(&terminal, &market(1, Some(Ticket(1))))).await;
    (outcome, bridge)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recall_tells_what_a_lost_answer_was() {
    let done = |answer: Value| json!({"state": "done", "answer": answer});
    let result = |code: u32| json!({"ok": {"retcode": code, "deal": 0, "order": 0}});
    let (outcome, bridge) = closed(None, done(result(10_009))).await;
    assert_eq!(outcome.unwrap().retcode, Retcode::DONE);
    let sent = &bridge.calls("order_send")[0];
    assert_eq!(bridge.calls("recall"), [json!({"key": sent["key"]})]);
    assert!((1..=200).contains(&sent["wait_ms"].as_u64().unwrap()));

    let (outcome, _) = closed(None, done(result(10_019))).await;
    assert_eq!(outcome, Err(SendFailure::Rejected(Retcode::NO_MONEY)));
    let dropped = json!({"state": "dropped", "answer": {"refused": "dropped"}});
    let (outcome, _) = closed(None, dropped).await;
    assert!(matches!(outcome, Err(SendFailure::NotSent(_))));
    let none = json!({"none": [-10_005, "IPC timeout"]});
    let (outcome, _) = closed(None, done(none)).await;
    assert!(matches!(outcome, Err(SendFailure::Unknown(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recall_that_tells_nothing_leaves_it_unknown_and_nothing_is_sent_twice() {
    let states = [
        json!({"state": "unheard", "answer": null}),
        json!({"state": "running", "answer": null}),
        json!({"state": "queued", "answer": null}),
        json!({"state": "done", "answer": null}),
        json!({"state": "elsewhere"}),
        json!(null),
    ];
    for state in states {
        let (outcome, bridge) = closed(None, state).await;
        assert!(
            matches!(outcome, Err(SendFailure::Unknown(_))),
            "{outcome:?}"
        );
        assert_eq!(bridge.calls("order_send").len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bridge_refuses_was_not_sent() {
    let (outcome, _) = closed(Some(json!({"refused": "queue full"})), json!(null)).await;
    let Err(SendFailure::NotSent(why)) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(why.contains("queue full"), "{why}");
    let odd = json!({"ok": {"retcode": null}});
    let (outcome, _) = closed(Some(odd), json!(null)).await;
    assert!(matches!(outcome, Err(SendFailure::Unknown(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_ran_apart_make_a_new_session() {
    let bridge = Scripted::start(usual(|call, _| {
        (call == "order_send").then(|| vec![json!({"refused": "stale"})])
    }))
    .await;
    let terminal = terminal(bridge.settings());
    let mut events = bounded(terminal.open()).await.unwrap();
    let outcome = bounded(send(&terminal, &market(1, Some(Ticket(1))))).await;
    assert!(matches!(outcome, Err(SendFailure::NotSent(_))));
    assert!(lost(&mut events).await.contains("clock"));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_have_the_packages_form() {
    let bridge = Scripted::start(usual(|_, _| None)).await;
    let terminal = terminal(bridge.settings());
    let _events = bounded(terminal.open()).await.unwrap();
    bounded(send(&terminal, &market(7, None))).await.unwrap();
    let magic = mymt5_model::Magic::new(1, 7).unwrap().raw();
    let expected = json!({
        "action": 1, "magic": magic, "symbol": "EURUSD", "volume": 0.1, "sl": 0.0, "tp": 0.0,
        "type": 0, "type_filling": 1, "type_time": 0, "comment": "a_comment_that_is_longer_t",
    });
    let sent = &bridge.calls("order_send")[0];
    assert_eq!(
        (&sent["request"], &sent["key"], &sent["correlation"]),
        (&expected, &json!(magic.to_string()), &json!(TRACE))
    );
    assert_eq!(sent["check"], json!(true));
    bounded(send(&terminal, &market(8, Some(Ticket(5)))))
        .await
        .unwrap();
    let sent = &bridge.calls("order_send")[1];
    assert_eq!(sent["check"], json!(false));
    let sent = &sent["request"];
    assert_eq!(
        (&sent["position"], &sent["type"], sent.get("sl")),
        (&json!(5), &json!(1), None)
    );
}
