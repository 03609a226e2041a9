//! The broker's rows: orders, positions and deals as the trade server lists them, typed.

use crate::{
    BrokerTime, Levels, Lots, Magic, Money, OrderType, PositionId, Price, Side, Symbol, Ticket,
    TimeInForce,
};
use serde::{Deserialize, Serialize};

/// State of an order at the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RowState {
    /// Waits for its price or its execution.
    Placed,
    /// Part of it is done, the rest waits.
    Partial,
    /// Done.
    Filled,
    /// Cancelled, maybe after a part was done.
    Canceled,
    /// Refused.
    Rejected,
    /// Its time passed.
    Expired,
}

/// An order at the broker, working or in the history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderRow {
    /// Order ticket.
    pub ticket: Ticket,
    /// The position it opened or changed, once there is one.
    pub position_id: Option<PositionId>,
    /// Who asked for it.
    pub magic: Magic,
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// Market, limit, stop, stop-limit.
    pub kind: OrderType,
    /// State.
    pub state: RowState,
    /// Volume asked for.
    pub lots: Lots,
    /// Volume not yet done.
    pub lots_left: Lots,
    /// Order price; none for market orders.
    pub price: Option<Price>,
    /// Limit price of a stop-limit order.
    pub stop_limit_price: Option<Price>,
    /// Stop loss and take profit.
    pub levels: Levels,
    /// Lifetime.
    pub time_in_force: TimeInForce,
    /// When it was made.
    pub created: BrokerTime,
    /// When it ended; none while it works.
    pub done: Option<BrokerTime>,
    /// The broker's comment.
    pub comment: String,
}

/// An open position.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PositionRow {
    /// Current ticket: may change during the position's life.
    pub ticket: Ticket,
    /// POSITION_IDENTIFIER: never changes.
    pub id: PositionId,
    /// Magic of the opening order.
    pub magic: Magic,
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Long (buy) or short (sell).
    pub side: Side,
    /// Volume.
    pub lots: Lots,
    /// Average opening price.
    pub open_price: Price,
    /// Stop loss and take profit.
    pub levels: Levels,
    /// Floating profit in the account currency, without swap.
    pub profit: Money,
    /// Swap collected so far.
    pub swap: Money,
    /// When it was opened.
    pub opened: BrokerTime,
    /// When it last changed.
    pub updated: BrokerTime,
    /// The broker's comment.
    pub comment: String,
}

/// What a deal row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DealKind {
    /// A trade.
    Trade(Side),
    /// Deposit or withdrawal.
    Balance,
    /// Credit given or taken back: moves the account's credit, not its balance.
    Credit,
    /// Correction or bonus.
    Correction,
    /// Charge, commission, interest, dividend, tax and the like: gained or lost by holding.
    Other,
}

impl DealKind {
    /// True for money that came in or went out and was neither gained nor lost.
    #[must_use]
    pub const fn is_flow(self) -> bool {
        matches!(self, Self::Balance | Self::Credit | Self::Correction)
    }
}

/// What a deal does to its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Entry {
    /// Opens or adds.
    In,
    /// Reduces or closes.
    Out,
    /// Reverses (netting).
    InOut,
    /// Closes by an opposite position.
    OutBy,
}

/// Why a deal was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DealReason {
    /// By hand in the terminal.
    Client,
    /// By hand on a telephone.
    Mobile,
    /// By hand on the web.
    Web,
    /// By a program.
    Expert,
    /// Stop loss.
    StopLoss,
    /// Take profit.
    TakeProfit,
    /// Stop-out.
    StopOut,
    /// Rollover.
    Rollover,
    /// Anything else (variation margin, split, corporate action).
    Other,
}

impl DealReason {
    /// True for what the trade server does by itself.
    #[must_use]
    pub const fn is_brokers(self) -> bool {
        matches!(
            self,
            Self::StopLoss | Self::TakeProfit | Self::StopOut | Self::Rollover | Self::Other
        )
    }
}

/// A deal: the only proof of a fill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DealRow {
    /// Deal ticket.
    pub ticket: Ticket,
    /// The order it belongs to; none for balance rows.
    pub order: Option<Ticket>,
    /// The position it belongs to; none for balance rows.
    pub position_id: Option<PositionId>,
    /// Magic of its order.
    pub magic: Magic,
    /// Canonical symbol; none for balance rows.
    pub symbol: Option<Symbol>,
    /// Trade, balance or other.
    pub kind: DealKind,
    /// Effect on the position; none for balance rows.
    pub entry: Option<Entry>,
    /// Reason.
    pub reason: DealReason,
    /// Volume; zero for balance rows.
    pub lots: Lots,
    /// Price; none for balance rows.
    pub price: Option<Price>,
    /// Realised profit, or the amount of a balance row, in the account currency.
    pub profit: Money,
    /// Swap realised with it.
    pub swap: Money,
    /// Commission and fees, negative when paid.
    pub commission: Money,
    /// When it was done.
    pub time: BrokerTime,
    /// The broker's comment.
    pub comment: String,
}

impl DealRow {
    /// What it made or cost: profit, swap and commission.
    #[must_use]
    pub fn result(&self) -> Money {
        self.profit + self.swap + self.commission
    }
}
