//! Texts that are credentials by their very form: bearer tokens, JSON web tokens, tokens of
//! Telegram bots, private keys and what stands before the host of an address.

use super::{MASK, apart, replace, scan};

const MIN_TOKEN: usize = 8;
const KEY_BEGIN: &str = "-----BEGIN ";
const KEY_END: &str = "-----END ";

/// Masks what looks like a credential.
pub(super) fn mask(text: &str) -> Option<String> {
    let mut found = Vec::new();
    keys(text, &mut found);
    bearers(text, &mut found);
    web_tokens(text, &mut found);
    colons(text, &mut found);
    found.retain(|(start, end)| start < end);
    let masks = apart(found)
        .into_iter()
        .map(|(start, end)| (start, end, MASK));
    replace(text, &masks.collect::<Vec<_>>())
}

/// A private key, or to the end of the text when its end is missing.
fn keys(text: &str, found: &mut Vec<(usize, usize)>) {
    let mut from = 0;
    while let Some(begin) = scan::find(text, from, KEY_BEGIN) {
        let label = begin + KEY_BEGIN.len();
        let start = scan::find(text, label, "-----").unwrap_or(text.len());
        from = label;
        if text[label..start].contains("PRIVATE KEY") {
            let end = scan::find(text, start, KEY_END).unwrap_or(text.len());
            found.push((start, end));
            from = end;
        }
    }
}

fn bearers(text: &str, found: &mut Vec<(usize, usize)>) {
    let bytes = text.as_bytes();
    // Blanks are rarer than letters, so the search is for them.
    for (at, _) in text.match_indices(' ') {
        let before = at.checked_sub(6).map(|from| &bytes[from..at]);
        if !before.is_some_and(|word| word.eq_ignore_ascii_case(b"bearer")) {
            continue;
        }
        let start = at + 1;
        let length = token_length(bytes, start, b"-._~+/=");
        if length >= MIN_TOKEN {
            found.push((start, start + length));
        }
    }
}

/// `eyJ...`: the beginning of a JSON object in base64, then two more parts.
fn web_tokens(text: &str, found: &mut Vec<(usize, usize)>) {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(at) = scan::find(text, from, "eyJ") {
        let length = token_length(bytes, at, b"-_.=");
        let token = &bytes[at..at + length];
        if token.iter().filter(|b| **b == b'.').count() >= 2 {
            found.push((at, at + length));
        }
        from = at + length;
    }
}

fn token_length(bytes: &[u8], from: usize, also: &[u8]) -> usize {
    scan::ahead(bytes, from, |b| {
        b.is_ascii_alphanumeric() || also.contains(&b)
    })
}

/// What a colon marks: an address, or a bot's token.
fn colons(text: &str, found: &mut Vec<(usize, usize)>) {
    let mut stretch = Stretch::default();
    for (at, _) in text.match_indices(':') {
        let rest = &text[at + 1..];
        if rest.starts_with("//") {
            address(text, at + 3, &mut stretch, found);
        } else {
            bot_token(text.as_bytes(), at, at + 1, found);
        }
    }
    for (at, colon) in text.match_indices("%3") {
        if matches!(text.as_bytes().get(at + colon.len()), Some(b'A' | b'a')) {
            bot_token(text.as_bytes(), at, at + 3, found);
        }
    }
}

/// `123456789:` and 35 characters: the secret of a Telegram bot is what follows its number.
fn bot_token(bytes: &[u8], number_end: usize, start: usize, found: &mut Vec<(usize, usize)>) {
    const DIGITS: std::ops::RangeInclusive<usize> = 6..=16;
    const MIN_SECRET: usize = 30;
    let digits = scan::behind(bytes, number_end, |b| b.is_ascii_digit());
    if DIGITS.contains(&digits) {
        let length = token_length(bytes, start, b"-_");
        if length >= MIN_SECRET {
            found.push((start, start + length));
        }
    }
}

/// Text without blanks, quotes and backslashes: as far as a password that was not encoded can
/// reach. Many addresses may lie in one, so it is searched once for all of them.
#[derive(Default)]
struct Stretch {
    end: usize,
    /// The last `@` in it.
    at_sign: Option<usize>,
}

impl Stretch {
    /// The one in which an address begins there; addresses come in their order.
    fn reach(&mut self, text: &str, start: usize) {
        if start < self.end {
            return;
        }
        let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '\\');
        self.end = scan::until(text, start, is_end);
        self.at_sign = text[start..self.end].rfind('@').map(|at| start + at);
    }
}

/// The password in `scheme://user:password@host`, or all that stands before the `@` where there
/// is no separate name. A password that was not encoded may hold any sign but blanks and quotes.
fn address(text: &str, start: usize, stretch: &mut Stretch, found: &mut Vec<(usize, usize)>) {
    stretch.reach(text, start);
    let is_end = |c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\\' | '?' | '#');
    // The next address has a colon and a slash, so that neither search below passes it.
    let authority = &text[start..scan::until(text, start, is_end)];
    let end = match (authority.rfind('@'), stretch.at_sign) {
        (Some(at), _) => start + at,
        (None, Some(at)) if at >= start && !has_host(authority) => at,
        _ => return,
    };
    let colon = scan::until(text, start, |c| c == ':');
    let password = if colon < end { colon + 1 } else { start };
    if &text[password..end] != MASK {
        found.push((password, end));
    }
}

/// Whether that is a host, perhaps with a port, so that an `@` after it is of the path.
fn has_host(authority: &str) -> bool {
    authority
        .split_once(':')
        .is_none_or(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
}
