//! The average true range, as MetaTrader 5 shows it: the plain mean of the newest true ranges.

use mymt5_model::{Bar, Price};
use std::collections::VecDeque;

/// The newest true ranges.
#[derive(Clone, Debug)]
pub(crate) struct Atr {
    length: usize,
    /// Points.
    ranges: VecDeque<i64>,
    close: Option<Price>,
}

impl Atr {
    /// Of so many bars, at least 1.
    pub(crate) fn of(bars: u32) -> Self {
        let length = bars as usize;
        Self {
            length,
            ranges: VecDeque::with_capacity(length),
            close: None,
        }
    }

    /// Takes a bar that is complete.
    pub(crate) fn take(&mut self, bar: &Bar) {
        let Some(before) = self.close.replace(bar.close) else {
            return;
        };
        if self.ranges.len() == self.length {
            self.ranges.pop_front();
        }
        let (high, low) = (bar.high.max(before), bar.low.min(before));
        self.ranges.push_back(high.points() - low.points());
    }

    /// Their mean, points; none before there are enough.
    pub(crate) fn points(&self) -> Option<f64> {
        let sum: i64 = self.ranges.iter().sum();
        let is_full = self.ranges.len() == self.length;
        is_full.then(|| sum as f64 / self.length as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{care::testing::price, trader::tests::spec};
    use mymt5_model::BrokerTime;

    fn bar(high: i64, low: i64, close: i64) -> Bar {
        Bar {
            symbol: spec().symbol,
            time: BrokerTime(0),
            open: price(close),
            high: price(high),
            low: price(low),
            close: price(close),
            tick_volume: 1,
            real_volume: 0,
            spread_points: 2,
        }
    }

    #[test]
    fn a_range_reaches_to_the_close_before() {
        let mut atr = Atr::of(2);
        let means = [
            bar(100_100, 100_000, 100_050),
            bar(100_080, 100_060, 100_070),
            bar(100_060, 100_040, 100_045),
            bar(100_100, 100_040, 100_090),
        ]
        .map(|bar| {
            atr.take(&bar);
            atr.points()
        });
        // True ranges: 30 (from 100050 up), 30 (from 100070 down), 60.
        assert_eq!(means, [None, None, Some(30.0), Some(45.0)]);
    }
}
