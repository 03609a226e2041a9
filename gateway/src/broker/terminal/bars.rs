//! Bars: the package reads them backwards from a time, the seam asks for those after one.

use super::{super::BrokerError, Terminal, calls::ask};
use mymt5_chassis::clock;
use mymt5_model::{Bar, BrokerTime, Price, Symbol};
use serde_json::{json, value::RawValue};

/// Bars that one call brings at most, and that one question brings: a later window may hold the
/// bars of two.
const MOST: i64 = 5_000;
const LIMIT: usize = 2_500;
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

impl Terminal {
    /// Up to `limit` bars from `from` on.
    ///
    /// # Errors
    /// A period that MetaTrader 5 has not, or no answer.
    pub(super) async fn read_bars(
        &self,
        symbol: &Symbol,
        minutes: u32,
        from: BrokerTime,
        limit: usize,
    ) -> Result<Vec<Bar>, BrokerError> {
        let period = timeframe(minutes).ok_or(BrokerError::NotAvailable("bars of that period"))?;
        let limit = limit.min(LIMIT);
        let (name, digits) = self.name_and_digits(symbol)?;
        let period_ms = i64::from(minutes) * MINUTE_MS;
        let span = period_ms.saturating_mul(i64::try_from(limit).unwrap_or(0));
        // The broker's clock is at most 14 hours ahead.
        let latest = clock::utc_now_ms() + DAY_MS;
        let mut until = from.0.max(0);
        for _ in 0..CALLS {
            until = until.saturating_add(span.max(DAY_MS)).min(latest);
            let count = ((until - from.0.max(0)) / period_ms + 2).clamp(1, MOST);
            let args = json!({
                "symbol": name, "timeframe": period, "from": until / 1_000, "count": count,
            });
            let raw = ask(&self.link()?, "bars", &args, self.settings.call_timeout).await?;
            let mut bars = parse(&raw, symbol, digits)?;
            bars.retain(|bar| bar.time >= from);
            if bars.len() >= limit || until >= latest {
                bars.truncate(limit);
                return Ok(bars);
            }
        }
        Err(BrokerError::NotAvailable("bars so far back"))
    }
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
