//! Sends one intent until its outcome is known or the session must end: the same id, the same
//! content, so that a repeat can only join or recall what the first attempt did.

use super::{gateway::Gateway, wire::Request};
use mymt5_chassis::{
    trace_context::TraceContext,
    traces::{Kind, Span},
};
use mymt5_model::RequestId;
use mymt5_proto::{reason_of, retry_after, v1};
use std::time::Duration;
use tokio::time::sleep;
use tonic::{Code, Status};

/// How a sent intent was answered.
#[derive(Debug)]
pub(super) enum Answer {
    /// The gateway took it. The order's end comes by events.
    Accepted,
    /// A change ended, done or not, as far as the gateway knows.
    Changed { done: bool },
    /// The gateway definitely did not take it: why.
    Refused(String),
    /// It did not leave: why.
    Unsent(&'static str),
    /// Unknown: the session must begin again and ask.
    Unsure(Status),
}

const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(200);
/// Longest pause that a gateway may ask for.
const LONGEST: Duration = Duration::from_secs(2);

pub(super) async fn send(
    gateway: &Gateway,
    request_id: &RequestId,
    request: &Request,
    order: &Span,
) -> Answer {
    let mut attempt = 1;
    let mut unsure = false;
    loop {
        let mut call = order.child(request.method(), Kind::Client);
        let answer = once(gateway, request, call.context()).await;
        super::count_call(!answer.as_ref().is_err_and(is_unsure));
        let status = match answer {
            Ok(taken) => {
                tracing::debug!(%request_id, ?taken, "intent taken");
                return taken;
            }
            Err(status) => status,
        };
        call.fail(refused(&status));
        call.end();
        unsure = may_be_taken(&status, unsure);
        if !unsure {
            return Answer::Refused(refused(&status));
        }
        if attempt == ATTEMPTS {
            return Answer::Unsure(status);
        }
        let asked_for = retry_after(&status).map(|pause| pause.min(LONGEST));
        sleep(asked_for.unwrap_or(PAUSE * attempt)).await;
        attempt += 1;
    }
}

/// Why a call was refused: the gateway's reason, else what became of the call.
fn refused(status: &Status) -> String {
    let reason = reason_of(status);
    reason.map_or_else(
        || status.code().to_string(),
        |reason| reason.name().to_owned(),
    )
}

/// True when the intent may have been taken, by this attempt or, if it was unsure before, by an
/// earlier one: what is refused before its id is looked up says nothing of that.
fn may_be_taken(status: &Status, unsure: bool) -> bool {
    let before_look_up = matches!(
        status.code(),
        Code::ResourceExhausted
            | Code::Unauthenticated
            | Code::PermissionDenied
            | Code::Unimplemented
    );
    is_unsure(status) || (unsure && before_look_up)
}

async fn once(
    gateway: &Gateway,
    request: &Request,
    trace: &TraceContext,
) -> Result<Answer, Status> {
    let mut trading = gateway.trading();
    Ok(match request {
        Request::Submit(request) => {
            let call = gateway.call(request.clone(), trace);
            trading.submit_order(call).await?;
            Answer::Accepted
        }
        Request::Close(request) => {
            let call = gateway.call(request.clone(), trace);
            trading.close_position(call).await?;
            Answer::Accepted
        }
        Request::Move(request) => {
            let call = gateway.call(request.clone(), trace);
            let answer = trading.modify_position(call).await?.into_inner();
            changed(answer.change)
        }
        Request::Cancel(request) => {
            let call = gateway.call(request.clone(), trace);
            let answer = trading.cancel_order(call).await?.into_inner();
            changed(answer.change)
        }
    })
}

fn changed(change: Option<v1::Change>) -> Answer {
    let outcome = change.map(|change| change.outcome());
    Answer::Changed {
        done: outcome == Some(v1::ChangeOutcome::Done),
    }
}

/// True when the call may have been taken, or may be taken if repeated. A passed deadline arrives
/// as CANCELLED from some servers.
fn is_unsure(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Unavailable
            | Code::Unknown
            | Code::Internal
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use mymt5_proto::{Reason, Refusal};

    #[test]
    fn a_shed_repeat_does_not_tell_that_the_first_attempt_was_not_taken() {
        for reason in [
            Reason::RateLimited,
            Reason::QueueFull,
            Reason::Unauthenticated,
            Reason::PermissionDenied,
        ] {
            let shed = Status::from(Refusal::new(reason));
            assert!(!may_be_taken(&shed, false), "{reason:?}");
            assert!(may_be_taken(&shed, true), "{reason:?}");
        }
        assert!(may_be_taken(&Status::deadline_exceeded(""), false));
        // The id was looked up: neither this attempt nor another one was taken.
        let refused = Status::from(Refusal::new(Reason::LotsOffGrid));
        assert!(!may_be_taken(&refused, true));
    }
}
