//! What outlives a session: where ticks stand, which deals were reported, and the last known facts
//! about symbols, positions and the terminal.

use super::{
    super::BrokerError,
    broker_clock::BrokerClock,
    deals::Deals,
    expected_account::ExpectedAccount,
    rows::{
        Basics, Context, Listed, RawBasics, RawSymbol, Specifications, TerminalRow, account, all,
        call_level, deal, early_deals, order, position, receipt,
    },
    symbol_map::SymbolMap,
    ticks::Cursors,
    wire::{Fields, RowError},
};
use mymt5_chassis::clock;
use mymt5_model::{
    AccountRow, BrokerTime, DealRow, OrderRow, PositionRow, Price, Receipt, Side, Symbol,
    SymbolSpec, TradeMode, UtcTime,
};
use mymt5_orders::{RowKind, Unreadable};
use serde_json::value::RawValue;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// A quote is fresh for so long: a symbol that trades has ticks more often.
const FRESH: Duration = Duration::from_secs(1);

/// The state of the terminal and its bridge.
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
    /// It was silent since that was last reported.
    pub(super) silence_unreported: bool,
    /// The package took long over a call; reported until then.
    pub(super) slow_until: Option<Instant>,
    /// Calls that wait in the bridge.
    pub queued: u64,
    /// The terminal's build: it changes when the terminal updates itself.
    pub build: Option<u64>,
    /// Why configured symbols cannot be traded, with the fix; none: all can.
    pub unread_symbols: Option<String>,
    /// Ticks of symbols that are not in the map, or were not read yet.
    pub unmapped_ticks: u64,
    /// Rows among ticks without a bid, an ask or a time.
    pub quoteless_ticks: u64,
    /// Pushes of ticks that had been handed on before.
    pub repeated_pushes: u64,
}

impl TerminalStatus {
    pub(super) fn fall_silent(&mut self) {
        (self.silent, self.silence_unreported) = (true, true);
    }
}

/// Shared by all sessions.
#[derive(Debug)]
pub(crate) struct SharedState(Mutex<TerminalState>);

#[derive(Debug)]
pub(crate) struct TerminalState {
    pub(crate) context: Context,
    /// The account that must be there.
    pub(crate) expected: ExpectedAccount,
    /// Why what the terminal reports does not count now.
    unusable: Option<BrokerError>,
    /// The last specification of each symbol.
    pub(crate) symbols: BTreeMap<Symbol, RawSymbol>,
    /// What exits need of each symbol, also of one whose specification was never read.
    pub(crate) basics: HashMap<Symbol, Basics>,
    pub(crate) cursors: Cursors,
    pub(crate) deals: Deals,
    pub(crate) status: TerminalStatus,
    pub(crate) quotes: HashMap<Symbol, Quote>,
    margin_called: bool,
    clock: BrokerClock,
}

/// Prices, and when they came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quote {
    bid: Price,
    ask: Price,
    came: Instant,
}

impl Quote {
    /// Prices that came just now.
    pub(crate) fn now(bid: Price, ask: Price) -> Self {
        Self {
            bid,
            ask,
            came: Instant::now(),
        }
    }

    /// The price at which a market order of that side meets the market.
    pub(crate) fn touch(self, side: Side) -> Price {
        match side {
            Side::Buy => self.ask,
            Side::Sell => self.bid,
        }
    }

    /// True where the market may have moved on since.
    pub(crate) fn is_old(self, moment: Instant) -> bool {
        moment.saturating_duration_since(self.came) > FRESH
    }
}

/// The account at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rows {
    pub(crate) account: AccountRow,
    pub(crate) orders: Vec<OrderRow>,
    pub(crate) positions: Vec<PositionRow>,
    pub(crate) unreadable: Vec<Unreadable>,
}

impl SharedState {
    pub(crate) fn new(symbol_map: SymbolMap, expected: ExpectedAccount) -> Self {
        Self(Mutex::new(TerminalState {
            context: Context {
                symbol_map,
                digits: HashMap::new(),
                money: 2,
            },
            expected,
            unusable: None,
            symbols: BTreeMap::new(),
            basics: HashMap::new(),
            cursors: Cursors::default(),
            deals: Deals::default(),
            status: TerminalStatus::default(),
            quotes: HashMap::new(),
            margin_called: false,
            clock: BrokerClock::default(),
        }))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, TerminalState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TerminalState {
    /// Reads the account and keeps whether it can trade.
    pub(crate) fn account(
        &mut self,
        raw: &RawValue,
        terminal: &RawValue,
    ) -> Result<AccountRow, RowError> {
        let terminal = TerminalRow::read(terminal)?;
        let (row, login, obstacle) = account(raw, terminal)?;
        let differs = self.expected.differs(login, &row.server, row.kind);
        self.unusable = match differs {
            Some(why) => Some(BrokerError::OtherAccount(why)),
            None if !terminal.connected => Some(BrokerError::Unreachable(
                "the terminal has no connection with the trade server; check its network".into(),
            )),
            None => None,
        };
        self.context.money = row.currency_digits;
        self.status.trade_obstacle = obstacle;
        Ok(row)
    }

    /// Whether what was last reported counts.
    ///
    /// # Errors
    /// `OtherAccount`, or `Unreachable` while the terminal itself has no connection.
    pub(crate) fn unusable(&self) -> Result<(), BrokerError> {
        self.unusable.clone().map_or(Ok(()), Err)
    }

    /// Takes what was told of the map's symbols. Where one has no specification any more the last
    /// one goes on, for exits alone. `asked`: when they were asked for.
    pub(crate) fn take_specifications(
        &mut self,
        told: Specifications,
        asked: Instant,
    ) -> Vec<SymbolSpec> {
        self.status.unread_symbols = told.fault();
        self.take_symbols(told, asked)
    }

    /// Takes what was told of symbols. The prices are no newer than the question: a tick that came
    /// since is.
    pub(crate) fn take_symbols(&mut self, told: Specifications, asked: Instant) -> Vec<SymbolSpec> {
        let mut specs = Vec::with_capacity(told.read.len());
        for raw in told.read {
            let symbol = raw.spec.symbol.clone();
            let basics = RawBasics::from(&raw);
            // Prices outside the map keep the digits that all of them have.
            if self.context.symbol_map.broker(&symbol).is_some() {
                self.context.digits.insert(symbol.clone(), raw.spec.digits);
            }
            specs.push(raw.spec.clone());
            self.symbols.insert(symbol.clone(), raw);
            self.basics.insert(symbol.clone(), basics.basics);
            self.take_quote(symbol, &basics, asked);
        }
        for unread in told.unread {
            if let Some(known) = self.symbols.get_mut(&unread.symbol) {
                known.spec.trade_mode = TradeMode::CloseOnly;
                specs.push(known.spec.clone());
            }
            if let Some(basics) = unread.basics {
                let symbol = unread.symbol;
                // Those of a row that was understood serve better.
                if !self.symbols.contains_key(&symbol) {
                    self.basics.insert(symbol.clone(), basics.basics);
                }
                self.take_quote(symbol, &basics, asked);
            }
        }
        specs
    }

    fn take_quote(&mut self, symbol: Symbol, raw: &RawBasics, asked: Instant) {
        let known = self.quotes.get(&symbol);
        let news = known.is_none_or(|known| known.came < asked);
        if let (Some(bid), Some(ask), true) = (raw.bid, raw.ask, news) {
            let quote = Quote {
                bid,
                ask,
                came: asked,
            };
            self.quotes.insert(symbol, quote);
        }
    }

    /// Reads account, orders and positions, as `state` and the push of rows carry them.
    pub(crate) fn rows(&mut self, fields: &Fields<'_>) -> Result<Rows, RowError> {
        let account = self.account(fields.raw("account")?, fields.raw("terminal")?)?;
        let context = &self.context;
        let orders = all(&fields.rows("orders")?, RowKind::Order, context, order);
        let positions = fields.rows("positions")?;
        let mut positions = all(&positions, RowKind::Position, context, position);
        let mut unreadable = orders.unreadable;
        unreadable.append(&mut positions.unreadable);
        Ok(Rows {
            account,
            orders: orders.rows.into_iter().flatten().collect(),
            positions: positions.rows,
            unreadable,
        })
    }

    /// Reads deals.
    pub(crate) fn deals(&self, raw: &[&RawValue]) -> Listed<DealRow> {
        all(raw, RowKind::Deal, &self.context, deal)
    }

    /// Reads what came of a send.
    pub(crate) fn receipt(&self, raw: &RawValue) -> Result<Receipt, RowError> {
        Ok(Receipt {
            deals: early_deals(raw, &self.context),
            ..receipt(raw)?
        })
    }

    /// A tick or a deal of that time was seen just now.
    pub(crate) fn see(&mut self, time: BrokerTime) {
        let utc = UtcTime(clock::utc_now_ms());
        self.clock.see(time, Instant::now(), utc);
    }

    /// The broker's clock; none while nothing was seen.
    pub(crate) fn broker_time(&self) -> Option<BrokerTime> {
        self.clock.at(Instant::now())
    }

    /// The level, once per episode below the broker's margin call.
    pub(crate) fn margin_call(
        &mut self,
        raw: &RawValue,
        row: &AccountRow,
    ) -> Result<Option<f64>, RowError> {
        let call = call_level(raw)?;
        let level = row.margin_level;
        let short = call.is_some_and(|call| level.is_some_and(|level| level < call));
        let news = short && !self.margin_called;
        self.margin_called = short;
        Ok(level.filter(|_| news))
    }
}

/// `server_time` of `state`.
pub(crate) fn server_time(fields: &Fields<'_>) -> Result<Option<BrokerTime>, RowError> {
    let time = fields.whole_or_null("server_time")?;
    Ok(time.filter(|ms| *ms > 0).map(BrokerTime))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_grows_old_in_a_second() {
        let price = |points| Price::from_points(points, 5);
        let quote = Quote::now(price(110_000), price(110_010));
        let after = |ms| quote.came + Duration::from_millis(ms);
        assert!(!quote.is_old(after(0)) && !quote.is_old(after(900)));
        assert!(quote.is_old(after(1_100)));
        assert_eq!(quote.touch(Side::Buy), price(110_010));
        assert_eq!(quote.touch(Side::Sell), price(110_000));
    }
}
