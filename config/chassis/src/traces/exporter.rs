//! The task that sends ended spans to the collector, in batches, each once: what a collector does not
//! take in time is given up and counted.

use super::{
    settings::TraceSettings,
    step::{Kind, Step},
    tracer::{self, Tracer},
};
use crate::{
    metrics::{SPANS_DROPPED, SPANS_EXPORTED},
    redact::Redactor,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, trace_service_client::TraceServiceClient},
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::SpanKind, status::StatusCode},
};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};

/// Ended spans that may wait.
const QUEUE: usize = 8_192;
/// Spans of one request: few, so that to mask them takes no other task its turn.
const BATCH: usize = 128;
/// Between two rounds.
const ROUND: Duration = Duration::from_millis(500);
/// How long the collector may take to connect, and to answer.
const ANSWER: Duration = Duration::from_secs(3);
/// How long the last round may take at the end of the process.
const LAST: Duration = Duration::from_secs(2);
/// Most bytes of an answer that are read.
const LARGEST: usize = 64 * 1024;

/// The exporter at work.
#[derive(Debug)]
pub(crate) struct Exporting {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Exporting {
    /// Sends what waits, for a bounded time, and ends.
    pub(crate) async fn finish(mut self) {
        self.stop.cancel();
        if timeout(LAST, &mut self.task).await.is_err() {
            self.task.abort();
            // What it still held is counted once it is gone.
            let _ = (&mut self.task).await;
            tracing::warn!("the collector of traces did not take the last spans in time");
        }
    }
}

/// Begins to record traces, within a runtime; none where they are off.
pub(crate) fn start(settings: &TraceSettings, redactor: &Redactor) -> Option<Exporting> {
    let collector = settings.endpoint?;
    let (queue, steps) = mpsc::channel(QUEUE);
    tracer::install(Tracer::new(queue, settings.sampled_share));
    let sender = Sender {
        client: client(collector),
        redactor: redactor.clone(),
        resource: resource(&settings.service_name),
        reached: true,
    };
    let stop = CancellationToken::new();
    let task = tokio::spawn(sender.run(Waiting::of(steps), stop.clone()));
    Some(Exporting { stop, task })
}

/// A connection that is made when it is first used, and again when it broke.
fn client(collector: SocketAddr) -> Option<TraceServiceClient<Channel>> {
    let endpoint = Endpoint::from_shared(format!("http://{collector}")).ok()?;
    let channel = endpoint.connect_timeout(ANSWER).connect_lazy();
    Some(TraceServiceClient::new(channel).max_decoding_message_size(LARGEST))
}

fn resource(service_name: &str) -> Resource {
    let attributes = vec![
        attribute("service.name", service_name.to_owned()),
        attribute("service.version", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    Resource {
        attributes,
        ..Resource::default()
    }
}

/// What is not sent yet. Whatever of it is left at the end, or when the task is aborted, is counted as
/// given up.
struct Waiting {
    steps: mpsc::Receiver<Step>,
    /// Spans of the request that is under way.
    under_way: u64,
}

impl Waiting {
    fn of(steps: mpsc::Receiver<Step>) -> Self {
        Self {
            steps,
            under_way: 0,
        }
    }

    fn batch(&mut self) -> Vec<Step> {
        let next = std::iter::from_fn(|| self.steps.try_recv().ok());
        let batch: Vec<Step> = next.take(BATCH).collect();
        self.under_way = batch.len() as u64;
        batch
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let left = self.under_way + self.steps.len() as u64;
        metrics::counter!(SPANS_DROPPED).increment(left);
    }
}

struct Sender {
    client: Option<TraceServiceClient<Channel>>,
    redactor: Redactor,
    resource: Resource,
    /// The collector took the last batch.
    reached: bool,
}

impl Sender {
    /// Sends what waits, round after round, and once more at the end; then a collector that is away is not
    /// tried again.
    async fn run(mut self, mut steps: Waiting, stop: CancellationToken) {
        let mut round = interval(ROUND);
        round.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let stopping = tokio::select! {
                () = stop.cancelled() => true,
                _ = round.tick() => false,
            };
            // What comes meanwhile is for the next round.
            let mut waiting = steps.steps.len();
            while waiting > 0 {
                let batch = steps.batch();
                waiting = waiting.saturating_sub(batch.len().max(1));
                self.send(batch).await;
                steps.under_way = 0;
                if !self.reached && stop.is_cancelled() {
                    return;
                }
            }
            if stopping {
                return;
            }
        }
    }

    async fn send(&mut self, batch: Vec<Step>) {
        let count = batch.len() as u64;
        let spans = batch.into_iter().map(|step| self.span(step)).collect();
        let given_up = match self.export(spans).await {
            Ok(refused) => {
                if !self.reached {
                    tracing::info!("the collector of traces takes them again");
                }
                self.reached = true;
                refused.min(count)
            }
            Err(why) => {
                if self.reached {
                    tracing::warn!(
                        why,
                        "traces are given up: check that the collector of tracing.endpoint runs"
                    );
                }
                self.reached = false;
                count
            }
        };
        metrics::counter!(SPANS_DROPPED).increment(given_up);
        metrics::counter!(SPANS_EXPORTED).increment(count - given_up);
    }

    /// How many of them the collector refused.
    async fn export(&mut self, spans: Vec<Span>) -> Result<u64, String> {
        let Some(client) = &mut self.client else {
            return Err("the address cannot be used".to_owned());
        };
        let scope = InstrumentationScope {
            name: "mymt5".to_owned(),
            ..InstrumentationScope::default()
        };
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(self.resource.clone()),
                scope_spans: vec![ScopeSpans {
                    scope: Some(scope),
                    spans,
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            }],
        };
        match timeout(ANSWER, client.export(request)).await {
            Ok(Ok(answer)) => {
                let partly = answer.into_inner().partial_success;
                let refused = partly.map_or(0, |partly| partly.rejected_spans);
                Ok(u64::try_from(refused).unwrap_or(0))
            }
            // A collector's own words may be anything.
            Ok(Err(status)) => Err(format!("{:?}", status.code())),
            Err(_) => Err("no answer in time".to_owned()),
        }
    }

    /// A step in the collector's form, without secrets.
    fn span(&self, step: Step) -> Span {
        let kind = match step.kind {
            Kind::Internal => SpanKind::Internal,
            Kind::Server => SpanKind::Server,
            Kind::Client => SpanKind::Client,
        };
        let attributes = step.attributes.into_iter();
        let attributes = attributes.map(|(key, value)| attribute(key, self.clean(key, &value)));
        let status = step.failed.map(|why| Status {
            message: self.clean("reason", &why),
            code: StatusCode::Error.into(),
        });
        Span {
            trace_id: step.context.trace_id.to_vec(),
            span_id: step.context.span_id.to_vec(),
            parent_span_id: step.parent.map_or_else(Vec::new, |parent| parent.to_vec()),
            name: step.name.to_owned(),
            kind: kind.into(),
            start_time_unix_nano: step.begun,
            end_time_unix_nano: step.ended,
            attributes: attributes.collect(),
            status,
            ..Span::default()
        }
    }

    /// The value as a log line would show it: the key counts, since a field's name can make it secret.
    fn clean(&self, key: &str, value: &str) -> String {
        let line = format!("{key}={value}");
        let cleaned = self.redactor.clean(&line);
        let start = key.len() + 1;
        cleaned.get(start..).unwrap_or("***").to_owned()
    }
}

fn attribute(key: &str, value: String) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value)),
        }),
        ..KeyValue::default()
    }
}

#[cfg(test)]
mod tests;
