#![allow(clippy::unwrap_used)]

use super::*;
use crate::{secret::Secret, trace_context::TraceContext};

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
    for _ in 0..3 {
        tracer.tell(step(Vec::new()));
    }
    let stop = CancellationToken::new();
    stop.cancel();
    let run = sender(collector, &Redactor::new()).run(steps, stop);
    timeout(Duration::from_secs(30), run).await.unwrap();
}
