//! What goes to a trade server and what it answers at once. A receipt is a hint: only deals
//! prove a fill.

use crate::{Lots, Magic, OrderType, Price, Retcode, Side, Symbol, Ticket, TimeInForce};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Stop loss and take profit of an order or position. None: no such level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Levels {
    /// Price at which the loss is cut.
    pub stop_loss: Option<Price>,
    /// Price at which the profit is taken.
    pub take_profit: Option<Price>,
}

/// A comment as trade servers bear it: at most 26 characters of `[A-Za-z0-9_-]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Comment(String);

impl Comment {
    /// Most characters.
    pub const MAX: usize = 26;

    /// Keeps what a trade server bears of a text: other characters become `_`, the rest is cut.
    #[must_use]
    pub fn fitting(text: &str) -> Self {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        Self(
            text.chars()
                .take(Self::MAX)
                .map(|c| if allowed(c) { c } else { '_' })
                .collect(),
        )
    }

    /// The comment's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Comment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One request to the trade server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TradeRequest {
    /// Buy or sell now.
    Market {
        /// Canonical symbol.
        symbol: Symbol,
        /// Buy or sell.
        side: Side,
        /// Volume.
        lots: Lots,
        /// Levels of the position it opens.
        levels: Levels,
        /// The position to close, by its current ticket; none opens (or, on netting, nets).
        position: Option<Ticket>,
        /// Largest price slip accepted, in points, where execution is instant.
        max_deviation_points: Option<u32>,
        /// Who asks.
        magic: Magic,
        /// Cosmetic.
        comment: Comment,
    },
    /// Place a pending order.
    Pending {
        /// Canonical symbol.
        symbol: Symbol,
        /// Buy or sell.
        side: Side,
        /// Limit, stop or stop-limit.
        kind: OrderType,
        /// Volume.
        lots: Lots,
        /// Order price.
        price: Price,
        /// Limit price of a stop-limit order.
        stop_limit_price: Option<Price>,
        /// Levels of the position it will open.
        levels: Levels,
        /// Lifetime.
        time_in_force: TimeInForce,
        /// Who asks.
        magic: Magic,
        /// Cosmetic.
        comment: Comment,
    },
    /// Replace both levels of a position.
    ModifyPosition {
        /// The position's current ticket.
        position: Ticket,
        /// Both levels: an absent one is removed.
        levels: Levels,
    },
    /// Replace price, levels and lifetime of a pending order.
    ModifyOrder {
        /// The order's ticket.
        order: Ticket,
        /// Order price.
        price: Price,
        /// Limit price of a stop-limit order.
        stop_limit_price: Option<Price>,
        /// Both levels: an absent one is removed.
        levels: Levels,
        /// Lifetime.
        time_in_force: TimeInForce,
    },
    /// Remove a pending order.
    Cancel {
        /// The order's ticket.
        order: Ticket,
    },
}

/// What the trade server says at once. All but the return code may be missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// Return code.
    pub retcode: Retcode,
    /// Ticket of the order made.
    pub order: Option<Ticket>,
    /// Ticket of the deal made.
    pub deal: Option<Ticket>,
    /// Volume done.
    pub lots: Option<Lots>,
    /// Price done.
    pub price: Option<Price>,
    /// The server's comment.
    pub comment: String,
}
