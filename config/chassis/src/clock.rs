//! The one place that asks the machine for the time, and the forms that log lines, file names and
//! certificates need.

use jiff::{Timestamp, civil::Date, tz::Offset};
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

/// Nanoseconds since 1970-01-01 UTC; 0 before it.
#[must_use]
#[allow(
    clippy::disallowed_methods,
    reason = "this is the clock everything else asks"
)]
pub fn utc_now_ns() -> u64 {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH);
    passed.map_or(0, |passed| {
        u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX)
    })
}

/// The day a moment falls on, UTC.
pub(crate) fn day(ms: i64) -> Date {
    Offset::UTC.to_datetime(timestamp(ms)).date()
}

/// The day that comes `days` after that of a moment.
pub(crate) fn day_after(ms: i64, days: i64) -> Date {
    day(ms.saturating_add(days.saturating_mul(MS_PER_DAY)))
}

/// A moment as RFC 3339 with milliseconds, such as `2026-01-31T23:59:59.999Z`.
#[must_use]
pub fn rfc3339(ms: i64) -> String {
    format!("{:.3}", timestamp(ms))
}

fn timestamp(ms: i64) -> Timestamp {
    let beyond = if ms < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Timestamp::from_millisecond(ms).unwrap_or(beyond)
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
        assert_eq!(day_after(951_782_400_000, 1).to_string(), "2000-03-01");
        assert_eq!(day_after(0, -1).to_string(), "1969-12-31");
        let mut last = day_after(0, -800);
        for n in -799..60_000 {
            let next = day_after(0, n);
            assert!(next > last, "{next} follows {last}");
            last = next;
        }
    }

    #[test]
    fn now_is_after_this_was_written() {
        assert!(utc_now_ms() > 1_700_000_000_000);
    }
}
