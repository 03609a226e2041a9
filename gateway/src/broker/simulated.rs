//! The embedded broker: drives the synchronous simulator with a feed, in a thread of its own, and
//! adapts it to the seam.

use super::{
    Broker, BrokerError, Change, Events, History, Pace, SendFailure, Snapshot, outcome::judge,
};
use async_trait::async_trait;
use mymt5_model::{
    AccountRow, Bar, BrokerTime, Lots, Money, Price, Receipt, Side, Symbol, SymbolSpec, Tick,
    Ticket, TradeRequest,
};
use mymt5_simulator::{
    AccountConfig, Event, SetupError, Simulator,
    feed::{FeedError, Synthetic, TickFile},
};
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// Where ticks come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Feed {
    /// Made up, endless, from a seed.
    Synthetic,
    /// The terminal's tick export, of one symbol.
    Ticks(PathBuf),
}

/// How fast they come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// So many times the pace of their times.
    Times(f64),
    /// As fast as the first subscriber to every tick takes them.
    Max,
}

/// What the embedded broker is made of.
#[derive(Clone, Debug)]
pub struct SimulatedSettings {
    /// The account.
    pub account: AccountConfig,
    /// Its symbols.
    pub symbols: Vec<SymbolSpec>,
    /// Where ticks come from.
    pub feed: Feed,
    /// How fast.
    pub speed: Speed,
    /// Broker time at which a synthetic feed starts.
    pub start: BrokerTime,
}

/// The embedded broker.
pub struct Simulated {
    settings: SimulatedSettings,
    market: Arc<Market>,
}

struct Market(Mutex<State>);

struct State {
    simulator: Simulator,
    last_deal: Ticket,
    /// Written under the lock, so that changes keep their order.
    changes: Option<mpsc::Sender<Change>>,
}

/// Changes that may wait; a reader that leaves more than that unread loses the link.
const CHANGES: usize = 16_384;
/// Ticks moved under one lock at full speed.
const BATCH: usize = 64;
/// A gap longer than this (a night, a weekend) is skipped.
const LONGEST_GAP: Duration = Duration::from_secs(60);
/// While the feed waits, it looks this often whether it is still wanted.
const LOOK: Duration = Duration::from_millis(200);

impl Simulated {
    /// Builds the account.
    ///
    /// # Errors
    /// A symbol that cannot be valued in the account's currency.
    pub fn new(settings: SimulatedSettings) -> Result<Self, SetupError> {
        let simulator = Simulator::new(settings.account.clone(), settings.symbols.clone())?;
        let state = State {
            simulator,
            last_deal: Ticket(0),
            changes: None,
        };
        Ok(Self {
            settings,
            market: Arc::new(Market(Mutex::new(state))),
        })
    }

    fn feed(
        &self,
    ) -> Result<Box<dyn Iterator<Item = Result<Tick, FeedError>> + Send>, BrokerError> {
        let symbols = &self.settings.symbols;
        Ok(match &self.settings.feed {
            Feed::Synthetic => {
                const MEAN_INTERVAL_MS: u32 = 25;
                let seed = self.settings.account.seed;
                Box::new(Synthetic::new(
                    seed,
                    symbols,
                    self.settings.start,
                    MEAN_INTERVAL_MS,
                ))
            }
            Feed::Ticks(path) => {
                let spec = symbols
                    .first()
                    .ok_or(BrokerError::NotAvailable("a replay without a symbol"))?;
                let file = TickFile::open(path, spec)
                    .map_err(|error| BrokerError::Unreachable(error.to_string()))?;
                Box::new(file)
            }
        })
    }
}

impl Market {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn report(&mut self, events: Vec<Event>) {
        for event in events {
            let change = match event {
                Event::Deal(deal) => {
                    self.last_deal = deal.ticket;
                    Change::Deal(deal)
                }
                Event::MarginCall => {
                    Change::MarginCall(self.simulator.account().margin_level.unwrap_or(0.0))
                }
                _ => Change::RowsChanged,
            };
            self.tell(change);
        }
    }

    /// A full queue means that nobody reads: the link is given up, never an event alone.
    fn tell(&mut self, change: Change) {
        if self
            .changes
            .as_ref()
            .is_some_and(|changes| changes.try_send(change).is_err())
        {
            self.changes = None;
        }
    }

    fn is_crowded(&self) -> bool {
        self.changes
            .as_ref()
            .is_some_and(|changes| changes.capacity() < CHANGES / 2)
    }
}

/// The feed's thread: moves the market, tick by tick, until nobody listens.
struct Driver {
    market: Arc<Market>,
    ticks: mpsc::Sender<Vec<Tick>>,
    speed: Speed,
    /// Broker time and the instant at which it was due.
    origin: Option<(BrokerTime, Instant)>,
}

impl Driver {
    fn run(mut self, feed: Box<dyn Iterator<Item = Result<Tick, FeedError>> + Send>) {
        let mut batch = Vec::with_capacity(BATCH);
        for tick in feed {
            let tick = match tick {
                Ok(tick) => tick,
                Err(error) => return self.market.lock().tell(Change::LinkLost(error.to_string())),
            };
            if !self.wait_until_due(&tick, &mut batch) {
                return;
            }
            batch.push(tick);
            if batch.len() >= BATCH && !self.flush(&mut batch) {
                return;
            }
        }
        if self.flush(&mut batch) {
            self.market.lock().tell(Change::FeedEnded);
        }
    }

    /// Waits for the tick's time; what came before it goes out first. False: nobody listens.
    fn wait_until_due(&mut self, tick: &Tick, batch: &mut Vec<Tick>) -> bool {
        let Speed::Times(times) = self.speed else {
            return true;
        };
        let now = Instant::now();
        let (from, at) = *self.origin.get_or_insert((tick.time, now));
        let ahead = Duration::from_millis(u64::try_from(tick.time.0 - from.0).unwrap_or(0))
            .div_f64(times.max(1e-3));
        let mut due = at + ahead;
        if due.saturating_duration_since(now) > LONGEST_GAP {
            due = now;
            self.origin = Some((tick.time, now));
        }
        if due <= now {
            return true;
        }
        if !self.flush(batch) {
            return false;
        }
        while let Some(left) = due
            .checked_duration_since(Instant::now())
            .filter(|left| !left.is_zero())
        {
            if self.ticks.is_closed() {
                return false;
            }
            thread::sleep(left.min(LOOK));
        }
        true
    }

    fn flush(&self, batch: &mut Vec<Tick>) -> bool {
        if batch.is_empty() {
            return !self.ticks.is_closed();
        }
        while self.market.lock().is_crowded() {
            thread::sleep(Duration::from_millis(1));
        }
        let mut state = self.market.lock();
        for tick in batch.iter() {
            let events = state.simulator.on_tick(tick);
            state.report(events);
        }
        drop(state);
        self.ticks
            .blocking_send(std::mem::replace(batch, Vec::with_capacity(BATCH)))
            .is_ok()
    }
}

#[async_trait]
impl Broker for Simulated {
    async fn open(&self) -> Result<Events, BrokerError> {
        let feed = self.feed()?;
        let (changes_in, changes) = mpsc::channel(CHANGES);
        let (ticks_in, ticks) = mpsc::channel(1);
        self.market.lock().changes = Some(changes_in);
        let speed = self.settings.speed;
        let driver = Driver {
            market: self.market.clone(),
            ticks: ticks_in,
            speed,
            origin: None,
        };
        let spawned = thread::Builder::new()
            .name("feed".into())
            .spawn(move || driver.run(feed));
        spawned.map_err(|error| BrokerError::Unreachable(error.to_string()))?;
        let pace = if speed == Speed::Max {
            Pace::OnDemand
        } else {
            Pace::Live
        };
        Ok(Events {
            ticks,
            changes,
            pace,
        })
    }

    async fn identify(&self) -> Result<AccountRow, BrokerError> {
        Ok(self.market.lock().simulator.account())
    }

    async fn ping(&self) -> Result<Duration, BrokerError> {
        let begun = Instant::now();
        drop(self.market.lock());
        Ok(begun.elapsed())
    }

    async fn symbols(&self) -> Result<Vec<SymbolSpec>, BrokerError> {
        Ok(self.market.lock().simulator.symbols())
    }

    async fn send(&self, request: &TradeRequest) -> Result<Receipt, SendFailure> {
        let mut state = self.market.lock();
        if state.changes.is_none() {
            return Err(SendFailure::NotSent("the link is down".into()));
        }
        let (receipt, events) = state.simulator.send(request);
        state.report(events);
        judge(receipt)
    }

    async fn snapshot(&self) -> Result<Snapshot, BrokerError> {
        let state = self.market.lock();
        Ok(Snapshot {
            account: state.simulator.account(),
            positions: state.simulator.positions(),
            orders: state.simulator.orders(),
            last_deal: state.last_deal,
            time: state.simulator.time(),
        })
    }

    async fn history(&self, from: BrokerTime, to: BrokerTime) -> Result<History, BrokerError> {
        let (orders, deals) = self.market.lock().simulator.history(from, to);
        Ok(History { orders, deals })
    }

    async fn bars(
        &self,
        _: &Symbol,
        _: u32,
        _: BrokerTime,
        _: usize,
    ) -> Result<Vec<Bar>, BrokerError> {
        Err(BrokerError::NotAvailable("bars of the simulator"))
    }

    async fn margin_for(
        &self,
        symbol: &Symbol,
        side: Side,
        lots: Lots,
        price: Price,
    ) -> Result<Money, BrokerError> {
        let margin = self
            .market
            .lock()
            .simulator
            .margin_for(symbol, side, lots, price);
        margin.ok_or(BrokerError::NotAvailable("a rate for the margin"))
    }

    async fn profit_for(
        &self,
        symbol: &Symbol,
        side: Side,
        lots: Lots,
        open: Price,
        close: Price,
    ) -> Result<Money, BrokerError> {
        let profit = self
            .market
            .lock()
            .simulator
            .profit_for(symbol, side, lots, open, close);
        profit.ok_or(BrokerError::NotAvailable("a rate for the profit"))
    }
}
