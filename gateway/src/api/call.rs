//! What the layers in front left in a request: who calls, under which trace, until when.

use crate::access::Caller;
use mymt5_chassis::clock;
use mymt5_model::RequestId;
use mymt5_orders::Call;
use mymt5_proto::{Reason, Refusal, Violations};
use prost::Message;
use sha2::{Digest, Sha256};
use std::time::Duration;
use tokio::time::Instant;
use tonic::{Extensions, Request};

/// The W3C trace id of a request, 32 hex digits.
#[derive(Clone, Debug)]
pub struct Trace(pub String);

/// The caller's deadline, Unix milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(pub i64);

/// How long a mutating call waits for the broker's word.
const PATIENCE: Duration = Duration::from_secs(1);

/// Who calls.
///
/// # Errors
/// No identity: the layer in front did not run.
pub(super) fn caller<T>(request: &Request<T>) -> Result<Caller, Refusal> {
    request
        .extensions()
        .get::<Caller>()
        .cloned()
        .ok_or_else(|| Refusal::new(Reason::Unauthenticated))
}

/// A mutating call's frame: id, content digest, deadline.
///
/// # Errors
/// A request_id that is none.
pub(super) fn mutating<M: Message + std::fmt::Debug>(
    extensions: &Extensions,
    caller: &Caller,
    method: &'static str,
    request_id: &str,
    message: &M,
    max_queue_ms: i64,
) -> Result<Call, Refusal> {
    tracing::trace!(method, request = ?message, "asked for");
    let request_id = RequestId::parse(request_id).map_err(|error| {
        Violations::one("request_id", Reason::RequestIdInvalid, error.to_string())
    })?;
    let mut content = Sha256::new_with_prefix(method);
    content.update(message.encode_to_vec());
    let latest = clock::utc_now_ms() + max_queue_ms;
    let deadline = extensions
        .get::<Deadline>()
        .map_or(latest, |deadline| deadline.0);
    let correlation = extensions
        .get::<Trace>()
        .map_or_else(String::new, |trace| trace.0.clone());
    let client = caller.0.name.clone();
    Ok(Call {
        client,
        request_id,
        method,
        content: content.finalize().into(),
        correlation,
        send_before_ms: latest.min(deadline),
    })
}

/// Until when to wait for the broker's word: well before the caller gives up.
pub(super) fn patience(extensions: &Extensions) -> Instant {
    let left = extensions
        .get::<Deadline>()
        .map(|deadline| deadline.0 - clock::utc_now_ms());
    let left = left.map_or(PATIENCE, |ms| {
        Duration::from_millis(u64::try_from(ms).unwrap_or(0)).mul_f64(0.8)
    });
    Instant::now() + left.min(PATIENCE)
}
