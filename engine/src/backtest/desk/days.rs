//! The days by which losses are limited: a running gateway reads the account while no tick comes, too.

use super::Desk;
use mymt5_guard::{LossSettings, ResetHour};
use mymt5_model::BrokerTime;
use mymt5_orders::{Input, Snapshot};

/// From one reset to the next, by the broker's clock.
const DAY_MS: i64 = 86_400_000;

/// When a day begins; none: no losses are limited.
pub(super) fn reset(limits: LossSettings) -> Option<ResetHour> {
    let hour = limits.daily.map(|daily| daily.reset_hour);
    (limits != LossSettings::default()).then(|| hour.unwrap_or_default())
}

impl Desk {
    /// Moves the account to that time, at which no tick comes.
    pub(super) fn pass_to(&mut self, time: BrokerTime) {
        self.begin_days(time);
        self.set_time(time);
        let events = self.simulator.pass_to(time);
        if !events.is_empty() {
            self.report(events);
        }
    }

    /// Reads the account right before each reset since the last tick, and at it. True: there was one.
    pub(super) fn begin_days(&mut self, until: BrokerTime) -> bool {
        let Some((hour, since)) = self.reset.zip(self.simulator.time()) else {
            return false;
        };
        let first = hour.last(since).0 + DAY_MS;
        let mut next = first;
        while next <= until.0 {
            self.read_at(BrokerTime(next - 1));
            self.read_at(BrokerTime(next));
            next += DAY_MS;
        }
        next > first
    }

    fn read_at(&mut self, time: BrokerTime) {
        self.set_time(time);
        let rows = Snapshot {
            time: Some(time),
            ..self.rows()
        };
        self.step(Input::Rows(rows));
    }
}
