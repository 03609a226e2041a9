//! The terminal's bar export: as bars, and as the few ticks that a bar surely had.

use super::{
    FeedError,
    columns::{Clock, Columns, price, whole},
    lines::Lines,
};
use mymt5_model::{Bar, BrokerTime, Price, SymbolSpec, Tick};
use std::{collections::VecDeque, path::Path};

const NAMES: [&str; 9] = [
    "DATE", "TIME", "OPEN", "HIGH", "LOW", "CLOSE", "TICKVOL", "VOL", "SPREAD",
];
const MINUTE_MS: i64 = 60_000;

/// Bars of one symbol, read from a file as they are asked for.
pub struct BarFile {
    lines: Lines,
    columns: Columns<9>,
    spec: SymbolSpec,
    clock: Clock,
    ended: bool,
}

impl BarFile {
    /// Opens a bar file of a symbol with that specification and reads its header. Daily and
    /// longer bars have no TIME.
    ///
    /// # Errors
    /// The file cannot be opened or read, is empty, or its first line does not name the columns
    /// DATE, OPEN, HIGH, LOW and CLOSE.
    pub fn open(path: impl AsRef<Path>, spec: &SymbolSpec) -> Result<Self, FeedError> {
        Self::of(Lines::open(path.as_ref())?, spec)
    }

    pub(super) fn of(mut lines: Lines, spec: &SymbolSpec) -> Result<Self, FeedError> {
        let header = lines.next_line()?.unwrap_or_default();
        let columns = Columns::parse(header, NAMES);
        let ticks = Columns::parse(header, ["BID", "ASK"]);
        if ![0, 2, 3, 4, 5].iter().all(|column| columns.has(*column)) {
            return Err(lines.malformed(if ticks.has(0) && ticks.has(1) {
                "ticks, where bars with OPEN, HIGH, LOW and CLOSE are expected"
            } else {
                "no header with DATE, OPEN, HIGH, LOW and CLOSE"
            }));
        }
        Ok(Self {
            lines,
            columns,
            spec: spec.clone(),
            clock: Clock::default(),
            ended: false,
        })
    }

    fn advance(&mut self) -> Result<Option<Bar>, FeedError> {
        loop {
            let Some(line) = self.lines.next_line()? else {
                return Ok(None);
            };
            if line.is_empty() {
                continue;
            }
            let fields = self.columns.split(line);
            let bar = bar(&self.spec, &mut self.clock, fields);
            return bar.map(Some).map_err(|reason| self.lines.malformed(reason));
        }
    }
}

fn bar(spec: &SymbolSpec, clock: &mut Clock, fields: [&[u8]; 9]) -> Result<Bar, &'static str> {
    let [date, time, open, high, low, close, ticks, volume, spread] = fields;
    let price = |field| price(field, spec.digits).ok_or("not a price of the symbol's digits");
    let count = |field: &[u8]| {
        let count = if field.is_empty() {
            Some(0)
        } else {
            whole(field)
        };
        count.ok_or("not a whole number")
    };
    let bar = Bar {
        symbol: spec.symbol.clone(),
        time: clock.read(date, time).ok_or("not a date and time")?,
        open: price(open)?,
        high: price(high)?,
        low: price(low)?,
        close: price(close)?,
        tick_volume: count(ticks)?,
        real_volume: count(volume)?,
        spread_points: u32::try_from(count(spread)?).map_err(|_| "the spread is too great")?,
    };
    if bar.low > bar.open.min(bar.close) || bar.high < bar.open.max(bar.close) {
        return Err("the high or the low does not enclose the bar");
    }
    Ok(bar)
}

impl Iterator for BarFile {
    type Item = Result<Bar, FeedError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.advance().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

/// Bars told as four ticks each: the open, then the extreme on the way against the bar's
/// direction, then the other one, then the close, evenly spread over the bar, with its spread.
pub struct BarTicks<B> {
    bars: B,
    period_ms: i64,
    ticks: VecDeque<Tick>,
}

impl<B: Iterator<Item = Result<Bar, FeedError>>> BarTicks<B> {
    /// Ticks of bars that last `period_ms` milliseconds.
    pub fn new(bars: B, period_ms: i64) -> Self {
        Self {
            bars,
            period_ms,
            ticks: VecDeque::with_capacity(4),
        }
    }

    fn add_ticks(&mut self, bar: &Bar) {
        let (first, second) = if bar.close >= bar.open {
            (bar.low, bar.high)
        } else {
            (bar.high, bar.low)
        };
        let step = (self.period_ms / 4).max(1);
        let prices = [bar.open, first, second, bar.close];
        let tick = |(i, bid): (i64, Price)| Tick {
            symbol: bar.symbol.clone(),
            time: BrokerTime(bar.time.0 + i * step),
            bid,
            ask: bid.moved(i64::from(bar.spread_points)),
            last: None,
            volume: 0.0,
            flags: 6,
        };
        self.ticks.extend((0..).zip(prices).map(tick));
    }
}

impl<B: Iterator<Item = Result<Bar, FeedError>>> Iterator for BarTicks<B> {
    type Item = Result<Tick, FeedError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ticks.is_empty() {
            match self.bars.next()? {
                Ok(bar) => self.add_ticks(&bar),
                Err(error) => return Some(Err(error)),
            }
        }
        self.ticks.pop_front().map(Ok)
    }
}

/// Milliseconds of the period in a file name such as `GBPUSD_H1_2012.csv`: M1 to M30, H1 to H12,
/// D1 or W1; none without one.
#[must_use]
pub fn period_of(path: &Path) -> Option<i64> {
    let stem = path.file_stem()?.to_str()?;
    stem.split('_').skip(1).find_map(|part| {
        let (unit, count) = part.split_at_checked(1)?;
        let count = whole(count.as_bytes())? as i64;
        let (minutes, most) = match unit {
            "M" => (1, 30),
            "H" => (60, 12),
            "D" => (1440, 1),
            "W" => (7 * 1440, 1),
            _ => return None,
        };
        (1..=most)
            .contains(&count)
            .then_some(count * minutes * MINUTE_MS)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_period() {
        let minutes = |name: &str| period_of(Path::new(name)).map(|ms| ms / MINUTE_MS);
        assert_eq!(minutes("GBPUSD_H1_2012-2022.csv"), Some(60));
        assert_eq!(minutes("XAUUSD_M5_2026.csv"), Some(5));
        assert_eq!(minutes("EURUSD_D1.csv"), Some(1440));
        assert_eq!(minutes("AUDUSD_ticks_2020.csv"), None);
    }
}
