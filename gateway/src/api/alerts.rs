//! `RaiseAlert`: a client's own words become a bounded alert.

use super::{AppState, call, control::outcome, facts::Facts};
use crate::notify::{Admission, Alert, Kind, Raise, Severity};
use mymt5_chassis::letters;
use mymt5_model::{ClientName, RequestId, UtcTime};
use mymt5_proto::{Reason, Refusal, Violations, v1};
use tonic::Request;

/// Takes a client's alert. It is on record before it is told.
///
/// # Errors
/// `AUDIT_UNWRITABLE`; `IDEMPOTENCY_MISMATCH`; `RATE_LIMITED`; `NOT_AFTER_PASSED`; a field that is not
/// valid.
pub(super) fn raise(
    app: &AppState,
    request: Request<v1::RaiseAlertRequest>,
) -> Result<(), Refusal> {
    let caller = call::caller(&request)?;
    let (_, extensions, message) = request.into_parts();
    let named = ("RaiseAlert", message.request_id.as_str());
    let asked = app.asked(&extensions, &caller, named, message.facts(), false)?;
    let taken = take(app, &caller.0.name, &message);
    asked.answered(outcome(&taken));
    taken
}

fn take(
    app: &AppState,
    client: &ClientName,
    message: &v1::RaiseAlertRequest,
) -> Result<(), Refusal> {
    let (id, alert) = parse(client, message)?;
    let raise = Raise {
        id,
        alert,
        not_after: message.not_after.map(UtcTime),
    };
    match app.notifier.raise(client, raise) {
        Admission::New | Admission::Repeat => Ok(()),
        Admission::Mismatch => Err(Refusal::new(Reason::IdempotencyMismatch)),
        Admission::Late => Err(Refusal::new(Reason::NotAfterPassed)),
        Admission::Wait(pause) => {
            let why = "the client raised too many alerts within a minute";
            Err(Refusal::because(Reason::RateLimited, why).after(pause))
        }
    }
}

/// An alert's id and its words.
///
/// # Errors
/// All fields that are not valid.
pub(super) fn parse(
    client: &ClientName,
    message: &v1::RaiseAlertRequest,
) -> Result<(RequestId, Alert), Refusal> {
    let mut violations = Violations::default();
    let id = RequestId::parse(&message.request_id);
    let id = id.map_err(|error| (Reason::RequestIdInvalid, error.to_string()));
    let id = violations.take("request_id", id);
    let severity = violations.take("severity", severity(message.severity()));
    let is_printable = |text: &str| !text.chars().any(letters::steers);
    let title = message.title.trim();
    if !(1..=64).contains(&title.chars().count()) || !is_printable(title) {
        let text = "expected 1 to 64 printable characters";
        violations.add("title", Reason::FieldInvalid, text);
    }
    let text = message.text.trim();
    if text.chars().count() > 1_000 || !is_printable(text) {
        let text = "expected at most 1000 printable characters";
        violations.add("text", Reason::FieldInvalid, text);
    }
    violations.done()?;
    let words = match text {
        "" => title.to_owned(),
        text => format!("{title}: {text}"),
    };
    let (Some(id), Some(severity)) = (id, severity) else {
        return Err(Refusal::new(Reason::Internal));
    };
    let alert = Alert {
        client: client.to_string(),
        ..Alert::new(Kind::Raised, severity, words)
    };
    Ok((id, alert))
}

fn severity(severity: v1::Severity) -> Result<Severity, (Reason, String)> {
    match severity {
        v1::Severity::Info => Ok(Severity::Info),
        v1::Severity::Warning => Ok(Severity::Warning),
        v1::Severity::Critical => Ok(Severity::Critical),
        v1::Severity::Unspecified => {
            let text = "expected SEVERITY_INFO, _WARNING or _CRITICAL";
            Err((Reason::EnumUnspecified, text.to_owned()))
        }
    }
}
