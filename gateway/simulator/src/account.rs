//! What the account is like: its mode, its money, its conditions, and how kind the market is.

use crate::Week;
use mymt5_model::{AccountMode, Lots, MaskedAccount, Money, Symbol, Weekday};
use std::{collections::BTreeMap, fmt};

/// The conditions of the simulated account.
#[derive(Clone, PartialEq)]
pub struct AccountConfig {
    /// Netting or hedging.
    pub mode: AccountMode,
    /// Account number; shown masked only.
    pub login: u64,
    /// Name of the trade server.
    pub server: String,
    /// Deposit currency, e.g. `USD`.
    pub currency: String,
    /// Decimals of that currency, 0 to 8.
    pub currency_digits: u8,
    /// Leverage, `1:n`, at least 1.
    pub leverage: u32,
    /// Balance at the beginning.
    pub balance: Money,
    /// Commission of one lot and side, in the account currency; positive when it is paid.
    pub commission_per_lot: Money,
    /// Margin level in percent at or below which a margin call is told.
    pub margin_call_level: f64,
    /// Margin level in percent below which positions are closed by force.
    pub stop_out_level: f64,
    /// Conversion rates for currencies no listed symbol converts: `"EURUSD" -> 1.1`.
    pub rates: BTreeMap<String, f64>,
    /// Seed of slippage and partial fills.
    pub seed: u64,
    /// Greatest random slip against the trader in points; 0 for none. Limit orders and take
    /// profits never slip.
    pub slippage_points: u32,
    /// Chance, 0 to 1, that an order whose filling mode allows it is done in part only.
    pub partial_fill_probability: f64,
    /// Most pending orders; none for no limit.
    pub max_orders: Option<usize>,
    /// Most open positions; none for no limit.
    pub max_positions: Option<usize>,
    /// Most lots of one symbol and direction, pending ones included; none for no limit.
    pub max_symbol_lots: Option<Lots>,
    /// Trading hours of symbols without hours of their own.
    pub sessions: Week,
    /// Trading hours of single symbols.
    pub symbol_sessions: BTreeMap<Symbol, Week>,
    /// The day at whose end swap counts three times.
    pub triple_swap_day: Weekday,
    /// False where the server forbids all trading.
    pub trade_allowed: bool,
    /// Most rows of finished orders, and as many of deals, that are kept; the oldest go first.
    pub max_history_rows: usize,
}

impl Default for AccountConfig {
    /// A hedging account of 100,000 USD at 1:100 without costs, limits, slips or closing hours.
    fn default() -> Self {
        Self {
            mode: AccountMode::Hedging,
            login: 10_000_001,
            server: String::from("MyMT5-Simulator"),
            currency: String::from("USD"),
            currency_digits: 2,
            leverage: 100,
            balance: Money::from_units(100_000 * Money::SCALE),
            commission_per_lot: Money::ZERO,
            margin_call_level: 100.0,
            stop_out_level: 50.0,
            rates: BTreeMap::new(),
            seed: 1,
            slippage_points: 0,
            partial_fill_probability: 0.0,
            max_orders: None,
            max_positions: None,
            max_symbol_lots: None,
            sessions: Week::always(),
            symbol_sessions: BTreeMap::new(),
            triple_swap_day: Weekday::Wednesday,
            trade_allowed: true,
            max_history_rows: 100_000,
        }
    }
}

impl fmt::Debug for AccountConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountConfig")
            .field("account", &MaskedAccount::of(self.login))
            .field("server", &self.server)
            .field("mode", &self.mode)
            .field("currency", &self.currency)
            .field("leverage", &self.leverage)
            .finish_non_exhaustive()
    }
}

/// Why an account cannot be simulated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// A symbol is listed twice.
    #[error("symbol {symbol} is listed twice")]
    Duplicate {
        /// The symbol.
        symbol: Symbol,
    },
    /// A contract specification contradicts itself.
    #[error("symbol {symbol}: {reason}")]
    Spec {
        /// The symbol.
        symbol: Symbol,
        /// What is wrong.
        reason: &'static str,
    },
    /// The quote currency cannot be converted.
    #[error(
        "symbol {symbol}: no listed symbol and no configured rate converts {from} to {to}; \
         add {from}{to} to the symbols or to the rates"
    )]
    NoConversion {
        /// The symbol.
        symbol: Symbol,
        /// Its quote currency.
        from: String,
        /// The account currency.
        to: String,
    },
    /// A value of the account's conditions is out of range.
    #[error("account: {reason}")]
    Account {
        /// What is wrong.
        reason: &'static str,
    },
}

impl AccountConfig {
    pub(crate) fn check(&self) -> Result<(), SetupError> {
        let fail = |reason| Err(SetupError::Account { reason });
        if self.currency_digits > 8 {
            return fail("the currency has at most 8 decimals");
        }
        if self.leverage == 0 {
            return fail("the leverage is at least 1");
        }
        if !(0.0..=1.0).contains(&self.partial_fill_probability) {
            return fail("the chance of a partial fill lies between 0 and 1");
        }
        let percent = |level: f64| level.is_finite() && level >= 0.0;
        if !percent(self.stop_out_level) || !percent(self.margin_call_level) {
            return fail("margin levels are percentages of at least 0");
        }
        if self.rates.values().any(|r| !r.is_finite() || *r <= 0.0) {
            return fail("conversion rates are above 0");
        }
        if self.max_history_rows == 0 {
            return fail("at least one row of history is kept");
        }
        Ok(())
    }
}
