//! Hedging: many positions per symbol. A fill that names a position reduces it; any other opens
//! a position of its order's ticket, or adds to it when the order is filled in parts.

use crate::{
    fills::{Change, Fill, Terms},
    position::Position,
};
use mymt5_model::{Entry, Money, PositionId};

/// Applies a fill to the positions of its symbol. A named position exists: callers look first.
pub(crate) fn apply(positions: &mut Vec<Position>, fill: &Fill<'_>, terms: Terms) -> Change {
    let id = fill.closes.unwrap_or(PositionId(fill.order.0));
    let place = positions.iter().position(|p| p.id == id);
    let mut change = Change {
        id,
        entry: Entry::In,
        gain: 0,
        swap: Money::ZERO,
    };
    match place {
        None => positions.push(fill.open(terms.time)),
        Some(i) if positions[i].side == fill.side => {
            positions[i].add(fill.lots, fill.price, fill.levels, terms.time);
        }
        Some(i) => {
            let taken = positions[i].take(fill.lots, fill.price, terms.currency_digits, terms.time);
            if positions[i].lots.is_zero() {
                positions.remove(i);
            }
            change.entry = Entry::Out;
            change.gain = taken.gain;
            change.swap = taken.swap;
        }
    }
    change
}
