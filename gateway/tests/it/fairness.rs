//! Clients of one gateway: what each takes leaves the others theirs, and above all their exits. With
//! `MYMT5_EXIT_P99_MS` no more than one of a hundred exits may take longer; the figures are printed.

use crate::{
    harness::{BOUND, Gateway},
    orders::{close, market},
};
use mymt5_proto::{Reason, reason_of, v1};
use sha2::{Digest, Sha256};
use std::{
    env, fs,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;
use tonic::{
    Code, Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_types::StatusExt;
use v1::{
    control_service_client::ControlServiceClient,
    market_data_service_client::MarketDataServiceClient,
    trading_service_client::TradingServiceClient,
};

const FLOODER: &str = "client-0";
const READER: &str = "client-1";
const STREAMER: &str = "client-2";
/// Calls of the flooder, and of the reader, that are under way at any time.
const AT_ONCE: usize = 48;
/// Exits of each client but the flooder.
const EXITS: usize = 15;

/// A call says who it is of.
#[derive(Clone)]
struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let bearer = self.0.clone();
        request.metadata_mut().insert("authorization", bearer);
        Ok(request)
    }
}

type Line = InterceptedService<Channel, Bearer>;

fn token(client: &str) -> String {
    format!("a-token-of-a-test-for-{client}")
}

fn configured(client: &str, more: &str) -> String {
    let hash = hex::encode(Sha256::digest(token(client)));
    format!(
        "[clients.{client}]\ntoken_sha256 = \"{hash}\"\npermissions = [\"read\", \"trade\", \"diagnose\"]\n{more}"
    )
}

async fn with(clients: &str) -> Gateway {
    let folder = TempDir::new().unwrap();
    let local = format!("[orders]\nmax_queue_ms = 30000\n{clients}");
    fs::write(folder.path().join("gateway.local.toml"), local).unwrap();
    let gateway = Gateway::start_in(folder, "mode = \"hedging\"").await;
    gateway.quoted("EURUSD").await;
    gateway
}

async fn line(gateway: &Gateway, client: &str) -> Line {
    let bearer = format!("Bearer {}", token(client)).parse().unwrap();
    InterceptedService::new(gateway.channel(None).await, Bearer(bearer))
}

/// True once the order is filled. On a slow machine it is answered as it stands; a repeat waits on.
fn is_filled(order: &v1::Order) -> bool {
    match order.state() {
        v1::OrderState::Filled => true,
        v1::OrderState::Accepted | v1::OrderState::Sent => false,
        state => panic!("{state:?}: {}", order.reason),
    }
}

/// Opens a position.
async fn open(trading: &mut TradingServiceClient<Line>, id: &str) -> u64 {
    loop {
        let request = market(id, v1::Side::Buy, 0.01);
        let answer = trading.submit_order(request).await.unwrap();
        let order = answer.into_inner().order.unwrap();
        if is_filled(&order) {
            return order.position_id;
        }
    }
}

/// Closes positions one after another: how long each takes.
async fn exit_all(mut trading: TradingServiceClient<Line>, positions: Vec<u64>) -> Vec<Duration> {
    let mut times = Vec::new();
    for position in positions {
        let begun = Instant::now();
        loop {
            let request = close(&format!("exit-{position}"), position, None);
            let answer = trading.close_position(request).await.unwrap();
            if is_filled(&answer.into_inner().order.unwrap()) {
                break;
            }
        }
        times.push(begun.elapsed());
    }
    times
}

/// Sends entries as fast as they are answered: how many were taken. Others may only be shed.
async fn flood(
    mut trading: TradingServiceClient<Line>,
    lane: usize,
    end: CancellationToken,
) -> u64 {
    let mut taken = 0;
    for number in 0.. {
        if end.is_cancelled() {
            break;
        }
        let request = market(&format!("flood-{lane}-{number}"), v1::Side::Buy, 0.01);
        match trading.submit_order(request).await {
            Ok(_) => taken += 1,
            Err(status) => assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}"),
        }
    }
    taken
}

/// Cancels what is not there as fast as that is refused: how often it was.
async fn cancel(
    mut trading: TradingServiceClient<Line>,
    lane: usize,
    end: CancellationToken,
) -> u64 {
    let mut refused = 0;
    while !end.is_cancelled() {
        let request = v1::CancelOrderRequest {
            request_id: format!("cancel-{lane}-{refused}"),
            order_id: 7,
            ..Default::default()
        };
        let status = trading.cancel_order(request).await.unwrap_err();
        assert_eq!(reason_of(&status), Some(Reason::OrderNotFound));
        refused += 1;
    }
    refused
}

/// Reads as fast as it is answered.
async fn read(line: Line, end: CancellationToken) -> u64 {
    let mut trading = TradingServiceClient::new(line.clone());
    let mut control = ControlServiceClient::new(line);
    let mut answered = 0;
    while !end.is_cancelled() {
        trading
            .get_snapshot(v1::GetSnapshotRequest {})
            .await
            .unwrap();
        let orders = v1::ListOrdersRequest::default();
        trading.list_orders(orders).await.unwrap();
        control.get_status(v1::GetStatusRequest {}).await.unwrap();
        answered += 3;
    }
    answered
}

/// Opens as many streams as it may, and reads them all.
async fn stream(line: Line, end: CancellationToken) -> u64 {
    let mut trading = TradingServiceClient::new(line.clone());
    let mut market = MarketDataServiceClient::new(line);
    let snapshot = trading.get_snapshot(v1::GetSnapshotRequest {}).await;
    let snapshot = snapshot.unwrap().into_inner();
    let mut read = JoinSet::new();
    for _ in 0..16 {
        let events = v1::StreamEventsRequest {
            journal_id: snapshot.journal_id.clone(),
            after_sequence: snapshot.sequence,
        };
        let mut events = trading.stream_events(events).await.unwrap().into_inner();
        let ticks = v1::StreamTicksRequest::default();
        let mut ticks = market.stream_ticks(ticks).await.unwrap().into_inner();
        let end = end.clone();
        read.spawn(async move {
            let mut messages = 0_u64;
            loop {
                tokio::select! {
                    () = end.cancelled() => return messages,
                    event = events.message() => assert!(event.unwrap().is_some()),
                    batch = ticks.message() => assert!(batch.unwrap().is_some()),
                }
                messages += 1;
            }
        });
    }
    read.join_all().await.into_iter().sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_clients_of_which_one_floods_one_reads_and_one_streams_exit_at_any_time() {
    let names: Vec<String> = (0..8).map(|number| format!("client-{number}")).collect();
    let more = |name: &str| match name {
        FLOODER => "max_ids_per_minute = 60000\n",
        _ => "",
    };
    let clients = names.iter().map(|name| configured(name, more(name)));
    let gateway = with(&clients.collect::<String>()).await;
    let mut held = Vec::new();
    for name in names.iter().filter(|name| *name != FLOODER) {
        let mut trading = TradingServiceClient::new(line(&gateway, name).await);
        let mut positions = Vec::new();
        for number in 0..EXITS {
            positions.push(open(&mut trading, &format!("open-{number}")).await);
        }
        held.push((trading, positions));
    }
    let end = CancellationToken::new();
    let (flooder, reader) = (line(&gateway, FLOODER).await, line(&gateway, READER).await);
    let (mut floods, mut reads) = (JoinSet::new(), JoinSet::new());
    for lane in 0..AT_ONCE {
        let trading = TradingServiceClient::new(flooder.clone());
        floods.spawn(flood(trading, lane, end.clone()));
        reads.spawn(read(reader.clone(), end.clone()));
    }
    let streams = tokio::spawn(stream(line(&gateway, STREAMER).await, end.clone()));
    let mut exits = JoinSet::new();
    for (trading, positions) in held {
        exits.spawn(exit_all(trading, positions));
    }
    // An exit that was refused, or was not done, fails here.
    let times = timeout(4 * BOUND, exits.join_all()).await.unwrap();
    end.cancel();
    let taken: u64 = floods.join_all().await.into_iter().sum();
    let answered: u64 = reads.join_all().await.into_iter().sum();
    let messages = streams.await.unwrap();
    assert!(taken > 0 && answered > 0 && messages > 0);
    let mut times: Vec<Duration> = times.into_iter().flatten().collect();
    assert_eq!(times.len(), EXITS * (names.len() - 1));
    times.sort_unstable();
    let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!(
        "{} exits beside {taken} entries of a flood, {answered} reads and {messages} messages: \
         p50 {p50:?}, p99 {p99:?}",
        times.len()
    );
    if let Ok(most) = env::var("MYMT5_EXIT_P99_MS") {
        assert!(p99 <= Duration::from_millis(most.parse().unwrap()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_cancellations_leaves_the_others_their_orders_reads_and_heartbeats() {
    let clients = [FLOODER, "other", "living"].map(|name| configured(name, ""));
    let gateway = with(&clients.concat()).await;
    let end = CancellationToken::new();
    let flooder = line(&gateway, FLOODER).await;
    let mut floods = JoinSet::new();
    for lane in 0..AT_ONCE {
        let trading = TradingServiceClient::new(flooder.clone());
        floods.spawn(cancel(trading, lane, end.clone()));
    }
    let other = line(&gateway, "other").await;
    let mut trading = TradingServiceClient::new(other.clone());
    let mut control = ControlServiceClient::new(other);
    let mut living = TradingServiceClient::new(line(&gateway, "living").await);
    let served = async {
        for number in 0..EXITS {
            let heartbeat = v1::HeartbeatRequest {
                session_id: "living-1".into(),
                leaving: false,
            };
            living.heartbeat(heartbeat).await.unwrap();
            control.get_status(v1::GetStatusRequest {}).await.unwrap();
            open(&mut trading, &format!("open-{number}")).await;
        }
    };
    timeout(4 * BOUND, served).await.unwrap();
    end.cancel();
    assert!(floods.join_all().await.into_iter().sum::<u64>() > 0);
}

#[tokio::test]
async fn an_event_stream_beyond_the_share_is_shed_before_anything_is_read() {
    let gateway = with(&configured("few", "max_streams = 1\n")).await;
    let mut trading = TradingServiceClient::new(line(&gateway, "few").await);
    let snapshot = trading.get_snapshot(v1::GetSnapshotRequest {}).await;
    let snapshot = snapshot.unwrap().into_inner();
    let after = |after_sequence| v1::StreamEventsRequest {
        journal_id: snapshot.journal_id.clone(),
        after_sequence,
    };
    let open = trading.stream_events(after(snapshot.sequence)).await;
    let open = open.unwrap();
    // That event is not there, which is for those to learn who have a place.
    let further = trading.stream_events(after(u64::MAX)).await;
    is_shed(&further.unwrap_err(), Reason::TooManySubscribers);
    drop(open);
}

/// Refused for now, and the details say when to ask again.
fn is_shed(status: &Status, reason: Reason) {
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert_eq!(reason_of(status), Some(reason), "{status:?}");
    let again = status.get_details_retry_info();
    let again = again.and_then(|info| info.retry_delay);
    assert!(again.is_some_and(|delay| !delay.is_zero()), "{status:?}");
}

#[tokio::test]
async fn what_is_shed_says_when_to_ask_again_and_exits_never_are() {
    let few = "max_calls = 1\nmax_ids_per_minute = 2\n";
    let clients = configured("few", few) + &configured("other", "");
    let gateway = with(&clients).await;
    let line_of_few = line(&gateway, "few").await;
    let mut trading = TradingServiceClient::new(line_of_few.clone());
    let first = open(&mut trading, "a").await;
    let second = open(&mut trading, "b").await;
    let third = trading.submit_order(market("c", v1::Side::Buy, 0.01)).await;
    is_shed(&third.unwrap_err(), Reason::RateLimited);
    // What was taken before is told all the same.
    assert_eq!(open(&mut trading, "a").await, first);
    let closed = exit_all(trading.clone(), vec![first]).await;
    assert_eq!(closed.len(), 1);

    // A call that lasts: a watch.
    let mut health = HealthClient::new(line_of_few);
    let request = HealthCheckRequest {
        service: String::new(),
    };
    let watch = health.watch(request).await.unwrap().into_inner();
    let read = trading.get_snapshot(v1::GetSnapshotRequest {}).await;
    is_shed(&read.unwrap_err(), Reason::RateLimited);
    let closed = exit_all(trading.clone(), vec![second]).await;
    assert_eq!(closed.len(), 1);
    let mut other = TradingServiceClient::new(line(&gateway, "other").await);
    open(&mut other, "a").await;
    drop(watch);
    let given_back = async {
        while trading
            .get_snapshot(v1::GetSnapshotRequest {})
            .await
            .is_err()
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(BOUND, given_back).await.unwrap();
}
