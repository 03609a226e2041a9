//! What is wrong with a configuration, reported all at once: the key, the reason and the fix. A fault
//! never carries a value, since the value may be the secret.

use std::{fmt, panic::Location};

/// One thing wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The configuration key, variable or file at fault.
    pub key: String,
    /// Why it is refused.
    pub reason: String,
    /// What to do about it.
    pub fix: String,
    place: &'static Location<'static>,
}

impl ConfigError {
    /// An error at `key`.
    #[track_caller]
    pub fn new(key: impl Into<String>, reason: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            reason: reason.into(),
            fix: fix.into(),
            place: Location::caller(),
        }
    }

    /// The line of the source that found it, by which tests see that none goes untested.
    #[must_use]
    pub fn place(&self) -> &'static Location<'static> {
        self.place
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; fix: {}", self.key, self.reason, self.fix)
    }
}

/// Every error found; its text is the whole report, one error a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => write!(f, "1 fault in the configuration")?,
            n => write!(f, "{n} faults in the configuration")?,
        }
        for error in &self.0 {
            write!(f, "\n{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_counts_and_lists() {
        let errors = ConfigErrors(vec![
            ConfigError::new("server.listen", "is missing", "set it"),
            ConfigError::new("extra", "unknown key", "remove it"),
        ]);
        assert_eq!(
            errors.to_string(),
            "2 faults in the configuration\nserver.listen: is missing; fix: set it\nextra: unknown key; fix: remove it"
        );
    }
}
