//! How limits are read: the same keys for the account, for a client and for a backtest.

use crate::{Allowance, DailyLoss, Drawdown, Limits, LossSettings, Percent, ScopeLimits};
use mymt5_chassis::loader::Section;
use mymt5_model::{Lots, Money, Symbol};
use std::collections::BTreeSet;

const PERCENT: &str = "a percentage above 0 and at most 100";
const COUNT: &str = "a count";
const POINTS: &str = "points";
const ACTION: &str = "\"block\", \"reduce\", \"halt\" or \"flatten\"";

impl ScopeLimits {
    /// Reads the limits of one scope; faults are collected by the reader. `ceiling`: most that
    /// `max_risk_per_trade_percent` may be, and what it is where it is not set.
    pub fn read(scope: &mut Section<'_>, ceiling: Option<Percent>) -> Self {
        let entry = Limits {
            symbols: symbols(scope),
            max_lots_per_order: lots(scope, "max_lots_per_order"),
            max_lots_per_symbol: lots(scope, "max_lots_per_symbol"),
            max_lots_total: lots(scope, "max_lots_total"),
            max_open_positions: scope.optional("max_open_positions", COUNT),
            max_open_orders: scope.optional("max_open_orders", COUNT),
            max_orders_per_minute: scope.optional("max_orders_per_minute", COUNT),
            require_stop_loss: scope.or("require_stop_loss", "true or false", false),
            min_stop_distance_points: scope.optional("min_stop_distance_points", POINTS),
            max_stop_distance_points: scope.optional("max_stop_distance_points", POINTS),
            max_price_distance: scope.optional("max_price_distance_percent", PERCENT),
            max_spread_points: scope.optional("max_spread_points", POINTS),
            max_margin_use: scope.optional("max_margin_use_percent", PERCENT),
            max_risk_per_trade: risk(scope, ceiling),
        };
        if let (Some(least), Some(most)) = (
            entry.min_stop_distance_points,
            entry.max_stop_distance_points,
        ) && least > most
        {
            scope.reject(
                "min_stop_distance_points",
                "is more than max_stop_distance_points",
                "set it to at most max_stop_distance_points",
            );
        }
        let loss = LossSettings {
            daily: daily_loss(scope),
            drawdown: drawdown(scope),
        };
        Self { entry, loss }
    }
}

fn lots(scope: &mut Section<'_>, part: &str) -> Option<Lots> {
    let lots: f64 = scope.optional(part, "lots")?;
    let lots = Lots::from_f64(lots).ok().filter(|lots| !lots.is_zero());
    if lots.is_none() {
        scope.reject(part, "is not a volume above 0", "set it to lots above 0");
    }
    lots
}

fn amount(scope: &mut Section<'_>, part: &str) -> Option<Money> {
    let amount: f64 = scope.optional(part, "an amount in the account currency")?;
    let amount = Money::from_f64(amount)
        .ok()
        .filter(|amount| *amount > Money::ZERO);
    if amount.is_none() {
        scope.reject(
            part,
            "is not an amount above 0",
            "set it to an amount above 0",
        );
    }
    amount
}

fn symbols(scope: &mut Section<'_>) -> Option<BTreeSet<Symbol>> {
    let names: Vec<String> = scope.optional("symbols", "a list of symbols")?;
    let symbols: BTreeSet<Symbol> = names
        .iter()
        .filter_map(|name| Symbol::parse(name).ok())
        .collect();
    if symbols.is_empty() || symbols.len() != names.len() || names.iter().any(|n| n == "*") {
        scope.reject(
            "symbols",
            "is not a list of distinct symbols",
            "list each symbol once, or remove it",
        );
    }
    Some(symbols)
}

fn risk(scope: &mut Section<'_>, ceiling: Option<Percent>) -> Option<Percent> {
    let part = "max_risk_per_trade_percent";
    let own: Option<Percent> = scope.optional(part, PERCENT);
    if let (Some(own), Some(ceiling)) = (own, ceiling)
        && own > ceiling
    {
        scope.reject(
            part,
            "is above RISK_MAX_PER_TRADE",
            "set it to at most RISK_MAX_PER_TRADE, or remove it",
        );
    }
    own.or(ceiling)
}

fn daily_loss(scope: &mut Section<'_>) -> Option<DailyLoss> {
    let base = scope.optional("daily_loss.base", "\"balance\", \"equity\" or \"greater\"");
    let reset_hour = scope.optional("daily_loss.reset_hour", "an hour, 0 to 23");
    let action = scope.optional("daily_loss.action", ACTION);
    Some(DailyLoss {
        allowance: allowance(scope, "daily_loss")?,
        base: base.unwrap_or_default(),
        reset_hour: reset_hour.unwrap_or_default(),
        action: action.unwrap_or_default(),
    })
}

fn drawdown(scope: &mut Section<'_>) -> Option<Drawdown> {
    let kind = scope.optional("drawdown.kind", "\"static\" or \"trailing\"");
    let initial_balance = amount(scope, "drawdown.initial_balance");
    let action = scope.optional("drawdown.action", ACTION);
    Some(Drawdown {
        allowance: allowance(scope, "drawdown")?,
        kind: kind.unwrap_or_default(),
        initial_balance,
        action: action.unwrap_or_default(),
    })
}

/// What may be lost: an amount or a percentage, and one of them where the table is there.
fn allowance(scope: &mut Section<'_>, table: &str) -> Option<Allowance> {
    let (amount_part, percent_part) = (format!("{table}.amount"), format!("{table}.percent"));
    let is_set = scope.has(&amount_part) || scope.has(&percent_part);
    let amount = amount(scope, &amount_part).map(Allowance::Amount);
    let percent = scope.optional(&percent_part, PERCENT).map(Allowance::Share);
    match (amount, percent) {
        (Some(_), Some(_)) => {
            scope.reject(table, "has two limits", "set either amount or percent");
        }
        (None, None) if scope.has(table) && !is_set => {
            scope.reject(table, "has no limit", "set amount or percent");
        }
        _ => {}
    }
    amount.or(percent)
}

#[cfg(test)]
mod messages;
