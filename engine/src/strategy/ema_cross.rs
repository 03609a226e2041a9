//! Two exponential averages, of the mid price tick by tick or of closes bar by bar; the input on which
//! they cross is the signal.

use super::{
    Bar, Context, Distances, Section, Series, Side, Strategy, Tick, Timeframe, indicators::Ema,
};

/// Reads the inputs of both averages, those before the first signal, and the levels.
pub(super) fn build(section: &mut Section<'_>) -> Option<Box<dyn Strategy>> {
    let fast = section.or("fast", "a count", 10);
    let slow = section.or("slow", "a count", 20);
    if !(1..=10_000).contains(&fast) || fast >= slow || slow > 10_000 {
        section.reject("fast", "does not fit slow", "set 1 <= fast < slow <= 10000");
    }
    let warmup = section.or("warmup", "a count", slow);
    let timeframe = section.optional("timeframe", super::TIMEFRAMES);
    let distances = Distances::read(section);
    Some(Box::new(EmaCross {
        timeframe,
        ..EmaCross::new(fast, slow, warmup, distances)
    }))
}

/// The strategy's state.
#[derive(Debug)]
struct EmaCross {
    /// None: its inputs are ticks.
    timeframe: Option<Timeframe>,
    fast: Ema,
    slow: Ema,
    warmup: u32,
    /// Bars of the past that it begins with.
    past: u32,
    distances: Distances,
    seen: u32,
    above: Option<bool>,
}

impl EmaCross {
    /// Averages over so many inputs; no signal before `warmup` of them.
    fn new(fast: u32, slow: u32, warmup: u32, distances: Distances) -> Self {
        Self {
            timeframe: None,
            fast: Ema::of(fast),
            slow: Ema::of(slow),
            warmup,
            // What the first bar weighs has faded by then: (1 - 2/(n + 1))^(10 n) is below 1e-8.
            past: warmup.max(slow.saturating_mul(10)).min(Series::MOST),
            distances,
            seen: 0,
            above: None,
        }
    }

    fn next(&mut self, input: f64, context: &mut Context<'_>) {
        let fast = self.fast.next(input);
        let slow = self.slow.next(input);
        self.seen = self.seen.saturating_add(1);
        if self.seen < self.warmup || fast == slow {
            return;
        }
        let above = fast > slow;
        let before = self.above.replace(above);
        if before.is_some_and(|before| before != above) {
            let side = if above { Side::Buy } else { Side::Sell };
            context.reverse(self.distances.market(side));
        }
    }
}

impl Strategy for EmaCross {
    fn series(&self) -> Vec<Series> {
        let series = self.timeframe.map(|timeframe| Series {
            timeframe,
            warm_up: self.past,
        });
        series.into_iter().collect()
    }

    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
        if self.timeframe.is_none() {
            self.next((tick.bid.to_f64() + tick.ask.to_f64()) / 2.0, context);
        }
    }

    fn on_bar(&mut self, _: Timeframe, bar: &Bar, context: &mut Context<'_>) {
        self.next(bar.close.to_f64(), context);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::strategy::testing::{Said, Stage, walk};

    const BUY: Said = Said::Reverse(Side::Buy);
    const SELL: Said = Said::Reverse(Side::Sell);

    fn cross(fast: u32, slow: u32, warmup: u32) -> EmaCross {
        let distances = Distances {
            stop: Some(200),
            take_profit: None,
        };
        EmaCross::new(fast, slow, warmup, distances)
    }

    #[test]
    fn signals_on_the_tick_that_crosses() {
        // EMA 1 is the price itself; EMA 3 halves the distance each time.
        let mut stage = Stage::of(cross(1, 3, 2));
        let said = stage.ticks(&[100_000, 100_010, 100_020, 100_000, 99_990, 100_030]);
        assert_eq!(said, [(3, SELL), (5, BUY)]);
    }

    #[test]
    fn keeps_quiet_while_it_warms_up() {
        let mut stage = Stage::of(cross(1, 3, 6));
        assert!(
            stage
                .ticks(&[100_000, 100_010, 99_900, 100_100, 99_900])
                .is_empty()
        );
    }

    #[test]
    fn on_bars_it_follows_their_closes_and_no_tick() {
        let on_bars = EmaCross {
            timeframe: Some(Timeframe::M5),
            ..cross(1, 3, 2)
        };
        let wanted = Series {
            timeframe: Timeframe::M5,
            warm_up: 30,
        };
        assert_eq!(on_bars.series(), [wanted]);
        let mut stage = Stage::of(on_bars);
        assert!(stage.ticks(&[100_000, 99_000, 101_000]).is_empty());
        let said = stage.closes(&[100_000, 100_010, 100_020, 100_000, 99_990, 100_030]);
        assert_eq!(said, [(3, SELL), (5, BUY)]);
    }

    #[test]
    fn on_bars_it_begins_with_all_that_still_weighs() {
        assert_eq!(cross(10, 20, 20).past, 200);
        assert_eq!(cross(10, 20, 300).past, 300);
        assert_eq!(cross(10, 10_000, 20).past, Series::MOST);
    }

    #[test]
    fn begun_anew_on_bars_it_signals_as_if_it_had_never_ended() {
        let on_bars = || EmaCross {
            timeframe: Some(Timeframe::H1),
            ..cross(10, 20, 20)
        };
        let past = on_bars().past as usize;
        let closes = walk(1_500);
        let signals = |from: usize| -> Vec<(usize, Said)> {
            let said = Stage::of(on_bars()).closes(&closes[from..]);
            said.into_iter()
                .map(|(at, said)| (from + at, said))
                .collect()
        };
        let whole = signals(0);
        for from in (0..1_000).step_by(50) {
            let live = |said: &Vec<(usize, Said)>| -> Vec<(usize, Said)> {
                let since = said.iter().filter(|(at, _)| *at >= from + past);
                since.copied().collect()
            };
            let expected = live(&whole);
            assert!(expected.len() > 5, "{from}");
            assert_eq!(live(&signals(from)), expected, "{from}");
        }
    }
}
