//! What is known of an entry and of the scope whose limits it must respect.

use mymt5_model::{Lots, Money, Symbol};
use std::fmt;

/// An entry as limits see it. None stands for a fact that is not known.
#[derive(Clone, Debug, PartialEq)]
pub struct EntryFacts {
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Volume.
    pub lots: Lots,
    /// Its stop loss; none: it has none, which is a fact too.
    pub stop: Option<StopFacts>,
    /// How far the order's prices are from the quote, in percent of it; 0 at the market.
    pub price_distance_percent: Option<f64>,
    /// Ask less bid, points.
    pub spread_points: Option<i64>,
    /// What the scope holds already.
    pub exposure: Exposure,
    /// The account's equity.
    pub equity: Option<Money>,
    /// The account's margin once this entry and all that is reserved is filled.
    pub margin_after: Option<Money>,
}

/// A stop loss as limits see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StopFacts {
    /// From the opening price to the stop, points.
    pub distance_points: Option<i64>,
    /// What is lost there, in the account currency.
    pub risk: Option<Money>,
}

/// What a scope holds, without the entry in question. Orders that are not settled (waiting, in
/// flight, working or UNKNOWN) are reservations: they count as if they were filled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    /// Lots of the symbol in the entry's direction.
    pub lots_of_symbol: Lots,
    /// Lots of all symbols in both directions.
    pub lots_total: Lots,
    /// Open positions, and orders that could open one.
    pub positions: u32,
    /// Orders that could open a position.
    pub orders: u32,
    /// Entries taken within the last minute.
    pub recent_entries: u32,
}

/// A fact that a limit needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fact {
    /// The account's equity.
    Equity,
    /// The margin after the entry.
    Margin,
    /// The distance of the stop loss.
    StopDistance,
    /// What is lost at the stop loss.
    Risk,
    /// The distance of the price from the quote.
    PriceDistance,
    /// The spread.
    Spread,
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equity => "equity",
            Self::Margin => "margin",
            Self::StopDistance => "stop distance",
            Self::Risk => "risk to the stop",
            Self::PriceDistance => "distance from the quote",
            Self::Spread => "spread",
        })
    }
}
