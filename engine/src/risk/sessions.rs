//! When entries may be made: windows per weekday, by the broker's clock.

use super::{DayTime, RiskRefused};
use mymt5_chassis::loader::Section;
use mymt5_model::{BrokerTime, Weekday};

/// The windows of each weekday; a weekday without any is closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sessions([Vec<Window>; 7]);

/// From the first minute until before the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window(DayTime, DayTime);

impl Sessions {
    /// Reads `sessions.monday` and so on. None: entries may be made at any time.
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let mut sessions = Self::default();
        let mut any = false;
        for day in Weekday::ALL {
            let part = format!("sessions.{}", day.name());
            let windows: Option<Vec<String>> =
                section.optional(&part, "a list of windows such as [\"08:00-17:00\"]");
            let Some(texts) = windows else { continue };
            any = true;
            let windows: Option<Vec<Window>> = texts.iter().map(|text| window(text)).collect();
            match windows {
                Some(windows) => sessions.0[day as usize] = windows,
                None => section.reject(
                    &part,
                    "has a window that cannot be read",
                    "write each as \"08:00-17:00\", within one day and at most until 24:00",
                ),
            }
        }
        any.then_some(sessions)
    }

    pub(super) fn check(&self, time: BrokerTime) -> Result<(), RiskRefused> {
        let (day, now) = DayTime::of(time);
        let windows = &self.0[day as usize];
        if windows
            .iter()
            .any(|Window(from, to)| *from <= now && now < *to)
        {
            Ok(())
        } else {
            Err(RiskRefused::SessionClosed)
        }
    }
}

fn window(text: &str) -> Option<Window> {
    let (from, to) = text.split_once('-')?;
    let window = Window(DayTime::parse(from.trim())?, DayTime::parse(to.trim())?);
    (window.0 < window.1).then_some(window)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_window_begins_with_its_first_minute_and_ends_before_its_last() {
        let mut sessions = Sessions::default();
        sessions.0[Weekday::Monday as usize] = vec![window("08:00-12:00").unwrap()];
        // The first Monday of 1970 was its fifth day.
        let at = |minutes: i64| sessions.check(BrokerTime((4 * 1440 + minutes) * 60_000));
        for (minutes, open) in [(479, false), (480, true), (719, true), (720, false)] {
            assert_eq!(at(minutes).is_ok(), open, "{minutes}");
            assert!(
                at(minutes + 1440).is_err(),
                "a day without windows is closed"
            );
        }
        assert!(window("22:00-24:00").is_some());
        for bad in [
            "8",
            "08:00",
            "12:00-08:00",
            "08:00-24:01",
            "08:60-09:00",
            "-",
        ] {
            assert!(window(bad).is_none(), "{bad}");
        }
    }
}
