//! What a trader wants done, and how that ended.

use crate::strategy::At;
use mymt5_model::{
    Levels, LevelsEdit, Lots, OrderId, OrderState, PositionId, RequestId, Side, Symbol,
};

/// What to send. The request ids are the trader's own and never used twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Open a position.
    Submit(Submit),
    /// Close one.
    Close(Close),
    /// Move the levels of one.
    Move(Move),
    /// Cancel an order that waits for its price.
    Cancel(Cancel),
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submit {
    /// Its request id.
    pub request_id: RequestId,
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// How it meets the market; a price is on the symbol's price grid.
    pub at: At,
    /// Volume, on the symbol's volume grid.
    pub lots: Lots,
    /// Stop loss and take profit, on the symbol's price grid.
    pub levels: Levels,
    /// The strategy's name.
    pub tag: String,
}

/// The close of a position, or of a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// Its request id.
    pub request_id: RequestId,
    /// The position.
    pub position_id: PositionId,
    /// How much of it, on the symbol's volume grid; none: all.
    pub lots: Option<Lots>,
    /// The strategy's name.
    pub tag: String,
    /// It is one of an exit: all that the strategy holds is closed, and what waits is cancelled.
    pub exits: bool,
}

/// A change of a position's levels. Done twice it is done once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// Its request id.
    pub request_id: RequestId,
    /// The position.
    pub position_id: PositionId,
    /// What becomes of its levels; prices are on the symbol's price grid.
    pub levels: LevelsEdit,
}

/// The end of an order that waits for its price. Done twice it is done once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancel {
    /// Its request id.
    pub request_id: RequestId,
    /// The order.
    pub order_id: OrderId,
}

impl Intent {
    /// Its request id.
    #[must_use]
    pub const fn request_id(&self) -> &RequestId {
        match self {
            Self::Submit(submit) => &submit.request_id,
            Self::Close(close) => &close.request_id,
            Self::Move(change) => &change.request_id,
            Self::Cancel(cancel) => &cancel.request_id,
        }
    }

    /// True for what makes an order, whose end events report. A change ends with its answer.
    #[must_use]
    pub const fn is_order(&self) -> bool {
        matches!(self, Self::Submit(_) | Self::Close(_))
    }

    /// True for what opens nothing, and closes no more where it is done twice: whoever forgot that it
    /// was sent may send another one.
    #[must_use]
    pub const fn may_be_forgotten(&self) -> bool {
        match self {
            Self::Submit(_) => false,
            Self::Close(close) => close.lots.is_none(),
            Self::Move(_) | Self::Cancel(_) => true,
        }
    }
}

/// How an intent came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its order is in that state, which is final.
    Ended(OrderState),
    /// The gateway did not take it: the reason's name.
    Refused(String),
}

/// An intent that came to its end, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Its request id.
    pub request_id: RequestId,
    /// Its end.
    pub outcome: Outcome,
}
