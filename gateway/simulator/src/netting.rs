//! Netting: one position per symbol. A deal of its side adds to it; an opposite one reduces,
//! closes or reverses it.

use crate::{
    fills::{Change, Fill, Terms},
    position::Position,
};
use mymt5_model::{Entry, Money, PositionId};

/// Applies a fill to the symbol's only position.
pub(crate) fn apply(positions: &mut Vec<Position>, fill: &Fill<'_>, terms: Terms) -> Change {
    let Some(position) = positions.first_mut() else {
        positions.push(fill.open(terms.time));
        return opened(PositionId(fill.order.0));
    };
    let id = position.id;
    if position.side == fill.side {
        position.add(fill.lots, fill.price, fill.levels, terms.time);
        return opened(id);
    }
    let rest = fill.lots.minus(position.lots);
    let taken = position.take(fill.lots, fill.price, terms.currency_digits, terms.time);
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
    Change {
        id,
        entry,
        gain: taken.gain,
        swap: taken.swap,
    }
}

fn opened(id: PositionId) -> Change {
    Change {
        id,
        entry: Entry::In,
        gain: 0,
        swap: Money::ZERO,
    }
}
