//! What the broker said is closed: a symbol until something moves there again, or the account for a
//! while. Nothing is opened there meanwhile; exits go all the same.

use super::core::Core;
use mymt5_model::{BrokerTime, OrderId, Retcode, RetcodeClass, Symbol, Tick};
use std::collections::HashMap;

/// How long an account that may not trade is believed to stay so, milliseconds: its rows may allow it
/// while its server does not.
const ACCOUNT_MS: i64 = 60_000;

/// What is closed.
#[derive(Debug, Default)]
pub(super) struct Shut {
    /// The last tick before the last order was sent, per symbol.
    sent_on: HashMap<Symbol, BrokerTime>,
    /// Closed symbols, and the tick on which that was learnt.
    symbols: HashMap<Symbol, Option<BrokerTime>>,
    account_until: i64,
}

impl Core {
    /// An order leaves, on that quote.
    pub(super) fn note_quote(&mut self, quote: Option<&Tick>) {
        if let Some(tick) = quote {
            self.shut.sent_on.insert(tick.symbol.clone(), tick.time);
        }
    }

    /// The broker refused an order.
    pub(super) fn learn_of_refusal(&mut self, id: OrderId, retcode: Retcode) {
        let Some(order) = self.orders.get(&id) else {
            return;
        };
        match retcode.class() {
            RetcodeClass::SymbolClosed => {
                let on = self.shut.sent_on.get(&order.symbol).copied();
                self.shut.symbols.insert(order.symbol.clone(), on);
            }
            RetcodeClass::AccountClosed => {
                self.shut.account_until = self.now.0 + ACCOUNT_MS;
                tracing::error!(retcode = %retcode, "the account may not trade");
            }
            _ => {}
        }
    }

    /// The symbol's specification changed.
    pub fn reopen(&mut self, symbol: &Symbol) {
        self.shut.symbols.remove(symbol);
    }

    /// True while the broker closed the symbol and no tick came since.
    pub(super) fn is_symbol_shut(&mut self, symbol: &Symbol, quote: Option<&Tick>) -> bool {
        let Some(on) = self.shut.symbols.get(symbol) else {
            return false;
        };
        let moved = quote.is_some_and(|tick| Some(tick.time) > *on);
        if moved {
            self.shut.symbols.remove(symbol);
        }
        !moved
    }

    pub(super) fn is_account_shut(&self) -> bool {
        self.now.0 < self.shut.account_until
    }
}
