//! The seam to whatever executes orders. The simulator and the terminal stand behind it; nothing
//! above knows which.

mod simulated;
pub mod terminal;

pub use simulated::{Feed, KeptError, Simulated, SimulatedSettings, Speed};

pub use mymt5_orders::{History, SendFailure, Snapshot, Unreadable, judge, settled};

use async_trait::async_trait;
use mymt5_model::{
    AccountKind, AccountRow, Bar, BrokerTime, DealRow, Lots, Money, Price, Receipt, Side, Symbol,
    SymbolSpec, Tick, TradeRequest,
};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// What the broker reports unasked.
#[derive(Clone, Debug)]
pub enum BrokerEvent {
    /// A deal was done.
    Deal(DealRow),
    /// Orders, positions or the account changed: read a snapshot.
    RowsChanged,
    /// The account is short of margin; the level in percent.
    MarginCall(f64),
    /// No tick will come any more: why a replay is over.
    FeedEnded(String),
    /// What came before it is to be told before this is dropped.
    Barrier(mpsc::Sender<()>),
    /// The link broke.
    LinkLost(String),
}

/// How ticks come.
#[derive(Clone, Debug)]
pub enum Pace {
    /// By the clock: a slow reader loses ticks.
    Live,
    /// As fast as subscribers take them (replay at full speed only): each message asks for so many,
    /// and the market stands still until then.
    OnDemand(mpsc::Sender<usize>),
}

/// An open link. Dropping the receivers closes it.
#[derive(Debug)]
pub struct Events {
    /// Ticks in batches. Small: a full one holds the feed back.
    pub ticks: mpsc::Receiver<Vec<Tick>>,
    /// Everything else.
    pub changes: mpsc::Receiver<BrokerEvent>,
    /// How ticks come.
    pub pace: Pace,
}

/// How the broker's account differs from the configured one.
pub(crate) const OTHER_NUMBER: &str = "its number is not MT5_LOGIN; log the terminal in to the configured account, or correct MT5_LOGIN";
pub(crate) const OTHER_SERVER: &str = "its server is not MT5_SERVER; log the terminal in to the configured account, or correct MT5_SERVER";

/// An account of that kind, where another one is configured.
pub(crate) fn other_kind(kind: AccountKind, wanted: AccountKind) -> String {
    format!(
        "it is of kind {kind:?}, the configuration wants {wanted:?}; correct broker.terminal.account_kind, or use another account"
    )
}

/// Why the broker did not answer a question. Where an operator can do something, it says what.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    /// It cannot be reached.
    #[error("the broker cannot be reached: {0}")]
    Unreachable(String),
    /// It says nothing for now. The link is not given up yet.
    #[error("{0}")]
    Silent(&'static str),
    /// It refused the credentials.
    #[error("the broker refused the credentials: {0}")]
    Refused(String),
    /// It took the credentials, and then never came to the trade server.
    #[error("the broker cannot be reached: {0}")]
    NotConnected(String),
    /// It has another account than the one that is configured.
    #[error("the broker has another account than the configured one: {0}")]
    OtherAccount(String),
    /// It does not answer this kind of question.
    #[error("not available: {0}; try again later, or do without it")]
    NotAvailable(&'static str),
    /// It does not tell that part of the past now.
    #[error("the past was not told: {why}")]
    PastUnavailable {
        /// Why, with the fix.
        why: String,
        /// When it may be asked again.
        pause: Duration,
    },
}

impl BrokerError {
    /// The reason alone, for a text that already says that the broker cannot be reached.
    #[must_use]
    pub fn why(&self) -> String {
        match self {
            Self::Unreachable(why) | Self::NotConnected(why) => why.clone(),
            other => other.to_string(),
        }
    }
}

/// How a request is sent.
#[derive(Clone, Debug)]
pub struct Dispatch {
    /// It must have left by then.
    pub before: Instant,
    /// The trace of the call that led to it; empty where no call did.
    pub trace_id: String,
}

/// A part of a symbol's past, in the order of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Part<T, P> {
    /// Its rows. They may be none where there is a rest: a long time without any.
    pub rows: Vec<T>,
    /// Where the rest begins; none: there is no more.
    pub rest: Option<P>,
}

/// A place in the ticks of a symbol, of which several may be of one millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TickPlace {
    /// Raw broker time.
    pub time: BrokerTime,
    /// So many ticks of that millisecond come before it.
    pub skip: usize,
}

impl TickPlace {
    /// Where the ticks behind these begin, which begin here.
    #[must_use]
    pub fn after(self, ticks: &[Tick]) -> Self {
        let Some(last) = ticks.last() else {
            return self;
        };
        let newest_first = ticks.iter().rev();
        let alike = newest_first.take_while(|tick| tick.time == last.time);
        let before = if last.time == self.time { self.skip } else { 0 };
        Self {
            time: last.time,
            skip: before + alike.count(),
        }
    }
}

/// A broker. All calls may be made at once from several tasks.
#[async_trait]
pub trait Broker: Send + Sync + 'static {
    /// Requests it takes at a time; more of them wait, the protective ones in front.
    fn max_in_flight(&self) -> usize {
        1
    }
    /// Connects and logs in. Events flow until the receivers are dropped or the link is lost.
    async fn open(&self) -> Result<Events, BrokerError>;
    /// Which account this is, as the broker says.
    async fn identify(&self) -> Result<AccountRow, BrokerError>;
    /// One round trip: its latency.
    ///
    /// # Errors
    /// `Silent` leaves the link as it is; any other error ends it.
    async fn ping(&self) -> Result<Duration, BrokerError>;
    /// Why the broker or the terminal forbids trading now, with the fix; none: it does not.
    fn trade_obstacle(&self) -> Option<String> {
        None
    }
    /// Why configured symbols cannot be traded, with the fix; none: all can.
    fn unread_symbols(&self) -> Option<String> {
        None
    }
    /// True while it takes long over what it is asked.
    fn slow(&self) -> bool {
        false
    }
    /// True when its ticks carry the broker's clock of now, so that they can verify a time zone.
    fn keeps_time(&self) -> bool {
        false
    }
    /// Contract specifications.
    async fn symbols(&self) -> Result<Vec<SymbolSpec>, BrokerError>;
    /// Sends one request, once, and not after its time: whatever has to be waited for on the way,
    /// what is too late is not sent.
    async fn send(
        &self,
        request: &TradeRequest,
        dispatch: &Dispatch,
    ) -> Result<Receipt, SendFailure>;
    /// Account, positions and working orders. `begun` is what was known when the reading began, and
    /// is handed through.
    async fn snapshot(&self, begun: u64) -> Result<Snapshot, BrokerError>;
    /// Ended orders and deals of `[from, to)` in raw broker time.
    async fn history(&self, from: BrokerTime, to: BrokerTime) -> Result<History, BrokerError>;
    /// Bars that open in `[from, to)`, up to `limit`; the last one may be unfinished.
    async fn bars(
        &self,
        _symbol: &Symbol,
        _minutes: u32,
        _from: BrokerTime,
        _to: BrokerTime,
        _limit: usize,
    ) -> Result<Part<Bar, BrokerTime>, BrokerError> {
        Err(BrokerError::NotAvailable("bars"))
    }
    /// The newest bars, up to `limit`, the unfinished one included.
    async fn newest_bars(
        &self,
        _symbol: &Symbol,
        _minutes: u32,
        _limit: usize,
    ) -> Result<Vec<Bar>, BrokerError> {
        Err(BrokerError::NotAvailable("bars"))
    }
    /// Ticks from a place on and before `to`, up to `limit`.
    async fn ticks(
        &self,
        _symbol: &Symbol,
        _from: TickPlace,
        _to: BrokerTime,
        _limit: usize,
    ) -> Result<Part<Tick, TickPlace>, BrokerError> {
        Err(BrokerError::NotAvailable("ticks of the past"))
    }
    /// Margin that an order would take.
    async fn margin_for(
        &self,
        _symbol: &Symbol,
        _side: Side,
        _lots: Lots,
        _price: Price,
    ) -> Result<Money, BrokerError> {
        Err(BrokerError::NotAvailable("margin"))
    }
    /// Profit of a move.
    async fn profit_for(
        &self,
        _symbol: &Symbol,
        _side: Side,
        _lots: Lots,
        _open: Price,
        _close: Price,
    ) -> Result<Money, BrokerError> {
        Err(BrokerError::NotAvailable("profit"))
    }
}
