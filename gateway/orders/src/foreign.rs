//! What somebody else does on the account: told, and frozen where it touches what is ours.

use super::{
    core::Core,
    events::{Audience, Event},
};
use crate::records::Record;
use mymt5_model::{DealReason, DealRow, OrderId, PositionId, Symbol};

impl Core {
    /// Somebody else did something. Where it is a symbol of ours, nothing new is opened there until
    /// an operator has looked: what our strategies take for their own may not be.
    pub(super) fn on_foreign(&mut self, symbol: Option<Symbol>, description: String, frozen: bool) {
        if let Some(symbol) = symbol.clone().filter(|_| frozen) {
            tracing::warn!(
                symbol = symbol.as_str(),
                description,
                "somebody else trades a symbol of ours"
            );
            self.touch(Some(symbol));
        }
        let event = Event::Foreign {
            symbol,
            description,
            frozen,
        };
        self.tell("", Audience::Control, event);
    }

    /// True when a client has a position or an order in the symbol.
    pub(super) fn owns_in(&self, symbol: &Symbol) -> bool {
        let held = self.book.positions();
        held.filter(|held| held.client.is_some())
            .any(|held| held.row.symbol == *symbol)
            || self.open_orders().any(|order| order.symbol == *symbol)
    }

    /// Freezes a symbol, or (none) lifts it from all of them.
    pub(super) fn touch(&mut self, symbol: Option<Symbol>) {
        match symbol {
            Some(symbol) => {
                self.touched.insert(symbol);
            }
            None => self.touched.clear(),
        }
        self.records.push(Record::Touched(self.touched.clone()));
    }

    /// Rows that go on differing from the deals, without a deal that explains it: told, and frozen
    /// where the position is ours, until the deals explain it or an operator resumes the account.
    pub(super) fn tell_unexplained(&mut self, id: PositionId, owned: bool, symbol: Symbol) {
        metrics::counter!("mymt5_reconciliation_differences_total").increment(1);
        tracing::error!(position_id = %id, "a position changed without a deal");
        let event = Event::Foreign {
            symbol: Some(symbol),
            description: format!("position {id} changed without a deal"),
            frozen: owned,
        };
        self.tell("", Audience::Control, event);
    }

    /// True for a deal of somebody else: neither an order of ours nor the broker itself made it.
    pub(super) fn is_foreign(&self, deal: &DealRow, order: Option<OrderId>) -> bool {
        let by_broker = match deal.reason {
            DealReason::StopLoss
            | DealReason::TakeProfit
            | DealReason::StopOut
            | DealReason::Rollover
            | DealReason::Other => true,
            DealReason::Client | DealReason::Mobile | DealReason::Web | DealReason::Expert => false,
        };
        order.is_none() && !by_broker && !self.by_magic.contains_key(&deal.magic)
    }
}
