//! Bars: the package reads them backwards from a time, the seam asks for those after one.

use super::{
    super::{BrokerError, Part},
    Terminal,
    past::Turn,
};
use mymt5_chassis::clock;
use mymt5_model::{Bar, BrokerTime, Price, Symbol};
use serde_json::{json, value::RawValue};

/// Bars that one call brings at most: the terminal may have to load them first.
const MOST: i64 = 2_000;
/// Calls that one question may take: each skips a stretch without bars.
const CALLS: usize = 16;
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

/// `[time, open, high, low, close, tick_volume, spread, real_volume]`.
type RawBar = (i64, f64, f64, f64, f64, u64, u32, u64);

/// `TIMEFRAME_*` of so many minutes.
fn timeframe(minutes: u32) -> Option<u32> {
    Some(match minutes {
        1..=6 | 10 | 12 | 15 | 20 | 30 => minutes,
        60 | 120 | 180 | 240 | 360 | 480 | 720 | 1_440 => 0x4000 | (minutes / 60),
        10_080 => 0x8001,
        43_200 => 0xC001,
        _ => return None,
    })
}

/// Bars of one symbol and one period.
struct Series<'a> {
    symbol: &'a Symbol,
    name: String,
    digits: u8,
    /// `TIMEFRAME_*`.
    timeframe: u32,
    period_ms: i64,
}

impl Terminal {
    /// Up to `limit` bars that open in `[from, to)`.
    ///
    /// # Errors
    /// A period that MetaTrader 5 has not, or no answer.
    pub(super) async fn read_bars(
        &self,
        symbol: &Symbol,
        minutes: u32,
        (from, to): (BrokerTime, BrokerTime),
        limit: usize,
    ) -> Result<Part<Bar, BrokerTime>, BrokerError> {
        let series = self.series(symbol, minutes)?;
        let most = i64::try_from(limit).unwrap_or(MOST).clamp(1, MOST - 1);
        let stretch = (most * series.period_ms).max(DAY_MS);
        let to = to.0.min(latest());
        let mut since = from.0.max(0);
        let mut bars = Vec::new();
        for _ in 0..CALLS {
            if since >= to || bars.len() >= limit {
                break;
            }
            let until = since.saturating_add(stretch).min(to);
            let turn = self.past_turn().await?;
            let span = until - since;
            let (mut read, _) = self.last_bars(turn, &series, until - 1, span).await?;
            read.retain(|bar| (since..until).contains(&bar.time.0));
            bars.append(&mut read);
            since = until;
        }
        if bars.len() >= limit {
            bars.truncate(limit);
            since = bars.last().map_or(since, |bar| bar.time.0 + 1);
        }
        Ok(Part {
            rows: bars,
            rest: (since < to).then_some(BrokerTime(since)),
        })
    }

    /// The newest bars, up to `limit`. All parts are read in one turn: where each takes long, the pause
    /// after the first would keep the others from ever being read.
    ///
    /// # Errors
    /// A period that MetaTrader 5 has not, or no answer.
    pub(super) async fn read_newest_bars(
        &self,
        symbol: &Symbol,
        minutes: u32,
        limit: usize,
    ) -> Result<Vec<Bar>, BrokerError> {
        let series = self.series(symbol, minutes)?;
        let mut until = latest();
        let mut turn = self.past_turn().await?;
        let mut bars = Vec::new();
        while bars.len() < limit {
            let missing = limit - bars.len();
            let asked = i64::try_from(missing).unwrap_or(MOST).min(MOST);
            let span = (asked - 1) * series.period_ms;
            let (mut older, kept) = self.last_bars(turn, &series, until, span).await?;
            turn = kept;
            older.retain(|bar| bar.time.0 <= until);
            let Some(first) = older.first() else {
                break;
            };
            until = first.time.0 - 1;
            let is_all = i64::try_from(older.len()).unwrap_or(MOST) < asked;
            older.append(&mut bars);
            bars = older;
            if is_all {
                break;
            }
        }
        Ok(bars)
    }

    fn series<'a>(&self, symbol: &'a Symbol, minutes: u32) -> Result<Series<'a>, BrokerError> {
        let timeframe = timeframe(minutes);
        let (name, digits) = self.name_and_digits(symbol)?;
        Ok(Series {
            symbol,
            name,
            digits,
            timeframe: timeframe.ok_or(BrokerError::NotAvailable("bars of that period"))?,
            period_ms: i64::from(minutes) * MINUTE_MS,
        })
    }

    /// The last bars that open at or before `until`: as many as open in so long a time.
    async fn last_bars(
        &self,
        turn: Turn,
        series: &Series<'_>,
        until: i64,
        span: i64,
    ) -> Result<(Vec<Bar>, Turn), BrokerError> {
        let args = json!({
            "symbol": series.name,
            "timeframe": series.timeframe,
            "from": (until / 1_000).max(1),
            "count": (span / series.period_ms + 1).clamp(1, MOST),
        });
        let (raw, turn) = self.ask_in_turn(turn, "bars", &args).await?;
        let bars = parse(&raw, series.symbol, series.digits)?;
        Ok((bars, turn))
    }
}

/// The broker's clock is at most 14 hours ahead.
fn latest() -> i64 {
    clock::utc_now_ms() + DAY_MS
}

pub(super) fn parse(raw: &RawValue, symbol: &Symbol, digits: u8) -> Result<Vec<Bar>, BrokerError> {
    let odd = || {
        BrokerError::Unreachable(
            "a bar cannot be read; look at the symbol's history in the terminal".into(),
        )
    };
    let rows: Vec<RawBar> = serde_json::from_str(raw.get()).map_err(|_| odd())?;
    let bar = |row: RawBar| {
        let (time, open, high, low, close, tick_volume, spread_points, real_volume) = row;
        let price = |raw| Price::nearest(raw, digits).ok();
        Some(Bar {
            symbol: symbol.clone(),
            time: BrokerTime(time.checked_mul(1_000)?),
            open: price(open)?,
            high: price(high)?,
            low: price(low)?,
            close: price(close)?,
            tick_volume,
            real_volume,
            spread_points,
        })
    };
    rows.into_iter()
        .map(|row| bar(row).ok_or_else(odd))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn periods_have_the_packages_codes() {
        let codes = [
            (1, 1),
            (30, 30),
            (60, 16_385),
            (240, 16_388),
            (1_440, 16_408),
            (10_080, 32_769),
            (43_200, 49_153),
        ];
        for (minutes, code) in codes {
            assert_eq!(timeframe(minutes), Some(code));
        }
        assert_eq!(
            (timeframe(0), timeframe(7), timeframe(90)),
            (None, None, None)
        );
    }

    #[test]
    fn bars_are_read_or_refused() {
        let symbol = Symbol::parse("EURUSD").unwrap();
        let read = |text: &str| {
            parse(
                &serde_json::from_str::<Box<RawValue>>(text).unwrap(),
                &symbol,
                5,
            )
        };
        let bars = read("[[60,1.1,1.2,1.0,1.15,7,9,0]]").unwrap();
        assert_eq!(
            (bars[0].time, bars[0].close.points()),
            (BrokerTime(60_000), 115_000)
        );
        assert!(read("[[60,1.1,1.2,1.0,null,7,9,0]]").is_err() && read("{}").is_err());
        assert!(read("[[60,1.1,1.2,0.0,1.15,7,9,0]]").is_err());
    }
}
