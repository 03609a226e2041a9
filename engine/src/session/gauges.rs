//! What a monitor is told of a session: where it happens, and with each heartbeat.

use crate::{
    risk::RiskRefused,
    trader::{Figures, Intent, Outcome},
};
use mymt5_chassis::clock;
use mymt5_proto::{Reason, v1};

/// How the trader stands.
pub(super) fn trader(figures: &Figures) {
    let known = |share: Option<f64>| share.unwrap_or(f64::NAN);
    metrics::gauge!("mymt5_engine_account_equity").set(known(figures.equity));
    metrics::gauge!("mymt5_engine_open_risk_ratio").set(known(figures.open_risk));
    let limit = known(figures.open_risk_limit);
    metrics::gauge!("mymt5_engine_open_risk_limit_ratio").set(limit);
    for room in &figures.limits {
        let name = room.limit.name();
        let allowed = room.allowed.to_f64();
        metrics::gauge!("mymt5_engine_loss_limit", "limit" => name).set(allowed);
        let left = room.left.to_f64();
        metrics::gauge!("mymt5_engine_loss_limit_left", "limit" => name).set(left);
    }
    for refused in RiskRefused::OF_STATE {
        let name = refused.name();
        let holds = u8::from(figures.refused_by_state == Some(refused));
        metrics::gauge!("mymt5_engine_risk_state_refuses", "reason" => name).set(f64::from(holds));
    }
}

/// Live ticks of these symbols came.
pub(super) fn ticks<'a>(symbols: impl Iterator<Item = &'a str>) {
    let now = clock::utc_now_ms() as f64 / 1_000.0;
    metrics::gauge!("mymt5_engine_last_tick_timestamp_seconds").set(now);
    for symbol in symbols {
        let symbol = symbol.to_owned();
        metrics::gauge!("mymt5_engine_symbol_last_tick_timestamp_seconds", "symbol" => symbol)
            .set(now);
    }
}

/// An intent leaves.
pub(super) fn sent(intent: &Intent) {
    let kind = match intent {
        Intent::Submit(_) => "submit",
        Intent::Close(_) => "close",
        Intent::Move(_) => "move",
        Intent::Cancel(_) => "cancel",
    };
    metrics::counter!("mymt5_engine_decisions_total", "kind" => kind).increment(1);
    if intent.is_order() {
        metrics::counter!("mymt5_engine_orders_submitted_total").increment(1);
    }
}

/// An entry was decided upon a tick that was taken too late.
pub(super) fn late() {
    metrics::counter!("mymt5_engine_decisions_refused_total", "reason" => "late").increment(1);
}

/// An order ended.
pub(super) fn ended(outcome: &Outcome) {
    let name = match outcome {
        Outcome::Ended(state) => {
            let name = v1::OrderState::from(*state).as_str_name();
            name.trim_start_matches("ORDER_STATE_")
        }
        Outcome::Refused(reason) => {
            // Only names of the list: what the gateway says grows no metric.
            let known = Reason::ALL.iter().find(|known| known.name() == reason);
            let reason = known.map_or("OTHER", |known| known.name());
            metrics::counter!("mymt5_engine_refusals_total", "reason" => reason).increment(1);
            "REFUSED"
        }
    };
    metrics::counter!("mymt5_engine_orders_total", "outcome" => name).increment(1);
}
