//! The chain: each record has a number and the hash of the record before it, so that none can be
//! changed, left out or moved without the next one telling.

use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};

/// A record's place in the chain: its number, and the hash of its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) sequence: u64,
    pub(super) hash: [u8; 32],
}

impl Link {
    /// Before the first record.
    pub(super) const START: Self = Self {
        sequence: 0,
        hash: [0; 32],
    };

    /// The line of the next record, with its end, and that record's place. The body is a JSON
    /// object that is not empty.
    pub(super) fn seal(self, body: &str) -> (String, Self) {
        let members = body.strip_prefix('{').unwrap_or(body);
        let line = format!("{}{members}", self.opening());
        let next = Self {
            sequence: self.sequence + 1,
            hash: Sha256::digest(&line).into(),
        };
        (line + "\n", next)
    }

    /// The place before a line's record, and its own; none where the line is not a record.
    pub(super) fn read(line: &str) -> Option<(Self, Self)> {
        let rest = line.strip_prefix("{\"sequence\":")?;
        let (sequence, rest) = rest.split_once(",\"previous\":\"")?;
        let sequence: u64 = sequence.parse().ok()?;
        let mut previous = [0; 32];
        hex::decode_to_slice(rest.get(..64)?, &mut previous).ok()?;
        let before = Self {
            sequence: sequence.checked_sub(1)?,
            hash: previous,
        };
        let this = Self {
            sequence,
            hash: Sha256::digest(line).into(),
        };
        let is_json = serde_json::from_str::<IgnoredAny>(line).is_ok();
        (is_json && line.starts_with(&before.opening())).then_some((before, this))
    }

    /// How the record after this one begins.
    fn opening(self) -> String {
        format!(
            "{{\"sequence\":{},\"previous\":\"{}\",",
            self.sequence + 1,
            hex::encode(self.hash)
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_sealed_is_read_back() {
        let (first, one) = Link::START.seal(r#"{"event":"started"}"#);
        let (second, two) = one.seal(r#"{"event":"stopped"}"#);
        assert_eq!((one.sequence, two.sequence), (1, 2));
        assert_eq!(Link::read(first.trim_end()), Some((Link::START, one)));
        assert_eq!(Link::read(second.trim_end()), Some((one, two)));
        let value: serde_json::Value = serde_json::from_str(&second).unwrap();
        assert_eq!(value["previous"], hex::encode(one.hash));
        assert_eq!(value["event"], "stopped");
    }

    #[test]
    fn what_is_not_a_record_is_not_read() {
        let (line, _) = Link::START.seal(r#"{"event":"started"}"#);
        let line = line.trim_end();
        for bad in [
            "",
            "{}",
            &line[..line.len() - 1],
            &line.replace("\"sequence\":1", "\"sequence\":0"),
            &line.replace("\"sequence\":1", "\"sequence\":01"),
            &line.replace("\"previous\":\"00", "\"previous\":\"AA"),
            &line.replace("\"previous\":\"00", "\"previous\":\"0"),
            &format!(" {line}"),
            &format!("{line} x"),
        ] {
            assert_eq!(Link::read(bad), None, "{bad}");
        }
    }
}
