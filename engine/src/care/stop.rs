//! The way of a stop loss to the trade server: towards profit alone, where the symbol's rules let it
//! be, and no request for a step that is too small.

use super::Facts;
use mymt5_model::{Price, Side};

/// The stop loss that is wanted, if it may be set now: at least so many points nearer to profit than
/// the one that is there.
pub(super) fn tightened(wanted: Price, least: i64, facts: &Facts<'_>) -> Option<Price> {
    let known = facts.levels.stop_loss;
    let tightens = known.is_none_or(|known| facts.gain(known, wanted) >= least);
    let may = facts.may_move && tightens && is_free(wanted, facts) && !is_frozen(facts);
    may.then_some(wanted)
}

/// The least distance of a stop loss from the price that closes its position, points.
pub(super) fn gap(facts: &Facts<'_>) -> i64 {
    facts.spec.stops_level_points.max(1)
}

fn is_free(wanted: Price, facts: &Facts<'_>) -> bool {
    wanted.points() > 0 && facts.gain(wanted, facts.closing) >= gap(facts)
}

/// True while one of the levels is too near to the price to be changed.
fn is_frozen(facts: &Facts<'_>) -> bool {
    let reach = facts.spec.freeze_level_points;
    let is_near = |level: Price| facts.gain(level, facts.closing).abs() <= reach;
    let levels = [facts.levels.stop_loss, facts.levels.take_profit];
    reach > 0 && levels.into_iter().flatten().any(is_near)
}

/// The next price on the grid towards profit.
pub(super) fn nearer_to_profit(price: Price, facts: &Facts<'_>) -> Price {
    on_grid(price, facts, facts.side == Side::Buy)
}

/// The next price on the grid away from profit.
pub(super) fn farther_from_profit(price: Price, facts: &Facts<'_>) -> Price {
    on_grid(price, facts, facts.side == Side::Sell)
}

fn on_grid(price: Price, facts: &Facts<'_>, up: bool) -> Price {
    let tick = facts.spec.tick_size_points.max(1);
    let points = price.points();
    if up {
        price.moved((-points).rem_euclid(tick))
    } else {
        price.moved(-points.rem_euclid(tick))
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
    use mymt5_model::{Levels, SymbolSpec};

    #[test]
    fn a_stop_moves_towards_profit_alone_and_by_no_small_step() {
        let spec = spec();
        for (side, old, new, moves) in [
            (Side::Buy, 99_800, 99_810, true),
            (Side::Buy, 99_800, 99_809, false),
            (Side::Buy, 99_800, 99_790, false),
            (Side::Sell, 100_200, 100_190, true),
            (Side::Sell, 100_200, 100_191, false),
            (Side::Sell, 100_200, 100_210, false),
        ] {
            let mut facts = facts(&spec, side, 100_000);
            facts.levels.stop_loss = Some(price(old));
            let moved = tightened(price(new), 10, &facts);
            assert_eq!(moved, moves.then(|| price(new)), "{side:?} {old} {new}");
            facts.may_move = false;
            assert_eq!(tightened(price(new), 10, &facts), None);
        }
    }

    #[test]
    fn a_stop_that_the_trade_server_would_refuse_is_not_asked_for() {
        let spec = SymbolSpec {
            stops_level_points: 50,
            freeze_level_points: 20,
            ..spec()
        };
        let mut facts = facts(&spec, Side::Buy, 100_000);
        facts.levels = Levels::default();
        assert!(tightened(price(99_950), 1, &facts).is_some());
        assert_eq!(tightened(price(99_951), 1, &facts), None, "too near");
        facts.levels.take_profit = Some(price(100_020));
        assert_eq!(tightened(price(99_950), 1, &facts), None, "frozen");
        facts.levels.take_profit = Some(price(100_021));
        assert!(tightened(price(99_950), 1, &facts).is_some());
        facts.levels.stop_loss = Some(price(99_980));
        assert_eq!(tightened(price(99_990), 1, &facts), None, "both");
    }

    #[test]
    fn prices_are_rounded_to_the_grid_on_either_side() {
        let spec = SymbolSpec {
            tick_size_points: 25,
            ..spec()
        };
        for (side, near, far) in [
            (Side::Buy, 100_025, 100_000),
            (Side::Sell, 100_000, 100_025),
        ] {
            let facts = facts(&spec, side, 100_000);
            assert_eq!(nearer_to_profit(price(100_010), &facts), price(near));
            assert_eq!(farther_from_profit(price(100_010), &facts), price(far));
            assert_eq!(nearer_to_profit(price(100_025), &facts), price(100_025));
        }
    }
}
