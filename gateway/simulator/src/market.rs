//! One symbol's corner of the account: its contract, its quote, and what stands in it.

use crate::{Week, pending::Working, position::Position, rules::MOST_POINTS, worth::Worth};
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
    /// What its points are worth, by the specification.
    pub(crate) worth: Worth,
    /// The margin is counted in the account's own currency, which is the base of the pair.
    pub(crate) margin_is_base: bool,
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

    /// The first quote on the straight way to a tick, without both ends, that reaches the price of a
    /// working order or a level of a position.
    pub(crate) fn next_stop(&self, tick: &Tick) -> Option<Tick> {
        let way = self.quote.as_ref()?.bid.points() - tick.bid.points();
        // How far before the tick a price is met, in points: on the way with the sign of the way.
        let before = |side: Side, price: Price| price.points() - tick.touch(side).points();
        let orders = self.orders.iter().filter_map(|order| {
            let price = order.row.price?;
            Some(before(order.row.side, price))
        });
        let levels = self.positions.iter().flat_map(|position| {
            let side = position.side.opposite();
            let levels = [position.levels.stop_loss, position.levels.take_profit];
            levels.map(|level| level.map(|level| before(side, level)))
        });
        let on_way =
            |left: &i64| left.signum() == way.signum() && left.unsigned_abs() < way.unsigned_abs();
        let stops = orders.chain(levels.flatten()).filter(on_way);
        let left = stops.max_by_key(|left| left.unsigned_abs())?;
        Some(Tick {
            bid: tick.bid.moved(left),
            ask: tick.ask.moved(left),
            ..tick.clone()
        })
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
