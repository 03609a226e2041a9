//! One order that closes a position and opens the other side. Where the position ended before it, by
//! its stop loss or by hand, all of the order opens: more than risk admitted. So does an entry beside a late
//! part of the order in whose place it is.

use super::entry::Order;
use crate::portfolio::Held;
use mymt5_model::{Lots, Side};

/// Such an order, until what it opened is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    side: Side,
    /// What risk admitted.
    admitted: Lots,
    /// What it was to close, or what stands beside it: no more is beyond what risk admitted.
    closes: Lots,
    /// What is told to be filled of that side: positions that have it all are told, or still to come.
    filled: Lots,
}

impl Turn {
    /// None: the order closes nothing.
    pub(super) fn of(order: &Order) -> Option<Self> {
        let turn = Self {
            side: order.side,
            admitted: order.lots,
            closes: order.closes,
            filled: Lots::ZERO,
        };
        (!order.closes.is_zero()).then_some(turn)
    }

    /// An entry beside such a part of a cancelled order: of that side so much may stay.
    pub(super) const fn beside(side: Side, admitted: Lots, part: Lots) -> Self {
        Self {
            side,
            admitted,
            closes: part,
            filled: part,
        }
    }

    /// The same once an order is told to have opened so much of that side.
    pub(super) fn with(self, side: Side, opened: Lots) -> Self {
        let opened = if side == self.side {
            opened
        } else {
            Lots::ZERO
        };
        Self {
            filled: self.filled.plus(opened),
            ..self
        }
    }

    /// Of which side it opens.
    pub(super) const fn side(&self) -> Side {
        self.side
    }

    /// True while less stands than was filled: a position of it is still to be told.
    pub(super) fn is_untold(&self, stands: Lots) -> bool {
        stands < self.filled
    }

    /// True for a position as the order opens it.
    pub(super) fn opens(&self, held: &Held) -> bool {
        held.side == self.side
    }

    /// What stands of so much beyond what risk admitted, if it is enough for an order: never more than the
    /// order was to close, for whatever else is there was not opened by it.
    pub(super) fn excess(&self, stands: Lots, smallest: Lots) -> Option<Lots> {
        let excess = stands.minus(self.admitted).min(self.closes);
        (!excess.is_zero() && excess >= smallest).then_some(excess)
    }
}
