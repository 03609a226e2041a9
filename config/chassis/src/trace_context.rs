//! The id that follows one request through both processes, the journal and the log: a W3C
//! trace context.

use std::fmt;
use uuid::Uuid;

/// One step of a trace. Displayed as the value of a `traceparent` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// The whole trace; never all zero.
    pub trace_id: [u8; 16],
    /// This step of it; never all zero.
    pub span_id: [u8; 8],
    /// Whoever takes part in it may record it.
    pub sampled: bool,
}

impl TraceContext {
    /// The first step of a new trace.
    #[must_use]
    #[allow(
        clippy::new_without_default,
        reason = "each is random, none is the default"
    )]
    pub fn new() -> Self {
        Self {
            trace_id: Uuid::new_v4().into_bytes(),
            span_id: new_span(),
            sampled: true,
        }
    }

    /// The next step of the same trace.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            trace_id: self.trace_id,
            span_id: new_span(),
            sampled: self.sampled,
        }
    }

    /// Reads a `traceparent`; `None` when it breaks the W3C rules: lower-case hex, version not
    /// `ff`, no id all zero, exactly four fields in version 00.
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        if header.len() > 512 || !header.is_ascii() {
            return None;
        }
        let mut fields = header.splitn(5, '-');
        let version: [u8; 1] = lower_hex(fields.next()?)?;
        let trace_id: [u8; 16] = lower_hex(fields.next()?)?;
        let span_id: [u8; 8] = lower_hex(fields.next()?)?;
        let [flags]: [u8; 1] = lower_hex(fields.next()?)?;
        let extended = fields.next().is_some();
        let valid = version != [0xff]
            && !(version == [0] && extended)
            && trace_id != [0; 16]
            && span_id != [0; 8];
        valid.then_some(Self {
            trace_id,
            span_id,
            sampled: flags & 1 == 1,
        })
    }

    /// The trace's id alone, 32 hex digits.
    #[must_use]
    pub fn trace_hex(&self) -> String {
        hex::encode(self.trace_id)
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{}-{}-{:02x}",
            self.trace_hex(),
            hex::encode(self.span_id),
            u8::from(self.sampled)
        )
    }
}

/// The half of a UUID that carries no version number: 62 random bits, never all zero.
fn new_span() -> [u8; 8] {
    let [.., a, b, c, d, e, f, g, h] = Uuid::new_v4().into_bytes();
    [a, b, c, d, e, f, g, h]
}

fn lower_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let lower = !text.bytes().any(|b| b.is_ascii_uppercase());
    (lower && hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_is_written_is_read_back() {
        let first = TraceContext::new();
        assert_eq!(TraceContext::parse(&first.to_string()), Some(first));
        assert_eq!(TraceContext::parse(GOOD).unwrap().to_string(), GOOD);
        let next = first.child();
        assert_eq!(next.trace_id, first.trace_id);
        assert_ne!(next.span_id, first.span_id);
        assert_ne!(TraceContext::new().trace_id, first.trace_id);
        let unsampled = format!("{}-00", GOOD.trim_end_matches("-01"));
        let read = TraceContext::parse(&unsampled).unwrap();
        assert!(!read.sampled && !read.child().sampled);
        assert_eq!(read.to_string(), unsampled);
    }

    #[test]
    fn what_breaks_the_rules_is_refused() {
        for bad in [
            "",
            "00",
            &GOOD.to_uppercase(),
            &GOOD[..54],
            &format!("{GOOD}-extra"),
            &GOOD.replacen("00", "ff", 1),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-é1",
        ] {
            assert_eq!(TraceContext::parse(bad), None, "{bad}");
        }
        let later = format!("{}-later", GOOD.replacen("00", "01", 1));
        assert!(TraceContext::parse(&later).is_some());
    }
}
