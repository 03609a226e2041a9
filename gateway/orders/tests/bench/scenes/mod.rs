//! A core and a broker that does as it is told: what it executes shows in its rows and its history at
//! the next read, and not before.

mod broker;

use super::{Shell, rows::*, shell::BROKER_START};
use mymt5_guard::{
    Allowance, BaseKind, DailyLoss, LimitAction, Limits, LossSettings, ResetHour, ScopeLimits,
    TradingState,
};
use mymt5_model::{
    AccountMode, AccountRow, DealKind, DealReason, DealRow, Edit, Lots, Magic, Money, OrderId,
    OrderRow, OrderState, PositionId, PositionRow, Reason, Receipt, Retcode, Side, Ticket,
};
use mymt5_orders::{
    Acceptance, Adoption, Answer, Asker, Call, ChangeAnswer, Command, DeadMan, Event,
    FlattenReport, Input, NewOrder, Notice, Obstacle, ObstacleKind, Order, OrderEdit, Position,
    PositionEdit, RequestKey, Resolution, SendFailure, Subject,
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
