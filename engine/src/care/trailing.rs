//! Trailing: the stop loss follows the price at a distance, and never goes back.

use super::{Facts, keys, stop};
use crate::bars::Timeframe;
use mymt5_chassis::loader::Section;
use mymt5_model::Price;

/// Points that a stop loss moves at least, where nothing else is said.
const STEP: u32 = 10;
/// Bars of the average true range, where nothing else is said: MetaTrader 5's own number.
const BARS: u32 = 14;

/// The stop loss follows the price.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trailing {
    /// How far behind.
    pub distance: Distance,
    /// Once the profit is so many times R, 0.1 to 100; none: from the opening on.
    pub from_r: Option<f64>,
    /// It moves by at least so many points, 1 to 100000: each move is a request.
    pub step_points: u32,
}

/// How far a stop loss is behind the price.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distance {
    /// So many points, 1 to 100000.
    Points(u32),
    /// So many times the average true range, 0.1 to 100.
    Ranges(f64, Ranges),
}

/// The bars of an average true range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranges {
    /// How many, 1 to 1000.
    pub bars: u32,
    /// Their length.
    pub timeframe: Timeframe,
}

impl Trailing {
    /// Reads all keys. None: it is off, or there are faults.
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let from_r = keys::multiple_of_r(section, "trailing.from_r");
        let step_points = keys::points(section, "trailing.step_points");
        let more = from_r.is_some() || step_points.is_some();
        Some(Self {
            distance: Distance::read(section, more)?,
            from_r,
            step_points: step_points.unwrap_or(STEP),
        })
    }

    /// The bars that it asks for.
    pub(super) const fn ranges(self) -> Option<Ranges> {
        match self.distance {
            Distance::Points(_) => None,
            Distance::Ranges(_, ranges) => Some(ranges),
        }
    }

    pub(super) fn stop(self, facts: &Facts<'_>) -> Option<Price> {
        let begins = self.from_r.is_none_or(|from| facts.has_reached(from));
        if !begins {
            return None;
        }
        let distance = match self.distance {
            Distance::Points(points) => i64::from(points),
            // Ranges without any extent tell nothing of the market: they are as good as unknown.
            Distance::Ranges(times, _) => {
                let atr = facts.atr.filter(|atr| *atr > 0.0)?;
                (times * atr).ceil() as i64
            }
        };
        let behind = distance.max(stop::gap(facts)) * -facts.side.sign();
        let wanted = stop::farther_from_profit(facts.closing.moved(behind), facts);
        stop::tightened(wanted, self.step_points.into(), facts)
    }
}

impl Distance {
    /// Reads either, which there must be where `more` is said of it.
    fn read(section: &mut Section<'_>, more: bool) -> Option<Self> {
        const TIMES: &str = "a multiple of the average true range, 0.1 to 100";
        let points = keys::points(section, "trailing.points");
        let times = keys::within(section, "trailing.atr", TIMES, 0.1..=100.0);
        let bars = keys::within(section, "trailing.atr_bars", "1 to 1000 bars", 1..=1_000);
        let timeframe =
            section.optional("trailing.atr_timeframe", "M1, M5, M15, M30, H1, H4 or D1");
        if times.is_none() && (bars.is_some() || timeframe.is_some()) {
            let fix = "set atr, or remove atr_bars and atr_timeframe";
            section.reject("trailing", "has bars without atr", fix);
        }
        let ranges = Ranges {
            bars: bars.unwrap_or(BARS),
            timeframe: timeframe.unwrap_or(Timeframe::M15),
        };
        let ranges = times.map(|times| Self::Ranges(times, ranges));
        match (points.map(Self::Points), ranges) {
            (Some(_), Some(_)) => {
                section.reject("trailing", "has two distances", "set either points or atr");
                None
            }
            (None, None) if more => {
                section.reject("trailing", "has no distance", "set points or atr");
                None
            }
            (points, ranges) => points.or(ranges),
        }
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

    fn by(distance: Distance) -> Trailing {
        Trailing {
            distance,
            from_r: None,
            step_points: 10,
        }
    }

    fn by_points() -> Trailing {
        by(Distance::Points(150))
    }

    #[test]
    fn the_stop_follows_by_steps_and_never_goes_back() {
        let spec = spec();
        for (side, path) in [
            (
                Side::Buy,
                [
                    (99_950, None),
                    (99_959, None),
                    (99_960, Some(99_810)),
                    (100_000, Some(99_850)),
                    (99_990, None),
                    (100_009, None),
                    (100_010, Some(99_860)),
                ],
            ),
            (
                Side::Sell,
                [
                    (100_050, None),
                    (100_041, None),
                    (100_040, Some(100_190)),
                    (100_000, Some(100_150)),
                    (100_010, None),
                    (99_991, None),
                    (99_990, Some(100_140)),
                ],
            ),
        ] {
            let mut stop_loss = facts(&spec, side, 100_000).levels.stop_loss;
            for (closing, expected) in path {
                let mut facts = facts(&spec, side, closing);
                facts.levels.stop_loss = stop_loss;
                let stop = by_points().stop(&facts);
                assert_eq!(stop, expected.map(price), "{side:?} {closing}");
                stop_loss = stop.or(stop_loss);
            }
        }
    }

    #[test]
    fn it_begins_once_the_profit_is_so_many_times_r() {
        let rule = Trailing {
            from_r: Some(1.5),
            ..by_points()
        };
        let spec = spec();
        assert_eq!(rule.stop(&facts(&spec, Side::Buy, 100_299)), None);
        let stop = rule.stop(&facts(&spec, Side::Buy, 100_300));
        assert_eq!(stop, Some(price(100_150)));
        let unknown = Facts {
            risk: None,
            ..facts(&spec, Side::Buy, 109_000)
        };
        assert_eq!(rule.stop(&unknown), None);
        assert!(by_points().stop(&unknown).is_some(), "it needs no R");
    }

    #[test]
    fn its_distance_is_so_many_true_ranges_and_nothing_before_they_are_known() {
        let ranges = Ranges {
            bars: 14,
            timeframe: Timeframe::M15,
        };
        let rule = by(Distance::Ranges(2.5, ranges));
        let spec = spec();
        let mut facts = facts(&spec, Side::Buy, 100_000);
        for unknown in [None, Some(0.0)] {
            facts.atr = unknown;
            assert_eq!(rule.stop(&facts), None, "{unknown:?}");
        }
        facts.atr = Some(40.5);
        assert_eq!(rule.stop(&facts), Some(price(99_898)), "102 points, up");
        assert_eq!(rule.ranges(), Some(ranges));
    }

    #[test]
    fn it_keeps_the_distance_that_the_symbol_asks_for() {
        let wide = SymbolSpec {
            stops_level_points: 180,
            ..spec()
        };
        let stop = by_points().stop(&facts(&wide, Side::Buy, 100_000));
        assert_eq!(stop, Some(price(99_820)));
    }
}
