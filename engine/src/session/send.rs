//! Sends one intent until its outcome is known or the session must end: the same id, the same
//! content, so that a repeat can only join or recall what the first attempt did.

use super::gateway::Gateway;
use crate::trader::Intent;
use mymt5_chassis::trace_context::TraceContext;
use mymt5_proto::{reason_of, v1};
use std::time::Duration;
use tokio::time::sleep;
use tonic::{Code, Status};

/// How a sent intent was answered.
#[derive(Debug)]
pub(super) enum Answer {
    /// The gateway took it. The order's end comes by events.
    Accepted,
    /// The gateway definitely did not take it: why.
    Refused(String),
    /// Unknown: the session must begin again and ask.
    Unsure(Status),
}

const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(200);

pub(super) async fn send(gateway: &Gateway, intent: &Intent, trace: &TraceContext) -> Answer {
    let mut attempt = 1;
    loop {
        let answer = once(gateway, intent, trace).await;
        super::count_call(!answer.as_ref().is_err_and(is_unsure));
        let status = match answer {
            Ok(order) => {
                tracing::debug!(request_id = intent.request_id(), state = ?order.map(|order| order.state()), "intent taken");
                return Answer::Accepted;
            }
            Err(status) => status,
        };
        if !is_unsure(&status) {
            return Answer::Refused(
                reason_of(&status)
                    .map_or_else(|| status.code().to_string(), |r| r.name().to_owned()),
            );
        }
        if attempt == ATTEMPTS {
            return Answer::Unsure(status);
        }
        sleep(PAUSE * attempt).await;
        attempt += 1;
    }
}

async fn once(
    gateway: &Gateway,
    intent: &Intent,
    trace: &TraceContext,
) -> Result<Option<v1::Order>, Status> {
    let mut trading = gateway.trading();
    Ok(match intent {
        Intent::Submit(request) => {
            trading
                .submit_order(gateway.call(request.clone(), trace))
                .await?
                .into_inner()
                .order
        }
        Intent::Close(request) => {
            trading
                .close_position(gateway.call(request.clone(), trace))
                .await?
                .into_inner()
                .order
        }
    })
}

/// True when the call may have been taken, or may be taken if repeated. A passed deadline arrives
/// as CANCELLED from some servers.
pub(super) fn is_unsure(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Unavailable
            | Code::Unknown
            | Code::Internal
    )
}
