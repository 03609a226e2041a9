//! A bridge that is killed, stopped or slow: the gateway stays up, says so and recovers.

use super::{stage::Stage, trading::market};
use crate::support::bounded;
use mymt5_chassis::clock;
use mymt5_proto::{
    Reason, reason_of,
    v1::{
        Delivery, GetStatusRequest, LinkState, OrderState, Side, StreamTicksRequest, TickKind,
        control_service_client::ControlServiceClient,
    },
};
use std::time::{Duration, Instant};
use tonic::transport::Channel;

/// Within which an outage must be told.
const TOLD: Duration = Duration::from_secs(5);
const EXECUTED: &str = "SELECT count(*) FROM sends WHERE executed";

/// Waits for the state to change away from READY; how long that took.
async fn noticed(stage: &Stage, since: Instant) -> Duration {
    let mut control = ControlServiceClient::new(stage.channel().await);
    let ready = async |control: &mut ControlServiceClient<Channel>| {
        let status = control.get_status(GetStatusRequest {}).await.unwrap();
        status.into_inner().link.unwrap().state() == LinkState::Ready
    };
    while ready(&mut control).await {
        assert!(since.elapsed() < 4 * TOLD, "never noticed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    since.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_that_dies_or_stops_is_told_and_comes_back_by_itself() {
    let mut stage = Stage::set(&[]);
    stage.launch();
    stage.link(LinkState::Ready).await;
    let order = stage.submit(market("before", Side::Buy)).await;
    stage.settled(order.order_id).await;
    let begun = Instant::now();
    stage.bridge.kill();
    let after = noticed(&stage, begun).await;
    assert!(after < TOLD, "{after:?}");
    stage.bridge.launch();
    stage.link(LinkState::Ready).await;
    let begun = Instant::now();
    stage.bridge.signal("STOP");
    let after = noticed(&stage, begun).await;
    assert!(after < TOLD, "{after:?}");
    stage.bridge.signal("CONT");
    stage.link(LinkState::Ready).await;
    let order = stage.submit(market("after", Side::Buy)).await;
    assert_eq!(
        stage.settled(order.order_id).await.state(),
        OrderState::Filled
    );
    assert_eq!(stage.snapshot().await.positions.len(), 2);
    assert_eq!(stage.bridge.count(EXECUTED), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_bridge_is_busy_and_not_dead() {
    let mut stage = Stage::set(&[]);
    stage.launch();
    stage.link(LinkState::Ready).await;
    let slow = r#"{"before_ms": 2000}"#;
    stage
        .bridge
        .broker(&["fault", "order_send", "delay_ms", "3", slow]);
    for id in ["one", "two", "three"] {
        let order = stage.submit(market(id, Side::Buy)).await;
        assert_eq!(
            stage.settled(order.order_id).await.state(),
            OrderState::Filled
        );
        let link = stage.status().await.link.unwrap();
        let up = [LinkState::Ready, LinkState::Degraded].contains(&link.state());
        assert!(up, "{link:?}");
    }
    assert_eq!(stage.bridge.count(EXECUTED), 3);
    assert_eq!(stage.bridge.count("SELECT count(*) FROM logins"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_that_keeps_its_interpreter_is_told_and_keeps_its_session() {
    let mut stage = Stage::set(&[]);
    stage.launch();
    stage.link(LinkState::Ready).await;
    let long = r#"{"ms": 7000}"#;
    stage
        .bridge
        .broker(&["fault", "order_send", "hold_ms", "1", long]);
    let begun = Instant::now();
    let order = stage.submit(market("long", Side::Buy)).await;
    let after = noticed(&stage, begun).await;
    assert!(after < TOLD, "{after:?}");
    let link = stage.status().await.link.unwrap();
    assert_eq!(link.state(), LinkState::Degraded, "{link:?}");
    let meanwhile = market("meanwhile", Side::Buy);
    let refusal = stage.trading().await.submit_order(meanwhile).await;
    assert_eq!(reason_of(&refusal.unwrap_err()), Some(Reason::LinkDown));
    let order = stage.settled(order.order_id).await;
    assert_eq!(order.state(), OrderState::Filled);
    stage.link(LinkState::Ready).await;
    assert_eq!(stage.bridge.count(EXECUTED), 1);
    assert_eq!(stage.bridge.count("SELECT count(*) FROM logins"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_is_slow_in_all_it_does_is_told_and_recovers() {
    let mut stage = Stage::set(&[]);
    stage.launch();
    stage.link(LinkState::Ready).await;
    let order = stage.submit(market("before", Side::Buy)).await;
    stage.settled(order.order_id).await;
    let slow = r#"{"before_ms": 2000}"#;
    let begun = Instant::now();
    stage.bridge.broker(&["fault", "*", "delay_ms", "-1", slow]);
    let after = noticed(&stage, begun).await;
    assert!(after < TOLD, "{after:?}");
    let link = stage.status().await.link.unwrap();
    assert_eq!(link.state(), LinkState::Degraded, "{link:?}");
    // Whatever comes of it is definite, or found out.
    let slowly = stage.submit(market("slowly", Side::Buy)).await;
    stage.settled(slowly.order_id).await;
    stage.bridge.change("DELETE FROM faults");
    stage.link(LinkState::Ready).await;
    let order = stage.submit(market("after", Side::Buy)).await;
    assert_eq!(
        stage.settled(order.order_id).await.state(),
        OrderState::Filled
    );
    let slowly = stage.settled(slowly.order_id).await.state();
    let filled = 2 + i64::from(slowly == OrderState::Filled);
    assert_eq!(stage.bridge.count(EXECUTED), filled, "{slowly:?}");
    assert_eq!(stage.bridge.count("SELECT count(*) FROM logins"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn ticks_of_a_silence_are_not_live() {
    /// Older than that no live tick may be, milliseconds.
    const LIVE: i64 = 4_000;
    let mut stage = Stage::set(&["ticks_per_second=20"]);
    stage.launch();
    stage.link(LinkState::Ready).await;
    let every = StreamTicksRequest {
        delivery: Some(Delivery::EveryTick.into()),
        ..Default::default()
    };
    let stream = stage.market_data().await.stream_ticks(every).await;
    let mut stream = stream.unwrap().into_inner();
    stage.bridge.signal("STOP");
    let off = clock::utc_now_ms();
    stage.link(LinkState::Degraded).await;
    let on = clock::utc_now_ms();
    stage.bridge.signal("CONT");
    let mut missed = 0;
    let mut live = false;
    while !live {
        let batch = bounded(stream.message()).await.unwrap().unwrap();
        for tick in batch.ticks {
            let time = tick.time.unwrap().utc_ms.unwrap();
            match tick.kind() {
                // What came in the silence was at the gateway after it, however late it is read here.
                TickKind::Live => assert!(time <= off || on - time < LIVE, "{tick:?}"),
                TickKind::Backfill => missed += 1,
                _ => {}
            }
            live |= tick.kind() == TickKind::Live && time > on;
        }
    }
    assert!(missed > 40, "{missed}");
    assert_eq!(stage.bridge.count("SELECT count(*) FROM logins"), 1);
}
