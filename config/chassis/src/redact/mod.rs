//! The last room every line passes on its way out. It masks the values of loaded secrets in
//! every encoding a log can give them, account numbers to their last four digits, fields whose
//! names sound sensitive, and texts that are credentials by their very form.

mod accounts;
mod fields;
mod json;
mod names;
mod patterns;
mod scan;
#[cfg(test)]
mod tests;
mod values;

use crate::secret::{Prints, Secret};
use accounts::Accounts;
use arc_swap::ArcSwap;
use fields::Fields;
use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use values::Values;

/// What stands in place of a secret.
pub(crate) const MASK: &str = "***";

/// Whether a name, in lower case with its words apart, is one of a secret and of nothing else.
pub(crate) fn names_a_secret(plain: &str) -> bool {
    names::is_of_a_secret(plain)
}

/// No form of a secret is longer, in bytes.
pub(crate) const LONGEST_FORM: usize = 64 * 1024;

/// Each round of a text masks more of it, so that hardly any needs a third.
const MOST_ROUNDS: usize = 8;

/// What stands in place of a line that still changes after so many rounds: none is that by chance.
const WITHHELD: &str = "a line is withheld: credentials are nested in it too deeply to be masked";

/// Masks lines. Clones share what is loaded, so that a rotated secret is masked everywhere at once.
#[derive(Clone, Default)]
pub struct Redactor(Arc<Shared>);

#[derive(Default)]
struct Shared {
    loaded: ArcSwap<Loaded>,
    /// What `loaded` is built from, held while it is rebuilt.
    given: Mutex<Given>,
}

#[derive(Default)]
struct Given {
    /// Builds with debug assertions only, which no release has.
    off: bool,
    secrets: Vec<Secret>,
    accounts: Vec<Secret>,
    rotating_secrets: Vec<Secret>,
    rotating_accounts: Vec<Secret>,
    prints: Prints,
    fields: Vec<String>,
}

#[derive(Default)]
struct Loaded {
    off: bool,
    known: Known,
    fields: Fields,
}

/// Masks what is known by value alone: for texts whose other words are the program's own.
#[derive(Default)]
pub(crate) struct Known {
    values: Values,
    accounts: Accounts,
}

impl Known {
    /// Of these secrets, account numbers, and prints of what is not kept.
    pub(crate) fn new<'a>(
        secrets: impl Iterator<Item = &'a Secret>,
        accounts: impl Iterator<Item = &'a Secret> + Clone,
        prints: Prints,
    ) -> Self {
        Self {
            values: Values::new(secrets, accounts.clone(), prints),
            accounts: Accounts::new(accounts),
        }
    }

    /// The text masked; `None` when it holds none of them.
    pub(crate) fn mask(&self, text: &str) -> Option<String> {
        let mut cow = Cow::Borrowed(text);
        self.pass(&mut cow);
        masked(cow)
    }

    fn pass(&self, text: &mut Cow<'_, str>) {
        pass(text, |text| self.values.mask(text));
        pass(text, |text| self.accounts.mask(text));
    }
}

impl Loaded {
    fn of(given: &Given) -> Self {
        let secrets = given.secrets.iter().chain(&given.rotating_secrets);
        let accounts = given.accounts.iter().chain(&given.rotating_accounts);
        Self {
            off: given.off,
            known: Known::new(secrets, accounts, given.prints.clone()),
            fields: Fields::new(&given.fields),
        }
    }
}

impl Redactor {
    /// A redactor that knows no values yet; names and forms it masks from the start.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets everything through, so that a leak test can prove that it would find a leak.
    #[cfg(debug_assertions)]
    pub(crate) fn turn_off(&self) {
        self.change(|given| given.off = true);
    }

    /// Replaces the secrets and account numbers to mask that no store rotates.
    pub fn set_values(&self, secrets: &[&Secret], account_numbers: &[&str]) {
        self.change(|given| {
            given.secrets = secrets.iter().copied().cloned().collect();
            given.accounts = account_numbers.iter().copied().map(Secret::new).collect();
        });
    }

    /// Replaces the secrets and account numbers of a store, and the prints of what it does not keep.
    pub(crate) fn set_rotating(&self, secrets: Vec<Secret>, accounts: Vec<Secret>, prints: Prints) {
        self.change(|given| {
            given.rotating_secrets = secrets;
            given.rotating_accounts = accounts;
            given.prints = prints;
        });
    }

    fn change(&self, change: impl FnOnce(&mut Given)) {
        let mut given = self.0.given.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut given);
        self.0.loaded.store(Arc::new(Loaded::of(&given)));
    }

    /// Replaces the names of fields to mask beside those that always are. A name stands for every
    /// field that has it among its words: `holder` for `account.holderName` too.
    pub fn set_fields(&self, names: &[String]) {
        self.change(|given| given.fields = names.to_vec());
    }

    /// The line without its secrets; borrowed when there was nothing to mask. A line of JSON stays
    /// JSON.
    #[must_use]
    pub fn clean<'a>(&self, line: &'a str) -> Cow<'a, str> {
        let loaded = self.0.loaded.load();
        if loaded.off {
            return Cow::Borrowed(line);
        }
        match loaded.mask(line) {
            None => Cow::Borrowed(line),
            Some(masked) => Cow::Owned(json::kept(line, masked, |text| loaded.mask(text))),
        }
    }
}

impl Loaded {
    /// The text masked; `None` when there was nothing to mask.
    fn mask(&self, text: &str) -> Option<String> {
        let mut cow = Cow::Borrowed(text);
        self.known.pass(&mut cow);
        // A mask may cover what ended another value, such as the end of a key, so the few texts
        // that hold credentials by form are scanned again.
        let mut rounds = 0..MOST_ROUNDS;
        loop {
            if rounds.next().is_none() {
                return Some(WITHHELD.to_owned());
            }
            pass(&mut cow, |text| self.fields.mask(text));
            let Some(masked) = patterns::mask(&cow) else {
                break;
            };
            cow = Cow::Owned(masked);
        }
        // It may also cover the name that told a number from an account's.
        if let Cow::Owned(text) = &cow
            && let Some(masked) = self.known.accounts.mask(text)
        {
            cow = Cow::Owned(masked);
        }
        masked(cow)
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}

fn pass(cow: &mut Cow<'_, str>, mask: impl Fn(&str) -> Option<String>) {
    if let Some(masked) = mask(cow) {
        *cow = Cow::Owned(masked);
    }
}

fn masked(cow: Cow<'_, str>) -> Option<String> {
    match cow {
        Cow::Borrowed(_) => None,
        Cow::Owned(masked) => Some(masked),
    }
}

/// Ranges in their order, with those that meet joined.
fn apart(mut found: Vec<(usize, usize)>) -> Vec<(usize, usize)> {
    found.sort_unstable();
    let mut apart: Vec<(usize, usize)> = Vec::new();
    for (start, end) in found {
        match apart.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => apart.push((start, end)),
        }
    }
    apart
}

/// Replaces ranges, sorted and apart, each by its own text.
fn replace<T: AsRef<str>>(text: &str, found: &[(usize, usize, T)]) -> Option<String> {
    if found.is_empty() {
        return None;
    }
    let mut masked = String::with_capacity(text.len());
    let mut from = 0;
    for (start, end, mask) in found {
        masked.push_str(&text[from..*start]);
        masked.push_str(mask.as_ref());
        from = *end;
    }
    masked.push_str(&text[from..]);
    Some(masked)
}

/// The quote of JSON, with the backslashes of its depth, at the end of a text; `""` when there
/// is none. A bare value after a quoted name is a number, and its mask must be quoted alike, or
/// the line would be JSON no more.
fn quote_at_end(text: &str) -> &str {
    let bare = text
        .strip_suffix('"')
        .map_or(text, |inner| inner.trim_end_matches('\\'));
    &text[bare.len()..]
}
