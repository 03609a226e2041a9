//! Fixed distances of a position's levels, as most strategies read them.

use super::decision::{Entry, Level};
use mymt5_chassis::loader::Section;
use mymt5_model::Side;

/// Distances of a position's levels from the price at which it closes, points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Distances {
    /// To the stop loss, from which the volume follows; none: no stop loss.
    pub stop: Option<i64>,
    /// To the take profit; none: no take profit.
    pub take_profit: Option<i64>,
}

impl Distances {
    /// Reads `stop_points` and `take_profit_points`.
    pub fn read(section: &mut Section<'_>) -> Self {
        let stop = section.or("stop_points", "points", 200);
        let take_profit: Option<i64> = section.optional("take_profit_points", "points");
        if stop < 0 || take_profit.is_some_and(|points| points < 1) {
            section.reject(
                "stop_points",
                "is below 0, or take_profit_points is below 1",
                "set both to distances in points; 0 for no stop loss",
            );
        }
        Self {
            stop: (stop > 0).then_some(stop),
            take_profit,
        }
    }

    /// A market order with these levels.
    #[must_use]
    pub fn market(&self, side: Side) -> Entry {
        Entry {
            stop_loss: self.stop.map(Level::Points),
            take_profit: self.take_profit.map(Level::Points),
            ..Entry::market(side)
        }
    }
}
