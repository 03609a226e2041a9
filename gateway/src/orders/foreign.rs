//! What somebody else does on the account: told, and frozen where it touches what is ours.

use super::{
    core::Core,
    events::{Audience, Event},
};
use crate::{book::PositionChange, journal::Record};
use mymt5_model::{Symbol, Ticket};

impl Core {
    /// Somebody else did something. Where it is a symbol of ours, nothing new is opened there until
    /// an operator has looked: what our strategies take for their own may not be.
    pub(super) fn on_foreign(
        &mut self,
        symbol: Option<Symbol>,
        description: String,
        freezes: bool,
    ) {
        let owned = symbol.as_ref().is_some_and(|symbol| self.owns_in(symbol));
        let frozen = freezes && owned;
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

    fn owns_in(&self, symbol: &Symbol) -> bool {
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

    /// Every change of a position's lots needs a deal. One without is told.
    pub(super) fn explain(&mut self, changes: &[PositionChange], before: Ticket) {
        for change in changes {
            let (PositionChange::Changed(position) | PositionChange::Closed(position)) = change;
            let id = Some(position.row.id);
            let since = Ticket(before.0 + 1);
            let explained = self
                .deals
                .range(since..)
                .any(|(_, deal)| deal.deal.position_id == id);
            let moved = position.row.updated > position.row.opened
                && matches!(change, PositionChange::Changed(_));
            if explained || moved {
                continue;
            }
            metrics::counter!("mymt5_reconciliation_differences_total").increment(1);
            tracing::error!(position_id = %position.row.id, "a position changed without a deal");
            let description = format!("position {} changed without a deal", position.row.id);
            self.on_foreign(Some(position.row.symbol.clone()), description, true);
        }
    }
}
