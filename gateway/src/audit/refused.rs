//! Calls of known clients that lead to nothing: refused ones, repeats. Each client has room on the
//! trail for so many of them at once and for one more with each second; what finds none is told by its
//! number for each reason, together once an interval has ended. So no client can fill the trail with
//! what is not done. A call takes room once it is known to have led to nothing: those under way may then
//! take more than there was, which their client waits for afterwards.

use super::fold::INTERVAL;
use std::{
    collections::BTreeMap,
    mem,
    time::{Duration, Instant},
};

/// Refused calls of a client that are told one by one, when there were none for long.
pub(super) const MOST: i64 = 600;
/// After so long there is room for one more.
const EACH: Duration = Duration::from_secs(1);

/// How many of a client were only counted, for each reason.
pub(super) type Counted = BTreeMap<&'static str, u64>;

/// The clients' room, and what found none. Known clients are few, and so are reasons.
#[derive(Default)]
pub(super) struct Refused(BTreeMap<String, Budget>);

struct Budget {
    /// Calls that may still be told alone; below zero, those that were told beyond.
    left: i64,
    /// Until when `left` has grown.
    grown: Instant,
    /// When the first was counted since they were told last.
    since: Instant,
    counted: Counted,
}

impl Budget {
    const fn new(now: Instant) -> Self {
        Self {
            left: MOST,
            grown: now,
            since: now,
            counted: Counted::new(),
        }
    }

    fn grow(&mut self, now: Instant) {
        let seconds = now.duration_since(self.grown).as_secs();
        let more = u32::try_from(seconds).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(i64::from(more)).min(MOST);
        self.grown += EACH * more;
        if self.left == MOST {
            self.grown = now;
        }
    }
}

impl Refused {
    fn budget(&mut self, client: &str, now: Instant) -> &mut Budget {
        let budget = self.0.entry(client.to_owned());
        budget.or_insert_with(|| Budget::new(now))
    }

    /// True where there is room for a call that may be refused.
    pub(super) fn has_room(&mut self, client: &str, now: Instant) -> bool {
        let budget = self.budget(client, now);
        budget.grow(now);
        budget.left > 0
    }

    /// One that is told alone led to nothing: takes its room.
    pub(super) fn take(&mut self, client: &str, now: Instant) {
        let budget = self.budget(client, now);
        budget.grow(now);
        budget.left -= 1;
    }

    /// One that found no room led to nothing.
    pub(super) fn count(&mut self, client: &str, reason: &'static str, now: Instant) {
        let budget = self.budget(client, now);
        if budget.counted.is_empty() {
            budget.since = now;
        }
        *budget.counted.entry(reason).or_default() += 1;
    }

    /// Whose interval has ended, and what was counted in it. Whoever has all room again is forgotten.
    pub(super) fn due(&mut self, now: Instant) -> Vec<(String, Counted)> {
        let mut due = Vec::new();
        self.0.retain(|client, budget| {
            let ended = now.duration_since(budget.since) >= INTERVAL;
            if ended && !budget.counted.is_empty() {
                due.push((client.clone(), mem::take(&mut budget.counted)));
            }
            budget.grow(now);
            budget.left < MOST || !budget.counted.is_empty()
        });
        due
    }

    /// All that was counted so far.
    pub(super) fn end(&mut self) -> Vec<(String, Counted)> {
        let all = mem::take(&mut self.0).into_iter();
        all.map(|(client, budget)| (client, budget.counted))
            .filter(|(_, counted)| !counted.is_empty())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Refused calls of a client: how many of so many were told alone.
    fn refuse(refused: &mut Refused, client: &str, calls: u64, now: Instant) -> i64 {
        let mut alone = 0;
        for _ in 0..calls {
            if refused.has_room(client, now) {
                refused.take(client, now);
                alone += 1;
            } else {
                refused.count(client, "RATE_LIMITED", now);
            }
        }
        alone
    }

    #[test]
    fn each_client_has_room_of_its_own_and_the_rest_is_counted_by_reason() {
        let start = Instant::now();
        let mut refused = Refused::default();
        assert_eq!(refuse(&mut refused, "a", 10_000, start), MOST);
        assert_eq!(refuse(&mut refused, "b", 5, start), 5);
        refused.count("a", "ABANDONED", start);
        assert!(refused.due(start + INTERVAL / 2).is_empty());
        let counted = Counted::from([
            ("ABANDONED", 1),
            ("RATE_LIMITED", 10_000 - MOST.unsigned_abs()),
        ]);
        let due = refused.due(start + INTERVAL);
        assert_eq!(due, vec![("a".to_owned(), counted)]);
        assert!(refused.due(start + 2 * INTERVAL).is_empty());
        assert!(refused.end().is_empty());
    }

    #[test]
    fn room_comes_again_one_a_second_and_never_more_than_at_first() {
        let start = Instant::now();
        let mut refused = Refused::default();
        refuse(&mut refused, "a", 10_000, start);
        let seconds = Duration::from_millis(2_500);
        assert_eq!(refuse(&mut refused, "a", 10_000, start + seconds), 2);
        let seconds = Duration::from_secs(3);
        assert_eq!(refuse(&mut refused, "a", 10_000, start + seconds), 1);
        let long = Duration::from_secs(86_400);
        assert_eq!(refuse(&mut refused, "a", 10_000, start + long), MOST);
    }

    #[test]
    fn what_is_not_refused_takes_no_room() {
        let start = Instant::now();
        let mut refused = Refused::default();
        for _ in 0..10 * MOST {
            assert!(refused.has_room("a", start));
        }
        assert!(refused.due(start).is_empty() && refused.0.is_empty());
    }

    #[test]
    fn what_was_told_beyond_the_room_is_waited_for() {
        let start = Instant::now();
        let mut refused = Refused::default();
        for _ in 0..MOST + 5 {
            refused.take("a", start);
        }
        let seconds = Duration::from_secs(5);
        assert!(!refused.has_room("a", start + seconds));
        assert!(refused.has_room("a", start + seconds + EACH));
    }
}
