//! The very values of the loaded secrets, in every form a log can give them.

use super::{MASK, apart, replace};
use crate::secret::forms::{self, Forms};
use crate::secret::{Prints, Secret};
use aho_corasick::AhoCorasick;

/// Encoded, a shorter account number would match by chance.
const MIN_ACCOUNT_DIGITS: usize = 5;

/// One automaton over all forms of all values that are kept, and the prints of those that are not.
#[derive(Default)]
pub(super) struct Values {
    automaton: Option<AhoCorasick>,
    prints: Prints,
    /// Used when no automaton can be built: then nothing is let through.
    closed: bool,
}

impl Values {
    /// Secrets in every form; account numbers only encoded, since as digits they are masked as
    /// whole numbers elsewhere.
    pub(super) fn new<'a>(
        secrets: impl Iterator<Item = &'a Secret>,
        accounts: impl Iterator<Item = &'a Secret>,
        prints: Prints,
    ) -> Self {
        let mut all = Forms::new();
        for secret in secrets {
            forms::all(secret.expose(), &mut all);
        }
        for account in accounts.map(Secret::expose) {
            if account.len() >= MIN_ACCOUNT_DIGITS {
                forms::encoded(account, &mut all);
            }
        }
        all.retain(|form| !form.as_ref().is_empty());
        if all.is_empty() {
            return Self {
                prints,
                ..Self::default()
            };
        }
        // Of every match, not only the leftmost: where two secrets overlap, both are masked.
        let automaton = AhoCorasick::new(&all).ok();
        Self {
            closed: automaton.is_none(),
            automaton,
            prints,
        }
    }

    pub(super) fn mask(&self, text: &str) -> Option<String> {
        if self.closed {
            return Some("a line is withheld: the redactor could not be built".to_owned());
        }
        let mut found = Vec::new();
        self.prints.find(text, &mut found);
        // Most lines hold none, and to know that is cheaper than to list all.
        if let Some(automaton) = self.automaton.as_ref().filter(|all| all.is_match(text)) {
            let all = automaton.find_overlapping_iter(text);
            found.extend(all.map(|found| (found.start(), found.end())));
        }
        let masks = apart(found)
            .into_iter()
            .map(|(start, end)| (start, end, MASK));
        replace(text, &masks.collect::<Vec<_>>())
    }
}
