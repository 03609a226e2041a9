//! The one place that asks the machine for the time, and the calendar that log lines, file
//! names and certificates need.

use std::time::{SystemTime, UNIX_EPOCH};

const MS_PER_DAY: i64 = 86_400_000;

/// Milliseconds since 1970-01-01 UTC; negative before it.
#[must_use]
#[allow(
    clippy::disallowed_methods,
    reason = "this is the clock everything else asks"
)]
pub fn utc_now_ms() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        Err(before) => {
            i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |passed| -passed)
        }
    }
}

/// A day of the Gregorian calendar, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Day {
    pub(crate) year: i32,
    pub(crate) month: u8,
    pub(crate) day: u8,
}

impl Day {
    /// The day a moment falls on.
    pub(crate) fn of(ms: i64) -> Self {
        // Years counted from March: the leap day is then the last of its year.
        let days = ms.div_euclid(MS_PER_DAY) + 719_468;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year_of_era =
            (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096).div_euclid(365);
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 {
            from_march + 3
        } else {
            from_march - 9
        };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self {
            year: i32::try_from(year).unwrap_or(i32::MAX),
            month: u8::try_from(month).unwrap_or(1),
            day: u8::try_from(day).unwrap_or(1),
        }
    }

    /// The day `days` later.
    pub(crate) fn after(ms: i64, days: i64) -> Self {
        Self::of(ms.saturating_add(days.saturating_mul(MS_PER_DAY)))
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// A moment as RFC 3339 with milliseconds, such as `2026-01-31T23:59:59.999Z`.
pub(crate) fn rfc3339(ms: i64) -> String {
    let of_day = ms.rem_euclid(MS_PER_DAY);
    let seconds = of_day / 1_000;
    format!(
        "{}T{:02}:{:02}:{:02}.{:03}Z",
        Day::of(ms),
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60,
        of_day % 1_000
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_knows_leap_years_and_the_epoch() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(rfc3339(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(rfc3339(4_107_542_399_999), "2100-02-28T23:59:59.999Z");
        assert_eq!(rfc3339(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_580_428_800_123), "2020-01-31T00:00:00.123Z");
    }

    #[test]
    fn days_follow_each_other() {
        assert_eq!(Day::after(951_782_400_000, 1).to_string(), "2000-03-01");
        assert_eq!(Day::after(0, -1).to_string(), "1969-12-31");
        let mut last = Day::after(0, -800);
        for n in -799..60_000 {
            let next = Day::after(0, n);
            assert!(next > last, "{next} follows {last}");
            last = next;
        }
    }

    #[test]
    fn now_is_after_this_was_written() {
        assert!(utc_now_ms() > 1_700_000_000_000);
    }
}
