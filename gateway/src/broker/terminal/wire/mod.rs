//! The bridge's protocol, version 2, as types. What does not fit them is an error and ends the
//! session; fields that are not known are passed over.

mod fields;
pub(crate) mod frame;

pub(crate) use fields::Fields;
pub use fields::RowError;

use frame::{CALL_LIMIT, Frame, FrameError};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// Who wrote a frame. One of the wrong role was reflected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    Bridge,
    Gateway,
}

/// A frame that is not of this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    /// Not JSON, or not what the protocol says.
    #[error("the bridge sent a frame that is not of its protocol; install both from one release")]
    Malformed,
    /// Its role is not the bridge's.
    #[error("the bridge sent a frame back to its writer; correct broker.terminal.address")]
    Reflected,
}

/// What a call came to.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// The package's value.
    Ok(Box<RawValue>),
    /// The package returned None: its last error.
    None(i64, String),
    /// Definitely not executed.
    Refused(String),
    /// Definitely not executed: the terminal's check refused it. The check's result.
    Checked(Box<RawValue>),
    /// The package raised an exception of that type.
    Raised(String),
}

/// Where ticks stand: a whole second, and how many rows of it were seen.
pub(crate) type Cursor = (i64, u64);

/// `time_msc, bid, ask, last, volume, flags, volume_real`. A number that is not finite is null.
pub(crate) type RawTick = (
    i64,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    u64,
    Option<f64>,
);

/// Ticks of one symbol.
#[derive(Debug, Deserialize)]
pub(crate) struct TicksPush {
    pub(crate) symbol: String,
    pub(crate) rows: Vec<RawTick>,
    /// After these rows.
    pub(crate) at: Cursor,
}

/// Raw rows of the account, or the package's last error.
#[derive(Debug)]
pub(crate) enum RowsPush {
    Rows(Box<RawValue>),
    None(i64),
}

/// A frame from the bridge.
#[derive(Debug)]
pub(crate) enum Incoming {
    Answer(u64, Answer),
    Ticks(TicksPush),
    Rows(RowsPush),
}

#[derive(Deserialize)]
struct Head {
    role: Role,
    #[serde(default)]
    id: Option<u64>,
    #[serde(default)]
    push: Option<Push>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Push {
    Ticks,
    Rows,
}

#[derive(Deserialize)]
struct Body {
    /// A value that is null is a value all the same.
    #[serde(default, deserialize_with = "present")]
    ok: Option<Box<RawValue>>,
    #[serde(default)]
    none: Option<(i64, String)>,
    #[serde(default)]
    refused: Option<String>,
    #[serde(default)]
    check: Option<Box<RawValue>>,
    #[serde(default)]
    raised: Option<String>,
}

fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(from).map(Some)
}

impl Body {
    fn answer(self) -> Result<Answer, WireError> {
        match (self.ok, self.none, self.refused, self.raised) {
            (Some(value), None, None, None) => Ok(Answer::Ok(value)),
            (None, Some((code, text)), None, None) => Ok(Answer::None(code, text)),
            (None, None, Some(why), None) => Ok(match self.check {
                Some(result) => Answer::Checked(result),
                None => Answer::Refused(why),
            }),
            (None, None, None, Some(kind)) => Ok(Answer::Raised(kind)),
            _ => Err(WireError::Malformed),
        }
    }
}

/// Reads an answer object, as `recall` returns it.
pub(crate) fn answer(raw: &RawValue) -> Result<Answer, WireError> {
    parse::<Body>(raw.get().as_bytes())?.answer()
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, WireError> {
    serde_json::from_slice(body).map_err(|_| WireError::Malformed)
}

/// Reads a frame of the handshake.
pub(crate) fn hello<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, WireError> {
    let head: Head = parse(body)?;
    if head.role != Role::Bridge {
        return Err(WireError::Reflected);
    }
    parse(body)
}

/// Reads a frame of a session.
pub(crate) fn incoming(body: &[u8]) -> Result<Incoming, WireError> {
    let head: Head = parse(body)?;
    if head.role != Role::Bridge {
        return Err(WireError::Reflected);
    }
    match (head.id, head.push) {
        (Some(id), None) => Ok(Incoming::Answer(id, parse::<Body>(body)?.answer()?)),
        (None, Some(Push::Ticks)) => Ok(Incoming::Ticks(parse(body)?)),
        (None, Some(Push::Rows)) => Ok(Incoming::Rows(match parse::<Body>(body)?.none {
            Some((code, _)) => RowsPush::None(code),
            None => RowsPush::Rows(parse(body)?),
        })),
        _ => Err(WireError::Malformed),
    }
}

#[derive(Serialize)]
struct Call<'a, A> {
    role: Role,
    id: u64,
    /// Milliseconds since the session began.
    t: u64,
    call: &'a str,
    args: &'a A,
}

/// Writes a call. `room`: see [`frame::write`].
///
/// # Errors
/// A call beyond the protocol's limit.
pub(crate) fn call(
    id: u64,
    t: u64,
    call: &str,
    args: &impl Serialize,
    room: usize,
) -> Result<Frame, FrameError> {
    let role = Role::Gateway;
    let call = Call {
        role,
        id,
        t,
        call,
        args,
    };
    frame::write(&call, CALL_LIMIT, room)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Incoming, WireError> {
        incoming(text.as_bytes())
    }

    #[test]
    fn each_answer_is_one_of_four() {
        let answer = |rest: &str| read(&format!(r#"{{"role":"bridge","id":7,{rest},"new":1}}"#));
        assert!(matches!(
            answer(r#""ok":null"#),
            Ok(Incoming::Answer(7, Answer::Ok(_)))
        ));
        assert!(
            matches!(answer(r#""none":[-6,"x"]"#), Ok(Incoming::Answer(7, Answer::None(-6, t))) if t == "x")
        );
        assert!(matches!(
            answer(r#""refused":"x""#),
            Ok(Incoming::Answer(7, Answer::Refused(_)))
        ));
        assert!(matches!(
            answer(r#""raised":"X""#),
            Ok(Incoming::Answer(7, Answer::Raised(_)))
        ));
        for bad in [
            r#""ok":1,"refused":"x""#,
            r#""other":1"#,
            r#""none":[1]"#,
            r#""ok":1,"ok":2"#,
        ] {
            assert_eq!(answer(bad).unwrap_err(), WireError::Malformed, "{bad}");
        }
    }

    #[test]
    fn pushes_are_read_and_all_else_is_refused() {
        let ticks = r#"{"role":"bridge","push":"ticks","symbol":"X","rows":[[1500,1.0,1.1,0.0,0,6,null]],"at":[1,1]}"#;
        assert!(
            matches!(read(ticks), Ok(Incoming::Ticks(push)) if push.at == (1, 1) && push.rows.len() == 1)
        );
        let none = r#"{"role":"bridge","push":"rows","none":[-10004,"No IPC connection"]}"#;
        assert!(matches!(
            read(none),
            Ok(Incoming::Rows(RowsPush::None(-10004)))
        ));
        for bad in [
            r#"{"role":"bridge"}"#,
            r#"{"id":1,"ok":1}"#,
            r#"{"role":"bridge","push":"ticks","symbol":"X","rows":[]}"#,
            r#"{"role":"bridge","push":"ticks","id":1,"ok":1}"#,
            r#"{"role":"bridge","id":-1,"ok":1}"#,
            r#"{"role":"bridge","push":"other"}"#,
            r#"{"role":"bridge","id":1,"ok":NaN}"#,
            "[]",
            "",
        ] {
            assert_eq!(read(bad).unwrap_err(), WireError::Malformed, "{bad}");
        }
        let own = r#"{"role":"gateway","id":1,"ok":1}"#;
        assert_eq!(read(own).unwrap_err(), WireError::Reflected);
    }

    #[test]
    fn a_call_has_the_protocols_form() {
        let frame = call(3, 42, "recall", &serde_json::json!({"key": "k"}), 64).unwrap();
        let expected = r#"{"role":"gateway","id":3,"t":42,"call":"recall","args":{"key":"k"}}"#;
        assert_eq!(&frame[4..], expected.as_bytes());
        assert!(call(1, 1, "x", &"y".repeat(CALL_LIMIT), 0).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_frame_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = incoming(&bytes);
        }

        #[test]
        fn any_text_in_a_frame_is_read_or_an_error(rest in r#"[-,:"\[\]{}0-9a-z]{0,60}"#) {
            let _ = read(&format!(r#"{{"role":"bridge",{rest}}}"#));
        }
    }
}
