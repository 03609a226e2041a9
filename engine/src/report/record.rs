//! What a report is made from: plain records, whoever has them.

use super::Drawdowns;
use mymt5_model::{BrokerTime, MaskedAccount, Side};
use serde::Serialize;
use std::collections::BTreeMap;

/// Everything that a report tells of. Money is in the account's currency, time is the broker's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// What was traded, for the heading: `Backtest of cross on EURUSD`.
    pub title: String,
    /// The account; none: there is none, as in a backtest.
    pub account: Option<MaskedAccount>,
    /// The account's currency, e.g. `USD`.
    pub currency: String,
    /// Decimals of that currency.
    pub currency_digits: u8,
    /// Balance before the first trade.
    pub initial: f64,
    /// What was closed, in any order.
    pub trades: Vec<Trade>,
    /// How many deals made these trades.
    pub deals: u64,
    /// Balance and equity in the order of time. Empty: the balance after each trade is taken.
    pub series: Vec<Point>,
    /// Balance and equity at the end of each day that had any, in the order of time, where the series
    /// may lack them. Empty: the series tells how its days ended.
    pub days: Vec<Point>,
    /// Drawdowns, where they were measured at more moments than the series has. None: those of the
    /// series are taken.
    pub drawdowns: Option<Drawdowns>,
    /// Prices by symbol, in the order of time, for the charts of the trades. May lack symbols.
    pub prices: BTreeMap<String, Vec<PriceRange>>,
    /// How often each limit and rule refused an order or a decision.
    pub refusals: BTreeMap<String, u64>,
    /// Settings to show, in that order: name and value. Never a secret.
    pub settings: Vec<(String, String)>,
    /// What a reader must know of these records, e.g. that older ones were left out.
    pub notes: Vec<String>,
}

/// A closed trade: what one closing deal fixed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trade {
    /// Canonical symbol.
    pub symbol: String,
    /// The strategy's name. Empty: none.
    pub strategy: String,
    /// Long (buy) or short (sell).
    #[serde(serialize_with = "side_name")]
    pub side: Side,
    /// Volume that was closed, in lots.
    pub lots: f64,
    /// When the position was opened.
    pub opened: BrokerTime,
    /// When it was closed.
    pub closed: BrokerTime,
    /// Average opening price.
    pub open_price: f64,
    /// Closing price.
    pub close_price: f64,
    /// Profit without commission and swap.
    pub profit: f64,
    /// Commission and fees of opening and closing, negative when paid.
    pub commission: f64,
    /// Swap.
    pub swap: f64,
    /// What would have been lost at its first stop loss, above 0. None: no stop loss, or not known.
    pub risk: Option<f64>,
    /// How far its profit went while it was open. None: not known.
    pub excursion: Option<Excursion>,
    /// Nothing of its position was left.
    pub ends_position: bool,
}

/// The extremes of a position's profit between its opening and its closing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Excursion {
    /// The highest, at least 0: maximum favorable excursion, MFE.
    pub favorable: f64,
    /// The lowest, at most 0: maximum adverse excursion, MAE.
    pub adverse: f64,
}

impl Trade {
    /// Profit with commission and swap.
    #[must_use]
    pub fn net(&self) -> f64 {
        self.profit + self.commission + self.swap
    }

    /// The net profit in units of what was at risk. None: the risk is not known.
    #[must_use]
    pub fn r(&self) -> Option<f64> {
        self.risk
            .filter(|risk| *risk > 0.0)
            .map(|risk| self.net() / risk)
    }
}

/// Balance and equity at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When.
    pub time: BrokerTime,
    /// Balance.
    pub balance: f64,
    /// Balance and floating profit. None: not known.
    pub equity: Option<f64>,
    /// What was paid in since the point before, negative: paid out.
    pub paid_in: f64,
}

/// Where a price went in a span of time, such as a bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PriceRange {
    /// When it began.
    pub time: BrokerTime,
    /// Lowest.
    pub low: f64,
    /// Highest.
    pub high: f64,
    /// Last.
    pub close: f64,
}

/// The name of a side as it is written in reports.
pub(super) const fn name_of(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

fn side_name<S: serde::Serializer>(side: &Side, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name_of(*side))
}
