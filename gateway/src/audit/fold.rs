//! Floods told by their number: of each name so many are told one by one within an interval, and
//! the rest of them together at its end.

use std::{
    collections::BTreeMap,
    mem,
    time::{Duration, Instant},
};

/// How long what is not told alone is counted.
pub(super) const INTERVAL: Duration = Duration::from_secs(600);
/// The name of all those for whose own there is no room.
const OTHERS: &str = "others";

/// Who had how many within the interval.
pub(super) struct Fold {
    /// Told one by one of each name within an interval.
    alone: u32,
    /// Names that are told apart at a time.
    names: usize,
    seen: BTreeMap<String, Seen>,
}

struct Seen {
    since: Instant,
    alone: u32,
    counted: u64,
}

impl Fold {
    pub(super) const fn new(alone: u32, names: usize) -> Self {
        Self {
            alone,
            names,
            seen: BTreeMap::new(),
        }
    }

    /// One more: under which name to tell it alone, or none where it was only counted.
    pub(super) fn one(&mut self, name: &str, now: Instant) -> Option<String> {
        let crowded = !self.seen.contains_key(name) && self.seen.len() >= self.names;
        let name = if crowded { OTHERS } else { name };
        let seen = self.seen.entry(name.to_owned()).or_insert(Seen {
            since: now,
            alone: 0,
            counted: 0,
        });
        if seen.alone < self.alone {
            seen.alone += 1;
            return Some(name.to_owned());
        }
        seen.counted += 1;
        None
    }

    /// Whose interval has ended, and how many were only counted in it.
    pub(super) fn due(&mut self, now: Instant) -> Vec<(String, u64)> {
        let mut due = Vec::new();
        self.seen.retain(|name, seen| {
            if now.duration_since(seen.since) < INTERVAL {
                return true;
            }
            if seen.counted == 0 {
                return false;
            }
            due.push((name.clone(), seen.counted));
            *seen = Seen {
                since: now,
                alone: 1,
                counted: 0,
            };
            true
        });
        due
    }

    /// All that were only counted so far.
    pub(super) fn end(&mut self) -> Vec<(String, u64)> {
        let seen = mem::take(&mut self.seen).into_iter();
        seen.map(|(name, seen)| (name, seen.counted))
            .filter(|(_, counted)| *counted > 0)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_is_told_once_in_an_interval_and_its_number_after_it() {
        let start = Instant::now();
        let mut fold = Fold::new(1, 8);
        assert_eq!(fold.one("a", start), Some("a".into()));
        for _ in 0..99 {
            assert_eq!(fold.one("a", start), None);
        }
        assert_eq!(fold.one("b", start), Some("b".into()));
        assert!(fold.due(start + INTERVAL / 2).is_empty());
        let later = start + INTERVAL;
        assert_eq!(fold.due(later), vec![("a".to_owned(), 99)]);
        assert_eq!(fold.one("a", later), None, "its interval was told already");
        assert_eq!(fold.one("b", later), Some("b".into()), "it was silent");
        assert_eq!(fold.end(), vec![("a".to_owned(), 1)]);
        assert!(fold.end().is_empty());
    }

    #[test]
    fn many_names_are_told_together() {
        let start = Instant::now();
        let mut fold = Fold::new(1, 3);
        let told: Vec<_> = (0..50)
            .filter_map(|n| fold.one(&n.to_string(), start))
            .collect();
        assert_eq!(told, ["0", "1", "2", OTHERS]);
        assert_eq!(fold.due(start + INTERVAL), vec![(OTHERS.to_owned(), 46)]);
    }

    #[test]
    fn each_name_has_a_budget_of_its_own() {
        let start = Instant::now();
        let mut fold = Fold::new(3, usize::MAX);
        let alone = |fold: &mut Fold, name| (0..9).filter_map(|_| fold.one(name, start)).count();
        assert_eq!((alone(&mut fold, "a"), alone(&mut fold, "b")), (3, 3));
        let due = ["a", "b"].map(|name| (name.to_owned(), 6));
        assert_eq!(fold.due(start + INTERVAL), due.to_vec());
    }
}
