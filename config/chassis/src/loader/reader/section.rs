//! The keys of one table, each by its last part.

use super::Reader;
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt::Display, ops::RangeInclusive};

/// Reads the keys of one table; see [`Reader`] for what each reading does.
pub struct Section<'a> {
    pub(super) reader: &'a mut Reader,
    pub(super) name: String,
}

impl Section<'_> {
    fn key(&self, part: &str) -> String {
        if part.is_empty() {
            return self.name.clone();
        }
        format!("{}.{part}", self.name)
    }

    /// Whether a key is set, or a table is there, be it empty. It must still be read in its place.
    #[must_use]
    pub fn has(&self, part: &str) -> bool {
        self.reader.root.get(&self.key(part)).is_some()
    }

    /// A table within this one.
    pub fn section(&mut self, part: &str) -> Section<'_> {
        let name = self.key(part);
        self.reader.section(name)
    }

    /// Reads a key that must be there.
    pub fn required<T: DeserializeOwned>(&mut self, part: &str, expected: &str) -> Option<T> {
        self.reader.required(&self.key(part), expected)
    }

    /// Reads a key that may be absent.
    pub fn optional<T: DeserializeOwned>(&mut self, part: &str, expected: &str) -> Option<T> {
        self.reader.optional(&self.key(part), expected)
    }

    /// Reads a key, or takes the default.
    pub fn or<T: DeserializeOwned + Serialize>(
        &mut self,
        part: &str,
        expected: &str,
        default: T,
    ) -> T {
        self.reader.or(&self.key(part), expected, default)
    }

    /// Reads a number, or takes the default. One outside the range is a fault.
    pub fn ranged<T>(
        &mut self,
        part: &str,
        unit: &str,
        default: T,
        range: RangeInclusive<T>,
    ) -> Option<T>
    where
        T: DeserializeOwned + Serialize + PartialOrd + Display,
    {
        let expected = format!("{} to {} {unit}", range.start(), range.end());
        let expected = expected.trim_end();
        let value = self.or(part, expected, default);
        if range.contains(&value) {
            return Some(value);
        }
        self.reject(part, "is out of range", format!("set it to {expected}"));
        None
    }

    /// Records a fault of a key; an empty part is the table itself.
    #[track_caller]
    pub fn reject(&mut self, part: &str, reason: impl Into<String>, fix: impl Into<String>) {
        self.reader.reject(&self.key(part), reason, fix);
    }
}
