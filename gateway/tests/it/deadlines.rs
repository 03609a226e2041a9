//! Deadlines, asked with a client that keeps none itself: whatever ends a call is the gateway.

use crate::harness::{BOUND, Gateway};
use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mymt5_proto::{Reason, reason_of, v1};
use prost::Message;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{convert::Infallible, fs, sync::Arc};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;
use tonic::{Code, Status};

type RequestBody = BoxBody<Bytes, Infallible>;

/// One message, framed.
fn whole(message: &impl Message) -> RequestBody {
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(message.encoded_len()).unwrap());
    message.encode(&mut bytes).unwrap();
    Full::new(bytes.freeze()).boxed()
}

/// A message that never comes.
fn never() -> RequestBody {
    BodyExt::boxed(StreamBody::new(futures_util::stream::pending::<
        Result<hyper::body::Frame<Bytes>, Infallible>,
    >()))
}

/// As the client that has every permission.
fn tls(gateway: &Gateway) -> ClientConfig {
    mymt5_chassis::tls::install_provider();
    let read = |part: &str| fs::read(gateway.folder.path().join("tls").join(part)).unwrap();
    let certificates = |part: &str| -> Vec<_> {
        CertificateDer::pem_slice_iter(&read(part))
            .map(Result::unwrap)
            .collect()
    };
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates("ca.pem"));
    let key = PrivateKeyDer::from_pem_slice(&read("all/key.pem")).unwrap();
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_client_auth_cert(certificates("all/certificate.pem"), key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

async fn call(
    gateway: &Gateway,
    method: &str,
    deadline: &str,
    body: RequestBody,
) -> http::Response<hyper::body::Incoming> {
    let connector = TlsConnector::from(Arc::new(tls(gateway)));
    let stream = TcpStream::connect(gateway.api).await.unwrap();
    let stream = connector
        .connect("localhost".try_into().unwrap(), stream)
        .await
        .unwrap();
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let request = http::Request::post(format!("https://localhost/mymt5.v1.{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", deadline)
        .body(body)
        .unwrap();
    timeout(BOUND, client.send_request(request))
        .await
        .unwrap()
        .unwrap()
}

fn order(id: &str) -> v1::SubmitOrderRequest {
    v1::SubmitOrderRequest {
        request_id: id.into(),
        symbol: "EURUSD".into(),
        side: v1::Side::Buy.into(),
        r#type: v1::OrderType::Market.into(),
        lots: 0.1,
        ..Default::default()
    }
}

/// The call's status, with exactly one `ErrorInfo`.
fn refused(response: &http::Response<hyper::body::Incoming>) -> (Code, Option<Reason>) {
    let status = Status::from_header_map(response.headers()).unwrap();
    let details = tonic_types::pb::Status::decode(status.details())
        .unwrap()
        .details;
    let kinds: Vec<_> = details.iter().map(|any| any.type_url.as_str()).collect();
    assert_eq!(kinds, ["type.googleapis.com/google.rpc.ErrorInfo"]);
    (status.code(), reason_of(&status))
}

const EXPIRED: (Code, Option<Reason>) = (Code::DeadlineExceeded, Some(Reason::DeadlineExpired));

#[tokio::test]
async fn a_passed_deadline_sends_nothing() {
    let gateway = Gateway::start("").await;
    gateway.quoted("EURUSD").await;
    let response = call(
        &gateway,
        "TradingService/SubmitOrder",
        "0m",
        whole(&order("late")),
    )
    .await;
    assert_eq!(refused(&response), EXPIRED);
    assert_eq!(gateway.status().await.counters.unwrap().orders, 0);
}

#[tokio::test]
async fn a_deadline_that_passes_while_the_call_waits_ends_it() {
    let gateway = Gateway::start("").await;
    for method in ["TradingService/SubmitOrder", "ControlService/GetStatus"] {
        let response = call(&gateway, method, "50m", never()).await;
        assert_eq!(refused(&response), EXPIRED, "{method}");
    }
    assert_eq!(gateway.status().await.counters.unwrap().orders, 0);
}

#[tokio::test]
async fn a_deadline_cuts_no_stream() {
    let gateway = Gateway::start("").await;
    let first = gateway.quoted("EURUSD").await.time.unwrap().utc_ms.unwrap();
    let request = v1::StreamTicksRequest {
        symbols: vec!["EURUSD".into()],
        delivery: None,
    };
    const DEADLINE_MS: i64 = 300;
    let mut ticks = call(
        &gateway,
        "MarketDataService/StreamTicks",
        &format!("{DEADLINE_MS}m"),
        whole(&request),
    )
    .await
    .into_body();
    let mut last = first;
    let mut received = Vec::new();
    while last < first + 3 * DEADLINE_MS {
        let frame = timeout(BOUND, ticks.frame()).await.unwrap().unwrap();
        let data = frame.unwrap().into_data().expect("ticks, not an end");
        received.extend_from_slice(&data);
        while let Some(message) = next_message(&mut received) {
            let batch = v1::StreamTicksResponse::decode(message.as_slice()).unwrap();
            for tick in batch.ticks {
                last = last.max(tick.time.unwrap().utc_ms.unwrap());
            }
        }
    }
}

/// The first whole message of a stream's bytes: a frame of HTTP/2 may hold several, or a part.
fn next_message(received: &mut Vec<u8>) -> Option<Vec<u8>> {
    const HEAD: usize = 5;
    let length = received.get(1..HEAD)?.try_into().unwrap();
    let end = HEAD + u32::from_be_bytes(length) as usize;
    let message = received.get(HEAD..end)?.to_vec();
    received.drain(..end);
    Some(message)
}
