//! The terminal's bar export: as bars, and as the few ticks that a bar surely had.

use super::{
    FeedError, SAMPLE,
    columns::{Clock, Columns, decimals, price, whole},
    lines::Lines,
};
use mymt5_model::{Bar, BrokerTime, Price, SymbolSpec, Tick};
use std::{cmp::Ordering, collections::VecDeque, io::Read, path::Path};

const NAMES: [&str; 9] = [
    "DATE", "TIME", "OPEN", "HIGH", "LOW", "CLOSE", "TICKVOL", "VOL", "SPREAD",
];
/// The place of the spread in these.
const SPREAD: usize = 8;
const MINUTE_MS: i64 = 60_000;

/// What the first thousand lines of a bar file tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BarSample {
    /// The most decimals that its prices are written with; none: it has no prices.
    pub decimals: Option<u8>,
    /// Milliseconds between the two bars that are nearest to each other; none: it has no two bars.
    pub period_ms: Option<i64>,
}

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

    /// The same of a file that is open and unpacked; `path` is for what is told of it.
    ///
    /// # Errors
    /// As [`BarFile::open`].
    pub fn read(
        path: &Path,
        file: impl Read + Send + 'static,
        spec: &SymbolSpec,
    ) -> Result<Self, FeedError> {
        Self::of(Lines::of(path, file)?, spec)
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

    /// Whether the file has a column for the spread.
    #[must_use]
    pub fn has_spread(&self) -> bool {
        self.columns.has(SPREAD)
    }

    /// Looks at the beginning of the file.
    ///
    /// # Errors
    /// The file cannot be read, or a bar is not after the one before it.
    pub fn sample(mut self) -> Result<BarSample, FeedError> {
        let mut sample = BarSample::default();
        let mut last: Option<BrokerTime> = None;
        for _ in 0..SAMPLE {
            let Some(line) = self.lines.next_line()? else {
                break;
            };
            if line.is_empty() {
                continue;
            }
            let [date, time, open, high, low, close, ..] = self.columns.split(line);
            for price in [open, high, low, close] {
                sample.decimals = sample.decimals.max(decimals(price));
            }
            let Some(time) = self.clock.read(date, time) else {
                return Err(self.lines.malformed("not a date and time"));
            };
            if let Some(last) = last.replace(time) {
                let step = time.0 - last.0;
                if step <= 0 {
                    let reason = "invalid time: expected one after that of the line above";
                    return Err(self.lines.malformed(reason));
                }
                let least = sample.period_ms.map_or(step, |least| least.min(step));
                sample.period_ms = Some(least);
            }
        }
        Ok(sample)
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

/// Bars told as four ticks each, in the order of MetaTrader 5's tester: the open, then the extreme
/// on the way against the bar's direction, then the other one, then the close; of a bar that closes
/// where it opened, as if it went against the bar before it. They are evenly spread over the bar,
/// with its spread. Within a bar the price goes from one to the next without a jump: all but the open
/// are continuous.
pub struct BarTicks<B> {
    bars: B,
    period_ms: i64,
    /// In place of the bars' own, points.
    spread: Option<u32>,
    ticks: VecDeque<Tick>,
    /// The last bar went up.
    rose: bool,
}

impl BarTicks<BarFile> {
    /// What is wrong with the line of the bar that was read last, for who knows what is right.
    #[must_use]
    pub fn refuse(&self, reason: &'static str) -> FeedError {
        self.bars.lines.malformed(reason)
    }
}

impl<B: Iterator<Item = Result<Bar, FeedError>>> BarTicks<B> {
    /// Ticks of bars that last `period_ms` milliseconds.
    pub fn new(bars: B, period_ms: i64) -> Self {
        Self {
            bars,
            period_ms,
            spread: None,
            ticks: VecDeque::with_capacity(4),
            rose: false,
        }
    }

    /// The same with that spread, in points, in place of the bars' own.
    #[must_use]
    pub fn with_spread(self, points: u32) -> Self {
        Self {
            spread: Some(points),
            ..self
        }
    }

    fn add_ticks(&mut self, bar: &Bar) {
        self.rose = match bar.close.cmp(&bar.open) {
            Ordering::Greater => true,
            Ordering::Less => false,
            Ordering::Equal => !self.rose,
        };
        let (first, second) = if self.rose {
            (bar.low, bar.high)
        } else {
            (bar.high, bar.low)
        };
        let step = (self.period_ms / 4).max(1);
        let spread = self.spread.unwrap_or(bar.spread_points);
        let prices = [bar.open, first, second, bar.close];
        let tick = |(i, bid): (i64, Price)| Tick {
            symbol: bar.symbol.clone(),
            time: BrokerTime(bar.time.0 + i * step),
            bid,
            ask: bid.moved(i64::from(spread)),
            last: None,
            volume: 0.0,
            flags: 6,
            is_continuous: i > 0,
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
