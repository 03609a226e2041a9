//! What was quoted: the newest ticks of each symbol, and their bars of a minute, of which the longer
//! ones are made. Bounded: the oldest rows go first.

use mymt5_model::{Bar, BrokerTime, Symbol, Tick};
use std::collections::{HashMap, VecDeque};

const MINUTE_MS: i64 = 60_000;
/// Most ticks, and most bars of a minute, that are kept of all symbols together.
const ROWS: usize = 100_000;

/// What each symbol was quoted at.
pub struct Quotes {
    symbols: HashMap<Symbol, Quoted>,
    /// Most rows of a kind that a symbol has.
    limit: usize,
}

struct Quoted {
    ticks: VecDeque<Tick>,
    minutes: VecDeque<Bar>,
    /// Minutes before it are gone: a bar that opens earlier would not be whole.
    kept_from: BrokerTime,
}

impl Quotes {
    /// For so many symbols, which share the room.
    #[must_use]
    pub fn new(symbols: usize) -> Self {
        Self::with_limit(ROWS / symbols.max(1))
    }

    fn with_limit(limit: usize) -> Self {
        Self {
            symbols: HashMap::new(),
            limit: limit.max(1),
        }
    }

    /// Takes a tick. One that is older than the symbol's newest was quoted before: a feed that begins
    /// anew tells it again.
    pub fn add(&mut self, tick: &Tick) {
        let limit = self.limit;
        match self.symbols.get_mut(&tick.symbol) {
            Some(quoted) => quoted.add(tick, limit),
            None => {
                let mut quoted = Quoted::new();
                quoted.add(tick, limit);
                self.symbols.insert(tick.symbol.clone(), quoted);
            }
        }
    }

    /// Up to `limit` ticks of `[from, to)`, the first `skip` of the millisecond `from` left out.
    #[must_use]
    pub fn ticks(
        &self,
        symbol: &Symbol,
        (from, skip): (BrokerTime, usize),
        to: BrokerTime,
        limit: usize,
    ) -> Vec<Tick> {
        let Some(Quoted { ticks, .. }) = self.symbols.get(symbol) else {
            return Vec::new();
        };
        let begin = ticks.partition_point(|tick| tick.time < from);
        let later = ticks.range(begin..);
        let left_out = later.clone().take(skip);
        let skip = left_out.take_while(|tick| tick.time == from).count();
        let asked = later.skip(skip).take_while(|tick| tick.time < to);
        asked.take(limit).cloned().collect()
    }

    /// Up to `limit` bars of so many minutes, which divide a day, that open in `[from, to)`. The last
    /// one may be unfinished.
    #[must_use]
    pub fn bars(
        &self,
        symbol: &Symbol,
        minutes: u32,
        from: BrokerTime,
        to: BrokerTime,
        limit: usize,
    ) -> Vec<Bar> {
        let Some(quoted) = self.symbols.get(symbol) else {
            return Vec::new();
        };
        let first = from.max(quoted.kept_from);
        let begin = quoted.minutes.partition_point(|bar| bar.time < first);
        let later = quoted.minutes.range(begin..);
        // The rest of a bar that opened before is none.
        let whole = later.skip_while(|bar| opening(bar.time, minutes) < first);
        let mut bars: Vec<Bar> = Vec::new();
        for minute in whole {
            let time = opening(minute.time, minutes);
            let ends = time >= to || bars.len() == limit;
            match bars.last_mut() {
                Some(bar) if bar.time == time => join(bar, minute),
                _ if ends => break,
                _ => bars.push(Bar {
                    time,
                    ..minute.clone()
                }),
            }
        }
        bars
    }

    /// The newest bars of so many minutes, up to `limit`, the oldest first.
    #[must_use]
    pub fn newest_bars(&self, symbol: &Symbol, minutes: u32, limit: usize) -> Vec<Bar> {
        let all = self.symbols.get(symbol).map(|quoted| &quoted.minutes);
        let mut openings: Vec<BrokerTime> = Vec::new();
        for minute in all.into_iter().flatten().rev() {
            let time = opening(minute.time, minutes);
            if openings.last() != Some(&time) {
                if openings.len() == limit {
                    break;
                }
                openings.push(time);
            }
        }
        let from = openings.last().copied();
        from.map_or_else(Vec::new, |from| {
            self.bars(symbol, minutes, from, BrokerTime(i64::MAX), limit)
        })
    }
}

impl Quoted {
    const fn new() -> Self {
        Self {
            ticks: VecDeque::new(),
            minutes: VecDeque::new(),
            kept_from: BrokerTime(i64::MIN),
        }
    }

    fn add(&mut self, tick: &Tick, limit: usize) {
        if self.ticks.back().is_some_and(|last| tick.time < last.time) {
            return;
        }
        let minute = bar(tick);
        match self.minutes.back_mut() {
            Some(last) if last.time == minute.time => join(last, &minute),
            _ => {
                if let Some(gone) = push(&mut self.minutes, minute, limit) {
                    self.kept_from = BrokerTime(gone.time.0 + MINUTE_MS);
                }
            }
        }
        push(&mut self.ticks, tick.clone(), limit);
    }
}

/// Adds a row; the oldest goes where there is no room.
fn push<T>(rows: &mut VecDeque<T>, row: T, limit: usize) -> Option<T> {
    let gone = (rows.len() >= limit).then(|| rows.pop_front());
    rows.push_back(row);
    gone.flatten()
}

/// When the bar opens in which that moment lies.
fn opening(time: BrokerTime, minutes: u32) -> BrokerTime {
    let period = i64::from(minutes.max(1)) * MINUTE_MS;
    BrokerTime(time.0.div_euclid(period) * period)
}

/// The bar of a minute that a single tick makes.
fn bar(tick: &Tick) -> Bar {
    let spread = tick.ask.points() - tick.bid.points();
    Bar {
        symbol: tick.symbol.clone(),
        time: opening(tick.time, 1),
        open: tick.bid,
        high: tick.bid,
        low: tick.bid,
        close: tick.bid,
        tick_volume: 1,
        real_volume: tick.volume as u64,
        spread_points: u32::try_from(spread).unwrap_or(0),
    }
}

/// Takes a later part into a bar. Its spread is the least one.
fn join(bar: &mut Bar, later: &Bar) {
    bar.high = bar.high.max(later.high);
    bar.low = bar.low.min(later.low);
    bar.close = later.close;
    bar.tick_volume += later.tick_volume;
    bar.real_volume += later.real_volume;
    bar.spread_points = bar.spread_points.min(later.spread_points);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_model::Price;

    const FROM: BrokerTime = BrokerTime(0);
    const TO: BrokerTime = BrokerTime(i64::MAX);

    fn symbol() -> Symbol {
        Symbol::parse("EURUSD").unwrap()
    }

    fn quoted(limit: usize, ticks: &[(i64, i64)]) -> Quotes {
        let mut quotes = Quotes::with_limit(limit);
        for (at, (ms, bid)) in ticks.iter().enumerate() {
            quotes.add(&Tick {
                symbol: symbol(),
                time: BrokerTime(*ms),
                bid: Price::from_points(*bid, 5),
                ask: Price::from_points(bid + 2 + at as i64, 5),
                last: None,
                volume: 0.0,
                flags: 6,
                is_continuous: false,
            });
        }
        quotes
    }

    fn bids(ticks: &[Tick]) -> Vec<i64> {
        ticks.iter().map(|tick| tick.bid.points()).collect()
    }

    fn shape(bars: &[Bar]) -> Vec<(i64, [i64; 4], u64)> {
        let prices = |bar: &Bar| [bar.open, bar.high, bar.low, bar.close].map(Price::points);
        let shape = |bar: &Bar| (bar.time.0 / MINUTE_MS, prices(bar), bar.tick_volume);
        bars.iter().map(shape).collect()
    }

    #[test]
    fn ticks_go_on_inside_a_millisecond() {
        let quotes = quoted(9, &[(1, 10), (5, 11), (5, 12), (5, 13), (6, 14), (2, 99)]);
        let read = |from, to, limit| bids(&quotes.ticks(&symbol(), from, to, limit));
        assert_eq!(read((FROM, 0), TO, 9), [10, 11, 12, 13, 14]);
        assert_eq!(read((BrokerTime(5), 2), TO, 1), [13]);
        assert_eq!(read((BrokerTime(5), 9), TO, 9), [14]);
        assert_eq!(read((BrokerTime(2), 1), BrokerTime(6), 9), [11, 12, 13]);
        let other = Symbol::parse("AUDUSD").unwrap();
        assert!(quotes.ticks(&other, (FROM, 0), TO, 9).is_empty());
    }

    #[test]
    fn minutes_make_longer_bars() {
        let minute = |minute, bid| (minute * MINUTE_MS, bid);
        let ticks = [minute(4, 10), minute(5, 12), (300_001, 9), minute(11, 11)];
        let quotes = quoted(9, &ticks);
        let read = |from, to, limit| {
            let (from, to) = (BrokerTime(from * MINUTE_MS), BrokerTime(to * MINUTE_MS));
            shape(&quotes.bars(&symbol(), 5, from, to, limit))
        };
        let all = [(0, [10; 4], 1), (5, [12, 12, 9, 9], 2), (10, [11; 4], 1)];
        assert_eq!(read(0, 99, 9), all);
        assert_eq!(read(0, 10, 9), all[..2]);
        assert_eq!(read(1, 99, 1), all[1..2]);
        assert_eq!(shape(&quotes.newest_bars(&symbol(), 5, 2)), all[1..]);
        assert_eq!(quotes.newest_bars(&symbol(), 1_440, 2).len(), 1);
    }

    #[test]
    fn the_oldest_rows_go_and_no_bar_is_told_by_half() {
        let minutes: Vec<_> = (0..8).map(|n| (n * MINUTE_MS, 10 + n)).collect();
        let quotes = quoted(6, &minutes);
        let ticks = quotes.ticks(&symbol(), (FROM, 0), TO, 9);
        assert_eq!(bids(&ticks), [12, 13, 14, 15, 16, 17]);
        let bars = quotes.bars(&symbol(), 5, FROM, TO, 9);
        assert_eq!(shape(&bars), [(5, [15, 17, 15, 17], 3)]);
        assert_eq!(shape(&quotes.newest_bars(&symbol(), 5, 9)), shape(&bars));
    }
}
