//! Limits of entries, from a closed list. Exits are free of them.

use crate::{EntryFacts, Fact, Percent, StopFacts};
use mymt5_model::{Lots, Money, Symbol};
use std::collections::BTreeSet;

/// The limits of one scope, a client or the account; none: unlimited.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// The symbols that may be traded.
    pub symbols: Option<BTreeSet<Symbol>>,
    /// Most lots of one order.
    pub max_lots_per_order: Option<Lots>,
    /// Most open lots of one symbol in one direction, reservations included.
    pub max_lots_per_symbol: Option<Lots>,
    /// Most open lots of all symbols and both directions, reservations included.
    pub max_lots_total: Option<Lots>,
    /// Most open positions and orders that could open one.
    pub max_open_positions: Option<u32>,
    /// Most unsettled orders that could open a position.
    pub max_open_orders: Option<u32>,
    /// Most entries within a minute.
    pub max_orders_per_minute: Option<u32>,
    /// Every entry must carry a stop loss.
    pub require_stop_loss: bool,
    /// Least distance of a stop loss from the opening price, points.
    pub min_stop_distance_points: Option<u32>,
    /// Largest distance of a stop loss from the opening price, points; it asks for a stop loss.
    pub max_stop_distance_points: Option<u32>,
    /// Largest distance of an order's price from the quote, of the quote.
    pub max_price_distance: Option<Percent>,
    /// Largest spread, points.
    pub max_spread_points: Option<u32>,
    /// Most margin in use after the entry, of equity.
    pub max_margin_use: Option<Percent>,
    /// Most that may be lost at the stop loss, of equity; it asks for a stop loss.
    pub max_risk_per_trade: Option<Percent>,
}

/// A limit stands in the way of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum LimitReached {
    /// The symbol may not be traded.
    #[error("limits.symbols does not list the symbol")]
    Symbol,
    /// One order is too large.
    #[error("the order has more lots than limits.max_lots_per_order allows")]
    LotsPerOrder,
    /// Too many lots of one symbol and direction.
    #[error("the symbol would have more lots than limits.max_lots_per_symbol allows")]
    LotsPerSymbol,
    /// Too many lots in total.
    #[error("there would be more lots than limits.max_lots_total allows")]
    LotsTotal,
    /// Too many positions, counting orders that could open one.
    #[error("limits.max_open_positions is reached")]
    OpenPositions,
    /// Too many orders.
    #[error("limits.max_open_orders is reached")]
    OpenOrders,
    /// Too many entries within a minute.
    #[error("limits.max_orders_per_minute is reached")]
    OrdersPerMinute,
    /// No stop loss, where one is asked for, or where its distance or risk is limited.
    #[error("the limits ask for a stop loss")]
    StopLossMissing,
    /// The stop loss is too near or too far.
    #[error(
        "the stop loss is outside limits.min_stop_distance_points and max_stop_distance_points"
    )]
    StopDistance,
    /// The price is too far from the quote.
    #[error("the price is farther from the quote than limits.max_price_distance_percent allows")]
    PriceCollar,
    /// The spread is too wide.
    #[error("the spread is wider than limits.max_spread_points allows")]
    Spread,
    /// Too much margin in use.
    #[error("more margin would be in use than limits.max_margin_use_percent allows")]
    Margin,
    /// Too much at risk.
    #[error(
        "more would be lost at the stop loss than limits.max_risk_per_trade_percent or RISK_MAX_PER_TRADE allows"
    )]
    Risk,
    /// The day's loss holds entries back until the next reset.
    #[error("limits.daily_loss is reached")]
    DailyLoss,
    /// The drawdown holds entries back until an operator clears it.
    #[error("limits.drawdown is reached")]
    Drawdown,
    /// A limit cannot be judged.
    #[error("a limit needs a fact that is not known: {0}")]
    FactMissing(Fact),
}

impl Limits {
    /// Checks an entry. Exits are never checked.
    ///
    /// # Errors
    /// The first limit in the way; a limit whose fact is not known is in the way.
    pub fn check(&self, facts: &EntryFacts) -> Result<(), LimitReached> {
        self.reached(facts)
            .first()
            .map_or(Ok(()), |limit| Err(*limit))
    }

    /// All limits in the way of an entry, in the order in which they are judged; of the order, the
    /// stop loss, what the scope holds and the margin the first of each.
    #[must_use]
    pub fn reached(&self, facts: &EntryFacts) -> Vec<LimitReached> {
        let checks = [
            self.check_order(facts),
            self.check_stop(facts.stop, facts.equity),
            self.check_exposure(facts),
            self.check_margin(facts),
        ];
        checks.into_iter().filter_map(Result::err).collect()
    }

    /// A limit that is reached in words, with its value where it has one.
    #[must_use]
    pub fn describe(&self, limit: LimitReached) -> String {
        self.value_of(limit)
            .map_or_else(|| limit.to_string(), |value| format!("{limit}: {value}"))
    }

    fn value_of(&self, limit: LimitReached) -> Option<String> {
        let lots = |lots: Option<Lots>| lots.map(|lots| format!("{lots} lots"));
        let count = |count: Option<u32>| count.map(|count| count.to_string());
        let percent = |share: Option<Percent>| share.map(|share| format!("{share} %"));
        let points = |points: Option<u32>| points.map(|points| format!("{points} points"));
        match limit {
            LimitReached::LotsPerOrder => lots(self.max_lots_per_order),
            LimitReached::LotsPerSymbol => lots(self.max_lots_per_symbol),
            LimitReached::LotsTotal => lots(self.max_lots_total),
            LimitReached::OpenPositions => count(self.max_open_positions),
            LimitReached::OpenOrders => count(self.max_open_orders),
            LimitReached::OrdersPerMinute => count(self.max_orders_per_minute),
            LimitReached::StopDistance => {
                let least = self.min_stop_distance_points.unwrap_or(0);
                Some(match self.max_stop_distance_points {
                    Some(most) => format!("{least} to {most} points"),
                    None => format!("{least} points or more"),
                })
            }
            LimitReached::PriceCollar => percent(self.max_price_distance),
            LimitReached::Spread => points(self.max_spread_points),
            LimitReached::Margin => percent(self.max_margin_use),
            LimitReached::Risk => percent(self.max_risk_per_trade),
            LimitReached::StopLossMissing => Some(self.asks_for_stop_loss().to_owned()),
            LimitReached::Symbol
            | LimitReached::DailyLoss
            | LimitReached::Drawdown
            | LimitReached::FactMissing(_) => None,
        }
    }

    /// The first limit that asks for a stop loss.
    const fn asks_for_stop_loss(&self) -> &'static str {
        if self.require_stop_loss {
            "limits.require_stop_loss"
        } else if self.max_stop_distance_points.is_some() {
            "limits.max_stop_distance_points"
        } else {
            "limits.max_risk_per_trade_percent or RISK_MAX_PER_TRADE"
        }
    }

    fn check_margin(&self, facts: &EntryFacts) -> Result<(), LimitReached> {
        let Some(share) = self.max_margin_use else {
            return Ok(());
        };
        let allowed = share.of(known(facts.equity, Fact::Equity)?);
        let after = known(facts.margin_after, Fact::Margin)?;
        refuse_if(after > allowed, LimitReached::Margin)
    }

    /// Checks the stop loss that an entry comes with, or that an open position is to have; none:
    /// it has none.
    ///
    /// # Errors
    /// As for [`Limits::check`].
    pub fn check_stop(
        &self,
        stop: Option<StopFacts>,
        equity: Option<Money>,
    ) -> Result<(), LimitReached> {
        let (least, most) = (self.min_stop_distance_points, self.max_stop_distance_points);
        let Some(stop) = stop else {
            let asked =
                self.require_stop_loss || most.is_some() || self.max_risk_per_trade.is_some();
            return refuse_if(asked, LimitReached::StopLossMissing);
        };
        if least.is_some() || most.is_some() {
            let distance = known(stop.distance_points, Fact::StopDistance)?;
            let near = least.is_some_and(|least| distance < i64::from(least));
            let far = most.is_some_and(|most| distance > i64::from(most));
            refuse_if(near || far, LimitReached::StopDistance)?;
        }
        match self.max_risk_per_trade {
            Some(share) => {
                let allowed = share.of(known(equity, Fact::Equity)?);
                refuse_if(known(stop.risk, Fact::Risk)? > allowed, LimitReached::Risk)
            }
            None => Ok(()),
        }
    }

    /// What follows from the order and the quote.
    fn check_order(&self, facts: &EntryFacts) -> Result<(), LimitReached> {
        let allowed = |symbols: &BTreeSet<Symbol>| symbols.contains(&facts.symbol);
        refuse_if(
            !self.symbols.as_ref().is_none_or(allowed),
            LimitReached::Symbol,
        )?;
        refuse_if(
            above(self.max_lots_per_order, facts.lots),
            LimitReached::LotsPerOrder,
        )?;
        self.check_quote(facts.price_distance_percent, facts.spread_points)
    }

    /// Checks what depends on the quote alone: the distance of the order's prices from it in
    /// percent, and the spread in points. An order that waited is checked again before it leaves.
    ///
    /// # Errors
    /// As for [`Limits::check`].
    pub fn check_quote(
        &self,
        price_distance_percent: Option<f64>,
        spread_points: Option<i64>,
    ) -> Result<(), LimitReached> {
        if let Some(collar) = self.max_price_distance {
            let distance = known(price_distance_percent, Fact::PriceDistance)?;
            // NaN is not within the collar.
            refuse_if(
                distance.is_nan() || distance > collar.get(),
                LimitReached::PriceCollar,
            )?;
        }
        if let Some(most) = self.max_spread_points {
            let spread = known(spread_points, Fact::Spread)?;
            refuse_if(spread > i64::from(most), LimitReached::Spread)?;
        }
        Ok(())
    }

    /// What the scope holds already.
    fn check_exposure(&self, facts: &EntryFacts) -> Result<(), LimitReached> {
        let held = &facts.exposure;
        let full = |limit: Option<u32>, count: u32| limit.is_some_and(|limit| count >= limit);
        let with = |lots: Lots| lots.plus(facts.lots);
        refuse_if(
            above(self.max_lots_per_symbol, with(held.lots_of_symbol)),
            LimitReached::LotsPerSymbol,
        )?;
        refuse_if(
            above(self.max_lots_total, with(held.lots_total)),
            LimitReached::LotsTotal,
        )?;
        refuse_if(
            full(self.max_open_positions, held.positions),
            LimitReached::OpenPositions,
        )?;
        refuse_if(
            full(self.max_open_orders, held.orders),
            LimitReached::OpenOrders,
        )?;
        refuse_if(
            full(self.max_orders_per_minute, held.recent_entries),
            LimitReached::OrdersPerMinute,
        )
    }
}

fn above(limit: Option<Lots>, lots: Lots) -> bool {
    limit.is_some_and(|limit| lots > limit)
}

fn known<T>(value: Option<T>, fact: Fact) -> Result<T, LimitReached> {
    value.ok_or(LimitReached::FactMissing(fact))
}

fn refuse_if(stands: bool, limit: LimitReached) -> Result<(), LimitReached> {
    if stands { Err(limit) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
