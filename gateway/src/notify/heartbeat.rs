//! The gateway's sign of life for a monitor outside of this host, which misses it when the gateway is
//! dead or hangs: nothing in here could tell that.

use super::{
    http::{Address, Asked},
    net::Trust,
};
use std::time::Duration;
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval, timeout},
};

/// Between two signs.
const INTERVAL: Duration = Duration::from_secs(60);
/// Longest attempt.
const ATTEMPT: Duration = Duration::from_secs(15);

/// Gives a sign each minute while the orders core answers, for ever. One that fails is not repeated:
/// the next one comes.
pub(super) async fn beat(
    address: Address,
    trust: Option<Trust>,
    core_answers: watch::Receiver<bool>,
) {
    let mut beats = interval(INTERVAL);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failed = false;
    loop {
        beats.tick().await;
        if !*core_answers.borrow() {
            continue;
        }
        let why = missed(&address, trust.as_ref()).await;
        if let Some(why) = &why {
            metrics::counter!("mymt5_notify_heartbeats_missed_total").increment(1);
            if !failed {
                tracing::warn!(why, "the sign of life did not reach notify.heartbeat_url");
            }
        } else if failed {
            tracing::info!("signs of life reach notify.heartbeat_url again");
        }
        failed = why.is_some();
    }
}

/// Why a sign did not arrive; none: it did.
async fn missed(address: &Address, trust: Option<&Trust>) -> Option<String> {
    let asked = Asked {
        address,
        path: "",
        json: None,
    };
    match timeout(ATTEMPT, asked.answer(trust)).await {
        Ok(Ok((status, _))) if status.is_success() => None,
        Ok(Ok((status, _))) => Some(format!("answered {}", status.as_u16())),
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some("no answer in time".to_owned()),
    }
}
