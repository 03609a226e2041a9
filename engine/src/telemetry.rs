//! What this process exports at `/metrics`: the list of it. Each number is taken where it happens, by
//! an atomic, or with each heartbeat; whoever reads them waits for nothing and holds nothing up.

use mymt5_chassis::metrics::{Metric, describe};
use mymt5_proto::Reason;

/// All that the engine exports beside what every process does.
pub const METRICS: &[Metric] = &[
    // The gateway.
    Metric::gauge(
        "mymt5_engine_connected",
        "1 while a session with the gateway works",
    ),
    Metric::counter(
        "mymt5_engine_reconnects_total",
        "Sessions that broke or did not begin",
    ),
    Metric::counter(
        "mymt5_engine_calls_total",
        "Calls to the gateway, answered or failed",
    )
    .by(&["outcome"]),
    Metric::gauge(
        "mymt5_engine_last_success_timestamp_seconds",
        "When the gateway last answered a heartbeat",
    ),
    Metric::gauge(
        "mymt5_engine_gateway_clock_ahead_seconds",
        "How far the gateway's clock is ahead of this one; the way of the answer is in it",
    ),
    // The market.
    Metric::counter("mymt5_engine_ticks_received_total", "Live ticks received"),
    Metric::gauge(
        "mymt5_engine_last_tick_timestamp_seconds",
        "When ticks last came",
    ),
    Metric::gauge(
        "mymt5_engine_symbol_last_tick_timestamp_seconds",
        "When a live tick of the symbol last came",
    )
    .by(&["symbol"]),
    // Decisions and orders.
    Metric::counter(
        "mymt5_engine_decisions_total",
        "Decisions that were sent, by what they ask for",
    )
    .by(&["kind"]),
    Metric::counter(
        "mymt5_engine_decisions_refused_total",
        "Entries that strategies decided and the engine refused, by reason",
    )
    .by(&["reason"]),
    Metric::gauge(
        "mymt5_engine_risk_state_refuses",
        "1 while risk.json cannot be gone on from and every entry is refused, by reason",
    )
    .by(&["reason"]),
    Metric::counter(
        "mymt5_engine_orders_submitted_total",
        "Orders and closes that were sent",
    ),
    Metric::counter(
        "mymt5_engine_orders_total",
        "Those of them that ended, by outcome",
    )
    .by(&["outcome"]),
    Metric::counter(
        "mymt5_engine_refusals_total",
        "Those that the gateway refused, by reason",
    )
    .by(&["reason"]),
    // What is held and risked.
    Metric::gauge(
        "mymt5_engine_position_lots",
        "Lots held in a symbol that is traded, below 0 when short",
    )
    .by(&["symbol"]),
    Metric::gauge(
        "mymt5_engine_account_equity",
        "Equity as last told, in the account's currency; NaN while it is not known",
    ),
    Metric::gauge(
        "mymt5_engine_open_risk_ratio",
        "What all stops together may lose, as a share of equity; NaN while it is not known",
    ),
    Metric::gauge(
        "mymt5_engine_open_risk_limit_ratio",
        "What risk.max_open_risk_percent allows of that; NaN where it is not set",
    ),
    Metric::gauge(
        "mymt5_engine_loss_limit",
        "What risk.daily_loss or risk.drawdown allows, in the account's currency",
    )
    .by(&["limit"]),
    Metric::gauge(
        "mymt5_engine_loss_limit_left",
        "What of it may still be lost; 0 once the limit is reached",
    )
    .by(&["limit"]),
];

/// What decisions ask for.
const KINDS: [&str; 4] = ["submit", "close", "move", "cancel"];
/// How orders end: the states of the gateway that are final, and what it refuses.
const OUTCOMES: [&str; 5] = ["FILLED", "REJECTED", "CANCELED", "EXPIRED", "REFUSED"];

/// Describes all of it, once. What has a label of known values begins at 0, too; so do the reasons of
/// the engine's own refusals, which the caller knows.
pub(crate) fn begin(refusals: impl Iterator<Item = &'static str>) {
    describe(METRICS);
    for outcome in ["answered", "failed"] {
        metrics::counter!("mymt5_engine_calls_total", "outcome" => outcome).increment(0);
    }
    for kind in KINDS {
        metrics::counter!("mymt5_engine_decisions_total", "kind" => kind).increment(0);
    }
    for outcome in OUTCOMES {
        metrics::counter!("mymt5_engine_orders_total", "outcome" => outcome).increment(0);
    }
    for reason in refusals {
        metrics::counter!("mymt5_engine_decisions_refused_total", "reason" => reason).increment(0);
    }
    for reason in Reason::ALL {
        metrics::counter!("mymt5_engine_refusals_total", "reason" => reason.name()).increment(0);
    }
}
