//! When the broker trades, as the configuration says: outside of it silence is expected.

use mymt5_model::{BrokerTime, BrokerZone, UtcTime};
use mymt5_simulator::Week;
use std::collections::BTreeSet;

/// Trading hours in broker time.
#[derive(Clone, Debug, PartialEq)]
pub struct Calendar {
    /// The broker's zone.
    pub zone: BrokerZone,
    /// Sessions of each weekday.
    pub week: Week,
    /// Midnights that begin days without a session.
    pub holidays: BTreeSet<BrokerTime>,
}

impl Calendar {
    /// True inside a session. A time that has no place in the broker's clock counts as inside.
    #[must_use]
    pub fn is_open(&self, now: UtcTime) -> bool {
        self.zone.to_broker(now).is_none_or(|time| {
            self.week.is_open(time) && !self.holidays.contains(&time.day_start())
        })
    }
}
