//! The map between canonical symbols and the broker's names for them.

use mymt5_model::{Symbol, SymbolError};
use std::collections::{BTreeMap, HashMap};

/// One-to-one.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    to_broker: BTreeMap<Symbol, String>,
    to_canonical: HashMap<String, Symbol>,
}

impl Names {
    /// None when two symbols share one name: what the broker reports could be either.
    pub(crate) fn new(symbols: BTreeMap<Symbol, String>) -> Option<Self> {
        let turned = symbols
            .iter()
            .map(|(symbol, name)| (name.clone(), symbol.clone()));
        let to_canonical: HashMap<String, Symbol> = turned.collect();
        (to_canonical.len() == symbols.len()).then_some(Self {
            to_broker: symbols,
            to_canonical,
        })
    }

    /// The broker's name of a configured symbol.
    pub(crate) fn broker(&self, symbol: &Symbol) -> Option<&str> {
        self.to_broker.get(symbol).map(String::as_str)
    }

    /// The configured symbol of a broker's name.
    pub(crate) fn canonical(&self, name: &str) -> Option<&Symbol> {
        self.to_canonical.get(name)
    }

    /// The canonical symbol; an unmapped name stays as it is.
    ///
    /// # Errors
    /// An unmapped name that is no symbol.
    pub(crate) fn or_raw(&self, name: &str) -> Result<Symbol, SymbolError> {
        self.canonical(name)
            .map_or_else(|| Symbol::parse(name), |symbol| Ok(symbol.clone()))
    }

    /// All pairs.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&Symbol, &str)> {
        self.to_broker
            .iter()
            .map(|(symbol, name)| (symbol, name.as_str()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn two_symbols_never_share_a_name() {
        let symbol = |text| Symbol::parse(text).unwrap();
        let pair = |a, b| (symbol(a), String::from(b));
        let names = Names::new([pair("EURUSD", "EURUSD.m")].into()).unwrap();
        assert_eq!(names.broker(&symbol("EURUSD")), Some("EURUSD.m"));
        assert_eq!(names.or_raw("EURUSD.m"), Ok(symbol("EURUSD")));
        assert_eq!(names.or_raw("GOLD"), Ok(symbol("GOLD")));
        assert!(names.or_raw("no symbol").is_err());
        assert!(Names::new([pair("A", "X"), pair("B", "X")].into()).is_none());
    }
}
