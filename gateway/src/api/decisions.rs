//! What operators ask for becomes checked decisions.

use mymt5_chassis::{letters, redact::Redactor};
use mymt5_guard::TradingState;
use mymt5_model::{ClientName, PositionId, Symbol, Ticket};
use mymt5_orders::{Acceptance, Adoption, Resolution};
use mymt5_proto::{Reason, Refusal, Violations, v1};

/// A client's name, or none for an empty text.
///
/// # Errors
/// What is not a name.
pub(super) fn scope(client: &str) -> Result<Option<ClientName>, Refusal> {
    if client.is_empty() {
        return Ok(None);
    }
    let name = ClientName::parse(client);
    name.map(Some)
        .map_err(|error| Violations::one("client", Reason::FieldInvalid, error.to_string()))
}

/// An operator's reason, as it may be kept and told: 1 to 200 characters.
///
/// # Errors
/// Missing, too long, or with letters that steer a screen.
pub(super) fn why(redactor: &Redactor, reason: &str) -> Result<String, Refusal> {
    let fits = (1..=200).contains(&reason.chars().count());
    if !fits || reason.chars().any(letters::steers) {
        let text = "expected 1 to 200 printable characters";
        return Err(Violations::one("reason", Reason::FieldInvalid, text));
    }
    Ok(redactor.clean(reason).into_owned())
}

/// A trading state to enter.
///
/// # Errors
/// `ENUM_UNSPECIFIED`.
pub(super) fn trading_state(state: v1::TradingState) -> Result<TradingState, Refusal> {
    match state {
        v1::TradingState::Active => Ok(TradingState::Active),
        v1::TradingState::Reducing => Ok(TradingState::Reducing),
        v1::TradingState::Halted => Ok(TradingState::Halted),
        v1::TradingState::Unspecified => {
            let text = "expected TRADING_STATE_ACTIVE, _REDUCING or _HALTED";
            Err(Violations::one("state", Reason::EnumUnspecified, text))
        }
    }
}

/// An operator's decision.
///
/// # Errors
/// `ENUM_UNSPECIFIED`.
pub(super) fn resolution(resolution: v1::Resolution) -> Result<Resolution, Refusal> {
    match resolution {
        v1::Resolution::NotDone => Ok(Resolution::NotDone),
        v1::Resolution::Done => Ok(Resolution::Done),
        v1::Resolution::Reconcile => Ok(Resolution::Reconcile),
        v1::Resolution::Unspecified => {
            let text = "expected RESOLUTION_NOT_DONE, _DONE or _RECONCILE";
            Err(Violations::one("resolution", Reason::EnumUnspecified, text))
        }
    }
}

/// What is adopted.
///
/// # Errors
/// Nothing is named.
pub(super) fn adoption(target: Option<v1::adopt_request::Target>) -> Result<Adoption, Refusal> {
    use v1::adopt_request::Target;
    match target {
        Some(Target::PositionId(id)) => Ok(Adoption::Position(PositionId(id))),
        Some(Target::OrderId(ticket)) => Ok(Adoption::Order(Ticket(ticket))),
        Some(Target::DealId(ticket)) => Ok(Adoption::Deal(Ticket(ticket))),
        Some(Target::Deals(true)) => Ok(Adoption::Deals),
        Some(Target::Deals(false)) | None => {
            let text = "expected position_id, order_id, deal_id or deals";
            Err(Violations::one("target", Reason::FieldInvalid, text))
        }
    }
}

/// What is accepted.
///
/// # Errors
/// Nothing is named, or what is not a symbol.
pub(super) fn acceptance(what: Option<v1::accept_request::What>) -> Result<Acceptance, Refusal> {
    use v1::accept_request::What;
    match what {
        Some(What::Symbol(symbol)) => {
            let symbol = Symbol::parse(&symbol);
            symbol
                .map(Acceptance::Symbol)
                .map_err(|error| Violations::one("symbol", Reason::FieldInvalid, error.to_string()))
        }
        Some(What::MissingDeals(true)) => Ok(Acceptance::MissingDeals),
        Some(What::UnreadableRows(true)) => Ok(Acceptance::UnreadableRows),
        Some(What::MissingDeals(false) | What::UnreadableRows(false)) | None => {
            let text = "expected symbol, missing_deals or unreadable_rows";
            Err(Violations::one("what", Reason::FieldInvalid, text))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_chassis::secrets::Secret;

    #[test]
    fn what_an_operator_writes_is_kept_without_its_secrets() {
        let redactor = Redactor::new();
        redactor.set_values(&[&Secret::new("correct-horse-7")], &["12345678"]);
        let kept = why(&redactor, "try correct-horse-7 on 12345678").unwrap();
        assert_eq!(kept, "try *** on ****5678");
        assert_eq!(why(&redactor, "news").unwrap(), "news");
        let long = "x".repeat(201);
        for wrong in [
            "",
            "two\nlines",
            "two\u{2028}lines",
            "\u{9b}31m",
            "\u{202e}x",
            &long,
        ] {
            assert!(why(&redactor, wrong).is_err());
        }
    }
}
