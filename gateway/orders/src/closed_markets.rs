//! What the broker said is closed: a symbol until something moves there again, or the account for a
//! while. Nothing is opened there meanwhile; exits go all the same.

use crate::{
    market::{Market, Quote},
    time::Now,
};
use mymt5_model::{BrokerTime, Retcode, RetcodeClass, Symbol};
use std::collections::{BTreeMap, HashMap};

/// How long an account that may not trade is believed to stay so, milliseconds: its rows may allow it
/// while its server does not.
const ACCOUNT_MS: i64 = 60_000;

/// What is closed.
#[derive(Debug, Default)]
pub(crate) struct ClosedMarkets {
    /// The last tick before the last order was sent, per symbol.
    sent_on: HashMap<Symbol, BrokerTime>,
    /// Closed symbols, and the tick on which that was learnt.
    symbols: BTreeMap<Symbol, Option<BrokerTime>>,
    account: Option<(Retcode, i64)>,
}

impl ClosedMarkets {
    /// An order leaves, on that quote.
    pub(crate) fn note_quote(&mut self, quote: Option<&Quote>) {
        if let Some(quote) = quote {
            let symbol = quote.tick.symbol.clone();
            self.sent_on.insert(symbol, quote.tick.time);
        }
    }

    /// The broker refused an order in that symbol. True: the account may not trade.
    pub(crate) fn learn(&mut self, symbol: &Symbol, retcode: Retcode, now: Now) -> bool {
        match retcode.class() {
            RetcodeClass::SymbolClosed => {
                let on = self.sent_on.get(symbol).copied();
                self.symbols.insert(symbol.clone(), on);
            }
            RetcodeClass::AccountClosed => {
                self.account = Some((retcode, now.elapsed_ms + ACCOUNT_MS));
                return true;
            }
            _ => {}
        }
        false
    }

    /// The symbol's specification changed.
    pub(crate) fn reopen(&mut self, symbol: &Symbol) {
        self.symbols.remove(symbol);
    }

    /// True while the broker closed the symbol and no tick came since.
    pub(crate) fn is_closed(&self, symbol: &Symbol, quote: Option<&Quote>) -> bool {
        let closed_on = self.symbols.get(symbol);
        closed_on.is_some_and(|on| !moved_since(quote, *on))
    }

    /// Opens again what moved since.
    pub(crate) fn lift(&mut self, market: &dyn Market) {
        self.symbols
            .retain(|symbol, on| !moved_since(market.quote(symbol).as_ref(), *on));
    }

    /// Why the account may not trade.
    pub(crate) fn account(&self, now: Now) -> Option<Retcode> {
        let (retcode, until) = self.account?;
        (now.elapsed_ms < until).then_some(retcode)
    }

    /// True while the symbol is listed as closed.
    pub(crate) fn lists(&self, symbol: &Symbol) -> bool {
        self.symbols.contains_key(symbol)
    }

    /// Symbols in memory.
    pub(crate) fn in_memory(&self) -> usize {
        self.sent_on.len() + self.symbols.len()
    }

    /// The closed symbols.
    pub(crate) fn symbols(&self) -> impl Iterator<Item = &Symbol> {
        self.symbols.keys()
    }
}

/// True for a quote newer than that tick.
fn moved_since(quote: Option<&Quote>, tick: Option<BrokerTime>) -> bool {
    quote.is_some_and(|quote| Some(quote.tick.time) > tick)
}
