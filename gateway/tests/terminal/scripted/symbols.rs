//! Symbols that the broker dropped or changed beyond understanding, and prices that grew old.

use super::bridge::{Script, Scripted, symbol as row, tick, usual};
use crate::{
    real::market,
    support::{TRACE, bounded, send, symbol, terminal, until},
};
use mymt5_gateway::broker::{Broker, BrokerError, Dispatch, SendFailure};
use mymt5_model::{Ticket, TradeMode};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// A script whose broker has these rows of its symbols, by their names.
fn telling(rows: impl Fn(&Value) -> Value + Send + Sync + 'static) -> Script {
    usual(move |call, args| {
        let names = (call == "symbols").then(|| args["names"].as_array().unwrap())?;
        let told: Vec<Value> = names.iter().map(&rows).collect();
        Some(vec![json!({ "ok": told })])
    })
}

/// The usual row with another field.
fn with(name: &Value, field: &str, value: Value) -> Value {
    let mut row = row(name);
    row[field] = value;
    row
}

#[tokio::test(flavor = "multi_thread")]
async fn a_symbol_that_cannot_be_read_closes_the_link_for_no_other() {
    let dropped: fn(&Value) -> Value = |_| Value::Null;
    let changed: fn(&Value) -> Value = |name| with(name, "volume_step", json!(0.0));
    for odd in [dropped, changed] {
        let bridge = Scripted::start(telling(move |name| {
            if name == "USDJPY" {
                odd(name)
            } else {
                row(name)
            }
        }))
        .await;
        let terminal = terminal(bridge.settings());
        let mut events = bounded(terminal.open()).await.unwrap();
        let specs = bounded(terminal.symbols()).await.unwrap();
        let read: Vec<_> = specs.into_iter().map(|spec| spec.symbol).collect();
        assert_eq!(read, [symbol("EURUSD")]);
        let unread = terminal.unread_symbols().unwrap();
        assert!(unread.contains("USDJPY"), "{unread}");
        // Nor do its ticks end the session.
        let mut foreign = tick(1, 1);
        foreign["symbol"] = "USDJPY".into();
        bridge.push(foreign);
        bridge.push(tick(1, 1));
        let ticks = bounded(events.ticks.recv()).await.unwrap();
        assert_eq!(ticks[0].symbol, symbol("EURUSD"));
        assert_eq!(terminal.status().unmapped_ticks, 1);
        bounded(send(&terminal, &market(1, Some(Ticket(1)))))
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn symbols_that_were_never_understood_are_left_for_exits() {
    let bridge = Scripted::start(telling(|name| {
        let mut row = with(name, "trade_exemode", json!(1));
        row["volume_step"] = json!(0.0);
        row
    }))
    .await;
    let terminal = terminal(bridge.settings());
    let _events = bounded(terminal.open()).await.unwrap();
    assert!(bounded(terminal.symbols()).await.unwrap().is_empty());
    let refused = bounded(send(&terminal, &market(1, None))).await;
    assert!(
        matches!(refused, Err(SendFailure::NotSent(_))),
        "{refused:?}"
    );
    assert_eq!(bridge.calls("order_send").len(), 0);
    bounded(send(&terminal, &market(2, Some(Ticket(1)))))
        .await
        .unwrap();
    let sent = bridge.calls("order_send").remove(0);
    let request = &sent["request"];
    assert_eq!(
        (&request["price"], &request["type_filling"]),
        (&json!(1.1), &json!(0))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_goes_by_the_row_that_was_understood_else_by_the_newest() {
    for understood in [true, false] {
        let changed = Arc::new(AtomicBool::new(false));
        let has_changed = changed.clone();
        let bridge = Scripted::start(telling(move |name| {
            let is_newer = has_changed.load(Ordering::SeqCst);
            // Instant execution, then market execution by IOC.
            let mut row = with(name, "trade_exemode", json!(if is_newer { 2 } else { 1 }));
            if is_newer {
                row["filling_mode"] = json!(2);
            }
            if is_newer || !understood {
                row["volume_step"] = json!(0.0);
            }
            row
        }))
        .await;
        let terminal = terminal(bridge.settings());
        let _events = bounded(terminal.open()).await.unwrap();
        changed.store(true, Ordering::SeqCst);
        bounded(terminal.symbols()).await.unwrap();
        bounded(send(&terminal, &market(1, Some(Ticket(1)))))
            .await
            .unwrap();
        let sent = bridge.calls("order_send").remove(0);
        let filling = if understood { 0 } else { 1 };
        assert_eq!(
            sent["request"]["type_filling"],
            json!(filling),
            "{understood}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_symbol_that_can_be_read_no_more_is_left_for_exits() {
    let gone = Arc::new(AtomicBool::new(false));
    let is_gone = gone.clone();
    let bridge = Scripted::start(telling(move |name| {
        if name == "EURUSD" && is_gone.load(Ordering::SeqCst) {
            Value::Null
        } else {
            row(name)
        }
    }))
    .await;
    let terminal = terminal(bridge.settings());
    let _events = bounded(terminal.open()).await.unwrap();
    gone.store(true, Ordering::SeqCst);
    // A session that begins now is none the worse for it.
    let _events = bounded(terminal.open()).await.unwrap();
    let modes = async || {
        let mut specs = bounded(terminal.symbols()).await.unwrap();
        specs.sort_unstable_by(|one, other| one.symbol.cmp(&other.symbol));
        specs
            .into_iter()
            .map(|spec| spec.trade_mode)
            .collect::<Vec<_>>()
    };
    assert_eq!(modes().await, [TradeMode::CloseOnly, TradeMode::Full]);
    assert!(terminal.unread_symbols().is_some());
    bounded(send(&terminal, &market(1, Some(Ticket(1)))))
        .await
        .unwrap();
    gone.store(false, Ordering::SeqCst);
    assert_eq!(modes().await, [TradeMode::Full, TradeMode::Full]);
    assert_eq!(terminal.unread_symbols(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_symbol_there_is_no_link() {
    let bridge = Scripted::start(telling(|_| Value::Null)).await;
    let opened = bounded(terminal(bridge.settings()).open()).await;
    let Err(BrokerError::Unreachable(why)) = opened else {
        panic!("{opened:?}");
    };
    assert!(why.contains("EURUSD") && why.contains("USDJPY"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_price_is_asked_for_before_a_market_order() {
    let moved = Arc::new(AtomicBool::new(false));
    let has_moved = moved.clone();
    let bridge = Scripted::start(telling(move |name| {
        let mut row = with(name, "trade_exemode", json!(1));
        if has_moved.load(Ordering::SeqCst) {
            row["bid"] = json!(1.2);
        }
        row
    }))
    .await;
    let terminal = terminal(bridge.settings());
    let mut events = bounded(terminal.open()).await.unwrap();
    bridge.push(tick(1, 1));
    bounded(events.ticks.recv()).await.unwrap();
    moved.store(true, Ordering::SeqCst);
    // No tick comes any more. In a second the last one is old.
    until(async || {
        bounded(send(&terminal, &market(1, Some(Ticket(1)))))
            .await
            .unwrap();
        let sent = bridge.calls("order_send").pop()?;
        (sent["request"]["price"] == json!(1.2)).then_some(())
    })
    .await;
}

/// A script of a symbol whose market orders name their price. Once that is set, the question for it
/// has these answers.
fn instant(
    later: &Arc<AtomicBool>,
    answers: impl Fn(&Value) -> Vec<Value> + Send + Sync + 'static,
) -> Script {
    let later = later.clone();
    usual(move |call, args| {
        let names = (call == "symbols").then(|| args["names"].as_array().unwrap())?;
        let rows = names.iter();
        let rows = rows.map(|name| with(name, "trade_exemode", json!(1)));
        let rows: Vec<Value> = rows.collect();
        if later.load(Ordering::SeqCst) {
            return Some(answers(&rows[0]));
        }
        Some(vec![json!({ "ok": rows })])
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_leaves_at_an_old_price_where_no_newer_one_is_told() {
    let stalled = Arc::new(AtomicBool::new(false));
    let asked = Arc::new(AtomicBool::new(false));
    let was_asked = asked.clone();
    let bridge = Scripted::start(instant(&stalled, move |_| {
        was_asked.store(true, Ordering::SeqCst);
        Vec::new()
    }))
    .await;
    let terminal = terminal(bridge.settings());
    let _events = bounded(terminal.open()).await.unwrap();
    stalled.store(true, Ordering::SeqCst);
    // In a second the price is old.
    until(async || {
        let dispatch = Dispatch {
            before: Instant::now() + Duration::from_secs(2),
            trace_id: TRACE.into(),
        };
        let close = market(1, Some(Ticket(1)));
        let sent = bounded(terminal.send(&close, &dispatch)).await;
        (asked.load(Ordering::SeqCst) && sent.is_ok()).then_some(())
    })
    .await;
    let sent = until(async || bridge.calls("order_send").pop()).await;
    assert_eq!(sent["request"]["price"], json!(1.1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_is_newer_than_the_answer_to_a_question_that_was_asked_before_it() {
    let moved = Arc::new(AtomicBool::new(false));
    let bridge = Scripted::start(instant(&moved, |row| {
        let mut outrun = row.clone();
        outrun["bid"] = json!(1.05);
        let mut newer = tick(1, 1);
        newer["rows"][0][1] = json!(1.0999);
        vec![newer, json!({ "ok": [outrun] })]
    }))
    .await;
    let terminal = terminal(bridge.settings());
    let _events = bounded(terminal.open()).await.unwrap();
    moved.store(true, Ordering::SeqCst);
    // In a second the price is old, and asked for.
    let price = until(async || {
        bounded(send(&terminal, &market(1, Some(Ticket(1)))))
            .await
            .unwrap();
        let sent = bridge.calls("order_send").pop()?;
        let price = sent["request"]["price"].clone();
        (price != json!(1.1)).then_some(price)
    })
    .await;
    assert_eq!(price, json!(1.0999));
}
