//! What a running engine's operations port tells: its own limits, and what it refused.

use super::refusals::Refuser;
use crate::risk::RiskRefused;
use mymt5_chassis::operations::metric;
use mymt5_proto::{Reason, v1};

/// The limits of losses, by the names that both processes give them.
const LIMITS: [&str; 2] = ["LIMIT_DAILY_LOSS", "LIMIT_DRAWDOWN"];

/// How often something was refused since the engine began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// Who refused.
    pub by: Refuser,
    /// Why.
    pub reason: String,
    /// How often.
    pub times: u64,
}

/// How an engine stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EngineFigures {
    /// A session with the gateway works.
    pub connected: bool,
    /// When ticks last came, in milliseconds UTC. None: never.
    pub last_tick_ms: Option<i64>,
    /// What all stops together may lose, as a share of equity. None: not known.
    pub open_risk: Option<f64>,
    /// What of that is allowed. None: any.
    pub open_risk_limit: Option<f64>,
    /// The limits of losses that are set, in the account's currency.
    pub limits: Vec<v1::LossLimit>,
    /// What was refused, in an order that stays.
    pub refused: Vec<Count>,
}

impl EngineFigures {
    /// Reads the text of `/metrics`.
    #[must_use]
    pub fn of(metrics: &str) -> Self {
        let value = |name: &str| metric(metrics, name).filter(|value| value.is_finite());
        let last_tick = value("mymt5_engine_last_tick_timestamp_seconds");
        let limit = |name: &&str| {
            let labels = format!("{{limit=\"{name}\"}}");
            Some(v1::LossLimit {
                name: (*name).to_owned(),
                allowed: value(&format!("mymt5_engine_loss_limit{labels}"))?,
                left: value(&format!("mymt5_engine_loss_limit_left{labels}"))?,
            })
        };
        Self {
            connected: value("mymt5_engine_connected") == Some(1.0),
            last_tick_ms: last_tick.map(|seconds| (seconds * 1_000.0) as i64),
            open_risk: value("mymt5_engine_open_risk_ratio"),
            open_risk_limit: value("mymt5_engine_open_risk_limit_ratio"),
            limits: LIMITS.iter().filter_map(limit).collect(),
            refused: refused(metrics),
        }
    }
}

fn refused(metrics: &str) -> Vec<Count> {
    let count = |name: &str, reason: &str| {
        let name = format!("{name}{{reason=\"{reason}\"}}");
        metric(metrics, &name).unwrap_or(0.0) as u64
    };
    let own = RiskRefused::ALL.iter().map(|refused| Count {
        by: Refuser::Engine,
        reason: refused.to_string(),
        times: count("mymt5_engine_decisions_refused_total", refused.name()),
    });
    let others = Reason::ALL.iter().map(|reason| Count {
        by: Refuser::Gateway,
        reason: reason.name().to_owned(),
        times: count("mymt5_engine_refusals_total", reason.name()),
    });
    own.chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_port_tells_is_read_and_what_is_no_number_is_not_known() {
        let text = "mymt5_engine_connected 1\n\
                    mymt5_engine_last_tick_timestamp_seconds 12.5\n\
                    mymt5_engine_open_risk_ratio NaN\n\
                    mymt5_engine_open_risk_limit_ratio 0.05\n\
                    mymt5_engine_loss_limit{limit=\"LIMIT_DAILY_LOSS\"} 500\n\
                    mymt5_engine_loss_limit_left{limit=\"LIMIT_DAILY_LOSS\"} 480.5\n\
                    mymt5_engine_decisions_refused_total{reason=\"spread\"} 3\n";
        let figures = EngineFigures::of(text);
        assert!(figures.connected);
        assert_eq!(figures.last_tick_ms, Some(12_500));
        assert_eq!(
            (figures.open_risk, figures.open_risk_limit),
            (None, Some(0.05))
        );
        let daily = v1::LossLimit {
            name: "LIMIT_DAILY_LOSS".to_owned(),
            allowed: 500.0,
            left: 480.5,
        };
        assert_eq!(figures.limits, [daily]);
        let refused: Vec<&Count> = figures.refused.iter().filter(|it| it.times > 0).collect();
        let spread = Count {
            by: Refuser::Engine,
            reason: RiskRefused::Spread.to_string(),
            times: 3,
        };
        assert_eq!(refused, [&spread]);
        let silent = EngineFigures::of("");
        assert!(!silent.connected && silent.limits.is_empty());
    }
}
