//! The time of day and the weekday by the broker's clock.

use mymt5_chassis::loader::Section;
use mymt5_model::{BrokerTime, Weekday};

/// Minutes since midnight: 0 to 1440.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DayTime(u16);

impl DayTime {
    const DAY_MS: i64 = 86_400_000;

    /// Reads `17:30`, and `24:00` for the day's end.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (hours, minutes) = text.split_once(':')?;
        let number = |text: &str| -> Option<u16> {
            let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
            text.parse().ok().filter(|_| digits)
        };
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        let time = hours * 60 + minutes;
        (minutes < 60 && time <= 1440).then_some(Self(time))
    }

    /// Reads a key that holds one.
    pub(super) fn read(section: &mut Section<'_>, part: &str) -> Option<Self> {
        let text: String = section.optional(part, "a time such as \"20:30\"")?;
        let time = Self::parse(&text);
        if time.is_none() {
            section.reject(
                part,
                "is not a time of day",
                "set it to one such as \"20:30\", or remove it",
            );
        }
        time
    }

    /// The weekday of a time and its minute of that day.
    pub(super) const fn of(time: BrokerTime) -> (Weekday, Self) {
        let minute = time.0.rem_euclid(Self::DAY_MS) / 60_000;
        (Weekday::of(time), Self(minute as u16))
    }
}
