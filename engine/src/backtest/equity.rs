//! The curve of balance and equity: sampled, so that its size has a bound however long the past is,
//! and the ends of its days, of which none is left to chance.

use crate::report::{Depth, Drawdown, Point};
use mymt5_model::{BrokerTime, Money};

/// Points that the curve has at most; it has half of them at least once it is long enough.
const MOST: usize = 4_096;

/// Days whose ends are kept at most: those of a hundred years.
const MOST_DAYS: usize = 36_600;

/// The curve, the ends of its days, and the extremes of all ticks.
#[derive(Debug)]
pub(super) struct Equity {
    points: Vec<Point>,
    /// Each so many ticks make a point.
    every: u64,
    until_next: u64,
    /// The ends of the days that are over.
    days: Vec<Point>,
    /// Days that are over and not among these.
    unkept_days: u64,
    /// The end of the day that is under way.
    midnight: BrokerTime,
    /// When balance and equity were measured last; none before the first tick.
    last_time: Option<BrokerTime>,
    /// Balance and equity that were measured last.
    last: (Money, Money),
    depth: Depth,
    peak: Money,
    /// Greatest fall from a peak.
    drawdown: Money,
}

impl Equity {
    pub(super) fn new(initial: Money) -> Self {
        Self {
            points: Vec::new(),
            every: 1,
            until_next: 0,
            days: Vec::new(),
            unkept_days: 0,
            midnight: BrokerTime(i64::MIN),
            last_time: None,
            last: (initial, initial),
            depth: Depth::new(initial.to_f64()),
            peak: initial,
            drawdown: Money::ZERO,
        }
    }

    pub(super) fn take(&mut self, time: BrokerTime, balance: Money, equity: Money) {
        self.measure(time, balance, equity);
        if self.until_next > 0 {
            self.until_next -= 1;
            return;
        }
        if self.points.len() == MOST {
            let mut keep = false;
            self.points.retain(|_| {
                keep = !keep;
                keep
            });
            self.every *= 2;
        }
        self.until_next = self.every - 1;
        self.points.push(point(time, balance, equity));
    }

    /// The last point, whatever came before; the end of the last day.
    pub(super) fn end(&mut self, time: BrokerTime, balance: Money, equity: Money) {
        self.measure(time, balance, equity);
        self.points.push(point(time, balance, equity));
        self.end_day();
    }

    fn measure(&mut self, time: BrokerTime, balance: Money, equity: Money) {
        if time >= self.midnight {
            self.end_day();
            self.midnight = time.day_end();
        }
        self.last_time = Some(time);
        // While nothing is open both stay what they are.
        if self.last == (balance, equity) {
            return;
        }
        self.last = (balance, equity);
        self.depth.take(equity.to_f64(), 0.0);
        self.peak = self.peak.max(equity);
        self.drawdown = self.drawdown.max(self.peak - equity);
    }

    /// What was measured last is the end of its day.
    fn end_day(&mut self) {
        let Some(time) = self.last_time else {
            return;
        };
        if self.days.len() == MOST_DAYS {
            self.unkept_days += 1;
            return;
        }
        let (balance, equity) = self.last;
        self.days.push(point(time, balance, equity));
    }

    /// The curve and the ends of its days, both in the order of time.
    pub(super) fn into_points(self) -> (Vec<Point>, Vec<Point>) {
        (self.points, self.days)
    }

    /// Days after all those whose ends are kept.
    pub(super) const fn unkept_days(&self) -> u64 {
        self.unkept_days
    }

    /// Each so many ticks are a point of the curve.
    pub(super) const fn every(&self) -> u64 {
        self.every
    }

    /// What a report tells of the falls of the equity, measured at each tick.
    pub(super) const fn fall(&self) -> Drawdown {
        self.depth.drawdown()
    }

    /// The greatest of these falls, in money.
    pub(super) const fn drawdown(&self) -> Money {
        self.drawdown
    }
}

fn point(time: BrokerTime, balance: Money, equity: Money) -> Point {
    Point {
        time,
        balance: balance.to_f64(),
        equity: Some(equity.to_f64()),
        paid_in: 0.0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::report::{self, Drawdowns, Record};

    const HOUR: i64 = 3_600_000;

    #[test]
    fn a_fall_between_two_points_of_the_curve_is_in_the_report() {
        let initial = Money::from_f64(1_000.0).unwrap();
        let fallen = Money::from_f64(900.0).unwrap();
        let mut curve = Equity::new(initial);
        let ticks = 3 * MOST as i64 + 1;
        for at in 0..ticks {
            let value = if at == ticks - 2 { fallen } else { initial };
            curve.take(BrokerTime(at * 1_000), value, value);
        }
        assert_eq!(curve.drawdown(), Money::from_f64(100.0).unwrap());
        let drawdowns = Drawdowns {
            balance: Drawdown::default(),
            equity: curve.fall(),
        };
        let (series, _) = curve.into_points();
        let record = Record {
            initial: 1_000.0,
            drawdowns: Some(drawdowns),
            series,
            ..Record::default()
        };
        let mut balances = record.series.iter().map(|point| point.balance);
        assert!(balances.all(|balance| balance == 1_000.0));
        let statistics = report::statistics(record);
        let drawdown = statistics.equity_drawdown.unwrap();
        assert_eq!(drawdown.absolute, 100.0);
        assert_eq!(drawdown.maximal, 100.0);
        assert_eq!(drawdown.maximal_percent, Some(10.0));
    }

    /// The ends of the days of a curve: hour and balance.
    fn ends(curve: Equity) -> Vec<(i64, f64)> {
        let (_, days) = curve.into_points();
        let ends = days.iter().map(|day| (day.time.0 / HOUR, day.balance));
        ends.collect()
    }

    #[test]
    fn a_day_ends_with_the_last_that_was_measured_in_it() {
        let money = |amount: f64| Money::from_f64(amount).unwrap();
        let mut curve = Equity::new(money(1_000.0));
        // It falls within the first day, has no tick on two, and falls with the midnight after them.
        for (hour, value) in [(1, 1_000.0), (10, 700.0), (23, 1_010.0), (72, 990.0)] {
            curve.take(BrokerTime(hour * HOUR), money(value), money(value));
        }
        curve.take(BrokerTime(90 * HOUR), money(800.0), money(990.0));
        curve.end(BrokerTime(90 * HOUR), money(980.0), money(980.0));
        assert_eq!(ends(curve), [(23, 1_010.0), (90, 980.0)]);
        assert!(ends(Equity::new(money(1_000.0))).is_empty());
    }

    #[test]
    fn the_ends_of_days_have_a_bound() {
        let mut curve = Equity::new(Money::ZERO);
        let days = MOST_DAYS as i64 + 2;
        for day in 0..days {
            curve.take(BrokerTime(day * 24 * HOUR), Money::ZERO, Money::ZERO);
        }
        let last = BrokerTime((days - 1) * 24 * HOUR);
        curve.end(last, Money::ZERO, Money::ZERO);
        assert_eq!(curve.unkept_days(), 2);
        assert_eq!(ends(curve).len(), MOST_DAYS);
    }
}
