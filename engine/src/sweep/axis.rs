//! One key and the values that it takes: `strategies.0.fast=5..50/5`, `strategies.0.slow=20,50,100`.

use super::limits::MOST_POINTS;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, str::FromStr};

/// Decimals of a number of a range.
const MOST_DECIMALS: usize = 8;
/// Digits before its point.
const MOST_DIGITS: usize = 9;

/// A key of the configuration and its values, in the order in which they are tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Axis {
    /// The key, such as `strategies.0.fast`.
    pub key: String,
    /// The values as texts: what reads the key gives them its type.
    pub values: Vec<String>,
}

/// A text that is not a key and its values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AxisError {
    /// Another form.
    #[error("expected KEY=VALUES such as strategies.0.fast=5..50/5 or strategies.0.slow=20,50,100")]
    Form,
    /// No range of decimal numbers.
    #[error(
        "{0}: expected FROM..TO or FROM..TO/STEP, with FROM not above TO, a step above 0, and numbers of at most {MOST_DIGITS} digits and {MOST_DECIMALS} decimals"
    )]
    Range(String),
    /// More values than a sweep has points.
    #[error("expected at most {MOST_POINTS} values")]
    Many,
    /// A value twice.
    #[error("{0}: expected each value once")]
    Twice(String),
}

impl FromStr for Axis {
    type Err = AxisError;

    fn from_str(text: &str) -> Result<Self, AxisError> {
        let (key, told) = text.split_once('=').ok_or(AxisError::Form)?;
        if key.split('.').any(str::is_empty) {
            return Err(AxisError::Form);
        }
        let mut values = Vec::new();
        for part in told.split(',').map(str::trim) {
            if part.is_empty() {
                return Err(AxisError::Form);
            }
            match part.split_once("..") {
                Some((from, rest)) => values.extend(range(part, from, rest)?),
                None => values.push(part.to_owned()),
            }
            if values.len() > MOST_POINTS {
                return Err(AxisError::Many);
            }
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = values.iter().find(|value| !seen.insert(value.as_str())) {
            return Err(AxisError::Twice(twice.clone()));
        }
        Ok(Self {
            key: key.to_owned(),
            values,
        })
    }
}

/// The values of a range, both ends included. Counted in whole units, so that no step is off by a
/// rounding.
fn range(part: &str, from: &str, rest: &str) -> Result<Vec<String>, AxisError> {
    let (to, step) = rest.split_once('/').unwrap_or((rest, "1"));
    let invalid = || AxisError::Range(part.to_owned());
    let decimals = [from, to, step].map(|number| {
        number
            .split_once('.')
            .map_or(0, |(_, decimals)| decimals.len())
    });
    let places = decimals.into_iter().max().unwrap_or_default();
    let read = |number: &str| units(number, places).ok_or_else(invalid);
    let (from, to, step) = (read(from)?, read(to)?, read(step)?);
    if from > to || step <= 0 {
        return Err(invalid());
    }
    let count = (to - from) / step + 1;
    if count > MOST_POINTS as i64 {
        return Err(AxisError::Many);
    }
    let values = (0..count).map(|at| shown(from + at * step, places));
    Ok(values.collect())
}

/// A decimal number in units of that many places. None: it is none, or has too many digits.
fn units(number: &str, places: usize) -> Option<i64> {
    let digits = number.strip_prefix('-').unwrap_or(number);
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
    let fits = |digits: &str, most: usize| {
        let only_digits = digits.bytes().all(|digit| digit.is_ascii_digit());
        only_digits && (1..=most).contains(&digits.len())
    };
    if !fits(whole, MOST_DIGITS) || !fits(decimals, MOST_DECIMALS) {
        return None;
    }
    let decimals = if places == 0 { "" } else { decimals };
    let size: i64 = format!("{whole}{decimals:0<places$}").parse().ok()?;
    let is_negative = digits.len() < number.len();
    Some(if is_negative { -size } else { size })
}

/// The number with the decimals that it needs.
fn shown(units: i64, places: usize) -> String {
    if places == 0 {
        return units.to_string();
    }
    let sign = if units < 0 { "-" } else { "" };
    let digits = format!("{:0>1$}", units.unsigned_abs(), places + 1);
    let (whole, decimals) = digits.split_at(digits.len() - places);
    let number = format!("{sign}{whole}.{decimals}");
    let number = number.trim_end_matches('0').trim_end_matches('.');
    number.to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn values(text: &str) -> Vec<String> {
        let axis: Axis = format!("a.b={text}").parse().unwrap();
        assert_eq!(axis.key, "a.b");
        axis.values
    }

    #[test]
    fn lists_and_ranges_are_read_in_their_order() {
        assert_eq!(values("20,50,100"), ["20", "50", "100"]);
        assert_eq!(values("5..20/5"), ["5", "10", "15", "20"]);
        assert_eq!(values("5..19/5"), ["5", "10", "15"]);
        assert_eq!(values("1..3"), ["1", "2", "3"]);
        assert_eq!(values("3..3"), ["3"]);
        assert_eq!(values("M5,H1"), ["M5", "H1"]);
        assert_eq!(values("9,1..2"), ["9", "1", "2"]);
        assert_eq!(values("-0.25..0.5/0.25"), ["-0.25", "0", "0.25", "0.5"]);
        assert_eq!(values("0.1..0.3/0.1"), ["0.1", "0.2", "0.3"]);
        assert_eq!(values("9..10.5/0.75"), ["9", "9.75", "10.5"]);
        assert_eq!(values("10..20/10"), ["10", "20"]);
    }

    #[test]
    fn what_is_neither_is_refused() {
        let error = |text: &str| text.parse::<Axis>().unwrap_err();
        for form in ["", "a", "=1", "a..b=1", ".a=1", "a=", "a=1,,2"] {
            assert_eq!(error(form), AxisError::Form, "{form}");
        }
        for range in [
            "5..1",
            "1..5/0",
            "1..5/-1",
            "1..",
            "..5",
            "x..y",
            "1...5",
            "1..5/",
            "1..5/1/1",
            "0.000000001..1",
            "1.2.3..4",
            "1234567890..1234567891",
            "--1..2",
        ] {
            let told = error(&format!("a={range}"));
            assert_eq!(told, AxisError::Range(range.to_owned()), "{range}");
        }
        assert_eq!(error("a=1..200000"), AxisError::Many);
        assert_eq!(error("a=1..60000,70001..120000"), AxisError::Many);
        assert_eq!(error("a=1,2,1"), AxisError::Twice("1".to_owned()));
        assert_eq!(error("a=1..3,2"), AxisError::Twice("2".to_owned()));
    }
}
