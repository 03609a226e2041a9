//! Donchian's channel: a close above the highest high of the bars before buys, one below the lowest
//! low sells; a shorter channel of the other side ends the trade.

use super::{
    Bar, Context, Distances, Price, Section, Series, Side, Strategy, Timeframe, indicators::Window,
};

/// Reads the bars of both channels and the levels.
pub(super) fn build(section: &mut Section<'_>) -> Option<Box<dyn Strategy>> {
    let timeframe = section.or("timeframe", super::TIMEFRAMES, Timeframe::H1);
    let entry = section.ranged("entry_bars", "bars", 20, 1..=super::MOST_BARS);
    let exit = section.ranged("exit_bars", "bars", 10, 1..=super::MOST_BARS);
    let distances = Distances::read(section);
    Some(Box::new(DonchianBreakout {
        timeframe,
        entry: Channel::of(entry?),
        exit: Channel::of(exit?),
        warm_up: entry?.max(exit?),
        distances,
    }))
}

/// The strategy's state.
#[derive(Debug)]
struct DonchianBreakout {
    timeframe: Timeframe,
    entry: Channel,
    exit: Channel,
    warm_up: u32,
    distances: Distances,
}

/// The highs and lows of the newest bars.
#[derive(Debug)]
struct Channel {
    highs: Window<Price>,
    lows: Window<Price>,
}

impl Channel {
    fn of(bars: u32) -> Self {
        Self {
            highs: Window::of(bars as usize),
            lows: Window::of(bars as usize),
        }
    }

    /// The side on which a close leaves it; none: it stays inside, or there were too few bars.
    fn left_by(&self, close: Price) -> Option<Side> {
        if self.highs.highest().is_some_and(|high| close > high) {
            return Some(Side::Buy);
        }
        let is_below = self.lows.lowest().is_some_and(|low| close < low);
        is_below.then_some(Side::Sell)
    }

    fn push(&mut self, bar: &Bar) {
        self.highs.push(bar.high);
        self.lows.push(bar.low);
    }
}

impl Strategy for DonchianBreakout {
    fn series(&self) -> Vec<Series> {
        vec![Series {
            timeframe: self.timeframe,
            warm_up: self.warm_up,
        }]
    }

    fn on_bar(&mut self, _: Timeframe, bar: &Bar, context: &mut Context<'_>) {
        let entry = self.entry.left_by(bar.close);
        let exit = self.exit.left_by(bar.close);
        self.entry.push(bar);
        self.exit.push(bar);
        let held = context.position().map(|held| held.side);
        if let Some(side) = entry.filter(|side| held != Some(*side)) {
            context.reverse(self.distances.market(side));
        } else if held.is_some_and(|held| exit == Some(held.opposite())) {
            context.exit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::testing::{Said, Stage};

    #[test]
    fn breaks_out_of_the_long_channel_and_leaves_by_the_short_one() {
        let mut stage = Stage::of(DonchianBreakout {
            timeframe: Timeframe::H1,
            entry: Channel::of(4),
            exit: Channel::of(2),
            warm_up: 4,
            distances: Distances {
                stop: Some(200),
                take_profit: None,
            },
        });
        // A bar reaches from its opening, the close before, to its close.
        let said = stage.closes(&[
            100, 110, 105, 108, // too few bars
            110, // as high as before, not higher
            115, // above 110: buys
            112, 111, // within: the two bars before reach down to 110, then to 111
            109, // below 111: leaves
            104, // below 105 of the four before? their lowest is 109: sells
            103, 102, // goes on
            106, // above 104 of the two before: leaves
            90,  // sells again
            120, // above all: turns
        ]);
        assert_eq!(
            said,
            [
                (5, Said::Reverse(Side::Buy)),
                (8, Said::Exit),
                (9, Said::Reverse(Side::Sell)),
                (12, Said::Exit),
                (13, Said::Reverse(Side::Sell)),
                (14, Said::Reverse(Side::Buy)),
            ]
        );
    }
}
