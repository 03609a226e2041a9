//! What was quoted: ticks and bars of each symbol, as the wire has them.

use crate::layout;
use jiff::{Timestamp, tz::TimeZone};
use mymt5_model::{Symbol, Tick};
use std::collections::{HashMap, VecDeque};

/// Most ticks of a symbol that are kept.
const TICKS: usize = 200_000;
/// Most minutes of a symbol that are kept.
const MINUTES: usize = 100_000;
const DAY: i64 = 86_400;

/// The time frames of the package: minutes, hours, weeks and months by their upper bits.
const TIMEFRAMES: [u32; 21] = [
    1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 0x4001, 0x4002, 0x4003, 0x4004, 0x4006, 0x4008, 0x400c,
    0x4018, 0x8001, 0xc001,
];

/// The ticks that a client asks for.
const INFO: u32 = 1;
const TRADE: u32 = 2;
const QUOTE_FLAGS: u32 = 2 | 4;
const TRADE_FLAGS: u32 = 8 | 16;

/// What a symbol was quoted at.
#[derive(Default)]
pub(crate) struct Quoted {
    ticks: VecDeque<layout::Tick>,
    minutes: VecDeque<layout::Rate>,
    /// The day, and its highest and lowest bid and ask.
    pub(crate) day: Day,
}

/// The range of a day.
#[derive(Clone, Copy, Default)]
pub(crate) struct Day {
    number: i64,
    /// Highest and lowest bid.
    pub(crate) bid: (f64, f64),
    /// Highest and lowest ask.
    pub(crate) ask: (f64, f64),
}

/// What every symbol was quoted at.
#[derive(Default)]
pub(crate) struct Quotes(HashMap<Symbol, Quoted>);

impl Quotes {
    pub(crate) fn add(&mut self, tick: &Tick) {
        let quoted = self.0.entry(tick.symbol.clone()).or_default();
        let spread = (tick.ask.points() - tick.bid.points()) as i32;
        quoted.add(on_the_wire(tick), spread);
    }

    pub(crate) fn of(&self, symbol: &Symbol) -> Option<&Quoted> {
        self.0.get(symbol)
    }
}

/// A tick as the wire has it.
pub(crate) fn on_the_wire(tick: &Tick) -> layout::Tick {
    layout::Tick {
        time: tick.time.0.div_euclid(1000),
        bid: tick.bid.to_f64(),
        ask: tick.ask.to_f64(),
        last: tick.last.map_or(0.0, |last| last.to_f64()),
        volume: tick.volume as u64,
        time_msc: tick.time.0,
        // A terminal has no tick that changes nothing: it quotes both sides anew.
        flags: match tick.flags {
            0 => QUOTE_FLAGS,
            flags => flags,
        },
        volume_real: tick.volume,
    }
}

impl Quoted {
    fn add(&mut self, tick: layout::Tick, spread: i32) {
        let minute = tick.time.div_euclid(60) * 60;
        match self.minutes.back_mut() {
            Some(bar) if bar.time >= minute => {
                bar.high = bar.high.max(tick.bid);
                bar.low = bar.low.min(tick.bid);
                bar.close = tick.bid;
                bar.tick_volume += 1;
                bar.spread = bar.spread.min(spread);
                bar.real_volume += tick.volume;
            }
            _ => push(&mut self.minutes, bar(minute, &tick, spread), MINUTES),
        }
        self.day.add(&tick);
        push(&mut self.ticks, tick, TICKS);
    }

    pub(crate) fn newest(&self) -> Option<&layout::Tick> {
        self.ticks.back()
    }

    /// Up to `count` ticks from a moment on in milliseconds; from 0 on the newest.
    pub(crate) fn ticks_from(&self, from: i64, count: usize, flags: u32) -> Vec<layout::Tick> {
        if from > 0 {
            let later = self.later(from, flags);
            return later.take(count).cloned().collect();
        }
        let all: Vec<_> = self.later(0, flags).cloned().collect();
        all[all.len().saturating_sub(count)..].to_vec()
    }

    /// The ticks of a span in milliseconds, both ends included.
    pub(crate) fn ticks_between(&self, from: i64, to: i64, flags: u32) -> Vec<layout::Tick> {
        let later = self.later(from, flags);
        later.take_while(|t| t.time_msc <= to).cloned().collect()
    }

    fn later(&self, from: i64, flags: u32) -> impl Iterator<Item = &layout::Tick> {
        let begin = self.ticks.partition_point(|tick| tick.time_msc < from);
        let mask = match flags {
            INFO => QUOTE_FLAGS,
            TRADE => TRADE_FLAGS,
            _ => u32::MAX,
        };
        let all = mask == u32::MAX;
        let later = self.ticks.range(begin..);
        later.filter(move |tick| all || tick.flags & mask != 0)
    }

    /// The bars of a time frame, the oldest first; none where there is no such time frame.
    pub(crate) fn rates(&self, timeframe: u32) -> Option<Vec<layout::Rate>> {
        let mut bars: Vec<layout::Rate> = Vec::new();
        for minute in &self.minutes {
            let begin = begin_of(timeframe, minute.time)?;
            match bars.last_mut() {
                Some(bar) if bar.time == begin => {
                    bar.high = bar.high.max(minute.high);
                    bar.low = bar.low.min(minute.low);
                    bar.close = minute.close;
                    bar.tick_volume += minute.tick_volume;
                    bar.spread = bar.spread.min(minute.spread);
                    bar.real_volume += minute.real_volume;
                }
                _ => bars.push(layout::Rate {
                    time: begin,
                    ..minute.clone()
                }),
            }
        }
        Some(bars)
    }
}

impl Day {
    fn add(&mut self, tick: &layout::Tick) {
        let number = tick.time.div_euclid(DAY);
        let wider = |(high, low): (f64, f64), price: f64| (high.max(price), low.min(price));
        if number == self.number {
            self.bid = wider(self.bid, tick.bid);
            self.ask = wider(self.ask, tick.ask);
        } else {
            self.number = number;
            self.bid = (tick.bid, tick.bid);
            self.ask = (tick.ask, tick.ask);
        }
    }
}

fn bar(minute: i64, tick: &layout::Tick, spread: i32) -> layout::Rate {
    layout::Rate {
        time: minute,
        open: tick.bid,
        high: tick.bid,
        low: tick.bid,
        close: tick.bid,
        tick_volume: 1,
        spread,
        real_volume: tick.volume,
    }
}

fn push<T>(rows: &mut VecDeque<T>, row: T, limit: usize) {
    if rows.len() >= limit {
        rows.pop_front();
    }
    rows.push_back(row);
}

/// When the bar of that time frame begins in which a second lies.
fn begin_of(timeframe: u32, second: i64) -> Option<i64> {
    if !TIMEFRAMES.contains(&timeframe) {
        return None;
    }
    let count = i64::from(timeframe & 0x3fff);
    let day = second.div_euclid(DAY);
    Some(match timeframe >> 14 {
        0 => second.div_euclid(60 * count) * 60 * count,
        1 => second.div_euclid(3600 * count) * 3600 * count,
        // Weeks begin on Sunday; day 0 was a Thursday.
        2 => ((day - 3).div_euclid(7) * 7 + 3) * DAY,
        _ => {
            let time = Timestamp::from_second(second).ok()?;
            (day - i64::from(TimeZone::UTC.to_datetime(time).day()) + 1) * DAY
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// 2026-07-15, a Wednesday, 13:47:05.
    const AT: i64 = 1_784_123_225;

    fn quoted(ticks: &[(i64, f64)]) -> Quoted {
        let mut quoted = Quoted::default();
        for (time_msc, bid) in ticks {
            let tick = layout::Tick {
                time: time_msc / 1000,
                time_msc: *time_msc,
                bid: *bid,
                ask: bid + 2.0,
                flags: 6,
                ..layout::Tick::default()
            };
            quoted.add(tick, 2);
        }
        quoted
    }

    #[test]
    fn bars_begin_where_their_time_frames_do() {
        let begin = |timeframe| begin_of(timeframe, AT).unwrap();
        assert_eq!(begin(1), AT - 5);
        assert_eq!(begin(20), AT - 5 - 7 * 60);
        assert_eq!(begin(0x400c), AT - 5 - 47 * 60 - 3600);
        let day = begin(0x4018);
        assert_eq!(day, AT - 5 - 47 * 60 - 13 * 3600);
        assert_eq!(begin(0x8001), day - 3 * DAY);
        assert_eq!(begin(0xc001), day - 14 * DAY);
        assert_eq!(begin_of(7, AT), None);
    }

    #[test]
    fn minutes_make_up_the_greater_bars() {
        let ms = (AT - 5) * 1000;
        let quoted = quoted(&[(ms, 10.0), (ms + 100, 12.0), (ms + 60_000, 9.0)]);
        let minutes = quoted.rates(1).unwrap();
        assert_eq!((minutes.len(), minutes[0].tick_volume), (2, 2));
        let hour = &quoted.rates(0x4001).unwrap()[0];
        let prices = (hour.open, hour.high, hour.low, hour.close);
        assert_eq!((prices, hour.tick_volume), ((10.0, 12.0, 9.0, 9.0), 3));
        assert!(quoted.rates(0).is_none());
    }

    #[test]
    fn equal_milliseconds_are_ticks_of_their_own() {
        let quoted = quoted(&[(1_000, 1.0), (1_500, 2.0), (1_500, 3.0), (2_000, 4.0)]);
        let bids = |ticks: Vec<layout::Tick>| ticks.iter().map(|t| t.bid).collect::<Vec<_>>();
        assert_eq!(bids(quoted.ticks_from(1_500, 2, u32::MAX)), [2.0, 3.0]);
        assert_eq!(bids(quoted.ticks_from(0, 2, INFO)), [3.0, 4.0]);
        assert_eq!(bids(quoted.ticks_between(1_001, 1_999, INFO)), [2.0, 3.0]);
        assert!(quoted.ticks_from(1_000, 9, TRADE).is_empty());
    }
}
