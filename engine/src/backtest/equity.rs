//! The curve of balance and equity: sampled, so that its size has a bound however long the past is.

use crate::report::{Depth, Drawdowns, Point};
use mymt5_model::{BrokerTime, Money};

/// Points that the curve has at most; it has half of them at least once it is long enough.
const MOST: usize = 4_096;

/// The curve, and the extremes of all ticks.
#[derive(Debug)]
pub(super) struct Equity {
    points: Vec<Point>,
    /// Each so many ticks make a point.
    every: u64,
    until_next: u64,
    /// Balance and equity that were measured last.
    last: (Money, Money),
    balance_depth: Depth,
    equity_depth: Depth,
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
            last: (initial, initial),
            balance_depth: Depth::new(initial.to_f64()),
            equity_depth: Depth::new(initial.to_f64()),
            peak: initial,
            drawdown: Money::ZERO,
        }
    }

    pub(super) fn take(&mut self, time: BrokerTime, balance: Money, equity: Money) {
        self.measure(balance, equity);
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

    /// The last point, whatever came before.
    pub(super) fn end(&mut self, time: BrokerTime, balance: Money, equity: Money) {
        self.measure(balance, equity);
        self.points.push(point(time, balance, equity));
    }

    fn measure(&mut self, balance: Money, equity: Money) {
        // While nothing is open both stay what they are.
        if self.last == (balance, equity) {
            return;
        }
        self.last = (balance, equity);
        self.balance_depth.take(balance.to_f64(), 0.0);
        self.equity_depth.take(equity.to_f64(), 0.0);
        self.peak = self.peak.max(equity);
        self.drawdown = self.drawdown.max(self.peak - equity);
    }

    /// The curve, in the order of time.
    pub(super) fn into_points(self) -> Vec<Point> {
        self.points
    }

    /// Each so many ticks are a point of the curve.
    pub(super) const fn every(&self) -> u64 {
        self.every
    }

    /// What a report tells of falls, measured at each tick.
    pub(super) const fn drawdowns(&self) -> Drawdowns {
        Drawdowns {
            balance: self.balance_depth.drawdown(),
            equity: self.equity_depth.drawdown(),
        }
    }

    /// Greatest fall of the equity from a peak, measured at each tick.
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
    use crate::report::{self, Record};

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
        let record = Record {
            initial: 1_000.0,
            drawdowns: Some(curve.drawdowns()),
            series: curve.into_points(),
            ..Record::default()
        };
        let mut balances = record.series.iter().map(|point| point.balance);
        assert!(balances.all(|balance| balance == 1_000.0));
        let statistics = report::statistics(record);
        let equity = statistics.equity_drawdown.unwrap();
        for drawdown in [statistics.balance_drawdown, equity] {
            assert_eq!(drawdown.absolute, 100.0);
            assert_eq!(drawdown.maximal, 100.0);
            assert_eq!(drawdown.maximal_percent, Some(10.0));
        }
    }
}
