//! The embedded broker: adapts the synchronous simulator to the seam.

mod clock;
mod driver;
mod market;
mod store;
#[cfg(test)]
mod tests;

pub use store::KeptError;

use super::{
    Broker, BrokerError, BrokerEvent, Dispatch, Events, History, Pace, Part, SendFailure, Snapshot,
    TickPlace, judge, settled,
};
use async_trait::async_trait;
use clock::FeedClock;
use driver::{Driver, FeedTicks};
use market::{CHANGES, Market};
use mymt5_model::{
    AccountRow, Bar, BrokerTime, Lots, Money, Price, Receipt, Side, Symbol, SymbolSpec, Tick,
    TradeRequest,
};
use mymt5_simulator::{
    AccountConfig,
    feed::{BarFile, BarTicks, FeedError, Synthetic, TickFile, period_of, symbol_of},
};
use std::{
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use store::Store;
use tokio::sync::mpsc;

/// Mean time between two synthetic ticks of a symbol, milliseconds.
const MEAN_INTERVAL_MS: u32 = 25;

/// Where ticks come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Feed {
    /// Made up, endless, from a seed.
    Synthetic,
    /// The terminal's tick export, of one symbol.
    Ticks(PathBuf),
    /// The terminal's bar export, of one symbol: four ticks a bar, without a jump within it.
    Bars(PathBuf),
}

impl Feed {
    /// The symbol that its export is named after; none: it has no export, or the name tells none.
    #[must_use]
    pub fn named_after(&self) -> Option<Symbol> {
        match self {
            Self::Synthetic => None,
            Self::Ticks(file) | Self::Bars(file) => symbol_of(file),
        }
    }

    /// The one of `symbols` that its export is of: that which it is named after, else the first.
    /// None: it is not among them.
    #[must_use]
    pub fn spec<'a>(&self, symbols: &'a [SymbolSpec]) -> Option<&'a SymbolSpec> {
        match self.named_after() {
            Some(symbol) => symbols.iter().find(|spec| spec.symbol == symbol),
            None => symbols.first(),
        }
    }
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
    /// Broker time at which a synthetic feed starts, and the instant that it is of: opened later, it
    /// starts as much later, and never before what its account has seen.
    pub start: (BrokerTime, Instant),
    /// A synthetic feed rests at weekends.
    pub rests: bool,
    /// Where the account is kept between runs. A replay starts from scratch each time instead: its
    /// clock would run backwards against a kept account.
    pub keep_in: Option<PathBuf>,
}

/// The embedded broker.
pub struct Simulated {
    settings: SimulatedSettings,
    market: Arc<Market>,
}

impl Simulated {
    /// Builds the account, or takes it up again where it was kept.
    ///
    /// # Errors
    /// A symbol that cannot be valued in the account's currency, or a kept account that is
    /// another one or cannot be read.
    pub fn new(settings: SimulatedSettings) -> Result<Self, KeptError> {
        let folder = settings.keep_in.as_deref();
        let rows = settings.account.max_history_rows;
        let store = folder.map(|folder| Store::open(folder, rows)).transpose()?;
        let market = Market::new(&settings, store)?;
        Ok(Self {
            settings,
            market: Arc::new(market),
        })
    }

    /// Broker time at which a synthetic feed that is opened now begins. The account may have seen a
    /// later one before: the feed passed over a rest of the market, or went faster than the clock.
    fn beginning(&self) -> BrokerTime {
        let (start, since) = self.settings.start;
        let begun = match self.settings.speed {
            Speed::Times(times) => FeedClock::new(start, since, times).now(),
            Speed::Max => start,
        };
        let seen = self.market.lock().simulator.time();
        seen.map_or(begun, |seen| begun.max(seen))
    }

    /// The clock of a synthetic feed that begins so; none: time is what the ticks tell.
    fn clock(&self, start: BrokerTime, now: Instant) -> Option<FeedClock> {
        match (&self.settings.feed, self.settings.speed) {
            (Feed::Synthetic, Speed::Times(times)) => Some(FeedClock::new(start, now, times)),
            _ => None,
        }
    }

    fn feed(&self, start: BrokerTime) -> Result<FeedTicks, BrokerError> {
        let symbols = &self.settings.symbols;
        let unreadable = |error: FeedError| {
            BrokerError::Unreachable(format!("{error}; correct broker.simulator.file"))
        };
        let spec = self.settings.feed.spec(symbols);
        let spec = spec.ok_or(BrokerError::NotAvailable(
            "a market without the symbol of its ticks",
        ))?;
        Ok(match &self.settings.feed {
            Feed::Synthetic => {
                let seed = self.settings.account.seed;
                let feed = Synthetic::new(seed, symbols, start, MEAN_INTERVAL_MS);
                Box::new(if self.settings.rests {
                    feed.with_weekends()
                } else {
                    feed
                })
            }
            Feed::Ticks(path) => Box::new(TickFile::open(path, spec).map_err(unreadable)?),
            Feed::Bars(path) => {
                let period = period_of(path).ok_or(BrokerError::NotAvailable(
                    "a bar file whose name tells its period",
                ))?;
                Box::new(BarTicks::new(
                    BarFile::open(path, spec).map_err(unreadable)?,
                    period,
                ))
            }
        })
    }
}

#[async_trait]
impl Broker for Simulated {
    async fn open(&self) -> Result<Events, BrokerError> {
        let start = self.beginning();
        let now = Instant::now();
        let clock = self.clock(start, now);
        let origin = clock.map(|_| (start, now));
        let feed = self.feed(start)?;
        let (changes_in, changes) = mpsc::channel(CHANGES);
        let (ticks_in, ticks) = mpsc::channel(1);
        self.market.lock().begin(changes_in, clock);
        let speed = self.settings.speed;
        let (pace, demand) = match speed {
            Speed::Max => {
                let (ask, asked) = mpsc::channel(1);
                (Pace::OnDemand(ask), Some(asked))
            }
            Speed::Times(_) => (Pace::Live, None),
        };
        let driver = Driver {
            market: self.market.clone(),
            ticks: ticks_in,
            speed,
            demand,
            origin,
        };
        let spawned = thread::Builder::new()
            .name("feed".into())
            .spawn(move || driver.run(feed));
        spawned.map_err(|error| BrokerError::Unreachable(error.to_string()))?;
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

    async fn send(
        &self,
        request: &TradeRequest,
        _dispatch: &Dispatch,
    ) -> Result<Receipt, SendFailure> {
        let mut state = self.market.lock();
        state.pass_time();
        if state.changes.is_none() {
            return Err(SendFailure::NotSent("the link is down".into()));
        }
        let (receipt, events) = state.simulator.send(request);
        state.report(events);
        settled(request, judge(receipt))
    }

    async fn snapshot(&self, begun: u64) -> Result<Snapshot, BrokerError> {
        let state = self.market.lock();
        Ok(Snapshot {
            account: state.simulator.account(),
            positions: state.simulator.positions(),
            orders: state.simulator.orders(),
            unreadable: Vec::new(),
            time: state.simulator.time(),
            begun,
        })
    }

    async fn history(&self, from: BrokerTime, to: BrokerTime) -> Result<History, BrokerError> {
        let (orders, deals) = self.market.lock().simulator.history(from, to);
        Ok(History {
            from,
            to,
            orders,
            deals,
            unreadable: Vec::new(),
        })
    }

    async fn bars(
        &self,
        symbol: &Symbol,
        minutes: u32,
        from: BrokerTime,
        to: BrokerTime,
        limit: usize,
    ) -> Result<Part<Bar, BrokerTime>, BrokerError> {
        let state = self.market.lock();
        let rows = state.quotes.bars(symbol, minutes, from, to, limit);
        let last = rows.last().filter(|_| rows.len() == limit);
        let rest = last.map(|bar| BrokerTime(bar.time.0 + 1));
        Ok(Part { rows, rest })
    }

    async fn newest_bars(
        &self,
        symbol: &Symbol,
        minutes: u32,
        limit: usize,
    ) -> Result<Vec<Bar>, BrokerError> {
        let state = self.market.lock();
        Ok(state.quotes.newest_bars(symbol, minutes, limit))
    }

    async fn ticks(
        &self,
        symbol: &Symbol,
        from: TickPlace,
        to: BrokerTime,
        limit: usize,
    ) -> Result<Part<Tick, TickPlace>, BrokerError> {
        let begin = (from.time, from.skip);
        let rows = self.market.lock().quotes.ticks(symbol, begin, to, limit);
        let rest = (rows.len() == limit).then(|| from.after(&rows));
        Ok(Part { rows, rest })
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
