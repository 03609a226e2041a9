//! No entries around releases: a calendar of them, read whole at the start.

use super::{Entry, Facts, RiskRefused};
use jiff::{civil::DateTime, tz::TimeZone};
use mymt5_chassis::loader::Section;
use mymt5_model::UtcTime;
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Largest calendar, bytes.
const LARGEST: u64 = 8 << 20;
/// Longest time before or after a release, minutes: a day.
const LONGEST: u32 = 1440;
/// What stands for every currency.
const ALL: &str = "ALL";

/// Releases around which nothing is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// Those that matter, the earliest first.
    releases: Vec<Release>,
    /// The last release of any impact: after it nothing is known.
    last: UtcTime,
    before_ms: i64,
    after_ms: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Release {
    time: UtcTime,
    currency: String,
    impact: Impact,
}

/// How much a release moves its currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Impact {
    Low,
    Medium,
    High,
}

impl Calendar {
    /// Reads its keys and its file.
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let path: Option<PathBuf> = section.optional("news.calendar", "a CSV file");
        let least = section.or(
            "news.min_impact",
            "\"low\", \"medium\" or \"high\"",
            Impact::High,
        );
        let before = section.ranged("news.minutes_before", "minutes", 30, 0..=LONGEST);
        let after = section.ranged("news.minutes_after", "minutes", 30, 0..=LONGEST);
        let path = path?;
        let text = match text(&path) {
            Ok(text) => text,
            Err(error) => {
                section.reject(
                    "news.calendar",
                    format!("cannot read {} ({error})", path.display()),
                    "let this user read that file, of at most 8 MiB of plain text",
                );
                return None;
            }
        };
        let mut releases = match releases(&text) {
            Ok(releases) => releases,
            Err(line) => {
                section.reject(
                    "news.calendar",
                    format!("line {line} is not a release"),
                    "write each as time in UTC,currency,impact: 2027-01-08 13:30,USD,high",
                );
                return None;
            }
        };
        releases.sort_by_key(|release| release.time);
        let Some(last) = releases.last().map(|release| release.time) else {
            section.reject(
                "news.calendar",
                "has no releases",
                "add the releases to come",
            );
            return None;
        };
        releases.retain(|release| release.impact >= least);
        Some(Self {
            releases,
            last,
            before_ms: i64::from(before?) * 60_000,
            after_ms: i64::from(after?) * 60_000,
        })
    }

    pub(super) fn check(&self, entry: &Entry<'_>, facts: &Facts<'_>) -> Result<(), RiskRefused> {
        let now = facts.utc.ok_or(RiskRefused::NewsTimeUnknown)?;
        if now > self.last {
            return Err(RiskRefused::CalendarEnded);
        }
        let first = UtcTime(now.0 - self.after_ms);
        let begin = self
            .releases
            .partition_point(|release| release.time < first);
        let near = self.releases[begin..]
            .iter()
            .take_while(|release| release.time.0 - self.before_ms <= now.0);
        let concerns = |release: &Release| {
            let currencies = [&entry.spec.base_currency, &entry.spec.quote_currency];
            release.currency == ALL || currencies.contains(&&release.currency)
        };
        if near.into_iter().any(concerns) {
            return Err(RiskRefused::News);
        }
        Ok(())
    }
}

fn text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?
        .take(LARGEST + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(text)
}

/// The releases of a calendar, or the first line that is none. Empty lines, lines that begin with #,
/// a first line of names, and fields after the third do not matter.
fn releases(text: &str) -> Result<Vec<Release>, usize> {
    let mut found = Vec::new();
    for (number, line) in (1usize..).zip(text.lines()) {
        let line = line.trim();
        let names = number == 1 && line.to_ascii_lowercase().starts_with("time,");
        if line.is_empty() || line.starts_with('#') || names {
            continue;
        }
        found.push(release(line).ok_or(number)?);
    }
    Ok(found)
}

fn release(line: &str) -> Option<Release> {
    let mut fields = line.split(',').map(str::trim);
    let time = fields.next()?;
    let currency = fields.next()?.to_ascii_uppercase();
    let impact = match fields.next()?.to_ascii_lowercase().as_str() {
        "low" => Impact::Low,
        "medium" => Impact::Medium,
        "high" => Impact::High,
        _ => return None,
    };
    let letters = currency.len() == 3 && currency.bytes().all(|b| b.is_ascii_uppercase());
    let time = time.trim_end_matches('Z');
    // Neither a date alone nor a time of another zone.
    let (_, clock) = time.split_once([' ', 'T'])?;
    let plain = clock.bytes().all(|b| b.is_ascii_digit() || b == b':');
    let civil: DateTime = time.parse().ok()?;
    let utc = TimeZone::UTC.to_timestamp(civil).ok()?;
    (letters && plain).then_some(Release {
        time: UtcTime(utc.as_millisecond()),
        currency,
        impact,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_calendar_is_read_whole_or_its_fault_is_told_by_line() {
        let good = "time,currency,impact\n# the week\n\n2027-01-08 13:30,USD,high,Payrolls\n\
                    2027-01-08T15:00:00Z,eur,Low\n2027-01-09T00:00Z,All,medium\n";
        let found = releases(good).unwrap();
        let times: Vec<i64> = found.iter().map(|release| release.time.0).collect();
        assert_eq!(
            times,
            [1_799_415_000_000, 1_799_420_400_000, 1_799_452_800_000]
        );
        assert_eq!(found[2].currency, ALL);
        for bad in [
            "2027-01-08,USD,high",
            "2027-01-08 13:30,USD",
            "2027-01-08 13:30,US,high",
            "2027-01-08 13:30,USD,holiday",
            "2027-01-08 13:30+02:00,USD,high",
            "2027-01-08 13:30-05,USD,high",
            "yesterday 10:00,USD,high",
        ] {
            assert_eq!(releases(&format!("\n{bad}\n")), Err(2), "{bad}");
        }
    }
}
