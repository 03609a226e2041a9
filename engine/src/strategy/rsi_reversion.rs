//! Wilder's RSI: a return from below the lower threshold buys, one from above the upper sells; the
//! trade ends where the index is back in the middle.

use super::{Bar, Context, Distances, Section, Series, Side, Strategy, Timeframe, indicators::Rsi};

/// Reads the index, its thresholds, and the levels.
pub(super) fn build(section: &mut Section<'_>) -> Option<Box<dyn Strategy>> {
    let timeframe = section.or("timeframe", super::TIMEFRAMES, Timeframe::M15);
    let changes = section.ranged("bars", "bars", 14, 2..=1_000);
    let thresholds = Thresholds {
        lower: section.or("oversold", "0 to 100", 30.0),
        middle: section.or("exit", "0 to 100", 50.0),
        upper: section.or("overbought", "0 to 100", 70.0),
    };
    if !thresholds.are_ordered() {
        section.reject(
            "oversold",
            "does not fit exit and overbought",
            "set 0 < oversold < exit < overbought < 100",
        );
    }
    let distances = Distances::read(section);
    Some(Box::new(RsiReversion::new(
        timeframe, changes?, thresholds, distances,
    )))
}

/// Values of the index.
#[derive(Clone, Copy, Debug)]
struct Thresholds {
    lower: f64,
    middle: f64,
    upper: f64,
}

impl Thresholds {
    fn are_ordered(&self) -> bool {
        let all = [0.0, self.lower, self.middle, self.upper, 100.0];
        all.windows(2).all(|pair| pair[0] < pair[1])
    }
}

/// The strategy's state.
#[derive(Debug)]
struct RsiReversion {
    timeframe: Timeframe,
    rsi: Rsi,
    warm_up: u32,
    thresholds: Thresholds,
    distances: Distances,
    before: Option<f64>,
}

impl RsiReversion {
    fn new(
        timeframe: Timeframe,
        changes: u32,
        thresholds: Thresholds,
        distances: Distances,
    ) -> Self {
        Self {
            timeframe,
            rsi: Rsi::of(changes),
            // What the first bars weigh has faded by then: (1 - 1/n)^(10 n) is below 1 in 20,000.
            warm_up: (10 * changes).min(Series::MOST),
            thresholds,
            distances,
            before: None,
        }
    }

    /// The side that the way from one value to the next asks for.
    fn signal(&self, before: f64, now: f64) -> Option<Side> {
        let Thresholds { lower, upper, .. } = self.thresholds;
        if before < lower && now >= lower {
            return Some(Side::Buy);
        }
        (before > upper && now <= upper).then_some(Side::Sell)
    }
}

impl Strategy for RsiReversion {
    fn series(&self) -> Vec<Series> {
        vec![Series {
            timeframe: self.timeframe,
            warm_up: self.warm_up,
        }]
    }

    fn on_bar(&mut self, _: Timeframe, bar: &Bar, context: &mut Context<'_>) {
        let Some(now) = self.rsi.next(bar.close.to_f64()) else {
            return;
        };
        let signal = self
            .before
            .replace(now)
            .and_then(|before| self.signal(before, now));
        let held = context.position().map(|held| held.side);
        let is_back = match held {
            Some(Side::Buy) => now >= self.thresholds.middle,
            Some(Side::Sell) => now <= self.thresholds.middle,
            None => false,
        };
        if let Some(side) = signal.filter(|side| held != Some(*side)) {
            context.reverse(self.distances.market(side));
        } else if is_back {
            context.exit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::testing::{Said, Stage};

    #[test]
    fn buys_the_return_from_below_and_leaves_in_the_middle() {
        let thresholds = Thresholds {
            lower: 30.0,
            middle: 50.0,
            upper: 70.0,
        };
        let distances = Distances {
            stop: Some(200),
            take_profit: None,
        };
        let mut stage = Stage::of(RsiReversion::new(Timeframe::M15, 2, thresholds, distances));
        // Averages of gain and loss, and the index, after each close:
        // 1000, 990, 980: 0, 10 -> 0
        // 990: 5, 5 -> 50, from below 30: buys
        // 1000: 7.5, 2.5 -> 75, in the middle or above: leaves
        // 990: 3.75, 6.25 -> 37.5, from above 70: sells
        // 980: 1.875, 8.125 -> 18.75, in the middle or below: leaves
        // 979: 0.9375, 4.5625 -> 17.0
        // 981: 1.46875, 2.28125 -> 39.2: buys
        let said = stage.closes(&[1000, 990, 980, 990, 1000, 990, 980, 979, 981]);
        assert_eq!(
            said,
            [
                (3, Said::Reverse(Side::Buy)),
                (4, Said::Exit),
                (5, Said::Reverse(Side::Sell)),
                (6, Said::Exit),
                (8, Said::Reverse(Side::Buy)),
            ]
        );
    }
}
