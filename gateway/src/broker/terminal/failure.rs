//! The one place that decides what became of a send. Only an answer that proves it may say that
//! nothing was done; everything else may have happened.

use super::{
    super::{SendFailure, judge},
    rows::receipt,
    wire::{Answer, RowError},
};
use mymt5_chassis::letters;
use mymt5_model::{Receipt, Retcode, RetcodeClass};
use serde_json::value::RawValue;

/// What was heard of a send.
#[derive(Clone, Debug)]
pub(crate) enum CallOutcome {
    /// The bridge answered.
    Answer(Answer),
    /// The frame never began to leave this process.
    NotWritten(String),
    /// It left, and no answer came.
    Lost(String),
}

/// Decides; `read` reads a receipt.
///
/// # Errors
/// See [`SendFailure`].
pub(crate) fn decide(
    outcome: CallOutcome,
    read: impl FnOnce(&RawValue) -> Result<Receipt, RowError>,
) -> Result<Receipt, SendFailure> {
    match outcome {
        CallOutcome::Answer(Answer::Ok(value)) => match read(&value) {
            Ok(receipt) => judge(receipt),
            Err(error) => Err(SendFailure::Unknown(error.to_string())),
        },
        CallOutcome::Answer(Answer::None(code, _)) => {
            let why = explained(code);
            Err(match code {
                -2 | -3 | -5 | -6 | -7 | -8 | -10_003 | -10_004 => SendFailure::NotSent(why),
                _ => SendFailure::Unknown(why),
            })
        }
        CallOutcome::Answer(Answer::Refused(why)) => Err(refused(&why)),
        CallOutcome::Answer(Answer::Checked(result)) => Err(checked(&result)),
        CallOutcome::Answer(Answer::Raised(kind)) => Err(SendFailure::Unknown(format!(
            "the package raised {}",
            short(&kind)
        ))),
        CallOutcome::NotWritten(why) => Err(SendFailure::NotSent(why)),
        CallOutcome::Lost(why) => Err(SendFailure::Unknown(why)),
    }
}

/// What the bridge refuses is surely not done. Where it read the row of what the request is about,
/// it only says what the trade server would.
fn refused(why: &str) -> SendFailure {
    match why {
        "no such position" => SendFailure::Rejected(Retcode::POSITION_CLOSED),
        "no such order" => SendFailure::Rejected(Retcode::ORDER_CHANGED),
        "the position turned" => SendFailure::Rejected(Retcode::INVALID),
        "more than the position has" => SendFailure::Rejected(Retcode::INVALID_CLOSE_VOLUME),
        why => SendFailure::NotSent(match unread(why) {
            Some(code) => format!(
                "the terminal did not answer before the send: {}",
                explained(code)
            ),
            None => untouched(why),
        }),
    }
}

/// Why the bridge itself refused, with the fix.
fn untouched(why: &str) -> String {
    let fix = match why {
        "another account" => "log the terminal in to the configured account",
        "stale" | "dropped" | "queue full" => {
            "check the load of the bridge's host and its terminal"
        }
        _ => "look at the bridge's log",
    };
    format!("the bridge refused it ({}); {fix}", short(why))
}

/// The package's last error, where the bridge could not read what comes before a send.
fn unread(why: &str) -> Option<i64> {
    why.strip_prefix("not read: ")?.parse().ok()
}

/// The terminal's check refused an entry: its result says what the trade server would. One that
/// says nothing that the trade server could decides nothing; nothing was sent all the same.
fn checked(result: &RawValue) -> SendFailure {
    let unclear = |why: String| SendFailure::NotSent(format!("the terminal's check failed: {why}"));
    let receipt = match receipt(result) {
        Ok(receipt) => receipt,
        Err(error) => return unclear(error.to_string()),
    };
    let retcode = receipt.retcode;
    match judge(receipt) {
        Err(failure) if retcode.class() != RetcodeClass::Unknown => failure,
        _ => unclear(retcode.to_string()),
    }
}

/// The package's last error by its code, with the fix. Its own words are left
/// out: they may quote the account.
pub(crate) fn explained(code: i64) -> String {
    let name = match code {
        -1 => "the call failed",
        -2 => "invalid arguments",
        -3 => "no memory",
        -4 => "not found",
        -5 => "incompatible versions",
        -6 => "authorization failed",
        -7 => "unsupported kind of account",
        -8 => "automated trading is disabled",
        -10_000 => "internal failure of the connection with the terminal",
        -10_001 => "not sent to the terminal",
        -10_002 => "nothing received from the terminal",
        -10_003 => "the terminal could not be started or reached",
        -10_004 => "no connection with the terminal",
        -10_005 => "the terminal did not answer in time",
        _ => "unknown error",
    };
    let fix = match code {
        -2 => "install the gateway and the bridge from one release",
        -3 => "free memory on the terminal's host",
        -5 => "install the terminal's and the package's newest versions",
        -6 => "correct MT5_LOGIN, MT5_PASSWORD and MT5_SERVER",
        -7 => "use an account without one-time passwords and certificates",
        -8 => "allow algo trading through the Python API in the terminal's options",
        -10_005..=-10_000 => "check that the terminal runs beside the bridge",
        _ => "look at the terminal's journal",
    };
    format!("{name} ({code}); {fix}")
}

/// Foreign text, bounded and in one line.
fn short(text: &str) -> String {
    let printable = |c: char| if letters::steers(c) { ' ' } else { c };
    text.chars().take(160).map(printable).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::broker::BrokerError;
    use mymt5_chassis::{redact::Redactor, testing::messages::flaw};

    #[test]
    fn a_log_shows_all_of_a_refused_login() {
        for code in (-10_005..=-10_000).chain(-9..=-1) {
            let told = BrokerError::Refused(explained(code)).to_string();
            assert_eq!(Redactor::new().clean(&told), told);
        }
        let told = explained(-6);
        assert!(told.contains("correct MT5_LOGIN"), "{told}");
    }

    fn kind(outcome: CallOutcome) -> &'static str {
        match decide(outcome, receipt) {
            Ok(_) => "accepted",
            Err(SendFailure::Rejected(_)) => "rejected",
            Err(SendFailure::Throttled(_)) => "throttled",
            Err(SendFailure::NotSent(_)) => "not sent",
            Err(SendFailure::Unknown(_)) => "unknown",
        }
    }

    fn result(retcode: u32) -> CallOutcome {
        let result = format!(
            r#"{{"retcode":{retcode},"deal":0,"order":7,"volume":0.1,"price":0.0,"comment":""}}"#
        );
        CallOutcome::Answer(Answer::Ok(serde_json::from_str(&result).unwrap()))
    }

    fn none(code: i64) -> CallOutcome {
        CallOutcome::Answer(Answer::None(code, "text".into()))
    }

    #[test]
    fn every_return_code_has_its_kind() {
        for code in 0..20_000 {
            let expected = match code {
                10_008..=10_010 => "accepted",
                10_024 | 10_028 | 10_029 => "throttled",
                10_004
                | 10_006
                | 10_007
                | 10_013..=10_023
                | 10_025..=10_027
                | 10_030
                | 10_032..=10_036
                | 10_038..=10_046 => "rejected",
                _ => "unknown",
            };
            assert_eq!(kind(result(code)), expected, "{code}");
        }
    }

    #[test]
    fn every_last_error_has_its_kind() {
        let definite = [-2, -3, -5, -6, -7, -8, -10_003, -10_004];
        for code in (-10_100..=100).chain([i64::MIN, i64::MAX]) {
            let expected = if definite.contains(&code) {
                "not sent"
            } else {
                "unknown"
            };
            assert_eq!(kind(none(code)), expected, "{code}");
        }
    }

    #[test]
    fn what_the_bridge_refuses_for_its_target_is_what_the_trade_server_would_say() {
        let told = |why: &str| decide(CallOutcome::Answer(Answer::Refused(why.into())), receipt);
        for (why, code) in [
            ("no such position", 10_036),
            ("no such order", 10_023),
            ("the position turned", 10_013),
            ("more than the position has", 10_038),
        ] {
            assert_eq!(
                told(why),
                Err(SendFailure::Rejected(Retcode(code))),
                "{why}"
            );
        }
        for why in ["another account", "not read: KeyError", "stale", "dropped"] {
            let Err(SendFailure::NotSent(text)) = told(why) else {
                panic!("{why}: what is refused is not sent");
            };
            assert_eq!(flaw(why, &text), None);
        }
        let Err(SendFailure::NotSent(text)) = told("not read: -10005") else {
            panic!("an unread row is not sent");
        };
        assert!(text.contains("did not answer in time (-10005); check that the terminal"));
    }

    #[test]
    fn what_was_not_executed_is_told_from_what_may_have_been() {
        assert_eq!(
            kind(CallOutcome::Answer(Answer::Refused("stale".into()))),
            "not sent"
        );
        assert_eq!(
            kind(CallOutcome::Answer(Answer::Raised("TypeError".into()))),
            "unknown"
        );
        assert_eq!(kind(CallOutcome::NotWritten("down".into())), "not sent");
        assert_eq!(kind(CallOutcome::Lost("broke".into())), "unknown");
        for odd in ["null", "{}", r#"{"retcode":-1}"#, r#"{"retcode":"10009"}"#] {
            let outcome = CallOutcome::Answer(Answer::Ok(serde_json::from_str(odd).unwrap()));
            assert_eq!(kind(outcome), "unknown", "{odd}");
        }
    }

    #[test]
    fn a_check_refuses_as_the_trade_server_would_or_for_an_unclear_result() {
        let told = |result: &str| {
            let result = serde_json::from_str(result).unwrap();
            decide(CallOutcome::Answer(Answer::Checked(result)), receipt)
        };
        assert_eq!(
            told(r#"{"retcode":10019}"#),
            Err(SendFailure::Rejected(Retcode::NO_MONEY))
        );
        for odd in [
            r#"{"retcode":10011}"#,
            r#"{"retcode":10009}"#,
            r#"{"retcode":1}"#,
            "null",
            "{}",
        ] {
            assert!(matches!(told(odd), Err(SendFailure::NotSent(_))), "{odd}");
        }
    }
}
