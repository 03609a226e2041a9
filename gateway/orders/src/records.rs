//! What a core has to remember: what a journal stores, and gives back at the next start.

use crate::{Disagreement, Order, Position, Recorded, Unreadable};
use mymt5_guard::{LossState, TradingState};
use mymt5_model::{
    AccountMode, BrokerTime, ClientName, DealRow, LevelsEdit, Money, OrderId, PositionId,
    RequestId, Retcode, Symbol, TermsEdit, Ticket, UtcTime,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A client, or the account.
pub(crate) type Scope = Option<ClientName>;

/// A client and its id of a call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestKey(pub ClientName, pub RequestId);

/// What a request id stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subject {
    /// The order that the call made.
    Order(OrderId),
    /// A change of what was there, and what became of it.
    Change(Target, ChangeEdit, ChangeOutcome),
    /// A trading state, entered when the call was taken.
    TradingState(TradingState),
    /// Something that has no more to tell than that it was done.
    Done,
}

/// What a change is made to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Target {
    /// An order of ours that works at the broker.
    Order(OrderId),
    /// An open position.
    Position(PositionId),
    /// An order that is nobody's of ours, by its ticket.
    Foreign(Ticket),
}

/// What a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChangeEdit {
    /// The order is removed.
    Cancel,
    /// The order's terms.
    Terms(TermsEdit),
    /// The position's levels.
    Levels(LevelsEdit),
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChangeOutcome {
    /// On its way.
    Pending,
    /// Done.
    Done,
    /// Refused by the broker with that return code.
    Refused(Retcode),
    /// Never left.
    NotSent,
    /// Its time passed before it could be sent.
    Expired,
    /// It was not done: the rows of the broker lack it for long enough.
    NotDone,
    /// Its target ended, or was changed again, before the outcome was known: it has none any more.
    Moot,
    /// May have happened; the rows of the broker decide.
    Unknown,
}

impl ChangeOutcome {
    /// True once nothing more is expected.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Unknown)
    }
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
    /// Digest of method and content.
    pub content: [u8; 32],
    /// What it led to.
    pub subject: Subject,
    /// When it was taken.
    pub at: UtcTime,
    /// W3C trace id.
    #[serde(rename = "trace")]
    pub trace_id: String,
}

impl Request {
    /// The key of it.
    #[must_use]
    pub fn key(&self) -> RequestKey {
        RequestKey(self.client.clone(), self.request_id.clone())
    }
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
    /// Everything in the scope is being closed; the state is HALTED then.
    pub flatten: Option<Flattening>,
}

/// A flatten that goes on until nothing is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flattening {
    /// Foreign orders and positions too.
    pub include_foreign: bool,
}

/// How a scope's losses stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossRow {
    /// Whose; none: the account's.
    pub client: Option<ClientName>,
    /// What losses are measured from, and what is latched; none before the first measurement.
    pub state: Option<LossState>,
    /// The account's balance when the scope was first measured; none before that.
    pub first_balance: Option<Money>,
    /// Results of the scope's own deals since.
    pub realised: Money,
}

/// The account's balance as the known deals make it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRow {
    /// Balance after the newest known deal.
    pub balance: Money,
    /// Deposits less withdrawals, corrections included, since the journal began.
    pub flows: Money,
    /// Deals from then on count; older ones were in the balance when the journal began.
    pub since: BrokerTime,
}

/// Why new exposure in a symbol is frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// What was seen.
    pub description: String,
    /// Since when.
    pub at: UtcTime,
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
    /// The call's path; of one longer than 128 characters its length alone.
    pub call: String,
    /// The status code's name.
    pub code: String,
    /// W3C trace id.
    pub trace_id: String,
}

/// One thing to make durable. A batch of them is committed whole.
#[derive(Clone, Debug)]
pub enum Record {
    /// A request id is bound.
    Request(Request),
    /// What a bound request led to is known by now.
    Outcome(RequestKey, Subject),
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
    /// The account's balance by its deals, and its mode.
    Ledger(LedgerRow, AccountMode),
    /// All deals up to that time of the broker's clock are known.
    Compared(BrokerTime),
    /// A client's number in the magic of its orders.
    Slot(ClientName, u16),
    /// The symbols that foreign trades froze, all of them.
    Frozen(BTreeMap<Symbol, Freeze>),
    /// Positions that are not what their deals say, all of them.
    Disagreements(BTreeMap<PositionId, Disagreement>),
    /// Rows that cannot be understood and that an operator accepted so, all of them.
    AcceptedUnreadable(BTreeSet<Unreadable>),
    /// Deals that the broker's history lacks and an operator accepted as lacking, all of them.
    Archived(BTreeSet<Ticket>),
    /// Deals in a client's slot that no known order made, and nobody adopted, all of them.
    OrphanDeals(BTreeMap<Ticket, ClientName>),
    /// A denied call.
    Denial(Denial),
}

/// What a journal holds at the start: what is open, and what the day's limits need.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// Identity of the event sequence.
    pub journal_id: String,
    /// Identity of the account, from which neither its number nor its server can be found.
    pub account_id: String,
    /// Each client's number in the magic of its orders; never used again for another.
    pub slots: BTreeMap<ClientName, u16>,
    /// Requests whose changes have no final outcome.
    pub requests: Vec<Request>,
    /// Orders that are not settled, by id.
    pub orders: Vec<Order>,
    /// The highest number of an order's id; 0 without any.
    pub last_order: u64,
    /// When each client's entries of the last minute were taken.
    pub recent_entries: Vec<(ClientName, UtcTime)>,
    /// All deals of the open positions, by ticket.
    pub deals: Vec<OwnedDeal>,
    /// All deals of the [`DAYS_RESULTS_MS`](crate::DAYS_RESULTS_MS) before the newest one, by ticket.
    pub recent_deals: Vec<OwnedDeal>,
    /// The newest deals, which a complete history must hold.
    pub newest_deals: Vec<(Ticket, BrokerTime)>,
    /// Those of them that an operator accepted as lacking.
    pub archived: BTreeSet<Ticket>,
    /// All deals up to then are known; none: the broker was never compared.
    pub compared: Option<BrokerTime>,
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
    /// The account's balance by its deals; none before it was first read.
    pub ledger: Option<LedgerRow>,
    /// The account's mode when it was last read.
    pub mode: Option<AccountMode>,
    /// Symbols that foreign trades froze.
    pub frozen: BTreeMap<Symbol, Freeze>,
    /// Deals in a client's slot that no known order made, and nobody adopted.
    pub orphan_deals: BTreeMap<Ticket, ClientName>,
    /// Positions that are not what their deals say.
    pub disagreements: BTreeMap<PositionId, Disagreement>,
    /// Rows that cannot be understood and that an operator accepted so.
    pub accepted_unreadable: BTreeSet<Unreadable>,
}
