//! The shell of the orders core beside a simulated trade server: what the gateway's desk does with
//! tasks and a journal, done at once. Nothing is kept, so that everything is durable as soon as it is
//! decided.

mod days;

use super::{
    Conditions,
    ledger::Ledger,
    trades::{Told, Trades},
};
use crate::{
    portfolio::{Scope, is_refused},
    risk::PositionDeal,
    strategy::At,
    trader::{self, Account, Held, Intent, OrderUpdate, Snapshot, WorkingOrder},
};
use mymt5_guard::{ResetHour, ScopeLimits, TradingState};
use mymt5_model::{
    AccountMode, BrokerTime, BrokerZone, ClientName, Comment, DealRow, Edit, Entry, Lots, Moment,
    Money, OrderState, OrderType, PositionId, Price, RequestId, Side, Symbol, SymbolSpec, Tick,
    TimeInForce, UtcTime,
};
use mymt5_orders::{
    Answer, Asker, Call, ChangeOutcome, Command, Config, Core, Event, Exit, Found, Grant, History,
    Input, Loaded, Market, NewOrder, Now, Order, Outgoing, Position, PositionEdit, Purpose, Quote,
    ReconcileConfig, Record, judge, settled,
};
use mymt5_simulator::{SetupError, Simulator};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// Orders in flight at a time, as many as an account has at a terminal.
const IN_FLIGHT: usize = 1;
/// A quote older than this is none, for entries, milliseconds.
const QUOTE_AGE_MS: i64 = 60_000;
/// Longest time that an order may wait to be sent, milliseconds.
const QUEUE_MS: i64 = 2_000;
/// Between two comparisons with the account when nothing calls for one, milliseconds.
const COMPARE_MS: i64 = 86_400_000;
/// So many new deals call for one: the account's history must still hold them.
const COMPARE_DEALS: usize = 500;

/// The move of a price that tells what a lot gains: so far that cents are no matter.
const VALUED_MOVE: i64 = 1_000;

/// An order on its way to the trade server.
struct Flight {
    due: BrokerTime,
    outgoing: Outgoing,
}

/// What was done, counted.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// Orders that the core took, its own included.
    pub(super) orders: u64,
    /// Orders that were filled whole.
    pub(super) fills: u64,
    /// Intents that the core refused, by reason.
    pub(super) refused: BTreeMap<String, u64>,
    /// Orders that ended otherwise, by reason.
    pub(super) failed: BTreeMap<String, u64>,
    /// The account has limits.
    pub(super) limited: bool,
    /// How often each limit of losses was reached.
    pub(super) reached: BTreeMap<String, u64>,
    pub(super) trades: Trades,
    /// Each order and deal; none: nobody asked for them.
    pub(super) ledger: Option<Ledger>,
    /// The balance before the first trade.
    pub(super) initial: Money,
    pub(super) balance: Money,
    pub(super) equity: Money,
}

/// The core, the account, and what is on the way between them.
pub(super) struct Desk {
    core: Core,
    simulator: Simulator,
    specs: BTreeMap<Symbol, Arc<SymbolSpec>>,
    client: ClientName,
    mode: AccountMode,
    leverage: u32,
    latency_ms: i64,
    zone: Option<BrokerZone>,
    /// When a day of losses begins; none: they are not limited, and never measured.
    reset: Option<ResetHour>,
    /// The core's clock: the broker's wall clock, which never goes back here.
    now: Now,
    origin: Option<BrokerTime>,
    /// The second of the newest tick, since the first one.
    second: i64,
    askers: u64,
    /// Records that the core made, and that it knows to be durable.
    made: u64,
    durable: u64,
    sends: VecDeque<Outgoing>,
    flights: VecDeque<Flight>,
    events: VecDeque<trader::Event>,
    /// Changes without an answer yet, and those with one: done or not.
    changing: Vec<(Asker, RequestId)>,
    changed: VecDeque<(RequestId, bool)>,
    /// What the newest call was answered with at once.
    refused: Option<String>,
    new_deals: usize,
    book: Book,
}

impl Desk {
    /// An account in which nothing happened yet.
    pub(super) fn open(
        conditions: &Conditions,
        specs: Vec<SymbolSpec>,
    ) -> Result<Self, SetupError> {
        let specs = specs.into_iter().map(|spec| conditions.of_symbol(spec));
        let specs: Vec<SymbolSpec> = specs.collect();
        let shared = specs.iter().cloned();
        let shared = shared.map(|spec| (spec.symbol.clone(), Arc::new(spec)));
        let client = ClientName::local();
        let now = Now {
            utc: UtcTime(0),
            elapsed_ms: 0,
        };
        let loaded = Loaded {
            slots: BTreeMap::from([(client.clone(), 1)]),
            ..Loaded::default()
        };
        let simulator = Simulator::new(conditions.account.clone(), specs.clone())?;
        let initial = simulator.balance();
        let mut desk = Self {
            core: Core::new(config(&client, conditions.limits.clone()), loaded, now),
            specs: shared.collect(),
            simulator,
            client,
            mode: conditions.account.mode,
            leverage: conditions.account.leverage,
            latency_ms: conditions.latency_ms,
            zone: conditions.zone.clone(),
            reset: days::reset(conditions.limits.loss),
            now,
            origin: None,
            second: 0,
            askers: 0,
            made: 0,
            durable: 0,
            sends: VecDeque::new(),
            flights: VecDeque::new(),
            events: VecDeque::new(),
            changing: Vec::new(),
            changed: VecDeque::new(),
            refused: None,
            new_deals: 0,
            book: Book {
                initial,
                limited: conditions.is_limited(),
                trades: Trades::new(initial),
                ..Book::default()
            },
        };
        desk.step(Input::Link(true));
        desk.compare();
        desk.settle();
        Ok(desk)
    }

    /// From now on each order that ends and each deal is kept.
    pub(super) fn keep_ledger(&mut self) {
        self.book.ledger = Some(Ledger::default());
    }

    /// What a trader begins with.
    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            account_id: None,
            mode: self.mode,
            positions: Vec::new(),
            is_whole: true,
            orders: Vec::new(),
            account: Some(self.account()),
            trading_state: TradingState::Active,
        }
    }

    /// The account's figures now.
    pub(super) fn account(&self) -> Account {
        let broker = self.simulator.time();
        let zone = self.zone.as_ref();
        Account {
            balance: self.simulator.balance(),
            equity: self.simulator.equity(),
            margin: self.simulator.margin(),
            leverage: self.leverage,
            as_of: Moment {
                utc: zone.zip(broker).and_then(|(zone, time)| zone.to_utc(time)),
                broker,
            },
        }
    }

    /// Brings the next order that reaches the trade server by then to it. False: there is none.
    pub(super) fn deliver_next(&mut self, until: BrokerTime) -> bool {
        let Some(flight) = self.flights.pop_front_if(|flight| flight.due <= until) else {
            return false;
        };
        self.pass_to(flight.due);
        self.deliver(&flight.outgoing);
        self.settle();
        true
    }

    /// Moves the account to a tick, and takes what that led to.
    pub(super) fn on_tick(&mut self, tick: &Tick) {
        let new_day = self.begin_days(tick.time);
        self.set_time(tick.time);
        let new_second = self.begins_second() || new_day;
        let events = self.simulator.on_tick(tick);
        if !events.is_empty() {
            self.report(events);
        }
        self.book.trades.see(tick);
        if new_second && self.reset.is_some() {
            // What a limit wants closed is closed at the price at which it was reached.
            self.read();
            self.step(Input::Second);
        } else if new_second && self.watches() {
            self.step(Input::Second);
            self.read();
        }
        self.settle();
    }

    /// True while something depends on the time that passes.
    fn watches(&self) -> bool {
        self.core.open_orders().next().is_some()
    }

    /// The clock goes on.
    fn set_time(&mut self, time: BrokerTime) {
        let origin = *self.origin.get_or_insert(time);
        let elapsed_ms = (time.0 - origin.0).max(self.now.elapsed_ms);
        self.now = Now {
            utc: UtcTime(origin.0 + elapsed_ms),
            elapsed_ms,
        };
    }

    /// True for the first tick of a second, whatever else was done in it.
    fn begins_second(&mut self) -> bool {
        let second = self.now.elapsed_ms / 1_000;
        std::mem::replace(&mut self.second, second) != second
    }

    /// Does what a trader wants done.
    ///
    /// # Errors
    /// The reason for which the core refuses it.
    pub(super) fn take(&mut self, intent: &Intent) -> Result<(), String> {
        if self.book.limited && !matches!(intent, Intent::Close(_) | Intent::Cancel(_)) {
            // Limits judge what may add risk by the account as it is now.
            self.read();
        }
        let (method, command) = match intent {
            Intent::Submit(submit) => {
                let Some(spec) = self.specs.get(&submit.symbol).cloned() else {
                    return Err("SYMBOL_UNKNOWN".to_owned());
                };
                let order = NewOrder {
                    spec,
                    side: submit.side,
                    kind: match submit.at {
                        At::Market => OrderType::Market,
                        At::Limit(_) => OrderType::Limit,
                        At::Stop(_) => OrderType::Stop,
                    },
                    lots: submit.lots,
                    price: match submit.at {
                        At::Market => None,
                        At::Limit(price) | At::Stop(price) => Some(price),
                    },
                    stop_limit_price: None,
                    levels: submit.levels,
                    time_in_force: TimeInForce::Gtc,
                    max_deviation_points: None,
                    tag: submit.tag.clone(),
                    comment: Comment::default(),
                };
                ("SubmitOrder", Command::Submit(Ok(Box::new(order))))
            }
            Intent::Close(close) => (
                "ClosePosition",
                close_command(close.position_id, close.lots, close.tag.clone()),
            ),
            Intent::Move(change) => {
                let edit = PositionEdit {
                    stop_loss: unread(change.levels.stop_loss),
                    take_profit: unread(change.levels.take_profit),
                };
                let command = Command::ModifyPosition(change.position_id, Ok(edit));
                ("ModifyPosition", command)
            }
            Intent::Cancel(cancel) => ("CancelOrder", Command::Cancel(cancel.order_id)),
        };
        if !intent.is_order() {
            let asker = Asker(self.askers + 1);
            self.changing.push((asker, intent.request_id().clone()));
        }
        self.call(method, intent.request_id().clone(), command)
    }

    fn call(
        &mut self,
        method: &'static str,
        request_id: RequestId,
        command: Command,
    ) -> Result<(), String> {
        self.askers += 1;
        self.refused = None;
        self.step(Input::Call(Box::new(Call {
            asker: Asker(self.askers),
            client: self.client.clone(),
            control: false,
            session: None,
            request_id,
            method,
            content: [0; 32],
            trace_id: String::new(),
            send_before_ms: self.now.utc.0 + QUEUE_MS,
            not_after_ms: None,
            command,
        })));
        self.settle();
        match self.refused.take() {
            Some(reason) => {
                *self.book.refused.entry(reason.clone()).or_default() += 1;
                Err(reason)
            }
            None => Ok(()),
        }
    }

    /// Closes every position at once, at the last prices.
    pub(super) fn close_all(&mut self) {
        while let Some(flight) = self.flights.pop_front() {
            self.deliver(&flight.outgoing);
            self.settle();
        }
        self.latency_ms = 0;
        let held = self.core.book().positions();
        let held: Vec<(PositionId, String)> =
            held.map(|held| (held.row.id, held.tag.clone())).collect();
        for (position, tag) in held {
            let id = RequestId::of_number(u128::MAX - u128::from(position.0));
            // A refusal is counted, and the position stays in the equity.
            let _ = self.call("ClosePosition", id, close_command(position, None, tag));
        }
    }

    /// One step of the core, and what it leads to at once.
    fn step(&mut self, input: Input) {
        let market = Prices {
            simulator: &self.simulator,
            specs: &self.specs,
            now: self.now,
        };
        // What the core has forgotten never comes again: each id is used once, and no row is lost.
        self.core.step(self.now, input, Found::default(), &market);
        let outbox = self.core.take_outbox();
        self.made += outbox.records.len() as u64;
        self.sends.extend(outbox.sends);
        for (asker, answer) in outbox.answers {
            let of_change = self.changing.iter().position(|(of, _)| *of == asker);
            let request_id = of_change.map(|at| self.changing.swap_remove(at).1);
            if let (Answer::Change(change), Some(request_id)) = (&answer, request_id) {
                let done = change.outcome == ChangeOutcome::Done;
                self.changed.push_back((request_id, done));
            }
            if let Answer::Refused(refusal) = answer
                && asker == Asker(self.askers)
            {
                self.refused = Some(refusal.reason().name().to_owned());
            }
        }
        for record in outbox.records {
            if let Record::Event(recorded) = record {
                self.note(&recorded.event);
            }
        }
    }

    /// Sends what may leave, and makes everything durable, until nothing is left to do.
    fn settle(&mut self) {
        loop {
            // What leaves depends on nothing that is not durable yet.
            if let Some(outgoing) = self.sends.pop_front() {
                self.send(outgoing);
            } else if self.durable < self.made {
                self.durable = self.made;
                self.step(Input::Durable(self.made));
            } else {
                return;
            }
        }
    }

    fn send(&mut self, outgoing: Outgoing) {
        if self.latency_ms == 0 {
            return self.deliver(&outgoing);
        }
        let due = BrokerTime(self.now.utc.0 + self.latency_ms);
        self.flights.push_back(Flight { due, outgoing });
    }

    /// A request reaches the trade server, and its answer is back at once. It names no deals: they are
    /// told right after it, in their order, so that none is taken for one that came early.
    fn deliver(&mut self, outgoing: &Outgoing) {
        let (mut receipt, events) = self.simulator.send(&outgoing.request);
        receipt.deals.clear();
        self.step(Input::Answered {
            job: outgoing.job,
            outcome: settled(&outgoing.request, judge(receipt)),
            late: false,
        });
        self.report(events);
    }

    /// Takes what changed in the account: deals in their order, then its rows.
    fn report(&mut self, events: Vec<mymt5_simulator::Event>) {
        for event in events {
            if let mymt5_simulator::Event::Deal(deal) = event {
                self.new_deals += 1;
                self.step(Input::Deal(deal));
            }
        }
        self.read();
    }

    /// Reads the account's rows, and its history where the core wants to compare it.
    fn read(&mut self) {
        if self.new_deals >= COMPARE_DEALS || self.core.wants_pass() {
            self.compare();
        } else {
            let rows = self.rows();
            self.step(Input::Rows(rows));
        }
    }

    fn compare(&mut self) {
        self.new_deals = 0;
        let (from, to) = self.core.lookback().window(self.simulator.time());
        let (orders, deals) = self.simulator.history(from, to);
        let history = History {
            from,
            to,
            orders,
            deals,
            unreadable: Vec::new(),
        };
        let rows = self.rows();
        self.step(Input::Pass(rows, history));
    }

    fn rows(&self) -> mymt5_orders::Snapshot {
        mymt5_orders::Snapshot {
            account: self.simulator.account(),
            positions: self.simulator.positions(),
            orders: self.simulator.orders(),
            unreadable: Vec::new(),
            time: self.simulator.time(),
            begun: self.core.news(),
        }
    }

    /// Counts an event, and keeps it for the trader where it concerns it.
    fn note(&mut self, event: &Event) {
        match event {
            Event::Order(order) => {
                self.count(order);
                self.events.push_back(trader::Event::Order(update(order)));
            }
            Event::Deal { deal, order, tag } => {
                let order = order.and_then(|id| self.core.order(id));
                let told = Told {
                    strategy: tag,
                    stop: order.and_then(|order| order.levels.stop_loss),
                    value: self.value_of(deal),
                };
                self.book.trades.add(deal, &told);
                if let Some(ledger) = &mut self.book.ledger {
                    ledger.deal(deal, tag);
                }
                self.events.extend(dealt(deal));
            }
            Event::Position(position) => {
                let held = trader::Event::PositionChanged(held(position));
                self.events.push_back(held);
            }
            Event::PositionClosed(position) => {
                let row = &position.row;
                let made = row.profit + row.swap;
                let closed = trader::Event::PositionClosed(row.id, Some(made));
                self.events.push_back(closed);
            }
            Event::TradingState(client, state, _) => {
                let scope = Scope::of(client.as_ref().map_or("", ClientName::as_str));
                let entered = trader::Event::TradingState(scope, *state);
                self.events.push_back(entered);
            }
            Event::LimitLatched(_, limit) => {
                *self.book.reached.entry(limit.clone()).or_default() += 1;
            }
            _ => {}
        }
    }

    /// What one lot of a deal that closes gains when its price rises by 1.
    fn value_of(&self, deal: &DealRow) -> Option<f64> {
        if deal.entry == Some(Entry::In) {
            return None;
        }
        let symbol = deal.symbol.as_ref()?;
        let price = deal.price?;
        let far = VALUED_MOVE * 10i64.pow(u32::from(price.digits()));
        let lot = Lots::from_units(Lots::SCALE);
        let opened = price.moved(-far);
        let made = self
            .simulator
            .profit_for(symbol, Side::Buy, lot, opened, price)?;
        Some(made.to_f64() / VALUED_MOVE as f64)
    }

    fn count(&mut self, order: &Order) {
        if order.state.is_final()
            && let Some(ledger) = &mut self.book.ledger
        {
            ledger.order(order);
        }
        if order.state == OrderState::Filled {
            self.book.fills += 1;
        } else if order.state.is_final() {
            let reason = self.book.failed.entry(order.reason.clone());
            *reason.or_default() += 1;
        }
    }

    /// The next event for the trader.
    pub(super) fn next_event(&mut self) -> Option<trader::Event> {
        self.events.pop_front()
    }

    /// The next change that ended, done or not.
    pub(super) fn next_change(&mut self) -> Option<(RequestId, bool)> {
        self.changed.pop_front()
    }

    /// The specifications with the value that a tick has now.
    pub(super) fn value(&mut self) -> Vec<SymbolSpec> {
        let specs = self.simulator.symbols();
        let shared = specs.iter().cloned();
        let shared = shared.map(|spec| (spec.symbol.clone(), Arc::new(spec)));
        self.specs = shared.collect();
        specs
    }

    pub(super) fn equity(&self) -> Money {
        self.simulator.equity()
    }

    pub(super) const fn balance(&self) -> Money {
        self.simulator.balance()
    }

    pub(super) const fn time(&self) -> Option<BrokerTime> {
        self.simulator.time()
    }

    pub(super) fn into_book(self) -> Book {
        Book {
            orders: self.core.counts().0,
            balance: self.simulator.balance(),
            equity: self.simulator.equity(),
            ..self.book
        }
    }
}

fn config(client: &ClientName, limits: ScopeLimits) -> Config {
    Config {
        grants: BTreeMap::from([(client.clone(), Grant::default())]),
        account: limits,
        reconcile: ReconcileConfig {
            between_passes_ms: 0,
            period_ms: COMPARE_MS,
            ..ReconcileConfig::default()
        },
        max_in_flight: IN_FLIGHT,
        max_quote_age_ms: QUOTE_AGE_MS,
    }
}

/// The close of a position, or of so many lots of it.
fn close_command(position: PositionId, lots: Option<Lots>, tag: String) -> Command {
    Command::Close(Ok(Exit {
        position,
        lots: lots.map(Lots::to_f64),
        max_deviation_points: None,
        tag,
        comment: Comment::default(),
    }))
}

fn update(order: &Order) -> OrderUpdate {
    OrderUpdate {
        request_id: Some(order.request_id.clone()),
        closes: match order.purpose {
            Purpose::Exit(position) => Some(position),
            Purpose::Entry => None,
        },
        state: order.state,
        filled: order.filled,
        refused: is_refused(order.state, &order.reason, order.retcode),
        working: working(order),
    }
}

/// An order that waits for its price.
fn working(order: &Order) -> Option<WorkingOrder> {
    use OrderState::{PartiallyFilled, Working};
    let waits = matches!(order.state, Working | PartiallyFilled)
        && order.purpose == Purpose::Entry
        && order.kind != OrderType::Market;
    waits.then(|| WorkingOrder {
        order_id: order.id,
        request_id: order.request_id.clone(),
        symbol: order.symbol.clone(),
        side: order.side,
        kind: order.kind,
        lots: order.lots,
        price: order.price,
        levels: order.levels,
        tag: order.tag.clone(),
    })
}

/// As a request has it: the core reads prices itself.
fn unread(edit: Edit<Price>) -> Edit<f64> {
    match edit {
        Edit::Keep => Edit::Keep,
        Edit::Remove => Edit::Remove,
        Edit::Set(price) => Edit::Set(price.to_f64()),
    }
}

fn held(position: &Position) -> Held {
    let row = &position.row;
    Held {
        position_id: row.id,
        symbol: row.symbol.clone(),
        side: row.side,
        lots: row.lots,
        open_price: Some(row.open_price),
        opened: Some(row.opened),
        levels: row.levels,
        tag: position.tag.clone(),
    }
}

/// What a trader learns by a deal; none: it is of no position.
fn dealt(deal: &DealRow) -> Option<trader::Event> {
    let read = deal.entry.map(|entry| PositionDeal {
        entry,
        lots: deal.lots,
        made: deal.profit + deal.swap,
    });
    Some(trader::Event::Deal(deal.position_id?, read))
}

/// The market as a step of the core sees it.
struct Prices<'a> {
    simulator: &'a Simulator,
    specs: &'a BTreeMap<Symbol, Arc<SymbolSpec>>,
    now: Now,
}

impl Market for Prices<'_> {
    fn quote(&self, symbol: &Symbol) -> Option<Quote> {
        let tick = self.simulator.quote(symbol)?;
        Some(Quote {
            tick: Arc::new(tick.clone()),
            age_ms: self.now.utc.0 - tick.time.0,
        })
    }

    fn spec(&self, symbol: &Symbol) -> Option<Arc<SymbolSpec>> {
        self.specs.get(symbol).cloned()
    }
}
