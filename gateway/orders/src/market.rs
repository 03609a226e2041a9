//! What the core may ask of the market while it decides.

use mymt5_model::{Symbol, SymbolSpec, Tick};
use std::sync::Arc;

/// The latest tick of a symbol.
#[derive(Clone, Debug)]
pub struct Quote {
    /// The tick.
    pub tick: Arc<Tick>,
    /// How long ago it came, milliseconds.
    pub age_ms: i64,
}

/// Quotes and specifications, as they are known at the moment of a step. It decides nothing and
/// waits for nothing: the same answer throughout a step.
pub trait Market {
    /// The latest quote; none before the first.
    fn quote(&self, symbol: &Symbol) -> Option<Quote>;
    /// The specification; none for a symbol that is not traded here.
    fn spec(&self, symbol: &Symbol) -> Option<Arc<SymbolSpec>>;
}
