//! Partial close: once the profit is so many times R, a part of it is taken, once for a position.

use super::{Facts, keys};
use mymt5_chassis::loader::Section;
use mymt5_model::Lots;

/// Percent of a position that are closed, where nothing else is said.
const HALF: f64 = 50.0;

/// A part is closed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PartialClose {
    /// Once the profit is so many times R, 0.1 to 100.
    pub at_r: f64,
    /// Percent of the volume, 1 to 99.
    pub percent: f64,
}

impl PartialClose {
    /// Reads both keys. None: it is off, or there are faults.
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let at_r = keys::multiple_of_r(section, "partial_close.at_r");
        let part = "partial_close.percent";
        let percent = keys::within(section, part, "a percentage, 1 to 99", 1.0..=99.0);
        if at_r.is_none() && percent.is_some() {
            section.reject("partial_close", "has no at_r", "set at_r, such as 1.0");
        }
        Some(Self {
            at_r: at_r?,
            percent: percent.unwrap_or(HALF),
        })
    }

    pub(super) fn lots(self, facts: &Facts<'_>) -> Option<Lots> {
        self.part(facts).filter(|_| self.is_due(facts))
    }

    /// True where it is time, and the volume has no such part.
    pub(super) fn lacks(self, facts: &Facts<'_>) -> bool {
        self.is_due(facts) && self.part(facts).is_none()
    }

    fn is_due(self, facts: &Facts<'_>) -> bool {
        facts.may_reduce && facts.has_reached(self.at_r)
    }

    /// The part of the volume, down to the grid; none: it, or what it leaves, cannot be traded.
    fn part(self, facts: &Facts<'_>) -> Option<Lots> {
        let grid = facts.spec.volume;
        let part = grid.floor(facts.lots.to_f64() * self.percent / 100.0)?;
        let beyond = facts.lots.minus(part).units() - grid.min.units();
        let leaves = beyond >= 0 && beyond % grid.step.units().max(1) == 0;
        leaves.then_some(part)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{care::testing::facts, trader::tests::spec};
    use mymt5_model::{Side, SymbolSpec, VolumeGrid};

    const RULE: PartialClose = PartialClose {
        at_r: 2.0,
        percent: 50.0,
    };

    fn lots(lots: f64) -> Lots {
        Lots::from_f64(lots).unwrap()
    }

    #[test]
    fn a_part_is_closed_once_the_profit_is_so_many_times_r() {
        let spec = spec();
        for (side, closing, due) in [
            (Side::Buy, 100_399, false),
            (Side::Buy, 100_400, true),
            (Side::Sell, 99_601, false),
            (Side::Sell, 99_600, true),
        ] {
            let mut facts = facts(&spec, side, closing);
            let part = due.then(|| lots(0.24));
            assert_eq!(RULE.lots(&facts), part, "{side:?} {closing}");
            facts.may_reduce = false;
            assert_eq!(RULE.lots(&facts), None, "once");
            facts.may_reduce = true;
            facts.risk = None;
            assert_eq!(RULE.lots(&facts), None, "no R");
        }
    }

    #[test]
    fn the_part_and_the_rest_are_volumes_of_the_symbol() {
        let coarse = SymbolSpec {
            volume: VolumeGrid {
                min: lots(0.1),
                step: lots(0.1),
                max: lots(10.0),
            },
            ..spec()
        };
        for (held, percent, part) in [
            (0.1, 50.0, None),
            (0.2, 50.0, Some(0.1)),
            (0.3, 50.0, Some(0.1)),
            (0.3, 30.0, None),
            (0.3, 99.0, Some(0.2)),
            (1.0, 33.0, Some(0.3)),
            (0.25, 50.0, None),
        ] {
            let rule = PartialClose { percent, ..RULE };
            let mut facts = facts(&coarse, Side::Buy, 100_400);
            facts.lots = lots(held);
            assert_eq!(rule.lots(&facts), part.map(lots), "{held} {percent}");
            assert_eq!(rule.lacks(&facts), part.is_none(), "{held} {percent}");
            facts.best = facts.best.moved(-1);
            assert!(!rule.lacks(&facts), "it is not time yet");
        }
    }
}
