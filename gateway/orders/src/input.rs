//! The one way in: everything that a core can learn or be asked.

use crate::{
    Asker, Denial, Event, Grant, History, Job, NewOrder, Order, OwnedDeal, Request, RequestKey,
    SendFailure, Snapshot, order::Exit,
};
use mymt5_guard::{ScopeLimits, TradingState};
use mymt5_model::{
    ClientName, DealRow, Edit, OrderId, PositionId, Receipt, Refusal, RequestId, Symbol, Ticket,
    TimeInForce,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Who calls, for what, under which id.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who waits for the answer.
    pub asker: Asker,
    /// The client.
    pub client: ClientName,
    /// It may touch what others own.
    pub control: bool,
    /// The client's process; none: it does not say.
    pub session: Option<RequestId>,
    /// The idempotency of this call.
    pub request_id: RequestId,
    /// The RPC, for the record.
    pub method: &'static str,
    /// Digest of the method and the request's content.
    pub content: [u8; 32],
    /// W3C trace id.
    pub trace_id: String,
    /// Unix milliseconds after which nothing may be sent any more.
    pub send_before_ms: i64,
    /// Unix milliseconds after which it must not be taken any more.
    pub not_after_ms: Option<i64>,
    /// What is asked for.
    pub command: Command,
}

impl Call {
    pub(crate) fn key(&self) -> RequestKey {
        RequestKey(self.client.clone(), self.request_id.clone())
    }
}

/// What a mutating call asks for. What could not be understood of it refuses the call, unless its
/// id was bound before.
#[derive(Clone, Debug)]
pub enum Command {
    /// A new order.
    Submit(Result<Box<NewOrder>, Refusal>),
    /// Close a position.
    Close(Result<Exit, Refusal>),
    /// Cancel a working order.
    Cancel(OrderId),
    /// Change a working order.
    ModifyOrder(OrderId, Result<OrderEdit, Refusal>),
    /// Change a position's stop loss and take profit.
    ModifyPosition(PositionId, Result<PositionEdit, Refusal>),
    /// Enter a trading state.
    SetState {
        /// Whose; none: the account's.
        scope: Option<ClientName>,
        /// The state.
        state: TradingState,
        /// Why.
        reason: String,
    },
    /// Halt a scope, and cancel and close everything in it until nothing is left.
    Flatten {
        /// Whose; none: everybody's.
        scope: Option<ClientName>,
        /// Foreign orders and positions too.
        include_foreign: bool,
        /// Why.
        reason: String,
    },
    /// Decide an order whose outcome is unknown.
    Resolve {
        /// The order.
        order: OrderId,
        /// The decision.
        resolution: Resolution,
        /// Why.
        reason: String,
    },
    /// Give a row that is nobody's to a client.
    Adopt {
        /// The new owner.
        client: ClientName,
        /// What.
        what: Adoption,
        /// Why.
        reason: String,
    },
    /// End a closed or frozen state that an operator must have checked.
    Accept {
        /// What is accepted as it is.
        what: Acceptance,
        /// Why.
        reason: String,
    },
}

impl Command {
    /// True for what is sent to the broker at once.
    pub(crate) const fn sends(&self) -> bool {
        matches!(
            self,
            Self::Submit(_)
                | Self::Close(_)
                | Self::Cancel(_)
                | Self::ModifyOrder(..)
                | Self::ModifyPosition(..)
        )
    }
}

/// A change of a working order, as the caller gave it.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderEdit {
    /// Order price; none: kept.
    pub price: Option<f64>,
    /// Limit price of a stop-limit order; none: kept.
    pub stop_limit_price: Option<f64>,
    /// Stop loss.
    pub stop_loss: Edit<f64>,
    /// Take profit.
    pub take_profit: Edit<f64>,
    /// Lifetime; none: kept.
    pub time_in_force: Option<TimeInForce>,
}

/// A change of a position's levels, as the caller gave it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PositionEdit {
    /// Stop loss.
    pub stop_loss: Edit<f64>,
    /// Take profit.
    pub take_profit: Edit<f64>,
}

/// An operator's decision on an unknown order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// It never reached the broker.
    NotDone,
    /// It was done, though no deal tells it.
    Done,
    /// Look at the broker again now.
    Reconcile,
}

/// What is adopted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adoption {
    /// A position.
    Position(PositionId),
    /// A working order, by the broker's ticket.
    Order(Ticket),
    /// A deal of the past, by the broker's ticket.
    Deal(Ticket),
    /// All deals of the past that wait for it in the client's slot.
    Deals,
}

/// What an operator accepts as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// Foreign trades, and rows that no deal explains, in a symbol.
    Symbol(Symbol),
    /// Known deals that the broker's history lacks.
    MissingDeals,
    /// Rows that cannot be understood, by their tickets of now.
    UnreadableRows,
}

/// What a shell tells a core. Each is one step.
#[derive(Clone, Debug)]
pub enum Input {
    /// A mutating call.
    Call(Box<Call>),
    /// The asker waits no longer: the answer is what is known by now.
    GiveUp(Asker),
    /// A client's process lives. The last one of it gives the lease back.
    Heartbeat {
        /// Who waits for the answer.
        asker: Asker,
        /// The client.
        client: ClientName,
        /// Its process.
        session: RequestId,
        /// The process ends.
        leaving: bool,
    },
    /// What would refuse this order now.
    Check {
        /// Who waits for the answer.
        asker: Asker,
        /// The client.
        client: ClientName,
        /// The order.
        order: Result<Box<NewOrder>, Refusal>,
        /// Its margin and its loss at the stop by the broker's own calculation, where it has one.
        figures: crate::check::BrokerFigures,
    },
    /// All records up to this number of them are durable.
    Durable(u64),
    /// What the broker said to a request, or that it said nothing in time.
    Answered {
        /// Which request.
        job: Job,
        /// What it said.
        outcome: Result<Receipt, SendFailure>,
        /// It comes after the request was given up already.
        late: bool,
    },
    /// A deal was done.
    Deal(DealRow),
    /// The broker's rows.
    Rows(Snapshot),
    /// The broker's rows and, read after them, its history: one complete pass.
    Pass(Snapshot, History),
    /// The link came up or went down.
    Link(bool),
    /// The account could not be read for long, or can again.
    Unreadable(bool),
    /// The symbol's specification changed.
    SymbolChanged(Symbol),
    /// Something for every client's event stream.
    Announce(Event),
    /// A call was denied.
    Denied(Denial),
    /// Look at the broker again at the next opportunity.
    SyncSoon,
    /// About a second passed.
    Second,
    /// What is granted to clients, and the account's own limits, replace what was.
    Grants(BTreeMap<ClientName, Grant>, Box<ScopeLimits>),
    /// No new order is taken from now on.
    Drain,
    /// The process ends: what waits to be sent never leaves.
    Stop,
}

/// What the core does not hold in memory and must know before a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Ids of calls that may have been bound in the past.
    pub requests: BTreeSet<RequestKey>,
    /// Orders that may have ended.
    pub orders: BTreeSet<OrderId>,
    /// Deals that may be known.
    pub deals: BTreeSet<Ticket>,
    /// Positions of the past.
    pub positions: BTreeSet<PositionId>,
}

impl Wanted {
    /// True when nothing must be looked up.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
            && self.orders.is_empty()
            && self.deals.is_empty()
            && self.positions.is_empty()
    }
}

/// What was found of what was wanted. What is not in it does not exist.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Bound ids. Where one led to an order, that order is among the orders.
    pub requests: HashMap<RequestKey, Request>,
    /// Orders.
    pub orders: HashMap<OrderId, Order>,
    /// Known deals.
    pub deals: BTreeSet<Ticket>,
    /// All known deals of a position, by ticket.
    pub positions: HashMap<PositionId, Vec<OwnedDeal>>,
}
