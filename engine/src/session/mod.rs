//! The gateway seen from here: connect, take a snapshot, follow, send, beat, and begin again.

mod backlog;
mod backoff;
mod crash;
mod deals;
mod durable;
mod end;
mod explain;
mod gateway;
mod gauges;
mod heartbeat;
mod live;
mod own;
mod past;
mod recall;
mod retry;
mod send;
mod symbols;
#[cfg(test)]
mod testing;
mod warm_up;
mod wire;

pub use backoff::Backoff;
pub use crash::CrashAlert;
pub(crate) use end::SessionEnd;
pub use gateway::{ConnectError, Gateway, GatewaySettings};
pub use past::{Past, PastError};
pub(crate) use retry::persistently;

use crate::{intents::Intents, trader::Trader};
use live::Live;
use mymt5_chassis::{
    health::{Health, READINESS},
    redact::Redactor,
};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// The health name of the connection to the gateway.
pub const SERVICE: &str = "mymt5.engine.Session";

/// Everything a session works with.
pub struct Session {
    /// How to reach the gateway.
    pub settings: GatewaySettings,
    /// Who decides.
    pub trader: Trader,
    /// Where decisions become durable.
    pub intents: Intents,
    /// Follows the connection.
    pub health: Health,
    /// Learns the token.
    pub redactor: Redactor,
    /// Tells this process from another one of the same client.
    pub session_id: String,
    /// What is told of crashes before this start.
    pub crash_alert: CrashAlert,
}

impl Session {
    /// Stays connected until the shutdown.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut backoff = Backoff::default();
        loop {
            let begun = Instant::now();
            let end = self.once(&shutdown).await;
            if matches!(end, SessionEnd::Stopping) {
                break;
            }
            self.connected(false).await;
            let most = if self.trader.is_flat() {
                Backoff::IDLE
            } else {
                Backoff::URGENT
            };
            let pause = backoff.next(begun.elapsed(), most, rand::random::<f64>());
            tracing::warn!(reason = %end, pause_ms = pause.as_millis() as u64, "session ended");
            metrics::counter!("mymt5_engine_reconnects_total").increment(1);
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = sleep(pause) => {}
            }
        }
        self.connected(false).await;
    }

    /// One session, from the connection to its end.
    async fn once(&mut self, shutdown: &CancellationToken) -> SessionEnd {
        let connected = tokio::select! {
            () = shutdown.cancelled() => return SessionEnd::Stopping,
            connected = self.connect() => connected,
        };
        let gateway = match connected {
            Ok(gateway) => gateway,
            Err(end) => return end,
        };
        let begun = tokio::select! {
            () = shutdown.cancelled() => {
                // The broker may be waited for, with the lease taken.
                heartbeat::leave(&gateway, &self.session_id).await;
                return SessionEnd::Stopping;
            }
            begun = Live::begin(gateway.clone(), self) => begun,
        };
        match begun {
            Ok(live) => {
                self.connected(true).await;
                live.follow(self, shutdown).await
            }
            Err(end) => end,
        }
    }

    async fn connect(&self) -> Result<Gateway, SessionEnd> {
        let gateway = Gateway::connect(&self.settings, &self.redactor).await;
        if gateway.is_err() {
            count_call(false);
        }
        gateway.map_err(SessionEnd::NotConnected)
    }

    async fn connected(&self, yes: bool) {
        for name in ["", READINESS, SERVICE] {
            self.health.set(name, yes).await;
        }
        metrics::gauge!("mymt5_engine_connected").set(f64::from(u8::from(yes)));
    }
}

/// Counts calls that were answered and calls that were not, as where nobody could be reached: the
/// error rate.
fn count_call(answered: bool) {
    let outcome = if answered { "answered" } else { "failed" };
    metrics::counter!("mymt5_engine_calls_total", "outcome" => outcome).increment(1);
}
