//! What the rules judge by.

use super::{RiskRefused, budget::Budget};
use mymt5_model::{BrokerTime, Lots, Moment, Money, Price, Side, Symbol, SymbolSpec, UtcTime};
use std::collections::BTreeMap;

/// The account's figures, in its currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Balance.
    pub balance: Money,
    /// Balance, credit, floating profit and swap.
    pub equity: Money,
    /// Margin in use.
    pub margin: Money,
    /// Leverage, `1:n`; 0: not known.
    pub leverage: u32,
    /// When the broker told them.
    pub as_of: Moment,
}

/// An entry that a strategy proposes.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// What it trades.
    pub spec: &'a SymbolSpec,
    /// Buy or sell.
    pub side: Side,
    /// Where it opens, as far as is known before.
    pub price: Price,
    /// Ask less bid, points.
    pub spread: i64,
    /// From the opening price to the stop loss, points; none: it has no stop loss.
    pub stop: Option<i64>,
    /// What its strategy may risk of all that may be.
    pub budget: Budget,
    /// Lots of the other side that the same order closes; zero: none.
    pub closes: Lots,
}

impl Entry<'_> {
    /// What may be lost until the stop closes the position, points: the market moves on and the
    /// spread widens before it opens.
    #[must_use]
    pub fn at_risk(&self) -> Option<i64> {
        Some(self.stop? + self.spread.max(0) + self.spec.tick_size_points)
    }
}

/// A position, or an order that may become one.
#[derive(Clone, Debug, PartialEq)]
pub struct Open {
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Long or short.
    pub side: Side,
    /// Its volume.
    pub lots: Lots,
    /// Where it opened or is expected to; none: it is not known.
    pub price: Option<Price>,
    /// Its stop loss; none: it has none, or it is not known.
    pub stop: Option<Price>,
    /// It is an order that takes no margin yet.
    pub in_flight: bool,
    /// It is a position whose margin the account's figures may lack in part: they are older.
    pub unmeasured: bool,
}

/// All else. None stands for a fact that is not known.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Now, by the broker's clock.
    pub time: BrokerTime,
    /// Now, in UTC.
    pub utc: Option<UtcTime>,
    /// The account.
    pub account: Option<Account>,
    /// What is open and in flight.
    pub open: &'a [Open],
    /// The symbols that this engine knows.
    pub specs: &'a BTreeMap<Symbol, SymbolSpec>,
}

impl Facts<'_> {
    /// The account's equity, above 0.
    ///
    /// # Errors
    /// It is not known, or none is left.
    pub fn equity(&self) -> Result<f64, RiskRefused> {
        above_zero(self.account.map(|account| account.equity))
    }

    /// The account's balance, above 0.
    ///
    /// # Errors
    /// It is not known, or none is left.
    pub fn balance(&self) -> Result<f64, RiskRefused> {
        above_zero(self.account.map(|account| account.balance))
    }
}

fn above_zero(amount: Option<Money>) -> Result<f64, RiskRefused> {
    amount
        .map(Money::to_f64)
        .filter(|amount| *amount > 0.0)
        .ok_or(RiskRefused::AccountUnknown)
}

/// What a move of so many points of one lot is worth in the account's currency.
///
/// # Errors
/// No rate is known.
pub(super) fn worth(spec: &SymbolSpec, points: f64) -> Result<f64, RiskRefused> {
    let tick_value = spec
        .tick_value
        .filter(|value| value.is_finite() && *value > 0.0)
        .ok_or(RiskRefused::TickValueUnknown)?;
    Ok(points / spec.tick_size_points as f64 * tick_value)
}
