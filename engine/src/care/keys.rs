//! How the rules read what several of them have.

use mymt5_chassis::loader::Section;
use serde::de::DeserializeOwned;
use std::ops::RangeInclusive;

/// Reads a number that may be absent. One outside the range is a fault.
pub(super) fn within<T: DeserializeOwned + PartialOrd>(
    section: &mut Section<'_>,
    part: &str,
    expected: &str,
    range: RangeInclusive<T>,
) -> Option<T> {
    let value: Option<T> = section.optional(part, expected);
    if value.as_ref().is_some_and(|value| !range.contains(value)) {
        let fix = format!("set it to {expected}, or remove it");
        section.reject(part, "is out of range", fix);
    }
    value
}

pub(super) fn multiple_of_r(section: &mut Section<'_>, part: &str) -> Option<f64> {
    within(section, part, "a multiple of R, 0.1 to 100", 0.1..=100.0)
}

pub(super) fn points(section: &mut Section<'_>, part: &str) -> Option<u32> {
    within(section, part, "1 to 100000 points", 1..=100_000)
}
