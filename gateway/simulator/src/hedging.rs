//! Hedging: many positions per symbol. A fill that names a position reduces it; any other opens
//! a position of its order's ticket, or adds to it when the order is filled in parts.

use crate::{
    position::{Position, Terms},
    trade::{Change, Fill},
};
use mymt5_model::{Entry, PositionId};

/// Applies a fill to the positions of its symbol. A named position exists: callers look first.
pub(crate) fn apply(positions: &mut Vec<Position>, fill: &Fill<'_>, terms: Terms) -> Change {
    let id = fill.closes.unwrap_or(PositionId(fill.order.0));
    let Some(i) = positions.iter().position(|p| p.id == id) else {
        positions.push(fill.open(terms.time));
        return Change::opened(id);
    };
    let position = &mut positions[i];
    if position.side == fill.side {
        position.add(fill.lots, fill.price, fill.levels, terms.time);
        return Change::opened(id);
    }
    let taken = position.take(fill.lots, fill.price, terms);
    if position.lots.is_zero() {
        positions.remove(i);
    }
    let entry = if fill.by_opposite {
        Entry::OutBy
    } else {
        Entry::Out
    };
    Change::closed(id, entry, &taken)
}
