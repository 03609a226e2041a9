//! The heartbeat: this process lives, or it ends; and what the gateway's clock says.

use super::{Gateway, SessionEnd};
use mymt5_chassis::{clock, trace_context::TraceContext};
use mymt5_proto::v1;
use std::time::Duration;
use tokio::time::timeout;

/// Between two heartbeats.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long the last heartbeat may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// The gateway's clock, as a heartbeat told it.
#[derive(Clone, Copy)]
pub(super) struct GatewayClock {
    ahead_ms: i64,
}

impl GatewayClock {
    pub(super) fn now_ms(self) -> i64 {
        clock::utc_now_ms() + self.ahead_ms
    }
}

/// What a heartbeat told.
#[derive(Clone, Copy)]
pub(super) struct Beat {
    pub(super) clock: GatewayClock,
    /// Neither the account nor this client was restricted.
    pub(super) is_active: bool,
}

/// Reports that this process lives, or that it ends.
pub(super) async fn beat(
    gateway: Gateway,
    session_id: String,
    leaving: bool,
) -> Result<Beat, SessionEnd> {
    let message = v1::HeartbeatRequest {
        session_id,
        leaving,
    };
    let heartbeat = gateway.call(message, &TraceContext::new());
    let answer = gateway.trading().heartbeat(heartbeat).await;
    super::count_call(answer.is_ok());
    let answer = answer
        .map_err(|status| SessionEnd::Call("heartbeat", status))?
        .into_inner();
    let now = clock::utc_now_ms();
    metrics::gauge!("mymt5_engine_last_success_timestamp_seconds").set(now as f64 / 1000.0);
    let server_ms = answer.server_time.and_then(|time| time.utc_ms);
    let ahead_ms = server_ms.unwrap_or(now) - now;
    let ahead = ahead_ms as f64 / 1_000.0;
    metrics::gauge!("mymt5_engine_gateway_clock_ahead_seconds").set(ahead);
    Ok(Beat {
        clock: GatewayClock { ahead_ms },
        is_active: answer.trading_state() == v1::TradingState::Active,
    })
}

/// Gives the lease back, so that the next process of this client begins at once.
pub(super) async fn leave(gateway: &Gateway, session_id: &str) {
    let farewell = beat(gateway.clone(), session_id.to_owned(), true);
    match timeout(FAREWELL, farewell).await {
        Ok(Ok(_)) => {}
        Ok(Err(end)) => tracing::warn!(reason = %end, "lease not given back"),
        Err(_) => tracing::warn!("lease not given back: no answer"),
    }
}
