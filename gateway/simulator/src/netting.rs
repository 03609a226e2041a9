//! Netting: one position per symbol. A deal of its side adds to it; an opposite one reduces,
//! closes or reverses it.

use crate::{
    position::{Position, Terms},
    trade::{Change, Fill},
};
use mymt5_model::{Entry, PositionId};

/// Applies a fill to the symbol's only position.
pub(crate) fn apply(positions: &mut Vec<Position>, fill: &Fill<'_>, terms: Terms) -> Change {
    let Some(position) = positions.first_mut() else {
        positions.push(fill.open(terms.time));
        return Change::opened(PositionId(fill.order.0));
    };
    let id = position.id;
    if position.side == fill.side {
        position.add(fill.lots, fill.price, fill.levels, terms.time);
        return Change::opened(id);
    }
    let rest = fill.lots.minus(position.lots);
    let taken = position.take(fill.lots, fill.price, terms);
    let mut entry = Entry::Out;
    if !rest.is_zero() {
        // A reversal keeps the identifier; the ticket becomes the reversing order's.
        *position = Position {
            id,
            lots: rest,
            ..Fill {
                lots: rest,
                ..*fill
            }
            .open(terms.time)
        };
        entry = Entry::InOut;
    } else if position.lots.is_zero() {
        positions.clear();
    }
    Change::closed(id, entry, &taken)
}
