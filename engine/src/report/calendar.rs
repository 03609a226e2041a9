//! Days and months of the broker's wall clock.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use mymt5_model::BrokerTime;

/// A day in milliseconds.
pub(super) const DAY_MS: i64 = 86_400_000;

/// The wall clock's reading. None: beyond the calendar.
pub(super) fn civil(time: BrokerTime) -> Option<DateTime> {
    let instant = Timestamp::from_millisecond(time.0).ok()?;
    Some(TimeZone::UTC.to_datetime(instant))
}

/// `2026-03-31 23:59:58`. Empty beyond the calendar.
pub(super) fn clock(time: BrokerTime) -> String {
    civil(time).map_or_else(String::new, |at| {
        at.strftime("%Y-%m-%d %H:%M:%S").to_string()
    })
}

/// `2026-03-31`. Empty beyond the calendar.
pub(super) fn day(time: BrokerTime) -> String {
    civil(time).map_or_else(String::new, |at| at.strftime("%Y-%m-%d").to_string())
}

/// A month of a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Month {
    pub(super) year: i16,
    /// 1 to 12.
    pub(super) month: i8,
}

impl Month {
    /// The month of a time. None: beyond the calendar.
    pub(super) fn of(time: BrokerTime) -> Option<Self> {
        let at = civil(time)?;
        Some(Self {
            year: at.year(),
            month: at.month(),
        })
    }

    /// Its first instant. None: beyond the calendar.
    pub(super) fn start(self) -> Option<BrokerTime> {
        let first = DateTime::new(self.year, self.month, 1, 0, 0, 0, 0).ok()?;
        let instant = TimeZone::UTC.to_timestamp(first).ok()?;
        Some(BrokerTime(instant.as_millisecond()))
    }

    /// The month so many months later.
    pub(super) fn later(self, months: i32) -> Self {
        let count = i32::from(self.year) * 12 + i32::from(self.month) - 1 + months;
        Self {
            year: count.div_euclid(12) as i16,
            month: count.rem_euclid(12) as i8 + 1,
        }
    }
}

/// True on Saturday and Sunday. Day 0, 1970-01-01, was a Thursday.
pub(super) const fn is_weekend(day: i64) -> bool {
    matches!((day + 3).rem_euclid(7), 5 | 6)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn months_follow_each_other() {
        let november = Month::of(BrokerTime(1_353_042_000_000)).unwrap();
        assert_eq!((november.year, november.month), (2012, 11));
        assert_eq!(november.later(2), november.later(1).later(1));
        let january = november.later(2);
        assert_eq!((january.year, january.month), (2013, 1));
        assert_eq!(clock(january.start().unwrap()), "2013-01-01 00:00:00");
        assert_eq!(day(BrokerTime(i64::MAX)), "");
    }

    #[test]
    fn the_week_ends_with_saturday_and_sunday() {
        // 2024-01-06 was a Saturday.
        let saturday = 1_704_499_200_000 / DAY_MS;
        let week: Vec<bool> = (saturday..saturday + 7).map(is_weekend).collect();
        assert_eq!(week, [true, true, false, false, false, false, false]);
    }
}
