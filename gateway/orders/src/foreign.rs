//! What others do on the account: reported, and frozen where it touches what is ours, until an
//! operator accepts it.

use crate::{Audience, Event, Record, notices::Notice, outbox::Out, records::Freeze};
use mymt5_model::{DealReason, DealRow, Symbol};
use std::collections::BTreeMap;

/// The symbols that foreign trades froze.
#[derive(Debug, Default)]
pub(crate) struct Foreign(BTreeMap<Symbol, Freeze>);

impl Foreign {
    pub(crate) const fn new(kept: BTreeMap<Symbol, Freeze>) -> Self {
        Self(kept)
    }

    /// True while new exposure in the symbol is frozen.
    pub(crate) fn is_frozen(&self, symbol: &Symbol) -> bool {
        self.0.contains_key(symbol)
    }

    /// The frozen symbols.
    pub(crate) fn frozen(&self) -> impl Iterator<Item = (&Symbol, &Freeze)> {
        self.0.iter()
    }

    /// A foreign trade. Where it is in a symbol of ours, nothing new is opened there until an
    /// operator has looked: what our strategies take for their own may not be.
    pub(crate) fn saw(&mut self, deal: &DealRow, freezes: bool, out: &mut Out) {
        let Some(symbol) = deal.symbol.clone() else {
            return;
        };
        let description = format!("deal {} of {} lots", deal.ticket, deal.lots);
        out.notice(Notice::ForeignTrade {
            symbol: symbol.clone(),
            description: description.clone(),
            frozen: freezes,
        });
        if freezes {
            let freeze = Freeze {
                description: description.clone(),
                at: out.now.utc,
            };
            if !self.is_frozen(&symbol) {
                self.0.insert(symbol.clone(), freeze);
                out.record(Record::Frozen(self.0.clone()));
            }
        }
        let event = Event::Foreign {
            symbol: Some(symbol),
            description,
            frozen: freezes,
        };
        out.emit("", Audience::Control, event);
    }

    /// An operator accepts what was done in that symbol; none: in all of them. False: nothing was
    /// frozen.
    pub(crate) fn accept(&mut self, symbol: Option<&Symbol>, out: &mut Out) -> bool {
        let before = self.0.len();
        self.0
            .retain(|frozen, _| symbol.is_some_and(|symbol| symbol != frozen));
        let lifted = self.0.len() != before;
        if lifted {
            out.record(Record::Frozen(self.0.clone()));
        }
        lifted
    }
}

/// True for a deal that neither one of our orders nor the broker itself made. `ours`: its magic lies
/// in the slot of a client. A hand's deal is foreign whatever magic it carries.
pub(crate) const fn is_foreign(deal: &DealRow, ours: bool) -> bool {
    match deal.reason {
        DealReason::Client | DealReason::Mobile | DealReason::Web => true,
        DealReason::Expert => !ours,
        DealReason::StopLoss
        | DealReason::TakeProfit
        | DealReason::StopOut
        | DealReason::Rollover
        | DealReason::Other => false,
    }
}
