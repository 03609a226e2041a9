//! One order that closes a position and opens the other side. Where the position ended before it, by
//! its stop loss or by hand, all of the order opens: more than risk admitted.

use super::entry::Order;
use crate::portfolio::Held;
use mymt5_model::{Lots, Side};

/// Such an order, until what it opened is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    side: Side,
    /// What risk admitted.
    admitted: Lots,
    /// What it was to close.
    closes: Lots,
}

impl Turn {
    /// None: the order closes nothing.
    pub(super) fn of(order: &Order) -> Option<Self> {
        let turn = Self {
            side: order.side,
            admitted: order.lots,
            closes: order.closes,
        };
        (!order.closes.is_zero()).then_some(turn)
    }

    /// True for a position as the order opens it.
    pub(super) fn opens(&self, held: &Held) -> bool {
        held.side == self.side
    }

    /// What stands beyond what risk admitted, if it is enough for an order: never more than the order
    /// was to close, for whatever else is there was not opened by it.
    pub(super) fn excess(&self, held: &Held, smallest: Lots) -> Option<Lots> {
        let excess = held.lots.minus(self.admitted).min(self.closes);
        (!excess.is_zero() && excess >= smallest).then_some(excess)
    }
}
