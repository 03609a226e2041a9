//! The core: its parts, the step, and what may be read of it.

use crate::{
    Adoption, Answer, Asker, Book, Call, Found, Grant, Input, Job, Loaded, Lookback, Market,
    Notice, Order, Outbox, ReconcileConfig, Record, RequestKey, StateRow, Subject, Wanted,
    book::Owner,
    broker::{History, RowKind, Snapshot},
    calls::Command,
    canceled::Canceled,
    changes::Changes,
    closed_markets::ClosedMarkets,
    flatten::Attempts,
    foreign::Foreign,
    grants::Clients,
    ledger::Ledger,
    losses::Losses,
    orders::{Orders, reason},
    outbox::Out,
    queue::Queue,
    reconcile::{Known, Reconciliation},
    requests::Requests,
    sessions::Sessions,
    states::TradingStates,
    time::Now,
};
use mymt5_guard::{Limits, LossSettings, LossState, ScopeLimits, TradingState};
use mymt5_model::{
    BrokerTime, ClientName, DealReason, DealRow, Lots, Magic, OrderId, OrderRow, OrderState,
    PositionId, Price, Reason, Refusal, RequestId, Side, Symbol, Ticket,
};
use std::collections::BTreeMap;

/// What a core is made with.
#[derive(Clone, Debug)]
pub struct Config {
    /// What each client may do.
    pub grants: BTreeMap<ClientName, Grant>,
    /// The account's own limits.
    pub account: ScopeLimits,
    /// How long it waits.
    pub reconcile: ReconcileConfig,
    /// Requests that the broker takes at a time.
    pub max_in_flight: usize,
    /// A quote older than this is none, for entries, milliseconds.
    pub max_quote_age_ms: i64,
}

/// The orders core.
#[derive(Debug)]
pub struct Core {
    pub(crate) out: Out,
    pub(crate) found: Found,
    pub(crate) orders: Orders,
    pub(crate) requests: Requests,
    pub(crate) queue: Queue,
    pub(crate) changes: Changes,
    pub(crate) book: Book,
    pub(crate) clients: Clients,
    pub(crate) account_limits: Limits,
    pub(crate) losses: Losses,
    pub(crate) states: TradingStates,
    pub(crate) attempts: Attempts,
    pub(crate) sessions: Sessions,
    pub(crate) closed: ClosedMarkets,
    pub(crate) foreign: Foreign,
    pub(crate) reconciliation: Reconciliation,
    /// Who waits for the broker's word on an order.
    pub(crate) waiting: BTreeMap<OrderId, Vec<Asker>>,
    /// Answers of the broker and fills so far: shows which rows were read before one.
    pub(crate) news: u64,
    /// The news when the reading of the newest rows began.
    pub(crate) rows_begun: u64,
    /// Fills of entries that rows may lack.
    pub(crate) filled_since: Vec<Filled>,
    /// Under which magic positions were opened, by the orders of the history that is being taken: the
    /// deals that did it may be lacking.
    pub(crate) openers: BTreeMap<PositionId, Magic>,
    /// Orders whose cancellation was confirmed, until it is known what they filled before.
    pub(crate) canceled: Canceled,
    /// Orders that the broker has, and until when each had to leave.
    pub(crate) in_flight: BTreeMap<OrderId, i64>,
    pub(crate) link_up: bool,
    pub(crate) draining: bool,
    pub(crate) max_quote_age_ms: i64,
}

/// A fill of an entry that the broker's rows may lack: neither its lots nor, before they were read,
/// its margin are in them yet. The order may be over, and not in memory any more.
#[derive(Clone, Debug)]
pub(crate) struct Filled {
    /// When it came, or the start that recalled it, on the clock that never goes back.
    pub(crate) at: i64,
    /// Rows were read since.
    pub(crate) read: bool,
    pub(crate) client: ClientName,
    pub(crate) symbol: Symbol,
    pub(crate) side: Side,
    pub(crate) price: Option<Price>,
    pub(crate) deal: Ticket,
    pub(crate) position: Option<PositionId>,
    pub(crate) lots: Lots,
    /// Its order's stop loss, which rows that lack it may not have on the position; none: it had
    /// none, or it is recalled.
    pub(crate) stop_loss: Option<Price>,
    /// A start took it from the journal: its order's stop loss is not known any more.
    pub(crate) recalled: bool,
    /// By which news it came.
    pub(crate) news: u64,
}

impl Core {
    /// A core that knows what its journal knows. Entries are refused until the link is up and the
    /// broker was compared with it. What was on its way when the process ended is UNKNOWN.
    #[must_use]
    pub fn new(config: Config, loaded: Loaded, now: Now) -> Self {
        let clients = Clients::new(loaded.slots, config.grants, loaded.recent_entries, now);
        let ledger = Ledger::new(loaded.ledger, loaded.mode);
        let losses = Losses::new(
            config.account.loss,
            clients.losses(),
            loaded.losses,
            &loaded.recent_deals,
            ledger,
        );
        let deals = loaded.deals.iter().map(|owned| &owned.deal);
        let mut core = Self {
            out: Out::new(now, loaded.sequence),
            found: Found::default(),
            orders: Orders::new(loaded.orders, loaded.last_order),
            requests: Requests::new(loaded.requests.clone()),
            queue: Queue::new(config.max_in_flight),
            changes: Changes::default(),
            book: Book::new(loaded.positions, deals, loaded.mode, loaded.disagreements),
            clients,
            account_limits: config.account.entry,
            losses,
            states: TradingStates::new(loaded.states),
            attempts: Attempts::default(),
            sessions: Sessions::new(config.reconcile.lease),
            closed: ClosedMarkets::default(),
            foreign: Foreign::new(loaded.frozen),
            reconciliation: Reconciliation::new(
                config.reconcile,
                Known {
                    deals: loaded.newest_deals,
                    archived: loaded.archived,
                    orphan_deals: loaded.orphan_deals,
                    accepted: loaded.accepted_unreadable,
                    compared: loaded.compared,
                },
            ),
            waiting: BTreeMap::new(),
            news: 0,
            rows_begun: 0,
            filled_since: Vec::new(),
            openers: BTreeMap::new(),
            canceled: Canceled::default(),
            in_flight: BTreeMap::new(),
            link_up: false,
            draining: false,
            max_quote_age_ms: config.max_quote_age_ms,
        };
        core.mark_inflight_unknown(loaded.requests);
        core.recall_fills(&loaded.recent_deals, loaded.compared);
        core.recall_orphan_fills(&loaded.recent_deals);
        core.claim_positions();
        core.orders.flush(&mut core.out);
        core
    }

    /// What was on its way when the process ended may have arrived: only evidence decides.
    fn mark_inflight_unknown(&mut self, requests: Vec<crate::Request>) {
        let flying = |order: &Order| matches!(order.state, OrderState::Accepted | OrderState::Sent);
        for id in self.orders.open_ids(flying) {
            self.orders
                .change(id, OrderState::Unknown, &mut self.out, |order| {
                    reason::OUTCOME_UNKNOWN.clone_into(&mut order.reason);
                });
        }
        for request in requests {
            self.resume_change(request);
        }
        // No cancellation is on its way any more.
        for id in self.orders.open_ids(|order| order.cancel_pending) {
            if let Some(state) = self.orders.get(id).map(|order| order.state) {
                self.orders.change(id, state, &mut self.out, |order| {
                    order.cancel_pending = false;
                });
            }
        }
    }

    /// One step: learns or is asked one thing, at that time. `found` holds what [`Core::wanted`]
    /// asked for. Everything that follows is in the outbox.
    pub fn step(&mut self, now: Now, input: Input, found: Found, market: &dyn Market) {
        self.out.now = now;
        self.recall(&found);
        self.found = found;
        self.queue.resume();
        self.take(input, market);
        self.finish(market);
        self.found = Found::default();
    }

    /// What the last steps led to.
    pub fn take_outbox(&mut self) -> Outbox {
        self.out.take()
    }

    fn take(&mut self, input: Input, market: &dyn Market) {
        match input {
            Input::Call(call) => self.call(*call, market),
            Input::GiveUp(asker) => self.give_up(asker),
            Input::Heartbeat {
                asker,
                client,
                session,
                leaving,
            } => self.heartbeat(asker, client, &session, leaving),
            Input::Check {
                asker,
                client,
                order,
                figures,
            } => {
                let answer = match order {
                    Ok(order) => Answer::Check(self.check(&client, &order, figures, market)),
                    Err(refusal) => Answer::Refused(refusal),
                };
                self.out.answer(asker, answer);
            }
            Input::Durable(records) => self.queue.durable(records),
            Input::Answered { job, outcome, late } => self.answered(job, outcome, late),
            Input::Deal(deal) => {
                self.on_told_deal(deal);
                self.measure();
            }
            Input::Rows(snapshot) => self.on_rows(snapshot),
            Input::Pass(snapshot, history) => self.on_pass(snapshot, history),
            Input::Link(up) => self.link(up),
            Input::Unreadable(unreadable) => self.reconciliation.unreadable = unreadable,
            Input::SymbolChanged(symbol) => self.closed.reopen(&symbol),
            Input::Announce(event) => self.out.emit("", crate::Audience::All, event),
            Input::Denied(denial) => self.out.record(Record::Denial(denial)),
            Input::SyncSoon => self.reconciliation.sync_soon(),
            Input::Second => self.second(market),
            Input::Grants(grants, account) => self.regrant(grants, *account),
            Input::Drain => self.draining = true,
            Input::Stop => self.stop_sending(),
        }
    }

    /// The end of a step: what changed is recorded, who waited is answered, what may leave leaves.
    fn finish(&mut self, market: &dyn Market) {
        if let Some(orphans) = self.reconciliation.take_orphan_deals() {
            self.out.record(Record::OrphanDeals(orphans));
        }
        if let Some(all) = self.book.take_disagreements() {
            self.out.record(Record::Disagreements(all));
        }
        loop {
            self.answer_orders();
            self.orders.flush(&mut self.out);
            self.requests.flush(&self.out);
            self.queue.seal(self.out.recorded);
            if !self.send_ready(market) {
                break;
            }
        }
        let durable = self.queue.is_durable();
        let waiting = &self.waiting;
        self.orders.forget(durable, |id| waiting.contains_key(&id));
        self.requests.forget(durable);
    }

    /// Takes what was looked up into memory.
    fn recall(&mut self, found: &Found) {
        for order in found.orders.values() {
            self.orders.recall(order.clone());
        }
        for (id, deals) in &found.positions {
            if !self.book.knows(*id) {
                deals.iter().for_each(|owned| self.book.recall(&owned.deal));
            }
        }
    }

    /// What must be looked up before a step with this input.
    #[must_use]
    pub fn wanted(&self, input: &Input) -> Wanted {
        let mut wanted = Wanted::default();
        match input {
            Input::Call(call) => self.want_call(call, &mut wanted),
            Input::Answered { job, outcome, .. } => {
                let order = match job {
                    Job::Order(id) => Some(*id),
                    Job::Change(id) => self.changes.get(*id).and_then(|of| of.target.order()),
                };
                self.want_order(order, &mut wanted);
                if let Ok(receipt) = outcome {
                    self.want_deals(&receipt.deals, &mut wanted);
                }
            }
            Input::Deal(deal) => self.want_deals(std::slice::from_ref(deal), &mut wanted),
            Input::Rows(snapshot) => self.want_rows(snapshot, &mut wanted),
            Input::Pass(snapshot, History { deals, .. }) => {
                self.want_rows(snapshot, &mut wanted);
                self.want_deals(deals, &mut wanted);
            }
            _ => {}
        }
        wanted
    }

    fn want_call(&self, call: &Call, wanted: &mut Wanted) {
        let key = call.key();
        match self.requests.subject(&key) {
            None => drop(wanted.requests.insert(key)),
            Some(Subject::Order(id)) => self.want_order(Some(*id), wanted),
            Some(_) => {}
        }
        match &call.command {
            Command::Cancel(id) | Command::ModifyOrder(id, _) => {
                self.want_order(Some(*id), wanted);
            }
            Command::Resolve { order, .. } => self.want_order(Some(*order), wanted),
            Command::Adopt {
                what: Adoption::Order(ticket),
                ..
            } => self.want_orphan(*ticket, wanted),
            _ => {}
        }
    }

    /// What an orphan order did so far, and the order that may have its number.
    fn want_orphan(&self, ticket: Ticket, wanted: &mut Wanted) {
        if let Some(row) = self.reconciliation.orphan_orders.get(&ticket) {
            self.want_magic(row.magic, wanted);
            wanted.positions.insert(position_of(row));
        }
    }

    fn want_order(&self, id: Option<OrderId>, wanted: &mut Wanted) {
        let unknown = id.filter(|id| self.orders.get(*id).is_none());
        wanted.orders.extend(unknown);
    }

    fn want_magic(&self, magic: Magic, wanted: &mut Wanted) {
        if self.clients.of_magic(magic).is_some() {
            self.want_order(Some(OrderId(magic.counter())), wanted);
        }
    }

    fn want_deals(&self, deals: &[DealRow], wanted: &mut Wanted) {
        for deal in deals {
            if self.reconciliation.knows(deal.ticket) {
                continue;
            }
            wanted.deals.insert(deal.ticket);
            if deal.reason == DealReason::Expert {
                self.want_magic(deal.magic, wanted);
            }
            let position = deal.position_id.filter(|id| !self.book.knows(*id));
            wanted.positions.extend(position);
        }
    }

    fn want_rows(&self, snapshot: &Snapshot, wanted: &mut Wanted) {
        for row in &snapshot.orders {
            let orphan = self.reconciliation.orphan_orders.contains_key(&row.ticket);
            if self.orders.by_ticket(row.ticket).is_none() && !orphan {
                self.want_magic(row.magic, wanted);
            }
        }
        for row in &snapshot.positions {
            if !self.book.knows(row.id) {
                wanted.positions.insert(row.id);
            }
            let held = self.book.position(row.id);
            if held.is_none_or(|held| held.row.magic != row.magic) {
                self.want_magic(row.magic, wanted);
            }
        }
    }

    /// Answers of the broker and fills so far: a reading that begins now has seen their effects.
    #[must_use]
    pub const fn news(&self) -> u64 {
        self.news
    }

    /// True while the link is up.
    #[must_use]
    pub const fn link_is_up(&self) -> bool {
        self.link_up
    }

    /// An order in memory: those that are not settled, and the last that ended.
    #[must_use]
    pub fn order(&self, id: OrderId) -> Option<&Order> {
        self.orders.get(id)
    }

    /// The order that a call made, where both are in memory.
    #[must_use]
    pub fn order_of_request(&self, client: &ClientName, request: &RequestId) -> Option<&Order> {
        let key = RequestKey(client.clone(), request.clone());
        match self.requests.subject(&key)? {
            Subject::Order(id) => self.order(*id),
            _ => None,
        }
    }

    /// Orders that are not settled, by id.
    pub fn open_orders(&self) -> impl Iterator<Item = &Order> {
        self.orders.open()
    }

    /// Account and positions.
    #[must_use]
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// Sequence of the newest event, durable or about to be.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.out.sequence
    }

    /// Orders taken, deals of ours and orders rejected since the start.
    #[must_use]
    pub fn counts(&self) -> (u64, u64, u64) {
        let rejected = self.outcomes(OrderState::Rejected);
        (self.orders.taken, self.orders.fills, rejected)
    }

    /// Whether these can be granted.
    ///
    /// # Errors
    /// `RELOAD_REFUSED`: more new clients than free slots.
    pub fn check_grants(&self, grants: &BTreeMap<ClientName, Grant>) -> Result<(), Refusal> {
        self.clients.check(grants)
    }

    /// The account's trading state.
    #[must_use]
    pub fn account_state(&self) -> TradingState {
        self.states.of(&None)
    }

    /// What binds a client: the stricter of its own state and the account's.
    #[must_use]
    pub fn state_of(&self, client: &ClientName) -> TradingState {
        self.states.binding(client)
    }

    /// The states that are not ACTIVE, with their reasons.
    pub fn restrictions(&self) -> impl Iterator<Item = &StateRow> {
        self.states.restrictions()
    }

    /// Clients whose process spoke since the start and did not leave, and how long ago it last spoke
    /// as of the last step, milliseconds.
    #[must_use]
    pub fn last_spoke(&self) -> Vec<(ClientName, i64)> {
        let spoke = self.sessions.last_spoke(self.out.now);
        spoke.map(|(client, ago)| (client.clone(), ago)).collect()
    }

    /// How a scope's losses stand: its limits, and what they are measured from.
    #[must_use]
    pub fn losses_of(&self, scope: &Option<ClientName>) -> Option<(LossSettings, &LossState)> {
        self.losses.of(scope)
    }

    /// True while the account cannot be read, though the link is up.
    #[must_use]
    pub const fn is_unreadable(&self) -> bool {
        self.reconciliation.unreadable
    }

    /// True when the broker should be compared again: rows and history.
    #[must_use]
    pub fn wants_pass(&self) -> bool {
        let past = &self.reconciliation.unread_past;
        let deals_hidden = past.may_hide(RowKind::Deal, None);
        let unsettled = self.orders.open().any(needs_evidence)
            || self.losses.wants_pass(deals_hidden)
            || self.book.is_doubtful()
            || self.canceled.wants_pass();
        self.reconciliation.wants_pass(unsettled, self.out.now)
    }

    /// True while something waits to be sent.
    #[must_use]
    pub fn has_unsent(&self) -> bool {
        self.queue.len() > 0
    }

    /// How far back the next pass must read.
    #[must_use]
    pub fn lookback(&self) -> Lookback {
        let needy = self.orders.open().filter(|order| {
            let missing = order.works() && self.reconciliation.is_missed(order.id);
            needs_evidence(order) || missing
        });
        let since = needy.map(|order| self.unseen_since(order));
        self.reconciliation.lookback(since.min())
    }

    /// Since when evidence of an order may be found that went unseen: since it was last listed as
    /// working, by the newest complete pass at the latest, or else since it was taken.
    fn unseen_since(&self, order: &Order) -> BrokerTime {
        let listed = self.orders.listed(order.id).and_then(|at| at.time);
        let compared = self.reconciliation.complete().filter(|_| order.works());
        // What was taken while the broker's clock was not known may be of any time.
        let taken = order.created.broker.unwrap_or(BrokerTime(0));
        listed.or(compared).map_or(taken, |seen| seen.max(taken))
    }

    /// Everything that is held in memory, to check that it stays bounded.
    #[must_use]
    pub fn in_memory(&self) -> usize {
        let waiting = self.waiting.values();
        self.orders.in_memory()
            + self.requests.in_memory()
            + self.queue.len()
            + self.changes.in_memory()
            + self.book.in_memory()
            + self.losses.in_memory()
            + self.attempts.in_memory()
            + self.closed.in_memory()
            + self.foreign.frozen().count()
            + self.reconciliation.in_memory()
            + waiting.map(|askers| 1 + askers.len()).sum::<usize>()
            + self.filled_since.len()
            + self.canceled.len()
            + self.in_flight.len()
    }

    /// Answers all who wait for an order on which the broker's word is known. While its answer
    /// is on the way, a part that is done is not all of it: a deal may come first.
    fn answer_orders(&mut self) {
        let is_known = |id: &OrderId, order: &Order| {
            let is_part = order.state == OrderState::PartiallyFilled;
            order.is_answered() && !(is_part && self.in_flight.contains_key(id))
        };
        let waiting = self.waiting.keys().copied();
        let answered: Vec<OrderId> = waiting
            .filter(|id| self.orders.get(*id).is_none_or(|order| is_known(id, order)))
            .collect();
        for id in answered {
            for asker in self.waiting.remove(&id).unwrap_or_default() {
                self.answer_order(asker, id);
            }
        }
    }

    pub(crate) fn answer_order(&mut self, asker: Asker, id: OrderId) {
        match self.orders.get(id) {
            Some(order) => {
                let order = Box::new(order.clone());
                self.out.answer(asker, Answer::Order(order));
            }
            None => self.out.refuse(asker, Refusal::new(Reason::Internal)),
        }
    }

    /// The asker waits no longer: the answer is what is known by now.
    fn give_up(&mut self, asker: Asker) {
        let waited = self.waiting.iter_mut().find_map(|(id, askers)| {
            let before = askers.len();
            askers.retain(|waiting| *waiting != asker);
            (askers.len() != before).then_some(*id)
        });
        self.waiting.retain(|_, askers| !askers.is_empty());
        if let Some(id) = waited {
            self.answer_order(asker, id);
        } else if let Some(id) = self.changes.give_up(asker) {
            self.answer_change(asker, id);
        }
    }

    /// The link came up or went down. Nothing counts that was not seen throughout.
    fn link(&mut self, up: bool) {
        if !up {
            self.reconciliation.lost();
            self.book.lose();
        } else if !self.link_up {
            self.changes.restart_grace(self.out.now.elapsed_ms);
            self.canceled.restart_grace(self.out.now.elapsed_ms);
            self.attempts.forget_pauses();
        }
        self.link_up = up;
    }

    fn regrant(&mut self, grants: BTreeMap<ClientName, Grant>, account: ScopeLimits) {
        if let Err(refusal) = self.clients.regrant(grants, &mut self.out) {
            self.out.notice(Notice::NotGranted(refusal.to_string()));
            return;
        }
        self.account_limits = account.entry;
        self.losses.regulate(None, account.loss);
        let clients: Vec<_> = self
            .clients
            .losses()
            .map(|(name, loss)| (name.clone(), loss))
            .collect();
        for (name, loss) in clients {
            self.losses.regulate(Some(name), loss);
        }
        self.claim_positions();
    }

    /// A slot may be given after positions in it were reported, as where a restored journal is
    /// older than the client: they are its orphans from now on.
    fn claim_positions(&mut self) {
        let owners = Owners::of(&self.orders, &self.clients);
        let claimed = self.book.claim(|magic| owners.of_magic(magic));
        for change in claimed {
            self.emit_position(change, "");
        }
    }

    /// Takes a reading that waited for its deals, if they are there; acts on what is breached.
    pub(crate) fn measure(&mut self) {
        let book = &self.book;
        let floating = |client: &ClientName| {
            let own = book.positions();
            let own = own.filter(|held| held.client.as_ref() == Some(client));
            let sum = own.map(|held| held.row.profit + held.row.swap).sum();
            book.is_settled(Some(client)).then_some(sum)
        };
        let compared = self.reconciliation.compared;
        let breached = self.losses.measure(compared, floating, &mut self.out);
        for (scope, breach) in breached {
            self.act_on(scope, breach);
        }
        self.lift();
    }
}

/// Finds whose a row of the broker is.
#[derive(Clone, Copy)]
pub(crate) struct Owners<'a> {
    orders: &'a Orders,
    clients: &'a Clients,
}

impl<'a> Owners<'a> {
    pub(crate) const fn of(orders: &'a Orders, clients: &'a Clients) -> Self {
        Self { orders, clients }
    }

    /// The owner of a row with that magic.
    pub(crate) fn of_magic(self, magic: Magic) -> Owner {
        let client = self.clients.of_magic(magic).cloned();
        match self.orders.by_magic(magic) {
            Some(order) => Owner {
                client: Some(order.client.clone()),
                tag: order.tag.clone(),
                orphan: false,
            },
            None => Owner {
                orphan: client.is_some(),
                client,
                tag: String::new(),
            },
        }
    }
}

/// The position that an order opened or changed, or else the one that it opens: it has the order's
/// number.
pub(crate) fn position_of(row: &OrderRow) -> PositionId {
    row.position_id.unwrap_or(PositionId(row.ticket.0))
}

/// True for an order whose end only evidence can show.
fn needs_evidence(order: &Order) -> bool {
    let acknowledged = order.state == OrderState::Sent && order.retcode.is_some();
    order.state == OrderState::Unknown || acknowledged
}
