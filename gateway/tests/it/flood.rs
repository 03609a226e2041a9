//! A subscriber that never reads: its own loss, nobody else's.

use crate::harness::{BOUND, Gateway};
use mymt5_proto::v1::{self, market_data_service_client::MarketDataServiceClient};
use std::{fmt::Write, fs};
use tokio::time::timeout;
use tonic::{Code, transport::Endpoint};

/// Ticks of the flood: far more than a subscriber's queue and the connection's windows hold.
const TICKS: u32 = 60_000;
const TICKS_PER_ORDER: u32 = 300;
/// Bytes of a connection's windows. By default they hold megabytes, so nearly all ticks of the flood
/// where they come in large batches, as on a busy machine.
const WINDOW: u32 = 65_535;

/// An export in the terminal's format: one quote, half a minute of silence, then the flood.
fn export() -> String {
    let mut text = String::from("<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\r\n");
    text += "2026.07.01\t10:00:00.000\t0.65000\t0.65010\t\t\t6\r\n";
    for n in 0..TICKS {
        let (second, ms) = (30 + n / 1_000, n % 1_000);
        let points = 65_000 + (n % 400).abs_diff(200);
        let (minute, second) = (second / 60, second % 60);
        let _ = write!(
            text,
            "2026.07.01\t10:{minute:02}:{second:02}.{ms:03}\t0.{points}\t0.{}\t\t\t6\r\n",
            points + 10
        );
    }
    text
}

fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// A connection that holds little of what its client does not read.
fn narrow(gateway: &Gateway) -> Endpoint {
    gateway
        .endpoint(Some("all"))
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
}

async fn subscribe(
    endpoint: Endpoint,
    delivery: v1::Delivery,
) -> tonic::Streaming<v1::StreamTicksResponse> {
    let request = v1::StreamTicksRequest {
        symbols: vec!["AUDUSD".into()],
        delivery: Some(delivery.into()),
    };
    let mut market = MarketDataServiceClient::new(endpoint.connect().await.unwrap());
    let stream = market.stream_ticks(request).await.unwrap();
    stream.into_inner()
}

fn order(n: u32) -> v1::SubmitOrderRequest {
    v1::SubmitOrderRequest {
        request_id: format!("flood-{n}"),
        symbol: "AUDUSD".into(),
        side: if n.is_multiple_of(2) {
            v1::Side::Buy
        } else {
            v1::Side::Sell
        }
        .into(),
        r#type: v1::OrderType::Market.into(),
        lots: 0.01,
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_that_never_reads_harms_nobody() {
    let file = tempfile::NamedTempFile::with_prefix("AUDUSD_").unwrap();
    fs::write(file.path(), export()).unwrap();
    let feed = format!(
        "feed = \"ticks\"\nfile = \"{}\"\nspeed = \"10\"\nmode = \"netting\"\nsymbols = [\"AUDUSD\"]",
        file.path().display()
    );
    let gateway = Gateway::start(&feed).await;
    let pid = gateway.child.id().unwrap();

    let mut every_asleep = subscribe(narrow(&gateway), v1::Delivery::EveryTick).await;
    let latest_asleep = subscribe(narrow(&gateway), v1::Delivery::Latest).await;
    // A client's own HTTP/2 ends a connection of whose small messages many wait, as many as its window
    // allows: on a busy machine the reader needs its usual one.
    let usual = gateway.endpoint(Some("all"));
    let mut reader = subscribe(usual, v1::Delivery::EveryTick).await;
    let before = gateway.status().await.counters.unwrap();
    assert_eq!(
        (before.ticks, before.tick_subscribers),
        (1, 3),
        "subscribed before the flood"
    );
    let memory = resident_kib(pid);

    // One order for every so many ticks that the reader got.
    let (progress, mut due) = tokio::sync::mpsc::unbounded_channel();
    let reading = tokio::spawn(async move {
        let mut live = 0;
        while live < TICKS {
            let batch = timeout(BOUND, reader.message())
                .await
                .unwrap()
                .unwrap()
                .unwrap();
            let before = live;
            live += batch
                .ticks
                .iter()
                .filter(|tick| tick.kind() == v1::TickKind::Live)
                .count() as u32;
            (before / TICKS_PER_ORDER..live / TICKS_PER_ORDER)
                .for_each(|n| progress.send(n).unwrap());
        }
        live
    });
    let mut trading = gateway.trading().await;
    let mut answered = 0;
    while let Some(n) = due.recv().await {
        // On a busy machine it is answered as it stands; a repeat waits on.
        let filled = async {
            loop {
                let answer = trading.submit_order(order(n)).await.unwrap();
                let order = answer.into_inner().order.unwrap();
                match order.state() {
                    v1::OrderState::Filled => break,
                    v1::OrderState::Accepted | v1::OrderState::Sent => {}
                    state => panic!("{state:?}: {}", order.reason),
                }
            }
        };
        timeout(BOUND, filled).await.unwrap();
        answered += 1;
    }
    assert_eq!(
        (reading.await.unwrap(), answered),
        (TICKS, TICKS / TICKS_PER_ORDER)
    );
    let grown = resident_kib(pid).saturating_sub(memory);
    assert!(grown < 96 * 1024, "grew by {grown} KiB");

    // The one that wanted every tick learns that it was cut, from the gateway or from its own
    // HTTP/2 layer, which gives up on so many unread frames.
    let status = loop {
        match timeout(BOUND, every_asleep.message()).await.unwrap() {
            Ok(batch) => assert!(batch.is_some()),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    drop(latest_asleep);
}
