//! An order's trace at a collector of OTLP, and orders beside a collector that is away or hangs.

use crate::stage::{Stage, eventually};
use mymt5_proto::{
    reason_of,
    v1::{CancelOrderRequest, trading_service_client::TradingServiceClient},
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{Span, span::SpanKind},
};
use std::{
    collections::BTreeSet,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
};
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};

/// Each span that came, and the service that told it.
type Told = Arc<Mutex<Vec<(String, Span)>>>;

/// What a span may say.
const KEYS: [&str; 10] = [
    "client",
    "lots",
    "order_id",
    "outcome",
    "position_id",
    "request_id",
    "side",
    "state",
    "strategy",
    "symbol",
];

struct Collector(Told);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for told in request.into_inner().resource_spans {
            let service = text(&told.resource.unwrap().attributes, "service.name");
            let spans = told.scope_spans.into_iter().flat_map(|scope| scope.spans);
            let spans = spans.map(|span| (service.clone(), span));
            self.0.lock().unwrap().extend(spans);
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

async fn collector() -> (SocketAddr, Told) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let told = Told::default();
    let service = TraceServiceServer::new(Collector(told.clone()));
    let server = Server::builder().add_service(service);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    (address, told)
}

fn text(attributes: &[KeyValue], key: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    let value = found.and_then(|attribute| attribute.value.as_ref());
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        other => panic!("{key}: {other:?}"),
    }
}

/// The spans of that service and name.
fn named<'a>(trace: &'a [(String, Span)], service: &str, name: &str) -> Vec<&'a Span> {
    let named = trace
        .iter()
        .filter(|(of, span)| of == service && span.name == name);
    named.map(|(_, span)| span).collect()
}

/// The one span of that service and name.
fn only<'a>(trace: &'a [(String, Span)], service: &str, name: &str) -> &'a Span {
    let spans = named(trace, service, name);
    assert_eq!(spans.len(), 1, "{service} {name}: {trace:?}");
    spans[0]
}

/// A trace of which each part has come, of an entry that needed one attempt.
fn whole(told: &Told) -> Option<Vec<(String, Span)>> {
    let told = told.lock().unwrap();
    let parts = [
        (ENGINE, "order", 1),
        (ENGINE, "SubmitOrder", 1),
        (GATEWAY, "SubmitOrder", 1),
        (GATEWAY, "broker", 1),
        (GATEWAY, "commit", 2),
    ];
    let ids: BTreeSet<_> = told.iter().map(|(_, span)| &span.trace_id).collect();
    ids.into_iter().find_map(|id| {
        let of_trace = told.iter().filter(|(_, span)| span.trace_id == *id);
        let trace: Vec<_> = of_trace.cloned().collect();
        let has = |(service, name, count)| named(&trace, service, name).len() == count;
        parts.into_iter().all(has).then_some(trace)
    })
}

const ENGINE: &str = "mymt5-engine";
const GATEWAY: &str = "mymt5-gateway";

/// The pair with that collector.
async fn traced(collector: SocketAddr) -> Stage {
    let mut stage = Stage::set("info", &[]);
    let endpoint = format!("http://{collector}");
    for name in ["gateway", "engine"] {
        stage.give(name, "MYMT5__TRACING__ENDPOINT", &endpoint);
        stage.start(name);
        stage.serving(name, true).await;
    }
    stage
}

/// A metric of a process, where it is more than nothing.
async fn counted(stage: &Stage, name: &str, metric: &str) -> Option<f64> {
    let text = stage.metrics_of(name).await;
    let line = text.lines().find_map(|line| line.strip_prefix(metric));
    let value: f64 = line?.trim().parse().ok()?;
    (value > 0.0).then_some(value)
}

#[tokio::test]
async fn an_order_is_one_trace_from_the_decision_to_the_brokers_reply() {
    let (address, told) = collector().await;
    let mut stage = traced(address).await;
    let trace = eventually("a whole trace", async || whole(&told)).await;
    let order = only(&trace, ENGINE, "order");
    assert!(order.parent_span_id.is_empty(), "{order:?}");
    for name in ["decision", "intent", "SubmitOrder"] {
        let part = only(&trace, ENGINE, name);
        assert_eq!(part.parent_span_id, order.span_id, "{part:?}");
    }
    let call = only(&trace, ENGINE, "SubmitOrder");
    let served = only(&trace, GATEWAY, "SubmitOrder");
    assert_eq!(served.parent_span_id, call.span_id);
    assert_eq!(
        (call.kind(), served.kind()),
        (SpanKind::Client, SpanKind::Server)
    );
    for name in ["access", "queue", "broker"] {
        let part = only(&trace, GATEWAY, name);
        assert_eq!(part.parent_span_id, served.span_id, "{part:?}");
    }
    for commit in named(&trace, GATEWAY, "commit") {
        assert_eq!(commit.parent_span_id, served.span_id, "{commit:?}");
    }
    let decision = only(&trace, ENGINE, "decision");
    let strategy = text(&decision.attributes, "strategy");
    let symbol = text(&decision.attributes, "symbol");
    let symbols = [("a", "EURUSD"), ("b", "GBPUSD")];
    assert!(symbols.contains(&(strategy.as_str(), symbol.as_str())));
    assert_eq!(text(&served.attributes, "client"), "engine");
    let id: String = order
        .trace_id
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    for name in ["engine", "gateway"] {
        stage.says(name, &id).await;
        // The collector has them before they are counted.
        let exported = "mymt5_trace_spans_exported_total ";
        eventually(name, async || counted(&stage, name, exported).await).await;
        stage.stop(name).await;
    }
    for (_, span) in told.lock().unwrap().iter() {
        let keys = span
            .attributes
            .iter()
            .map(|attribute| attribute.key.as_str());
        for key in keys {
            assert!(KEYS.contains(&key), "{span:?}");
        }
    }
}

#[tokio::test]
async fn orders_pass_beside_a_collector_that_is_away_or_hangs() {
    let hangs = TcpListener::bind("127.0.0.1:0").unwrap();
    let away = SocketAddr::from(([127, 0, 0, 1], mymt5_chassis::testing::free_port().unwrap()));
    for collector in [hangs.local_addr().unwrap(), away] {
        let mut stage = traced(collector).await;
        for name in ["gateway", "engine"] {
            let dropped = "mymt5_trace_spans_dropped_total ";
            eventually("spans that are given up", async || {
                counted(&stage, name, dropped).await
            })
            .await;
            stage.says(name, "traces are given up").await;
        }
        let before = stage.fills().await;
        eventually("orders that are filled all the same", async || {
            (stage.fills().await > before).then_some(())
        })
        .await;
        for name in ["engine", "gateway"] {
            stage.stop(name).await;
        }
    }
}

/// Asks the gateway for something that it refuses, with that trace: with a reason, as ever.
async fn refused(stage: &Stage, number: usize, traceparent: &str) {
    let mut request = Request::new(CancelOrderRequest {
        request_id: format!("cancel-{number}"),
        ..CancelOrderRequest::default()
    });
    let traceparent = traceparent.parse().unwrap();
    request.metadata_mut().insert("traceparent", traceparent);
    let mut trading = TradingServiceClient::new(stage.operator().await);
    let status = trading.cancel_order(request).await.unwrap_err();
    assert!(reason_of(&status).is_some(), "{status:?}");
}

#[tokio::test]
async fn a_callers_trace_counts_where_it_keeps_the_rules() {
    let (address, told) = collector().await;
    let mut stage = Stage::set("info", &[]);
    let endpoint = format!("http://{address}");
    stage.give("gateway", "MYMT5__TRACING__ENDPOINT", &endpoint);
    stage.start("gateway");
    stage.serving("gateway", true).await;
    let header = |trace: &str, span: &str, flags: &str| {
        format!("00-{}-{}-{flags}", trace.repeat(16), span.repeat(8))
    };
    let garbage = [
        String::new(),
        "garbage".to_owned(),
        "a".repeat(600),
        header("00", "22", "01"),
        header("11", "00", "01"),
        header("AA", "22", "01"),
        format!("{}-more", header("11", "22", "01")),
    ];
    let unsampled = header("33", "22", "00");
    let sampled = header("11", "22", "01");
    let last = [unsampled, sampled];
    for (number, traceparent) in garbage.iter().chain(&last).enumerate() {
        refused(&stage, number, traceparent).await;
    }
    // Spans come in their order: with the last one all have come.
    let calls = eventually("the last call's span", async || {
        let told = told.lock().unwrap();
        let calls = named(&told, GATEWAY, "CancelOrder");
        let calls: Vec<Span> = calls.into_iter().cloned().collect();
        let last = calls.iter().any(|call| call.parent_span_id == [0x22_u8; 8]);
        last.then_some(calls)
    })
    .await;
    let (own, of_caller): (Vec<_>, Vec<_>) = calls
        .into_iter()
        .partition(|call| call.parent_span_id.is_empty());
    let traces: BTreeSet<_> = own.iter().map(|call| &call.trace_id).collect();
    assert_eq!((own.len(), traces.len()), (garbage.len(), garbage.len()));
    assert!(
        own.iter()
            .all(|call| call.trace_id.iter().any(|byte| *byte != 0))
    );
    assert_eq!(of_caller.len(), 1, "{of_caller:?}");
    assert_eq!(of_caller[0].trace_id, [0x11_u8; 16]);
    let reason = of_caller[0].status.as_ref().map(|status| &status.message);
    assert!(reason.is_some_and(|reason| !reason.is_empty()));
}
