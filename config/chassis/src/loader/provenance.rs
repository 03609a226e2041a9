//! Where each value in force came from, for the operator who asks why.

use std::collections::BTreeMap;
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
