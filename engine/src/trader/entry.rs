//! From an entry that a strategy wants to an order: its levels and its volume.

use crate::{
    portfolio::{Held, Portfolio},
    risk::{self, Budget, Open, Risk, RiskRefused},
    strategy::{At, Entry, Level, Quote},
};
use mymt5_model::{Levels, Lots, Price, Side, Symbol, SymbolSpec};
use std::collections::BTreeMap;

/// What all strategies of a symbol share.
pub(super) struct World<'a> {
    pub(super) spec: &'a SymbolSpec,
    /// Those of all symbols.
    pub(super) specs: &'a BTreeMap<Symbol, SymbolSpec>,
    pub(super) portfolio: &'a mut Portfolio,
    pub(super) risk: &'a mut Risk,
}

/// Why an entry becomes no order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum EntryRefused {
    /// The gateway takes no new risk now.
    #[error("the gateway lets nothing be opened")]
    Closed,
    /// A position is not understood, so that nobody knows what is at risk.
    #[error(
        "a position is not understood; look at it by GetSnapshot, and restart this engine once it is gone"
    )]
    PositionUnknown,
    /// No tick came yet.
    #[error("there is no quote yet")]
    NoQuote,
    /// On a netting account the symbol is another strategy's, too.
    #[error("several strategies share the symbol on a netting account")]
    Shared,
    /// What had to be done before it took too long, or nobody knows what became of that.
    #[error("it was decided too long ago: what had to be done before it took its time")]
    Late,
    /// It would close the position as it opens.
    #[error("its stop loss or take profit is on the wrong side of the price")]
    WrongSide,
    /// Risk's own.
    #[error(transparent)]
    Risk(#[from] RiskRefused),
}

impl EntryRefused {
    /// Its name in metrics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::PositionUnknown => "position_unknown",
            Self::NoQuote => "no_quote",
            Self::Shared => "shared",
            Self::Late => "late",
            Self::WrongSide => "wrong_side",
            Self::Risk(refused) => refused.name(),
        }
    }
}

/// An order as it is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) side: Side,
    pub(super) at: At,
    /// What it opens.
    pub(super) lots: Lots,
    /// What it closes as well.
    pub(super) closes: Lots,
    pub(super) levels: Levels,
    /// Where it opens, as far as is known before.
    opening: Price,
}

impl Order {
    /// What it may become.
    pub(super) fn open(&self, symbol: &Symbol) -> Open {
        Open {
            symbol: symbol.clone(),
            side: self.side,
            lots: self.lots,
            price: Some(self.opening),
            stop: self.levels.stop_loss,
            in_flight: true,
            unmeasured: false,
        }
    }
}

/// The order of an entry, which closes that position as well, if any; if it may be made now.
pub(super) fn order(
    entry: &Entry,
    quote: Option<Quote>,
    budget: Budget,
    closes: Option<&Held>,
    world: &mut World<'_>,
) -> Result<Order, EntryRefused> {
    if !world.portfolio.is_whole() {
        return Err(EntryRefused::PositionUnknown);
    }
    if !world.portfolio.may_open() {
        return Err(EntryRefused::Closed);
    }
    let quote = quote.ok_or(EntryRefused::NoQuote)?;
    let spread = quote.ask.points() - quote.bid.points();
    let opening = match entry.at {
        At::Market if entry.side == Side::Buy => quote.ask,
        At::Market => quote.bid,
        At::Limit(price) | At::Stop(price) => on_grid(price, world.spec),
    };
    let sign = entry.side.sign();
    // Levels are measured from the side that closes the position.
    let closing = opening.moved(-spread * sign);
    let place = |level: Level, direction: i64| {
        let price = match level {
            Level::Points(points) => closing.moved(points * direction),
            Level::Price(price) => price,
        };
        let is_beyond = (price.points() - closing.points()) * direction > 0;
        let price = is_beyond.then(|| on_grid(price, world.spec));
        price.ok_or(EntryRefused::WrongSide)
    };
    let stop_loss = entry
        .stop_loss
        .map(|level| place(level, -sign))
        .transpose()?;
    let take_profit = entry
        .take_profit
        .map(|level| place(level, sign))
        .transpose()?;
    let distance = |level: Level| match level {
        Level::Points(points) => points,
        Level::Price(price) => (closing.points() - price.points()) * sign,
    };
    let spread = spread.max(0);
    let closed = closes.map_or(Lots::ZERO, |held| held.lots);
    let proposed = risk::Entry {
        spec: world.spec,
        side: entry.side,
        price: opening,
        spread,
        stop: entry.stop_loss.map(|level| distance(level) + spread),
        budget,
        closes: closed,
    };
    let open = world
        .portfolio
        .open_but(closes.map(|held| held.position_id));
    Ok(Order {
        side: entry.side,
        at: match entry.at {
            At::Market => At::Market,
            At::Limit(_) => At::Limit(opening),
            At::Stop(_) => At::Stop(opening),
        },
        lots: world.risk.admit(&proposed, &open, world.specs)?,
        closes: closed,
        levels: Levels {
            stop_loss,
            take_profit,
        },
        opening,
    })
}

/// The next price down on the symbol's price grid.
pub(super) fn on_grid(price: Price, spec: &SymbolSpec) -> Price {
    price.moved(-(price.points().rem_euclid(spec.tick_size_points.max(1))))
}
