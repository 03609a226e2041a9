//! The map between canonical symbols and the broker's names for them.
//!
//! A name outside the map keeps its spelling, unless that spelling is a configured symbol (the
//! broker has `EURUSD` beside the `EURUSD.m` that is traded here) or no symbol at all (brokers use
//! blanks): then it is escaped, so that what is foreign is never taken for what is ours.

use mymt5_model::Symbol;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};

/// Begins an escape: two hex digits of a byte follow. Alone, it marks a spelling that is ours.
const ESCAPE: char = '%';
/// Bytes of a hash that stand for a name too long to be escaped.
const HASHED: usize = 12;

/// One-to-one.
#[derive(Clone, Debug)]
pub(crate) struct SymbolMap {
    to_broker: BTreeMap<Symbol, String>,
    to_canonical: HashMap<String, Symbol>,
}

impl SymbolMap {
    /// None when two symbols share one name: what the broker reports could be either.
    pub(crate) fn new(symbols: BTreeMap<Symbol, String>) -> Option<Self> {
        let turned = symbols.iter();
        let turned = turned.map(|(symbol, name)| (name.clone(), symbol.clone()));
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

    /// The symbol of any name. None for the empty one.
    pub(crate) fn symbol(&self, name: &str) -> Option<Symbol> {
        if let Some(symbol) = self.canonical(name) {
            return Some(symbol.clone());
        }
        let plain = Symbol::parse(name).ok();
        if let Some(plain) = plain.filter(|plain| !name.contains(ESCAPE) && !self.is_ours(plain)) {
            return Some(plain);
        }
        let is_ours = Symbol::parse(name).is_ok_and(|plain| self.is_ours(&plain));
        let mark = if is_ours { "%" } else { "" };
        let escaped = escaped(name) + mark;
        let symbol = Symbol::parse(&escaped).ok();
        let symbol = symbol.filter(|symbol| !self.is_ours(symbol));
        symbol.or_else(|| hashed(name))
    }

    /// The broker's name of any symbol. None for one whose name was too long to be kept.
    pub(crate) fn any(&self, symbol: &Symbol) -> Option<String> {
        if let Some(name) = self.broker(symbol) {
            return Some(name.to_owned());
        }
        let text = symbol.as_str();
        unescaped(text.strip_suffix(ESCAPE).unwrap_or(text))
    }

    /// All pairs.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&Symbol, &str)> {
        self.to_broker
            .iter()
            .map(|(symbol, name)| (symbol, name.as_str()))
    }

    fn is_ours(&self, symbol: &Symbol) -> bool {
        self.to_broker.contains_key(symbol)
    }
}

fn escaped(name: &str) -> String {
    let mut text = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_graphic() && byte != ESCAPE as u8 {
            text.push(char::from(byte));
        } else {
            text.push(ESCAPE);
            text.push_str(&hex::encode([byte]));
        }
    }
    text
}

fn unescaped(text: &str) -> Option<String> {
    let mut pieces = text.split(ESCAPE);
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (code, rest) = piece.split_at_checked(2)?;
        bytes.extend(hex::decode(code).ok()?);
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

/// Stands for a name that it cannot be turned back into.
fn hashed(name: &str) -> Option<Symbol> {
    let digest = Sha256::digest(name);
    let text = format!("%%{}", hex::encode(digest.get(..HASHED)?));
    Symbol::parse(&text).ok().filter(|_| !name.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn symbol(text: &str) -> Symbol {
        Symbol::parse(text).unwrap()
    }

    fn symbol_map() -> SymbolMap {
        SymbolMap::new([(symbol("EURUSD"), "EURUSD.m".into())].into()).unwrap()
    }

    #[test]
    fn two_symbols_never_share_a_name() {
        let pair = |a, b: &str| (symbol(a), String::from(b));
        assert!(SymbolMap::new([pair("A", "X"), pair("B", "X")].into()).is_none());
        assert!(SymbolMap::new([pair("A", "B"), pair("B", "A")].into()).is_some());
    }

    #[test]
    fn what_is_foreign_is_never_taken_for_ours() {
        let symbol_map = symbol_map();
        assert_eq!(symbol_map.symbol("EURUSD.m"), Some(symbol("EURUSD")));
        assert_eq!(symbol_map.symbol("GOLD"), Some(symbol("GOLD")));
        let foreign = symbol_map.symbol("EURUSD").unwrap();
        assert_eq!(foreign.as_str(), "EURUSD%");
        assert_eq!(symbol_map.any(&foreign).as_deref(), Some("EURUSD"));
        assert_eq!(
            symbol_map.any(&symbol("EURUSD")).as_deref(),
            Some("EURUSD.m")
        );
        let blanks = symbol_map.symbol("Volatility 75 Index").unwrap();
        assert_eq!(blanks.as_str(), "Volatility%2075%20Index");
        assert_eq!(symbol_map.symbol(""), None);
        let long = symbol_map.symbol(&"x".repeat(60)).unwrap();
        assert_eq!(symbol_map.any(&long), None);
    }

    proptest! {
        #[test]
        fn names_come_back_and_stay_apart(one in ".{1,40}", other in "[A-Z%20. ]{1,12}") {
            let symbol_map = symbol_map();
            for name in [&one, &other] {
                let symbol = symbol_map.symbol(name).unwrap();
                let back = symbol_map.any(&symbol);
                prop_assert!(back.as_ref() == Some(name) || back.is_none());
            }
            prop_assert_eq!(one == other, symbol_map.symbol(&one) == symbol_map.symbol(&other));
        }
    }
}
