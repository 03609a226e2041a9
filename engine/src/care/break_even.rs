//! Break-even: once the profit is so many times R, a trade must not lose any more.

use super::{Facts, keys, stop};
use mymt5_chassis::loader::Section;
use mymt5_model::Price;

/// The stop loss moves to the opening price.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakEven {
    /// Once the profit is so many times R, 0.1 to 100.
    pub at_r: f64,
    /// So many points further towards profit, for the costs; at most 100000.
    pub plus_points: u32,
}

impl BreakEven {
    /// Reads both keys. None: it is off, or there are faults.
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let at_r = keys::multiple_of_r(section, "break_even.at_r");
        let plus_points = keys::points(section, "break_even.plus_points");
        if at_r.is_none() && plus_points.is_some() {
            section.reject("break_even", "has no at_r", "set at_r, such as 1.0");
        }
        Some(Self {
            at_r: at_r?,
            plus_points: plus_points.unwrap_or_default(),
        })
    }

    pub(super) fn stop(self, facts: &Facts<'_>) -> Option<Price> {
        let open = facts.open.filter(|_| facts.has_reached(self.at_r))?;
        let even = open.moved(i64::from(self.plus_points) * facts.side.sign());
        stop::tightened(stop::nearer_to_profit(even, facts), 1, facts)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        care::testing::{facts, price},
        trader::tests::spec,
    };
    use mymt5_model::{Side, SymbolSpec};

    const RULE: BreakEven = BreakEven {
        at_r: 1.0,
        plus_points: 5,
    };

    #[test]
    fn the_stop_moves_beyond_the_opening_price_once_the_profit_is_r() {
        let spec = spec();
        for (side, closing, stop) in [
            (Side::Buy, 100_199, None),
            (Side::Buy, 100_200, Some(100_005)),
            (Side::Sell, 99_801, None),
            (Side::Sell, 99_800, Some(99_995)),
        ] {
            let facts = facts(&spec, side, closing);
            assert_eq!(RULE.stop(&facts), stop.map(price), "{side:?} {closing}");
        }
    }

    #[test]
    fn it_is_done_once_and_takes_no_better_stop_back() {
        let spec = spec();
        for stop in [100_005, 100_100] {
            let mut facts = facts(&spec, Side::Buy, 100_300);
            facts.levels.stop_loss = Some(price(stop));
            assert_eq!(RULE.stop(&facts), None, "{stop}");
        }
    }

    #[test]
    fn it_waits_where_the_stop_would_be_too_near_and_where_r_is_not_known() {
        let wide = SymbolSpec {
            stops_level_points: 300,
            ..spec()
        };
        assert_eq!(RULE.stop(&facts(&wide, Side::Buy, 100_200)), None);
        assert!(RULE.stop(&facts(&wide, Side::Buy, 100_305)).is_some());
        let spec = spec();
        let unknown = Facts {
            risk: None,
            ..facts(&spec, Side::Buy, 109_000)
        };
        assert_eq!(RULE.stop(&unknown), None);
        let unpriced = Facts {
            open: None,
            ..facts(&spec, Side::Buy, 109_000)
        };
        assert_eq!(RULE.stop(&unpriced), None);
    }
}
