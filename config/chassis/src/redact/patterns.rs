//! Texts that are credentials by their very form: bearer tokens, JSON web tokens, private keys
//! and passwords within addresses.

use super::{MASK, replace};

const MIN_TOKEN: usize = 8;
const KEY_BEGIN: &str = "-----BEGIN ";
const KEY_END: &str = "-----END ";

/// Masks what looks like a credential.
pub(super) fn mask(text: &str) -> Option<String> {
    let mut found = Vec::new();
    keys(text, &mut found);
    bearers(text, &mut found);
    web_tokens(text, &mut found);
    addresses(text, &mut found);
    found.sort_unstable();
    let mut apart: Vec<(usize, usize)> = Vec::new();
    for (start, end) in found {
        match apart.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => apart.push((start, end)),
        }
    }
    let found: Vec<_> = apart
        .into_iter()
        .map(|(start, end)| (start, end, MASK))
        .collect();
    replace(text, &found)
}

/// A private key, or to the end of the text when its end is missing.
fn keys(text: &str, found: &mut Vec<(usize, usize)>) {
    let mut from = 0;
    while let Some(begin) = text[from..].find(KEY_BEGIN).map(|at| from + at) {
        let body = begin + KEY_BEGIN.len();
        let label = text[body..].split("-----").next().unwrap_or_default();
        from = body;
        if label.contains("PRIVATE KEY") {
            let rest = &text[body + label.len()..];
            let end = rest
                .find(KEY_END)
                .map_or(text.len(), |at| body + label.len() + at);
            found.push((body + label.len(), end));
            from = end;
        }
    }
}

fn bearers(text: &str, found: &mut Vec<(usize, usize)>) {
    let bytes = text.as_bytes();
    for (at, window) in bytes.windows(7).enumerate() {
        if !window.eq_ignore_ascii_case(b"bearer ") {
            continue;
        }
        let start = at + 7;
        let length = token_length(&bytes[start..], b"-._~+/=");
        if length >= MIN_TOKEN {
            found.push((start, start + length));
        }
    }
}

/// `eyJ...`: the beginning of a JSON object in base64, then two more parts.
fn web_tokens(text: &str, found: &mut Vec<(usize, usize)>) {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(at) = text[from..].find("eyJ").map(|at| from + at) {
        let length = token_length(&bytes[at..], b"-_.=");
        let token = &bytes[at..at + length];
        if token.iter().filter(|b| **b == b'.').count() >= 2 {
            found.push((at, at + length));
        }
        from = at + length;
    }
}

fn token_length(bytes: &[u8], also: &[u8]) -> usize {
    bytes
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric() || also.contains(b))
        .count()
}

/// The password in `scheme://user:password@host`.
fn addresses(text: &str, found: &mut Vec<(usize, usize)>) {
    for (at, _) in text.match_indices("://") {
        let start = at + 3;
        let part = text[start..]
            .split(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\\' | '?' | '#'))
            .next()
            .unwrap_or_default();
        if let Some((user, _)) = part.rsplit_once('@')
            && let Some((name, _)) = user.split_once(':')
        {
            let from = start + name.len() + 1;
            let to = start + user.len();
            if from < to && &text[from..to] != MASK {
                found.push((from, to));
            }
        }
    }
}
