//! The keys of one table of the configuration.

use mymt5_chassis::loader::Reader;
use serde::{Serialize, de::DeserializeOwned};

/// Reads keys below a prefix, as [`Reader`] reads whole ones.
pub struct Section<'a> {
    reader: &'a mut Reader,
    prefix: String,
}

impl<'a> Section<'a> {
    /// The table of that key, such as `strategies.0`.
    pub fn new(reader: &'a mut Reader, prefix: String) -> Self {
        Self { reader, prefix }
    }

    /// As [`Reader::required`].
    pub fn required<T: DeserializeOwned>(&mut self, part: &str, expected: &str) -> Option<T> {
        let key = self.key(part);
        self.reader.required(&key, expected)
    }

    /// As [`Reader::optional`].
    pub fn optional<T: DeserializeOwned>(&mut self, part: &str, expected: &str) -> Option<T> {
        let key = self.key(part);
        self.reader.optional(&key, expected)
    }

    /// As [`Reader::or`].
    pub fn or<T: DeserializeOwned + Serialize>(
        &mut self,
        part: &str,
        expected: &str,
        default: T,
    ) -> T {
        let key = self.key(part);
        self.reader.or(&key, expected, default)
    }

    /// As [`Reader::reject`].
    #[track_caller]
    pub fn reject(&mut self, part: &str, reason: impl Into<String>, fix: impl Into<String>) {
        let key = self.key(part);
        self.reader.reject(&key, reason, fix);
    }

    fn key(&self, part: &str) -> String {
        format!("{}.{part}", self.prefix)
    }
}
