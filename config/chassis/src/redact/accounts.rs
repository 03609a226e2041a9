//! Account numbers, masked only where they stand as whole numbers: a ticket or a time that
//! happens to contain one is left alone.

use super::{quote_at_end, replace};
use crate::secrets::Secret;

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
        let found: Vec<_> = runs(text)
            .filter(|(start, end)| {
                self.0
                    .iter()
                    .any(|number| number.expose() == &text[*start..*end])
            })
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
