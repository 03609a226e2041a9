//! What points are worth in the money of the price.

use mymt5_model::{Lots, Money, SymbolSpec};

/// What a point of a unit of lots is worth, in units of money: a fraction in its lowest terms, so that
/// what is counted with it stays small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Worth {
    numerator: i64,
    denominator: i64,
}

impl Worth {
    const MOST: Money = Money::from_units(1_000_000_000_000_000_000 * Money::SCALE);

    /// By a specification whose numbers are in their ranges.
    pub(crate) fn of(spec: &SymbolSpec) -> Self {
        let contract = (spec.contract_size * Money::SCALE as f64).round() as i64;
        let divisor = Lots::SCALE * 10i64.pow(u32::from(spec.digits));
        let common = common_divisor(contract, divisor);
        Self {
            numerator: contract / common,
            denominator: divisor / common,
        }
    }

    /// That of points times units of lots.
    pub(crate) fn times(self, point_lots: i128) -> Money {
        let numerator = i128::from(self.numerator);
        // Nearly every volume is a small one, and a product of twice the width takes ten times as long.
        let product = i64::try_from(point_lots).map_or_else(
            |_| point_lots.saturating_mul(numerator),
            |small| i128::from(small) * numerator,
        );
        let worth = Money::of_ratio(product, self.denominator.into());
        worth.clamp(-Self::MOST, Self::MOST)
    }
}

/// The greatest divisor of both, which are not below 0, nor both 0.
const fn common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::catalogue;
    use mymt5_model::Symbol;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lowest_terms_change_no_unit(
            point_lots in -1_000_000_000_000_000_000i128..1_000_000_000_000_000_000,
            contract in 1i64..100_000_000_000_000,
            digits in 0u8..=8,
        ) {
            let size = contract as f64 / Money::SCALE as f64;
            let pair = Symbol::parse("EURUSD").unwrap();
            let spec = SymbolSpec { contract_size: size, digits, ..catalogue::spec(&pair) };
            let contract = (size * Money::SCALE as f64).round() as i128;
            let divisor = i128::from(Lots::SCALE) * 10i128.pow(u32::from(digits));
            let product = point_lots * contract;
            let units = (product + product.signum() * (divisor / 2)) / divisor;
            prop_assert_eq!(Worth::of(&spec).times(point_lots), Money::from_units(units));
        }
    }
}
