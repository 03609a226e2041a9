//! What is known of a secret that is not kept: prints of its forms, by which a text that holds one is
//! recognised. A print tells the length of a form and nothing of its parts: who reads it can only try
//! whole secrets, as with any hash of a password.
//!
//! A window of a text has a polynomial hash that follows from two sums over the text. It is mixed and
//! cut to a few bits before it is kept, so that it cannot be solved for the bytes; a window that agrees
//! is held against a salted SHA-256. The cost is linear in the text, times the lengths of the forms.

use super::forms::{self, Forms};
use sha2::{Digest, Sha256};
use std::hint::black_box;
use std::sync::LazyLock;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Signs that hardly any line has as often as a form that is made of them.
const RARE: [u8; 7] = *b", :\\0%\0";
/// Fewer of them would tell of the secret itself.
const MIN_RARE: usize = 5;

/// Of this process alone: prints of two processes do not compare.
struct Key {
    factor: u64,
    salt: [u8; 16],
}

static KEY: LazyLock<Key> = LazyLock::new(|| {
    let (factor, _) = Uuid::new_v4().as_u64_pair();
    Key {
        factor: factor | 1,
        salt: Uuid::new_v4().into_bytes(),
    }
});

/// A form that is not kept.
#[derive(Clone)]
struct Print {
    length: usize,
    /// The factor to the power of the length.
    power: u64,
    /// A sign that a text must have so often.
    needs: Option<(u8, usize)>,
    tag: u16,
    digest: [u8; 32],
}

/// The prints of all forms of some secrets, by their lengths.
#[derive(Clone, Default)]
pub(crate) struct Prints(Vec<Print>);

impl Prints {
    /// Of every form of a secret.
    pub(crate) fn of(secret: &str) -> Self {
        let mut forms = Forms::new();
        forms::all(secret, &mut forms);
        let prints = forms.iter().map(|form| print(form.as_ref()));
        Self::sorted(prints.filter(|print| print.length > 0).collect())
    }

    /// All of these.
    pub(crate) fn joined<'a>(all: impl Iterator<Item = &'a Self>) -> Self {
        Self::sorted(all.flat_map(|prints| prints.0.iter().cloned()).collect())
    }

    fn sorted(mut prints: Vec<Print>) -> Self {
        prints.sort_by_key(|print| print.length);
        Self(prints)
    }

    /// Adds where forms begin and end in a text, in no order.
    pub(crate) fn find(&self, text: &str, found: &mut Vec<(usize, usize)>) {
        if self.0.is_empty() {
            return;
        }
        let bytes = text.as_bytes();
        let sums = Zeroizing::new(sums(bytes));
        let counts = RARE.map(|sign| count(bytes, sign));
        let possible = |print: &Print| {
            let counted = RARE.iter().zip(counts);
            print.needs.is_none_or(|(needed, times)| {
                let mut counted = counted.filter(|(sign, _)| **sign == needed);
                counted.any(|(_, count)| count >= times)
            })
        };
        for alike in self.0.chunk_by(|one, next| one.length == next.length) {
            let Print { length, power, .. } = alike[0];
            if length > bytes.len() {
                return;
            }
            if !alike.iter().any(&possible) {
                continue;
            }
            for (start, window) in bytes.windows(length).enumerate() {
                let end = start + length;
                let tag = tag(sums[end].wrapping_sub(sums[start].wrapping_mul(power)));
                let mut tagged = alike.iter().filter(|print| print.tag == tag);
                if tagged.any(|print| print.digest == digest(&KEY.salt, window)) {
                    found.push((start, end));
                }
            }
        }
    }
}

fn print(form: &[u8]) -> Print {
    let needs = RARE.map(|sign| (sign, count(form, sign)));
    let needs = needs.into_iter().max_by_key(|(_, count)| *count);
    Print {
        length: form.len(),
        power: form
            .iter()
            .fold(1, |power: u64, _| power.wrapping_mul(KEY.factor)),
        needs: needs.filter(|(_, count)| *count >= MIN_RARE),
        tag: tag(sum(form)),
        digest: digest(&KEY.salt, form),
    }
}

fn count(bytes: &[u8], sign: u8) -> usize {
    bytes.iter().filter(|byte| **byte == sign).count()
}

/// The polynomial hash of a text and one byte more.
fn added(factor: u64, sum: u64, byte: u8) -> u64 {
    sum.wrapping_mul(factor).wrapping_add(u64::from(byte) + 1)
}

/// The polynomial hash of a text.
fn sum(bytes: &[u8]) -> u64 {
    let factor = KEY.factor;
    let bytes = bytes.iter();
    bytes.fold(0, |sum, byte| added(factor, sum, *byte))
}

/// The polynomial hash of what is before each place of a text, and of all of it: from one to the next
/// the text can be told. Written where it stays, so that it can be wiped.
fn sums(bytes: &[u8]) -> Vec<u64> {
    let factor = KEY.factor;
    let mut sums = Vec::with_capacity(bytes.len() + 1);
    let mut sum = 0;
    sums.push(sum);
    for byte in bytes {
        sum = added(factor, sum, *byte);
        sums.push(sum);
    }
    sums
}

/// The few bits that are kept of a polynomial hash, each of them of all of it.
fn tag(hash: u64) -> u16 {
    let mixed = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed >> 48) as u16
}

/// SHA-256 of a part of a secret after `before`, which leaves no copy of it on the stack.
pub(super) fn digest(before: &[u8], secret: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update(secret);
    let digest = hash.finalize_reset().into();
    // What was hashed last is in its buffer still, which is one byte longer than this.
    hash.update([0; 63]);
    black_box(&hash);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(prints: &Prints, text: &str) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        prints.find(text, &mut found);
        found.sort_unstable();
        found
    }

    #[test]
    fn a_text_is_found_where_it_stands_and_nowhere_else() {
        let prints = Prints::of("plain text");
        assert_eq!(found(&prints, "plain text"), [(0, 10)]);
        assert_eq!(found(&prints, "a plain text, plain  text"), [(2, 12)]);
        assert_eq!(
            found(&prints, "plain%20text plain+text"),
            [(0, 12), (13, 23)]
        );
        for other in ["", "plain", "plain tex", "plain tezt", "txet nialp"] {
            assert!(found(&prints, other).is_empty(), "{other}");
        }
        assert!(found(&Prints::default(), "plain text").is_empty());
    }

    #[test]
    fn several_are_found_together() {
        let (one, other) = (Prints::of("abcdef"), Prints::of("defghi"));
        let both = Prints::joined([&one, &other].into_iter());
        assert_eq!(found(&both, "<abcdefghi>"), [(1, 7), (4, 10)]);
        assert_eq!(found(&one, "<abcdefghi>"), [(1, 7)]);
    }

    #[test]
    fn lists_are_found_by_their_many_signs() {
        let prints = Prints::of("abcdef");
        assert_eq!(found(&prints, "[97, 98, 99, 100, 101, 102]"), [(1, 26)]);
        assert_eq!(found(&prints, "\\\"61 62 63 64 65 66\\\""), [(2, 19)]);
    }

    #[test]
    fn the_hash_of_a_form_is_the_last_of_its_sums() {
        let form = b"correct horse";
        let last = sums(form).last().copied();
        assert_eq!(last, Some(sum(form)));
        assert_eq!(last.map(tag), Some(print(form).tag));
    }

    #[test]
    fn a_print_holds_no_part_of_the_secret() {
        let prints = Prints::of("correct horse");
        assert!(prints.0.len() > 50);
        for print in &prints.0 {
            let rare = print.needs.is_none_or(|(sign, _)| RARE.contains(&sign));
            assert!(rare && print.power % 2 == 1);
        }
        let lengths: Vec<_> = prints.0.iter().map(|print| print.length).collect();
        assert!(lengths.is_sorted());
    }
}
