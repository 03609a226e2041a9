//! `[backtest.symbols.NAME]`: what the ticks' symbols are contracts of, where the catalogue does not
//! tell it, or a broker has it otherwise.

use mymt5_chassis::loader::Section;
use mymt5_model::{Symbol, SymbolSpec};
use mymt5_simulator::catalogue;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Most digits of a price.
const MOST_DIGITS: u8 = 8;

/// The contracts that a configuration tells.
#[derive(Clone, Debug, Default)]
pub struct Contracts(BTreeMap<Symbol, Contract>);

/// What is told of one; none: as the catalogue has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contract {
    digits: Option<u8>,
    contract_size: Option<f64>,
    /// Of its price.
    currency: Option<String>,
    /// Of its bars; none: as their files have it.
    spread_points: Option<u32>,
}

impl Contract {
    fn fits(&self) -> bool {
        let digits = self.digits.is_none_or(|digits| digits <= MOST_DIGITS);
        let size = self.contract_size;
        digits && size.is_none_or(|size| size.is_finite() && size > 0.0)
    }
}

impl Contracts {
    /// Reads them. None: there were faults.
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let told: Option<BTreeMap<Symbol, Contract>> = section.optional(
            "symbols",
            "tables such as { NAS100 = { digits = 2, contract_size = 1.0, currency = \"USD\" } }",
        );
        let contracts = told.unwrap_or_default();
        if !contracts.values().all(Contract::fits) {
            section.reject(
                "symbols",
                "has digits or a contract_size out of range",
                "set digits to 0 to 8, and contract_size to a number above 0",
            );
            return None;
        }
        Some(Self(contracts))
    }

    /// The spread of a symbol's bars, points; none: as their files have it.
    #[must_use]
    pub fn spread(&self, symbol: &Symbol) -> Option<u32> {
        self.0.get(symbol)?.spread_points
    }

    /// The specification of a symbol; none: neither the catalogue knows it nor are its digits and
    /// its contract size told.
    #[must_use]
    pub fn spec(&self, symbol: &Symbol) -> Option<SymbolSpec> {
        let usual = catalogue::spec(symbol);
        let Some(contract) = self.0.get(symbol) else {
            return catalogue::knows(symbol).then_some(usual);
        };
        let is_whole = contract.digits.is_some() && contract.contract_size.is_some();
        if !is_whole && !catalogue::knows(symbol) {
            return None;
        }
        let digits = contract.digits.unwrap_or(usual.digits);
        // What the catalogue tells in points stays the same distance.
        let points = 10f64.powi(i32::from(digits) - i32::from(usual.digits));
        let currency = contract.currency.as_ref();
        let quote_currency = currency.unwrap_or(&usual.quote_currency).clone();
        let base_currency = if usual.base_currency == usual.quote_currency {
            quote_currency.clone()
        } else {
            usual.base_currency.clone()
        };
        Some(SymbolSpec {
            digits,
            contract_size: contract.contract_size.unwrap_or(usual.contract_size),
            stops_level_points: (usual.stops_level_points as f64 * points).round() as i64,
            swap_long_points: usual.swap_long_points * points,
            swap_short_points: usual.swap_short_points * points,
            base_currency,
            quote_currency,
            ..usual
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn symbol(name: &str) -> Symbol {
        Symbol::parse(name).unwrap()
    }

    fn contracts(json: &str) -> Contracts {
        Contracts(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn only_what_is_known_has_a_contract() {
        let none = Contracts::default();
        let known = symbol("EURUSD");
        assert_eq!(none.spec(&known), Some(catalogue::spec(&known)));
        assert_eq!(none.spec(&symbol("NAS100")), None);
        let part = contracts(r#"{ "NAS100": { "digits": 1 } }"#);
        assert_eq!(part.spec(&symbol("NAS100")), None);
        let spread = contracts(r#"{ "EURUSD": { "spread_points": 12 } }"#);
        assert_eq!(spread.spread(&known), Some(12));
        assert_eq!(spread.spec(&known), Some(catalogue::spec(&known)));
        assert_eq!(spread.spread(&symbol("NAS100")), None);
        let whole = r#"{ "GER40": { "digits": 1, "contract_size": 25, "currency": "EUR" } }"#;
        let spec = contracts(whole).spec(&symbol("GER40")).unwrap();
        assert_eq!((spec.digits, spec.contract_size), (1, 25.0));
        let currencies = [spec.base_currency, spec.quote_currency];
        assert_eq!(currencies, ["EUR", "EUR"]);
    }

    #[test]
    fn other_digits_leave_distances_as_they_are() {
        let gold = symbol("XAUUSD");
        let usual = catalogue::spec(&gold);
        let spec = contracts(r#"{ "XAUUSD": { "digits": 2 } }"#).spec(&gold);
        let spec = spec.unwrap();
        assert_eq!((usual.digits, spec.digits), (3, 2));
        assert_eq!(spec.contract_size, usual.contract_size);
        assert_eq!(spec.stops_level_points * 10, usual.stops_level_points);
        let (short, usual) = (spec.swap_long_points, usual.swap_long_points);
        assert!((short * 10.0 - usual).abs() < 1e-9, "{short} {usual}");
    }
}
