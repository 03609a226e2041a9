//! The state behind every order: ids, orders, book, trading state. Values in, effects out; no
//! clock, no waiting. What it may do to the world it returns as [`Effect`]s.

use super::{
    events::{Audience, Event, EventLog},
    order::{Order, Purpose},
    requests::Requests,
    transitions,
};
use crate::{
    book::{Book, Owner, Position, PositionChange},
    broker::Snapshot,
};
use mymt5_guard::{Limits, Rate, TradingState};
use mymt5_model::{
    AccountMode, ClientName, Lots, Magic, Moment, OrderId, OrderState, PositionId, RequestId,
    Symbol, Ticket, TradeRequest, UtcTime,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// What the core asks its shell to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send an order, once.
    Send(OrderId, TradeRequest),
    /// Send the cancellation of an order, once.
    SendCancel(OrderId, TradeRequest),
    /// Look for a row that left the working orders.
    LookUp(Ticket),
}

/// What a call led to: the order, and whether the call is a repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The order made, or found under the request id.
    pub order: OrderId,
    /// True when the id was known: nothing new was done.
    pub repeated: bool,
}

/// What the configuration grants a client in the orders core.
#[derive(Clone, Debug)]
pub struct ClientRules {
    /// Its number in the magic of its orders.
    pub slot: u16,
    /// Its limits.
    pub limits: Limits,
}

/// The orders core.
#[derive(Debug)]
pub struct Core {
    pub(super) orders: BTreeMap<OrderId, Order>,
    /// Orders not yet final, or that wait for deals: what scans may cost.
    pub(super) open: BTreeSet<OrderId>,
    pub(super) by_magic: HashMap<Magic, OrderId>,
    pub(super) by_ticket: HashMap<Ticket, OrderId>,
    pub(super) requests: Requests,
    pub(super) deals: HashSet<Ticket>,
    pub(super) book: Book,
    pub(super) rules: HashMap<ClientName, ClientRules>,
    pub(super) account_limits: Limits,
    /// Orders filled since the account's figures were read: their margin is not in them yet.
    pub(super) unread: BTreeSet<OrderId>,
    pub(super) rates: HashMap<ClientName, Rate>,
    pub(super) state: TradingState,
    pub(super) link_up: bool,
    pub(super) draining: bool,
    pub(super) last_magic: u64,
    pub(super) fills: u64,
    pub(super) rejected: u64,
    pub(super) now: UtcTime,
    log: EventLog,
}

impl Core {
    /// Most orders, requests and deals kept in memory.
    pub(super) const CAPACITY: usize = 1_000_000;

    /// An empty core. Entries are refused until the link is up and a snapshot was read.
    #[must_use]
    pub fn new(
        rules: HashMap<ClientName, ClientRules>,
        account_limits: Limits,
        log: EventLog,
    ) -> Self {
        Self {
            orders: BTreeMap::new(),
            open: BTreeSet::new(),
            by_magic: HashMap::new(),
            by_ticket: HashMap::new(),
            requests: Requests::default(),
            deals: HashSet::new(),
            book: Book::default(),
            rules,
            account_limits,
            unread: BTreeSet::new(),
            rates: HashMap::new(),
            state: TradingState::Active,
            link_up: false,
            draining: false,
            last_magic: 0,
            fills: 0,
            rejected: 0,
            now: UtcTime(0),
            log,
        }
    }

    /// Moves the core's clock; every other call happens at that time.
    pub fn at(&mut self, now: UtcTime) -> &mut Self {
        self.now = now;
        self
    }

    /// The link came up or went down.
    pub fn link(&mut self, up: bool) {
        self.link_up = up;
    }

    /// No new order is taken from now on.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// One order.
    #[must_use]
    pub fn order(&self, id: OrderId) -> Option<&Order> {
        self.orders.get(&id)
    }

    /// The order that a call of a client made or targeted.
    #[must_use]
    pub fn order_of_request(&self, client: &ClientName, request: &RequestId) -> Option<&Order> {
        self.order(self.requests.order(client, request)?)
    }

    /// Orders that are not settled.
    pub fn open_orders(&self) -> impl Iterator<Item = &Order> {
        self.open
            .iter()
            .filter_map(|id| self.orders.get(id))
            .filter(|order| !order.state.is_final())
    }

    /// Account and positions.
    #[must_use]
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// The account's trading state.
    #[must_use]
    pub const fn trading_state(&self) -> TradingState {
        self.state
    }

    /// Orders taken, deals of ours, orders rejected since the start.
    #[must_use]
    pub fn counts(&self) -> (u64, u64, u64) {
        (self.orders.len() as u64, self.fills, self.rejected)
    }

    /// Symbols in which an unknown outcome freezes new exposure.
    #[must_use]
    pub fn frozen(&self) -> BTreeSet<Symbol> {
        self.open_orders()
            .filter(|order| order.state == OrderState::Unknown)
            .map(|order| order.symbol.clone())
            .collect()
    }

    pub(super) fn mode(&self) -> Option<AccountMode> {
        self.book.account().map(|account| account.mode)
    }

    /// Whose a magic is: by the order it was made for, else by its slot.
    pub(super) fn owner(&self, magic: Magic) -> Owner {
        if let Some(order) = self.by_magic.get(&magic).and_then(|id| self.orders.get(id)) {
            return (Some(order.client.clone()), order.tag.clone());
        }
        let slot = magic.slot();
        let client = self
            .rules
            .iter()
            .find(|(_, rules)| slot != 0 && u64::from(rules.slot) == slot);
        (client.map(|(name, _)| name.clone()), String::new())
    }

    /// Lots of closing orders on a position: in flight, and unknown.
    pub(super) fn closing(&self, position: PositionId) -> (Lots, Lots) {
        let mut sums = (Lots::ZERO, Lots::ZERO);
        for order in self
            .open_orders()
            .filter(|order| order.purpose == Purpose::Exit(position))
        {
            let sum = if order.state == OrderState::Unknown {
                &mut sums.1
            } else {
                &mut sums.0
            };
            *sum = sum.plus(order.lots_open());
        }
        sums
    }

    /// Changes an order and tells it; a transition that the table does not list is refused.
    pub(super) fn change(
        &mut self,
        id: OrderId,
        to: OrderState,
        also: impl FnOnce(&mut Order),
    ) -> bool {
        let now = self.now;
        let Some(order) = self.orders.get_mut(&id) else {
            return false;
        };
        let from = order.state;
        if from != to && !transitions::may_become(from, to) {
            tracing::error!(order_id = %id, ?from, ?to, "order transition refused");
            return false;
        }
        if transitions::alarms(from, to) {
            tracing::error!(order_id = %id, ?from, ?to, "late evidence contradicts what was told");
        }
        order.state = to;
        order.updated = Moment {
            utc: Some(now),
            broker: order.updated.broker,
        };
        also(order);
        let told = order.clone();
        if to.is_final() {
            self.open.remove(&id);
        }
        self.rejected += u64::from(to == OrderState::Rejected && from != to);
        self.tell(
            &told.correlation,
            Audience::Client(told.client.clone()),
            Event::Order(Box::new(told.clone())),
        );
        true
    }

    /// Records an event of the core's own time.
    pub(super) fn tell(&self, correlation: &str, audience: Audience, event: Event) {
        self.log.append(self.now, correlation, audience, event);
    }

    /// Records something that concerns everybody.
    pub fn announce(&self, event: Event) {
        self.tell("", Audience::All, event);
    }

    pub(super) fn tell_position(&self, change: PositionChange, correlation: &str) {
        let audience = |position: &Position| {
            position
                .client
                .clone()
                .map_or(Audience::Control, Audience::Client)
        };
        match change {
            PositionChange::Changed(position) => {
                self.tell(correlation, audience(&position), Event::Position(position))
            }
            PositionChange::Closed(position) => self.tell(
                correlation,
                audience(&position),
                Event::PositionClosed(position),
            ),
        }
    }

    /// Takes a snapshot of the broker. False: it is older than what is known; read another.
    pub fn on_snapshot(&mut self, snapshot: Snapshot) -> (bool, Vec<Effect>) {
        let mut book = std::mem::take(&mut self.book);
        let Snapshot {
            account,
            positions,
            orders,
            last_deal,
            time,
        } = snapshot;
        let changes = book.read(account, positions, last_deal, time, |magic| {
            self.owner(magic)
        });
        self.book = book;
        let Some(changes) = changes else {
            return (false, Vec::new());
        };
        self.unread.clear();
        changes
            .into_iter()
            .for_each(|change| self.tell_position(change, ""));
        let working: HashSet<Ticket> = orders.iter().map(|row| row.ticket).collect();
        orders.iter().for_each(|row| self.on_row(row));
        (
            true,
            self.missing(&working)
                .into_iter()
                .map(Effect::LookUp)
                .collect(),
        )
    }

    /// Tickets of orders believed to work that the broker lists no more.
    fn missing(&self, working: &HashSet<Ticket>) -> Vec<Ticket> {
        self.open_orders()
            .filter(|order| {
                matches!(
                    order.state,
                    OrderState::Working | OrderState::PartiallyFilled
                )
            })
            .filter_map(|order| order.ticket)
            .filter(|ticket| !working.contains(ticket))
            .collect()
    }
}
