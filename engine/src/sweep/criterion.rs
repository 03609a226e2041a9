//! By which figure the best point is chosen.

use super::Figures;
use mymt5_model::Money;
use serde::{Deserialize, Serialize};
use std::{cmp::Ordering, fmt};

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
    /// The figure itself; of a factor the infinity where something was gained and nothing lost. None:
    /// it has no value, or nothing was traded, which is no result to choose.
    #[must_use]
    pub fn figure(self, figures: &Figures) -> Option<f64> {
        if figures.trades == 0 {
            return None;
        }
        match self {
            Self::NetProfit => Some(figures.net_profit.to_f64()),
            Self::ProfitFactor => figures
                .profit_factor
                .or_else(|| endless(figures.gross_profit, figures.gross_loss)),
            Self::Sharpe => figures.sharpe_ratio,
            Self::RecoveryFactor => figures
                .recovery_factor
                .or_else(|| endless(figures.net_profit, figures.max_drawdown)),
            Self::Drawdown => Some(figures.max_drawdown.to_f64()),
        }
    }

    /// How good a point with these figures is. None: as [`Criterion::figure`].
    pub(super) fn score(self, figures: &Figures) -> Option<Score> {
        let figure = self.figure(figures)?;
        Some(Score {
            value: match self {
                Self::Drawdown => -figure,
                _ => figure,
            },
            net_profit: figures.net_profit,
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

/// The value of a factor of that gain for each unit of no loss. None: there is no gain, or a loss.
fn endless(gain: Money, loss: Money) -> Option<f64> {
    (gain > Money::ZERO && loss == Money::ZERO).then_some(f64::INFINITY)
}

/// How good a point is: by the figure that is chosen by, and of equals by the net profit. More is
/// better.
#[derive(Clone, Copy, Debug)]
pub(super) struct Score {
    /// The figure as more is better, which may be infinite.
    pub(super) value: f64,
    net_profit: Money,
}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_value = self.value.total_cmp(&other.value);
        by_value.then(self.net_profit.cmp(&other.net_profit))
    }
}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Score {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Score {}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::testing::figures;

    #[test]
    fn a_gain_without_a_loss_is_the_best_there_is_by_a_factor() {
        let lossless = figures(5.0);
        let loser = figures(-5.0);
        for by in [Criterion::ProfitFactor, Criterion::RecoveryFactor] {
            assert_eq!(by.figure(&lossless), Some(f64::INFINITY), "{by}");
            assert!(by.score(&lossless) > by.score(&loser), "{by}");
            assert!(by.score(&figures(6.0)) > by.score(&lossless), "{by}");
            assert_eq!(by.score(&figures(0.0)), None, "{by}");
            assert_eq!(by.score(&Figures::default()), None, "{by}");
        }
        let great = Figures {
            profit_factor: Some(1e9),
            ..figures(1e9)
        };
        let by = Criterion::ProfitFactor;
        assert!(by.score(&lossless) > by.score(&great));
    }

    #[test]
    fn of_equal_figures_more_net_profit_is_better() {
        let by = Criterion::Drawdown;
        assert!(by.score(&figures(7.0)) > by.score(&figures(3.0)));
        assert!(by.score(&figures(3.0)) > by.score(&figures(-1.0)));
        assert_eq!(by.score(&figures(3.0)), by.score(&figures(3.0)));
    }
}
