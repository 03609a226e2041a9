//! Whether the broker's clock is what the configured zone says. Fresh ticks show it: a tick carries
//! the broker's wall clock, and a stale one can only look earlier than it is.

use mymt5_model::{BrokerTime, BrokerZone, UtcTime};

/// Estimates are rounded to that, as all zones are.
const QUARTER_MS: i64 = 15 * 60_000;
/// How far a fresh tick may be from a whole quarter: clocks differ a little, and packets travel.
const LATE_MS: i64 = 30_000;
/// Estimates that must agree before a difference is believed.
const BELIEVED: u32 = 20;
/// So many ticks in a row that seem delayed by an estimate, without one of it, drop it: delayed symbols
/// tick often beside one that does seldom.
const ABANDONED: u32 = 1_000;
/// Exchanges' quotes are delayed by a quarter of an hour or a few, and by less than that.
const DELAY_MS: i64 = 60 * 60_000;

/// What ticks say of the zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockCheck {
    /// When a tick last agreed with the zone.
    pub verified: Option<UtcTime>,
    /// The offset that ticks show instead, milliseconds, once enough of them agree.
    pub differs: Option<i64>,
    candidate: Option<(i64, u32)>,
    /// Ticks in a row that would be delayed by the candidate's clock.
    behind: u32,
}

impl ClockCheck {
    /// Takes a tick that came just now.
    pub(super) fn see(&mut self, zone: &BrokerZone, tick: BrokerTime, now: UtcTime) {
        let Some(expected) = zone.to_broker(now).map(|time| time.0 - now.0) else {
            return;
        };
        let measured = tick.0 - now.0;
        let rounded = (measured + QUARTER_MS / 2).div_euclid(QUARTER_MS) * QUARTER_MS;
        if (measured - rounded).abs() > LATE_MS {
            return;
        }
        if rounded == expected {
            *self = Self {
                verified: Some(now),
                ..Self::default()
            };
            return;
        }
        // A delayed quote says nothing, whether the configured clock is the broker's or another one is.
        let is_delayed = |clock: i64| (1..DELAY_MS).contains(&(clock - rounded));
        let candidate = self.candidate.map(|(offset, _)| offset);
        if is_delayed(expected) {
            return;
        }
        if candidate.is_some_and(is_delayed) {
            self.behind += 1;
            // A single tick that is dated ahead must not hide what all others show.
            if self.behind < ABANDONED {
                return;
            }
        }
        self.behind = 0;
        let seen = match self.candidate {
            Some((offset, seen)) if offset == rounded => seen + 1,
            _ => 1,
        };
        self.candidate = Some((rounded, seen));
        if seen >= BELIEVED {
            self.differs = Some(rounded);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const HOUR: i64 = 3_600_000;
    /// July, when Athens is three hours ahead.
    const NOW: i64 = 1_784_000_000_000;

    fn seen(offsets: &[i64]) -> ClockCheck {
        let zone = BrokerZone::parse("Europe/Athens").unwrap();
        let mut check = ClockCheck::default();
        for (second, offset) in (0..).zip(offsets) {
            let now = UtcTime(NOW + second * 1_000);
            check.see(&zone, BrokerTime(now.0 + offset), now);
        }
        check
    }

    #[test]
    fn a_fresh_tick_verifies_the_zone() {
        let check = seen(&[3 * HOUR - 4_000]);
        assert_eq!((check.verified, check.differs), (Some(UtcTime(NOW)), None));
        assert_eq!(seen(&[3 * HOUR + 1_000]).verified, Some(UtcTime(NOW)));
    }

    #[test]
    fn a_stale_tick_says_nothing() {
        let check = seen(&[3 * HOUR - 7 * 60_000; 100]);
        assert_eq!((check.verified, check.differs), (None, None));
    }

    #[test]
    fn a_delayed_quote_says_nothing_of_the_zone() {
        let delayed = seen(&[3 * HOUR - QUARTER_MS; 100]);
        assert_eq!((delayed.verified, delayed.differs), (None, None));
        let mut mixed = vec![2 * HOUR; 19];
        mixed.push(3 * HOUR - 3 * QUARTER_MS);
        assert_eq!(seen(&mixed).differs, None);
        mixed.push(2 * HOUR);
        assert_eq!(seen(&mixed).differs, Some(2 * HOUR));
    }

    #[test]
    fn delayed_quotes_do_not_hide_a_clock_that_differs() {
        for ahead in [HOUR, -HOUR, 3 * QUARTER_MS] {
            let offset = 3 * HOUR + ahead;
            let delays = [QUARTER_MS, 0, 0, 2 * QUARTER_MS];
            let ticks = delays.map(|delay| offset - delay).repeat(20);
            assert_eq!(seen(&ticks).differs, Some(offset), "{ahead}");
        }
    }

    #[test]
    fn a_tick_that_is_dated_ahead_does_not_hide_a_clock_that_differs() {
        let mut ticks = vec![2 * HOUR; 1_020];
        ticks.insert(0, 2 * HOUR + QUARTER_MS);
        assert_eq!(seen(&ticks).differs, Some(2 * HOUR));
        // One that ticks seldom beside many that are delayed is told, and not they.
        let mut delayed = vec![2 * HOUR - QUARTER_MS; 100];
        delayed.push(2 * HOUR);
        assert_eq!(seen(&delayed.repeat(20)).differs, Some(2 * HOUR));
    }

    #[test]
    fn a_difference_is_believed_once_many_ticks_agree() {
        let mut few = vec![2 * HOUR; 19];
        assert_eq!(seen(&few).differs, None);
        few.push(2 * HOUR);
        assert_eq!(seen(&few).differs, Some(2 * HOUR));
        // One symbol that sleeps does not outweigh another that trades.
        few.push(3 * HOUR);
        assert_eq!(seen(&few).differs, None);
    }
}
