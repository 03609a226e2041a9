//! What outlives a session: where ticks stand, which deals were told, and the last known facts
//! about symbols, positions and the terminal.

use super::{
    super::BrokerError,
    bound::Bound,
    deals::Deals,
    names::Names,
    rows::{Context, RawSymbol, TerminalRow, account, all, call_level, deal, order, position},
    ticks::Cursors,
    wire::{Fields, RowError},
};
use mymt5_model::{
    AccountRow, BrokerTime, DealRow, OrderRow, PositionRow, Price, Side, Symbol, SymbolSpec, Ticket,
};
use serde_json::value::RawValue;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How the terminal and its bridge stand, for whoever asks.
#[derive(Clone, Debug, Default)]
pub struct TerminalStatus {
    /// Why nothing can be traded, with the fix; none while it can, or before the first login.
    pub trade_obstacle: Option<&'static str>,
    /// How long the bridge took to answer last.
    pub latency: Duration,
    /// The package's call under way and how long it has run. A busy bridge is not a dead one.
    pub busy: Option<(String, Duration)>,
    /// The bridge says nothing, and its session is not given up yet.
    pub silent: bool,
    /// It was silent since that was last told.
    pub(super) silence_untold: bool,
    /// The package took long over a call; told until then.
    pub(super) slow_until: Option<Instant>,
    /// Calls that wait in the bridge.
    pub queued: u64,
    /// The terminal's build: it changes when the terminal updates itself.
    pub build: Option<u64>,
    /// Ticks of symbols that are not in the map.
    pub unmapped_ticks: u64,
    /// Rows among ticks without a bid or an ask.
    pub quoteless_ticks: u64,
    /// Pushes of ticks that had been handed on before.
    pub repeated_pushes: u64,
}

impl TerminalStatus {
    pub(super) fn fall_silent(&mut self) {
        (self.silent, self.silence_untold) = (true, true);
    }
}

/// Shared by all sessions.
#[derive(Debug)]
pub(crate) struct Known(Mutex<State>);

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) context: Context,
    /// The account that must be there.
    pub(crate) bound: Bound,
    /// Why what the terminal tells does not count now.
    unusable: Option<BrokerError>,
    pub(crate) symbols: BTreeMap<Symbol, RawSymbol>,
    pub(crate) cursors: Cursors,
    pub(crate) deals: Deals,
    pub(crate) status: TerminalStatus,
    /// Bid and ask.
    pub(crate) quotes: HashMap<Symbol, (Price, Price)>,
    /// The broker's symbol of what is open: positions and orders have their own number spaces.
    positions: HashMap<Ticket, String>,
    orders: HashMap<Ticket, String>,
    margin_called: bool,
    /// Time of the newest tick handed on.
    pub(crate) newest: Option<BrokerTime>,
    /// The push of deals has grown: it is to begin later.
    pub(crate) outgrown: bool,
}

/// The account at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rows {
    pub(crate) account: AccountRow,
    pub(crate) orders: Vec<OrderRow>,
    pub(crate) positions: Vec<PositionRow>,
}

impl Known {
    pub(crate) fn new(names: Names, bound: Bound) -> Self {
        Self(Mutex::new(State {
            context: Context {
                names,
                digits: HashMap::new(),
                money: 2,
            },
            bound,
            unusable: None,
            symbols: BTreeMap::new(),
            cursors: Cursors::default(),
            deals: Deals::default(),
            status: TerminalStatus::default(),
            quotes: HashMap::new(),
            positions: HashMap::new(),
            orders: HashMap::new(),
            margin_called: false,
            newest: None,
            outgrown: false,
        }))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Reads the account and keeps whether it can trade.
    pub(crate) fn account(
        &mut self,
        raw: &RawValue,
        terminal: &RawValue,
    ) -> Result<AccountRow, RowError> {
        let terminal = TerminalRow::read(terminal)?;
        let (row, login, obstacle) = account(raw, terminal)?;
        let differs = self.bound.differs(login, &row.server, row.kind);
        self.unusable = match differs {
            Some(why) => Some(BrokerError::OtherAccount(why)),
            None if !terminal.connected => Some(BrokerError::Unreachable(
                "the terminal has no connection with the trade server".into(),
            )),
            None => None,
        };
        self.context.money = row.currency_digits;
        self.status.trade_obstacle = obstacle;
        Ok(row)
    }

    /// Whether what was told last counts.
    ///
    /// # Errors
    /// `OtherAccount`, or `Unreachable` while the terminal itself has no connection.
    pub(crate) fn unusable(&self) -> Result<(), BrokerError> {
        self.unusable.clone().map_or(Ok(()), Err)
    }

    /// Takes the symbols' specifications.
    pub(crate) fn take_symbols(&mut self, symbols: Vec<RawSymbol>) -> Vec<SymbolSpec> {
        let specs = symbols.iter().map(|raw| raw.spec.clone()).collect();
        for raw in symbols {
            let symbol = raw.spec.symbol.clone();
            // Prices outside the map keep the digits that all of them have.
            if self.context.names.broker(&symbol).is_some() {
                self.context.digits.insert(symbol.clone(), raw.spec.digits);
            }
            self.symbols.insert(symbol, raw);
        }
        specs
    }

    /// Reads account, orders and positions, as `state` and the push of rows tell them.
    pub(crate) fn rows(&mut self, fields: &Fields<'_>) -> Result<Rows, RowError> {
        let account = self.account(fields.raw("account")?, fields.raw("terminal")?)?;
        let raw_orders = fields.rows("orders")?;
        let raw_positions = fields.rows("positions")?;
        let context = &self.context;
        let orders = all(&raw_orders, |raw| order(raw, context))?;
        let positions = all(&raw_positions, |raw| position(raw, context))?;
        let rows = Rows {
            account,
            orders: orders.into_iter().flatten().collect(),
            positions,
        };
        let names = &self.context.names;
        let named = |ticket: Ticket, symbol: &Symbol| Some((ticket, names.any(symbol)?));
        let orders = rows.orders.iter();
        let orders = orders
            .filter_map(|row| named(row.ticket, &row.symbol))
            .collect();
        let positions = rows.positions.iter();
        let positions = positions
            .filter_map(|row| named(row.ticket, &row.symbol))
            .collect();
        (self.orders, self.positions) = (orders, positions);
        Ok(rows)
    }

    /// Reads deals.
    pub(crate) fn deals(&self, raw: &[&RawValue]) -> Result<Vec<DealRow>, RowError> {
        all(raw, |raw| deal(raw, &self.context))
    }

    /// The level, once per episode below the broker's margin call.
    pub(crate) fn margin_call(
        &mut self,
        raw: &RawValue,
        row: &AccountRow,
    ) -> Result<Option<f64>, RowError> {
        let (call, level) = (call_level(raw)?, row.margin_level);
        let short = call.is_some_and(|call| level.is_some_and(|level| level < call));
        let news = short && !self.margin_called;
        self.margin_called = short;
        Ok(level.filter(|_| news))
    }

    /// The broker's symbol of an open position.
    pub(crate) fn position_name(&self, ticket: Ticket) -> Option<String> {
        self.positions.get(&ticket).cloned()
    }

    /// The broker's symbol of a working order.
    pub(crate) fn order_name(&self, ticket: Ticket) -> Option<String> {
        self.orders.get(&ticket).cloned()
    }

    /// The price at which a market order of that side meets the market.
    pub(crate) fn touch(&self, symbol: &Symbol, side: Side) -> Option<Price> {
        let quote = self.quotes.get(symbol).copied();
        let (bid, ask) = quote.or_else(|| {
            let raw = self.symbols.get(symbol)?;
            Some((raw.bid?, raw.ask?))
        })?;
        Some(if side == Side::Buy { ask } else { bid })
    }
}

/// `server_time` of `state`.
pub(crate) fn server_time(fields: &Fields<'_>) -> Result<Option<BrokerTime>, RowError> {
    let time = fields.whole_or_null("server_time")?;
    Ok(time.filter(|ms| *ms > 0).map(BrokerTime))
}
