//! A refused call: why, which fields are wrong, when a retry makes sense. How it travels stands in
//! `status`.

use crate::Reason;
use std::{collections::HashMap, fmt, time::Duration};

/// A refused call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Refusal {
    reason: Reason,
    message: String,
    pub(super) metadata: HashMap<String, String>,
    pub(super) fields: Vec<(String, String)>,
    pub(super) retry_after: Option<Duration>,
}

impl fmt::Display for Refusal {
    /// A fault of a field says what is expected; all else ends in what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.fields.is_empty() {
            write!(f, "; {}", self.reason.fix())?;
        }
        Ok(())
    }
}

impl Refusal {
    /// A refusal with the reason's own text.
    #[must_use]
    pub fn new(reason: Reason) -> Self {
        Self::because(reason, reason.text())
    }

    /// A refusal with a text of its own, which says no fix: the reason's follows. It must hold no
    /// secret.
    #[must_use]
    pub fn because(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            metadata: HashMap::new(),
            fields: Vec::new(),
            retry_after: None,
        }
    }

    /// Adds a fact for programs.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl ToString) -> Self {
        self.metadata.insert(key.to_owned(), value.to_string());
        self
    }

    /// Adds the delay after which a retry makes sense.
    #[must_use]
    pub const fn after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }
}

/// Collects what is wrong with a request, so that the caller learns all of it at once.
#[derive(Debug, Default)]
pub struct Violations(Vec<(String, Reason, String)>);

impl Violations {
    /// A refusal for one field. The text is as for [`Violations::add`].
    #[must_use]
    pub fn one(field: &str, reason: Reason, text: impl Into<String>) -> Refusal {
        let text = text.into();
        let mut refusal = Refusal::because(reason, invalid(field, &text));
        refusal.fields = vec![(field.to_owned(), text)];
        refusal
    }

    /// Notes a fault of a field. The text says what is expected, in that word, and holds no secret.
    pub fn add(&mut self, field: &str, reason: Reason, text: impl Into<String>) {
        self.0.push((field.to_owned(), reason, text.into()));
    }

    /// Takes the value, or notes the fault.
    pub fn take<T>(&mut self, field: &str, result: Result<T, (Reason, String)>) -> Option<T> {
        result
            .map_err(|(reason, text)| self.add(field, reason, text))
            .ok()
    }

    /// The refusal, if anything is wrong: its reason is the first fault's.
    ///
    /// # Errors
    /// Whatever was noted.
    pub fn done(self) -> Result<(), Refusal> {
        let Some((field, reason, text)) = self.0.first() else {
            return Ok(());
        };
        let mut refusal = Refusal::because(*reason, invalid(field, text));
        refusal.fields = self
            .0
            .into_iter()
            .map(|(field, _, text)| (field, text))
            .collect();
        Err(refusal)
    }
}

fn invalid(field: &str, text: &str) -> String {
    format!("invalid {field}: {text}")
}
