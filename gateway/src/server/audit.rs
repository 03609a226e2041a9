//! The outermost layer: every call has a trace id and leaves a line in the log, refused ones included;
//! a denied one is on record in the audit trail. Strangers fill neither.

use super::{
    complete::complete,
    connection::Peer,
    marks::{Audited, Shed},
};
use crate::{
    api::TraceId,
    audit::{Call, Origin, Trail},
    desk::Orders,
};
use http::{Request, Response};
use mymt5_chassis::{
    clock,
    logs::AUDIT,
    trace_context::TraceContext,
    traces::{self, Arrival},
};
use mymt5_model::UtcTime;
use mymt5_orders::Denial;
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};
use tonic::{Code, Status, body::Body};
use tower::{Layer, Service};
use tracing::Instrument;

/// Longest path that is told.
const PATH: usize = 128;

#[derive(Clone)]
pub(super) struct AuditLayer {
    pub(super) trail: Trail,
    pub(super) journal: Orders,
}

#[derive(Clone)]
pub(super) struct Audit<S> {
    inner: S,
    layer: AuditLayer,
}

impl<S> Layer<S> for AuditLayer {
    type Service = Audit<S>;
    fn layer(&self, inner: S) -> Audit<S> {
        Audit {
            inner,
            layer: self.clone(),
        }
    }
}

impl<S> Service<Request<Body>> for Audit<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let parent = request
            .headers()
            .get("traceparent")
            .and_then(|value| TraceContext::parse(value.to_str().ok()?));
        let arrival = Arrival {
            context: parent.map_or_else(TraceContext::new, |parent| parent.child()),
            parent: parent.map(|parent| parent.span_id),
            at_ns: traces::now_ns(),
        };
        let trace_id = arrival.context.trace_hex();
        let path = told(request.uri().path());
        let peer = request
            .extensions()
            .get::<Peer>()
            .map(|peer| peer.address.clone())
            .unwrap_or_default();
        let audited = Audited::default();
        request.extensions_mut().insert(TraceId(trace_id.clone()));
        request.extensions_mut().insert(arrival);
        request.extensions_mut().insert(Origin(peer.clone()));
        request.extensions_mut().insert(audited.clone());
        let span = tracing::info_span!(target: AUDIT, "call", trace_id, path);
        let layer = self.layer.clone();
        let begun = Instant::now();
        let answer = self.inner.call(request);
        Box::pin(
            async move {
                let response = answer.await.map(complete);
                let code = response.as_ref().map_or(Code::Internal, status);
                let reason = response.as_ref().ok().and_then(reason);
                record(&path, code, reason, &audited, &peer, begun);
                if response.as_ref().is_ok_and(is_shed) {
                    layer.shed(&audited, reason);
                }
                if matches!(code, Code::Unauthenticated | Code::PermissionDenied) {
                    layer.denied(denial(path, code, &audited, peer, trace_id));
                }
                response
            }
            .instrument(span),
        )
    }
}

impl AuditLayer {
    fn shed(&self, audited: &Audited, reason: Option<&'static str>) {
        if let Some(reason) = reason {
            self.trail.shed(audited.name(), reason);
        }
    }

    /// The journal keeps what the trail tells alone of a known client.
    fn denied(&self, denial: Denial) {
        let call = Call {
            client: denial.client.clone(),
            peer: denial.peer.clone(),
            method: denial.call.clone(),
            request_id: String::new(),
            trace_id: denial.trace_id.clone(),
        };
        if self.trail.denied(&call, &denial.code) {
            self.journal.denied(denial);
        }
    }
}

/// A path; of one that no call has, its length alone.
fn told(path: &str) -> String {
    let length = path.chars().count();
    if length > PATH {
        return format!("({length} characters)");
    }
    path.to_owned()
}

/// The status of a response without a body; one with a body has not failed yet.
fn status(response: &Response<Body>) -> Code {
    response
        .headers()
        .get("grpc-status")
        .map_or(Code::Ok, |value| Code::from_bytes(value.as_bytes()))
}

/// True for the answer to a call that no service saw, for want of room.
fn is_shed(response: &Response<Body>) -> bool {
    response.extensions().get::<Shed>().is_some()
}

/// Why a call was refused, as its caller sees it.
fn reason(response: &Response<Body>) -> Option<&'static str> {
    let status = Status::from_header_map(response.headers())?;
    mymt5_proto::reason_of(&status).map(mymt5_proto::Reason::name)
}

/// A denied call, for the journal.
fn denial(path: String, code: Code, audited: &Audited, peer: String, trace_id: String) -> Denial {
    Denial {
        at: UtcTime(clock::utc_now_ms()),
        client: audited.name().to_owned(),
        peer,
        call: path,
        code: format!("{code:?}"),
        trace_id,
    }
}

fn record(
    path: &str,
    code: Code,
    reason: Option<&'static str>,
    audited: &Audited,
    peer: &str,
    begun: Instant,
) {
    let client = audited.name();
    let took_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    metrics::counter!("mymt5_calls_total", "code" => format!("{code:?}")).increment(1);
    if let Some(reason) = reason {
        metrics::counter!("mymt5_refusals_total", "reason" => reason).increment(1);
    }
    match code {
        // Health, and what strangers are denied, which the audit trail tells by address.
        _ if client.is_empty() => {
            tracing::debug!(target: AUDIT, peer, ?code, reason, took_us, "call without an identity");
        }
        Code::Ok if path.ends_with("/Heartbeat") => {
            tracing::debug!(target: AUDIT, client, peer, took_us, "call answered");
        }
        Code::Ok => tracing::info!(target: AUDIT, client, peer, took_us, "call answered"),
        Code::Unauthenticated | Code::PermissionDenied => {
            tracing::warn!(target: AUDIT, client, peer, ?code, reason, "call denied")
        }
        code => tracing::info!(target: AUDIT, client, peer, ?code, reason, took_us, "call refused"),
    }
}
