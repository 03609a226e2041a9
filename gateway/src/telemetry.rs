//! What this process exports at `/metrics`: the list of it, and the names that its labels take. Each
//! number is taken where it happens, by an atomic, or once a second by the task that owns it; whoever
//! reads them waits for nothing and holds nothing up.

use mymt5_chassis::metrics::{Metric, describe};
use mymt5_guard::TradingState;
use mymt5_model::{LinkState, OrderState, Reason};

/// States of the link, with their names as `status` has them.
pub(crate) const LINK_STATES: [(LinkState, &str); 8] = [
    (LinkState::Disconnected, "DISCONNECTED"),
    (LinkState::Connecting, "CONNECTING"),
    (LinkState::Identifying, "IDENTIFYING"),
    (LinkState::Ready, "READY"),
    (LinkState::Degraded, "DEGRADED"),
    (LinkState::BackingOff, "BACKING_OFF"),
    (LinkState::Refused, "REFUSED"),
    (LinkState::MarketClosed, "MARKET_CLOSED"),
];
/// Trading states.
pub(crate) const TRADING_STATES: [(TradingState, &str); 3] = [
    (TradingState::Active, "ACTIVE"),
    (TradingState::Reducing, "REDUCING"),
    (TradingState::Halted, "HALTED"),
];
/// What may become of an order.
pub(crate) const OUTCOMES: [(OrderState, &str); 5] = [
    (OrderState::Filled, "FILLED"),
    (OrderState::Rejected, "REJECTED"),
    (OrderState::Canceled, "CANCELED"),
    (OrderState::Expired, "EXPIRED"),
    (OrderState::Unknown, "UNKNOWN"),
];
/// Ways out of the gateway, and why a message never arrives by one.
const CHANNELS: [&str; 2] = ["email", "telegram"];
const UNDELIVERED: [&str; 4] = ["crowded", "too_old", "refused", "stopped"];

/// All that the gateway exports beside what every process does.
pub const METRICS: &[Metric] = &[
    // The link to the broker.
    Metric::gauge("mymt5_link_up", "1 while orders can be sent to the broker"),
    Metric::gauge(
        "mymt5_link_state",
        "1 for the state of the link to the broker, 0 for the others",
    )
    .by(&["state"]),
    Metric::gauge(
        "mymt5_link_error_ratio",
        "Failed share of the pings and attempts to connect of the last five minutes, 0 to 1",
    ),
    Metric::gauge(
        "mymt5_link_last_ping_timestamp_seconds",
        "When the broker last answered a ping",
    ),
    Metric::gauge(
        "mymt5_link_ping_duration_seconds",
        "How long the answer to that ping took",
    ),
    Metric::counter(
        "mymt5_link_losses_total",
        "Links to the broker that broke, or attempts at one that failed",
    ),
    Metric::gauge(
        "mymt5_broker_clock_wrong",
        "1 while ticks show another clock than broker.time_zone does",
    ),
    Metric::counter("mymt5_alerts_total", "Alerts of the link in the log").by(&["kind"]),
    // Trading.
    Metric::gauge(
        "mymt5_trading_state",
        "1 for the trading state of the account, 0 for the others",
    )
    .by(&["state"]),
    Metric::gauge(
        "mymt5_obstacles",
        "What stands in the way of new exposure or of an exit, by what it is",
    )
    .by(&["kind"]),
    Metric::gauge(
        "mymt5_symbol_frozen",
        "1 while new exposure in the symbol is frozen for all clients",
    )
    .by(&["symbol"]),
    Metric::gauge(
        "mymt5_client_last_seen_timestamp_seconds",
        "When the trading process of a client last spoke; NaN once it has left",
    )
    .by(&["client"]),
    Metric::counter(
        "mymt5_notices_total",
        "What the orders core told an operator",
    )
    .by(&["kind", "severity"]),
    // Orders.
    Metric::counter("mymt5_orders_taken_total", "Orders that were journaled"),
    Metric::counter("mymt5_fills_total", "Deals seen of orders of ours"),
    Metric::counter(
        "mymt5_orders_total",
        "Orders by outcome; one that later evidence contradicts counts in both",
    )
    .by(&["outcome"]),
    Metric::gauge("mymt5_orders_open", "Orders that are not settled"),
    Metric::gauge("mymt5_orders_unknown", "Orders whose outcome is unknown"),
    Metric::gauge(
        "mymt5_orders_oldest_unsettled_seconds",
        "Age of the oldest order whose outcome is awaited; 0: there is none",
    ),
    Metric::histogram(
        "mymt5_order_duration_seconds",
        "From the call of an order or a close until it is answered, refused ones left out",
    ),
    Metric::histogram(
        "mymt5_broker_answer_duration_seconds",
        "From the sending of a request until the broker answers, or the wait for it ends",
    ),
    // The account, in its currency.
    Metric::gauge(
        "mymt5_account_balance",
        "Balance, in the account's currency",
    ),
    Metric::gauge("mymt5_account_equity", "Equity, in the account's currency"),
    Metric::gauge(
        "mymt5_account_margin",
        "Margin in use, in the account's currency",
    ),
    Metric::gauge(
        "mymt5_profit_today",
        "Equity less what the day's loss is measured from; an empty client is the account",
    )
    .by(&["client"]),
    Metric::gauge(
        "mymt5_loss_limit",
        "What a limit of losses allows, in the account's currency; an empty client is the account",
    )
    .by(&["client", "limit"]),
    Metric::gauge(
        "mymt5_loss_limit_left",
        "What of it may still be lost; 0 once the limit is reached",
    )
    .by(&["client", "limit"]),
    // The market.
    Metric::counter("mymt5_ticks_total", "Ticks received from the broker"),
    Metric::counter(
        "mymt5_ticks_conflated_total",
        "Ticks that a newer one of the symbol replaced before a subscriber took them",
    ),
    Metric::gauge("mymt5_tick_subscribers", "Open streams of ticks"),
    Metric::counter(
        "mymt5_tick_subscribers_cut_total",
        "Streams of every tick that were too slow and were cut",
    ),
    Metric::gauge("mymt5_event_subscribers", "Open streams of events"),
    // Calls and connections.
    Metric::counter("mymt5_calls_total", "Calls answered, by gRPC code").by(&["code"]),
    Metric::counter("mymt5_refusals_total", "Calls refused, by reason").by(&["reason"]),
    Metric::counter(
        "mymt5_calls_shed_total",
        "Calls that no service saw, for want of room",
    ),
    Metric::counter(
        "mymt5_connections_shed_total",
        "Connections that gave way to a newcomer",
    ),
    Metric::counter(
        "mymt5_connections_refused_total",
        "Connections to the control socket by another user",
    ),
    Metric::gauge(
        "mymt5_certificate_expiry_timestamp_seconds",
        "When the gateway's certificate ends",
    ),
    Metric::counter(
        "mymt5_reloads_total",
        "Reloads that were taken up as a whole",
    ),
    Metric::counter(
        "mymt5_reload_failures_total",
        "Reloads of which something was faulty",
    ),
    // What must be kept.
    Metric::gauge("mymt5_journal_up", "1 while the journal can be written"),
    Metric::histogram(
        "mymt5_journal_commit_duration_seconds",
        "How long a commit of the journal takes, its sync included",
    ),
    Metric::gauge(
        "mymt5_journal_wal_bytes",
        "Size of the journal's write-ahead log",
    ),
    Metric::gauge(
        "mymt5_disk_free_bytes",
        "Bytes that may still be written on the journal's disk",
    ),
    Metric::gauge(
        "mymt5_disk_alarm_bytes",
        "Below so many free bytes the alarm of the disk is on; 0: never",
    ),
    Metric::counter(
        "mymt5_audit_records_unwritten_total",
        "Records of the audit trail that could not be written",
    ),
    Metric::counter(
        "mymt5_denials_unrecorded_total",
        "Denied calls that found no room in the journal",
    ),
    // Alerts.
    Metric::gauge("mymt5_notify_waiting", "Alerts that wait for their channel").by(&["channel"]),
    Metric::counter("mymt5_notify_delivered_total", "Alerts delivered").by(&["channel"]),
    Metric::counter(
        "mymt5_notify_undelivered_total",
        "Alerts that never arrive, and why",
    )
    .by(&["channel", "why"]),
    Metric::counter(
        "mymt5_notify_heartbeats_missed_total",
        "Signs of life that did not reach notify.heartbeat_url",
    ),
];

/// Describes all of it, once. What has a label of known values begins at 0, too.
pub(crate) fn begin() {
    describe(METRICS);
    metrics::counter!("mymt5_alerts_total", "kind" => "link").increment(0);
    for reason in Reason::ALL {
        metrics::counter!("mymt5_refusals_total", "reason" => reason.name()).increment(0);
    }
    for channel in CHANNELS {
        metrics::gauge!("mymt5_notify_waiting", "channel" => channel).set(0.0);
        metrics::counter!("mymt5_notify_delivered_total", "channel" => channel).increment(0);
        for why in UNDELIVERED {
            let labels = [("channel", channel), ("why", why)];
            metrics::counter!("mymt5_notify_undelivered_total", &labels).increment(0);
        }
    }
}
