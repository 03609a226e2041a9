//! Where each value in force came from, for the operator who asks why.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Every key that was read, with its value and source. `Display` gives one line a key:
/// `key = value (source)`; a secret is `***`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    pub(super) lines: BTreeMap<String, (String, String)>,
    pub(super) warnings: Vec<String>,
}

impl Provenance {
    /// What is odd but does not keep the process from starting.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Where the value of a key came from; none where there is none.
    pub(crate) fn source(&self, key: &str) -> Option<&str> {
        self.lines.get(key).map(|(_, source)| source.as_str())
    }

    /// The keys of a section, such as `risk`, and their values as they are displayed; without those
    /// that have none.
    pub fn section<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let is_inside = move |key: &str| {
            key.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('.'))
        };
        self.lines
            .iter()
            .filter(move |(key, (value, _))| is_inside(key) && !value.is_empty())
            .map(|(key, (value, _))| (key.as_str(), value.as_str()))
    }

    /// The keys whose value differs from an earlier reading's, or that only one of them has. A
    /// value that is not shown counts as unchanged.
    #[must_use]
    pub fn changed_since<'a>(&'a self, earlier: &'a Self) -> Vec<&'a str> {
        let value = |of: &Self, key: &str| of.lines.get(key).map(|(value, _)| value.clone());
        let keys: BTreeSet<&String> = self.lines.keys().chain(earlier.lines.keys()).collect();
        keys.into_iter()
            .map(String::as_str)
            .filter(|key| value(self, key) != value(earlier, key))
            .collect()
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (key, (value, source))) in self.lines.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            if value.is_empty() {
                write!(f, "{key} ({source})")?;
            } else {
                write!(f, "{key} = {value} ({source})")?;
            }
        }
        Ok(())
    }
}
