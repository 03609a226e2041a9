//! A core and a broker that does as it is told: what it executes shows in its rows and its history at
//! the next read, and not before.

use super::{
    Shell,
    rows::*,
    shell::{BROKER_START, START},
};
use mymt5_guard::{
    Allowance, BaseKind, DailyLoss, LimitAction, Limits, LossSettings, ResetHour, ScopeLimits,
    TradingState,
};
use mymt5_model::{
    AccountMode, AccountRow, BrokerTime, DealKind, DealReason, DealRow, Edit, Entry, Levels,
    LevelsEdit, Lots, Magic, Money, OrderId, OrderRow, OrderState, OrderType, PositionId,
    PositionRow, Price, Reason, Receipt, Retcode, RowState, Side, TermsEdit, Tick, Ticket,
    TimeInForce, TradeRequest,
};
use mymt5_orders::{
    Acceptance, Adoption, Answer, Asker, Call, ChangeAnswer, Command, DeadMan, Event,
    FlattenReport, History, Input, Job, NewOrder, Notice, Obstacle, ObstacleKind, Order, OrderEdit,
    Outgoing, Position, PositionEdit, RequestKey, Resolution, SendFailure, Snapshot, Subject,
};

pub const BID: i64 = 110_000;
pub const ASK: i64 = 110_010;

/// A core, its journal, and the broker's side of the scene.
pub struct Scene {
    pub shell: Shell,
    pub account: AccountRow,
    pub positions: Vec<PositionRow>,
    /// Working orders.
    pub orders: Vec<OrderRow>,
    /// Orders of the past.
    pub ended: Vec<OrderRow>,
    pub deals: Vec<DealRow>,
    /// How far the broker's clock went on when the gateway's was set, milliseconds.
    skew_ms: i64,
    ticket: u64,
    asker: u64,
}

/// A hedging account without limits: the link is up, and everything was compared.
pub fn scene() -> Scene {
    Scene::of(fresh())
}

/// The same with limits of the clients and of the account.
pub fn limited_scene(clients: ScopeLimits, account: ScopeLimits) -> Scene {
    Scene::of(limited(clients, account))
}

pub fn netting_scene() -> Scene {
    let mut scene = Scene::unseen(fresh());
    scene.account.mode = AccountMode::Netting;
    scene.connect();
    scene
}

/// One request at a time.
pub fn one_lane() -> Scene {
    let mut shell = fresh();
    shell.config.max_in_flight = 1;
    shell.restart();
    Scene::of(shell)
}

/// A day's loss of so much, measured from the greater of balance and equity at midnight.
pub fn daily(amount: f64, action: LimitAction) -> ScopeLimits {
    ScopeLimits {
        entry: Limits::default(),
        loss: LossSettings {
            daily: Some(DailyLoss {
                allowance: Allowance::Amount(money(amount)),
                base: BaseKind::Greater,
                reset_hour: ResetHour::default(),
                action,
            }),
            drawdown: None,
        },
    }
}

impl Scene {
    /// Nothing was compared yet, and the link is down.
    pub fn unseen(shell: Shell) -> Self {
        Self {
            shell,
            account: account(),
            positions: Vec::new(),
            orders: Vec::new(),
            ended: Vec::new(),
            deals: Vec::new(),
            skew_ms: 0,
            ticket: 1_000,
            asker: 1_000_000,
        }
    }

    pub fn of(shell: Shell) -> Self {
        let mut scene = Self::unseen(shell);
        scene.connect();
        scene
    }

    /// The link comes up, and one complete pass is taken.
    pub fn connect(&mut self) {
        self.tick(BID, ASK);
        self.shell.feed(Input::Link(true));
        self.pass();
    }

    /// The client has a dead man from now on.
    pub fn arm(&mut self, client: &str, dead_man: DeadMan) {
        let grant = self.shell.config.grants.get_mut(&name(client)).unwrap();
        grant.dead_man = Some(dead_man);
        self.regrant();
    }

    pub fn regrant(&mut self) {
        let (grants, account) = (
            self.shell.config.grants.clone(),
            self.shell.config.account.clone(),
        );
        self.shell.feed(Input::Grants(grants, Box::new(account)));
    }

    // What clients ask.

    pub fn call(&mut self, client: &str, request: &str, command: Command) -> Call {
        self.asker += 1;
        Call {
            asker: Asker(self.asker),
            ..call(&self.shell, client, request, command)
        }
    }

    /// A call, and all of it durable.
    pub fn take(&mut self, call: Call) -> Asker {
        let asker = call.asker;
        self.shell.feed(Input::Call(Box::new(call)));
        asker
    }

    pub fn ask(&mut self, client: &str, request: &str, command: Command) -> Asker {
        let call = self.call(client, request, command);
        self.take(call)
    }

    pub fn submit(&mut self, client: &str, request: &str, new: NewOrder) -> Asker {
        self.ask(client, request, Command::Submit(Ok(Box::new(new))))
    }

    pub fn close(
        &mut self,
        client: &str,
        request: &str,
        position: u64,
        lots: Option<f64>,
    ) -> Asker {
        self.ask(client, request, Command::Close(Ok(exit(position, lots))))
    }

    pub fn cancel(&mut self, client: &str, request: &str, order: OrderId) -> Asker {
        self.ask(client, request, Command::Cancel(order))
    }

    pub fn reprice(&mut self, client: &str, request: &str, order: OrderId, to: i64) -> Asker {
        let edit = OrderEdit {
            price: Some(points(to).to_f64()),
            stop_limit_price: None,
            stop_loss: Edit::Keep,
            take_profit: Edit::Keep,
            time_in_force: None,
        };
        self.ask(client, request, Command::ModifyOrder(order, Ok(edit)))
    }

    pub fn stop(&mut self, client: &str, request: &str, position: u64, to: i64) -> Asker {
        self.levels(client, request, position, stop_at(to))
    }

    pub fn levels(
        &mut self,
        client: &str,
        request: &str,
        position: u64,
        edit: PositionEdit,
    ) -> Asker {
        let id = PositionId(position);
        self.ask(client, request, Command::ModifyPosition(id, Ok(edit)))
    }

    pub fn set_state(&mut self, request: &str, client: Option<&str>, state: TradingState) -> Asker {
        let (scope, reason) = (client.map(name), "test".to_owned());
        self.ask(
            "local",
            request,
            Command::SetState {
                scope,
                state,
                reason,
            },
        )
    }

    pub fn flatten(
        &mut self,
        request: &str,
        client: Option<&str>,
        include_foreign: bool,
    ) -> FlattenReport {
        let (scope, reason) = (client.map(name), "test".to_owned());
        let command = Command::Flatten {
            scope,
            include_foreign,
            reason,
        };
        let asker = self.ask("local", request, command);
        let Answer::Flatten(report) = self.answer(asker) else {
            panic!("no report")
        };
        report
    }

    pub fn resolve(&mut self, request: &str, order: OrderId, resolution: Resolution) -> Asker {
        let reason = "test".to_owned();
        self.ask(
            "local",
            request,
            Command::Resolve {
                order,
                resolution,
                reason,
            },
        )
    }

    pub fn adopt(&mut self, request: &str, client: &str, what: Adoption) -> Asker {
        let (client, reason) = (name(client), "test".to_owned());
        self.ask(
            "local",
            request,
            Command::Adopt {
                client,
                what,
                reason,
            },
        )
    }

    pub fn accept(&mut self, request: &str, what: Acceptance) -> Asker {
        let reason = "test".to_owned();
        self.ask("local", request, Command::Accept { what, reason })
    }

    pub fn beat(&mut self, client: &str, session: &str, leaving: bool) -> Answer {
        self.asker += 1;
        let asker = Asker(self.asker);
        self.shell.feed(Input::Heartbeat {
            asker,
            client: name(client),
            session: id(session),
            leaving,
        });
        self.answer(asker)
    }

    pub fn check(&mut self, client: &str, order: NewOrder) -> Answer {
        self.asker += 1;
        let asker = Asker(self.asker);
        self.shell.feed(Input::Check {
            asker,
            client: name(client),
            order: Ok(Box::new(order)),
            figures: mymt5_orders::BrokerFigures::default(),
        });
        self.answer(asker)
    }

    pub fn give_up(&mut self, asker: Asker) {
        self.shell.feed(Input::GiveUp(asker));
    }

    // What they are told.

    pub fn answers(&self, asker: Asker) -> Vec<Answer> {
        let answers = self.shell.answers.iter();
        let own = answers.filter(|(whose, _)| *whose == asker);
        own.map(|(_, answer)| answer.clone()).collect()
    }

    /// The one answer.
    pub fn answer(&self, asker: Asker) -> Answer {
        let mut answers = self.answers(asker);
        assert_eq!(answers.len(), 1, "{answers:?}");
        answers.pop().unwrap()
    }

    pub fn refusal(&self, asker: Asker) -> Reason {
        match self.answer(asker) {
            Answer::Refused(refusal) => refusal.reason(),
            other => panic!("not refused: {other:?}"),
        }
    }

    pub fn order_told(&self, asker: Asker) -> Order {
        match self.answer(asker) {
            Answer::Order(order) => *order,
            other => panic!("no order: {other:?}"),
        }
    }

    pub fn change_told(&self, asker: Asker) -> ChangeAnswer {
        match self.answer(asker) {
            Answer::Change(change) => *change,
            other => panic!("no change: {other:?}"),
        }
    }

    /// The order that a call made, from memory or else from the journal.
    pub fn order(&self, client: &str, request: &str) -> &Order {
        let key = RequestKey(name(client), id(request));
        let Subject::Order(id) = self.shell.disk.requests[&key].subject else {
            panic!("no order")
        };
        let here = self.shell.core.order(id);
        here.unwrap_or_else(|| &self.shell.disk.orders[&id])
    }

    pub fn id(&self, client: &str, request: &str) -> OrderId {
        self.order(client, request).id
    }

    pub fn state(&self, client: &str, request: &str) -> OrderState {
        self.order(client, request).state
    }

    pub fn position(&self, id: u64) -> Option<&Position> {
        self.shell.core.book().position(PositionId(id))
    }

    pub fn obstacle(&self, kind: ObstacleKind) -> Option<Obstacle> {
        let mut obstacles = self.shell.core.obstacles().into_iter();
        obstacles.find(|obstacle| obstacle.kind == kind)
    }

    /// Everything that stands in the way, but that on netting a client keeps others out of what it
    /// holds.
    pub fn obstacles(&self) -> Vec<Obstacle> {
        let mut obstacles = self.shell.core.obstacles();
        obstacles.retain(|obstacle| {
            obstacle.kind != ObstacleKind::SymbolShared || obstacle.client.is_none()
        });
        obstacles
    }

    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.shell.events.iter().map(|recorded| &recorded.event)
    }

    /// An order as its events tell it, one by one.
    pub fn told_of(&self, id: OrderId) -> Vec<&Order> {
        let orders = self.events().filter_map(|event| match event {
            Event::Order(order) if order.id == id => Some(&**order),
            _ => None,
        });
        orders.collect()
    }

    pub fn notices(&self, kind: &str) -> usize {
        let notices = self.shell.notices.iter();
        notices.filter(|notice| notice.kind() == kind).count()
    }

    pub fn errors(&self) -> Vec<&Notice> {
        let notices = self.shell.notices.iter();
        let errors = notices.filter(|notice| notice.severity() == mymt5_orders::Severity::Error);
        errors.collect()
    }

    // What the broker says and does.

    /// The next request that left.
    pub fn sent(&mut self) -> Outgoing {
        assert!(!self.shell.sent.is_empty(), "nothing left");
        self.shell.sent.remove(0)
    }

    pub fn say(&mut self, job: Job, outcome: Result<Receipt, SendFailure>) {
        self.shell.feed(Input::Answered {
            job,
            outcome,
            late: false,
        });
    }

    pub fn say_late(&mut self, job: Job, outcome: Result<Receipt, SendFailure>) {
        self.shell.feed(Input::Answered {
            job,
            outcome,
            late: true,
        });
    }

    /// The next request that left is executed, and answered; its deals come by themselves, too.
    pub fn obey(&mut self) -> Outgoing {
        let told = self.deals.len();
        let sent = self.obey_early();
        let new = self.deals[told..].iter().cloned();
        for deal in new {
            self.shell.feed(Input::Deal(deal));
        }
        sent
    }

    /// The same before its deals come by themselves.
    pub fn obey_early(&mut self) -> Outgoing {
        let sent = self.sent();
        let outcome = self.execute(&sent);
        self.say(sent.job, outcome);
        sent
    }

    /// Everything that leaves is executed, and answered.
    pub fn obey_all(&mut self) {
        while !self.shell.sent.is_empty() {
            self.obey();
        }
    }

    /// The next request that left is executed, and its answer is lost.
    pub fn lose_answer(&mut self) -> Outgoing {
        let sent = self.sent();
        drop(self.execute(&sent));
        self.say(sent.job, lost());
        sent
    }

    /// The next request that left is lost on its way, and nobody knows.
    pub fn lose(&mut self) -> Outgoing {
        let sent = self.sent();
        self.say(sent.job, lost());
        sent
    }

    pub fn refuse(&mut self, retcode: Retcode) -> Outgoing {
        let sent = self.sent();
        self.say(sent.job, Err(SendFailure::Rejected(retcode)));
        sent
    }

    /// Does what a request asks for.
    pub fn execute(&mut self, sent: &Outgoing) -> Result<Receipt, SendFailure> {
        match sent.request.clone() {
            TradeRequest::Market {
                side, lots, magic, ..
            } => Ok(self.open(side, lots, magic)),
            TradeRequest::Close {
                position,
                lots,
                all,
                magic,
                ..
            } => {
                let held = self.positions.iter().find(|held| held.ticket == position);
                let Some(held) = held.cloned() else {
                    return Err(SendFailure::Rejected(Retcode::POSITION_CLOSED));
                };
                let lots = if all { held.lots } else { lots };
                Ok(self.reduce(held.id, lots, magic))
            }
            TradeRequest::Pending { .. } => Ok(self.place(&sent.request)),
            TradeRequest::Cancel { order, .. } => self.remove(order, RowState::Canceled),
            TradeRequest::ModifyOrder { order, terms, .. } => self.edit_order(order, terms),
            TradeRequest::ModifyPosition {
                position, levels, ..
            } => self.edit_position(position, levels),
        }
    }

    /// The same, of a market order only a half, and nothing is left of the rest.
    pub fn execute_part(&mut self, sent: &Outgoing) -> Result<Receipt, SendFailure> {
        let TradeRequest::Market {
            side, lots, magic, ..
        } = sent.request
        else {
            return self.execute(sent);
        };
        let half = Lots::from_units(lots.units() / 2);
        let receipt = self.open(side, half, magic);
        let row = self.ended.last_mut().unwrap();
        (row.state, row.lots, row.lots_left) = (RowState::Canceled, lots, half);
        Ok(Receipt {
            retcode: Retcode::DONE_PARTIAL,
            ..receipt
        })
    }

    pub fn next_ticket(&mut self) -> u64 {
        self.ticket += 1;
        self.ticket
    }

    /// A deal that is in the history from now on; its result is in the balance.
    pub fn add_deal(&mut self, deal: DealRow) -> DealRow {
        if deal.kind == DealKind::Credit {
            self.account.credit += deal.result();
        } else {
            self.account.balance += deal.result();
        }
        self.deals.push(deal.clone());
        self.refresh();
        deal
    }

    /// Equity follows balance, credit and what floats.
    pub fn refresh(&mut self) {
        let floating = self.positions.iter().map(|row| row.profit + row.swap);
        self.account.profit = floating.sum();
        self.account.equity = self.account.balance + self.account.credit + self.account.profit;
    }

    pub fn broker_time(&self) -> BrokerTime {
        BrokerTime(BROKER_START.0 + self.shell.now.utc.0 - START.utc.0 + self.skew_ms)
    }

    /// Somebody sets the gateway's wall clock; all other clocks go on.
    pub fn set_clock(&mut self, by_ms: i64) {
        self.shell.now.utc.0 += by_ms;
        self.skew_ms -= by_ms;
    }

    pub fn open(&mut self, side: Side, lots: Lots, magic: Magic) -> Receipt {
        let ticket = self.next_ticket();
        let price = if side == Side::Buy { ASK } else { BID };
        let fill = self.fill(Ticket(ticket), Ticket(ticket), (side, lots, magic), price);
        let mut row = self.market_row(ticket, side, lots, magic);
        row.position_id = fill.position_id;
        self.ended.push(row);
        done(ticket, vec![fill])
    }

    /// An order that opens, adds or, on netting, nets is done. The deal.
    fn fill(
        &mut self,
        deal_ticket: Ticket,
        order: Ticket,
        (side, lots, magic): (Side, Lots, Magic),
        price: i64,
    ) -> DealRow {
        let netting = self.account.mode == AccountMode::Netting;
        let mut held = self.positions.iter_mut();
        let held = held.find(|held| netting || held.id.0 == order.0);
        let id = held.as_ref().map_or(order.0, |held| held.id.0);
        let entry = match &held {
            Some(held) if held.side == side => Entry::In,
            Some(held) if held.lots >= lots => Entry::Out,
            Some(_) => Entry::InOut,
            None => Entry::In,
        };
        let mut fill = deal(deal_ticket.0, id, side, entry, lots.units(), price);
        (fill.magic, fill.order) = (magic, Some(order));
        fill.time = BrokerTime(BROKER_START.0 + self.shell.now.utc.0 - START.utc.0 + self.skew_ms);
        match (held, entry) {
            (Some(held), Entry::In) => held.lots = held.lots.plus(lots),
            (Some(held), Entry::Out) => held.lots = held.lots.minus(lots),
            (Some(held), _) => {
                (held.lots, held.side) = (lots.minus(held.lots), side);
                (held.ticket, held.magic) = (order, magic);
            }
            (None, _) => self.positions.push(PositionRow {
                ticket: order,
                id: PositionId(id),
                magic,
                symbol: symbol("EURUSD"),
                side,
                lots,
                open_price: points(price),
                levels: Levels::default(),
                profit: Money::ZERO,
                swap: Money::ZERO,
                opened: fill.time,
                updated: fill.time,
                comment: String::new(),
            }),
        }
        self.positions.retain(|held| !held.lots.is_zero());
        self.add_deal(fill)
    }

    /// A close of so much of a position, with no result.
    pub fn reduce(&mut self, position: PositionId, lots: Lots, magic: Magic) -> Receipt {
        self.realise(position, lots, magic, 0.0)
    }

    /// A close of so much of a position, with that result.
    pub fn realise(
        &mut self,
        position: PositionId,
        lots: Lots,
        magic: Magic,
        profit: f64,
    ) -> Receipt {
        let ticket = self.next_ticket();
        let held = self.positions.iter().find(|held| held.id == position);
        let side = held.expect("a position").side.opposite();
        let price = if side == Side::Buy { ASK } else { BID };
        let mut fill = deal(ticket, position.0, side, Entry::Out, lots.units(), price);
        (fill.magic, fill.time) = (magic, self.broker_time());
        fill.profit = money(profit);
        for held in &mut self.positions {
            if held.id == position {
                held.lots = held.lots.minus(lots);
                held.updated = fill.time;
            }
        }
        self.positions.retain(|held| !held.lots.is_zero());
        let row = self.market_row(ticket, side, lots, magic);
        self.ended.push(row);
        let fill = self.add_deal(fill);
        Receipt {
            lots_sent: Some(lots),
            ..done(ticket, vec![fill])
        }
    }

    /// A row of a market order that was done just now.
    pub fn market_row(&self, ticket: u64, side: Side, lots: Lots, magic: Magic) -> OrderRow {
        OrderRow {
            ticket: Ticket(ticket),
            position_id: None,
            magic,
            symbol: symbol("EURUSD"),
            side,
            kind: OrderType::Market,
            state: RowState::Filled,
            lots,
            lots_left: Lots::ZERO,
            price: None,
            stop_limit_price: None,
            levels: Levels::default(),
            time_in_force: TimeInForce::Gtc,
            created: self.broker_time(),
            done: Some(self.broker_time()),
            comment: String::new(),
        }
    }

    fn place(&mut self, request: &TradeRequest) -> Receipt {
        let TradeRequest::Pending {
            side,
            kind,
            lots,
            price,
            stop_limit_price,
            levels,
            time_in_force,
            magic,
            ..
        } = request.clone()
        else {
            panic!("not pending")
        };
        let ticket = self.next_ticket();
        self.orders.push(OrderRow {
            kind,
            state: RowState::Placed,
            lots_left: lots,
            price: Some(price),
            stop_limit_price,
            levels,
            time_in_force,
            created: self.broker_time(),
            done: None,
            ..self.market_row(ticket, side, lots, magic)
        });
        Receipt {
            order: Some(Ticket(ticket)),
            ..Receipt::bare(Retcode::PLACED)
        }
    }

    /// A working order ends in that state.
    pub fn remove(&mut self, ticket: Ticket, state: RowState) -> Result<Receipt, SendFailure> {
        let place = self.orders.iter().position(|row| row.ticket == ticket);
        let place = place.ok_or(SendFailure::Rejected(Retcode::INVALID_ORDER))?;
        let mut row = self.orders.remove(place);
        (row.state, row.done) = (state, Some(self.broker_time()));
        self.ended.push(row);
        Ok(Receipt::bare(Retcode::DONE))
    }

    /// A working order fills: so many of its lots, at its price.
    pub fn fill_pending(&mut self, ticket: Ticket, lots: Lots) -> DealRow {
        let number = self.next_ticket();
        let row = self.orders.iter_mut().find(|row| row.ticket == ticket);
        let row = row.expect("a working order");
        row.lots_left = row.lots_left.minus(lots);
        row.state = RowState::Partial;
        let price = row.price.map_or(ASK, Price::points);
        let what = (row.side, lots, row.magic);
        if row.lots_left.is_zero() {
            self.remove(ticket, RowState::Filled).unwrap();
        }
        self.fill(Ticket(number), ticket, what, price)
    }

    fn edit_order(&mut self, ticket: Ticket, terms: TermsEdit) -> Result<Receipt, SendFailure> {
        let row = self.orders.iter_mut().find(|row| row.ticket == ticket);
        let row = row.ok_or(SendFailure::Rejected(Retcode::INVALID_ORDER))?;
        row.price = terms.price.or(row.price);
        row.stop_limit_price = terms.stop_limit_price.or(row.stop_limit_price);
        row.levels = terms.levels.after(row.levels);
        row.time_in_force = terms.time_in_force.unwrap_or(row.time_in_force);
        Ok(Receipt::bare(Retcode::DONE))
    }

    fn edit_position(
        &mut self,
        ticket: Ticket,
        levels: LevelsEdit,
    ) -> Result<Receipt, SendFailure> {
        let row = self.positions.iter_mut().find(|row| row.ticket == ticket);
        let row = row.ok_or(SendFailure::Rejected(Retcode::POSITION_CLOSED))?;
        row.levels = levels.after(row.levels);
        Ok(Receipt::bare(Retcode::DONE))
    }

    /// The broker's rows as they are now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            account: self.account.clone(),
            positions: self.positions.clone(),
            orders: self.orders.clone(),
            time: Some(self.broker_time()),
            ..rows(&self.shell)
        }
    }

    /// The history that the core wants to see.
    pub fn history(&self) -> History {
        let (from, to) = self.shell.core.lookback().window(Some(self.broker_time()));
        let within = |time: BrokerTime| from <= time && time < to;
        let ended = self.ended.iter();
        let ended = ended.filter(|row| within(row.done.unwrap_or(row.created)));
        let deals = self.deals.iter().filter(|deal| within(deal.time));
        History {
            from,
            to,
            orders: ended.cloned().collect(),
            deals: deals.cloned().collect(),
            ..history()
        }
    }

    pub fn rows(&mut self) {
        let rows = self.snapshot();
        self.shell.feed(Input::Rows(rows));
    }

    pub fn pass(&mut self) {
        let (rows, history) = (self.snapshot(), self.history());
        self.shell.feed(Input::Pass(rows, history));
    }

    /// Time passes as it does in a gateway: rows and a second's work every second, a pass where one
    /// is due.
    pub fn live(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.shell.pass(1_000);
            self.tick(BID, ASK);
            self.shell.feed(Input::Second);
            if self.shell.core.wants_pass() {
                self.pass();
            } else {
                self.rows();
            }
        }
    }

    /// The same, and the broker does all that it is asked.
    pub fn live_and_obey(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.live(1);
            self.obey_all();
        }
    }

    pub fn tick(&mut self, bid: i64, ask: i64) {
        self.shell.prices.now_ms = self.shell.now.elapsed_ms;
        let time = self.broker_time();
        self.shell.prices.tick(Tick {
            time,
            ..tick(bid, ask)
        });
    }

    /// Another process starts, and the link comes up again.
    pub fn restart(&mut self) {
        self.shell.restart();
        self.connect();
    }

    // Beginnings of scenes.

    /// That client has a filled market order and, by it, a position. Which.
    pub fn hold(&mut self, client: &str, request: &str, lots: f64) -> u64 {
        self.submit(client, request, buy(lots));
        self.obey();
        self.rows();
        let held = self.order(client, request).position.expect("a position");
        held.0
    }

    /// That client has a pending order that works. Its ticket.
    pub fn work(&mut self, client: &str, request: &str, lots: f64) -> Ticket {
        self.submit(client, request, buy_limit(lots, BID - 1_000));
        self.obey();
        self.rows();
        self.order(client, request).ticket.expect("a ticket")
    }

    /// Somebody else holds a position. Which.
    pub fn hold_foreign(&mut self, lots_held: f64) -> u64 {
        self.open(Side::Buy, lots(lots_held), Magic::NONE);
        self.live(61);
        self.positions.last().unwrap().id.0
    }

    /// A hand closes so much of a position: the deal, not told yet.
    pub fn close_by_hand(&mut self, position: u64, volume: f64) -> DealRow {
        self.reduce(PositionId(position), lots(volume), Magic::NONE);
        let deal = self.deals.last_mut().unwrap();
        deal.reason = DealReason::Client;
        deal.clone()
    }
}

pub fn done(ticket: u64, deals: Vec<DealRow>) -> Receipt {
    Receipt {
        order: Some(Ticket(ticket)),
        deals,
        ..Receipt::bare(Retcode::DONE)
    }
}

pub fn lost() -> Result<Receipt, SendFailure> {
    Err(SendFailure::Unknown("no answer in time".to_owned()))
}

pub fn not_sent() -> Result<Receipt, SendFailure> {
    Err(SendFailure::NotSent("the frame never left".to_owned()))
}

pub fn stop_at(level: i64) -> PositionEdit {
    PositionEdit {
        stop_loss: Edit::Set(points(level).to_f64()),
        take_profit: Edit::Keep,
    }
}

/// A deposit or withdrawal.
pub fn flow(ticket: u64, amount: f64) -> DealRow {
    DealRow {
        ticket: Ticket(ticket),
        order: None,
        position_id: None,
        magic: Magic::NONE,
        symbol: None,
        kind: DealKind::Balance,
        entry: None,
        reason: DealReason::Other,
        lots: Lots::ZERO,
        price: None,
        profit: money(amount),
        swap: Money::ZERO,
        commission: Money::ZERO,
        time: BROKER_START,
        comment: String::new(),
    }
}
