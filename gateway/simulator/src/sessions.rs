//! Trading hours: for each weekday, the minutes of the broker's day in which a symbol trades.

use mymt5_model::{BrokerTime, Weekday};
use std::ops::Range;

const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;
/// Minutes of a day.
const DAY_MINUTES: u16 = 1440;

/// The trading hours of a week, in broker time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Week {
    days: [Vec<Range<u16>>; 7],
}

impl Week {
    /// Open at any time.
    #[must_use]
    pub fn always() -> Self {
        Self {
            days: std::array::from_fn(|_| std::iter::once(0..DAY_MINUTES).collect()),
        }
    }

    /// Open from Monday's first to Friday's last minute.
    #[must_use]
    pub fn working_days() -> Self {
        Self::always()
            .with(Weekday::Saturday, Vec::new())
            .with(Weekday::Sunday, Vec::new())
    }

    /// This week with other sessions on one day: half-open ranges of minutes since midnight
    /// (0 to 1440).
    #[must_use]
    pub fn with(mut self, day: Weekday, sessions: Vec<Range<u16>>) -> Self {
        self.days[day as usize] = sessions;
        self
    }

    /// True inside a session.
    #[must_use]
    pub fn is_open(&self, time: BrokerTime) -> bool {
        let minute = time.0.rem_euclid(DAY_MS) / MINUTE_MS;
        self.days[Weekday::of(time) as usize]
            .iter()
            .any(|session| (i64::from(session.start)..i64::from(session.end)).contains(&minute))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRIDAY: i64 = DAY_MS;

    #[test]
    fn sessions_are_half_open() {
        let week = Week::working_days().with(Weekday::Friday, vec![60..120, 180..1380]);
        let at = |minute: i64| week.is_open(BrokerTime(FRIDAY + minute * MINUTE_MS));
        assert!(!at(59) && at(60) && at(119) && !at(120) && at(180) && !at(1380));
        assert!(!week.is_open(BrokerTime(FRIDAY + DAY_MS)));
        assert!(Week::always().is_open(BrokerTime(FRIDAY + DAY_MS)));
    }
}
