//! Pages of the past, newest first. A token names the last row of the page before.

use mymt5_proto::{Reason, Refusal, Violations};

/// Which page is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// Most rows.
    pub(super) size: usize,
    /// Rows older than this one; none: from the newest.
    pub(super) before: Option<u64>,
}

impl Page {
    const DEFAULT: usize = 100;
    const MAX: usize = 1_000;

    pub(super) fn of(size: u32, token: &str) -> Result<Self, Refusal> {
        let mut violations = Violations::default();
        let size = match usize::try_from(size) {
            Ok(0) => Self::DEFAULT,
            Ok(size) if size <= Self::MAX => size,
            _ => {
                violations.add("page_size", Reason::FieldInvalid, "expected 0 to 1000");
                Self::DEFAULT
            }
        };
        let before = (!token.is_empty()).then(|| token.parse());
        if let Some(Err(_)) = before {
            violations.add(
                "page_token",
                Reason::FieldInvalid,
                "expected next_page_token of the page before",
            );
        }
        violations.done()?;
        Ok(Self {
            size,
            before: before.and_then(Result::ok),
        })
    }

    /// The next page's token; empty after a page that is not full.
    pub(super) fn next(self, rows: usize, last: Option<u64>) -> String {
        let full = last.filter(|_| rows >= self.size);
        full.map_or_else(String::new, |last| last.to_string())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_token_leads_on_and_nonsense_is_refused() {
        let page = Page::of(2, "7").unwrap();
        assert_eq!((page.size, page.before), (2, Some(7)));
        assert_eq!(
            (page.next(2, Some(5)), page.next(1, Some(5))),
            ("5".into(), String::new())
        );
        assert_eq!(Page::of(0, "").unwrap().size, 100);
        assert!(Page::of(1_001, "").is_err() && Page::of(1, "-1").is_err());
    }
}
