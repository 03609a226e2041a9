//! The broker's clock, as ticks and deals show it: they are dated by it, and it goes on between two
//! of them. What slept or was late only looks earlier than it is, so that the clock follows the
//! newest. But no single row moves a clock that was proven, since one may be dated wrongly: one that
//! rests needs a second row, one that runs the rows of a minute. So it is where the broker sets its
//! clock back (summer time ends). In a process's first minute the newest row counts.

use mymt5_model::{BrokerTime, UtcTime};
use std::time::{Duration, Instant};

/// How far rows of one clock may be apart: some come late. Milliseconds. Shorter than what follows,
/// so that a row that is told again and again never agrees with itself for long enough.
const LATE_MS: i64 = 15_000;
/// A clock is proven by so many rows, over so long a time.
const ROWS: u32 = 5;
const PROVEN: Duration = Duration::from_secs(60);
/// Quotes are delayed by less than that. Milliseconds.
const DELAY_MS: i64 = 3_600_000;
/// A clock that is farther ahead than quotes are delayed is held to while its rows follow each other so
/// closely, whatever other rows show.
const AHEAD: Duration = Duration::from_secs(15);
/// Two rows agree on a clock that wakes when so much time lies between them.
const AGAIN: Duration = Duration::from_secs(1);
/// No clock is farther ahead of UTC than that: 14 hours, and what hosts' clocks differ by.
const FARTHEST_MS: i64 = 14 * 3_600_000 + 60_000;

/// The clock, and another one that rows show instead.
#[derive(Debug, Default)]
pub(crate) struct BrokerClock {
    shown: Option<Clock>,
    other: Option<Clock>,
}

impl BrokerClock {
    /// What it shows at that moment; none before the first row.
    pub(crate) fn at(&self, moment: Instant) -> Option<BrokerTime> {
        self.shown.map(|clock| clock.reading.at(moment))
    }

    /// Takes the time of a row that came at that moment, which is that in UTC.
    pub(crate) fn see(&mut self, time: BrokerTime, moment: Instant, utc: UtcTime) {
        if time.0.saturating_sub(utc.0) > FARTHEST_MS {
            return;
        }
        let row = Reading { time, moment };
        let Some(shown) = &mut self.shown else {
            self.shown = Some(Clock::by(row));
            return;
        };
        let ahead = shown.reading.ahead(row);
        if shown.agrees(row) {
            if ahead > 0 {
                shown.reading = row;
            }
            shown.count(moment);
            // Rows of a symbol whose quotes are delayed do not hold back a clock that is ahead.
            let shown = shown.reading;
            self.other = self.other.filter(|other| {
                let ahead = shown.ahead(other.reading);
                let patience = if ahead < DELAY_MS { PROVEN } else { AHEAD };
                ahead > 0 && other.came_within(patience, moment)
            });
        } else if ahead > 0 && !shown.is_proven() {
            self.shown = Some(Clock::by(row));
            self.other = None;
        } else {
            let wakes = ahead > 0 && !shown.runs(moment);
            self.weigh(row, wakes);
        }
    }

    /// Takes a row that shows another clock than the one that counts, or that wakes it.
    fn weigh(&mut self, row: Reading, wakes: bool) {
        match &mut self.other {
            Some(other) if other.agrees(row) => {
                other.count(row.moment);
                let is_newer = row.time > other.reading.time;
                if other.is_proven() || (wakes && is_newer && other.lasts(AGAIN)) {
                    self.shown = self.other.take();
                }
            }
            Some(other) if other.is_kept(row.moment) && other.reading.ahead(row) < 0 => {}
            _ => self.other = Some(Clock::by(row)),
        }
    }
}

/// A time, and when it was shown.
#[derive(Clone, Copy, Debug)]
struct Reading {
    time: BrokerTime,
    moment: Instant,
}

impl Reading {
    /// What a clock that showed this shows at a later moment.
    fn at(self, moment: Instant) -> BrokerTime {
        let since = moment.saturating_duration_since(self.moment);
        let since = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        BrokerTime(self.time.0.saturating_add(since))
    }

    /// By how many milliseconds a later reading is ahead of that clock.
    fn ahead(self, later: Self) -> i64 {
        later.time.0.saturating_sub(self.at(later.moment).0)
    }
}

/// A clock, and the rows that agree on it.
#[derive(Clone, Copy, Debug)]
struct Clock {
    reading: Reading,
    since: Instant,
    agreed: Instant,
    rows: u32,
}

impl Clock {
    fn by(reading: Reading) -> Self {
        Self {
            reading,
            since: reading.moment,
            agreed: reading.moment,
            rows: 1,
        }
    }

    fn agrees(&self, row: Reading) -> bool {
        self.reading.ahead(row).saturating_abs() <= LATE_MS
    }

    fn count(&mut self, moment: Instant) {
        self.agreed = moment;
        self.rows = self.rows.saturating_add(1);
    }

    fn is_proven(&self) -> bool {
        self.rows >= ROWS && self.lasts(PROVEN)
    }

    fn lasts(&self, time: Duration) -> bool {
        self.agreed.saturating_duration_since(self.since) >= time
    }

    /// True while rows agree on it.
    fn is_kept(&self, moment: Instant) -> bool {
        self.came_within(PROVEN, moment)
    }

    fn came_within(&self, time: Duration, moment: Instant) -> bool {
        moment.saturating_duration_since(self.agreed) < time
    }

    fn runs(&self, moment: Instant) -> bool {
        self.is_proven() && self.is_kept(moment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600;
    /// Seconds of UTC when a test begins.
    const NOW: i64 = 1_800_000_000;

    /// A clock that is told the times of rows, in seconds since the test began.
    struct Told {
        clock: BrokerClock,
        begun: Instant,
    }

    impl Told {
        fn new() -> Self {
            Self {
                clock: BrokerClock::default(),
                begun: Instant::now(),
            }
        }

        /// A row that comes at that second, dated so many seconds ahead of UTC.
        fn row(&mut self, second: i64, ahead: i64) {
            let time = BrokerTime((NOW + second + ahead) * 1_000);
            let utc = UtcTime((NOW + second) * 1_000);
            self.clock.see(time, self.moment(second), utc);
        }

        fn rows(&mut self, seconds: std::ops::RangeInclusive<i64>, ahead: i64) {
            seconds.for_each(|second| self.row(second, ahead));
        }

        fn moment(&self, second: i64) -> Instant {
            self.begun + Duration::from_secs(second.unsigned_abs())
        }

        /// How many seconds ahead of UTC it is at that second.
        fn ahead(&self, second: i64) -> Option<i64> {
            let time = self.clock.at(self.moment(second))?;
            Some(time.0 / 1_000 - NOW - second)
        }
    }

    #[test]
    fn it_goes_on_between_rows_and_is_not_behind_one() {
        let mut told = Told::new();
        assert_eq!(told.ahead(0), None);
        told.row(0, 3 * HOUR - 7);
        assert_eq!(told.ahead(9), Some(3 * HOUR - 7));
        told.row(10, 3 * HOUR);
        told.row(11, 3 * HOUR - 5);
        assert_eq!(told.ahead(100_000), Some(3 * HOUR));
    }

    #[test]
    fn a_clock_that_was_set_back_is_followed_once_a_minute_of_rows_agrees() {
        let mut told = Told::new();
        told.rows(0..=100, 3 * HOUR);
        // The market sleeps over a weekend, and summer time ends.
        let monday = 200_000;
        told.rows(monday..=monday + 59, 2 * HOUR);
        assert_eq!(told.ahead(monday + 59), Some(3 * HOUR));
        told.row(monday + 60, 2 * HOUR);
        assert_eq!(told.ahead(monday + 60), Some(2 * HOUR));
        told.rows(monday + 61..=monday + 300, 2 * HOUR);
        assert_eq!(told.ahead(monday + 300), Some(2 * HOUR));
    }

    #[test]
    fn a_row_dated_ahead_moves_no_clock_that_runs() {
        let mut told = Told::new();
        told.rows(0..=100, 2 * HOUR);
        told.row(101, 12 * HOUR);
        assert_eq!(told.ahead(101), Some(2 * HOUR));
        told.rows(102..=103, 2 * HOUR);
        // Nor does it keep the clock from being set back.
        told.row(104, 12 * HOUR);
        told.rows(105..=300, HOUR);
        assert_eq!(told.ahead(300), Some(HOUR));
    }

    #[test]
    fn a_row_dated_ahead_before_any_other_is_recovered_from() {
        let mut told = Told::new();
        told.row(0, 13 * HOUR);
        told.rows(1..=61, 2 * HOUR);
        assert_eq!(told.ahead(61), Some(2 * HOUR));
    }

    #[test]
    fn no_clock_is_more_than_fourteen_hours_ahead_of_utc() {
        let mut told = Told::new();
        told.rows(0..=200, 15 * HOUR);
        assert_eq!(told.ahead(200), None);
        told.row(201, 14 * HOUR);
        told.rows(202..=400, 24 * HOUR);
        assert_eq!(told.ahead(400), Some(14 * HOUR));
    }

    #[test]
    fn symbols_that_slept_and_ticks_that_were_missed_do_not_set_it_back() {
        let mut told = Told::new();
        told.rows(0..=100, 2 * HOUR);
        for second in 101..=300 {
            // The same old row, told again and again.
            told.row(second, 2 * HOUR - (second - 101) - 60);
        }
        assert_eq!(told.ahead(300), Some(2 * HOUR));
        // After an outage an hour of ticks comes in two minutes.
        for second in 301..=420 {
            told.row(second, 2 * HOUR - (420 - second) * 30);
        }
        assert_eq!(told.ahead(420), Some(2 * HOUR));
    }

    #[test]
    fn a_clock_by_an_old_row_is_ahead_again_with_the_first_fresh_one() {
        let mut told = Told::new();
        told.row(0, -40 * HOUR);
        told.row(1, -40 * HOUR);
        told.row(2, 2 * HOUR);
        assert_eq!(told.ahead(2), Some(2 * HOUR));
    }

    #[test]
    fn a_clock_that_rested_is_moved_by_a_second_row() {
        let mut told = Told::new();
        told.rows(0..=100, 2 * HOUR);
        told.row(170, 12 * HOUR);
        told.row(172, 12 * HOUR - 2);
        assert_eq!(told.ahead(172), Some(2 * HOUR), "one row, told twice");
        told.rows(173..=200, 2 * HOUR);
        assert_eq!(told.ahead(200), Some(2 * HOUR));
        told.row(300, 3 * HOUR);
        told.row(301, 3 * HOUR);
        assert_eq!(told.ahead(301), Some(3 * HOUR));
    }

    #[test]
    fn a_symbol_whose_quotes_are_delayed_holds_it_back_no_longer_than_a_minute() {
        let mut told = Told::new();
        told.rows(0..=100, 2 * HOUR);
        told.rows(101..=199, 2 * HOUR - 900);
        for second in 200..=300 {
            told.row(second, 2 * HOUR);
            told.row(second, 2 * HOUR - 900);
        }
        assert_eq!(told.ahead(300), Some(2 * HOUR));
    }

    #[test]
    fn a_clock_by_delayed_quotes_is_set_right_by_few_others() {
        let mut told = Told::new();
        told.rows(0..=100, 2 * HOUR - 900);
        for second in 101..=300 {
            told.row(second, 2 * HOUR - 900);
            if second % 20 == 0 {
                told.row(second, 2 * HOUR);
            }
        }
        assert_eq!(told.ahead(300), Some(2 * HOUR));
    }

    #[test]
    fn rows_dated_ahead_now_and_then_move_no_clock_that_runs() {
        for gap in [20, 50, 100] {
            let mut told = Told::new();
            told.rows(0..=100, 2 * HOUR);
            for second in 101..=2_000 {
                told.row(second, 2 * HOUR);
                if second % gap == gap - 1 {
                    told.row(second, 12 * HOUR);
                }
            }
            assert_eq!(told.ahead(2_000), Some(2 * HOUR), "every {gap} s");
        }
    }
}
