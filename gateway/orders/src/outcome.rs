//! The one place that decides what a trade server's answer means, for every shell.

use crate::SendFailure;
use mymt5_model::{Receipt, Retcode, RetcodeClass, TradeRequest};

/// Receipts of accepted requests stay receipts; all other return codes become a failure of the
/// kind that says what may have happened.
///
/// # Errors
/// See [`SendFailure`].
pub fn judge(receipt: Receipt) -> Result<Receipt, SendFailure> {
    match receipt.retcode.class() {
        RetcodeClass::Accepted => Ok(receipt),
        RetcodeClass::BackOff => Err(SendFailure::Throttled(receipt.retcode)),
        RetcodeClass::Unknown => Err(SendFailure::Unknown(receipt.retcode.to_string())),
        RetcodeClass::PriceMoved
        | RetcodeClass::StateMoved
        | RetcodeClass::SymbolClosed
        | RetcodeClass::AccountClosed
        | RetcodeClass::Rejected => Err(SendFailure::Rejected(receipt.retcode)),
    }
}

/// Levels and prices that are already as they should be are not a failure.
///
/// # Errors
/// Whatever else the outcome was.
pub fn settled(
    request: &TradeRequest,
    outcome: Result<Receipt, SendFailure>,
) -> Result<Receipt, SendFailure> {
    let modifies = matches!(
        request,
        TradeRequest::ModifyPosition { .. } | TradeRequest::ModifyOrder { .. }
    );
    match outcome {
        Err(SendFailure::Rejected(Retcode::NO_CHANGES)) if modifies => Ok(Receipt {
            comment: Retcode::NO_CHANGES.text().into(),
            ..Receipt::bare(Retcode::DONE)
        }),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_model::{LevelsEdit, Symbol, Ticket};

    fn kind(code: u32) -> &'static str {
        match judge(Receipt::bare(Retcode(code))) {
            Ok(_) => "accepted",
            Err(SendFailure::Rejected(_)) => "rejected",
            Err(SendFailure::Throttled(_)) => "throttled",
            Err(SendFailure::NotSent(_)) => "not sent",
            Err(SendFailure::Unknown(_)) => "unknown",
        }
    }

    #[test]
    fn every_code_has_its_kind() {
        for code in 0..20_000 {
            let expected = match code {
                10008..=10010 => "accepted",
                10024 | 10028 | 10029 => "throttled",
                10004
                | 10006
                | 10007
                | 10013..=10023
                | 10025..=10027
                | 10030
                | 10032..=10036
                | 10038..=10046 => "rejected",
                _ => "unknown",
            };
            assert_eq!(kind(code), expected, "{code}");
        }
    }

    #[test]
    fn only_a_modify_may_change_nothing() {
        let symbol = Symbol::parse("EURUSD").unwrap();
        let unchanged = Err(SendFailure::Rejected(Retcode::NO_CHANGES));
        let modify = TradeRequest::ModifyPosition {
            position: Ticket(1),
            symbol: symbol.clone(),
            levels: LevelsEdit::default(),
        };
        let done = settled(&modify, unchanged.clone()).map(|receipt| receipt.retcode);
        assert_eq!(done, Ok(Retcode::DONE));
        let cancel = TradeRequest::Cancel {
            order: Ticket(1),
            symbol,
        };
        assert_eq!(settled(&cancel, unchanged.clone()), unchanged);
        let closed = Err(SendFailure::Rejected(Retcode::POSITION_CLOSED));
        assert_eq!(settled(&modify, closed.clone()), closed);
    }
}
