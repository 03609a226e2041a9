//! The very values of the loaded secrets, in every form a log can give them.

use super::{MASK, replace};
use crate::secrets::Secret;
use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Shorter pieces of base64 would match by chance.
const MIN_PIECE: usize = 5;

/// One automaton over all forms of all values.
#[derive(Default)]
pub(super) struct Values {
    automaton: Option<AhoCorasick>,
    /// Used when no automaton can be built: then nothing is let through.
    closed: bool,
}

impl Values {
    pub(super) fn new<'a>(secrets: impl Iterator<Item = &'a Secret>) -> Self {
        let mut all = BTreeSet::new();
        for secret in secrets {
            forms(secret.expose(), &mut all);
        }
        all.remove("");
        if all.is_empty() {
            return Self::default();
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&all)
            .ok();
        Self {
            closed: automaton.is_none(),
            automaton,
        }
    }

    pub(super) fn mask(&self, text: &str) -> Option<String> {
        if self.closed {
            return Some("a line is withheld: the redactor could not be built".to_owned());
        }
        let automaton = self.automaton.as_ref()?;
        let found: Vec<_> = automaton
            .find_iter(text)
            .map(|found| (found.start(), found.end(), MASK))
            .collect();
        replace(text, &found)
    }
}

fn forms(secret: &str, all: &mut BTreeSet<String>) {
    if secret.is_empty() {
        return;
    }
    let mut texts = BTreeSet::from([secret.to_owned()]);
    // Twice, since a debug text of a JSON text is escaped twice.
    for _ in 0..2 {
        for text in texts.clone() {
            texts.extend([json(&text), debug(&text), ascii_json(&text)]);
        }
    }
    all.extend(texts);
    percent(secret, all);
    base64(secret, all);
    bytes(secret, all);
}

fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn debug(text: &str) -> String {
    let quoted = format!("{text:?}");
    quoted[1..quoted.len() - 1].to_owned()
}

/// JSON as other languages write it: pure ASCII.
fn ascii_json(text: &str) -> String {
    let mut escaped = String::new();
    for c in json(text).chars() {
        if c.is_ascii() {
            escaped.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing to a String cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    escaped
}

fn percent(secret: &str, all: &mut BTreeSet<String>) {
    // RFC 3986, encodeURIComponent, forms, and everything but letters and digits.
    let unreserved: [&[u8]; 4] = [b"-._~", b"-_.!~*'()", b"*-._", b""];
    for kept in unreserved {
        let (mut upper, mut lower) = (String::new(), String::new());
        for byte in secret.bytes() {
            if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
                upper.push(char::from(byte));
                lower.push(char::from(byte));
            } else {
                let _ = write!(upper, "%{byte:02X}");
                let _ = write!(lower, "%{byte:02x}");
            }
        }
        // Forms write a space as a plus.
        all.insert(upper.replace("%20", "+"));
        all.insert(lower.replace("%20", "+"));
        all.insert(upper);
        all.insert(lower);
    }
}

/// Base64 at each of the three alignments it has within a longer text, such as `user:secret`.
/// Only the characters that depend on the secret alone are taken.
fn base64(secret: &str, all: &mut BTreeSet<String>) {
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend(secret.bytes());
        let start = (before * 8).div_ceil(6);
        let end = bytes.len() * 8 / 6;
        for encoded in [
            STANDARD_NO_PAD.encode(&bytes),
            URL_SAFE_NO_PAD.encode(&bytes),
        ] {
            if let Some(piece) = encoded.get(start..end)
                && piece.len() >= MIN_PIECE
            {
                all.insert(piece.to_owned());
            }
            if before == 0 {
                all.insert(encoded);
            }
        }
    }
}

/// The bytes as hex and as the lists `Debug` and JSON make of them, in UTF-8 and UTF-16.
fn bytes(secret: &str, all: &mut BTreeSet<String>) {
    let wide: Vec<u16> = secret.encode_utf16().collect();
    let little: Vec<u8> = wide.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    for bytes in [secret.as_bytes(), &little] {
        let lower = hex::encode(bytes);
        all.insert(lower.to_uppercase());
        all.insert(lower);
        for separator in [" ", ":", ", "] {
            let lower = listed(bytes.iter().map(|byte| format!("{byte:02x}")), separator);
            all.insert(lower.to_uppercase());
            all.insert(lower);
        }
        for separator in [", ", ","] {
            all.insert(listed(bytes.iter().map(u8::to_string), separator));
        }
    }
    for separator in [", ", ","] {
        all.insert(listed(wide.iter().map(u16::to_string), separator));
    }
}

fn listed(items: impl Iterator<Item = String>, separator: &str) -> String {
    items.collect::<Vec<_>>().join(separator)
}
