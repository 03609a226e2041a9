//! What the broker says of the account and of what was sent to it.

use mymt5_model::{AccountRow, BrokerTime, DealRow, OrderRow, PositionRow, Retcode, Ticket};

/// What the broker knows of the account at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The account's figures.
    pub account: AccountRow,
    /// Open positions.
    pub positions: Vec<PositionRow>,
    /// Working orders.
    pub orders: Vec<OrderRow>,
    /// The highest deal ticket that these rows reflect: tells a stale snapshot from a newer one.
    pub last_deal: Ticket,
    /// The broker's clock then; none before the first tick.
    pub time: Option<BrokerTime>,
}

/// Rows of the past.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Orders that ended.
    pub orders: Vec<OrderRow>,
    /// Deals.
    pub deals: Vec<DealRow>,
}

/// Why a send has no receipt. The kinds differ in what may have happened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendFailure {
    /// Definitely not done.
    #[error("rejected: {0}")]
    Rejected(Retcode),
    /// Definitely never left.
    #[error("not sent: {0}")]
    NotSent(String),
    /// Definitely not done; try later.
    #[error("throttled: {0}")]
    Throttled(Retcode),
    /// May have happened.
    #[error("outcome unknown: {0}")]
    Unknown(String),
}
