//! The one way in: everything that a core can learn or be asked.

use crate::{
    Asker, Call, Denial, Event, Grant, History, Job, NewOrder, Order, OwnedDeal, Request,
    RequestKey, SendFailure, Snapshot,
};
use mymt5_guard::ScopeLimits;
use mymt5_model::{
    ClientName, DealRow, OrderId, PositionId, Receipt, Refusal, RequestId, Symbol, Ticket,
};
use std::collections::{BTreeMap, BTreeSet};

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
    pub requests: BTreeMap<RequestKey, Request>,
    /// Orders.
    pub orders: BTreeMap<OrderId, Order>,
    /// Known deals.
    pub deals: BTreeSet<Ticket>,
    /// All known deals of a position, by ticket.
    pub positions: BTreeMap<PositionId, Vec<OwnedDeal>>,
}
