//! Days of the week by the broker's clock.

use crate::BrokerTime;
use serde::{Deserialize, Serialize};

/// A day of the week. It is written in small letters, such as `monday`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weekday {
    /// Monday.
    Monday,
    /// Tuesday.
    Tuesday,
    /// Wednesday.
    Wednesday,
    /// Thursday.
    Thursday,
    /// Friday.
    Friday,
    /// Saturday.
    Saturday,
    /// Sunday.
    Sunday,
}

impl Weekday {
    const DAY_MS: i64 = 86_400_000;

    /// All of them, from Monday on.
    pub const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];

    /// The weekday of the broker's wall clock.
    #[must_use]
    pub const fn of(time: BrokerTime) -> Self {
        // Day 0, 1970-01-01, was a Thursday.
        let day = time.0.div_euclid(Self::DAY_MS) + 3;
        Self::ALL[day.rem_euclid(7) as usize]
    }

    /// True on Saturday and Sunday.
    #[must_use]
    pub const fn is_weekend(self) -> bool {
        matches!(self, Self::Saturday | Self::Sunday)
    }

    /// Its name as it is written: `monday`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Monday => "monday",
            Self::Tuesday => "tuesday",
            Self::Wednesday => "wednesday",
            Self::Thursday => "thursday",
            Self::Friday => "friday",
            Self::Saturday => "saturday",
            Self::Sunday => "sunday",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn knows_the_days() {
        assert_eq!(Weekday::of(BrokerTime(0)), Weekday::Thursday);
        assert_eq!(Weekday::of(BrokerTime(86_400_000)), Weekday::Friday);
        assert_eq!(Weekday::of(BrokerTime(-1)), Weekday::Wednesday);
        assert_eq!(Weekday::of(BrokerTime(1_580_428_800_000)), Weekday::Friday);
    }

    #[test]
    fn each_is_read_by_its_name() {
        for day in Weekday::ALL {
            let text = serde_json::to_string(&day).unwrap();
            assert_eq!(text, format!("\"{}\"", day.name()));
            assert_eq!(serde_json::from_str::<Weekday>(&text).unwrap(), day);
        }
    }
}
