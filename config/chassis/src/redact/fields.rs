//! Fields whose names sound sensitive, in the forms `key=value`, `key: value` and
//! `"key":"value"`, at any depth of escaping.

use super::{MASK, quote_at_end, replace};

const ANYWHERE: [&str; 8] = [
    "password",
    "passwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "authorization",
    "cookie",
];
const WHOLE_WORDS: [&str; 3] = ["login", "account", "magic"];
const SCHEMES: [&str; 5] = ["bearer", "basic", "digest", "negotiate", "token"];

/// The names that are sensitive beside the fixed ones.
#[derive(Default)]
pub(super) struct Fields {
    /// In lower case, words apart, `_` around.
    configured: Vec<String>,
}

impl Fields {
    pub(super) fn new(names: &[String]) -> Self {
        let plain = |name: &String| {
            let mut plain = String::new();
            words(name, &mut plain);
            format!("_{plain}_")
        };
        Self {
            configured: names.iter().map(plain).collect(),
        }
    }

    /// Masks the values of sensitive fields.
    pub(super) fn mask(&self, text: &str) -> Option<String> {
        let bytes = text.as_bytes();
        let mut found = Vec::new();
        let mut plain = String::new();
        let mut at = 0;
        while let Some(sign) = next_sign(bytes, at) {
            at = sign + 1;
            let Some(name) = name_before(text, sign) else {
                continue;
            };
            if is_path(bytes, sign, name.len()) {
                continue;
            }
            let arrow = usize::from(bytes[sign..].starts_with(b"=>"));
            let start = skip_spaces(bytes, sign + 1 + arrow);
            if start >= bytes.len() || !self.is_sensitive(name, &mut plain) {
                continue;
            }
            let (from, to) = value_at(text, start, name);
            if from < to && !is_masked(&text[from..to]) {
                found.push((from, to, mask_of(text, sign, from, start)));
            }
            at = at.max(to);
        }
        replace(text, &found)
    }

    fn is_sensitive(&self, name: &str, plain: &mut String) -> bool {
        words(name, plain);
        if plain.ends_with("_file") {
            return false;
        }
        has_anywhere(plain.as_bytes())
            || plain.split('_').any(|word| WHOLE_WORDS.contains(&word))
            || self.is_configured(plain)
    }

    fn is_configured(&self, plain: &str) -> bool {
        !self.configured.is_empty() && {
            let around = format!("_{plain}_");
            self.configured.iter().any(|name| around.contains(name))
        }
    }
}

/// The mask, quoted when only the name is.
fn mask_of(text: &str, sign: usize, from: usize, start: usize) -> String {
    let quote = if from == start {
        quote_at_end(text[..sign].trim_end_matches([' ', '\t']))
    } else {
        ""
    };
    format!("{quote}{MASK}{quote}")
}

/// The next `=` or `:`, or the comma of a pair `("name", value)`.
fn next_sign(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    rest.iter()
        .enumerate()
        .position(|(at, byte)| match byte {
            b'=' | b':' => true,
            b',' => is_pair(&bytes[..from + at]),
            _ => false,
        })
        .map(|at| from + at)
}

/// Whether the text ends in the quoted name that begins a pair.
fn is_pair(before: &[u8]) -> bool {
    let Some(inner) = before.strip_suffix(b"\"") else {
        return false;
    };
    let depth = inner.iter().rev().take_while(|b| **b == b'\\').count();
    let name = &inner[..inner.len() - depth];
    let length = name.iter().rev().take_while(|b| is_of_name(**b)).count();
    let opening = &name[..name.len() - length];
    let Some(outer) = opening.strip_suffix(b"\"") else {
        return false;
    };
    let backslashes = outer.iter().rev().take_while(|b| **b == b'\\').count();
    length > 0 && matches!(outer[..outer.len() - backslashes].last(), Some(b'(' | b'['))
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

fn skip_spaces(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && matches!(bytes[at], b' ' | b'\t') {
        at += 1;
    }
    at
}

/// The name before the sign: spaces, a closing quote with its backslashes, then the name.
pub(super) fn name_before(text: &str, sign: usize) -> Option<&str> {
    let before = text[..sign].trim_end_matches([' ', '\t']);
    let before = before
        .strip_suffix(['"', '\''])
        .map_or(before, |inner| inner.trim_end_matches('\\'));
    let length = before.bytes().rev().take_while(|b| is_of_name(*b)).count();
    (length > 0).then(|| &before[before.len() - length..])
}

/// Whether the colon belongs to a path of modules, such as the target `access::token: ` at the
/// head of a line.
fn is_path(bytes: &[u8], sign: usize, name: usize) -> bool {
    let within = bytes[sign..].starts_with(b"::");
    let last = bytes[sign..].starts_with(b": ") && bytes[..sign - name].ends_with(b"::");
    within || last
}

/// Whether one of the words stands in the name, also within another word. Faster than a search
/// for each, since hardly any letter begins one.
fn has_anywhere(plain: &[u8]) -> bool {
    plain.iter().enumerate().any(|(at, first)| {
        matches!(first, b'p' | b's' | b't' | b'a' | b'c')
            && ANYWHERE
                .iter()
                .any(|word| plain[at..].starts_with(word.as_bytes()))
    })
}

/// Writes a name in lower case with its words apart: `apiKey` and `API-Key` as `api_key`.
pub(super) fn words(name: &str, plain: &mut String) {
    plain.clear();
    let mut lower_before = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && lower_before {
            plain.push('_');
        }
        lower_before = c.is_ascii_lowercase();
        plain.push(match c {
            '-' | '.' => '_',
            other => other.to_ascii_lowercase(),
        });
    }
}

/// Where the value at `start` begins and ends, quotes left outside.
fn value_at(text: &str, start: usize, name: &str) -> (usize, usize) {
    let bytes = text.as_bytes();
    if let Some((open, depth)) = opening(bytes, start) {
        let inside = start + open;
        return (inside, closing(bytes, inside, bytes[inside - 1], depth));
    }
    let lower = name.to_ascii_lowercase();
    if lower.contains("cookie") {
        return (start, line_end(bytes, start));
    }
    let mut end = bare_end(bytes, start);
    let scheme = SCHEMES
        .iter()
        .any(|scheme| text[start..end].eq_ignore_ascii_case(scheme));
    if scheme {
        let next = skip_spaces(bytes, end);
        if next > end {
            end = bare_end(bytes, next);
        }
    }
    (start, end)
}

/// A quote with the backslashes before it: their length together and the number of backslashes.
fn opening(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let depth = bytes[at..].iter().take_while(|b| **b == b'\\').count();
    matches!(bytes.get(at + depth), Some(b'"' | b'\'')).then_some((depth + 1, depth))
}

/// Where the quote that closes at this depth of escaping begins, or the end of the text. At
/// depth `d` an escaped backslash takes `2 (d + 1)` of them.
fn closing(bytes: &[u8], from: usize, quote: u8, depth: usize) -> usize {
    let mut backslashes = 0;
    for (at, byte) in bytes.iter().enumerate().skip(from) {
        if *byte == b'\\' {
            backslashes += 1;
            continue;
        }
        if *byte == quote && backslashes % (2 * (depth + 1)) == depth {
            return at - depth;
        }
        backslashes = 0;
    }
    bytes.len()
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    from + bytes[from..]
        .iter()
        .take_while(|b| !matches!(b, b'\n' | b'\r' | b'"'))
        .count()
}

/// The end of a value without quotes: a space or a separator outside any brackets and quotes
/// within it. What is not closed reaches to the end of the text.
fn bare_end(bytes: &[u8], from: usize) -> usize {
    let mut open = 0_usize;
    let mut at = from;
    while at < bytes.len() {
        match bytes[at] {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' if open == 0 => break,
            b')' | b']' | b'}' => open -= 1,
            quote @ (b'"' | b'\'') if open > 0 => {
                let depth = bytes[from..at]
                    .iter()
                    .rev()
                    .take_while(|b| **b == b'\\')
                    .count();
                at = closing(bytes, at + 1, quote, depth) + depth;
            }
            b' ' | b'\t' | b'\n' | b'\r' | b',' | b';' | b'&' | b'"' if open == 0 => break,
            _ => {}
        }
        at += 1;
    }
    at.min(bytes.len())
}

/// Values that reveal nothing any more: a mask, or an account number's last digits.
fn is_masked(value: &str) -> bool {
    let rest = value.trim_start_matches('*');
    value == MASK
        || value.len() - rest.len() == 4
            && rest.len() <= 4
            && rest.bytes().all(|b| b.is_ascii_digit())
}
