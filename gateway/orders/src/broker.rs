//! What the broker says of the account and of what was sent to it.

use mymt5_model::{
    AccountRow, BrokerTime, DealRow, OrderRow, PositionRow, Retcode, Symbol, Ticket,
};
use serde::{Deserialize, Serialize};

/// So long rows may lack a fill though they were read after it.
pub(crate) const ROWS_LAG_MS: i64 = 5_000;

/// What the broker knows of the account.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The account's figures.
    pub account: AccountRow,
    /// Open positions.
    pub positions: Vec<PositionRow>,
    /// Working orders.
    pub orders: Vec<OrderRow>,
    /// Rows that could not be understood.
    pub unreadable: Vec<Unreadable>,
    /// The broker's clock at the reading, which runs also while no tick comes; none while unknown.
    pub time: Option<BrokerTime>,
    /// [`crate::Core::news`] when the reading began: rows may lack what was learnt since.
    pub begun: u64,
}

/// Rows of the past, of a span of time.
#[derive(Clone, Debug)]
pub struct History {
    /// From that time on, raw broker time.
    pub from: BrokerTime,
    /// Up to, and without, that time.
    pub to: BrokerTime,
    /// Orders that ended.
    pub orders: Vec<OrderRow>,
    /// Deals.
    pub deals: Vec<DealRow>,
    /// Rows that could not be understood.
    pub unreadable: Vec<Unreadable>,
}

/// What kind of row it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RowKind {
    /// A working order, or one that ended.
    Order,
    /// An open position.
    Position,
    /// A deal.
    Deal,
}

/// A row that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unreadable {
    /// What it is.
    pub kind: RowKind,
    /// Its ticket; 0 where not even that is readable.
    pub ticket: Ticket,
    /// Where it is; none where that is not readable.
    pub symbol: Option<Symbol>,
    /// What is wrong with it: field and expectation, no value.
    pub why: String,
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
