//! By which figure the best point is chosen.

use super::Figures;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What makes a point better than another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Criterion {
    /// More net profit.
    NetProfit,
    /// More gross profit for each unit of gross loss.
    ProfitFactor,
    /// A higher Sharpe ratio.
    Sharpe,
    /// More net profit for each unit of the greatest drawdown.
    RecoveryFactor,
    /// A smaller greatest drawdown.
    Drawdown,
}

impl Criterion {
    /// The figure itself. None: it has no value, or nothing was traded, which is no result to choose.
    #[must_use]
    pub fn figure(self, figures: &Figures) -> Option<f64> {
        if figures.trades == 0 {
            return None;
        }
        match self {
            Self::NetProfit => Some(figures.net_profit.to_f64()),
            Self::ProfitFactor => figures.profit_factor,
            Self::Sharpe => figures.sharpe_ratio,
            Self::RecoveryFactor => figures.recovery_factor,
            Self::Drawdown => Some(figures.max_drawdown.to_f64()),
        }
    }

    /// The figure as more is better.
    #[must_use]
    pub fn score(self, figures: &Figures) -> Option<f64> {
        let figure = self.figure(figures);
        figure.map(|figure| match self {
            Self::Drawdown => -figure,
            _ => figure,
        })
    }

    /// The score that is neither good nor bad.
    pub(super) const fn neutral(self) -> f64 {
        match self {
            Self::ProfitFactor => 1.0,
            _ => 0.0,
        }
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NetProfit => "net profit",
            Self::ProfitFactor => "profit factor",
            Self::Sharpe => "Sharpe ratio",
            Self::RecoveryFactor => "recovery factor",
            Self::Drawdown => "maximal drawdown",
        })
    }
}
