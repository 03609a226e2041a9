//! What goes to a trade server and what it answers at once. A receipt is a hint: only deals
//! prove a fill.

use crate::{DealRow, Lots, Magic, OrderType, Price, Retcode, Side, Symbol, Ticket, TimeInForce};
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

/// A change of something that may be absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Edit<T> {
    /// As it is when the request is executed.
    #[default]
    Keep,
    /// None any more.
    Remove,
    /// That one.
    Set(T),
}

impl<T> Edit<T> {
    /// What is there afterwards, where `old` was there before.
    #[must_use]
    pub fn after(self, old: Option<T>) -> Option<T> {
        match self {
            Self::Keep => old,
            Self::Remove => None,
            Self::Set(new) => Some(new),
        }
    }
}

/// A change of stop loss and take profit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LevelsEdit {
    /// The stop loss.
    pub stop_loss: Edit<Price>,
    /// The take profit.
    pub take_profit: Edit<Price>,
}

impl LevelsEdit {
    /// The edit that replaces both.
    #[must_use]
    pub fn to(levels: Levels) -> Self {
        let edit = |level: Option<Price>| level.map_or(Edit::Remove, Edit::Set);
        Self {
            stop_loss: edit(levels.stop_loss),
            take_profit: edit(levels.take_profit),
        }
    }

    /// The levels afterwards.
    #[must_use]
    pub fn after(self, old: Levels) -> Levels {
        Levels {
            stop_loss: self.stop_loss.after(old.stop_loss),
            take_profit: self.take_profit.after(old.take_profit),
        }
    }
}

/// A change of a pending order. None keeps what is there when the request is executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TermsEdit {
    /// Order price.
    pub price: Option<Price>,
    /// Limit price of a stop-limit order.
    pub stop_limit_price: Option<Price>,
    /// Levels.
    pub levels: LevelsEdit,
    /// Lifetime.
    pub time_in_force: Option<TimeInForce>,
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
    /// Buy or sell now: opens or, on netting, nets.
    Market {
        /// Canonical symbol.
        symbol: Symbol,
        /// Buy or sell.
        side: Side,
        /// Volume.
        lots: Lots,
        /// Levels of the position it opens.
        levels: Levels,
        /// Largest price slip accepted, in points, where execution is instant.
        max_deviation_points: Option<u32>,
        /// Who asks.
        magic: Magic,
        /// Cosmetic.
        comment: Comment,
    },
    /// Close a position, wholly or in part, and never more than it has when this is executed.
    Close {
        /// Canonical symbol.
        symbol: Symbol,
        /// Side of the closing deal: the position's opposite.
        side: Side,
        /// The position's current ticket.
        position: Ticket,
        /// Volume. For a close of all: what that is expected to be.
        lots: Lots,
        /// All that the position has when this is executed is closed.
        all: bool,
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
    /// Change the levels of a position.
    ModifyPosition {
        /// The position's current ticket.
        position: Ticket,
        /// Its canonical symbol.
        symbol: Symbol,
        /// What becomes of each level.
        levels: LevelsEdit,
    },
    /// Change a pending order.
    ModifyOrder {
        /// The order's ticket.
        order: Ticket,
        /// Its canonical symbol.
        symbol: Symbol,
        /// What becomes of its terms.
        terms: TermsEdit,
    },
    /// Remove a pending order.
    Cancel {
        /// The order's ticket.
        order: Ticket,
        /// Its canonical symbol.
        symbol: Symbol,
    },
}

impl TradeRequest {
    /// The symbol in question.
    #[must_use]
    pub const fn symbol(&self) -> &Symbol {
        match self {
            Self::Market { symbol, .. }
            | Self::Close { symbol, .. }
            | Self::Pending { symbol, .. }
            | Self::ModifyPosition { symbol, .. }
            | Self::ModifyOrder { symbol, .. }
            | Self::Cancel { symbol, .. } => symbol,
        }
    }

    /// The magic of the order that it makes; none where it makes none.
    #[must_use]
    pub const fn magic(&self) -> Option<Magic> {
        match self {
            Self::Market { magic, .. }
            | Self::Close { magic, .. }
            | Self::Pending { magic, .. } => Some(*magic),
            Self::ModifyPosition { .. } | Self::ModifyOrder { .. } | Self::Cancel { .. } => None,
        }
    }
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
    /// Volume that was asked for in the end: tells how much "all" was.
    pub lots_sent: Option<Lots>,
    /// Price done.
    pub price: Option<Price>,
    /// The server's comment.
    pub comment: String,
    /// Deals of the order that were there at once; later ones come by themselves.
    pub deals: Vec<DealRow>,
}

impl Receipt {
    /// A receipt with nothing but its return code.
    #[must_use]
    pub fn bare(retcode: Retcode) -> Self {
        Self {
            retcode,
            order: None,
            deal: None,
            lots: None,
            lots_sent: None,
            price: None,
            comment: retcode.text().to_owned(),
            deals: Vec::new(),
        }
    }
}
