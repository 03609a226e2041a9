//! The symbols' specifications, replaced as a whole when the link reads them again.

use arc_swap::ArcSwapOption;
use mymt5_model::{Symbol, SymbolSpec};
use std::{collections::BTreeMap, sync::Arc};

/// All specifications known now; none before the first link. Cheap to clone and to read.
#[derive(Clone, Debug, Default)]
pub struct Instruments(Arc<ArcSwapOption<BTreeMap<Symbol, Arc<SymbolSpec>>>>);

impl Instruments {
    /// Replaces all specifications. Returns the symbols that changed in more than the value of a
    /// tick, which moves with the rates; none of them before the first link.
    pub fn replace(&self, specs: Vec<SymbolSpec>) -> Vec<Symbol> {
        let specs: BTreeMap<_, _> = specs
            .into_iter()
            .map(|spec| (spec.symbol.clone(), Arc::new(spec)))
            .collect();
        let Some(before) = self.0.swap(Some(Arc::new(specs.clone()))) else {
            return Vec::new();
        };
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
        let new = specs.keys().filter(|symbol| !before.contains_key(*symbol));
        gone.chain(new.cloned()).collect()
    }

    /// False before the first link. It may have told of no symbol that can be read.
    #[must_use]
    pub fn are_known(&self) -> bool {
        self.0.load().is_some()
    }

    /// One specification.
    #[must_use]
    pub fn get(&self, symbol: &str) -> Option<Arc<SymbolSpec>> {
        let symbol = Symbol::parse(symbol).ok()?;
        self.0.load().as_ref()?.get(&symbol).cloned()
    }

    /// All specifications, by name.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<SymbolSpec>> {
        let specs = self.0.load();
        specs
            .as_ref()
            .map_or_else(Vec::new, |specs| specs.values().cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_first_symbol_that_can_be_read_is_told_where_none_could_before() {
        let instruments = Instruments::default();
        assert!(!instruments.are_known());
        assert!(instruments.replace(Vec::new()).is_empty());
        assert!(instruments.are_known());
        let symbol = Symbol::parse("EURUSD").unwrap();
        let spec = mymt5_simulator::catalogue::spec(&symbol);
        assert_eq!(instruments.replace(vec![spec]), [symbol]);
    }

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
