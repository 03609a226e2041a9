//! What a monitor is told of the rooms that keep no task of their own for it, taken once a second.

use crate::{api::AppState, link::LinkStatus, telemetry::LINK_STATES};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Between two looks.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Follows the link and the subscribers until the task is ended.
pub(super) async fn follow(app: AppState) {
    let mut poll = interval(POLL_INTERVAL);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        poll.tick().await;
        link(&app.link.status());
        metrics::gauge!("mymt5_tick_subscribers").set(app.hub.subscribers() as f64);
        metrics::gauge!("mymt5_event_subscribers").set(app.event_streams.count() as f64);
    }
}

fn link(status: &LinkStatus) {
    let flag = |is_on: bool| f64::from(u8::from(is_on));
    for (state, name) in LINK_STATES {
        let is_on = flag(state == status.state);
        metrics::gauge!("mymt5_link_state", "state" => name).set(is_on);
    }
    metrics::gauge!("mymt5_link_up").set(flag(status.up));
    metrics::gauge!("mymt5_link_error_ratio").set(status.error_rate);
    let clock_wrong = flag(status.clock.differs.is_some());
    metrics::gauge!("mymt5_broker_clock_wrong").set(clock_wrong);
    if let Some((at_ms, latency)) = status.ping {
        metrics::gauge!("mymt5_link_last_ping_timestamp_seconds").set(at_ms as f64 / 1_000.0);
        metrics::gauge!("mymt5_link_ping_duration_seconds").set(latency);
    }
}
