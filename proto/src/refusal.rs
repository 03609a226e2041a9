//! How a refusal becomes a `google.rpc.Status`: exactly one `ErrorInfo`, field violations for
//! bad input, a delay where a retry makes sense. And how the other side reads it.

use crate::Reason;
use std::{collections::HashMap, time::Duration};
use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt};

/// `ErrorInfo.domain`.
pub const DOMAIN: &str = "mymt5";

/// A refused call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    reason: Reason,
    message: String,
    metadata: HashMap<String, String>,
    fields: Vec<(String, String)>,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal with the reason's own text.
    #[must_use]
    pub fn new(reason: Reason) -> Self {
        Self::because(reason, reason.text())
    }

    /// A refusal with a text of its own. It must hold no secret.
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

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let mut details =
            ErrorDetails::with_error_info(refusal.reason.name(), DOMAIN, refusal.metadata);
        for (field, text) in refusal.fields {
            details.add_bad_request_violation(field, text);
        }
        if let Some(delay) = refusal.retry_after {
            details.set_retry_info(Some(delay));
        }
        Self::with_error_details(refusal.reason.code(), refusal.message, details)
    }
}

/// Collects what is wrong with a request, so that the caller learns all of it at once.
#[derive(Debug, Default)]
pub struct Violations(Vec<(String, Reason, String)>);

impl Violations {
    /// A refusal for one field.
    #[must_use]
    pub fn one(field: &str, reason: Reason, text: impl Into<String>) -> Refusal {
        let text = text.into();
        let mut refusal = Refusal::because(reason, format!("{field}: {text}"));
        refusal.fields = vec![(field.to_owned(), text)];
        refusal
    }

    /// Notes a fault of a field. The text says what would be right and holds no secret.
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
        let mut refusal = Refusal::because(*reason, format!("{field}: {text}"));
        refusal.fields = self
            .0
            .into_iter()
            .map(|(field, _, text)| (field, text))
            .collect();
        Err(refusal)
    }
}

/// The reason a status carries, if it is one of ours.
#[must_use]
pub fn reason_of(status: &Status) -> Option<Reason> {
    let info = status
        .get_error_details()
        .error_info()
        .cloned()
        .filter(|info| info.domain == DOMAIN)?;
    Reason::ALL
        .iter()
        .copied()
        .find(|reason| reason.name() == info.reason)
}

/// The delay a status asks for before a retry.
#[must_use]
pub fn retry_after(status: &Status) -> Option<Duration> {
    status.get_error_details().retry_info()?.retry_delay
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_reason_travels() {
        for reason in Reason::ALL {
            let status = Status::from(
                Refusal::new(*reason)
                    .with("k", 1)
                    .after(Duration::from_millis(250)),
            );
            assert_eq!(
                (status.code(), reason_of(&status)),
                (reason.code(), Some(*reason))
            );
            assert_eq!(retry_after(&status), Some(Duration::from_millis(250)));
        }
    }

    #[test]
    fn bad_input_names_every_field() {
        let mut violations = Violations::default();
        violations.add("lots", Reason::LotsOffGrid, "a multiple of 0.01");
        violations.add("side", Reason::EnumUnspecified, "SIDE_BUY or SIDE_SELL");
        let status = Status::from(violations.done().unwrap_err());
        let fields = status
            .get_error_details()
            .bad_request()
            .unwrap()
            .field_violations
            .clone();
        assert_eq!(reason_of(&status), Some(Reason::LotsOffGrid));
        assert_eq!(
            fields.iter().map(|f| f.field.as_str()).collect::<Vec<_>>(),
            ["lots", "side"]
        );
    }

    #[test]
    fn a_foreign_status_has_no_reason() {
        assert_eq!(reason_of(&Status::unavailable("x")), None);
    }
}
