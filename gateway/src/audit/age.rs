//! By which time records are old. A clock that is set forward, if only for a moment, would make all of
//! them old at once, and what is removed does not come back.

use std::time::Instant;

/// How far the clock may run ahead of the time that has passed, milliseconds.
const AHEAD_MS: i64 = 86_400_000;

/// When the trail was opened, by the clock and by one that nobody sets.
pub(super) struct Age {
    utc_ms: i64,
    at: Instant,
}

impl Age {
    pub(super) const fn since(utc_ms: i64, at: Instant) -> Self {
        Self { utc_ms, at }
    }

    /// The time that counts where the clock says that. A clock that was right only later, or a host
    /// that slept, keeps records for longer, until the next start.
    pub(super) fn now_ms(&self, utc_ms: i64, at: Instant) -> i64 {
        let passed = at.saturating_duration_since(self.at).as_millis();
        let passed = i64::try_from(passed).unwrap_or(i64::MAX);
        let latest = self.utc_ms.saturating_add(passed);
        utc_ms.min(latest.saturating_add(AHEAD_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_clock_counts_as_far_as_time_has_passed() {
        let start = Instant::now();
        let age = Age::since(1_000, start);
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(age.now_ms(1_000, start), 1_000);
        assert_eq!(age.now_ms(-5, after(9)), -5);
        assert_eq!(age.now_ms(61_000, after(60)), 61_000);
        assert_eq!(age.now_ms(AHEAD_MS, start), AHEAD_MS);
        assert_eq!(age.now_ms(i64::MAX, after(60)), 61_000 + AHEAD_MS);
    }
}
