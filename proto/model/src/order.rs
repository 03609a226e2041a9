//! What an order is and which states it goes through.

use crate::{BrokerTime, Moment};
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

impl TimeInForce {
    /// True where the broker makes no difference between them: it keeps whole seconds of its own
    /// clock, and of [`TimeInForce::GtdDay`] the day alone counts.
    #[must_use]
    pub fn is_same_at_broker(self, other: Self) -> bool {
        let second = |time: BrokerTime| time.0.div_euclid(1_000);
        match (self, other) {
            (Self::Gtd(one), Self::Gtd(other)) => {
                one.broker.map(second) == other.broker.map(second)
            }
            (Self::GtdDay(one), Self::GtdDay(other)) => {
                one.broker.map(BrokerTime::day_start) == other.broker.map(BrokerTime::day_start)
            }
            (one, other) => one == other,
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UtcTime;

    const NOON: i64 = 20_000 * 86_400_000 + 43_200_000;

    fn asked(ms: i64) -> Moment {
        Moment {
            utc: Some(UtcTime(ms)),
            broker: Some(BrokerTime(ms)),
        }
    }

    fn listed(ms: i64) -> Moment {
        Moment {
            utc: None,
            ..asked(ms)
        }
    }

    #[test]
    fn a_broker_keeps_whole_seconds_of_its_clock() {
        let until = TimeInForce::Gtd(asked(NOON + 999));
        assert!(until.is_same_at_broker(TimeInForce::Gtd(listed(NOON))));
        assert!(!until.is_same_at_broker(TimeInForce::Gtd(listed(NOON + 1_000))));
    }

    #[test]
    fn of_a_lifetime_of_days_the_day_alone_counts() {
        let day = TimeInForce::GtdDay(asked(NOON));
        let last_second = BrokerTime(NOON).day_end().0 - 1_000;
        assert!(day.is_same_at_broker(TimeInForce::GtdDay(listed(last_second))));
        assert!(!day.is_same_at_broker(TimeInForce::GtdDay(listed(last_second + 1_000))));
    }

    #[test]
    fn lifetimes_of_other_kinds_differ() {
        let kinds = [
            TimeInForce::Gtc,
            TimeInForce::Day,
            TimeInForce::Gtd(asked(NOON)),
            TimeInForce::GtdDay(asked(NOON)),
        ];
        for (n, one) in kinds.into_iter().enumerate() {
            for (m, other) in kinds.into_iter().enumerate() {
                assert_eq!(one.is_same_at_broker(other), n == m, "{one:?} {other:?}");
            }
        }
    }
}
