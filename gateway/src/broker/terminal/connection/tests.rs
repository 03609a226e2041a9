#![allow(clippy::unwrap_used)]
use super::super::{
    super::Events, expected_account::ExpectedAccount, expected_account::tests::account,
    state::SharedState, symbol_map::SymbolMap,
};
use super::*;
use crate::broker::BrokerEvent;
use serde_json::json;
use tokio::io::{AsyncReadExt, DuplexStream, duplex};

const TIMEOUT: Duration = Duration::from_secs(5);

/// A session over a pipe that holds so many bytes: it, the bridge's end, the link's end.
fn session(holds: usize) -> (Arc<Connection>, DuplexStream, Events) {
    let symbol_map = SymbolMap::new([].into()).unwrap();
    let expected = ExpectedAccount::to(
        &account("10000001", "Demo-1"),
        mymt5_model::AccountKind::Demo,
    );
    let (feed, events) = Feed::new(Arc::new(SharedState::new(symbol_map, expected)));
    let (ours, theirs) = duplex(holds);
    (Connection::start(Box::new(ours), feed), theirs, events)
}

async fn answer(bridge: &mut DuplexStream, text: &str) {
    let length = u32::try_from(text.len()).unwrap();
    bridge.write_all(&length.to_be_bytes()).await.unwrap();
    bridge.write_all(text.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn answers_find_their_askers_in_any_order() {
    let (connection, mut bridge, _events) = session(65_536);
    let mut first = connection.begin("one", &json!({})).unwrap();
    let mut second = connection.begin("two", &json!({})).unwrap();
    answer(&mut bridge, r#"{"role":"bridge","id":99,"ok":9}"#).await;
    answer(&mut bridge, r#"{"role":"bridge","id":2,"ok":2}"#).await;
    answer(&mut bridge, r#"{"role":"bridge","id":1,"ok":1}"#).await;
    let value = |outcome: CallOutcome| match outcome {
        CallOutcome::Answer(Answer::Ok(value)) => value.get().to_owned(),
        outcome => panic!("{outcome:?}"),
    };
    assert_eq!(value(first.outcome(TIMEOUT).await), "1");
    assert_eq!(value(second.outcome(TIMEOUT).await), "2");
    drop((first, second));
    assert!(connection.waiting().is_empty());
}

#[tokio::test]
async fn what_began_to_leave_is_lost_and_what_did_not_was_never_sent() {
    let (connection, mut bridge, _events) = session(8);
    let mut first = connection.begin("one", &json!({})).unwrap();
    let mut second = connection.begin("two", &json!({})).unwrap();
    // Of the first a piece is out by then, and the pipe is full.
    let mut piece = [0; 4];
    bridge.read_exact(&mut piece).await.unwrap();
    connection.close("the test ends it");
    assert!(
        matches!(first.outcome(TIMEOUT).await, CallOutcome::Lost(why) if why == "the test ends it")
    );
    assert!(matches!(
        second.outcome(TIMEOUT).await,
        CallOutcome::NotWritten(_)
    ));
    let third = connection.begin("three", &json!({}));
    assert!(matches!(third, Err(CallOutcome::NotWritten(_))));
}

#[tokio::test]
async fn who_gives_up_before_his_call_began_to_leave_withdraws_it() {
    let (connection, mut bridge, _events) = session(8);
    let mut first = connection.begin("one", &json!({})).unwrap();
    let mut second = connection.begin("two", &json!({})).unwrap();
    let third = connection.begin("three", &json!({})).unwrap();
    let mut piece = [0; 4];
    bridge.read_exact(&mut piece).await.unwrap();
    let now = Duration::from_millis(1);
    assert!(matches!(
        second.outcome(now).await,
        CallOutcome::NotWritten(_)
    ));
    drop(third);
    assert!(matches!(first.outcome(now).await, CallOutcome::Lost(_)));
    let _last = connection.begin("last", &json!({})).unwrap();
    let mut received = String::new();
    while !received.contains("last") {
        let mut piece = [0; 8];
        let count = bridge.read(&mut piece).await.unwrap();
        received += &String::from_utf8_lossy(&piece[..count]);
    }
    assert!(received.contains("one") && !received.contains("two") && !received.contains("three"));
}

#[tokio::test]
async fn too_many_calls_are_not_written() {
    let (connection, _bridge, _events) = session(8);
    let calls: Vec<_> = (0..WAITING + 10)
        .map(|_| connection.begin("one", &json!({})))
        .collect();
    let refused = calls.iter().filter(|call| call.is_err()).count();
    assert!((10..WAITING).contains(&refused), "{refused}");
    drop(calls);
    assert!(connection.waiting().is_empty());
}

#[tokio::test]
async fn the_end_of_the_bridge_is_told_to_all() {
    let (connection, bridge, mut events) = session(65_536);
    let mut call = connection.begin("one", &json!({})).unwrap();
    drop(bridge);
    assert!(matches!(
        call.outcome(TIMEOUT).await,
        CallOutcome::Lost(_) | CallOutcome::NotWritten(_)
    ));
    assert!(matches!(
        events.changes.recv().await,
        Some(BrokerEvent::LinkLost(_))
    ));
    assert!(connection.is_closed());
}
