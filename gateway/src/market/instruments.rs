//! The symbols' specifications, replaced as a whole when the link reads them again.

use arc_swap::ArcSwap;
use mymt5_model::{Symbol, SymbolSpec};
use std::{collections::BTreeMap, sync::Arc};

/// All specifications known now. Cheap to clone and to read.
#[derive(Clone, Debug, Default)]
pub struct Instruments(Arc<ArcSwap<BTreeMap<Symbol, Arc<SymbolSpec>>>>);

impl Instruments {
    /// Replaces all specifications. Returns the symbols that changed in more than the value of a
    /// tick, which moves with the rates; none of them when there were no specifications before.
    pub fn replace(&self, specs: Vec<SymbolSpec>) -> Vec<Symbol> {
        let specs: BTreeMap<_, _> = specs
            .into_iter()
            .map(|spec| (spec.symbol.clone(), Arc::new(spec)))
            .collect();
        let before = self.0.swap(Arc::new(specs.clone()));
        let terms = |spec: &SymbolSpec| SymbolSpec {
            tick_value: None,
            ..spec.clone()
        };
        let kept = |(symbol, spec): (&Symbol, &Arc<SymbolSpec>)| {
            specs
                .get(symbol)
                .is_some_and(|new| terms(new) == terms(spec))
        };
        let gone = before.iter().filter(|entry| !kept(*entry));
        let gone = gone.map(|(symbol, _)| symbol.clone());
        let new = specs
            .keys()
            .filter(|symbol| !before.is_empty() && !before.contains_key(*symbol));
        gone.chain(new.cloned()).collect()
    }

    /// True before the first link, and where it told of no symbol that can be read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.load().is_empty()
    }

    /// One specification.
    #[must_use]
    pub fn get(&self, symbol: &str) -> Option<Arc<SymbolSpec>> {
        let symbol = Symbol::parse(symbol).ok()?;
        self.0.load().get(&symbol).cloned()
    }

    /// All specifications, by name.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<SymbolSpec>> {
        self.0.load().values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn changes_are_told_and_rates_are_none() {
        let spec = |name: &str| mymt5_simulator::catalogue::spec(&Symbol::parse(name).unwrap());
        let instruments = Instruments::default();
        let names =
            |changed: Vec<Symbol>| changed.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(
            instruments
                .replace(vec![spec("EURUSD"), spec("GBPUSD")])
                .is_empty()
        );
        let mut moved = spec("EURUSD");
        moved.tick_value = Some(0.7);
        assert!(
            instruments
                .replace(vec![moved.clone(), spec("GBPUSD")])
                .is_empty()
        );
        moved.stops_level_points += 10;
        let changed = instruments.replace(vec![moved, spec("AUDUSD")]);
        assert_eq!(names(changed), ["EURUSD", "GBPUSD", "AUDUSD"]);
    }
}
