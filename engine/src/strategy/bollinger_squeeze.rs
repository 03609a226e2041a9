//! Bollinger's squeeze: once the bands were the narrowest for long, the first close outside of them
//! shows the way; the trade ends where a close is back beyond the middle.

use super::{
    Bar, Context, Distances, Section, Series, Side, Strategy, Timeframe,
    indicators::{Bands, Bollinger, Window},
};

/// Reads the bands, how long a squeeze looks back, and the levels.
pub(super) fn build(section: &mut Section<'_>) -> Option<Box<dyn Strategy>> {
    let timeframe = section.or("timeframe", super::TIMEFRAMES, Timeframe::H1);
    // One of n inputs is at most (n - 1) / sqrt(n) deviations away: with 12 of them, above 3.
    let bars = section.ranged("bars", "bars", 20, 12..=1_000);
    let deviations = section.ranged("deviations", "standard deviations", 2.0, 0.5..=3.0);
    let squeeze = section.ranged("squeeze_bars", "bars", 100, 2..=super::MOST_BARS);
    let distances = Distances::read(section);
    Some(Box::new(BollingerSqueeze::new(
        timeframe,
        bars?,
        deviations?,
        squeeze?,
        distances,
    )))
}

/// The strategy's state.
#[derive(Debug)]
struct BollingerSqueeze {
    timeframe: Timeframe,
    bands: Bollinger,
    /// Widths of the bands at the newest bars.
    widths: Window<f64>,
    warm_up: u32,
    distances: Distances,
    /// The bands were the narrowest, and no close left them since.
    is_squeezed: bool,
}

impl BollingerSqueeze {
    fn new(
        timeframe: Timeframe,
        bars: u32,
        deviations: f64,
        squeeze: u32,
        distances: Distances,
    ) -> Self {
        Self {
            timeframe,
            bands: Bollinger::of(bars as usize, deviations),
            widths: Window::of(squeeze as usize),
            // The windows are full after the first of these; whether there was a squeeze, and no close
            // outside since, is known after the others.
            warm_up: (10 * (bars + squeeze)).min(Series::MOST),
            distances,
            is_squeezed: false,
        }
    }

    /// The side on which a close leaves squeezed bands.
    fn breakout(&mut self, close: f64, bands: &Bands) -> Option<Side> {
        let side = if close > bands.upper {
            Side::Buy
        } else if close < bands.lower {
            Side::Sell
        } else {
            self.widths.push(bands.width());
            let is_narrowest = self
                .widths
                .lowest()
                .is_some_and(|lowest| bands.width() <= lowest);
            self.is_squeezed |= is_narrowest;
            return None;
        };
        self.widths.push(bands.width());
        std::mem::take(&mut self.is_squeezed).then_some(side)
    }
}

impl Strategy for BollingerSqueeze {
    fn series(&self) -> Vec<Series> {
        vec![Series {
            timeframe: self.timeframe,
            warm_up: self.warm_up,
        }]
    }

    fn on_bar(&mut self, _: Timeframe, bar: &Bar, context: &mut Context<'_>) {
        let close = bar.close.to_f64();
        let Some(bands) = self.bands.next(close) else {
            return;
        };
        let breakout = self.breakout(close, &bands);
        let held = context.position().map(|held| held.side);
        let is_back = match held {
            Some(Side::Buy) => close < bands.middle,
            Some(Side::Sell) => close > bands.middle,
            None => false,
        };
        if let Some(side) = breakout.filter(|side| held != Some(*side)) {
            context.reverse(self.distances.market(side));
        } else if is_back {
            context.exit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::testing::{Said, Stage, walk};

    fn squeeze() -> Stage {
        Stage::of(of(4, 1.2, 3))
    }

    fn of(bars: u32, deviations: f64, squeeze: u32) -> BollingerSqueeze {
        let distances = Distances {
            stop: Some(200),
            take_profit: None,
        };
        BollingerSqueeze::new(Timeframe::H1, bars, deviations, squeeze, distances)
    }

    /// The closes that leave squeezed bands, of those from a place on.
    fn breakouts(closes: &[i64], from: usize) -> Vec<(usize, Side)> {
        let mut squeeze = of(20, 2.0, 5);
        let closes = closes.iter().enumerate().skip(from);
        let breakouts = closes.filter_map(|(at, close)| {
            let close = *close as f64;
            let bands = squeeze.bands.next(close)?;
            Some((at, squeeze.breakout(close, &bands)?))
        });
        breakouts.collect()
    }

    #[test]
    fn begun_anew_it_sees_the_breakouts_that_it_would_have_seen() {
        let past = of(20, 2.0, 5).warm_up as usize;
        let closes = walk(2_000);
        let whole = breakouts(&closes, 0);
        for from in (0..1_000).step_by(7) {
            let live = |seen: &Vec<(usize, Side)>| -> Vec<(usize, Side)> {
                let since = seen.iter().filter(|(at, _)| *at >= from + past);
                since.copied().collect()
            };
            let expected = live(&whole);
            assert!(expected.len() > 5, "{from}");
            assert_eq!(live(&breakouts(&closes, from)), expected, "{from}");
        }
    }

    #[test]
    fn it_wants_no_more_bars_than_there_are_at_once() {
        assert_eq!(of(20, 2.0, 100).warm_up, 1_200);
        assert_eq!(of(1_000, 2.0, 2_000).warm_up, Series::MOST);
    }

    #[test]
    fn the_first_close_outside_of_squeezed_bands_shows_the_way() {
        // Of four inputs the last may be 1.73 deviations away. The closes swing by 20, then by 2: the
        // bands are the narrowest at 7. 1,040 is outside of them; the mean is then 1,010.5.
        let said = squeeze().closes(&[
            1000, 1020, 1000, 1020, 1000, 1020, 1001, 1000, 1001, 1000, 1040, // buys
            1045, 1040, // above the mean
            1020, // below the mean of 1,036: leaves
        ]);
        assert_eq!(said, [(10, Said::Reverse(Side::Buy)), (13, Said::Exit)]);
    }

    #[test]
    fn without_a_squeeze_before_a_close_outside_is_none() {
        // Each swing is wider than the one before it.
        let said = squeeze().closes(&[1000, 1001, 999, 1003, 995, 1011, 979, 1043, 915, 1171]);
        assert!(said.is_empty(), "{said:?}");
    }
}
