//! Prices: an integer count of points and the digits that say what a point is.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A price of `points * 10^-digits`. Prices of one symbol share their digits, so that the
/// order of two prices is the order of their points. Where one was read before its symbol's
/// digits were known, [`Price::with_digits`] makes them comparable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Price {
    points: i64,
    digits: u8,
}

/// Why a double is not a price of a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// NaN, infinite, negative, zero or beyond 1e12.
    #[error("expected a finite price above 0")]
    NotANumber,
    /// Not a multiple of the symbol's tick size.
    #[error("price is off the symbol's price grid")]
    OffGrid,
}

impl Price {
    /// Most digits a symbol may have.
    pub const MAX_DIGITS: u8 = 8;
    /// Tolerance of the wire's doubles, in ticks.
    const TOLERANCE: f64 = 1e-6;

    /// A price of so many points.
    #[must_use]
    pub const fn from_points(points: i64, digits: u8) -> Self {
        Self { points, digits }
    }

    /// The nearest price with these digits, for feeds whose doubles carry rounding noise.
    ///
    /// # Errors
    /// `NotANumber` for NaN, infinities, zero, negatives and prices beyond 1e12.
    pub fn nearest(price: f64, digits: u8) -> Result<Self, PriceError> {
        if !price.is_finite() || price <= 0.0 || price > 1e12 {
            return Err(PriceError::NotANumber);
        }
        let points = (price * Self::scale(digits)).round();
        if points > 9e17 {
            return Err(PriceError::NotANumber);
        }
        Ok(Self {
            points: points as i64,
            digits,
        })
    }

    /// Reads a double that must lie on a grid of `tick_points` points (tolerance 1e-6 of a tick).
    ///
    /// # Errors
    /// See [`PriceError`].
    pub fn on_grid(price: f64, digits: u8, tick_points: i64) -> Result<Self, PriceError> {
        let nearest = Self::nearest(price, digits)?;
        let tick_points = tick_points.max(1);
        let ticks = price * Self::scale(digits) / tick_points as f64;
        // Doubles of large prices cannot carry 1e-6 of a tick; their own precision is the floor.
        let tolerance = Self::TOLERANCE.max(ticks.abs() * f64::EPSILON * 4.0);
        if (ticks - ticks.round()).abs() > tolerance || nearest.points % tick_points != 0 {
            return Err(PriceError::OffGrid);
        }
        Ok(nearest)
    }

    /// Points of this price.
    #[must_use]
    pub const fn points(self) -> i64 {
        self.points
    }

    /// Decimal digits.
    #[must_use]
    pub const fn digits(self) -> u8 {
        self.digits
    }

    /// This price moved by `points` (negative: down).
    #[must_use]
    pub const fn moved(self, points: i64) -> Self {
        Self {
            points: self.points.saturating_add(points),
            digits: self.digits,
        }
    }

    /// This price as one of so many digits, the nearest where it has more; itself where that is
    /// none, as where it is 0.
    #[must_use]
    pub fn with_digits(self, digits: u8) -> Self {
        if digits == self.digits {
            return self;
        }
        Self::nearest(self.to_f64(), digits).unwrap_or(self)
    }

    /// The price as MetaTrader 5 takes it.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        self.points as f64 / Self::scale(self.digits)
    }

    /// `10^digits`.
    fn scale(digits: u8) -> f64 {
        const USUAL: [f64; Price::MAX_DIGITS as usize + 1] =
            [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8];
        let usual = USUAL.get(usize::from(digits)).copied();
        usual.unwrap_or_else(|| 10f64.powi(i32::from(digits)))
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.*}", usize::from(self.digits), self.to_f64())
    }
}

impl FromStr for Price {
    type Err = PriceError;
    /// Reads what [`Price`] prints: the decimals are its digits.
    fn from_str(text: &str) -> Result<Self, PriceError> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let digits = u8::try_from(part.len()).map_err(|_| PriceError::NotANumber)?;
        let points = format!("{whole}{part}").parse();
        let points = points.map_err(|_| PriceError::NotANumber)?;
        if digits > Self::MAX_DIGITS || text.contains('+') {
            return Err(PriceError::NotANumber);
        }
        Ok(Self { points, digits })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_the_grid_and_nothing_else() {
        assert_eq!(Price::on_grid(1.10005, 5, 1).unwrap().points(), 110_005);
        assert_eq!(Price::on_grid(1.100_055, 5, 1), Err(PriceError::OffGrid));
        assert_eq!(Price::on_grid(4000.25, 2, 25).unwrap().points(), 400_025);
        assert_eq!(Price::on_grid(4000.26, 2, 25), Err(PriceError::OffGrid));
        for bad in [f64::NAN, f64::INFINITY, 0.0, -1.0, 1e300] {
            assert_eq!(Price::on_grid(bad, 5, 1), Err(PriceError::NotANumber));
        }
    }

    #[test]
    fn has_other_digits_at_the_same_value() {
        let price = Price::from_points;
        assert_eq!(price(150_123, 3).with_digits(3), price(150_123, 3));
        assert_eq!(price(150_123, 3).with_digits(8), price(15_012_300_000, 8));
        assert_eq!(price(15_012_300_000, 8).with_digits(3), price(150_123, 3));
        assert_eq!(price(15_012_360_000, 8).with_digits(3), price(150_124, 3));
        assert_eq!(price(0, 5).with_digits(8), price(0, 5));
    }

    proptest! {
        #[test]
        fn survives_the_wire(points in 1i64..1_000_000_000_000, digits in 0u8..=5) {
            let price = Price::from_points(points, digits);
            prop_assert_eq!(Price::on_grid(price.to_f64(), digits, 1), Ok(price));
            prop_assert_eq!(price.to_string().parse::<f64>().unwrap(), price.to_f64());
            prop_assert_eq!(price.to_string().parse(), Ok(price));
        }
    }
}
