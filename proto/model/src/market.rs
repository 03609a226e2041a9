//! What the market says: ticks and bars, in raw broker time.

use crate::{BrokerTime, Price, Side, Symbol};
use serde::{Deserialize, Serialize};

/// One quote of one symbol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tick {
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Raw broker time, milliseconds.
    pub time: BrokerTime,
    /// Best bid.
    pub bid: Price,
    /// Best ask.
    pub ask: Price,
    /// Last traded price, where the symbol has one.
    pub last: Option<Price>,
    /// Traded volume of `last`, in lots; 0 where the symbol has none.
    pub volume: f64,
    /// MetaTrader 5's mask: BID 2, ASK 4, LAST 8, VOLUME 16, BUY 32, SELL 64; other bits occur.
    pub flags: u32,
    /// The price came here from the tick before through all prices between, at this spread, as one
    /// does within a bar that is told as ticks. False: it may have jumped, as a quote of a market may.
    /// On no wire and in no file.
    #[serde(skip)]
    pub is_continuous: bool,
}

impl Tick {
    /// The price at which a market order of that side meets the market.
    #[must_use]
    pub const fn touch(&self, side: Side) -> Price {
        match side {
            Side::Buy => self.ask,
            Side::Sell => self.bid,
        }
    }
}

/// One bar. Prices are bids; the last bar of a series may be unfinished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Opening time of the bar, raw broker time.
    pub time: BrokerTime,
    /// First bid.
    pub open: Price,
    /// Highest bid.
    pub high: Price,
    /// Lowest bid.
    pub low: Price,
    /// Last bid.
    pub close: Price,
    /// Number of ticks.
    pub tick_volume: u64,
    /// Traded volume, 0 where the symbol has none.
    pub real_volume: u64,
    /// Spread in points.
    pub spread_points: u32,
}
