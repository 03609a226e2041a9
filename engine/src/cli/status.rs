//! `status`: how a running engine stands, read from its operations port.

use super::operations::PortArgs;
use crate::risk::RiskRefused;
use mymt5_chassis::{
    cli::{block_on, say},
    clock,
    operations::metric,
};
use serde::Serialize;
use std::process::ExitCode;

pub(super) fn status(asked: &PortArgs, json: bool) -> anyhow::Result<ExitCode> {
    let port = asked.client()?;
    let metrics = block_on(port.metrics())?;
    let standing = Standing::of(&metrics, clock::utc_now_ms());
    if json {
        say(&serde_json::to_string(&standing)?);
    } else {
        standing
            .rows()
            .iter()
            .for_each(|(name, value)| say(&format!("{name:<16} {value}")));
    }
    Ok(ExitCode::SUCCESS)
}

/// How the engine stands, as programs get it.
#[derive(Debug, PartialEq, Serialize)]
struct Standing {
    connected: bool,
    /// Seconds since a call was answered; none: never.
    last_success_age_seconds: Option<f64>,
    /// Seconds since a tick came; none: never.
    last_tick_age_seconds: Option<f64>,
    calls: u64,
    failed_calls: u64,
    /// Share of the calls that failed, 0 to 1.
    error_rate: f64,
    reconnects: u64,
    ticks: u64,
    orders: u64,
    refused_by_risk: u64,
    /// Why every entry is refused until somebody acts; none: they are judged one by one.
    entries_refused: Option<String>,
}

impl Standing {
    fn of(metrics: &str, now_ms: i64) -> Self {
        let value = |name: &str| metric(metrics, name);
        let count = |name: &str| value(name).unwrap_or(0.0) as u64;
        let age = |name: &str| {
            let at_ms = (value(name)? * 1000.0).round() as i64;
            Some((now_ms - at_ms).max(0) as f64 / 1000.0)
        };
        let failed_calls = count("mymt5_engine_calls_total{outcome=\"failed\"}");
        let calls = failed_calls + count("mymt5_engine_calls_total{outcome=\"answered\"}");
        let refused = RiskRefused::ALL.iter().map(|refused| {
            let name = refused.name();
            count(&format!(
                "mymt5_engine_decisions_refused_total{{reason=\"{name}\"}}"
            ))
        });
        let mut of_state = RiskRefused::OF_STATE.into_iter();
        let entries_refused = of_state.find(|refused| {
            let name = refused.name();
            value(&format!(
                "mymt5_engine_risk_state_refuses{{reason=\"{name}\"}}"
            )) == Some(1.0)
        });
        Self {
            connected: value("mymt5_engine_connected") == Some(1.0),
            last_success_age_seconds: age("mymt5_engine_last_success_timestamp_seconds"),
            last_tick_age_seconds: age("mymt5_engine_last_tick_timestamp_seconds"),
            calls,
            failed_calls,
            error_rate: failed_calls as f64 / calls.max(1) as f64,
            reconnects: count("mymt5_engine_reconnects_total"),
            ticks: count("mymt5_engine_ticks_received_total"),
            orders: count("mymt5_engine_orders_submitted_total"),
            refused_by_risk: refused.sum(),
            entries_refused: entries_refused.map(|refused| refused.to_string()),
        }
    }

    /// The same for people.
    fn rows(&self) -> Vec<(&'static str, String)> {
        let age = |seconds: Option<f64>| match seconds {
            Some(seconds) => format!("{seconds:.1} s ago"),
            None => "never".to_owned(),
        };
        let connected = if self.connected { "yes" } else { "no" };
        let percent = self.error_rate * 100.0;
        let calls = self.calls;
        let mut rows = vec![
            ("connected", connected.to_owned()),
            ("last success", age(self.last_success_age_seconds)),
            ("last tick", age(self.last_tick_age_seconds)),
            ("error rate", format!("{percent:.2} % of {calls} calls")),
            ("reconnects", self.reconnects.to_string()),
            ("ticks", self.ticks.to_string()),
            ("orders", self.orders.to_string()),
            ("refused by risk", self.refused_by_risk.to_string()),
        ];
        let refused = self.entries_refused.clone();
        rows.extend(refused.map(|why| ("entries refused", why)));
        rows
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_what_the_port_tells() {
        let metrics = "mymt5_engine_connected 1\nmymt5_engine_last_success_timestamp_seconds 98.5\n\
                       mymt5_engine_calls_total{outcome=\"failed\"} 1\nmymt5_engine_calls_total{outcome=\"answered\"} 3\n";
        let standing = Standing::of(metrics, 100_000);
        let json = serde_json::to_value(&standing).unwrap();
        assert_eq!(json["connected"], true);
        assert_eq!(json["last_success_age_seconds"], 1.5);
        assert!(json["last_tick_age_seconds"].is_null());
        assert_eq!(json["error_rate"], 0.25);
        assert_eq!(json["calls"], 4);
        let rows = standing.rows();
        let value = |name: &str| {
            rows.iter()
                .find(|(row, _)| *row == name)
                .map(|(_, value)| value.as_str())
        };
        assert_eq!(value("connected"), Some("yes"));
        assert_eq!(value("last success"), Some("1.5 s ago"));
        assert_eq!(value("last tick"), Some("never"));
        assert_eq!(value("error rate"), Some("25.00 % of 4 calls"));
        assert!(json["entries_refused"].is_null());
        assert_eq!(value("entries refused"), None);
    }

    #[test]
    fn a_state_that_refuses_every_entry_is_told_with_its_fix() {
        for holds in RiskRefused::OF_STATE {
            let told = RiskRefused::OF_STATE.map(|refused| {
                let (name, told) = (refused.name(), u8::from(refused == holds));
                format!("mymt5_engine_risk_state_refuses{{reason=\"{name}\"}} {told}\n")
            });
            let standing = Standing::of(&told.concat(), 0);
            let why = ("entries refused", holds.to_string());
            assert_eq!(standing.rows().last(), Some(&why));
        }
    }
}
