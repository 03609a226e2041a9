//! Whether the gateway can answer: its certificate holds and its journal can be written. The broker
//! is not part of it, so that an operator can still halt and read while the link is down: market data's
//! and trading's health follow the link instead.

use crate::reload::Identity;
use mymt5_chassis::{
    clock,
    health::{Health, READINESS},
    supervisor::Supervisor,
    tls::SOON_DAYS,
};
use std::time::Duration;
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

pub(super) const MARKET_DATA: &str = "mymt5.v1.MarketDataService";
pub(super) const TRADING: &str = "mymt5.v1.TradingService";
pub(super) const CONTROL: &str = "mymt5.v1.ControlService";

/// Between two checks of the certificate.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Follows both until the task is ended.
pub(super) async fn follow(
    (health, supervisor): (Health, Supervisor),
    identity: Identity,
    mut journal_up: watch::Receiver<bool>,
) {
    let mut poll = interval(POLL_INTERVAL);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = None;
    let mut warned = None;
    loop {
        let now = clock::utc_now_ms();
        let identity = identity.borrow().clone();
        let days = identity.days_left(now);
        if days < SOON_DAYS && warned != Some(days) {
            warned = Some(days);
            tracing::warn!(days, "the certificate ends soon");
        }
        let valid = identity.is_valid_at(now);
        let up = *journal_up.borrow_and_update();
        metrics::gauge!("mymt5_certificate_expiry_timestamp_seconds").set(identity.ends() as f64);
        metrics::gauge!("mymt5_journal_up").set(f64::from(u8::from(up)));
        let ready = valid && up;
        if told != Some(ready) {
            told = Some(ready);
            for service in ["", READINESS, CONTROL] {
                health.set(service, ready).await;
            }
            if ready {
                tracing::info!("gateway ready");
                supervisor.status("serving");
            } else {
                tracing::error!(
                    certificate_valid = valid,
                    journal_up = up,
                    "gateway not ready"
                );
                supervisor.status("not ready: look at the certificate and the journal");
            }
        }
        if !up {
            health.set(TRADING, false).await;
        }
        tokio::select! {
            _ = poll.tick() => {}
            Ok(()) = journal_up.changed() => {}
        }
    }
}
