//! Where the price of each symbol went, for the charts of its trades: sampled, so that its size has
//! a bound however long the past is, and no extreme is lost.

use crate::report::PriceRange;
use mymt5_model::{BrokerTime, Price, Symbol, Tick};
use std::collections::BTreeMap;

/// Ranges that a symbol has at most; it has half of them at least once its past is long enough.
const MOST: usize = 4_096;

/// The bids of each symbol.
#[derive(Debug, Default)]
pub(super) struct Prices(Vec<Bids>);

/// Those of one symbol.
#[derive(Debug)]
struct Bids {
    symbol: Symbol,
    ranges: Vec<Range>,
    /// Each so many ticks make a range.
    every: u64,
    until_next: u64,
}

#[derive(Clone, Copy, Debug)]
struct Range {
    time: BrokerTime,
    low: Price,
    high: Price,
    close: Price,
}

impl Prices {
    pub(super) fn take(&mut self, tick: &Tick) {
        let known = self.0.iter_mut().find(|bids| bids.symbol == tick.symbol);
        match known {
            Some(bids) => bids.take(Range::of(tick)),
            None => self.0.push(Bids::of(tick)),
        }
    }

    /// As a report has them, in the order of time.
    pub(super) fn into_record(self) -> BTreeMap<String, Vec<PriceRange>> {
        let of_symbol = |bids: Bids| {
            let ranges = bids.ranges.into_iter().map(Range::to_record);
            (bids.symbol.to_string(), ranges.collect())
        };
        self.0.into_iter().map(of_symbol).collect()
    }
}

impl Bids {
    fn of(tick: &Tick) -> Self {
        Self {
            symbol: tick.symbol.clone(),
            ranges: vec![Range::of(tick)],
            every: 1,
            until_next: 0,
        }
    }

    fn take(&mut self, next: Range) {
        if self.until_next > 0
            && let Some(range) = self.ranges.last_mut()
        {
            self.until_next -= 1;
            *range = range.and(next);
            return;
        }
        if self.ranges.len() == MOST {
            let pairs = self.ranges.chunks(2);
            let joined = pairs.filter_map(|pair| pair.iter().copied().reduce(Range::and));
            self.ranges = joined.collect();
            self.every *= 2;
        }
        self.until_next = self.every - 1;
        self.ranges.push(next);
    }
}

impl Range {
    const fn of(tick: &Tick) -> Self {
        Self {
            time: tick.time,
            low: tick.bid,
            high: tick.bid,
            close: tick.bid,
        }
    }

    /// With what came next.
    fn and(self, next: Self) -> Self {
        Self {
            time: self.time,
            low: self.low.min(next.low),
            high: self.high.max(next.high),
            close: next.close,
        }
    }

    fn to_record(self) -> PriceRange {
        PriceRange {
            time: self.time,
            low: self.low.to_f64(),
            high: self.high.to_f64(),
            close: self.close.to_f64(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn however_many_ticks_no_extreme_is_lost(
            bids in prop::collection::vec(1i64..1_000_000, 1..3 * MOST),
        ) {
            let symbol = Symbol::parse("EURUSD").unwrap();
            let mut prices = Prices::default();
            for (at, bid) in (0..).zip(&bids) {
                prices.take(&Tick {
                    symbol: symbol.clone(),
                    time: BrokerTime(at),
                    bid: Price::from_points(*bid, 0),
                    ask: Price::from_points(*bid, 0),
                    last: None,
                    volume: 0.0,
                    flags: 6,
                    is_continuous: false,
                });
            }
            let ranges = prices.into_record().remove("EURUSD").unwrap();
            prop_assert!(ranges.len() <= MOST.min(bids.len()));
            prop_assert!(ranges.windows(2).all(|pair| pair[0].time < pair[1].time));
            let low = ranges.iter().map(|range| range.low).fold(f64::MAX, f64::min);
            let high = ranges.iter().map(|range| range.high).fold(0.0, f64::max);
            prop_assert_eq!(low, *bids.iter().min().unwrap() as f64);
            prop_assert_eq!(high, *bids.iter().max().unwrap() as f64);
            prop_assert_eq!(ranges.last().unwrap().close, *bids.last().unwrap() as f64);
        }
    }
}
