//! How long to wait before the next attempt: full jitter below a ceiling that doubles, forgotten
//! after a stable minute.

use std::time::Duration;

/// The ceiling's state.
#[derive(Debug)]
pub struct Backoff {
    ceiling: Duration,
}

const FIRST: Duration = Duration::from_millis(250);
const MOST: Duration = Duration::from_secs(30);
const STABLE: Duration = Duration::from_secs(60);

impl Default for Backoff {
    fn default() -> Self {
        Self { ceiling: FIRST }
    }
}

impl Backoff {
    /// The pause after a session that lasted so long; `random` lies in 0..1.
    pub fn next(&mut self, lasted: Duration, random: f64) -> Duration {
        if lasted >= STABLE {
            self.ceiling = FIRST;
        }
        let pause = self.ceiling.mul_f64(random.clamp(0.0, 1.0));
        self.ceiling = (self.ceiling * 2).min(MOST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_a_ceiling_and_forgets() {
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..9).map(|_| backoff.next(Duration::ZERO, 1.0)).collect();
        assert_eq!((pauses[0], pauses[1], pauses[8]), (FIRST, FIRST * 2, MOST));
        assert_eq!(backoff.next(Duration::ZERO, 0.0), Duration::ZERO);
        assert_eq!(backoff.next(STABLE, 1.0), FIRST);
    }
}
