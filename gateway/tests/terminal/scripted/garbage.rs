//! Any bytes on the wire give an error or the end of the session, never a panic.

use super::bridge::{Scripted, frame, shake, usual};
use crate::support::{bounded, lost, settings, terminal};
use mymt5_gateway::broker::Broker;
use proptest::prelude::*;
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpListener};

/// Opens a session whose bridge proves itself, sends these bytes and is gone.
fn opens_with(bytes: &[u8]) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(bounded(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let terminal = terminal(settings(listener.local_addr().unwrap().to_string(), ""));
        let bridge = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            shake(&mut stream).await.unwrap();
            let _ = stream.write_all(bytes).await;
        };
        tokio::join!(terminal.open(), bridge).0.is_ok()
    }))
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    let key = prop_oneof![
        Just("id"),
        Just("ok"),
        Just("none"),
        Just("refused"),
        Just("push"),
        Just("symbol"),
        Just("rows"),
        Just("at"),
        Just("account")
    ];
    let value = prop_oneof![
        Just(json!(1)),
        Just(json!(null)),
        Just(json!("ticks")),
        Just(json!("rows")),
        Just(json!("EURUSD")),
        Just(json!([[1, 2, 3, 4, 5, 6, 7]])),
        Just(json!([1, "x"])),
        Just(json!({"account": {}, "terminal": []})),
        Just(json!(-1e300)),
    ];
    let object = proptest::collection::btree_map(key, value, 0..5).prop_map(|fields| {
        let mut value = json!(fields);
        value["role"] = "bridge".into();
        frame(&value)
    });
    prop_oneof![object, proptest::collection::vec(any::<u8>(), 0..40)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_open_a_session(pieces in proptest::collection::vec(piece(), 0..6)) {
        prop_assert!(!opens_with(&pieces.concat()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_breaks_the_protocol_ends_the_session() {
    let odd = [
        json!({"id": 5}),
        json!({"push": "ticks", "symbol": "EURUSD", "rows": [[1, 2]], "at": [1, 1]}),
        json!({"push": "ticks", "symbol": "EURUSD", "rows": [], "at": [1, -1]}),
        json!({"push": "news"}),
        json!({"id": 1, "ok": 1, "raised": "X"}),
    ];
    for value in odd {
        let bridge = Scripted::start(usual(|_, _| None)).await;
        let terminal = terminal(bridge.settings());
        let mut events = bounded(terminal.open()).await.unwrap();
        bridge.push(value);
        assert!(lost(&mut events).await.contains("not of its protocol"));
        assert!(terminal.ping().await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_another_kind_are_errors() {
    let odd = json!({"ok": {"account": "text", "terminal": [], "rows": {}, "busy_ms": -1}});
    let calls = [
        "state",
        "account",
        "history_orders",
        "symbols",
        "ping",
        "margin",
    ];
    for odd in [
        odd,
        json!({"ok": null}),
        json!({"ok": [1]}),
        json!({"raised": "X"}),
    ] {
        let begun = std::sync::atomic::AtomicBool::new(false);
        let begun = std::sync::Arc::new(begun);
        let (answer, after) = (odd.clone(), begun.clone());
        let bridge = Scripted::start(usual(move |call, _| {
            let now = after.load(std::sync::atomic::Ordering::Relaxed);
            (now && calls.contains(&call)).then(|| vec![answer.clone()])
        }))
        .await;
        let terminal = terminal(bridge.settings());
        let _events = bounded(terminal.open()).await.unwrap();
        begun.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(bounded(terminal.snapshot(0)).await.is_err());
        assert!(bounded(terminal.identify()).await.is_err());
        assert!(bounded(terminal.symbols()).await.is_err());
        let (from, to) = (mymt5_model::BrokerTime(0), mymt5_model::BrokerTime(1));
        assert!(bounded(terminal.history(from, to)).await.is_err());
    }
}
