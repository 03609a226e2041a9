//! What an order is and which states it goes through.

use crate::Moment;
use serde::{Deserialize, Serialize};

/// Buy or sell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Side {
    /// Gains when the price rises; opened at the ask.
    Buy,
    /// Gains when the price falls; opened at the bid.
    Sell,
}

impl Side {
    /// The other side.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// +1 for buy, -1 for sell.
    #[must_use]
    pub const fn sign(self) -> i64 {
        match self {
            Self::Buy => 1,
            Self::Sell => -1,
        }
    }
}

/// How an order meets the market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OrderType {
    /// At once, at the touch.
    Market,
    /// At its price or better.
    Limit,
    /// At the market once the price is reached.
    Stop,
    /// Becomes a limit order at its stop-limit price once the price is reached.
    StopLimit,
}

/// How long a pending order lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TimeInForce {
    /// Until cancelled.
    Gtc,
    /// Until the end of the broker's day.
    Day,
    /// Until that time.
    Gtd(Moment),
    /// Until the end of the broker's day of that time.
    GtdDay(Moment),
}

/// Where an order is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OrderState {
    /// Taken by the gateway, not yet sent.
    Accepted,
    /// Handed to the broker, outcome awaited.
    Sent,
    /// Pending at the broker.
    Working,
    /// Part of it is filled, the rest works on.
    PartiallyFilled,
    /// All of it is filled.
    Filled,
    /// Definitely not done.
    Rejected,
    /// Cancelled, wholly or for what was left.
    Canceled,
    /// Its time passed.
    Expired,
    /// May have happened; only evidence or an operator decides.
    Unknown,
}

impl OrderState {
    /// True when no further change is expected of it.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Filled | Self::Rejected | Self::Canceled | Self::Expired
        )
    }
}
