//! How often something happened lately.

use std::collections::VecDeque;

/// Counts what happened within the last minute; remembers no more than that.
#[derive(Clone, Debug, Default)]
pub struct Rate(VecDeque<i64>);

impl Rate {
    /// How long an event counts, milliseconds.
    pub const WINDOW_MS: i64 = 60_000;

    /// Events in the minute before `now_ms`.
    pub fn recent(&mut self, now_ms: i64) -> u32 {
        while self
            .0
            .front()
            .is_some_and(|at| now_ms - at >= Self::WINDOW_MS)
        {
            self.0.pop_front();
        }
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// Notes one event.
    pub fn note(&mut self, now_ms: i64) {
        self.0.push_back(now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_forgotten() {
        let mut rate = Rate::default();
        rate.note(0);
        rate.note(30_000);
        assert_eq!(
            (
                rate.recent(59_999),
                rate.recent(60_000),
                rate.recent(90_000)
            ),
            (2, 1, 0)
        );
    }
}
