//! Three bars in a row that close higher buy, three that close lower sell. The stop loss follows the
//! price, and what is held by the evening is closed.

use mymt5_engine::strategy::{
    Bar, Context, Entry, Level, Price, Section, Series, Side, Strategy, Timeframe,
};

/// Reads the keys of its table `[[strategies]]`. None: there were faults.
pub fn build(section: &mut Section<'_>) -> Option<Box<dyn Strategy>> {
    let timeframe = section.or(
        "timeframe",
        "M1, M5, M15, M30, H1, H4 or D1",
        Timeframe::M15,
    );
    let stop = section.ranged("stop_points", "points", 200, 1..=100_000);
    let last_hour = section.ranged("last_hour", "of the broker's day", 20, 0..=23);
    Some(Box::new(ThreeBars {
        timeframe,
        stop: stop?,
        last_hour: last_hour?,
        closes: Vec::new(),
    }))
}

#[derive(Debug)]
struct ThreeBars {
    timeframe: Timeframe,
    stop: i64,
    last_hour: i64,
    closes: Vec<Price>,
}

impl ThreeBars {
    /// The side of three closes in one direction.
    fn signal(&self) -> Option<Side> {
        let [first, .., last] = self.closes[..] else {
            return None;
        };
        let side = if last > first { Side::Buy } else { Side::Sell };
        // A close that is equal to the one before it goes nowhere.
        let goes_on = self.closes.windows(2).all(|pair| match side {
            Side::Buy => pair[1] > pair[0],
            Side::Sell => pair[1] < pair[0],
        });
        (self.closes.len() == 4 && goes_on).then_some(side)
    }
}

impl Strategy for ThreeBars {
    fn series(&self) -> Vec<Series> {
        vec![Series {
            timeframe: self.timeframe,
            warm_up: 4,
        }]
    }

    fn on_bar(&mut self, _: Timeframe, bar: &Bar, context: &mut Context<'_>) {
        self.closes.push(bar.close);
        if self.closes.len() > 4 {
            self.closes.remove(0);
        }
        let hour = context.time().0 / 3_600_000 % 24;
        if hour >= self.last_hour {
            context.exit();
        } else if let Some(side) = self.signal() {
            context.reverse(Entry::market(side).with_stop_loss(Level::Points(self.stop)));
        } else if let Some(held) = context.position() {
            let stop = bar.close.moved(-self.stop * held.side.sign());
            let is_nearer = held.levels.stop_loss.is_none_or(|old| match held.side {
                Side::Buy => stop > old,
                Side::Sell => stop < old,
            });
            if is_nearer {
                context.move_stop(stop);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signal(closes: [i64; 4]) -> Option<Side> {
        let strategy = ThreeBars {
            timeframe: Timeframe::M15,
            stop: 200,
            last_hour: 20,
            closes: closes.map(|points| Price::from_points(points, 5)).to_vec(),
        };
        strategy.signal()
    }

    #[test]
    fn three_bars_in_a_row_close_higher_or_lower() {
        assert_eq!(signal([1, 2, 3, 4]), Some(Side::Buy));
        assert_eq!(signal([4, 3, 2, 1]), Some(Side::Sell));
        let others = [
            [4, 4, 4, 3],
            [4, 3, 3, 2],
            [1, 1, 1, 2],
            [1, 2, 1, 2],
            [1; 4],
        ];
        for closes in others {
            assert_eq!(signal(closes), None, "{closes:?}");
        }
    }
}
