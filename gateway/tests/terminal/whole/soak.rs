//! Every tick exactly once, whatever dies on the way; and what the way costs.

use super::{
    bare,
    proxy::{Seen, proxy, tick},
    stage::Stage,
};
use crate::{real::Bridge, support::BOUND};
use mymt5_proto::v1::{self, LinkState, TickKind};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use tokio::time::{sleep, timeout};

const SYMBOLS: [&str; 2] = ["EURUSD", "USDJPY"];

/// How long, in seconds: an hour is `MYMT5_SOAK_SECONDS=3600`.
fn seconds() -> u64 {
    let asked = std::env::var("MYMT5_SOAK_SECONDS");
    asked.ok().and_then(|text| text.parse().ok()).unwrap_or(30)
}

fn percentiles(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort();
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

/// Ticks as the client got them, in order, and when.
async fn receive(
    mut stream: tonic::Streaming<v1::StreamTicksResponse>,
    until: Instant,
) -> Vec<(Seen, TickKind, Instant)> {
    let mut all = Vec::new();
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        let Ok(message) = timeout(left, stream.message()).await else {
            break;
        };
        let now = Instant::now();
        let batch = message
            .expect("the stream lives")
            .expect("the stream goes on");
        for got in batch.ticks {
            let time = got.time.unwrap().broker_ms.unwrap();
            let seen = tick(&got.symbol, time, got.bid, got.ask);
            all.push((seen, got.kind(), now));
        }
    }
    all
}

/// What the broker had for a symbol in those whole seconds.
fn of_broker(bridge: &Bridge, symbol: &str, from: i64, to: i64) -> Vec<Seen> {
    let told = bridge.broker(&["ticks", symbol, &from.to_string(), &to.to_string()]);
    let rows = told.lines().map(|line| {
        let row: Vec<f64> = serde_json::from_str(line).unwrap();
        tick(symbol, row[0] as i64, row[1], row[2])
    });
    rows.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_sees_every_tick_once_through_restarts_of_the_bridge() {
    let bridge = Bridge::start(&["ticks_per_second=50"]);
    let (port, times) = proxy(bridge.port()).await;
    let mut stage = Stage::over(bridge, port);
    stage.launch();
    stage.link(LinkState::Ready).await;
    let every = v1::StreamTicksRequest {
        delivery: Some(v1::Delivery::EveryTick.into()),
        ..Default::default()
    };
    let stream = stage.market_data().await.stream_ticks(every).await;
    let length = Duration::from_secs(seconds());
    let until = Instant::now() + length;
    let receiving = tokio::spawn(receive(stream.unwrap().into_inner(), until));
    let restarts = (seconds() / 20).max(2);
    for _ in 0..restarts {
        sleep(length / u32::try_from(restarts).unwrap() / 2).await;
        tokio::task::block_in_place(|| {
            stage.bridge.kill();
            stage.bridge.launch();
        });
        stage.link(LinkState::Ready).await;
    }
    let got = timeout(length + BOUND, receiving).await.unwrap().unwrap();
    let live = got
        .iter()
        .filter(|(_, kind, _)| *kind != TickKind::Snapshot);
    let mut by_symbol = BTreeMap::<String, Vec<Seen>>::new();
    for (seen, ..) in live.clone() {
        by_symbol
            .entry(seen.0.clone())
            .or_default()
            .push(seen.clone());
    }
    let mut compared = 0;
    let mut ties = 0;
    for symbol in SYMBOLS {
        let got = &by_symbol[symbol];
        // Whole seconds: the first and the last may have been cut by the test itself.
        let (from, to) = (
            got[0].1.div_euclid(1_000) + 1,
            got.last().unwrap().1.div_euclid(1_000),
        );
        let inside = |seen: &&Seen| (from..to).contains(&seen.1.div_euclid(1_000));
        let got: Vec<Seen> = got.iter().filter(inside).cloned().collect();
        let broker = of_broker(&stage.bridge, symbol, from, to);
        assert!(
            got == broker,
            "{symbol}: {} ticks came of {}",
            got.len(),
            broker.len()
        );
        compared += got.len();
        ties += got.windows(2).filter(|pair| pair[0].1 == pair[1].1).count();
    }
    assert!(ties > 0);
    let added = live
        .filter(|(_, kind, _)| *kind == TickKind::Live)
        .filter_map(|(seen, _, at)| {
            let by = times.lock().unwrap().get(seen).copied();
            at.checked_duration_since(by?)
        });
    let (added, bare) = (
        percentiles(added.collect()),
        percentiles(bare::latencies().await),
    );
    println!(
        "{compared} ticks compared, {ties} ties, {restarts} restarts: none lost, none doubled"
    );
    println!(
        "latency after the poll: p50 {:?}, p99 {:?}; a bare stream's: p50 {:?}, p99 {:?}; ratio {:.1}, {:.1}",
        added.0,
        added.1,
        bare.0,
        bare.1,
        added.0.as_secs_f64() / bare.0.as_secs_f64(),
        added.1.as_secs_f64() / bare.1.as_secs_f64()
    );
}
