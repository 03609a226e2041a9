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
        reader.fault(
            HOLIDAYS,
            "holds what is no day, or a day twice",
            "write each as YYYY-MM-DD, in broker time",
        );
    }
    if week.is_none() && days.is_empty() {
        return None;
    }
    let Some(zone) = zone else {
        reader.fault(
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
