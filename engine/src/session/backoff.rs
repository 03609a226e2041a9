//! How long to wait before the next attempt: full jitter below a ceiling that doubles, forgotten
//! after a session that was stable for a while.

use std::time::Duration;

/// The ceiling's state.
#[derive(Debug)]
pub struct Backoff {
    ceiling: Duration,
}

const FIRST: Duration = Duration::from_millis(250);
const STABLE: Duration = Duration::from_secs(10);

impl Default for Backoff {
    fn default() -> Self {
        Self { ceiling: FIRST }
    }
}

impl Backoff {
    /// The longest pause where nothing is missed meanwhile.
    pub const IDLE: Duration = Duration::from_secs(30);
    /// The longest pause while what is open may be unattended.
    pub const URGENT: Duration = Duration::from_secs(2);

    /// The pause after a session that lasted so long; `random` lies in 0..1.
    pub fn next(&mut self, lasted: Duration, most: Duration, random: f64) -> Duration {
        if lasted >= STABLE {
            self.ceiling = FIRST;
        }
        let pause = self.ceiling.min(most).mul_f64(random.clamp(0.0, 1.0));
        self.ceiling = (self.ceiling * 2).min(Self::IDLE);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_a_ceiling_and_forgets() {
        let mut backoff = Backoff::default();
        let idle = Backoff::IDLE;
        let pauses: Vec<_> = (0..9)
            .map(|_| backoff.next(Duration::ZERO, idle, 1.0))
            .collect();
        assert_eq!((pauses[0], pauses[1], pauses[8]), (FIRST, FIRST * 2, idle));
        assert_eq!(backoff.next(Duration::ZERO, idle, 0.0), Duration::ZERO);
        assert_eq!(backoff.next(STABLE, idle, 1.0), FIRST);
    }

    #[test]
    fn what_is_open_is_not_left_alone_for_long_and_no_busy_loop_comes_of_it() {
        let mut backoff = Backoff::default();
        let urgent = Backoff::URGENT;
        let pauses: Vec<_> = (0..9)
            .map(|_| backoff.next(Duration::from_secs(1), urgent, 1.0))
            .collect();
        assert_eq!((pauses[0], pauses[1]), (FIRST, FIRST * 2));
        assert_eq!(pauses[3..], [urgent; 6]);
    }
}
