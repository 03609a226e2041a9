//! New credentials while everything runs.

use super::{stage::Stage, trading::market};
use crate::support::bounded;
use mymt5_chassis::clock;
use mymt5_proto::v1::{self, LinkState, OrderState, Side};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

const NEW: &str = "another horse, another staple";

#[tokio::test(flavor = "multi_thread")]
async fn new_credentials_log_in_anew_between_two_orders_and_streams_stay() {
    let mut stage = Stage::set(&[]);
    stage.launch();
    stage.link(LinkState::Ready).await;
    let first = stage.submit(market("first", Side::Buy)).await;
    stage.settled(first.order_id).await;
    let snapshot = stage.snapshot().await;
    let from = v1::StreamEventsRequest {
        journal_id: snapshot.journal_id,
        after_sequence: snapshot.sequence,
    };
    let mut events = stage
        .trading()
        .await
        .stream_events(from)
        .await
        .unwrap()
        .into_inner();
    let mut ticks = stage
        .market_data()
        .await
        .stream_ticks(v1::StreamTicksRequest {
            delivery: Some(v1::Delivery::EveryTick.into()),
            symbols: vec!["EURUSD".into()],
        })
        .await
        .unwrap()
        .into_inner();
    // Orders go on all the time; none of them may fail.
    let stop = Arc::new(AtomicBool::new(false));
    let (told, mut trading) = (stop.clone(), stage.trading().await);
    let orders = tokio::spawn(async move {
        let mut states = Vec::new();
        for number in 0.. {
            if told.load(Ordering::Relaxed) {
                break;
            }
            let side = if number % 2 == 0 {
                Side::Buy
            } else {
                Side::Sell
            };
            let order = trading
                .submit_order(market(&format!("n{number}"), side))
                .await;
            states.push(order.map(|answer| answer.into_inner().order.unwrap()));
        }
        states
    });
    stage.bridge.broker(&["password", NEW]);
    stage.credentials(&[("MT5_PASSWORD", NEW)]);
    tokio::task::block_in_place(|| {
        stage
            .bridge
            .wait_for("SELECT count(*) FROM logins WHERE ok", 2);
    });
    let last = stage.submit(market("last", Side::Buy)).await;
    assert_eq!(
        stage.settled(last.order_id).await.state(),
        OrderState::Filled
    );
    stop.store(true, Ordering::Relaxed);
    let states = orders.await.unwrap();
    assert!(states.len() > 1);
    for state in &states {
        let order = state.as_ref().unwrap_or_else(|status| panic!("{status:?}"));
        let state = order.state();
        assert!(
            matches!(state, OrderState::Filled | OrderState::Sent),
            "{order:?}"
        );
    }
    // Both streams tell of what happened since, on the same connection.
    bounded(async {
        loop {
            let event = events.message().await.unwrap().unwrap().event;
            if let Some(v1::stream_events_response::Event::OrderChanged(changed)) = event
                && changed.order.unwrap().order_id == last.order_id
            {
                break;
            }
        }
    })
    .await;
    let (mut newest, end) = (0, clock::utc_now_ms());
    while newest < end {
        for tick in bounded(ticks.message()).await.unwrap().unwrap().ticks {
            let time = tick.time.unwrap().utc_ms.unwrap();
            assert!(time >= newest, "a tick of before came after a later one");
            newest = time;
        }
    }
    assert_eq!(stage.status().await.link.unwrap().state(), LinkState::Ready);
    assert_eq!(stage.bridge.count("SELECT count(*) FROM logins"), 2);
    let executed = stage
        .bridge
        .count("SELECT count(*) FROM sends WHERE executed");
    assert_eq!(executed, i64::try_from(states.len()).unwrap() + 2);
}
