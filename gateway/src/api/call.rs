//! What the layers in front left in a request: who calls, under which trace, until when; and the
//! frame that all mutating calls share.

use super::{AppState, facts::Facts};
use crate::{
    access::{Caller, Permission},
    audit::{self, Asked, Origin, Outcome, Unrecorded},
    desk::{Told, Turn},
};
use mymt5_chassis::{
    clock,
    logs::AUDIT,
    traces::{Arrival, Kind, Span},
};
use mymt5_model::RequestId;
use mymt5_orders::{Answer, Call, Command};
use mymt5_proto::{Reason, Refusal, Violations};
use prost::Message;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{fmt, time::Duration};
use tokio::time::Instant;
use tonic::{Extensions, Request};
use tracing::Instrument;

/// The W3C trace id of a request, 32 hex digits.
#[derive(Clone, Debug)]
pub struct TraceId(pub String);

/// The caller's deadline, Unix milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(pub i64);

/// How long a mutating call waits for the broker's answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// After a call that could not be put on record, before it is tried again.
const UNWRITABLE: Duration = Duration::from_secs(5);
/// After one for which its client left no room there.
const CROWDED: Duration = Duration::from_secs(1);

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

/// Whose turn at the core the caller takes.
pub(super) fn turn(caller: &Caller) -> Turn {
    Turn {
        client: caller.0.name.clone(),
        most: caller.0.share.max_queued,
    }
}

/// A request that changes something: its id, and what belongs to one sending of it alone.
pub(super) trait Mutating: Message + Clone + fmt::Debug + Facts {
    /// The RPC.
    const METHOD: &'static str;
    fn request_id(&self) -> &str;
    fn not_after(&self) -> Option<i64>;
    /// The client's process; empty where it does not say.
    fn session_id(&self) -> &str;
    /// What must be the same when it is repeated.
    fn content(&self) -> Self;
}

/// The requests of a service that are [`Mutating`]: the name of the RPC, its request, and the
/// field of the client's process where it has one.
macro_rules! mutating {
    ($($method:literal $request:ident $(, $session:ident)?;)*) => {$(
        impl $crate::api::call::Mutating for v1::$request {
            const METHOD: &'static str = $method;
            fn request_id(&self) -> &str {
                &self.request_id
            }
            fn not_after(&self) -> Option<i64> {
                self.not_after
            }
            fn session_id(&self) -> &str {
                mutating!(@session self $(, $session)?)
            }
            fn content(&self) -> Self {
                Self {
                    not_after: None,
                    $($session: String::new(),)?
                    ..self.clone()
                }
            }
        }
    )*};
    (@session $self:ident) => { "" };
    (@session $self:ident, $session:ident) => { &$self.$session };
}

pub(super) use mutating;

impl AppState {
    /// Has the core take a call, and waits for its answer. It is on record before, and its answer
    /// after, also where the caller does not wait for it.
    ///
    /// # Errors
    /// `AUDIT_UNWRITABLE`; `RATE_LIMITED`; an id or session that is not valid; whatever the core
    /// refuses.
    pub(super) async fn take<M: Mutating>(
        &self,
        request: Request<M>,
        command: impl FnOnce(&Caller, &M) -> Result<Command, Refusal>,
    ) -> Result<Answer, Refusal> {
        let caller = caller(&request)?;
        let (_, extensions, message) = request.into_parts();
        let mut span = span::<M>(&extensions, &caller);
        tracing::trace!(method = M::METHOD, request = ?message, "asked for");
        let named = (M::METHOD, message.request_id());
        let facts = message.facts();
        let mut asked = self.asked(&extensions, &caller, named, facts, message.passes())?;
        let call = command(&caller, &message)
            .and_then(|command| self.call(&extensions, &caller, &message, command));
        let until = answer_deadline(&extensions);
        let orders = self.orders.clone();
        let answering = async move {
            let told = match call {
                Ok(call) => {
                    let taken = || asked.taken();
                    orders.call(&turn(&caller), call, until, taken).await
                }
                Err(refusal) => Err(refusal),
            };
            asked.answered(outcome(&told));
            if let Some(span) = &mut span {
                tell(span, &told);
            }
            told.map(|told| told.answer)
        };
        let answer = tokio::spawn(answering.in_current_span()).await;
        let answer = answer.unwrap_or_else(|_| Err(Refusal::new(Reason::Internal)));
        if let Ok(Answer::Order(order)) = &answer {
            tracing::info!(target: AUDIT, order_id = %order.id, state = ?order.state, reason = order.reason, "order answered");
        }
        answer
    }

    /// Puts a call, its method and id, on record before it is done.
    ///
    /// # Errors
    /// `AUDIT_UNWRITABLE`, or `RATE_LIMITED` where too many of the client were refused, unless it
    /// passes all the same.
    pub(super) fn asked(
        &self,
        extensions: &Extensions,
        caller: &Caller,
        (method, request_id): (&str, &str),
        facts: Value,
        passes: bool,
    ) -> Result<Asked, Refusal> {
        let origin = extensions.get::<Origin>();
        let call = audit::Call {
            client: caller.0.name.to_string(),
            peer: origin.map_or_else(String::new, |origin| origin.0.clone()),
            method: method.to_owned(),
            request_id: request_id.to_owned(),
            trace_id: trace_id(extensions),
        };
        let asked = self.trail.ask(&call, facts, passes);
        asked.map_err(|unrecorded| match unrecorded {
            Unrecorded::Unwritable => Refusal::new(Reason::AuditUnwritable).after(UNWRITABLE),
            Unrecorded::Crowded => {
                self.trail.shed(&call.client, Reason::RateLimited.name());
                let why = "too many of the client's calls were refused lately";
                Refusal::because(Reason::RateLimited, why).after(CROWDED)
            }
        })
    }

    fn call<M: Mutating>(
        &self,
        extensions: &Extensions,
        caller: &Caller,
        message: &M,
        command: Command,
    ) -> Result<Call, Refusal> {
        let mut violations = Violations::default();
        let id = |text: &str| {
            RequestId::parse(text).map_err(|error| (Reason::RequestIdInvalid, error.to_string()))
        };
        let request_id = violations.take("request_id", id(message.request_id()));
        let session = Some(message.session_id()).filter(|session| !session.is_empty());
        let session = session.and_then(|session| violations.take("session_id", id(session)));
        violations.done()?;
        let mut content = Sha256::new_with_prefix(M::METHOD);
        content.update(message.content().encode_to_vec());
        let latest = clock::utc_now_ms() + self.max_queue_ms;
        let deadline = extensions.get::<Deadline>();
        let deadline = deadline.map_or(latest, |deadline| deadline.0);
        Ok(Call {
            asker: self.orders.asker(),
            client: caller.0.name.clone(),
            control: caller.may(Permission::Control),
            session,
            request_id: request_id.ok_or_else(|| Refusal::new(Reason::RequestIdInvalid))?,
            method: M::METHOD,
            content: content.finalize().into(),
            trace_id: trace_id(extensions),
            send_before_ms: latest.min(deadline),
            not_after_ms: message.not_after(),
            command,
        })
    }
}

/// The call's step of its trace, from its arrival on. What the layers in front did is a step within it.
fn span<M: Mutating>(extensions: &Extensions, caller: &Caller) -> Option<Span> {
    let arrival = extensions.get::<Arrival>()?;
    let mut span = Span::served(arrival, M::METHOD)?;
    span.set("client", &caller.0.name);
    span.child("access", Kind::Internal)
        .since(arrival.at_ns)
        .end();
    Some(span)
}

/// How a call ended, for its trace.
fn tell(span: &mut Span, told: &Result<Told, Refusal>) {
    match told.as_ref().map(|told| &told.answer) {
        Ok(Answer::Order(order)) => {
            span.set("order_id", order.id.0);
            span.set("state", format_args!("{:?}", order.state));
        }
        Ok(Answer::Change(change)) => {
            span.set("outcome", format_args!("{:?}", change.outcome));
        }
        Ok(_) => {}
        Err(refusal) => span.fail(refusal.reason().name()),
    }
}

fn trace_id(extensions: &Extensions) -> String {
    let trace_id = extensions.get::<TraceId>();
    trace_id.map_or_else(String::new, |trace_id| trace_id.0.clone())
}

/// How a call ended, for the record.
fn outcome(told: &Result<Told, Refusal>) -> Outcome {
    let told = match told {
        Ok(told) => told,
        Err(refusal) => return refused(refusal.reason()),
    };
    let led_to = match &told.answer {
        Answer::Order(order) => json!({
            "order_id": order.id.0,
            "state": format!("{:?}", order.state),
            "reason": order.reason,
        }),
        Answer::Change(change) => json!({ "outcome": format!("{:?}", change.outcome) }),
        _ => Value::Null,
    };
    if told.recorded {
        Outcome::Done(led_to)
    } else {
        Outcome::Repeated(led_to)
    }
}

/// Whether the journal has a call that failed there, or that broke something, is not known.
const fn refused(reason: Reason) -> Outcome {
    match reason {
        Reason::JournalLost | Reason::Internal => Outcome::Unknown(reason.name()),
        _ => Outcome::Refused(reason.name()),
    }
}

/// Until when to wait for the broker's answer: well before the caller gives up.
fn answer_deadline(extensions: &Extensions) -> Instant {
    let left = extensions
        .get::<Deadline>()
        .map(|deadline| deadline.0 - clock::utc_now_ms());
    let left = left.map_or(ANSWER_TIMEOUT, |ms| {
        Duration::from_millis(u64::try_from(ms).unwrap_or(0)).mul_f64(0.8)
    });
    Instant::now() + left.min(ANSWER_TIMEOUT)
}
