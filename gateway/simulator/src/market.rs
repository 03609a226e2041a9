//! One symbol's corner of the account: its contract, its quote, and what stands in it.

use crate::{Week, pending::Working, position::Position, rules::MOST_POINTS};
use mymt5_model::{BrokerTime, Money, Price, Side, SymbolSpec, Tick};

/// One way to convert a quote currency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Route {
    /// The price is in the account currency.
    Same,
    /// The contract is in the account currency: the symbol's own price converts.
    OwnBase,
    /// Times the bid of that market.
    Direct(usize),
    /// Divided by the ask of that market.
    Inverse(usize),
    /// Times a configured rate.
    Fixed(f64),
}

/// A symbol with its orders and positions.
pub(crate) struct Market {
    pub(crate) spec: SymbolSpec,
    /// Ways from the quote currency to the account currency, the best first.
    pub(crate) routes: Vec<Route>,
    /// Markets whose conversion depends on this one's quote.
    pub(crate) dependents: Vec<usize>,
    pub(crate) week: Week,
    pub(crate) quote: Option<Tick>,
    pub(crate) positions: Vec<Position>,
    pub(crate) orders: Vec<Working>,
    /// Floating profit and swap of the positions at the current quotes.
    pub(crate) floating: Money,
    /// Margin of the positions at the current rates.
    pub(crate) margin: Money,
}

impl Market {
    /// The price at which that side is dealt: buys at the ask, sells at the bid.
    pub(crate) fn touch(&self, side: Side) -> Option<Price> {
        let quote = self.quote.as_ref()?;
        Some(match side {
            Side::Buy => quote.ask,
            Side::Sell => quote.bid,
        })
    }

    /// The price at which a position of that side would be closed.
    pub(crate) fn closing(&self, side: Side) -> Option<Price> {
        self.touch(side.opposite())
    }

    pub(crate) fn is_open(&self, time: BrokerTime) -> bool {
        self.week.is_open(time)
    }

    /// True when that is a quote the symbol can have.
    pub(crate) fn understands(&self, tick: &Tick) -> bool {
        let digits = self.spec.digits;
        tick.bid.digits() == digits
            && tick.ask.digits() == digits
            && tick.bid.points() > 0
            && tick.ask >= tick.bid
            && tick.ask.points() <= MOST_POINTS
    }
}
