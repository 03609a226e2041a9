//! Peers that prove nothing, and a client that takes too much: other clients do not notice. And how
//! long a connection lives.

use crate::harness::{BOUND, Gateway};
use mymt5_proto::{Reason, reason_of, v1};
use sha2::{Digest, Sha256};
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
    time::{sleep, timeout},
};
use tonic::{Code, Request, Status, Streaming, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use v1::{
    control_service_client::ControlServiceClient,
    market_data_service_client::MarketDataServiceClient,
};

const TOKEN: &str = "a-token-of-a-test-0123456789";

async fn status(channel: Channel) -> Result<(), Status> {
    let mut control = ControlServiceClient::new(channel);
    control.get_status(v1::GetStatusRequest {}).await.map(drop)
}

async fn health(channel: Channel) -> Result<ServingStatus, Status> {
    let request = HealthCheckRequest {
        service: String::new(),
    };
    let answer = HealthClient::new(channel).check(request).await?;
    Ok(answer.into_inner().status())
}

async fn next<T>(stream: &mut Streaming<T>) -> Result<Option<T>, Status> {
    timeout(BOUND, stream.message()).await.unwrap()
}

/// A connection from that address whose handshake begins and goes no further.
async fn half_open(gateway: &Gateway, from: Ipv4Addr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((from, 0))).unwrap();
    let mut stream = socket.connect(gateway.api).await.unwrap();
    // The head of a TLS record that holds a ClientHello.
    stream.write_all(&[22, 3, 1, 2, 0, 1]).await.unwrap();
    stream
}

#[tokio::test]
async fn half_open_handshakes_of_one_address_keep_nobody_out() {
    let gateway = Gateway::start("").await;
    let known = gateway.channel(Some("read")).await;
    let mut held = Vec::new();
    // From another address than the clients', then from theirs.
    for from in [Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::LOCALHOST] {
        for _ in 0..200 {
            held.push(half_open(&gateway, from).await);
        }
        for _ in 0..10 {
            status(gateway.channel(Some("read")).await).await.unwrap();
        }
    }
    status(known).await.unwrap();
    let metrics = gateway.metrics().await;
    assert!(
        metrics.contains("mymt5_connections_shed_total"),
        "{metrics}"
    );
}

#[tokio::test]
async fn half_open_handshakes_of_many_addresses_keep_nobody_out() {
    let gateway = Gateway::start("").await;
    let mut held = Vec::new();
    for host in 1..=250 {
        held.push(half_open(&gateway, Ipv4Addr::new(127, 0, 1, host)).await);
    }
    for _ in 0..10 {
        status(gateway.channel(Some("read")).await).await.unwrap();
    }
}

#[tokio::test]
async fn strangers_take_no_place_of_a_client_and_leave_room_for_the_next() {
    let gateway = Gateway::start("speed = \"10\"").await;
    let token = format!(
        "{}[clients.token]\ntoken_sha256 = \"{}\"\npermissions = [\"read\"]\n",
        gateway.configuration(),
        hex::encode(Sha256::digest(TOKEN))
    );
    gateway.configure(&token);
    gateway.hang_up();
    gateway.says("read again and taken up").await;
    // One client proves itself by its certificate, the other by a token in its call.
    let mut by_certificate = {
        let mut market = gateway.market_data().await;
        let all = v1::StreamTicksRequest::default();
        market.stream_ticks(all).await.unwrap().into_inner()
    };
    let mut by_token = {
        let mut market = MarketDataServiceClient::new(gateway.channel(None).await);
        let mut all = Request::new(v1::StreamTicksRequest::default());
        let bearer = format!("Bearer {TOKEN}").parse().unwrap();
        all.metadata_mut().insert("authorization", bearer);
        market.stream_ticks(all).await.unwrap().into_inner()
    };
    let mut strangers = Vec::new();
    for _ in 0..100 {
        let stranger = gateway.channel(None).await;
        let answer = health(stranger.clone()).await.unwrap();
        assert_eq!(answer, ServingStatus::Serving);
        strangers.push(stranger);
    }
    status(gateway.channel(Some("read")).await).await.unwrap();
    for stream in [&mut by_certificate, &mut by_token] {
        for _ in 0..20 {
            assert!(next(stream).await.unwrap().is_some());
        }
    }
}

#[tokio::test]
async fn health_is_watched_with_diagnose_alone() {
    let gateway = Gateway::start("").await;
    let request = HealthCheckRequest {
        service: String::new(),
    };
    let mut diagnosing = HealthClient::new(gateway.channel(Some("diagnose")).await);
    let mut watch = diagnosing
        .watch(request.clone())
        .await
        .unwrap()
        .into_inner();
    let first = next(&mut watch).await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::Serving);
    for client in [None, Some("read")] {
        let mut other = HealthClient::new(gateway.channel(client).await);
        let refused = other.watch(request.clone()).await.unwrap_err();
        let reasons = [Reason::Unauthenticated, Reason::PermissionDenied];
        assert!(reason_of(&refused).is_some_and(|reason| reasons.contains(&reason)));
    }
    // An open watch is told, and does not hold up the end.
    let pid = rustix::process::Pid::from_raw(gateway.child.id().unwrap().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let last = next(&mut watch).await.unwrap().unwrap();
    assert_eq!(last.status(), ServingStatus::NotServing);
    assert!(next(&mut watch).await.is_err());
    gateway.says("gateway stopped").await;
}

#[tokio::test]
async fn a_connection_ends_at_its_age_and_its_client_goes_on() {
    let mut gateway = Gateway::start("speed = \"10\"").await;
    let text = gateway.configuration();
    gateway.configure(&text.replace("[server]\n", "[server]\nmax_connection_age_s = 3\n"));
    gateway.crash_and_return().await;
    let channel = gateway.channel(Some("read")).await;
    let mut market = MarketDataServiceClient::new(channel.clone());
    let all = v1::StreamTicksRequest::default();
    let mut ticks = market.stream_ticks(all).await.unwrap().into_inner();
    let end = loop {
        match next(&mut ticks).await {
            Ok(batch) => assert!(batch.is_some()),
            Err(status) => break status,
        }
    };
    assert_eq!(
        (end.code(), reason_of(&end)),
        (Code::Unavailable, Some(Reason::Draining)),
        "{end:?}"
    );
    // A call that meets the old connection's end may fail; the next one finds a new connection.
    let _ = status(channel.clone()).await;
    sleep(Duration::from_millis(100)).await;
    status(channel).await.unwrap();
}

#[tokio::test]
async fn a_client_that_takes_all_its_streams_leaves_room_for_others() {
    const SHARE: usize = 16;
    let gateway = Gateway::start("").await;
    let mut market = MarketDataServiceClient::new(gateway.channel(Some("read")).await);
    let all = v1::StreamTicksRequest::default;
    let mut held = Vec::new();
    for _ in 0..SHARE {
        held.push(market.stream_ticks(all()).await.unwrap());
    }
    let refused = market.stream_ticks(all()).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(reason_of(&refused), Some(Reason::TooManySubscribers));
    let mut other = gateway.market_data().await;
    other.stream_ticks(all()).await.unwrap();
}
