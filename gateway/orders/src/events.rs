//! What happened, as clients see it.

use crate::{Order, Position, flatten::Leftover};
use mymt5_guard::TradingState;
use mymt5_model::{ClientName, DealRow, LinkState, Money, OrderId, Symbol, UtcTime};
use serde::{Deserialize, Serialize};

/// Whom an event concerns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Audience {
    /// That client, and `control`.
    Client(ClientName),
    /// Only `control`: foreign rows.
    Control,
    /// Everybody.
    All,
}

impl Audience {
    /// A scope's: that client's, or everybody's where it is the account.
    pub(crate) fn of_scope(scope: &Option<ClientName>) -> Self {
        scope.clone().map_or(Self::All, Self::Client)
    }

    /// An owner's: foreign rows are for `control`.
    pub(crate) fn of_owner(owner: &Option<ClientName>) -> Self {
        owner.clone().map_or(Self::Control, Self::Client)
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// An order changed.
    Order(Box<Order>),
    /// A deal was done, maybe of an order of ours.
    Deal {
        /// The deal.
        deal: DealRow,
        /// The order of ours.
        order: Option<OrderId>,
        /// The strategy's name.
        tag: String,
    },
    /// A position was opened or changed.
    Position(Position),
    /// A position is gone. Profit and swap are what its closing deals realised.
    PositionClosed(Position),
    /// Deposit, withdrawal, credit, charge: the row and the new balance.
    Balance(DealRow, Money),
    /// A trading state changed: whose (none: the account's), the state, why.
    TradingState(Option<ClientName>, TradingState, String),
    /// A flatten moved on: whose, and what is left. Nothing left: it is done.
    Flatten(Option<ClientName>, Vec<Leftover>),
    /// A limit latched: whose (none: the account's), its reason.
    LimitLatched(Option<ClientName>, String),
    /// A symbol's specification changed, or the symbol came or went.
    Symbol(Symbol),
    /// The broker calls for margin; the level in percent.
    MarginCall(f64),
    /// Something that none of our clients did.
    Foreign {
        /// Where; none: nowhere in particular.
        symbol: Option<Symbol>,
        /// What was seen.
        description: String,
        /// New exposure in the symbol is frozen until an operator accepts it.
        frozen: bool,
    },
    /// The link changed.
    Link(LinkState, String),
}

/// An event with its place in the sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// From 1, without gaps.
    pub sequence: u64,
    /// When the gateway recorded it.
    pub at: UtcTime,
    /// W3C trace id of the call that caused it.
    #[serde(rename = "trace")]
    pub trace_id: String,
    /// Whom it concerns.
    pub audience: Audience,
    /// What happened.
    pub event: Event,
}
