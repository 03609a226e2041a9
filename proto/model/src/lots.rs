//! Volumes: an integer count of 1e-8 lot, and the grid on which a symbol trades.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A volume in units of 1e-8 lot, never negative.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Lots(i64);

/// Why a double is not a volume of a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LotsError {
    /// NaN, infinite, negative or beyond 10 billion lots.
    #[error("expected a finite number of lots, 0 or more")]
    NotANumber,
    /// Zero where a volume is needed, below the smallest or above the largest one.
    #[error("lots are outside the symbol's bounds")]
    OutOfBounds,
    /// Not `volume_min + n * volume_step`.
    #[error("lots are off the symbol's volume grid")]
    OffGrid,
}

impl Lots {
    /// Units in one lot.
    pub const SCALE: i64 = 100_000_000;
    /// No volume.
    pub const ZERO: Self = Self(0);

    /// From units of 1e-8 lot; negative counts become zero.
    #[must_use]
    pub const fn from_units(units: i64) -> Self {
        Self(if units < 0 { 0 } else { units })
    }

    /// The nearest multiple of 1e-8 lot.
    ///
    /// # Errors
    /// `NotANumber` for NaN, infinities, negatives and volumes beyond 1e10 lots.
    pub fn from_f64(lots: f64) -> Result<Self, LotsError> {
        if !lots.is_finite() || !(0.0..=1e10).contains(&lots) {
            return Err(LotsError::NotANumber);
        }
        Ok(Self((lots * Self::SCALE as f64).round() as i64))
    }

    /// Units of 1e-8 lot.
    #[must_use]
    pub const fn units(self) -> i64 {
        self.0
    }

    /// Lots as MetaTrader 5 takes them.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / Self::SCALE as f64
    }

    /// True for no volume.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, saturating.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, never below zero.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self::from_units(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Lots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:08}", self.0 / Self::SCALE, self.0 % Self::SCALE);
        let short = text.trim_end_matches('0');
        let decimals = short.len() - short.find('.').unwrap_or(0) - 1;
        f.write_str(if decimals < 2 {
            &text[..short.len() + 2 - decimals]
        } else {
            short
        })
    }
}

impl FromStr for Lots {
    type Err = LotsError;
    /// Reads what [`Lots`] prints.
    fn from_str(text: &str) -> Result<Self, LotsError> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || part.len() > 8 || !digits(whole) || !digits(part) {
            return Err(LotsError::NotANumber);
        }
        let units = format!("{whole}{part:0<8}").parse();
        units.map(Self).map_err(|_| LotsError::NotANumber)
    }
}

/// The volumes a symbol trades in: `min + n * step`, at most `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeGrid {
    /// Smallest volume.
    pub min: Lots,
    /// Distance between neighbouring volumes; more than zero.
    pub step: Lots,
    /// Largest volume of one order.
    pub max: Lots,
}

impl VolumeGrid {
    /// Tolerance of the wire's doubles, in steps.
    const TOLERANCE: f64 = 1e-6;

    /// Reads a double that must lie on the grid (tolerance 1e-6 of a step).
    ///
    /// # Errors
    /// See [`LotsError`].
    pub fn parse(&self, lots: f64) -> Result<Lots, LotsError> {
        Lots::from_f64(lots)?;
        let step = self.step.to_f64();
        let steps = (lots - self.min.to_f64()) / step;
        if steps < -Self::TOLERANCE || lots > self.max.to_f64() + step * Self::TOLERANCE {
            return Err(LotsError::OutOfBounds);
        }
        if (steps - steps.round()).abs() > Self::TOLERANCE {
            return Err(LotsError::OffGrid);
        }
        Ok(Lots(self.min.0 + steps.round() as i64 * self.step.0))
    }

    /// The greatest volume of the grid that does not exceed `lots`; none below the smallest.
    #[must_use]
    pub fn floor(&self, lots: f64) -> Option<Lots> {
        if !lots.is_finite() || lots <= 0.0 {
            return None;
        }
        let units = (lots.min(self.max.to_f64()) * Lots::SCALE as f64 + 0.5).floor() as i64;
        let above = units.checked_sub(self.min.0).filter(|above| *above >= 0)?;
        Some(Lots(self.min.0 + above / self.step.0.max(1) * self.step.0))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn grid() -> VolumeGrid {
        VolumeGrid {
            min: Lots::from_units(1_000_000),
            step: Lots::from_units(1_000_000),
            max: Lots::from_units(10_000_000_000),
        }
    }

    #[test]
    fn reads_the_grid_and_nothing_else() {
        assert_eq!(grid().parse(0.07).unwrap().units(), 7_000_000);
        assert_eq!(grid().parse(0.075), Err(LotsError::OffGrid));
        assert_eq!(grid().parse(0.0), Err(LotsError::OutOfBounds));
        assert_eq!(grid().parse(100.01), Err(LotsError::OutOfBounds));
        for bad in [f64::NAN, f64::INFINITY, -0.01, 1e300] {
            assert_eq!(grid().parse(bad), Err(LotsError::NotANumber));
        }
    }

    #[test]
    fn shows_two_decimals_at_least() {
        assert_eq!(Lots::from_units(100_000_000).to_string(), "1.00");
        assert_eq!(Lots::from_units(1_000_000).to_string(), "0.01");
        assert_eq!(Lots::from_units(12_500_000).to_string(), "0.125");
    }

    proptest! {
        #[test]
        fn floor_never_exceeds_and_lies_on_the_grid(lots in 0.0f64..200.0) {
            match grid().floor(lots) {
                Some(floored) => {
                    prop_assert!(floored.to_f64() <= lots + 1e-8);
                    prop_assert_eq!(grid().parse(floored.to_f64()), Ok(floored));
                }
                None => prop_assert!(lots < 0.01),
            }
        }
    }
}
