//! The clock of a made up market, which goes on between two ticks: what is done between them is not
//! dated before its order.

use mymt5_chassis::clock::utc_now_ms;
use mymt5_model::BrokerTime;

/// Broker time at a moment of this host's clock, and how fast it goes on from there.
#[derive(Clone, Copy, Debug)]
pub(super) struct FeedClock {
    broker: BrokerTime,
    utc_ms: i64,
    times: f64,
}

impl FeedClock {
    /// Shows that broker time at that moment, Unix milliseconds.
    pub(super) const fn new(broker: BrokerTime, utc_ms: i64, times: f64) -> Self {
        Self {
            broker,
            utc_ms,
            times,
        }
    }

    /// Broker time of now.
    pub(super) fn now(&self) -> BrokerTime {
        self.at(utc_now_ms())
    }

    /// Shows that broker time now.
    pub(super) fn set(&mut self, broker: BrokerTime) {
        self.broker = broker;
        self.utc_ms = utc_now_ms();
    }

    fn at(&self, utc_ms: i64) -> BrokerTime {
        let passed = utc_ms.saturating_sub(self.utc_ms).max(0) as f64 * self.times;
        BrokerTime(self.broker.0.saturating_add(passed as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_at_its_pace_and_never_back() {
        let clock = FeedClock::new(BrokerTime(7_200_000), 1_000, 2.5);
        assert_eq!(clock.at(1_000), BrokerTime(7_200_000));
        assert_eq!(clock.at(1_010), BrokerTime(7_200_025));
        assert_eq!(clock.at(900), BrokerTime(7_200_000));
    }
}
