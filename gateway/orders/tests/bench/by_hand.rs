//! Scenes that many tests begin with, and what a test does to a core, each in one line.

use super::{
    Shell,
    rows::*,
    shell::{BROKER_START, START},
};
use mymt5_guard::{Limits, ScopeLimits, TradingState};
use mymt5_model::{
    AccountRow, BrokerTime, ClientName, DealRow, Entry, Magic, OrderId, OrderRow, OrderState,
    PositionId, PositionRow, Reason, Receipt, Retcode, RowState, Ticket,
};
use mymt5_orders::{
    Answer, Asker, ChangeOutcome, Command, Config, Event, Grant, History, Input, Job, NewOrder,
    Notice, ObstacleKind, Order, Outgoing, RequestKey, SendFailure, Snapshot, Subject,
};
use std::collections::BTreeMap;

/// A core without limits whose link is up and whose account was compared: empty.
pub fn ready() -> Shell {
    let mut shell = fresh();
    shell.connect();
    shell
}

/// The same with limits of entries: of the clients, and of the account.
pub fn ready_with(clients: Limits, account: Limits) -> Shell {
    let mut shell = limited(entry_limits(clients), entry_limits(account));
    shell.connect();
    shell
}

/// The same with what that does to its configuration.
pub fn ready_by(configure: impl FnOnce(&mut Config)) -> Shell {
    let known = fresh();
    let mut config = known.config;
    configure(&mut config);
    let mut shell = Shell::start(config, known.disk, known.now, known.prices);
    shell.connect();
    shell
}

/// The same as [`ready`] where alpha holds position 1: 0.1 lots long, opened at 1.10010.
pub fn holding() -> Shell {
    let mut shell = ready();
    shell.hold("alpha", 1, 0.1);
    shell
}

/// Alpha's position of [`holding`].
pub const HELD: PositionId = PositionId(1);

/// A broker's word on what it did: the ticket of the order made, and no deal yet.
pub fn receipt(retcode: Retcode, ticket: u64) -> Receipt {
    Receipt {
        order: Some(Ticket(ticket)),
        ..Receipt::bare(retcode)
    }
}

/// An answer that was lost on its way.
pub fn lost() -> SendFailure {
    SendFailure::Unknown("lost".to_owned())
}

/// A broker's refusal.
pub fn rejected(retcode: Retcode) -> SendFailure {
    SendFailure::Rejected(retcode)
}

/// A call for a new order.
pub fn submit(order: NewOrder) -> Command {
    Command::Submit(Ok(Box::new(order)))
}

/// A close of that position; none: of all of it.
pub fn close(position: PositionId, lots: Option<f64>) -> Command {
    Command::Close(Ok(exit(position.0, lots)))
}

/// A trading state of a client, or (none) of the account.
pub fn state(scope: Option<&str>, state: TradingState) -> Command {
    Command::SetState {
        scope: scope.map(name),
        state,
        reason: "test".to_owned(),
    }
}

/// A flatten of a client, or (none) of the account.
pub fn flatten(scope: Option<&str>, include_foreign: bool) -> Command {
    Command::Flatten {
        scope: scope.map(name),
        include_foreign,
        reason: "test".to_owned(),
    }
}

/// The deal that fills all of an order; it opens, or adds to, that position.
pub fn fill(ticket: u64, position: u64, order: &Order) -> DealRow {
    let units = order.lots.units();
    let price = order.price.map_or(110_010, |price| price.points());
    DealRow {
        magic: order.magic,
        ..deal(ticket, position, order.side, Entry::In, units, price)
    }
}

/// The row of a working order, as the core knows it.
pub fn order_row(order: &Order) -> OrderRow {
    OrderRow {
        ticket: order.ticket.unwrap_or(Ticket(order.id.0)),
        position_id: order.position,
        magic: order.magic,
        symbol: order.symbol.clone(),
        side: order.side,
        kind: order.kind,
        state: RowState::Placed,
        lots: order.lots,
        lots_left: order.lots_open(),
        price: order.price,
        stop_limit_price: order.stop_limit_price,
        levels: order.levels,
        time_in_force: order.time_in_force,
        created: BROKER_START,
        done: None,
        comment: String::new(),
    }
}

impl Shell {
    /// Both clocks go on to so many milliseconds after the start of the wall clock.
    pub fn at(&mut self, ms: i64) {
        self.pass(START.utc.0 + ms - self.now.utc.0);
    }

    /// The link comes up, and the broker has just what is known.
    pub fn connect(&mut self) {
        self.feed(Input::Link(true));
        self.compare();
    }

    /// Another process starts, is quoted the prices that were, and compares.
    pub fn restart_and_connect(&mut self) {
        self.restart();
        self.quote_again();
        self.connect();
    }

    /// The prices that were are quoted now.
    pub fn quote_again(&mut self) {
        let ticks = self.prices.ticks.values_mut();
        ticks.for_each(|(_, at)| *at = self.now.elapsed_ms);
    }

    /// A complete pass in which the broker has just what is known.
    pub fn compare(&mut self) {
        let (rows, history) = (self.known_rows(), self.known_history());
        self.feed(Input::Pass(rows, history));
    }

    /// The same with that account.
    pub fn compare_account(&mut self, account: AccountRow) {
        let rows = Snapshot {
            account,
            ..self.known_rows()
        };
        let history = self.known_history();
        self.feed(Input::Pass(rows, history));
    }

    /// Rows with the positions and working orders that are known.
    pub fn known_rows(&self) -> Snapshot {
        let working = self.core.open_orders().filter(|order| order.works());
        Snapshot {
            positions: self.positions(),
            orders: working.map(order_row).collect(),
            ..rows(self)
        }
    }

    /// The positions that are known.
    pub fn positions(&self) -> Vec<PositionRow> {
        let held = self.core.book().positions();
        held.map(|held| held.row.clone()).collect()
    }

    /// One of them.
    pub fn position(&self, id: PositionId) -> PositionRow {
        self.core.book().position(id).unwrap().row.clone()
    }

    /// A history with the deals that are known.
    pub fn known_history(&self) -> History {
        let deals = self.disk.deals.values();
        History {
            deals: deals.map(|owned| owned.deal.clone()).collect(),
            ..history()
        }
    }

    /// A complete pass at that time in which the broker has the positions that are known, and no
    /// order; the known deals, and these.
    pub fn pass_without_orders(&mut self, at: i64, deals: Vec<DealRow>) {
        self.at(at);
        let rows = Snapshot {
            orders: Vec::new(),
            ..self.known_rows()
        };
        let mut history = self.known_history();
        history.deals.extend(deals);
        self.feed(Input::Pass(rows, history));
    }

    /// Makes a call; everything that follows from it is durable. The answer, where it is there by
    /// then.
    pub fn ask(&mut self, client: &str, id: &str, command: Command) -> Option<Answer> {
        let asker = self.step_call(client, id, command);
        self.settle();
        self.answer_to(asker)
    }

    /// Makes a call of which nothing is durable yet.
    pub fn step_call(&mut self, client: &str, id: &str, command: Command) -> Asker {
        let call = call(self, client, id, command);
        let asker = call.asker;
        self.step(Input::Call(Box::new(call)));
        asker
    }

    /// The newest answer to who asked.
    pub fn answer_to(&self, asker: Asker) -> Option<Answer> {
        let mut answers = self.answers.iter().rev();
        let (_, answer) = answers.find(|(of, _)| *of == asker)?;
        Some(answer.clone())
    }

    /// Why a call is refused; none: it is not.
    pub fn refusal(&mut self, client: &str, id: &str, command: Command) -> Option<Reason> {
        match self.ask(client, id, command)? {
            Answer::Refused(refusal) => Some(refusal.reason()),
            _ => None,
        }
    }

    /// Why an entry of 0.1 lots is refused; none: it is not.
    pub fn entry_refusal(&mut self, client: &str, id: &str) -> Option<Reason> {
        self.refusal(client, id, submit(buy(0.1)))
    }

    /// Makes a call that must not be refused.
    pub fn must(&mut self, client: &str, id: &str, command: Command) {
        let refused = self.refusal(client, id, command);
        assert_eq!(refused, None, "{id}");
    }

    /// Enters a trading state by the operator's word.
    pub fn enter(&mut self, id: &str, scope: Option<&str>, of: TradingState) {
        self.must("local", id, state(scope, of));
    }

    /// A client's process says that it lives.
    pub fn heartbeat(&mut self, client: &str, session: &str) -> Answer {
        let asker = Asker(self.steps);
        self.feed(Input::Heartbeat {
            asker,
            client: name(client),
            session: id(session),
            leaving: false,
        });
        self.answer_to(asker).unwrap()
    }

    /// What left since it was last asked.
    pub fn left(&mut self) -> Vec<Outgoing> {
        std::mem::take(&mut self.sent)
    }

    /// The one request that left.
    pub fn leaves(&mut self) -> Outgoing {
        let mut left = self.left();
        let one = left.pop().expect("something left");
        assert!(left.is_empty(), "more than one left: {left:?}");
        one
    }

    /// Submits an order that leaves at once; its id and magic.
    pub fn send(&mut self, client: &str, id: &str, order: NewOrder) -> (OrderId, Magic) {
        self.must(client, id, submit(order));
        let Outgoing { job, request, .. } = self.leaves();
        let Job::Order(id) = job else {
            panic!("{job:?}")
        };
        (id, request.magic().unwrap())
    }

    /// The broker answers.
    pub fn answer(&mut self, job: impl Into<Job>, outcome: Result<Receipt, SendFailure>) {
        let (job, late) = (job.into(), false);
        self.feed(Input::Answered { job, outcome, late });
    }

    /// The broker answers after the request was given up.
    pub fn answer_late(&mut self, job: impl Into<Job>, outcome: Result<Receipt, SendFailure>) {
        let (job, late) = (job.into(), true);
        self.feed(Input::Answered { job, outcome, late });
    }

    /// An order of 0.1 lots of alpha's whose outcome is unknown.
    pub fn unknown(&mut self, id: &str) -> (OrderId, Magic) {
        let (id, magic) = self.send("alpha", id, buy(0.1));
        self.answer(id, Err(lost()));
        (id, magic)
    }

    /// A buy limit of 0.1 lots at 1.09 that works at the broker under that ticket.
    pub fn work(&mut self, client: &str, id: &str, ticket: u64) -> OrderId {
        let (id, _) = self.send(client, id, buy_limit(0.1, 109_000));
        self.answer(id, Ok(receipt(Retcode::PLACED, ticket)));
        assert_eq!(self.order(id).state, OrderState::Working);
        id
    }

    /// A long position that a market order of a client opens; deal, order and position have the same
    /// number. The broker's rows have it, too.
    pub fn hold(&mut self, client: &str, number: u64, lots: f64) {
        let (id, _) = self.send(client, &format!("held-{number}"), buy(lots));
        let deal = fill(number, number, self.order(id));
        self.feed(Input::Deal(deal));
        self.answer(id, Ok(receipt(Retcode::DONE, number)));
        assert_eq!(self.order(id).state, OrderState::Filled);
        let rows = self.known_rows();
        self.feed(Input::Rows(rows));
    }

    /// An order in memory.
    pub fn order(&self, id: OrderId) -> &Order {
        self.core.order(id).unwrap()
    }

    /// Its state, and why.
    pub fn state(&self, id: OrderId) -> (OrderState, &str) {
        let order = self.order(id);
        (order.state, &order.reason)
    }

    /// The order that a call made.
    pub fn order_of(&self, client: &str, request: &str) -> &Order {
        let order = self.core.order_of_request(&name(client), &id(request));
        order.unwrap()
    }

    /// What the journal has of a change that a call asked for.
    pub fn outcome(&self, client: &str, request: &str) -> ChangeOutcome {
        let key = RequestKey(name(client), id(request));
        match &self.disk.requests[&key].subject {
            Subject::Change(_, _, outcome) => *outcome,
            other => panic!("{other:?}"),
        }
    }

    /// About a second passed, without the clocks.
    pub fn second(&mut self) {
        self.feed(Input::Second);
    }

    /// Other limits of entries, for the clients alpha and beta and for the account, now and after a
    /// restart.
    pub fn regulate(&mut self, clients: Limits, account: Limits) {
        let grant = |(name, grant): (&ClientName, &Grant)| {
            let limits = clients.clone();
            let grant = Grant {
                limits,
                ..grant.clone()
            };
            (name.clone(), grant)
        };
        let grants = self.config.grants.iter().map(grant).collect();
        let account = ScopeLimits {
            entry: account,
            ..self.config.account.clone()
        };
        self.regrant(grants, account);
    }

    /// Other grants, now and after a restart.
    pub fn regrant(&mut self, grants: BTreeMap<ClientName, Grant>, account: ScopeLimits) {
        self.config.grants = grants.clone();
        self.config.account = account.clone();
        self.feed(Input::Grants(grants, Box::new(account)));
    }

    /// The kinds of what stands in the way now.
    pub fn obstacles(&self) -> Vec<ObstacleKind> {
        let obstacles = self.core.obstacles();
        obstacles.into_iter().map(|found| found.kind).collect()
    }

    /// True while something of that kind stands in the way.
    pub fn is_hindered_by(&self, kind: ObstacleKind) -> bool {
        self.obstacles().contains(&kind)
    }

    /// How many events were told that are like that.
    pub fn told(&self, is_like: impl Fn(&Event) -> bool) -> usize {
        let told = self.events.iter();
        told.filter(|told| is_like(&told.event)).count()
    }

    /// True when there was a notice like that.
    pub fn noticed(&self, is_like: impl Fn(&Notice) -> bool) -> bool {
        self.notices.iter().any(is_like)
    }
}

/// That time after the start, on the broker's clock.
pub const fn broker_time(after_ms: i64) -> BrokerTime {
    BrokerTime(BROKER_START.0 + after_ms)
}
