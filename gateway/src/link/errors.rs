//! How often the link failed of late.

use std::collections::VecDeque;

/// The span that counts, milliseconds.
const WINDOW_MS: i64 = 5 * 60_000;
/// Most outcomes kept: one a second fills the span.
const KEPT: usize = 600;

/// Outcomes of the last five minutes: pings, and attempts to connect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcomes(VecDeque<(i64, bool)>);

impl Outcomes {
    pub(super) fn add(&mut self, now: i64, succeeded: bool) {
        if self.0.len() >= KEPT {
            self.0.pop_front();
        }
        self.0.push_back((now, succeeded));
    }

    /// The failed share, 0 to 1; zero without any.
    pub(super) fn error_rate(&self, now: i64) -> f64 {
        let recent = self.0.iter().filter(|(at, _)| now - at <= WINDOW_MS);
        let mut all = 0_u32;
        let mut failed = 0_u32;
        for (_, succeeded) in recent {
            all += 1;
            failed += u32::from(!succeeded);
        }
        if all == 0 {
            0.0
        } else {
            f64::from(failed) / f64::from(all)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_five_minutes_count() {
        let mut outcomes = Outcomes::default();
        assert!(outcomes.error_rate(0).abs() < f64::EPSILON);
        outcomes.add(0, false);
        for second in 1..4 {
            outcomes.add(second * 1_000, true);
        }
        assert!((outcomes.error_rate(3_000) - 0.25).abs() < 1e-9);
        assert!(outcomes.error_rate(WINDOW_MS + 1).abs() < f64::EPSILON);
        (0..10_000).for_each(|at| outcomes.add(at, false));
        assert_eq!(outcomes.0.len(), KEPT);
    }
}
