//! What a runner waits for.

use mymt5_model::{Levels, Lots, OrderId, PositionId, RequestId, Side};

/// An order or a change that was sent, and has not ended.
pub(super) struct InFlight {
    pub(super) request_id: RequestId,
    pub(super) what: What,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// An order of that side; its position is told already or not.
    Open {
        side: Side,
        told: bool,
        /// Lots of the other side that it closes; zero: none.
        closes: Lots,
    },
    /// All of a position is closed.
    Close(PositionId),
    /// A part of a position is closed.
    Reduce(PositionId),
    /// What a turn opened beyond what risk admitted is closed.
    Trim,
    Cancel(OrderId),
    Move(Moved),
}

/// A change of a position's levels.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) position_id: PositionId,
    pub(super) side: Side,
    /// As they were when it was asked for.
    pub(super) before: Levels,
    /// As they are once it is done.
    pub(super) after: Levels,
}
