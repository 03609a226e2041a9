//! The time of a step.

use mymt5_model::UtcTime;

/// Two clocks at one moment: the wall clock dates what is recorded, and may be set; what is waited
/// for is measured by a clock that only goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The wall clock.
    pub utc: UtcTime,
    /// Milliseconds of a clock that never goes back, since any fixed moment of this process.
    pub elapsed_ms: i64,
}

impl Now {
    /// When a wall-clock time comes, on the clock that never goes back. Setting the wall clock later
    /// moves it no more.
    #[must_use]
    pub const fn when(self, utc_ms: i64) -> i64 {
        self.elapsed_ms
            .saturating_add(utc_ms.saturating_sub(self.utc.0))
    }
}

/// A pause that doubles, up to a bound that the caller knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    noted: i64,
    pause: i64,
}

impl Backoff {
    const FIRST_MS: i64 = 1_000;
    /// The bound where something moves, and where the market is closed, milliseconds.
    pub(crate) const OPEN_MS: i64 = 60_000;
    pub(crate) const CLOSED_MS: i64 = 900_000;

    /// Due at once.
    pub(crate) const fn new() -> Self {
        Self {
            noted: 0,
            pause: i64::MIN,
        }
    }

    pub(crate) fn is_due(self, longest_ms: i64, now: Now) -> bool {
        now.elapsed_ms.saturating_sub(self.noted) >= self.pause.min(longest_ms)
    }

    /// Notes an attempt: the next one is due after a pause.
    pub(crate) fn note(&mut self, now: Now) {
        self.noted = now.elapsed_ms;
        self.pause = (self.pause.saturating_mul(2)).clamp(Self::FIRST_MS, Self::CLOSED_MS);
    }
}
