//! `[orders]`: how long things may take.

use mymt5_chassis::loader::Reader;
use mymt5_orders::ReconcileConfig;
use std::time::Duration;

/// The times of an order's life.
#[derive(Clone, Copy, Debug)]
pub struct OrderSettings {
    /// Longest time an order may wait to be sent, milliseconds.
    pub max_queue_ms: i64,
    /// After which a send without an answer has an unknown outcome.
    pub send_timeout: Duration,
    /// A quote older than this counts as none, for entries, milliseconds.
    pub max_quote_age_ms: i64,
    /// How long the core waits for evidence and for signs of life.
    pub reconcile: ReconcileConfig,
}

/// Grace below which a terminal's history may still be on its way, milliseconds.
const LEAST_GRACE_MS: i64 = 30_000;

pub(super) fn read(reader: &mut Reader, simulated: bool) -> Option<OrderSettings> {
    let default = ReconcileConfig::default();
    let mut orders = reader.section("orders");
    let mut time =
        |part: &str, default: i64, range| orders.ranged(part, "milliseconds", default, range);
    let max_queue_ms = time("max_queue_ms", 2_000, 100..=60_000);
    let max_quote_age_ms = time("max_quote_age_ms", 60_000, 100..=86_400_000);
    let send_timeout_ms = time("send_timeout_ms", 10_000, 10..=60_000);
    let grace_ms = time("unknown_grace_ms", default.grace_ms, 20..=3_600_000);
    let passes_ms = default.between_passes_ms;
    let between_passes_ms = time("reconcile_pass_ms", passes_ms, 10..=60_000);
    let period_ms = time("reconcile_period_ms", default.period_ms, 100..=3_600_000);
    let lease_ms = time("session_lease_ms", 5_000, 100..=60_000)?;
    let grace_ms = grace_ms?;
    let send_timeout_ms = send_timeout_ms?;
    if !simulated && grace_ms < LEAST_GRACE_MS {
        orders.reject(
            "unknown_grace_ms",
            "is too short for a terminal, whose history may come late",
            "set it to 30000 or more",
        );
    }
    if grace_ms < 2 * send_timeout_ms {
        orders.reject(
            "unknown_grace_ms",
            "is shorter than two send timeouts",
            "set it to at least twice orders.send_timeout_ms",
        );
    }
    Some(OrderSettings {
        max_queue_ms: max_queue_ms?,
        send_timeout: milliseconds(send_timeout_ms),
        max_quote_age_ms: max_quote_age_ms?,
        reconcile: ReconcileConfig {
            lease: milliseconds(lease_ms),
            grace_ms,
            between_passes_ms: between_passes_ms?,
            period_ms: period_ms?,
        },
    })
}

fn milliseconds(value: i64) -> Duration {
    Duration::from_millis(u64::try_from(value).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::settings::TABLE;
    use mymt5_chassis::loader::Environment;
    use std::fs;

    fn errors(orders: &str, simulated: bool) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.toml");
        fs::write(&file, format!("[orders]\n{orders}\n")).unwrap();
        let none = [("", ""); 0];
        let mut reader = Reader::open(&TABLE, &file, Environment::from_pairs(none)).unwrap();
        read(&mut reader, simulated);
        reader
            .finish()
            .err()
            .map_or_else(String::new, |errors| errors.to_string())
    }

    #[test]
    fn a_terminals_history_is_given_half_a_minute() {
        let short = "unknown_grace_ms = 29999";
        assert_eq!(errors(short, true), "");
        assert!(errors(short, false).contains("orders.unknown_grace_ms"));
        assert_eq!(errors("unknown_grace_ms = 30000", false), "");
    }

    #[test]
    fn the_grace_outlasts_two_sends() {
        let told = errors("unknown_grace_ms = 19999\nsend_timeout_ms = 10000", true);
        assert!(told.contains("shorter than two send timeouts"), "{told}");
    }
}
