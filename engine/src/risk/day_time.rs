//! The time of day and the weekday by the broker's clock.

use mymt5_chassis::loader::Section;
use mymt5_model::BrokerTime;

/// Minutes since midnight: 0 to 1440.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DayTime(u16);

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Weekday {
    pub(super) const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];

    /// Its name as a key.
    pub(super) const fn name(self) -> &'static str {
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
        let day = time.0.div_euclid(Self::DAY_MS);
        let minute = time.0.rem_euclid(Self::DAY_MS) / 60_000;
        // The first day of 1970 was a Thursday.
        let weekday = Weekday::ALL[(day + 3).rem_euclid(7) as usize];
        (weekday, Self(minute as u16))
    }
}
