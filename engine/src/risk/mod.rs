//! How much to trade: from the stop's distance, floored to the volume grid; never a guess.

use mymt5_model::{Lots, Money, SymbolSpec};

/// What may be risked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RiskSettings {
    /// Percent of equity that one trade may lose at its stop; above 0, at most 100.
    pub max_per_trade_percent: f64,
    /// Most lots of one trade; none: the symbol's own maximum.
    pub max_lots: Option<Lots>,
}

/// Why a trade is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RiskRefused {
    /// No equity known, or none left.
    #[error("equity is unknown or not above 0")]
    NoEquity,
    /// No rate to value a move in the account's currency.
    #[error("the value of a tick is not known yet")]
    NoTickValue,
    /// The smallest lot already risks more than allowed.
    #[error("the smallest volume risks more than risk.max_per_trade")]
    TooSmall,
}

/// Lots whose loss at a stop `stop_points` away is at most the allowed part of `equity`.
///
/// # Errors
/// See [`RiskRefused`]: whatever is missing refuses the trade.
pub fn size(
    risk: &RiskSettings,
    spec: &SymbolSpec,
    equity: Option<Money>,
    stop_points: i64,
) -> Result<Lots, RiskRefused> {
    let equity = equity
        .map(Money::to_f64)
        .filter(|equity| *equity > 0.0)
        .ok_or(RiskRefused::NoEquity)?;
    let tick_value = spec
        .tick_value
        .filter(|value| value.is_finite() && *value > 0.0)
        .ok_or(RiskRefused::NoTickValue)?;
    let per_lot = stop_points.max(1) as f64 / spec.tick_size_points as f64 * tick_value;
    let most = equity * risk.max_per_trade_percent / 100.0 / per_lot;
    // A hair below, since the floor forgives half a unit of rounding upwards. The cap needs none:
    // it is a whole number of units.
    let by_risk = most - 1e-8;
    let capped = risk
        .max_lots
        .map_or(by_risk, |cap| by_risk.min(cap.to_f64()));
    spec.volume.floor(capped).ok_or(RiskRefused::TooSmall)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::trader::tests::spec;
    use proptest::prelude::*;

    fn money(amount: f64) -> Option<Money> {
        Money::from_f64(amount).ok()
    }

    fn risk(percent: f64) -> RiskSettings {
        RiskSettings {
            max_per_trade_percent: percent,
            max_lots: None,
        }
    }

    #[test]
    fn sizes_from_the_stop() {
        // One lot of EURUSD loses 1 USD per point: 200 points of 1 % of 10,000 are half a lot.
        assert_eq!(
            size(&risk(1.000_01), &spec(), money(10_000.0), 200).unwrap(),
            Lots::from_f64(0.5).unwrap()
        );
        let cap = RiskSettings {
            max_lots: Some(Lots::from_f64(0.2).unwrap()),
            ..risk(50.0)
        };
        assert!(size(&cap, &spec(), money(10_000.0), 200).unwrap() <= Lots::from_f64(0.2).unwrap());
    }

    #[test]
    fn the_cap_itself_may_be_traded() {
        for cap in [0.01, 0.07, 0.29, 1.0, 8.2] {
            let cap = Lots::from_f64(cap).unwrap();
            let capped = RiskSettings {
                max_lots: Some(cap),
                ..risk(50.0)
            };
            assert_eq!(size(&capped, &spec(), money(1e6), 200), Ok(cap));
        }
    }

    #[test]
    fn what_is_missing_refuses() {
        assert_eq!(
            size(&risk(1.0), &spec(), None, 200),
            Err(RiskRefused::NoEquity)
        );
        assert_eq!(
            size(&risk(1.0), &spec(), money(-5.0), 200),
            Err(RiskRefused::NoEquity)
        );
        let spec = SymbolSpec {
            tick_value: None,
            ..spec()
        };
        assert_eq!(
            size(&risk(1.0), &spec, money(10_000.0), 200),
            Err(RiskRefused::NoTickValue)
        );
        assert_eq!(
            size(
                &risk(0.001),
                &crate::trader::tests::spec(),
                money(100.0),
                200
            ),
            Err(RiskRefused::TooSmall)
        );
    }

    proptest! {
        #[test]
        fn never_risks_more_than_allowed(percent in 0.01f64..100.0, equity in 1.0f64..1e7, stop in 1i64..5_000) {
            if let Ok(lots) = size(&risk(percent), &spec(), money(equity), stop) {
                let at_stop = lots.to_f64() * stop as f64;
                prop_assert!(at_stop <= equity * percent / 100.0 * (1.0 + 1e-9));
            }
        }
    }
}
