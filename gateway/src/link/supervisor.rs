//! The supervisor's loop: one life of the link after the other, with pauses in between.

use super::{
    login::Held,
    machine::Fact,
    monitor::{Link, LinkDeps, Monitor},
    session::Session,
};
use crate::broker::BrokerError;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

/// How often the state is checked, though nothing happened: sessions begin and end.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// As with a wrong password that the terminal does not tell.
pub(super) const LED_NOWHERE: &str = "the last logins led nowhere; check MT5_PASSWORD and MT5_SERVER: the next one waits for two minutes, other credentials or `mymt5-gateway reload`";

impl Link {
    /// Keeps the link up until the shutdown.
    pub async fn supervise(self, deps: LinkDeps, shutdown: CancellationToken) {
        let supervisor = Supervisor(Monitor::new(self, deps));
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = supervisor.live() => {}
            () = supervisor.poll() => {}
        }
        supervisor.0.report(Fact::Stopping).await;
    }
}

struct Supervisor(Monitor);

impl Supervisor {
    async fn live(&self) {
        loop {
            self.admitted().await;
            let mut tried = String::new();
            let error = Session::run(&self.0, &mut tried).await;
            metrics::counter!("mymt5_link_losses_total").increment(1);
            tracing::warn!(%error, "link to the broker lost");
            self.keep(tried, &error);
            if self.0.deps.login.is_some() && matches!(error, BrokerError::Refused(_)) {
                continue;
            }
            self.0.report(Fact::Lost(error.to_string())).await;
            let pause = self.0.pause();
            let _ = timeout(pause, self.0.deps.retry.notified()).await;
        }
    }

    /// Waits until the credentials may be tried.
    async fn admitted(&self) {
        let Some(gate) = &self.0.deps.login else {
            return;
        };
        match gate.held() {
            None => {}
            Some((fingerprint, Held::Refused(why))) => {
                self.0.report(Fact::Refused(why)).await;
                gate.opens(&fingerprint).await;
            }
            Some((fingerprint, Held::For(left))) => {
                self.0.report(Fact::Lost(LED_NOWHERE.into())).await;
                let _ = timeout(left, gate.opens(&fingerprint)).await;
            }
        }
    }

    /// Keeps what came of a login.
    fn keep(&self, tried: String, error: &BrokerError) {
        let Some(gate) = &self.0.deps.login else {
            return;
        };
        let kept = match error {
            BrokerError::Refused(why) => gate.keep_refused(tried, why),
            BrokerError::NotConnected(_) => gate.keep_unanswered(tried),
            _ => return,
        };
        if let Err(error) = kept {
            tracing::error!(%error, "what came of the login cannot be kept, a restart will try it again");
        }
    }

    async fn poll(&self) {
        let mut poll = interval(POLL_INTERVAL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            poll.tick().await;
            self.0.report(Fact::Nothing).await;
        }
    }
}
