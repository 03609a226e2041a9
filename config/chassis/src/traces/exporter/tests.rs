#![allow(clippy::unwrap_used)]

use super::*;
use crate::{secret::Secret, trace_context::TraceContext};
use metrics_exporter_prometheus::PrometheusBuilder;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
    trace_service_server::{TraceService, TraceServiceServer},
};
use tonic::{
    Request, Response,
    transport::{Server, server::TcpIncoming},
};

fn sender(collector: SocketAddr, redactor: &Redactor) -> Sender {
    Sender {
        client: client(collector),
        redactor: redactor.clone(),
        resource: resource("demo"),
        reached: true,
    }
}

fn step(attributes: Vec<(&'static str, String)>) -> Step {
    Step {
        context: TraceContext::new(),
        parent: None,
        name: "step",
        kind: Kind::Internal,
        begun: 1,
        ended: 2,
        attributes,
        failed: Some("correct-horse-7".to_owned()),
    }
}

fn texts(span: &Span) -> Vec<String> {
    let values = span.attributes.iter().map(|attribute| {
        match attribute.value.as_ref().and_then(|any| any.value.as_ref()) {
            Some(Value::StringValue(text)) => text.clone(),
            other => format!("{other:?}"),
        }
    });
    let message = span.status.iter().map(|status| status.message.clone());
    values.chain(message).collect()
}

#[tokio::test]
async fn every_value_passes_the_redactor() {
    let redactor = Redactor::new();
    redactor.set_values(&[&Secret::new("correct-horse-7")], &["12345678"]);
    let sender = sender(SocketAddr::from(([127, 0, 0, 1], 9)), &redactor);
    let span = sender.span(step(vec![
        ("symbol", "EURUSD".to_owned()),
        ("strategy", "of correct-horse-7".to_owned()),
        ("client", "12345678".to_owned()),
        ("password", "anything".to_owned()),
    ]));
    let texts = texts(&span);
    assert_eq!(texts[0], "EURUSD");
    for text in &texts[1..] {
        let leaks = ["correct-horse-7", "12345678", "anything"];
        assert!(!leaks.iter().any(|leak| text.contains(leak)), "{texts:?}");
    }
}

#[tokio::test]
async fn a_collector_that_is_away_costs_the_spans_and_nothing_else() {
    // Nobody listens there any more.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let collector = listener.local_addr().unwrap();
    drop(listener);
    let (queue, steps) = mpsc::channel(QUEUE);
    let tracer = Tracer::new(queue, 1.0);
    // More than one request: the second is not tried any more.
    let told = BATCH + 3;
    for _ in 0..told {
        tracer.tell(step(Vec::new()));
    }
    let recorder = PrometheusBuilder::new().build_recorder();
    let counted = metrics::set_default_local_recorder(&recorder);
    let stop = CancellationToken::new();
    stop.cancel();
    let run = sender(collector, &Redactor::new()).run(Waiting::of(steps), stop);
    timeout(Duration::from_secs(30), run).await.unwrap();
    drop(counted);
    let text = recorder.handle().render();
    let dropped = format!("{SPANS_DROPPED} {told}");
    assert!(text.lines().any(|line| line == dropped), "{text}");
}

#[tokio::test]
async fn what_an_aborted_exporter_held_is_counted() {
    let (queue, steps) = mpsc::channel(QUEUE);
    let tracer = Tracer::new(queue, 1.0);
    for _ in 0..BATCH + 3 {
        tracer.tell(step(Vec::new()));
    }
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        let mut held = Waiting::of(steps);
        assert_eq!(held.batch().len(), BATCH);
        drop(held);
    });
    let text = recorder.handle().render();
    let dropped = format!("{SPANS_DROPPED} {}", BATCH + 3);
    assert!(text.lines().any(|line| line == dropped), "{text}");
}

/// Passes on what it is told, and says that it refused one of them.
struct Collector(mpsc::Sender<ExportTraceServiceRequest>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, tonic::Status> {
        self.0.send(request.into_inner()).await.unwrap();
        let partly = ExportTracePartialSuccess {
            rejected_spans: 1,
            error_message: "one too many".to_owned(),
        };
        Ok(Response::new(ExportTraceServiceResponse {
            partial_success: Some(partly),
        }))
    }
}

async fn collector() -> (SocketAddr, mpsc::Receiver<ExportTraceServiceRequest>) {
    let (told, requests) = mpsc::channel(8);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder().add_service(TraceServiceServer::new(Collector(told)));
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    (address, requests)
}

#[tokio::test]
async fn what_waits_at_the_end_is_told_in_batches() {
    let (address, mut requests) = collector().await;
    let (queue, steps) = mpsc::channel(QUEUE);
    let tracer = Tracer::new(queue, 1.0);
    for _ in 0..=BATCH {
        tracer.tell(step(Vec::new()));
    }
    let stop = CancellationToken::new();
    stop.cancel();
    sender(address, &Redactor::new())
        .run(Waiting::of(steps), stop)
        .await;
    for count in [BATCH, 1] {
        let request = requests.try_recv().unwrap();
        let of_process = &request.resource_spans[0];
        let service = &of_process.resource.as_ref().unwrap().attributes[0];
        assert_eq!(*service, attribute("service.name", "demo".to_owned()));
        assert_eq!(of_process.scope_spans[0].spans.len(), count);
    }
}

#[tokio::test]
async fn what_the_collector_refuses_is_told_to_the_exporter() {
    let (address, _requests) = collector().await;
    let mut sender = sender(address, &Redactor::new());
    let spans = vec![sender.span(step(Vec::new()))];
    assert_eq!(sender.export(spans).await, Ok(1));
}
