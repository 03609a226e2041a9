//! The gateway's sign of life for a monitor outside of this host, which misses it when the gateway is
//! dead or hangs: nothing in here could tell that.

use super::{
    http::{Address, Asked},
    net::Trust,
};
use std::time::Duration;
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

/// Between two signs.
const INTERVAL: Duration = Duration::from_secs(60);
/// An answer of the core that is older than this proves nothing.
const STALE: Duration = Duration::from_secs(10);
/// Longest attempt.
const ATTEMPT: Duration = Duration::from_secs(15);

/// Gives a sign each minute while the orders core answers, for ever: `answered` is when it last did;
/// none: it did not, the last time. One that fails is not repeated: the next one comes.
pub(super) async fn beat(
    address: Address,
    trust: Option<Trust>,
    answered: watch::Receiver<Option<Instant>>,
) {
    let mut beats = interval(INTERVAL);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failed = false;
    loop {
        beats.tick().await;
        if !lives(&answered) {
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

/// What watches the core may be stuck, or gone.
fn lives(answered: &watch::Receiver<Option<Instant>>) -> bool {
    let is_watched = answered.has_changed().is_ok();
    is_watched && answered.borrow().is_some_and(|at| at.elapsed() <= STALE)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_sign_is_given_when_the_watch_is_stuck_or_gone() {
        let (answers, answered) = watch::channel(Some(Instant::now()));
        assert!(lives(&answered));
        answers.send_replace(None);
        assert!(!lives(&answered));
        answers.send_replace(Some(Instant::now()));
        let second = Duration::from_secs(1);
        tokio::time::advance(STALE - second).await;
        assert!(lives(&answered));
        tokio::time::advance(2 * second).await;
        assert!(!lives(&answered));
        answers.send_replace(Some(Instant::now()));
        assert!(lives(&answered));
        drop(answers);
        assert!(!lives(&answered));
    }
}
