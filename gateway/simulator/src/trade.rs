//! A volume done at a price, and what it does to a position.

use crate::position::{Position, Taken, point_lots};
use mymt5_model::{
    BrokerTime, DealReason, Entry, Levels, Lots, Magic, Money, PositionId, Price, Side, Ticket,
};

/// A volume done at a price.
pub(crate) struct Fill<'a> {
    pub(crate) order: Ticket,
    pub(crate) side: Side,
    pub(crate) lots: Lots,
    pub(crate) price: Price,
    pub(crate) levels: Levels,
    /// The position it closes; it exists and has at least that volume.
    pub(crate) closes: Option<PositionId>,
    /// It closes that by an opposite position.
    pub(crate) by_opposite: bool,
    pub(crate) magic: Magic,
    pub(crate) reason: DealReason,
    pub(crate) comment: &'a str,
}

/// What a fill did to its position.
pub(crate) struct Change {
    pub(crate) id: PositionId,
    pub(crate) entry: Entry,
    /// Realised gain in points times units of lots.
    pub(crate) gain: i128,
    /// Realised swap.
    pub(crate) swap: Money,
}

impl Change {
    /// Opens or adds: nothing is realised.
    pub(crate) fn opened(id: PositionId) -> Self {
        Self {
            id,
            entry: Entry::In,
            gain: 0,
            swap: Money::ZERO,
        }
    }

    /// Closes what was taken out.
    pub(crate) fn closed(id: PositionId, entry: Entry, taken: &Taken) -> Self {
        Self {
            id,
            entry,
            gain: taken.gain,
            swap: taken.swap,
        }
    }
}

impl Fill<'_> {
    /// The position that this fill opens.
    pub(crate) fn open(&self, time: BrokerTime) -> Position {
        Position {
            ticket: self.order,
            id: PositionId(self.order.0),
            magic: self.magic,
            side: self.side,
            lots: self.lots,
            point_lots: point_lots(self.price, self.lots),
            levels: self.levels,
            swap: Money::ZERO,
            opened: time,
            updated: time,
            comment: self.comment.to_owned(),
        }
    }
}
