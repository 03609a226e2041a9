//! A share of something, in percent.

use mymt5_model::Money;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Percent: more than 0, at most 100.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(into = "f64", try_from = "f64")]
pub struct Percent(f64);

/// A number that is not a percentage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a percentage is more than 0 and at most 100")]
pub struct PercentError;

impl Percent {
    /// The share of an amount; nothing of a negative one.
    #[must_use]
    pub fn of(self, amount: Money) -> Money {
        amount.max(Money::ZERO).times(self.0 / 100.0)
    }

    /// The number of percent.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Percent {
    type Error = PercentError;
    fn try_from(percent: f64) -> Result<Self, PercentError> {
        // Not a number is neither above 0 nor at most 100.
        if percent > 0.0 && percent <= 100.0 {
            Ok(Self(percent))
        } else {
            Err(PercentError)
        }
    }
}

impl From<Percent> for f64 {
    fn from(percent: Percent) -> Self {
        percent.0
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn takes_what_lies_above_zero_and_up_to_a_hundred() {
        for bad in [0.0, -1.0, 100.1, f64::NAN, f64::INFINITY] {
            assert_eq!(Percent::try_from(bad), Err(PercentError), "{bad}");
        }
        let half = Percent::try_from(0.5).unwrap();
        let amount = |units: f64| Money::from_f64(units).unwrap();
        assert_eq!(half.of(amount(10_000.0)), amount(50.0));
        assert_eq!(half.of(amount(-10_000.0)), Money::ZERO);
        assert!(serde_json::from_str::<Percent>("101.0").is_err());
    }
}
