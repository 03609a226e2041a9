//! Money: an integer count of 1e-8 of a currency unit; the context gives the currency.

use crate::Lots;
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    iter::Sum,
    ops::{Add, AddAssign, Neg, Sub},
    str::FromStr,
};

/// An amount in units of 1e-8, of either sign. Deals round it to the currency's digits.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(into = "String", try_from = "String")]
pub struct Money(i128);

/// A text or double that is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an amount of money")]
pub struct MoneyError;

impl Money {
    /// Units in one currency unit.
    pub const SCALE: i128 = 100_000_000;
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// From units of 1e-8.
    #[must_use]
    pub const fn from_units(units: i128) -> Self {
        Self(units)
    }

    /// The nearest multiple of 1e-8.
    ///
    /// # Errors
    /// NaN, infinities and amounts beyond 1e18.
    pub fn from_f64(amount: f64) -> Result<Self, MoneyError> {
        if !amount.is_finite() || amount.abs() > 1e18 {
            return Err(MoneyError);
        }
        Ok(Self((amount * Self::SCALE as f64).round() as i128))
    }

    /// What a price move of `points * 10^-digits` is worth on `lots` of `contract_size` units
    /// of the base, in the currency of the price. Exact for contract sizes of up to 8 decimals.
    #[must_use]
    pub fn of_move(points: i64, digits: u8, contract_size: f64, lots: Lots) -> Self {
        let contract = (contract_size * Self::SCALE as f64).round() as i128;
        let divisor = Self::SCALE * 10i128.pow(u32::from(digits));
        Self(rounded_div(
            i128::from(points) * contract * i128::from(lots.units()),
            divisor,
        ))
    }

    /// So many units over a divisor above 0, to the nearest unit, half away from zero.
    #[must_use]
    pub fn of_ratio(units: i128, divisor: i128) -> Self {
        Self(rounded_div(units, divisor))
    }

    /// This amount times a rate, to the nearest unit.
    #[must_use]
    pub fn times(self, rate: f64) -> Self {
        // The usual rate, and exact whatever the amount.
        if rate == 1.0 {
            return self;
        }
        let product = (to_double(self.0) * rate).round();
        // As in `to_double`: nearly every amount is a small one.
        if product.abs() < SMALL {
            return Self(i128::from(product as i64));
        }
        Self(product as i128)
    }

    /// Rounded half away from zero to `digits` decimals (at most 8).
    #[must_use]
    pub fn rounded(self, digits: u8) -> Self {
        let unit = i128::from(10u32.pow(u32::from(8 - digits.min(8))));
        Self(rounded_div(self.0, unit) * unit)
    }

    /// Units of 1e-8.
    #[must_use]
    pub const fn units(self) -> i128 {
        self.0
    }

    /// The amount as a double, for the wire and for ratios.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        to_double(self.0) / Self::SCALE as f64
    }

    /// True below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }
}

/// Every double below it is in the range of half the width.
const SMALL: f64 = 9e18;

/// The nearest double. Nearly every amount is a small one, and half the width is one instruction.
fn to_double(units: i128) -> f64 {
    i64::try_from(units).map_or_else(|_| great_to_double(units), |small| small as f64)
}

/// Cold, or the compiler makes one conversion of the full width of both.
#[cold]
#[inline(never)]
const fn great_to_double(units: i128) -> f64 {
    units as f64
}

fn rounded_div(value: i128, divisor: i128) -> i128 {
    // Nearly every amount is a small one, and a division of half the width takes a tenth of the time.
    if let (Ok(value), Ok(divisor)) = (i64::try_from(value), i64::try_from(divisor))
        && let Some(sum) = value.checked_add(value.signum() * (divisor / 2))
    {
        return i128::from(sum / divisor);
    }
    value.saturating_add(value.signum() * (divisor / 2)) / divisor
}

impl Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sub for Money {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Neg for Money {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0.abs() / Self::SCALE, self.0.abs() % Self::SCALE);
        let text = format!("{}{whole}.{part:08}", if self.0 < 0 { "-" } else { "" });
        let short = text.trim_end_matches('0');
        let decimals = short.len() - short.find('.').unwrap_or(0) - 1;
        f.write_str(&text[..short.len() + 2usize.saturating_sub(decimals)])
    }
}

impl FromStr for Money {
    type Err = MoneyError;
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty()
            || whole.len() > 20
            || part.len() > 8
            || !all_digits(whole)
            || !all_digits(part)
        {
            return Err(MoneyError);
        }
        let units: i128 = format!("{whole}{part:0<8}")
            .parse()
            .map_err(|_| MoneyError)?;
        Ok(Self(sign * units))
    }
}

impl From<Money> for String {
    fn from(amount: Money) -> Self {
        amount.to_string()
    }
}

impl TryFrom<String> for Money {
    type Error = MoneyError;
    fn try_from(text: String) -> Result<Self, MoneyError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_a_move() {
        let one = Lots::from_f64(1.0).unwrap();
        assert_eq!(Money::of_move(-70, 5, 100_000.0, one).to_string(), "-70.00");
        assert_eq!(
            Money::of_move(1, 2, 100.0, Lots::from_f64(0.01).unwrap()).to_string(),
            "0.01"
        );
    }

    #[test]
    fn rounds_half_away_from_zero() {
        assert_eq!(
            Money::from_f64(1.005).unwrap().rounded(2).to_string(),
            "1.01"
        );
        assert_eq!(
            Money::from_f64(-1.005).unwrap().rounded(2).to_string(),
            "-1.01"
        );
        assert_eq!(
            Money::from_f64(1234.5).unwrap().rounded(0).to_string(),
            "1235.00"
        );
    }

    proptest! {
        #[test]
        fn small_and_great_amounts_are_one_kind_of_number(
            units in any::<i128>(),
            shift in 0u32..120,
            rate in -1e6..1e6f64,
        ) {
            let units = units >> shift;
            let amount = Money::from_units(units);
            prop_assert_eq!(amount.to_f64(), units as f64 / Money::SCALE as f64);
            let product = (units as f64 * rate).round() as i128;
            prop_assert_eq!(amount.times(rate).units(), product);
        }

        #[test]
        fn text_and_back(units in -1_000_000_000_000_000_000i128..1_000_000_000_000_000_000) {
            let amount = Money::from_units(units);
            prop_assert_eq!(amount.to_string().parse::<Money>(), Ok(amount));
        }
    }
}
