//! A real MetaTrader 5 terminal, through the bridge that runs beside it. The bridge is dumb: all
//! that its raw rows and codes mean is decided here.

mod bars;
mod broker_clock;
mod calls;
mod connection;
mod credentials;
mod deals;
mod expected_account;
mod failure;
mod feed;
#[doc(hidden)]
pub mod fuzz;
mod handshake;
mod history;
#[cfg(test)]
mod messages;
mod opening;
mod past;
mod past_ticks;
mod requests;
mod rows;
mod sending;
mod state;
mod symbol_map;
mod ticks;
mod tls;
mod weak_secret;
mod wire;

pub use credentials::Account;
pub(crate) use credentials::{LONGEST_CREDENTIAL, is_too_long};
pub use state::TerminalStatus;
pub(crate) use weak_secret::WeakSecret;
pub use wire::RowError;

use super::{
    Broker, BrokerError, Dispatch, Events, History, Part, SendFailure, Snapshot, TickPlace,
};
use async_trait::async_trait;
use calls::ask;
use connection::Connection;
use expected_account::ExpectedAccount;
use history::Window;
use mymt5_chassis::clock;
use mymt5_model::{
    AccountKind, AccountRow, Bar, BrokerTime, DealRow, Lots, Money, OrderRow, Price, Receipt, Side,
    Symbol, SymbolSpec, Tick, TradeRequest,
};
use mymt5_orders::RowKind;
use rows::Listed;
use rustls::pki_types::CertificateDer;
use serde_json::json;
use state::{SharedState, server_time};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use symbol_map::SymbolMap;
use tokio::{
    sync::{Mutex, RwLock, watch},
    time::timeout,
};
use wire::Fields;

/// A read may take so many times as long as one call: it makes several.
const READS: u32 = 4;
const DAY_MS: i64 = 86_400_000;

/// What the link to a terminal is made of.
#[derive(Clone, Debug)]
pub struct TerminalSettings {
    /// The bridge's host and port.
    pub address: String,
    /// The bridge's own certificate. None: no TLS, for a bridge on this host only, where a local user
    /// who takes its port first sees the password.
    pub certificate: Option<CertificateDer<'static>>,
    /// Canonical symbols and the broker's names for them, one-to-one.
    pub symbols: BTreeMap<Symbol, String>,
    /// The kind of account that must be found there.
    pub kind: AccountKind,
    /// How often the bridge asks for ticks, 1 ms to 10 s.
    pub poll_interval: Duration,
    /// How often it asks for orders, positions and deals.
    pub rows_interval: Duration,
    /// Longest wait for the answer to a call.
    pub call_timeout: Duration,
}

impl TerminalSettings {
    /// Longest wait for a read: it takes several calls of the package.
    pub(crate) fn read_timeout(&self) -> Duration {
        self.call_timeout * READS
    }

    /// True where the address is no literal one: the name must be resolved.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.address.parse::<SocketAddr>().is_err()
    }

    /// The port of the address; 0 where it names none.
    #[must_use]
    pub fn port(&self) -> u16 {
        let port = self.address.rsplit_once(':');
        port.and_then(|(_, port)| port.parse().ok()).unwrap_or(0)
    }
}

/// Two symbols of the map have the same name at the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("two symbols have the same name at the broker")]
pub struct SharedName;

/// A terminal behind its bridge.
pub struct Terminal {
    settings: TerminalSettings,
    /// Asked at each opening, since secrets rotate.
    credentials: Box<dyn Fn() -> Account + Send + Sync>,
    shared: Arc<SharedState>,
    session: watch::Sender<Option<Arc<Connection>>>,
    /// Held for reading by every send, and for writing while a session that works is replaced:
    /// that comes between two sends, and who wants to send waits for the next session.
    turn: RwLock<()>,
    /// Held by the one call about bars or ticks of the past that the bridge has, however many ask.
    /// In it: when the next may begin, after one that took long.
    past: Arc<Mutex<Option<tokio::time::Instant>>>,
}

impl Terminal {
    /// Connects nowhere yet. The credentials are asked for at each opening.
    ///
    /// # Errors
    /// Two symbols share a name.
    pub fn new(
        settings: TerminalSettings,
        credentials: impl Fn() -> Account + Send + Sync + 'static,
    ) -> Result<Self, SharedName> {
        let symbol_map = SymbolMap::new(settings.symbols.clone()).ok_or(SharedName)?;
        let expected = ExpectedAccount::to(&credentials(), settings.kind);
        Ok(Self {
            settings,
            credentials: Box::new(credentials),
            shared: Arc::new(SharedState::new(symbol_map, expected)),
            session: watch::Sender::new(None),
            turn: RwLock::new(()),
            past: Arc::default(),
        })
    }

    /// How the terminal and its bridge stand.
    #[must_use]
    pub fn status(&self) -> TerminalStatus {
        self.shared.lock().status.clone()
    }

    fn connection(&self) -> Option<Arc<Connection>> {
        let session = self.session.borrow();
        session.clone().filter(|session| !session.is_closed())
    }

    fn link(&self) -> Result<Arc<Connection>, BrokerError> {
        self.connection().ok_or_else(|| {
            BrokerError::Unreachable(
                "the link to the terminal is down; wait until it is READY".into(),
            )
        })
    }

    /// What the terminal reports counts only while it has the right account and the trade server:
    /// its rows of an hour ago prove nothing about an order of now.
    fn usable(&self) -> Result<(), BrokerError> {
        let unusable = self.shared.lock().unusable();
        unusable.inspect_err(|error| self.leave(&error.why()))
    }

    /// Ends the session, if there is one.
    fn leave(&self, why: &str) {
        if let Some(session) = self.session.send_replace(None) {
            session.close(why);
        }
    }

    fn name_and_digits(&self, symbol: &Symbol) -> Result<(String, u8), BrokerError> {
        let state = self.shared.lock();
        let name = state.context.symbol_map.broker(symbol).map(str::to_owned);
        let digits = state.context.digits.get(symbol).copied();
        name.zip(digits)
            .ok_or(BrokerError::NotAvailable("a symbol that is not in the map"))
    }

    async fn deals(
        &self,
        link: &Arc<Connection>,
        window: Window,
    ) -> Result<Listed<DealRow>, BrokerError> {
        let timeout = self.settings.read_timeout();
        let read = |rows: &[&_]| self.shared.lock().deals(rows);
        history::read(link, "history_deals", window, timeout, read).await
    }

    async fn money(&self, call: &str, args: &serde_json::Value) -> Result<Money, BrokerError> {
        let raw = ask(&self.link()?, call, args, self.settings.call_timeout).await?;
        let amount: Option<f64> = serde_json::from_str(raw.get()).ok();
        amount
            .and_then(|amount| Money::from_f64(amount).ok())
            .map(|amount| amount.rounded(self.shared.lock().context.money))
            .ok_or(BrokerError::NotAvailable("a rate"))
    }
}

#[async_trait]
impl Broker for Terminal {
    async fn open(&self) -> Result<Events, BrokerError> {
        // Nothing waits for a session that does not work: its sends are recalled in the next.
        let _turn = match self.connection() {
            Some(_) => timeout(self.settings.call_timeout, self.turn.write())
                .await
                .ok(),
            None => None,
        };
        self.leave("a new session is opened");
        let account = (self.credentials)();
        self.shared.lock().expected.takes(&account)?;
        let opened = opening::open(&self.settings, &self.shared, &account).await;
        let (connection, events) = opened?;
        self.session.send_replace(Some(connection));
        Ok(events)
    }

    async fn identify(&self) -> Result<AccountRow, BrokerError> {
        let link = self.link()?;
        let timeout = self.settings.read_timeout();
        let account = ask(&link, "account", &json!({}), timeout).await?;
        let terminal = ask(&link, "terminal", &json!({}), timeout).await?;
        Ok(self.shared.lock().account(&account, &terminal)?)
    }

    fn trade_obstacle(&self) -> Option<String> {
        self.status().trade_obstacle.map(str::to_owned)
    }

    fn unread_symbols(&self) -> Option<String> {
        self.status().unread_symbols
    }

    fn slow(&self) -> bool {
        let until = self.shared.lock().status.slow_until;
        until.is_some_and(|until| Instant::now() < until)
    }

    fn keeps_time(&self) -> bool {
        true
    }

    async fn ping(&self) -> Result<Duration, BrokerError> {
        // The session asks by itself, and ends where no answer comes for long.
        self.link()?;
        let mut shared = self.shared.lock();
        let status = &mut shared.status;
        let unreported = std::mem::take(&mut status.silence_unreported);
        if status.silent || unreported {
            return Err(BrokerError::Silent(
                "the bridge says nothing, the terminal takes long over a call or the bridge or its host is stopped; look at their logs",
            ));
        }
        Ok(status.latency)
    }

    async fn symbols(&self) -> Result<Vec<SymbolSpec>, BrokerError> {
        let symbol_map = self.shared.lock().context.symbol_map.clone();
        let timeout = self.settings.read_timeout();
        let asked = Instant::now();
        let symbols = calls::symbols(&self.link()?, &symbol_map, timeout).await?;
        Ok(self.shared.lock().take_specifications(symbols, asked))
    }

    async fn send(
        &self,
        request: &TradeRequest,
        dispatch: &Dispatch,
    ) -> Result<Receipt, SendFailure> {
        self.send_once(request, dispatch).await
    }

    async fn snapshot(&self, begun: u64) -> Result<Snapshot, BrokerError> {
        let link = self.link()?;
        let timeout = self.settings.read_timeout();
        let raw = ask(&link, "state", &json!({}), timeout).await?;
        let fields = Fields::of("state", &raw)?;
        let rows = self.shared.lock().rows(&fields);
        self.usable()?;
        let rows = rows?;
        let pushed = server_time(&fields)?;
        let mut shared = self.shared.lock();
        // The latest time that the bridge ever pushed. It never goes back, and a clock may.
        if shared.broker_time().is_none() {
            pushed.into_iter().for_each(|time| shared.see(time));
        }
        Ok(Snapshot {
            account: rows.account,
            positions: rows.positions,
            orders: rows.orders,
            unreadable: rows.unreadable,
            time: shared.broker_time(),
            begun,
        })
    }

    async fn history(&self, from: BrokerTime, to: BrokerTime) -> Result<History, BrokerError> {
        self.usable()?;
        let link = self.link()?;
        let timeout = self.settings.read_timeout();
        let window = Window::of(from, to, clock::utc_now_ms());
        let read = |raw: &[&_]| {
            let state = self.shared.lock();
            rows::all(raw, RowKind::Order, &state.context, rows::order)
        };
        let orders = history::read(&link, "history_orders", window, timeout, read).await?;
        let mut deals = self.deals(&link, window).await?;
        deals.rows.retain(|deal| (from..to).contains(&deal.time));
        let mut unreadable = orders.unreadable;
        unreadable.append(&mut deals.unreadable);
        Ok(History {
            from,
            to,
            orders: within(orders.rows.into_iter().flatten().collect(), from, to),
            deals: deals.rows,
            unreadable,
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
        self.read_bars(symbol, minutes, (from, to), limit).await
    }

    async fn newest_bars(
        &self,
        symbol: &Symbol,
        minutes: u32,
        limit: usize,
    ) -> Result<Vec<Bar>, BrokerError> {
        self.read_newest_bars(symbol, minutes, limit).await
    }

    async fn ticks(
        &self,
        symbol: &Symbol,
        from: TickPlace,
        to: BrokerTime,
        limit: usize,
    ) -> Result<Part<Tick, TickPlace>, BrokerError> {
        self.read_ticks(symbol, from, to, limit).await
    }

    async fn margin_for(
        &self,
        symbol: &Symbol,
        side: Side,
        lots: Lots,
        price: Price,
    ) -> Result<Money, BrokerError> {
        let (name, _) = self.name_and_digits(symbol)?;
        let args = json!({
            "action": action(side), "symbol": name, "volume": lots.to_f64(),
            "price": price.to_f64(),
        });
        self.money("margin", &args).await
    }

    async fn profit_for(
        &self,
        symbol: &Symbol,
        side: Side,
        lots: Lots,
        open: Price,
        close: Price,
    ) -> Result<Money, BrokerError> {
        let (name, _) = self.name_and_digits(symbol)?;
        let args = json!({
            "action": action(side), "symbol": name, "volume": lots.to_f64(),
            "price_open": open.to_f64(), "price_close": close.to_f64(),
        });
        self.money("profit", &args).await
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.leave("the gateway is stopping");
    }
}

/// The orders of a span. The package picks them by one of their times and does not say which, so
/// that one with either inside counts.
fn within(mut orders: Vec<OrderRow>, from: BrokerTime, to: BrokerTime) -> Vec<OrderRow> {
    let span = from..to;
    let ended = |row: &OrderRow| row.done.is_some_and(|done| span.contains(&done));
    orders.retain(|row| ended(row) || span.contains(&row.created));
    orders
}

/// `ORDER_TYPE_BUY` or `ORDER_TYPE_SELL`.
fn action(side: Side) -> u32 {
    u32::from(side == Side::Sell)
}
