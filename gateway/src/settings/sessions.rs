//! When a market trades: `sessions` per weekday, or the simulator's short form `weekends`.

use mymt5_chassis::loader::Reader;
use mymt5_model::Weekday;
use mymt5_simulator::Week;
use serde::{
    Deserialize,
    de::{
        IntoDeserializer,
        value::{Error, StrDeserializer},
    },
};
use std::{collections::BTreeMap, ops::Range};

const SESSIONS: &str = "broker.simulator.sessions";
const WEEKENDS: &str = "broker.simulator.weekends";
/// Most sessions of a day.
const MAX_SESSIONS: usize = 16;

/// The market's week.
pub(super) struct Hours {
    pub(super) week: Week,
    /// True when neither Saturday nor Sunday has a session: a synthetic feed is silent then.
    pub(super) rests: bool,
}

/// Reads either key; both at once are a fault. Neither: open at any time.
pub(super) fn read(reader: &mut Reader) -> Option<Hours> {
    let weekends: Option<String> = reader.optional(WEEKENDS, "\"open\" or \"closed\"");
    let sessions = named(reader, SESSIONS);
    match (weekends.as_deref(), sessions) {
        (Some(_), Some(_)) => {
            let reason = format!("is set beside {WEEKENDS}, which says the same");
            reader.reject(SESSIONS, reason, "keep one of them");
            None
        }
        (None, Some(sessions)) => of_days(reader, SESSIONS, &sessions),
        (None | Some("open"), None) => Some(Hours {
            week: Week::always(),
            rests: false,
        }),
        (Some("closed"), None) => Some(Hours {
            week: Week::working_days(),
            rests: true,
        }),
        (Some(_), None) => {
            reader.reject(
                WEEKENDS,
                "is neither open nor closed",
                "set it to \"open\" or \"closed\"",
            );
            None
        }
    }
}

type Days = BTreeMap<String, Vec<String>>;

fn named(reader: &mut Reader, key: &str) -> Option<Days> {
    reader.optional(key, "a table such as { monday = [\"00:05-24:00\"] }")
}

/// The sessions of a key that need not be there.
pub(super) fn of_week(reader: &mut Reader, key: &str) -> Option<Hours> {
    let sessions = named(reader, key)?;
    of_days(reader, key, &sessions)
}

/// A day that is not named has no session.
fn of_days(reader: &mut Reader, table: &str, sessions: &Days) -> Option<Hours> {
    let mut week = Weekday::ALL
        .into_iter()
        .fold(Week::always(), |week, day| week.with(day, Vec::new()));
    let mut weekdays = 0;
    let mut weekend = 0;
    let mut complete = true;
    for (name, texts) in sessions {
        let Some(day) = weekday(name) else {
            let key = format!("{table}.{name}");
            reader.reject(&key, "is not a weekday", "write it as monday, tuesday, ...");
            complete = false;
            continue;
        };
        match of_day(texts) {
            Ok(ranges) if day.is_weekend() => {
                weekend += ranges.len();
                week = week.with(day, ranges);
            }
            Ok(ranges) => {
                weekdays += ranges.len();
                week = week.with(day, ranges);
            }
            Err((reason, fix)) => {
                reader.reject(&format!("{table}.{name}"), reason, fix);
                complete = false;
            }
        }
    }
    if complete && weekdays + weekend == 0 {
        reader.reject(
            table,
            "has no session, the market would never open",
            "name at least one day such as monday = [\"00:05-24:00\"]",
        );
        return None;
    }
    complete.then_some(Hours {
        week,
        rests: weekend == 0,
    })
}

fn weekday(name: &str) -> Option<Weekday> {
    let name: StrDeserializer<'_, Error> = name.into_deserializer();
    Weekday::deserialize(name).ok()
}

/// A day's sessions in minutes since midnight; else what is wrong and how to mend it.
fn of_day(texts: &[String]) -> Result<Vec<Range<u16>>, (String, &'static str)> {
    if texts.len() > MAX_SESSIONS {
        let reason = format!("has more than {MAX_SESSIONS} sessions");
        return Err((reason, "merge some of them"));
    }
    let mut ranges: Vec<Range<u16>> = Vec::with_capacity(texts.len());
    for (nth, text) in (1..).zip(texts) {
        let Some(range) = session(text) else {
            let reason = format!("has an invalid session in place {nth}");
            return Err((
                reason,
                "write each as \"HH:MM-HH:MM\" in broker time, its start before its end, which may be 24:00",
            ));
        };
        if ranges.last().is_some_and(|last| last.end > range.start) {
            let reason =
                format!("has a session in place {nth} that begins before its predecessor ended");
            return Err((reason, "list the sessions in order, without overlap"));
        }
        ranges.push(range);
    }
    Ok(ranges)
}

fn session(text: &str) -> Option<Range<u16>> {
    let (start, end) = text.split_once('-')?;
    let range = minutes(start.trim())?..minutes(end.trim())?;
    (range.start < range.end).then_some(range)
}

/// `HH:MM`, up to 24:00.
fn minutes(text: &str) -> Option<u16> {
    let two = |part: &str| -> Option<u16> {
        let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse().ok().filter(|_| digits)
    };
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    let at = hours * 60 + minutes;
    (minutes < 60 && at <= 24 * 60).then_some(at)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::settings::TABLE;
    use mymt5_chassis::loader::Environment;
    use mymt5_model::BrokerTime;
    use std::fs;

    /// The hours, and the report of what is wrong with them.
    fn of(toml: &str) -> (Option<Hours>, String) {
        let file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
        fs::write(file.path(), format!("[broker.simulator]\n{toml}\n")).unwrap();
        let mut reader =
            Reader::open(&TABLE, file.path(), Environment::from_pairs([("", ""); 0])).unwrap();
        let hours = read(&mut reader);
        let report = reader.finish().map(|_| String::new());
        (hours, report.unwrap_or_else(|errors| errors.to_string()))
    }

    /// Open on that day (0 is Monday) at that minute?
    fn open(week: &Week, day: i64, minute: i64) -> bool {
        // 1970-01-05 was a Monday.
        week.is_open(BrokerTime(((4 + day) * 24 * 60 + minute) * 60_000))
    }

    #[test]
    fn the_sessions_of_each_day_are_kept() {
        let (hours, report) = of(
            "sessions = { monday = [\"00:05-24:00\"], friday = [\"01:00-12:00\", \"12:00 - 22:55\"] }",
        );
        let hours = hours.unwrap();
        assert_eq!(report, "");
        assert!(hours.rests);
        for (day, minute, expected) in [
            (0, 4, false),
            (0, 5, true),
            (0, 1439, true),
            (1, 600, false),
            (4, 59, false),
            (4, 720, true),
            (4, 1374, true),
            (4, 1375, false),
            (5, 600, false),
        ] {
            assert_eq!(open(&hours.week, day, minute), expected, "{day} {minute}");
        }
    }

    #[test]
    fn a_market_with_a_session_on_sunday_does_not_rest() {
        let (hours, _) = of("sessions = { sunday = [\"22:05-24:00\"] }");
        assert!(!hours.unwrap().rests);
    }

    #[test]
    fn the_short_form_stays() {
        let (hours, report) = of("weekends = \"closed\"");
        let hours = hours.unwrap();
        assert!(hours.rests && open(&hours.week, 4, 1439) && !open(&hours.week, 5, 0));
        assert_eq!(report, "");
        for always in ["", "weekends = \"open\""] {
            let hours = of(always).0.unwrap();
            assert!(!hours.rests && open(&hours.week, 6, 0), "{always}");
        }
    }

    #[test]
    fn faults_are_told_with_key_and_fix() {
        for (toml, key, fix) in [
            ("sessions = { montag = [] }", ".sessions.montag", "monday"),
            (
                "sessions = { monday = [\"5-6\"] }",
                ".sessions.monday",
                "HH:MM",
            ),
            (
                "sessions = { monday = [\"00:00-24:01\"] }",
                ".sessions.monday",
                "HH:MM",
            ),
            (
                "sessions = { monday = [\"10:00-09:00\"] }",
                ".sessions.monday",
                "HH:MM",
            ),
            (
                "sessions = { monday = [\"09:60-11:00\"] }",
                ".sessions.monday",
                "HH:MM",
            ),
            (
                "sessions = { monday = [\"+9:00-11:00\"] }",
                ".sessions.monday",
                "HH:MM",
            ),
            (
                "sessions = { monday = [\"01:00-03:00\", \"02:00-04:00\"] }",
                ".sessions.monday",
                "overlap",
            ),
            (
                "sessions = { monday = [] }",
                ".sessions",
                "at least one day",
            ),
            ("sessions = \"always\"", ".sessions", "a table such as"),
            (
                "weekends = \"open\"\nsessions = { monday = [\"01:00-03:00\"] }",
                ".sessions",
                "keep one",
            ),
            ("weekends = \"shut\"", ".weekends", "\"open\" or \"closed\""),
        ] {
            let (_, report) = of(toml);
            let told = report
                .lines()
                .any(|line| line.contains(key) && line.contains(fix));
            assert!(told, "{toml}: {report}");
        }
    }
}
