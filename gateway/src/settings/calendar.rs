//! `broker.sessions` and `broker.holidays`: when the broker trades, in its own time.

use super::sessions;
use crate::link::Calendar;
use jiff::{civil::Date, tz::TimeZone};
use mymt5_chassis::loader::Reader;
use mymt5_model::{BrokerTime, BrokerZone};
use std::collections::BTreeSet;

const HOLIDAYS: &str = "broker.holidays";

/// None: it trades at any time, or there was a fault.
pub(super) fn read(reader: &mut Reader, zone: Option<&BrokerZone>) -> Option<Calendar> {
    let week = sessions::of_week(reader, "broker.sessions");
    let days: Vec<String> = reader.or(HOLIDAYS, "a list such as [\"2026-12-25\"]", Vec::new());
    let holidays: BTreeSet<BrokerTime> = days.iter().filter_map(|day| midnight(day)).collect();
    if holidays.len() != days.len() {
        reader.reject(
            HOLIDAYS,
            "holds an entry that is not a day, or a day twice",
            "write each as YYYY-MM-DD, in broker time",
        );
    }
    if week.is_none() && days.is_empty() {
        return None;
    }
    let Some(zone) = zone else {
        reader.reject(
            "broker.time_zone",
            "is missing, and sessions and holidays are in broker time",
            "set it to an IANA name, or new_york+7",
        );
        return None;
    };
    Some(Calendar {
        zone: zone.clone(),
        week: week.map_or_else(mymt5_simulator::Week::always, |hours| hours.week),
        holidays,
    })
}

fn midnight(day: &str) -> Option<BrokerTime> {
    let day: Date = day.parse().ok()?;
    let start = TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok()?;
    Some(BrokerTime(start.as_millisecond()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::settings::TABLE;
    use mymt5_chassis::loader::Environment;
    use mymt5_model::UtcTime;
    use std::fs;

    fn of(toml: &str, zone: Option<&str>) -> (Option<Calendar>, String) {
        let file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
        fs::write(file.path(), format!("[broker]\n{toml}\n")).unwrap();
        let nothing = Environment::from_pairs([("", ""); 0]);
        let mut reader = Reader::open(&TABLE, file.path(), nothing).unwrap();
        let zone = zone.map(|zone| BrokerZone::parse(zone).unwrap());
        let calendar = read(&mut reader, zone.as_ref());
        let report = reader.finish().map(|_| String::new());
        (calendar, report.unwrap_or_else(|errors| errors.to_string()))
    }

    #[test]
    fn a_holiday_is_a_day_of_the_brokers_clock() {
        let (calendar, report) = of("holidays = [\"2026-12-25\"]", Some("Etc/GMT-3"));
        assert_eq!(report, "");
        let open = |hours: i64| {
            // 2026-12-25 in UTC begins at that second.
            let at = UtcTime((1_798_156_800 + hours * 3_600) * 1_000);
            calendar.as_ref().unwrap().is_open(at)
        };
        assert_eq!([-4, -3, 20, 21].map(open), [true, false, false, true]);
    }

    #[test]
    fn without_keys_there_is_no_calendar_and_with_them_a_zone_is_needed() {
        assert_eq!(of("", None), (None, String::new()));
        let told = |toml: &str, zone| of(toml, zone).1;
        assert!(told("holidays = [\"2026-12-25\"]", None).contains("broker.time_zone"));
        assert!(told("holidays = [\"25.12.2026\"]", Some("UTC")).contains("broker.holidays"));
        let weeks = "sessions = { monday = [\"9-10\"] }";
        assert!(told(weeks, Some("UTC")).contains("broker.sessions.monday"));
    }
}
