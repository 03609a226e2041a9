//! The clock of a made up market, which goes on between two ticks: what is done between them is not
//! dated before its order.

use mymt5_model::BrokerTime;
use std::time::Instant;

/// Broker time at an instant, and how fast it goes on from there: as the feed does, whatever this
/// host's clock is set to.
#[derive(Clone, Copy, Debug)]
pub(super) struct FeedClock {
    broker: BrokerTime,
    since: Instant,
    times: f64,
}

impl FeedClock {
    /// Shows that broker time at that instant.
    pub(super) const fn new(broker: BrokerTime, since: Instant, times: f64) -> Self {
        Self {
            broker,
            since,
            times,
        }
    }

    /// Broker time of now.
    pub(super) fn now(&self) -> BrokerTime {
        self.at(Instant::now())
    }

    /// Shows that broker time at that instant instead.
    pub(super) fn set(&mut self, broker: BrokerTime, since: Instant) {
        self.broker = broker;
        self.since = since;
    }

    /// A begun millisecond counts: a deal would else be dated before an order of the same moment.
    fn at(&self, instant: Instant) -> BrokerTime {
        let passed = instant.saturating_duration_since(self.since);
        let passed = passed.as_secs_f64() * 1_000.0 * self.times;
        BrokerTime(self.broker.0.saturating_add(passed.ceil() as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn it_goes_at_its_pace_and_never_back() {
        let begun = Instant::now();
        let later = begun + Duration::from_millis(10);
        let clock = FeedClock::new(BrokerTime(7_200_000), begun, 2.5);
        assert_eq!(clock.at(begun), BrokerTime(7_200_000));
        assert_eq!(clock.at(later), BrokerTime(7_200_025));
        assert_eq!(
            clock.at(begun + Duration::from_micros(10)),
            BrokerTime(7_200_001)
        );
        let clock = FeedClock::new(BrokerTime(7_200_000), later, 2.5);
        assert_eq!(clock.at(begun), BrokerTime(7_200_000));
    }
}
