//! Two exponential averages of the mid price; the tick on which they cross is the signal.

use super::{Distances, Signal, Strategy};
use mymt5_chassis::loader::Section;
use mymt5_model::{Side, Tick};

/// Reads the inputs of both averages, those before the first signal, and the levels.
pub(super) fn build(section: &mut Section<'_>) -> Option<Box<dyn Strategy>> {
    let fast = section.or("fast", "a count", 10);
    let slow = section.or("slow", "a count", 20);
    if !(1..=10_000).contains(&fast) || fast >= slow || slow > 10_000 {
        section.reject("fast", "does not fit slow", "set 1 <= fast < slow <= 10000");
    }
    let warmup = section.or("warmup", "a count", slow);
    let distances = Distances::read(section);
    Some(Box::new(EmaCross::new(fast, slow, warmup, distances)))
}

/// The strategy's state.
#[derive(Debug)]
struct EmaCross {
    fast: Ema,
    slow: Ema,
    warmup: u32,
    distances: Distances,
    seen: u32,
    above: Option<bool>,
}

#[derive(Debug)]
struct Ema {
    alpha: f64,
    value: Option<f64>,
}

impl Ema {
    fn of(inputs: u32) -> Self {
        Self {
            alpha: 2.0 / (f64::from(inputs) + 1.0),
            value: None,
        }
    }

    /// The first input is the first value.
    fn next(&mut self, input: f64) -> f64 {
        let value = self
            .value
            .map_or(input, |value| value + self.alpha * (input - value));
        self.value = Some(value);
        value
    }
}

impl EmaCross {
    /// Averages over so many inputs; no signal before `warmup` of them.
    fn new(fast: u32, slow: u32, warmup: u32, distances: Distances) -> Self {
        Self {
            fast: Ema::of(fast),
            slow: Ema::of(slow),
            warmup,
            distances,
            seen: 0,
            above: None,
        }
    }
}

impl Strategy for EmaCross {
    fn on_tick(&mut self, tick: &Tick) -> Option<Signal> {
        let mid = (tick.bid.to_f64() + tick.ask.to_f64()) / 2.0;
        let (fast, slow) = (self.fast.next(mid), self.slow.next(mid));
        self.seen = self.seen.saturating_add(1);
        if self.seen < self.warmup || fast == slow {
            return None;
        }
        let above = fast > slow;
        let crossed = self
            .above
            .replace(above)
            .is_some_and(|before| before != above);
        let side = if above { Side::Buy } else { Side::Sell };
        let distances = self.distances;
        crossed.then_some(Signal { side, distances })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_model::{BrokerTime, Price, Symbol};

    fn run(points: &[i64], strategy: &mut EmaCross) -> Vec<(usize, Side)> {
        let tick = |points: i64| Tick {
            symbol: Symbol::parse("EURUSD").unwrap(),
            time: BrokerTime(0),
            bid: Price::from_points(points, 5),
            ask: Price::from_points(points + 2, 5),
            last: None,
            volume: 0.0,
            flags: 6,
        };
        points
            .iter()
            .enumerate()
            .filter_map(|(at, p)| strategy.on_tick(&tick(*p)).map(|signal| (at, signal.side)))
            .collect()
    }

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
        let mut strategy = cross(1, 3, 2);
        let signals = run(
            &[100_000, 100_010, 100_020, 100_000, 99_990, 100_030],
            &mut strategy,
        );
        assert_eq!(signals, [(3, Side::Sell), (5, Side::Buy)]);
    }

    #[test]
    fn keeps_quiet_while_it_warms_up() {
        let mut strategy = cross(1, 3, 6);
        assert!(run(&[100_000, 100_010, 99_900, 100_100, 99_900], &mut strategy).is_empty());
    }
}
