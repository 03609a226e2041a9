//! What a core has to remember: what a journal stores, and gives back at the next start.

use crate::{Order, Position, Recorded};
use mymt5_guard::{LossState, TradingState};
use mymt5_model::{
    ClientName, DealRow, Levels, Money, OrderId, PositionId, RequestId, Symbol, Ticket, UtcTime,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What a request id stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subject {
    /// The order that the call made or changes.
    Order(OrderId),
    /// Levels asked for of a position, and what became of that.
    Levels(PositionId, Levels, LevelsOutcome),
    /// A trading state, entered when the call was taken.
    TradingState(TradingState),
    /// A flattening: cancellations and closes begun.
    Flatten(u32, u32),
    /// Something that has no more to tell than that it was done.
    Done,
}

/// What became of a change of a position's levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LevelsOutcome {
    /// On its way.
    Pending,
    /// Done.
    Done,
    /// Refused with that return code.
    Refused(u32),
    /// Never left, or the rows show that it did not happen.
    NotDone,
    /// May have happened; the rows decide.
    Unknown,
}

/// A mutating call that was taken: who, what, when. Never pruned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The client.
    pub client: ClientName,
    /// Its id of the call.
    pub request_id: RequestId,
    /// The RPC.
    pub method: String,
    /// Digest of method and content, hex.
    pub content: String,
    /// What it led to.
    pub subject: Subject,
    /// When it was taken.
    pub at: UtcTime,
    /// W3C trace id.
    pub correlation: String,
}

/// A deal with its owner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OwnedDeal {
    /// The broker's row.
    pub deal: DealRow,
    /// The order of ours it fills.
    pub order: Option<OrderId>,
    /// The owner; none: foreign.
    pub client: Option<ClientName>,
    /// The strategy's name.
    pub tag: String,
}

/// A trading state and how it came about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateRow {
    /// Whose; none: the account's.
    pub client: Option<ClientName>,
    /// The state.
    pub state: TradingState,
    /// Why.
    pub reason: String,
    /// Who entered it: a client, `local`, or `gateway`.
    pub by: String,
    /// Since when.
    pub at: UtcTime,
}

/// How a scope's losses stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossRow {
    /// Whose; none: the account's.
    pub client: Option<ClientName>,
    /// What losses are measured from, and what is latched.
    pub state: LossState,
    /// The account's balance when the scope was first seen.
    pub first_balance: Money,
    /// The newest deal then.
    pub first_deal: Ticket,
}

/// A call that was refused for lack of identity or permission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// When.
    pub at: UtcTime,
    /// Who, as far as that is known.
    pub client: String,
    /// From where.
    pub peer: String,
    /// The call's path, cut to 128 characters.
    pub call: String,
    /// The status code's name.
    pub code: String,
    /// W3C trace id.
    pub correlation: String,
}

/// One thing to make durable. A batch of them is committed whole.
#[derive(Clone, Debug)]
pub enum Record {
    /// A request id is bound.
    Request(Request),
    /// What a bound request led to is known by now.
    Outcome(ClientName, RequestId, Subject),
    /// An order as it stands now.
    Order(Box<Order>),
    /// A deal.
    Deal(Arc<OwnedDeal>),
    /// A position as it stands now.
    Position(Box<Position>),
    /// A position is gone.
    PositionClosed(PositionId),
    /// An event.
    Event(Arc<Recorded>),
    /// A trading state.
    State(StateRow),
    /// How a scope's losses stand.
    Losses(LossRow),
    /// A client's number in the magic of its orders.
    Slot(ClientName, u16),
    /// The symbols that somebody else's trade froze, all of them.
    Touched(BTreeSet<Symbol>),
    /// A denied call.
    Denial(Denial),
}

/// What a journal holds at the start.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// Identity of the event sequence.
    pub journal_id: String,
    /// Each client's number in the magic of its orders; never used again for another.
    pub slots: BTreeMap<ClientName, u16>,
    /// All request ids.
    pub requests: Vec<Request>,
    /// All orders, by id.
    pub orders: Vec<Order>,
    /// All deals, by ticket.
    pub deals: Vec<OwnedDeal>,
    /// Open positions.
    pub positions: Vec<Position>,
    /// The newest events.
    pub events: Vec<Recorded>,
    /// Sequence of the newest event.
    pub sequence: u64,
    /// Trading states.
    pub states: Vec<StateRow>,
    /// How losses stand.
    pub losses: Vec<LossRow>,
    /// Symbols that somebody else's trade froze.
    pub touched: BTreeSet<Symbol>,
}
