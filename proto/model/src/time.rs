//! Two kinds of time. MetaTrader 5 reports the broker's wall clock encoded as if it were UTC; only
//! a zone, given by configuration, turns that into UTC. The types keep them apart.

use jiff::{
    Timestamp,
    civil::DateTime,
    tz::{Offset, TimeZone},
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UtcTime(pub i64);

/// Milliseconds of the broker's wall clock, encoded as if it were UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BrokerTime(pub i64);

impl BrokerTime {
    const DAY_MS: i64 = 86_400_000;

    /// Midnight that begins this day.
    #[must_use]
    pub const fn day_start(self) -> Self {
        Self(self.0.div_euclid(Self::DAY_MS) * Self::DAY_MS)
    }

    /// Midnight that ends this day.
    #[must_use]
    pub const fn day_end(self) -> Self {
        Self(self.day_start().0 + Self::DAY_MS)
    }
}

/// A text that is not a time of the broker's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a date, or date and time, such as 2020-01-30 or 2020-01-30T15:28:09.820")]
pub struct BrokerTimeError;

impl fmt::Display for BrokerTime {
    /// Date and time to the millisecond: `2020-01-30T15:28:09.820`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{:.3}", Offset::UTC.to_datetime(time)),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

impl FromStr for BrokerTime {
    type Err = BrokerTimeError;
    /// Reads what [`BrokerTime`] prints, and shorter forms of it.
    fn from_str(text: &str) -> Result<Self, BrokerTimeError> {
        let time: DateTime = text.parse().map_err(|_| BrokerTimeError)?;
        let time = Offset::UTC
            .to_timestamp(time)
            .map_err(|_| BrokerTimeError)?;
        Ok(Self(time.as_millisecond()))
    }
}

/// A time in both clocks, as far as they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Moment {
    /// UTC; none where no zone is configured.
    pub utc: Option<UtcTime>,
    /// Raw broker time; none for what only the gateway saw.
    pub broker: Option<BrokerTime>,
}

/// The broker's time zone.
#[derive(Clone, Debug, PartialEq)]
pub struct BrokerZone {
    zone: TimeZone,
    shift_ms: i64,
}

/// A text that names no zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown time zone: expected an IANA name such as Europe/Athens, new_york+7, or a fixed offset such as UTC+03:00"
)]
pub struct ZoneError;

impl BrokerZone {
    /// Reads an IANA name, or `new_york+7`: New York's clock seven hours ahead, so that the
    /// broker's midnight is New York's close. Also a fixed offset: `UTC+3`, `UTC+03:00`, `+03:00`.
    ///
    /// # Errors
    /// An unknown name.
    pub fn parse(text: &str) -> Result<Self, ZoneError> {
        if let Some(seconds) = fixed_offset(text) {
            let offset = Offset::from_seconds(seconds).map_err(|_| ZoneError)?;
            return Ok(Self {
                zone: TimeZone::fixed(offset),
                shift_ms: 0,
            });
        }
        let (name, shift_ms) = if text == "new_york+7" {
            ("America/New_York", 7 * 3_600_000)
        } else {
            (text, 0)
        };
        let zone = TimeZone::get(name).map_err(|_| ZoneError)?;
        Ok(Self { zone, shift_ms })
    }

    /// The broker's wall clock at that instant; none outside years -9999..9999.
    #[must_use]
    pub fn to_broker(&self, time: UtcTime) -> Option<BrokerTime> {
        let instant = Timestamp::from_millisecond(time.0).ok()?;
        let offset = i64::from(self.zone.to_offset(instant).seconds()) * 1000;
        Some(BrokerTime(time.0 + offset + self.shift_ms))
    }

    /// The instant at which the broker's wall clock shows that time. In a repeated hour the
    /// earlier instant, in a skipped one the later reading.
    #[must_use]
    pub fn to_utc(&self, time: BrokerTime) -> Option<UtcTime> {
        let wall = Timestamp::from_millisecond(time.0 - self.shift_ms).ok()?;
        let civil: DateTime = TimeZone::UTC.to_datetime(wall);
        let instant = self.zone.to_ambiguous_timestamp(civil).compatible().ok()?;
        Some(UtcTime(instant.as_millisecond()))
    }
}

/// Seconds of `UTC+3`, `UTC-03:30`, `+03:00`; none: it has another form. At most 14 hours, as all
/// zones.
fn fixed_offset(text: &str) -> Option<i32> {
    let text = text.strip_prefix("UTC").unwrap_or(text);
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = digits.split_once(':').unwrap_or((digits, "00"));
    let number = |text: &str, most: i32| -> Option<i32> {
        let digits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse::<i32>().ok().filter(|_| digits);
        number.filter(|number| *number <= most)
    };
    let seconds = number(hours, 14)? * 3_600 + number(minutes, 59)? * 60;
    (minutes.len() == 2).then_some(sign * seconds)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const JULY: i64 = 1_784_000_000_000;
    const JANUARY: i64 = 1_768_000_000_000;

    #[test]
    fn new_york_plus_seven_follows_american_summer_time() {
        let zone = BrokerZone::parse("new_york+7").unwrap();
        assert_eq!(
            zone.to_broker(UtcTime(JULY)).unwrap().0 - JULY,
            3 * 3_600_000
        );
        assert_eq!(
            zone.to_broker(UtcTime(JANUARY)).unwrap().0 - JANUARY,
            2 * 3_600_000
        );
        // Late March: America has changed its clocks, Europe has not.
        let march = 1_774_000_000_000;
        let athens = BrokerZone::parse("Europe/Athens").unwrap();
        assert_eq!(
            zone.to_broker(UtcTime(march)).unwrap().0 - march,
            3 * 3_600_000
        );
        assert_eq!(
            athens.to_broker(UtcTime(march)).unwrap().0 - march,
            2 * 3_600_000
        );
    }

    #[test]
    fn unknown_zones_are_refused() {
        for text in [
            "Europe/Atlantis",
            "UTC+",
            "+3:5",
            "UTC+15",
            "+03:60",
            "+3x",
            "",
            "é",
        ] {
            assert_eq!(BrokerZone::parse(text), Err(ZoneError), "{text}");
        }
    }

    #[test]
    fn fixed_offsets_are_zones() {
        let offset = |text: &str| {
            let zone = BrokerZone::parse(text).unwrap();
            zone.to_broker(UtcTime(JULY)).unwrap().0 - JULY
        };
        for three in ["UTC+3", "UTC+03:00", "+03:00", "+3"] {
            assert_eq!(offset(three), 3 * 3_600_000, "{three}");
        }
        assert_eq!(offset("UTC-03:30"), -12_600_000);
        assert_eq!(offset("UTC"), 0);
    }

    proptest! {
        #[test]
        fn there_and_back_outside_the_repeated_hour(ms in 0i64..4_000_000_000_000) {
            let zone = BrokerZone::parse("Europe/Athens").unwrap();
            let back = zone.to_utc(zone.to_broker(UtcTime(ms)).unwrap()).unwrap().0;
            prop_assert!(back == ms || ms - back == 3_600_000);
        }
    }
}
