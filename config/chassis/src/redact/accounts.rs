//! Account numbers, masked only where they stand as whole numbers: a ticket or a time that
//! happens to contain one is left alone. So is a number equal to one where it is surely another:
//! in a decimal such as `0.100000`, and as the value of a field that is named as a size, a
//! ticket, a price, an amount or a time. Anywhere else, also in plain words, it is masked.

use super::{fields, names, quote_at_end, replace, scan};
use crate::secret::Secret;

/// Words of the names whose numbers are not account numbers.
const OTHER_NUMBERS: [&str; 28] = [
    "ask", "balance", "bid", "bytes", "count", "deal", "digits", "equity", "leverage", "limit",
    "lots", "margin", "ms", "ns", "order", "points", "port", "position", "price", "profit", "seq",
    "sequence", "size", "ticket", "time", "us", "utc", "volume",
];

/// The numbers to mask.
#[derive(Default)]
pub(super) struct Accounts(Vec<Secret>);

impl Accounts {
    pub(super) fn new<'a>(numbers: impl Iterator<Item = &'a Secret>) -> Self {
        let digits = |number: &&Secret| {
            let text = number.expose();
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
        };
        Self(numbers.filter(digits).cloned().collect())
    }

    pub(super) fn mask(&self, text: &str) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let is_account = |run: &str| self.0.iter().any(|number| number.expose() == run);
        let found: Vec<_> = runs(text)
            .filter(|(start, end)| is_account(&text[*start..*end]))
            .filter(|(start, end)| !is_decimal(text.as_bytes(), *start, *end))
            .filter(|(start, _)| !is_another(&text[..*start]))
            .map(|(start, end)| (start, end, masked(text, start, end)))
            .collect();
        replace(text, &found)
    }
}

fn masked(text: &str, start: usize, end: usize) -> String {
    let run = &text[start..end];
    let last = if run.len() > 4 {
        &run[run.len() - 4..]
    } else {
        ""
    };
    let quote = text[..start].strip_suffix(':').map_or("", quote_at_end);
    format!("{quote}****{last}{quote}")
}

/// Whether the digits are one side of a number such as `1.10000`, which stands alone. Looks at the
/// neighbouring digits only, since a line may be one long chain of such numbers.
fn is_decimal(bytes: &[u8], start: usize, end: usize) -> bool {
    let begins = |at: usize| !bytes[..at].last().is_some_and(|b| is_of_number(*b));
    let is_fraction = bytes[..start].ends_with(b".") && {
        let point = start - 1;
        let digits = scan::behind(bytes, point, |b| b.is_ascii_digit());
        digits > 0 && begins(point - digits) && ends(bytes, end)
    };
    let is_whole = bytes[end..].starts_with(b".") && begins(start) && {
        let digits = scan::ahead(bytes, end + 1, |b| b.is_ascii_digit());
        digits > 0 && ends(bytes, end + 1 + digits)
    };
    is_fraction || is_whole
}

fn is_of_number(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_')
}

/// Whether a number ends there. The stop of a sentence is none of it.
fn ends(bytes: &[u8], at: usize) -> bool {
    let goes_on = |at: usize| bytes.get(at).is_some_and(|b| is_of_number(*b));
    !goes_on(at) || bytes[at] == b'.' && !goes_on(at + 1)
}

/// Whether the text ends in the name and the sign of a field whose numbers are not account numbers.
fn is_another(before: &str) -> bool {
    let before = scan::trimmed(before, |b| matches!(b, b'"' | b'\\' | b' '));
    let before = before.strip_suffix("Some(").unwrap_or(before).trim_end();
    let Some(sign) = before.strip_suffix(['=', ':']) else {
        return false;
    };
    let mut plain = String::new();
    fields::name_before(sign, sign.len()).is_some_and(|name| {
        names::words(name, &mut plain);
        plain.split('_').any(|word| OTHER_NUMBERS.contains(&word))
    })
}

/// Every longest run of digits.
fn runs(text: &str) -> impl Iterator<Item = (usize, usize)> + '_ {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() && !bytes[at].is_ascii_digit() {
            at += 1;
        }
        let start = at;
        while at < bytes.len() && bytes[at].is_ascii_digit() {
            at += 1;
        }
        (start < at).then_some((start, at))
    })
}
