//! The account as a whole: how it is set up and what may be asked of it.

use crate::{
    AccountConfig, Past, SetupError,
    convert::{routes, sources},
    dice::Dice,
    history::History,
    market::Market,
    pending::FIRST_ORDER,
    position::{Position, point_lots},
    worth::Worth,
};
use mymt5_model::{
    AccountKind, AccountRow, BrokerTime, DealRow, Lots, MaskedAccount, Money, OrderRow,
    PositionRow, Price, Side, Symbol, SymbolSpec, Tick,
};
use std::collections::BTreeMap;

/// Where deal tickets begin.
const FIRST_DEAL: u64 = 2_000_001;

/// A whole MetaTrader 5 account: its market, its orders, its positions, its money.
pub struct Simulator {
    pub(crate) account: AccountConfig,
    /// The number of the account.
    pub(crate) masked: MaskedAccount,
    pub(crate) markets: Vec<Market>,
    pub(crate) index: BTreeMap<Symbol, usize>,
    pub(crate) balance: Money,
    pub(crate) credit: Money,
    pub(crate) history: History,
    pub(crate) next_order: u64,
    pub(crate) next_deal: u64,
    pub(crate) dice: Dice,
    pub(crate) time: Option<BrokerTime>,
    /// The earliest end of a working order's life; an order may have outlived it.
    pub(crate) next_expiry: Option<BrokerTime>,
    pub(crate) margin_called: bool,
}

impl Simulator {
    /// Opens an account that trades these symbols.
    ///
    /// # Errors
    /// Conditions or specifications out of range, a symbol listed twice, and a quote currency
    /// that neither a listed symbol nor a configured rate converts to the account currency.
    pub fn new(account: AccountConfig, symbols: Vec<SymbolSpec>) -> Result<Self, SetupError> {
        account.check()?;
        let mut index = BTreeMap::new();
        for (i, spec) in symbols.iter().enumerate() {
            check_spec(spec)?;
            if index.insert(spec.symbol.clone(), i).is_some() {
                let symbol = spec.symbol.clone();
                return Err(SetupError::Duplicate { symbol });
            }
        }
        Ok(Self {
            markets: open_markets(&account, symbols)?,
            index,
            balance: account.balance,
            credit: Money::ZERO,
            history: History::new(account.max_history_rows),
            next_order: FIRST_ORDER,
            next_deal: FIRST_DEAL,
            dice: Dice::new(account.seed, 0),
            time: None,
            next_expiry: None,
            margin_called: false,
            masked: MaskedAccount::of(account.login),
            account,
        })
    }

    /// The account and its figures at the current quotes.
    #[must_use]
    pub fn account(&self) -> AccountRow {
        let profit = self.floating();
        let margin = self.margin();
        let equity = self.equity();
        AccountRow {
            account: self.masked.clone(),
            server: self.account.server.clone(),
            mode: self.account.mode,
            kind: AccountKind::Simulated,
            currency: self.account.currency.clone(),
            currency_digits: self.account.currency_digits,
            leverage: self.account.leverage,
            balance: self.balance,
            credit: self.credit,
            profit,
            equity,
            margin,
            free_margin: equity - margin,
            margin_level: self.margin_level(),
            trade_allowed: self.account.trade_allowed,
        }
    }

    /// Balance: what deals made of the beginning.
    #[must_use]
    pub const fn balance(&self) -> Money {
        self.balance
    }

    /// The open positions, symbol by symbol in the order of the list, the oldest first.
    #[must_use]
    pub fn positions(&self) -> Vec<PositionRow> {
        let rows = |market| {
            let row = move |position| self.position_row(market, position);
            market.positions.iter().map(row)
        };
        self.markets.iter().flat_map(rows).collect()
    }

    fn position_row(&self, market: &Market, position: &Position) -> PositionRow {
        let price = market.closing(position.side);
        let profit = price.and_then(|p| self.worth_rounded(market, position.gain(p), p));
        PositionRow {
            ticket: position.ticket,
            id: position.id,
            magic: position.magic,
            symbol: market.spec.symbol.clone(),
            side: position.side,
            lots: position.lots,
            open_price: position.open_price(market.spec.digits),
            levels: position.levels,
            profit: profit.unwrap_or(Money::ZERO),
            swap: position.swap,
            opened: position.opened,
            updated: position.updated,
            comment: position.comment.clone(),
        }
    }

    /// The working orders, symbol by symbol.
    #[must_use]
    pub fn orders(&self) -> Vec<OrderRow> {
        let orders = self.markets.iter().flat_map(|market| &market.orders);
        orders.map(|order| order.row.clone()).collect()
    }

    /// Orders that ended, and deals that were done, in `[from, to)`.
    #[must_use]
    pub fn history(&self, from: BrokerTime, to: BrokerTime) -> (Vec<OrderRow>, Vec<DealRow>) {
        self.history.between(from, to)
    }

    /// Orders that ended, and deals that were done, after that moment, as far as they are still
    /// kept.
    #[must_use]
    pub fn history_since(&self, past: Past) -> (Vec<OrderRow>, Vec<DealRow>) {
        self.history.since(past)
    }

    /// The contract specifications, with the tick value at the current rate.
    #[must_use]
    pub fn symbols(&self) -> Vec<SymbolSpec> {
        let with_value = |market: &Market| {
            let mut spec = market.spec.clone();
            let tick = i128::from(spec.tick_size_points) * i128::from(Lots::SCALE);
            // Without a quote of its own a symbol may still have a rate: its currency's, or a fixed one.
            let bid = market.touch(Side::Sell);
            let bid = bid.unwrap_or(Price::from_points(0, spec.digits));
            let rate = self.rate(market, bid);
            spec.tick_value = rate.map(|rate| market.worth.times(tick).to_f64() * rate);
            spec
        };
        self.markets.iter().map(with_value).collect()
    }

    /// The latest tick of a symbol; none before the first.
    #[must_use]
    pub fn quote(&self, symbol: &Symbol) -> Option<&Tick> {
        self.markets[*self.index.get(symbol)?].quote.as_ref()
    }

    /// Margin of a position of either side, in the account currency; none for an unlisted symbol
    /// or while no rate is known.
    #[must_use]
    pub fn margin_for(
        &self,
        symbol: &Symbol,
        _side: Side,
        lots: Lots,
        price: Price,
    ) -> Option<Money> {
        let m = *self.index.get(symbol)?;
        let margin = self.margin_of(m, lots, point_lots(price, lots), price)?;
        Some(margin.rounded(self.account.currency_digits))
    }

    /// Profit of a position opened and closed at these prices, in the account currency at the
    /// current rate; none for an unlisted symbol or while no rate is known.
    #[must_use]
    pub fn profit_for(
        &self,
        symbol: &Symbol,
        side: Side,
        lots: Lots,
        open: Price,
        close: Price,
    ) -> Option<Money> {
        let market = &self.markets[*self.index.get(symbol)?];
        let moved = point_lots(close, lots).saturating_sub(point_lots(open, lots));
        self.worth_rounded(market, moved.saturating_mul(i128::from(side.sign())), close)
    }

    /// Broker time: the latest of the ticks and of [`Self::pass_to`]; none before the first tick.
    #[must_use]
    pub const fn time(&self) -> Option<BrokerTime> {
        self.time
    }

    pub(crate) fn now(&self) -> BrokerTime {
        self.time.unwrap_or(BrokerTime(0))
    }
}

fn open_markets(
    account: &AccountConfig,
    specs: Vec<SymbolSpec>,
) -> Result<Vec<Market>, SetupError> {
    let ways: Vec<_> = (0..specs.len())
        .map(|i| routes(&specs, i, account))
        .collect();
    let mut dependents = vec![Vec::new(); specs.len()];
    for (i, routes) in ways.iter().enumerate() {
        for source in sources(routes) {
            dependents[source].push(i);
        }
    }
    let parts = specs.into_iter().zip(ways).zip(dependents);
    let open = |((spec, routes), dependents): ((SymbolSpec, Vec<_>), Vec<usize>)| {
        if routes.is_empty() {
            return Err(SetupError::NoConversion {
                symbol: spec.symbol,
                from: spec.quote_currency,
                to: account.currency.clone(),
            });
        }
        let week = account.symbol_sessions.get(&spec.symbol);
        Ok(Market {
            week: week.unwrap_or(&account.sessions).clone(),
            worth: Worth::of(&spec),
            // Margin of a currency pair is in its base, of another contract in its price.
            margin_is_base: spec.base_currency != spec.quote_currency
                && spec.base_currency == account.currency,
            spec,
            routes,
            dependents,
            quote: None,
            positions: Vec::new(),
            orders: Vec::new(),
            floating: Money::ZERO,
            margin: Money::ZERO,
        })
    };
    parts.map(open).collect()
}

fn check_spec(spec: &SymbolSpec) -> Result<(), SetupError> {
    let grid = &spec.volume;
    let reason = if spec.digits > Price::MAX_DIGITS {
        "prices have at most 8 digits"
    } else if spec.tick_size_points < 1 {
        "the tick size is at least one point"
    } else if !(1e-8..=1e9).contains(&spec.contract_size) {
        "the contract size lies between 1e-8 and 1e9"
    } else if grid.min.is_zero() || grid.step.is_zero() || grid.max < grid.min {
        "the volume grid has a least volume and a step above zero"
    } else if grid.max.units() > 10_000_000 * Lots::SCALE {
        "the largest volume is at most ten million lots"
    } else if spec.stops_level_points < 0 || spec.freeze_level_points < 0 {
        "the stops and freeze levels are at least 0"
    } else if !spec.swap_long_points.is_finite() || !spec.swap_short_points.is_finite() {
        "swaps are finite"
    } else {
        return Ok(());
    };
    let symbol = spec.symbol.clone();
    Err(SetupError::Spec { symbol, reason })
}
