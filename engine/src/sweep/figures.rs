//! What one point came to.

use super::exact;
use crate::backtest::Outcome;
use mymt5_model::Money;
use serde::{Deserialize, Serialize};

/// What a backtest came to, in short; as `backtest --json` names and tells it. Money is in the account's
/// currency.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Orders that the core took.
    pub orders: u64,
    /// Closed trades.
    pub trades: u64,
    /// Those that gained.
    pub won: u64,
    /// What the balance gained.
    #[serde(with = "exact::money")]
    pub net_profit: Money,
    /// Sum of the trades that gained.
    #[serde(with = "exact::money")]
    pub gross_profit: Money,
    /// Sum of those that lost, below 0.
    #[serde(with = "exact::money")]
    pub gross_loss: Money,
    /// Greatest fall of the equity from a peak, measured at each tick.
    #[serde(with = "exact::money")]
    pub max_drawdown: Money,
    /// Gross profit / gross loss, without its sign. None: there is no loss.
    #[serde(with = "exact::ratio")]
    pub profit_factor: Option<f64>,
    /// Net profit / greatest drawdown. None: there is no drawdown.
    #[serde(with = "exact::ratio")]
    pub recovery_factor: Option<f64>,
    /// The Sharpe ratio of a report. None: fewer than two days, or no deviation.
    #[serde(with = "exact::ratio")]
    pub sharpe_ratio: Option<f64>,
}

impl Figures {
    /// Of an outcome, and of the Sharpe ratio, which its record tells.
    pub(super) fn of(outcome: &Outcome, sharpe_ratio: Option<f64>) -> Self {
        let net = outcome.net_profit.to_f64();
        let loss = outcome.gross_loss.to_f64();
        Self {
            orders: outcome.orders,
            trades: outcome.trades,
            won: outcome.won,
            net_profit: outcome.net_profit,
            gross_profit: outcome.gross_profit,
            gross_loss: outcome.gross_loss,
            max_drawdown: outcome.max_drawdown,
            profit_factor: ratio(outcome.gross_profit.to_f64(), -loss),
            recovery_factor: ratio(net, outcome.max_drawdown.to_f64()),
            sharpe_ratio,
        }
    }
}

/// The quotient. None: it has no finite value.
fn ratio(dividend: f64, divisor: f64) -> Option<f64> {
    Some(dividend / divisor).filter(|ratio| ratio.is_finite())
}

/// A point and what it came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its index in the grid.
    pub point: usize,
    /// Its values, in the order of the keys.
    pub values: Vec<String>,
    /// Of the whole past. None: its values do not fit together.
    pub figures: Option<Figures>,
    /// Of each part of the past, begun afresh, where a walk forward is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Figures>,
    /// Why its values do not fit together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub misfit: Option<String>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_row_comes_out_of_json_as_it_went_in(
            units in any::<i64>(),
            ratios in prop::array::uniform3(prop::option::of(prop::num::f64::NORMAL)),
        ) {
            let money = Money::from_units(i128::from(units));
            let figures = Figures {
                orders: 3,
                net_profit: money,
                max_drawdown: -money,
                profit_factor: ratios[0],
                recovery_factor: ratios[1],
                sharpe_ratio: ratios[2],
                ..Figures::default()
            };
            let row = Row {
                point: 7,
                values: vec!["5".to_owned()],
                figures: Some(figures.clone()),
                parts: vec![figures],
                misfit: None,
            };
            let text = serde_json::to_string(&row).unwrap();
            let again: Row = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(serde_json::to_string(&again).unwrap(), text);
            prop_assert_eq!(again, row);
        }
    }

    #[test]
    fn what_has_no_value_is_absent() {
        assert_eq!(ratio(1.0, 0.0), None);
        assert_eq!(ratio(0.0, -0.0), None);
        assert_eq!(ratio(3.0, 2.0), Some(1.5));
        let text = serde_json::to_string(&Figures::default()).unwrap();
        assert!(text.contains("\"profit_factor\":null"), "{text}");
        assert!(text.contains("\"net_profit\":0.00"), "{text}");
    }
}
