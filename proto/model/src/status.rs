//! How a refusal becomes a `google.rpc.Status`: exactly one `ErrorInfo`, field violations for
//! bad input, a delay where a retry makes sense. And how the other side reads it. Apart from the
//! rest, since nothing pure needs it.

use crate::{Reason, Refusal};
use std::time::Duration;
use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt};

/// `ErrorInfo.domain`.
pub const DOMAIN: &str = "mymt5";

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let reason = refusal.reason();
        let message = refusal.to_string();
        let mut details = ErrorDetails::with_error_info(reason.name(), DOMAIN, refusal.metadata);
        for (field, text) in refusal.fields {
            details.add_bad_request_violation(field, text);
        }
        if let Some(delay) = refusal.retry_after {
            details.set_retry_info(Some(delay));
        }
        Self::with_error_details(reason.code(), message, details)
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
    use crate::Violations;

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
