//! The market as a step of the core sees it: the same throughout the step.

use super::milliseconds;
use crate::market::{Hub, Instruments};
use mymt5_model::{Symbol, SymbolSpec};
use mymt5_orders::{Market, Quote};
use std::{cell::RefCell, collections::HashMap, sync::Arc};

/// Quotes and specifications for one step.
pub(super) struct Quotes<'a> {
    hub: &'a Hub,
    instruments: &'a Instruments,
    seen: RefCell<HashMap<Symbol, Option<Quote>>>,
}

impl<'a> Quotes<'a> {
    pub(super) fn of(hub: &'a Hub, instruments: &'a Instruments) -> Self {
        Self {
            hub,
            instruments,
            seen: RefCell::default(),
        }
    }
}

impl Market for Quotes<'_> {
    fn quote(&self, symbol: &Symbol) -> Option<Quote> {
        let mut seen = self.seen.borrow_mut();
        let quote = seen.entry(symbol.clone()).or_insert_with(|| {
            let (tick, came) = self.hub.latest(symbol)?;
            Some(Quote {
                tick,
                age_ms: milliseconds(came.elapsed()),
            })
        });
        quote.clone()
    }

    fn spec(&self, symbol: &Symbol) -> Option<Arc<SymbolSpec>> {
        self.instruments.get(symbol.as_str())
    }
}
