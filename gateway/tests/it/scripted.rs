//! The orders desk on the bench: the real core, actor and journal over a simulated account, whose
//! answers follow a script.

use async_trait::async_trait;
use mymt5_chassis::secrets::Secret;
use mymt5_gateway::{
    broker::{
        Broker, BrokerError, BrokerEvent, Dispatch, Events, History, SendFailure, Snapshot, judge,
    },
    desk::{EventLog, Orders, Setup, Told, Turn, read_pass},
    journal::{Identity, Journal, Past, Readers, SIMULATOR, Sqlite, Writer},
    market::{Hub, Instruments, Kind},
};
use mymt5_guard::{Limits, ScopeLimits};
use mymt5_model::{
    AccountMode, AccountRow, BrokerTime, ClientName, Comment, Edit, Levels, Lots, MaskedAccount,
    OrderId, OrderType, PositionId, Price, Receipt, RequestId, Side, Symbol, SymbolSpec, Tick,
    TimeInForce, TradeRequest, UtcTime,
};
use mymt5_orders::{
    Answer, Call, ChangeAnswer, Command, Config, Core, Exit, Grant, Input, Loaded, Lookback,
    NewOrder, Now, Order, PositionEdit, ReconcileConfig,
};
use mymt5_proto::Refusal;
use mymt5_simulator::{AccountConfig, Event, Simulator, catalogue};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tempfile::TempDir;
use tokio::{sync::mpsc, time::Instant};

/// What the broker does with a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Act {
    /// Executes and answers.
    Do,
    /// The same, after a time.
    After(Duration),
    /// Executes and never answers.
    Silence,
    /// Never hears of it, and nobody answers.
    Lose,
}

type Script = Box<dyn Fn(usize, &TradeRequest) -> Act + Send + Sync>;

/// The broker: one request at a time, each as the script says.
pub(crate) struct Scripted {
    simulator: Mutex<Simulator>,
    changes: mpsc::UnboundedSender<BrokerEvent>,
    script: Script,
    /// What reached it, in order.
    received: Mutex<Vec<(TradeRequest, String)>>,
    /// Rows that were read, and whether they are held back before they are handed over.
    rows_read: AtomicUsize,
    rows_held: AtomicBool,
}

impl Scripted {
    fn lock(&self) -> MutexGuard<'_, Simulator> {
        self.simulator.lock().unwrap()
    }

    pub(crate) fn received(&self) -> Vec<TradeRequest> {
        let received = self.received.lock().unwrap();
        received
            .iter()
            .map(|(request, _)| request.clone())
            .collect()
    }

    /// The traces of what reached it, in order.
    pub(crate) fn traces(&self) -> Vec<String> {
        let received = self.received.lock().unwrap();
        received
            .iter()
            .map(|(_, trace_id)| trace_id.clone())
            .collect()
    }

    /// Holds rows back once they are read, or lets them go.
    pub(crate) fn hold_rows(&self, held: bool) {
        self.rows_held.store(held, Ordering::SeqCst);
    }

    pub(crate) fn rows_read(&self) -> usize {
        self.rows_read.load(Ordering::SeqCst)
    }

    /// Lots of all open positions, bought minus sold.
    pub(crate) fn net_lots(&self) -> i64 {
        let positions = self.lock().positions();
        let signed = positions
            .iter()
            .map(|row| row.lots.units() * row.side.sign());
        signed.sum()
    }

    fn rows(&self, begun: u64) -> Snapshot {
        let simulator = self.lock();
        Snapshot {
            account: simulator.account(),
            positions: simulator.positions(),
            orders: simulator.orders(),
            unreadable: Vec::new(),
            time: simulator.time(),
            begun,
        }
    }

    fn execute(&self, request: &TradeRequest) -> Result<Receipt, SendFailure> {
        let (receipt, events) = self.lock().send(request);
        for event in events {
            let change = match event {
                Event::Deal(deal) => BrokerEvent::Deal(deal),
                _ => BrokerEvent::RowsChanged,
            };
            let _ = self.changes.send(change);
        }
        judge(receipt)
    }
}

#[async_trait]
impl Broker for Scripted {
    async fn open(&self) -> Result<Events, BrokerError> {
        Err(BrokerError::NotAvailable("a feed"))
    }

    async fn identify(&self) -> Result<AccountRow, BrokerError> {
        Ok(self.lock().account())
    }

    async fn ping(&self) -> Result<Duration, BrokerError> {
        Ok(Duration::ZERO)
    }

    async fn symbols(&self) -> Result<Vec<SymbolSpec>, BrokerError> {
        Ok(self.lock().symbols())
    }

    async fn send(
        &self,
        request: &TradeRequest,
        dispatch: &Dispatch,
    ) -> Result<Receipt, SendFailure> {
        let number = {
            let mut received = self.received.lock().unwrap();
            received.push((request.clone(), dispatch.trace_id.clone()));
            received.len() - 1
        };
        match (self.script)(number, request) {
            Act::Do => self.execute(request),
            Act::After(time) => {
                tokio::time::sleep(time).await;
                self.execute(request)
            }
            Act::Silence => {
                let _ = self.execute(request);
                std::future::pending().await
            }
            Act::Lose => std::future::pending().await,
        }
    }

    async fn snapshot(&self, begun: u64) -> Result<Snapshot, BrokerError> {
        let rows = self.rows(begun);
        self.rows_read.fetch_add(1, Ordering::SeqCst);
        while self.rows_held.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(rows)
    }

    async fn history(&self, from: BrokerTime, to: BrokerTime) -> Result<History, BrokerError> {
        let (orders, deals) = self.lock().history(from, to);
        Ok(History {
            from,
            to,
            orders,
            deals,
            unreadable: Vec::new(),
        })
    }
}

/// How the bench is set up.
pub(crate) struct Plan {
    pub(crate) mode: AccountMode,
    pub(crate) limits: Limits,
    pub(crate) send_timeout: Duration,
    pub(crate) max_queue: Duration,
    pub(crate) reconcile: ReconcileConfig,
    pub(crate) script: Script,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            mode: AccountMode::Hedging,
            limits: Limits::default(),
            send_timeout: Duration::from_secs(10),
            max_queue: Duration::from_secs(30),
            reconcile: ReconcileConfig::default(),
            script: Box::new(|_, _| Act::Do),
        }
    }
}

pub(crate) struct Desk {
    pub(crate) orders: Orders,
    pub(crate) broker: Arc<Scripted>,
    max_queue: Duration,
    spec: Arc<SymbolSpec>,
    folder: TempDir,
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

pub(crate) fn alpha() -> ClientName {
    ClientName::parse("alpha").unwrap()
}

fn open(path: &Path) -> (Sqlite, Loaded) {
    let identity = Identity {
        broker: SIMULATOR,
        server: "Bench".into(),
        account: MaskedAccount::of(10_000_001),
        login: Secret::new("10000001"),
    };
    Sqlite::open(path, &identity, &[alpha()]).unwrap()
}

impl Desk {
    pub(crate) async fn set(plan: Plan) -> Self {
        Self::with_journal(plan, |journal| Box::new(journal)).await
    }

    /// The same, with the journal wrapped.
    pub(crate) async fn with_journal(
        plan: Plan,
        wrap: impl FnOnce(Sqlite) -> Box<dyn Journal>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        let (journal, loaded) = open(&path);
        let spec = catalogue::spec(&Symbol::parse("EURUSD").unwrap());
        let account = AccountConfig {
            mode: plan.mode,
            rates: BTreeMap::new(),
            ..AccountConfig::default()
        };
        let mut simulator = Simulator::new(account, vec![spec.clone()]).unwrap();
        let tick = tick(&spec);
        simulator.on_tick(&tick);
        let (changes, mut told) = mpsc::unbounded_channel();
        let broker = Arc::new(Scripted {
            simulator: Mutex::new(simulator),
            changes,
            script: plan.script,
            received: Mutex::default(),
            rows_read: AtomicUsize::new(0),
            rows_held: AtomicBool::new(false),
        });
        let grant = Grant {
            limits: plan.limits,
            ..Grant::default()
        };
        let readers = Readers::of(&path);
        let setup = Setup {
            broker: broker.clone(),
            past: Past::open(&path, journal.newest()).unwrap(),
            writer: Writer::start(wrap(journal)).unwrap(),
            log: EventLog::new(Vec::new(), readers.clone()),
            journal_id: loaded.journal_id.as_str().into(),
            account_id: loaded.account_id.as_str().into(),
            send_timeout: plan.send_timeout,
            origin: std::time::Instant::now(),
        };
        let config = Config {
            grants: [(alpha(), grant)].into(),
            account: ScopeLimits::default(),
            reconcile: plan.reconcile,
            max_in_flight: broker.max_in_flight(),
            max_quote_age_ms: 60_000,
        };
        let now = Now {
            utc: UtcTime(now_ms()),
            elapsed_ms: 0,
        };
        let core = Core::new(config, loaded, now);
        let (hub, instruments) = (Hub::default(), Instruments::default());
        hub.publish(vec![tick], |_| (None, Kind::Live));
        assert!(instruments.replace(vec![spec.clone()]).is_empty());
        let orders = Orders::start(core, setup, readers, hub, instruments);
        let first = read_pass(broker.as_ref(), 0, Lookback::default()).await;
        let (snapshot, history) = first.unwrap();
        orders.tell(Input::Pass(snapshot, history)).await;
        orders.tell(Input::Link(true)).await;
        let reporter = orders.clone();
        tokio::spawn(async move {
            while let Some(change) = told.recv().await {
                reporter.report(change).await;
            }
        });
        Self {
            orders,
            broker,
            max_queue: plan.max_queue,
            spec: Arc::new(spec),
            folder,
        }
    }

    /// Ends as a gateway does. What the next one finds.
    pub(crate) async fn end(&self) -> Loaded {
        self.orders.drain().await;
        self.orders.stop().await;
        open(&self.folder.path().join("journal.db")).1
    }

    async fn call(&self, id: &str, command: Command, within: Duration) -> Result<Answer, Refusal> {
        let told = self.told(&alpha(), id, command, within, || {}).await;
        told.map(|told| told.answer)
    }

    /// What is told of a call that waits for its turn among those of that client, within that time;
    /// `taken` is called once its request is recorded.
    pub(crate) async fn told(
        &self,
        client: &ClientName,
        id: &str,
        command: Command,
        within: Duration,
        taken: impl FnOnce() + Send,
    ) -> Result<Told, Refusal> {
        let turn = Turn {
            client: client.clone(),
            most: 256,
        };
        let call = Call {
            asker: self.orders.asker(),
            client: alpha(),
            control: false,
            session: None,
            request_id: RequestId::parse(id).unwrap(),
            method: "Bench",
            content: [7; 32],
            trace_id: format!("trace-of-{id}"),
            send_before_ms: now_ms() + i64::try_from(self.max_queue.as_millis()).unwrap(),
            not_after_ms: None,
            command,
        };
        let until = Instant::now() + within;
        self.orders.call(&turn, call, until, taken).await
    }

    /// A call that waits for its turn among those of that client; the order as it was taken.
    pub(crate) async fn take_turn(
        &self,
        client: &str,
        id: &str,
        command: Command,
    ) -> Result<Order, Refusal> {
        let client = ClientName::parse(client).unwrap();
        let told = self.told(&client, id, command, Duration::ZERO, || {}).await;
        told.map(|told| an_order(told.answer))
    }

    /// Buys or sells at the market.
    pub(crate) fn entry(&self, side: Side, lots: f64) -> Command {
        let order = NewOrder {
            spec: self.spec.clone(),
            side,
            kind: OrderType::Market,
            lots: Lots::from_f64(lots).unwrap(),
            price: None,
            stop_limit_price: None,
            levels: Levels::default(),
            time_in_force: TimeInForce::Gtc,
            max_deviation_points: None,
            tag: String::new(),
            comment: Comment::default(),
        };
        Command::Submit(Ok(Box::new(order)))
    }

    /// Buys or sells at the market; the order as it was taken.
    pub(crate) async fn submit(&self, id: &str, side: Side, lots: f64) -> Result<Order, Refusal> {
        let command = self.entry(side, lots);
        self.call(id, command, Duration::ZERO).await.map(an_order)
    }

    /// Sets a position's stop loss and waits until that is done, or for so long.
    pub(crate) async fn protect(
        &self,
        id: &str,
        position: PositionId,
        stop_loss: f64,
    ) -> Result<ChangeAnswer, Refusal> {
        let edit = PositionEdit {
            stop_loss: Edit::Set(stop_loss),
            take_profit: Edit::Keep,
        };
        let command = Command::ModifyPosition(position, Ok(edit));
        match self.call(id, command, crate::harness::BOUND).await? {
            Answer::Change(change) => Ok(*change),
            other => panic!("{other:?}"),
        }
    }

    /// Closes a position; the order as it was taken.
    pub(crate) async fn close(
        &self,
        id: &str,
        position: PositionId,
        lots: Option<f64>,
    ) -> Result<Order, Refusal> {
        let command = exit(position, lots);
        self.call(id, command, Duration::ZERO).await.map(an_order)
    }

    /// The order once it is answered.
    pub(crate) async fn answered(&self, id: OrderId) -> Order {
        self.until(move |core| core.order(id).filter(|order| order.is_answered()).cloned())
            .await
    }

    /// Opens a position and waits for its fill.
    pub(crate) async fn hold(&self, id: &str, lots: f64) -> PositionId {
        let taken = self.submit(id, Side::Buy, lots).await.unwrap();
        self.until(move |core| {
            let position = core.order(taken.id)?.position?;
            core.book().position(position).map(|_| position)
        })
        .await
    }

    /// Waits, within a bound, until the core tells something.
    pub(crate) async fn until<T: Send + 'static>(
        &self,
        mut ask: impl FnMut(&Core) -> Option<T> + Clone + Send + 'static,
    ) -> T {
        let end = Instant::now() + crate::harness::BOUND;
        loop {
            let mut question = ask.clone();
            if let Some(told) = self.orders.ask(move |core| question(core)).await.unwrap() {
                return told;
            }
            assert!(Instant::now() < end, "it does not come");
            tokio::time::sleep(Duration::from_millis(5)).await;
            ask = ask.clone();
        }
    }
}

/// Closes a position, or so many lots of it.
pub(crate) fn exit(position: PositionId, lots: Option<f64>) -> Command {
    Command::Close(Ok(Exit {
        position,
        lots,
        max_deviation_points: None,
        tag: String::new(),
        comment: Comment::default(),
    }))
}

fn an_order(answer: Answer) -> Order {
    match answer {
        Answer::Order(order) => *order,
        other => panic!("{other:?}"),
    }
}

fn tick(spec: &SymbolSpec) -> Tick {
    Tick {
        symbol: spec.symbol.clone(),
        time: BrokerTime(1_000),
        bid: Price::from_points(110_000, spec.digits),
        ask: Price::from_points(110_010, spec.digits),
        last: None,
        volume: 0.0,
        flags: 6,
        is_continuous: false,
    }
}
