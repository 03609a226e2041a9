//! Bars from ticks, as MetaTrader 5 has them: of bids, in broker time, labelled by their opening,
//! and none where no tick came. Live and past differ only in where the ticks come from.

use mymt5_model::{Bar, BrokerTime, Tick};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Length of a bar.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
#[value(rename_all = "UPPER")]
pub enum Timeframe {
    /// One minute.
    M1,
    /// Five minutes.
    M5,
    /// Fifteen minutes.
    M15,
    /// Thirty minutes.
    M30,
    /// One hour.
    H1,
    /// Four hours.
    H4,
    /// One day of the broker.
    D1,
}

impl Timeframe {
    /// All of them, the shortest first.
    pub const ALL: [Self; 7] = [
        Self::M1,
        Self::M5,
        Self::M15,
        Self::M30,
        Self::H1,
        Self::H4,
        Self::D1,
    ];

    const fn minutes(self) -> i64 {
        match self {
            Self::M1 => 1,
            Self::M5 => 5,
            Self::M15 => 15,
            Self::M30 => 30,
            Self::H1 => 60,
            Self::H4 => 240,
            Self::D1 => 1_440,
        }
    }

    const fn milliseconds(self) -> i64 {
        self.minutes() * 60_000
    }

    /// The timeframe of that length; none: there is none.
    #[must_use]
    pub fn of_milliseconds(length: i64) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|timeframe| timeframe.milliseconds() == length)
    }

    /// Opening of the bar that a moment belongs to.
    #[must_use]
    pub const fn opening(self, time: BrokerTime) -> BrokerTime {
        BrokerTime(time.0 - time.0.rem_euclid(self.milliseconds()))
    }
}

impl fmt::Display for Timeframe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Bars of the past, as the gateway lists them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Complete ones, the oldest first.
    pub finished: Vec<Bar>,
    /// The one under way; none: no tick came since the last one ended.
    pub running: Option<Bar>,
}

/// Makes the bars of one symbol and timeframe, tick by tick.
#[derive(Clone, Debug)]
pub struct BarBuilder {
    timeframe: Timeframe,
    running: Option<Bar>,
    /// Opening of the newest complete bar.
    closed: Option<BrokerTime>,
}

impl BarBuilder {
    /// No bar yet.
    #[must_use]
    pub const fn new(timeframe: Timeframe) -> Self {
        Self {
            timeframe,
            running: None,
            closed: None,
        }
    }

    /// Takes a tick of its symbol; the bar that this tick ends, if it ends one. A tick of a bar that
    /// is complete comes too late and is left out, as are those of the hour that the broker's clock
    /// repeats in autumn.
    pub fn on_tick(&mut self, tick: &Tick) -> Option<Bar> {
        let opening = self.timeframe.opening(tick.time);
        if self.closed.is_some_and(|closed| opening <= closed) {
            return None;
        }
        match &mut self.running {
            Some(bar) if opening < bar.time => None,
            Some(bar) if opening == bar.time => {
                add(bar, tick);
                None
            }
            running => {
                let ended = running.replace(first(tick, opening));
                self.closed = ended.as_ref().map(|bar| bar.time).or(self.closed);
                ended
            }
        }
    }

    /// Takes what was listed after the newest tick that it got; the complete bars that it did not know
    /// yet. The bar under way is the listed one from here on: its tick volume may count those ticks
    /// twice that come on both ways, its prices do not change by them.
    pub fn resume(&mut self, history: History) -> Vec<Bar> {
        let known = self.closed;
        let is_news = |bar: &Bar| known.is_none_or(|closed| bar.time > closed);
        let news: Vec<Bar> = history.finished.into_iter().filter(is_news).collect();
        self.closed = news.last().map(|bar| bar.time).or(known);
        let closed = self.closed;
        let newest = history.running.into_iter().chain(self.running.take());
        self.running = newest
            .filter(|bar| closed.is_none_or(|closed| bar.time > closed))
            .reduce(|listed, own| if own.time > listed.time { own } else { listed });
        news
    }
}

fn first(tick: &Tick, opening: BrokerTime) -> Bar {
    Bar {
        symbol: tick.symbol.clone(),
        time: opening,
        open: tick.bid,
        high: tick.bid,
        low: tick.bid,
        close: tick.bid,
        tick_volume: 1,
        real_volume: traded(tick),
        spread_points: spread(tick),
    }
}

fn add(bar: &mut Bar, tick: &Tick) {
    bar.high = bar.high.max(tick.bid);
    bar.low = bar.low.min(tick.bid);
    bar.close = tick.bid;
    bar.tick_volume += 1;
    bar.real_volume = bar.real_volume.saturating_add(traded(tick));
    bar.spread_points = bar.spread_points.min(spread(tick));
}

/// Whole units traded; a cast of what is no number is 0.
fn traded(tick: &Tick) -> u64 {
    tick.volume as u64
}

fn spread(tick: &Tick) -> u32 {
    let points = tick.ask.points().saturating_sub(tick.bid.points());
    u32::try_from(points.max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_model::{Price, Symbol};
    use proptest::prelude::*;

    const MINUTE: i64 = 60_000;
    /// Monday 2026-03-02, 00:00 of the broker.
    const MONDAY: i64 = 1_772_409_600_000;

    fn tick(time: i64, bid: i64, spread: i64) -> Tick {
        Tick {
            symbol: Symbol::parse("EURUSD").unwrap(),
            time: BrokerTime(time),
            bid: Price::from_points(bid, 5),
            ask: Price::from_points(bid + spread, 5),
            last: None,
            volume: 0.0,
            flags: 6,
            is_continuous: false,
        }
    }

    fn build(builder: &mut BarBuilder, ticks: &[Tick]) -> Vec<Bar> {
        ticks
            .iter()
            .filter_map(|tick| builder.on_tick(tick))
            .collect()
    }

    /// The bar of the ticks whose times lie in it, by the definition of each of its values.
    fn defined(ticks: &[Tick], opening: i64, minutes: i64) -> Bar {
        let end = opening + minutes * MINUTE;
        let inside = ticks
            .iter()
            .filter(|tick| (opening..end).contains(&tick.time.0));
        let inside: Vec<&Tick> = inside.collect();
        let bids = || inside.iter().map(|tick| tick.bid);
        let spread = |tick: &&Tick| tick.ask.points() - tick.bid.points();
        Bar {
            symbol: inside[0].symbol.clone(),
            time: BrokerTime(opening),
            open: inside[0].bid,
            high: bids().max().unwrap(),
            low: bids().min().unwrap(),
            close: inside[inside.len() - 1].bid,
            tick_volume: inside.len() as u64,
            real_volume: 0,
            spread_points: inside.iter().map(spread).min().unwrap() as u32,
        }
    }

    proptest! {
        #[test]
        fn bars_are_as_defined(
            timeframe in prop::sample::select(&Timeframe::ALL[..]),
            steps in prop::collection::vec((0i64..40 * MINUTE, 90_000i64..110_000, 0i64..50), 1..200),
        ) {
            let mut time = MONDAY;
            let mut ticks = Vec::new();
            for (pause, bid, spread) in steps {
                time += pause;
                ticks.push(tick(time, bid, spread));
            }
            let minutes = match timeframe {
                Timeframe::M1 => 1,
                Timeframe::M5 => 5,
                Timeframe::M15 => 15,
                Timeframe::M30 => 30,
                Timeframe::H1 => 60,
                Timeframe::H4 => 4 * 60,
                Timeframe::D1 => 24 * 60,
            };
            let length = minutes * MINUTE;
            let mut openings: Vec<i64> = ticks.iter().map(|tick| tick.time.0 / length * length).collect();
            openings.dedup();
            openings.pop();
            let wanted: Vec<Bar> = openings.iter().map(|opening| defined(&ticks, *opening, minutes)).collect();
            let mut builder = BarBuilder::new(timeframe);
            prop_assert_eq!(build(&mut builder, &ticks), wanted);
        }

        #[test]
        fn bars_are_the_same_from_wherever_the_history_ends(
            steps in prop::collection::vec((0i64..3 * MINUTE, 90_000i64..110_000), 2..100),
            cut in 0usize..100,
        ) {
            let mut time = MONDAY;
            let mut ticks = Vec::new();
            for (pause, bid) in steps {
                time += pause;
                ticks.push(tick(time, bid, 2));
            }
            let (past, live) = ticks.split_at(cut.min(ticks.len()));
            let mut whole = BarBuilder::new(Timeframe::M5);
            let wanted = build(&mut whole, &ticks);
            let mut gateway = BarBuilder::new(Timeframe::M5);
            let finished = build(&mut gateway, past);
            let mut builder = BarBuilder::new(Timeframe::M5);
            let mut bars = builder.resume(History { finished, running: gateway.running });
            bars.extend(build(&mut builder, live));
            prop_assert_eq!(bars, wanted);
            prop_assert_eq!(builder.running, whole.running);
        }
    }

    #[test]
    fn a_gap_makes_no_empty_bars() {
        let mut builder = BarBuilder::new(Timeframe::M1);
        let ticks = [
            tick(MONDAY, 100_000, 2),
            tick(MONDAY + 90 * MINUTE, 100_010, 2),
            tick(MONDAY + 91 * MINUTE, 100_020, 2),
        ];
        let openings: Vec<i64> = build(&mut builder, &ticks)
            .iter()
            .map(|bar| bar.time.0 - MONDAY)
            .collect();
        assert_eq!(openings, [0, 90 * MINUTE]);
    }

    #[test]
    fn days_and_four_hours_begin_at_the_brokers_midnight() {
        let at = BrokerTime(MONDAY + 11 * 60 * MINUTE + 1);
        assert_eq!(Timeframe::D1.opening(at), BrokerTime(MONDAY));
        assert_eq!(
            Timeframe::H4.opening(at),
            BrokerTime(MONDAY + 8 * 60 * MINUTE)
        );
    }

    #[test]
    fn a_tick_of_a_complete_bar_opens_none_again() {
        let mut builder = BarBuilder::new(Timeframe::M1);
        let early = [tick(MONDAY, 100_000, 2), tick(MONDAY + MINUTE, 100_010, 2)];
        assert_eq!(build(&mut builder, &early).len(), 1);
        let late = [
            tick(MONDAY + 1, 99_000, 2),
            tick(MONDAY + 2 * MINUTE, 100_000, 2),
        ];
        let bars = build(&mut builder, &late);
        assert_eq!((bars.len(), bars[0].low.points()), (1, 100_010));
    }

    #[test]
    fn after_an_outage_only_what_was_missed_comes() {
        let mut gateway = BarBuilder::new(Timeframe::M1);
        let ticks: Vec<Tick> = (0..10)
            .map(|at| tick(MONDAY + at * MINUTE, 100_000 + at, 2))
            .collect();
        let finished = build(&mut gateway, &ticks);
        let mut builder = BarBuilder::new(Timeframe::M1);
        assert_eq!(build(&mut builder, &ticks[..4]).len(), 3);
        let missed = builder.resume(History {
            finished,
            running: gateway.running.clone(),
        });
        assert_eq!(missed.len(), 6);
        assert_eq!(missed[0].time.0, MONDAY + 3 * MINUTE);
        assert_eq!(builder.running, gateway.running);
    }
}
