//! The curve of balance and equity: sampled, so that its size has a bound however long the past is.

use crate::report::Point;
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
    peak: Money,
    /// Greatest fall from a peak.
    drawdown: Money,
}

impl Equity {
    pub(super) const fn new(initial: Money) -> Self {
        Self {
            points: Vec::new(),
            every: 1,
            until_next: 0,
            peak: initial,
            drawdown: Money::ZERO,
        }
    }

    pub(super) fn take(&mut self, time: BrokerTime, balance: Money, equity: Money) {
        self.measure(equity);
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
        self.measure(equity);
        self.points.push(point(time, balance, equity));
    }

    fn measure(&mut self, equity: Money) {
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
