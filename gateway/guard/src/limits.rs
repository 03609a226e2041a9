//! Limits of entries, from a closed list, and the facts that they need. Exits are free of them.

use crate::Percent;
use mymt5_model::{Lots, Money, Reason, Refusal, Side, Symbol};
use std::{
    collections::BTreeSet,
    fmt::{self, Display},
    time::Duration,
};

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

/// An entry as limits see it. None stands for a fact that is not known.
#[derive(Clone, Debug, PartialEq)]
pub struct EntryFacts {
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Volume.
    pub lots: Lots,
    /// Its stop loss; none: it has none, which is a fact too.
    pub stop: Option<StopFacts>,
    /// How far the order's prices are from the quote, in percent of it; 0 at the market.
    pub price_distance_percent: Option<f64>,
    /// Ask less bid, points.
    pub spread_points: Option<i64>,
    /// What the scope holds already.
    pub exposure: Exposure,
    /// The account's equity.
    pub equity: Option<Money>,
    /// The account's margin once this entry and all that is reserved is filled.
    pub margin_after: Option<Money>,
}

/// A stop loss as limits see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StopFacts {
    /// From the opening price to the stop, points.
    pub distance_points: Option<i64>,
    /// What is lost there, in the account currency.
    pub risk: Option<Money>,
}

/// What a scope holds, without the entry in question. Orders that are not settled (waiting, in
/// flight, working or UNKNOWN) are reservations: they count as if they were filled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    /// Lots of the symbol in the entry's direction.
    pub lots_of_symbol: Lots,
    /// Lots of all symbols in both directions.
    pub lots_total: Lots,
    /// Open positions, and orders that could open one.
    pub positions: u32,
    /// Orders that could open a position.
    pub orders: u32,
    /// Entries taken within the last minute.
    pub recent_entries: u32,
}

/// A position, an order or a fill that a scope holds.
#[derive(Clone, Copy, Debug)]
pub struct Holding<'a> {
    /// Its symbol.
    pub symbol: &'a Symbol,
    /// Its side.
    pub side: Side,
    /// Its lots.
    pub lots: Lots,
    /// It is, or may become, a position that is not counted yet.
    pub opens: bool,
    /// It is an order that is not settled.
    pub unsettled: bool,
}

impl Exposure {
    /// Counts one more holding, seen from an entry of that symbol and side.
    pub fn add(&mut self, symbol: &Symbol, side: Side, held: Holding<'_>) {
        self.positions = self.positions.saturating_add(u32::from(held.opens));
        self.orders = self.orders.saturating_add(u32::from(held.unsettled));
        self.lots_total = self.lots_total.plus(held.lots);
        if held.symbol == symbol && held.side == side {
            self.lots_of_symbol = self.lots_of_symbol.plus(held.lots);
        }
    }
}

/// A fact that a limit needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fact {
    /// The account's equity.
    Equity,
    /// The margin after the entry.
    Margin,
    /// The distance of the stop loss.
    StopDistance,
    /// What is lost at the stop loss.
    Risk,
    /// The distance of the price from the quote.
    PriceDistance,
    /// The spread.
    Spread,
}

impl Fact {
    /// The refusal of an entry that cannot be judged without it.
    #[must_use]
    pub fn missing(self) -> Refusal {
        reached(Reason::FactMissing, self).after(Duration::from_secs(1))
    }
}

impl Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equity => "equity",
            Self::Margin => "margin",
            Self::StopDistance => "stop distance",
            Self::Risk => "risk to the stop",
            Self::PriceDistance => "distance from the quote",
            Self::Spread => "spread",
        })
    }
}

impl Limits {
    /// Checks an entry. Exits are never checked.
    ///
    /// # Errors
    /// The first limit in the way; a limit whose fact is not known is in the way.
    pub fn check(&self, facts: &EntryFacts) -> Result<(), Refusal> {
        self.reached(facts).into_iter().next().map_or(Ok(()), Err)
    }

    /// All limits in the way of an entry, in the order in which they are judged; of the order, the
    /// stop loss, what the scope holds and the margin the first of each.
    #[must_use]
    pub fn reached(&self, facts: &EntryFacts) -> Vec<Refusal> {
        let checks = [
            self.check_order(facts),
            self.check_stop(facts.stop, facts.equity),
            self.check_exposure(facts),
            self.check_margin(facts),
        ];
        checks.into_iter().filter_map(Result::err).collect()
    }

    fn check_margin(&self, facts: &EntryFacts) -> Result<(), Refusal> {
        let Some(share) = self.max_margin_use else {
            return Ok(());
        };
        let allowed = share.of(known(facts.equity, Fact::Equity)?);
        if known(facts.margin_after, Fact::Margin)? > allowed {
            return Err(reached(Reason::LimitMargin, format_args!("{share} %")));
        }
        Ok(())
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
    ) -> Result<(), Refusal> {
        let Some(stop) = stop else {
            let far = self.max_stop_distance_points;
            if self.require_stop_loss || far.is_some() || self.max_risk_per_trade.is_some() {
                return Err(reached(Reason::LimitStopLoss, self.asks_for_stop_loss()));
            }
            return Ok(());
        };
        if let Some(least) = self.min_stop_distance_points
            && known(stop.distance_points, Fact::StopDistance)? < i64::from(least)
        {
            return Err(self.refuses_distance());
        }
        self.check_whole(stop, equity)
    }

    /// Checks the stop loss that an entry brings to a whole position. The least distance is about
    /// where an order opens: a stop that follows the price passes the average that was paid.
    ///
    /// # Errors
    /// As for [`Limits::check`].
    pub fn check_whole(&self, stop: StopFacts, equity: Option<Money>) -> Result<(), Refusal> {
        if let Some(most) = self.max_stop_distance_points
            && known(stop.distance_points, Fact::StopDistance)? > i64::from(most)
        {
            return Err(self.refuses_distance());
        }
        if let Some(share) = self.max_risk_per_trade {
            let allowed = share.of(known(equity, Fact::Equity)?);
            if known(stop.risk, Fact::Risk)? > allowed {
                return Err(reached(Reason::LimitRisk, format_args!("{share} %")));
            }
        }
        Ok(())
    }

    /// The refusal of a stop loss that is too near or too far, with the range that is allowed.
    fn refuses_distance(&self) -> Refusal {
        let least = self.min_stop_distance_points.unwrap_or(0);
        let range = self.max_stop_distance_points.map_or_else(
            || format!("{least} points or more"),
            |most| format!("{least} to {most} points"),
        );
        reached(Reason::LimitStopDistance, range)
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

    /// What follows from the order and the quote.
    fn check_order(&self, facts: &EntryFacts) -> Result<(), Refusal> {
        let allowed = |symbols: &BTreeSet<Symbol>| symbols.contains(&facts.symbol);
        if !self.symbols.as_ref().is_none_or(allowed) {
            return Err(Refusal::new(Reason::LimitSymbol));
        }
        at_most(
            self.max_lots_per_order,
            facts.lots,
            Reason::LimitLotsPerOrder,
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
    ) -> Result<(), Refusal> {
        if let Some(collar) = self.max_price_distance {
            let distance = known(price_distance_percent, Fact::PriceDistance)?;
            // NaN is not within the collar.
            if distance.is_nan() || distance > collar.get() {
                return Err(reached(
                    Reason::LimitPriceCollar,
                    format_args!("{collar} %"),
                ));
            }
        }
        if let Some(most) = self.max_spread_points
            && known(spread_points, Fact::Spread)? > i64::from(most)
        {
            let refusal = reached(Reason::LimitSpread, format_args!("{most} points"));
            return Err(refusal.after(Duration::from_secs(1)));
        }
        Ok(())
    }

    /// What the scope holds already.
    fn check_exposure(&self, facts: &EntryFacts) -> Result<(), Refusal> {
        let held = &facts.exposure;
        let of_symbol = held.lots_of_symbol.plus(facts.lots);
        at_most(
            self.max_lots_per_symbol,
            of_symbol,
            Reason::LimitLotsPerSymbol,
        )?;
        let total = held.lots_total.plus(facts.lots);
        at_most(self.max_lots_total, total, Reason::LimitLotsTotal)?;
        one_more(
            self.max_open_positions,
            held.positions,
            Reason::LimitOpenPositions,
        )?;
        one_more(self.max_open_orders, held.orders, Reason::LimitOpenOrders)?;
        match self.max_orders_per_minute {
            Some(most) if held.recent_entries >= most => {
                let why = format!("limits.max_orders_per_minute is reached: {most}");
                Err(Refusal::because(Reason::RateLimited, why).after(Duration::from_secs(5)))
            }
            _ => Ok(()),
        }
    }
}

fn known<T>(value: Option<T>, fact: Fact) -> Result<T, Refusal> {
    value.ok_or_else(|| fact.missing())
}

/// Refuses more lots than the limit.
fn at_most(limit: Option<Lots>, lots: Lots, reason: Reason) -> Result<(), Refusal> {
    match limit {
        Some(limit) if lots > limit => Err(reached(reason, format_args!("{limit} lots"))),
        _ => Ok(()),
    }
}

/// Refuses one more than the limit.
fn one_more(limit: Option<u32>, count: u32, reason: Reason) -> Result<(), Refusal> {
    match limit {
        Some(limit) if count >= limit => Err(reached(reason, limit)),
        _ => Ok(()),
    }
}

/// The refusal of a limit: the reason's own text, and the limit's value.
fn reached(reason: Reason, value: impl Display) -> Refusal {
    Refusal::because(reason, format!("{}: {value}", reason.text()))
}

#[cfg(test)]
mod tests;
