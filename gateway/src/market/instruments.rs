//! The symbols' specifications, replaced as a whole when the link reads them anew.

use arc_swap::ArcSwap;
use mymt5_model::{Symbol, SymbolSpec};
use std::{collections::BTreeMap, sync::Arc};

/// All specifications known now. Cheap to clone and to read.
#[derive(Clone, Debug, Default)]
pub struct Instruments(Arc<ArcSwap<BTreeMap<Symbol, Arc<SymbolSpec>>>>);

impl Instruments {
    /// Replaces all specifications.
    pub fn replace(&self, specs: Vec<SymbolSpec>) {
        let specs = specs
            .into_iter()
            .map(|spec| (spec.symbol.clone(), Arc::new(spec)))
            .collect();
        self.0.store(Arc::new(specs));
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
