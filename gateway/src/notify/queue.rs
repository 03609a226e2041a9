//! What waits for one channel: the most urgent first, then the oldest. It is bounded in number and in
//! age, and a channel that fails is left alone for a while, longer each time. All of that is measured
//! by a clock that nobody sets.

use super::alert::{Message, Severity};
use std::{cmp::Reverse, collections::BTreeMap, time::Duration};
use tokio::time::Instant;

/// Messages that may wait.
const CAPACITY: usize = 100;
/// The pause after a failure, which doubles with each further one.
const FIRST: Duration = Duration::from_secs(5);
const LAST: Duration = Duration::from_secs(300);
/// The longest pause that a server may ask for.
const ASKED: Duration = Duration::from_secs(3_600);

/// The most urgent first, then the oldest.
type Place = (Reverse<Severity>, u64);

/// What waits for a channel, and when it may be tried.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: BTreeMap<Place, Waiting>,
    next_place: u64,
    failures: u32,
    /// When it may be tried; none: now.
    not_before: Option<Instant>,
    /// Messages gave way since it was empty.
    gave_way: bool,
    most_age: Duration,
}

/// A message, and since when it waits.
#[derive(Debug)]
struct Waiting {
    since: Instant,
    message: Message,
}

/// A message that is being sent; it goes back to its place when that fails.
#[derive(Debug)]
pub(super) struct Taken {
    place: Place,
    since: Instant,
    /// The message.
    pub(super) message: Message,
}

impl Queue {
    /// Gives messages up at that age.
    #[must_use]
    pub(super) fn new(most_age: Duration) -> Self {
        Self {
            waiting: BTreeMap::new(),
            next_place: 0,
            failures: 0,
            not_before: None,
            gave_way: false,
            most_age,
        }
    }

    /// Takes a message. Where there are too many the oldest of the least urgent gives way: it is
    /// returned.
    pub(super) fn push(&mut self, message: Message, now: Instant) -> Option<Message> {
        self.gave_way &= !self.waiting.is_empty();
        let place = (Reverse(message.alert.severity), self.next_place);
        self.next_place += 1;
        let since = now;
        self.waiting.insert(place, Waiting { since, message });
        self.shrunk()
    }

    fn shrunk(&mut self) -> Option<Message> {
        if self.waiting.len() <= CAPACITY {
            return None;
        }
        let (least, _) = *self.waiting.last_key_value()?.0;
        let oldest = *self.waiting.range((least, 0)..).next()?.0;
        let dropped = self.waiting.remove(&oldest);
        dropped.map(|waiting| waiting.message)
    }

    /// Removes what is too old to be of use; how many those are.
    pub(super) fn expire(&mut self, now: Instant) -> u64 {
        let before = self.waiting.len();
        let most_age = self.most_age;
        self.waiting
            .retain(|_, waiting| now.duration_since(waiting.since) < most_age);
        (before - self.waiting.len()) as u64
    }

    /// The next message, where one waits and the channel may be tried.
    pub(super) fn take(&mut self, now: Instant) -> Option<Taken> {
        if !self.pause(now).is_some_and(|pause| pause.is_zero()) {
            return None;
        }
        let (place, Waiting { since, message }) = self.waiting.pop_first()?;
        Some(Taken {
            place,
            since,
            message,
        })
    }

    /// How long until the channel may be tried; none: nothing waits.
    #[must_use]
    pub(super) fn pause(&self, now: Instant) -> Option<Duration> {
        if self.waiting.is_empty() {
            return None;
        }
        let left = |end: Instant| end.saturating_duration_since(now);
        Some(self.not_before.map_or(Duration::ZERO, left))
    }

    /// The channel works.
    pub(super) fn delivered(&mut self) {
        self.failures = 0;
        self.not_before = None;
    }

    /// The channel does not work: the message waits again, and the channel is left alone, at least
    /// for as long as its server asked. A message for which there is no room is returned.
    pub(super) fn failed(
        &mut self,
        taken: Taken,
        asked: Option<Duration>,
        now: Instant,
    ) -> Option<Message> {
        let doubled = FIRST.saturating_mul(1 << self.failures.min(16)).min(LAST);
        let pause = asked.unwrap_or_default().min(ASKED).max(doubled);
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now + pause);
        let Taken {
            place,
            since,
            message,
        } = taken;
        self.waiting.insert(place, Waiting { since, message });
        self.shrunk()
    }

    /// Whether the message that just gave way is the first that did since the queue was empty.
    pub(super) fn begins_to_give_way(&mut self) -> bool {
        !std::mem::replace(&mut self.gave_way, true)
    }

    /// How many wait.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::notify::alert::{Alert, Kind};
    use mymt5_model::UtcTime;

    fn message(severity: Severity, text: &str) -> Message {
        Message {
            at: UtcTime(0),
            alert: Alert::new(Kind::Link, severity, text),
        }
    }

    fn queue() -> Queue {
        Queue::new(Duration::from_secs(3_600))
    }

    fn drained(queue: &mut Queue) -> Vec<String> {
        let now = Instant::now();
        let taken = std::iter::from_fn(|| queue.take(now));
        taken.map(|taken| taken.message.alert.text).collect()
    }

    #[test]
    fn the_most_urgent_goes_first_and_then_the_oldest() {
        let mut queue = queue();
        let now = Instant::now();
        for (severity, text) in [
            (Severity::Info, "a"),
            (Severity::Critical, "b"),
            (Severity::Warning, "c"),
            (Severity::Critical, "d"),
        ] {
            assert_eq!(queue.push(message(severity, text), now), None);
        }
        assert_eq!(drained(&mut queue), ["b", "d", "c", "a"]);
        assert_eq!(queue.pause(now), None);
    }

    #[test]
    fn where_there_are_too_many_the_oldest_of_the_least_urgent_gives_way() {
        let mut queue = queue();
        let now = Instant::now();
        for n in 0..CAPACITY {
            let severity = [Severity::Warning, Severity::Info][n % 2];
            assert_eq!(queue.push(message(severity, &n.to_string()), now), None);
        }
        let dropped = |queue: &mut Queue, severity| {
            let dropped = queue.push(message(severity, "new"), now).unwrap();
            dropped.alert.text
        };
        assert_eq!(dropped(&mut queue, Severity::Critical), "1");
        assert_eq!(dropped(&mut queue, Severity::Info), "3");
        for _ in 0..CAPACITY {
            dropped(&mut queue, Severity::Critical);
        }
        assert_eq!(dropped(&mut queue, Severity::Info), "new");
        assert_eq!(queue.len(), CAPACITY);
    }

    #[test]
    fn a_burst_that_gives_way_begins_once() {
        let mut queue = queue();
        let mut begins = 0;
        for _ in 0..2 {
            for _ in 0..3 * CAPACITY {
                let dropped = queue.push(message(Severity::Info, "new"), Instant::now());
                begins += u32::from(dropped.is_some() && queue.begins_to_give_way());
            }
            drained(&mut queue);
        }
        assert_eq!(begins, 2);
    }

    #[test]
    fn a_failing_channel_is_left_alone_for_longer_each_time() {
        let mut queue = queue();
        let mut now = Instant::now();
        queue.push(message(Severity::Info, "a"), now);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let taken = queue.take(now).unwrap();
            assert_eq!(queue.failed(taken, None, now), None);
            assert!(queue.take(now).is_none());
            let pause = queue.pause(now).unwrap();
            pauses.push(pause.as_secs());
            now += pause;
        }
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300]);
        queue.take(now).unwrap();
        queue.delivered();
        queue.push(message(Severity::Info, "b"), now);
        assert_eq!(queue.pause(now), Some(Duration::ZERO));
    }

    #[test]
    fn a_server_may_ask_for_a_longer_pause_though_not_for_ever() {
        let mut queue = queue();
        let now = Instant::now();
        queue.push(message(Severity::Info, "a"), now);
        for (asked, pause) in [(1, 5), (100, 100), (u64::MAX, 3_600)] {
            let taken = queue.take(now).unwrap();
            let asked = Some(Duration::from_secs(asked));
            queue.failed(taken, asked, now);
            assert_eq!(queue.pause(now).unwrap().as_secs(), pause);
            queue.delivered();
        }
    }

    #[test]
    fn what_waits_for_too_long_is_given_up_however_often_it_was_tried() {
        let mut queue = queue();
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        for second in [0, 1, 2] {
            queue.push(message(Severity::Info, "a"), after(second));
        }
        let taken = queue.take(after(3)).unwrap();
        queue.failed(taken, None, after(3));
        assert_eq!(queue.expire(after(3_599)), 0);
        assert_eq!(queue.expire(after(3_601)), 2);
        assert_eq!(queue.len(), 1);
    }
}
