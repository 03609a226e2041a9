//! Texts that are credentials by their very form: bearer tokens, JSON web tokens, tokens of
//! Telegram bots, private keys and what stands before the host of an address.

use super::{MASK, apart, replace};

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
    // Blanks are rarer than letters, so the search is for them.
    for (at, _) in text.match_indices(' ') {
        let before = bytes[..at]
            .len()
            .checked_sub(6)
            .map(|from| &bytes[from..at]);
        if !before.is_some_and(|word| word.eq_ignore_ascii_case(b"bearer")) {
            continue;
        }
        let start = at + 1;
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

/// What a colon marks: an address, or a bot's token.
fn colons(text: &str, found: &mut Vec<(usize, usize)>) {
    for (at, _) in text.match_indices(':') {
        let rest = &text[at + 1..];
        if rest.starts_with("//") {
            address(text, at + 3, found);
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
    let digits = bytes[..number_end].iter().rev();
    let digits = digits.take_while(|b| b.is_ascii_digit()).count();
    if DIGITS.contains(&digits) {
        let length = token_length(&bytes[start..], b"-_");
        if length >= MIN_SECRET {
            found.push((start, start + length));
        }
    }
}

/// The password in `scheme://user:password@host`, or all that stands before the `@` where there
/// is no separate name. A password that was not encoded may hold any sign but blanks and quotes.
fn address(text: &str, start: usize, found: &mut Vec<(usize, usize)>) {
    let until = |signs: &[char]| {
        let end = text[start..].find(|c: char| c.is_whitespace() || signs.contains(&c));
        &text[start..end.map_or(text.len(), |end| start + end)]
    };
    let authority = until(&['/', '"', '\\', '?', '#']);
    let whole = until(&['"', '\\']);
    let info = match (authority.rsplit_once('@'), whole.rsplit_once('@')) {
        (Some((info, _)), _) => info,
        (None, Some((info, _))) if !has_host(authority) => info,
        _ => return,
    };
    let name = info.split_once(':').map_or(0, |(name, _)| name.len() + 1);
    if &info[name..] != MASK {
        found.push((start + name, start + info.len()));
    }
}

/// Whether that is a host, perhaps with a port, so that an `@` after it is of the path.
fn has_host(authority: &str) -> bool {
    authority
        .split_once(':')
        .is_none_or(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
}
