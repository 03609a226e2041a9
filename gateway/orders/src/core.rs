//! The state behind every order: ids, orders, book, trading states. Values in, effects and records
//! out; no clock, no waiting. What it wants done to the world it returns as [`Effect`]s, what must
//! be durable before that as [`Record`]s.

use super::{
    grants::ClientRules,
    ids::Requests,
    losses::Losses,
    modify::{LevelChange, LevelsKey, Terms},
    order::{Order, Purpose},
    reconcile::Reconciliation,
    sessions::Sessions,
    shut::Shut,
    trading::TradingStates,
};
use crate::{
    book::{Book, Owner},
    records::{Loaded, OwnedDeal, Record},
};
use mymt5_guard::{Limits, LossSettings, Rate, ScopeLimits};
use mymt5_model::{
    AccountMode, ClientName, Lots, Magic, OrderId, OrderState, PositionId, RequestId, Symbol,
    Ticket, TradeRequest, UtcTime,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

/// What the core asks its shell to do, once its records are durable.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send an order, once. True: it protects, and goes before those that do not.
    Send(OrderId, TradeRequest, bool),
    /// Send a change of an order, once, before that time (Unix milliseconds).
    SendChange(OrderId, Change, TradeRequest, i64),
    /// Send a change of a position's levels, once, before that time. True: it protects.
    SendLevels(LevelsKey, TradeRequest, bool, i64),
}

/// A change of an order that works at the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Remove it.
    Cancel,
    /// Replace its terms.
    Modify(Terms),
}

/// What a call led to: the order, and whether the call is a repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The order made, or found under the request id.
    pub order: OrderId,
    /// True when the id was known: nothing new was done.
    pub repeated: bool,
}

/// How long the core waits: for evidence, and for signs of life.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How long a client's process holds its lease after a heartbeat.
    pub lease: Duration,
    /// From an unknown outcome until its absence at the broker is believed, milliseconds.
    pub grace_ms: i64,
    /// Least time between two looks that count, milliseconds.
    pub between_passes_ms: i64,
    /// Between two looks when nothing is unknown, milliseconds.
    pub period_ms: i64,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(5),
            grace_ms: 30_000,
            between_passes_ms: 5_000,
            period_ms: 60_000,
        }
    }
}

/// The orders core.
#[derive(Debug)]
pub struct Core {
    pub(super) orders: BTreeMap<OrderId, Order>,
    /// Orders not yet final: what scans may cost.
    pub(super) open: BTreeSet<OrderId>,
    pub(super) by_magic: HashMap<Magic, OrderId>,
    pub(super) by_ticket: HashMap<Ticket, OrderId>,
    pub(super) requests: Requests,
    pub(super) deals: BTreeMap<Ticket, Arc<OwnedDeal>>,
    pub(super) book: Book,
    pub(super) rules: HashMap<ClientName, ClientRules>,
    pub(super) account_limits: Limits,
    pub(super) losses: Losses,
    /// What happens without anybody's call.
    pub(super) effects: Vec<Effect>,
    /// Orders filled since the account's figures were read: their margin is not in them yet.
    pub(super) unread: BTreeSet<OrderId>,
    pub(super) rates: HashMap<ClientName, Rate>,
    pub(super) states: TradingStates,
    pub(super) reconciliation: Reconciliation,
    /// Symbols of ours in which somebody else traded, until an operator resumes the account.
    pub(super) touched: BTreeSet<Symbol>,
    pub(super) sessions: Sessions,
    pub(super) changing: HashMap<OrderId, Change>,
    /// Terms that an order may have, or come to have, and since when that is unknown.
    pub(super) unknown_terms: HashMap<OrderId, (Terms, i64)>,
    /// Changes of levels without a known outcome, and their positions: one each at a time.
    pub(super) level_changes: HashMap<LevelsKey, LevelChange>,
    /// When a cancellation of the gateway's own may be tried again, and the pause after that.
    pub(super) cancel_pauses: HashMap<OrderId, (i64, i64)>,
    pub(super) shut: Shut,
    pub(super) link_up: bool,
    pub(super) draining: bool,
    pub(super) last_magic: u64,
    pub(super) fills: u64,
    pub(super) rejected: u64,
    pub(super) now: UtcTime,
    pub(super) sequence: u64,
    pub(super) records: Vec<Record>,
    pub(super) dirty: BTreeSet<OrderId>,
}

impl Core {
    /// Most orders, requests and deals kept.
    pub(super) const CAPACITY: usize = 1_000_000;

    /// A core that knows what its journal knows. Entries are refused until the link is up and the
    /// broker's rows were compared with it. What was on its way when the process ended is UNKNOWN.
    #[must_use]
    pub fn new(
        rules: HashMap<ClientName, ClientRules>,
        account: ScopeLimits,
        patience: Patience,
        loaded: Loaded,
        now: UtcTime,
    ) -> Self {
        let limited = rules
            .iter()
            .map(|(name, rules)| (Some(name.clone()), rules.grant.loss));
        let limited = limited.filter(|(_, loss)| *loss != LossSettings::default());
        let limited = limited.chain([(None, account.loss)]);
        let losses = Losses::new(limited, loaded.losses, loaded.deals.iter());
        let mut core = Self {
            orders: BTreeMap::new(),
            open: BTreeSet::new(),
            by_magic: HashMap::new(),
            by_ticket: HashMap::new(),
            requests: Requests::new(loaded.requests),
            deals: BTreeMap::new(),
            book: Book::new(loaded.positions, loaded.deals.iter().map(|deal| &deal.deal)),
            rules,
            account_limits: account.entry,
            losses,
            effects: Vec::new(),
            unread: BTreeSet::new(),
            rates: HashMap::new(),
            states: TradingStates::new(loaded.states),
            reconciliation: Reconciliation::new(patience),
            touched: loaded.touched,
            sessions: Sessions::new(patience.lease),
            changing: HashMap::new(),
            unknown_terms: HashMap::new(),
            level_changes: HashMap::new(),
            cancel_pauses: HashMap::new(),
            shut: Shut::default(),
            link_up: false,
            draining: false,
            last_magic: 0,
            fills: 0,
            rejected: 0,
            now,
            sequence: loaded.sequence,
            records: Vec::new(),
            dirty: BTreeSet::new(),
        };
        for deal in loaded.deals {
            core.deals.insert(deal.deal.ticket, Arc::new(deal));
        }
        for order in loaded.orders {
            core.recall_rate(&order);
            core.know(order);
        }
        core.take_up();
        core
    }

    /// Entries of the last minute count on across a restart.
    fn recall_rate(&mut self, order: &Order) {
        let created = order.created.utc.map_or(0, |at| at.0);
        if order.purpose == Purpose::Entry && self.now.0 - created < Rate::WINDOW_MS {
            let rate = self.rates.entry(order.client.clone()).or_default();
            rate.note(created);
        }
    }

    /// Takes an order into the indices.
    pub(super) fn know(&mut self, order: Order) {
        self.last_magic = self.last_magic.max(order.magic.counter());
        self.by_magic.insert(order.magic, order.id);
        if let Some(ticket) = order.ticket {
            self.by_ticket.insert(ticket, order.id);
        }
        if !order.state.is_final() {
            self.open.insert(order.id);
        }
        self.orders.insert(order.id, order);
    }

    /// Moves the core's clock; every other call happens at that time.
    pub fn at(&mut self, now: UtcTime) -> &mut Self {
        self.now = now;
        self
    }

    /// The time of what happens now.
    #[must_use]
    pub const fn now(&self) -> UtcTime {
        self.now
    }

    /// True while the link is up.
    #[must_use]
    pub const fn link_is_up(&self) -> bool {
        self.link_up
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

    /// The trace of the call that an order comes from.
    #[must_use]
    pub fn trace_of_order(&self, id: OrderId) -> &str {
        self.order(id).map_or("", |order| &order.correlation)
    }

    /// The trace of the call that a change of levels under way comes from.
    #[must_use]
    pub fn trace_of_levels(&self, key: &LevelsKey) -> &str {
        let change = self.level_changes.get(key);
        change.map_or("", |change| &change.correlation)
    }

    /// The order that a call of a client made or targeted.
    #[must_use]
    pub fn order_of_request(&self, client: &ClientName, request: &RequestId) -> Option<&Order> {
        self.order(self.requests.order(client, request)?)
    }

    /// Orders that are not settled.
    pub fn open_orders(&self) -> impl Iterator<Item = &Order> {
        self.open.iter().filter_map(|id| self.orders.get(id))
    }

    /// All orders, newest first, from before that id (none: from the newest).
    pub fn orders_before(&self, before: Option<OrderId>) -> impl Iterator<Item = &Order> {
        let end = before.unwrap_or(OrderId(u64::MAX));
        self.orders.range(..end).rev().map(|(_, order)| order)
    }

    /// All deals, newest first, from before that ticket (none: from the newest).
    pub fn deals_before(&self, before: Option<Ticket>) -> impl Iterator<Item = &Arc<OwnedDeal>> {
        let end = before.unwrap_or(Ticket(u64::MAX));
        self.deals.range(..end).rev().map(|(_, deal)| deal)
    }

    /// True while a change of the order is on its way.
    #[must_use]
    pub fn is_changing(&self, id: OrderId) -> bool {
        self.changing.contains_key(&id)
    }

    /// Account and positions.
    #[must_use]
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// Sequence of the newest event, durable or about to be.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Orders known, deals of ours and orders rejected since the start.
    #[must_use]
    pub fn counts(&self) -> (u64, u64, u64) {
        (self.orders.len() as u64, self.fills, self.rejected)
    }

    /// Symbols in which an unknown outcome, or somebody else's trade beside ours, freezes new
    /// exposure.
    #[must_use]
    pub fn frozen(&self) -> BTreeSet<Symbol> {
        self.open_orders()
            .filter(|order| order.state == OrderState::Unknown)
            .map(|order| order.symbol.clone())
            .chain(self.touched.iter().cloned())
            .chain(self.book.unexplained().cloned())
            .collect()
    }

    pub(super) fn mode(&self) -> Option<AccountMode> {
        self.book.account().map(|account| account.mode)
    }

    /// Whose a magic is, by the order it was made for.
    pub(super) fn owner(&self, magic: Magic) -> Owner {
        if let Some(order) = self.by_magic.get(&magic).and_then(|id| self.orders.get(id)) {
            return (Some(order.client.clone()), order.tag.clone());
        }
        (None, String::new())
    }

    /// The client whose slot a magic carries.
    pub(super) fn of_slot(&self, magic: Magic) -> Option<&ClientName> {
        let slot = magic.slot();
        let found = self
            .rules
            .iter()
            .find(|(_, rules)| slot != 0 && u64::from(rules.slot) == slot);
        found.map(|(name, _)| name)
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
}
