//! What a secret must be, so that it can be masked wherever it stands.

/// Longest secret, in bytes: the redactor holds each in some hundred forms.
pub(crate) const MAX_BYTES: usize = 1024;
const MIN_CHARS: usize = 6;

/// Why a secret was refused, and what to do. It never carries the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: String,
    pub(crate) fix: String,
}

pub(crate) fn refused<T>(reason: impl Into<String>, fix: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal {
        reason: reason.into(),
        fix: fix.into(),
    })
}

/// Whether a secret is an account number, which is masked as a whole number and to its last four
/// digits.
pub(crate) fn is_account_number(name: &str, text: &str) -> bool {
    name.ends_with("LOGIN") && !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// A secret is masked in logs wherever it stands, so one that is too short would mask too much,
/// and one with control characters would be written in more ways than can be masked. The length
/// of an account number does not matter.
pub(crate) fn check(name: &str, text: &str) -> Result<(), Refusal> {
    if text.is_empty() {
        return refused("is empty", "give it a value, or unset it");
    }
    if text.len() > MAX_BYTES {
        return refused("is larger than 1 KiB", "give the secret alone");
    }
    if text.chars().any(char::is_control) {
        return refused(
            "contains control characters",
            "give it as one line of printable text",
        );
    }
    if text.chars().count() < MIN_CHARS && !is_account_number(name, text) {
        return refused(
            format!("is shorter than {MIN_CHARS} characters"),
            "choose a longer one",
        );
    }
    Ok(())
}
