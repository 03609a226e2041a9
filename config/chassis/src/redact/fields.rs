//! Fields whose names sound sensitive, in the forms `key=value`, `key: value` and
//! `"key":"value"`, at any depth of escaping.

use super::names::{self, words};
use super::{MASK, quote_at_end, replace, scan};

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
            let after_blank = start > sign + 1 + arrow;
            if tells_nothing(bytes, start, &plain, after_blank) {
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
        scan::looked_at(name.len());
        names::is_sensitive(plain) || self.is_configured(plain)
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
        quote_at_end(scan::trimmed(&text[..sign], is_blank))
    } else {
        ""
    };
    format!("{quote}{MASK}{quote}")
}

/// The next `=` or `:`, or the comma of a pair `("name", value)`.
fn next_sign(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    let found = rest.iter().enumerate().position(|(at, byte)| match byte {
        b'=' | b':' => true,
        b',' => is_pair(&bytes[..from + at]),
        _ => false,
    });
    scan::looked_at(found.unwrap_or(rest.len()) + 1);
    found.map(|at| from + at)
}

/// Whether the text ends in the quoted name that begins a pair.
fn is_pair(before: &[u8]) -> bool {
    let Some(inner) = before.strip_suffix(b"\"") else {
        return false;
    };
    let depth = backslashes(inner, inner.len());
    let name = &inner[..inner.len() - depth];
    let length = scan::behind(name, name.len(), is_of_name);
    let opening = &name[..name.len() - length];
    let Some(outer) = opening.strip_suffix(b"\"") else {
        return false;
    };
    let outer = &outer[..outer.len() - backslashes(outer, outer.len())];
    length > 0 && matches!(outer.last(), Some(b'(' | b'['))
}

/// How many backslashes stand right before there.
fn backslashes(bytes: &[u8], to: usize) -> usize {
    scan::behind(bytes, to, |b| b == b'\\')
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn skip_spaces(bytes: &[u8], at: usize) -> usize {
    at + scan::ahead(bytes, at, is_blank)
}

/// The name before the sign: spaces, a closing quote with its backslashes, then the name.
pub(super) fn name_before(text: &str, sign: usize) -> Option<&str> {
    let before = scan::trimmed(&text[..sign], is_blank);
    let before = before
        .strip_suffix(['"', '\''])
        .map_or(before, |inner| scan::trimmed(inner, |b| b == b'\\'));
    let length = scan::behind(before.as_bytes(), before.len(), is_of_name);
    (length > 0).then(|| &before[before.len() - length..])
}

/// Whether the colon belongs to a path of modules, such as the target `access::token: ` at the
/// head of a line.
fn is_path(bytes: &[u8], sign: usize, name: usize) -> bool {
    let within = bytes[sign..].starts_with(b"::");
    let last = bytes[sign..].starts_with(b": ") && bytes[..sign - name].ends_with(b"::");
    within || last
}

/// Whether the value is none that must be hidden, though its field's name sounds sensitive: the path
/// of a file, a number of something, or a word of a sentence. Looks no further than the next sign,
/// since what it finds is not passed over.
fn tells_nothing(bytes: &[u8], start: usize, plain: &str, after_blank: bool) -> bool {
    let inside = start + opening(bytes, start).map_or(0, |(open, _)| open);
    if names::is_path(plain) {
        let length = scan::ahead(bytes, inside, is_of_path);
        if bytes[inside..inside + length].contains(&b'/') {
            return true;
        }
    }
    if names::is_count(plain) {
        let digits = scan::ahead(bytes, inside, |b| b.is_ascii_digit());
        if (1..=names::COUNT_DIGITS).contains(&digits) && ends(bytes, inside + digits) {
            return true;
        }
    }
    if !after_blank || inside > start || names::is_list(plain) {
        return false;
    }
    let letters = scan::ahead(bytes, start, |b| b.is_ascii_alphabetic());
    let end = start + letters;
    ends(bytes, end) && names::is_ordinary(&bytes[start..end])
}

fn is_of_path(byte: u8) -> bool {
    is_of_name(byte) || matches!(byte, b'/' | b'~')
}

/// Whether a word or a number ends there, also at the end of a sentence.
fn ends(bytes: &[u8], at: usize) -> bool {
    let is_end = |byte: &u8| byte.is_ascii_whitespace() || b",;)]}\"'\\".contains(byte);
    match bytes.get(at) {
        Some(b'.' | b':' | b'!' | b'?') => bytes.get(at + 1).is_none_or(is_end),
        other => other.is_none_or(is_end),
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
    let depth = scan::ahead(bytes, at, |b| b == b'\\');
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
            scan::looked_at(at - from + 1);
            return at - depth;
        }
        backslashes = 0;
    }
    scan::looked_at(bytes.len() - from + 1);
    bytes.len()
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    from + scan::ahead(bytes, from, |b| !matches!(b, b'\n' | b'\r' | b'"'))
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
                let depth = backslashes(&bytes[from..], at - from);
                at = closing(bytes, at + 1, quote, depth) + depth;
            }
            b' ' | b'\t' | b'\n' | b'\r' | b',' | b';' | b'&' | b'"' if open == 0 => break,
            _ => {}
        }
        at += 1;
    }
    let end = at.min(bytes.len());
    scan::looked_at(end - from + 1);
    end
}

/// Values that reveal nothing any more: a mask, or an account number's last digits.
fn is_masked(value: &str) -> bool {
    let rest = value.trim_start_matches('*');
    value == MASK
        || value.len() - rest.len() == 4
            && rest.len() <= 4
            && rest.bytes().all(|b| b.is_ascii_digit())
}
