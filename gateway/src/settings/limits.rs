//! `[limits]` of the account and `[clients.NAME.limits]`: the same keys, and one ceiling of risk.

use mymt5_chassis::loader::Reader;
use mymt5_guard::{Allowance, DailyLoss, Drawdown, Limits, LossSettings, Percent, ScopeLimits};
use mymt5_model::{Lots, Money, Symbol};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::BTreeSet;

/// The key of `RISK_MAX_PER_TRADE`.
pub(super) const RISK_CEILING: &str = "risk.max_per_trade";
const PERCENT: &str = "a percentage above 0 and at most 100";
const COUNT: &str = "a count";
const POINTS: &str = "points";
const ACTION: &str = "\"block\", \"reduce\", \"halt\" or \"flatten\"";

/// The most that any trade of anybody may lose at its stop loss, of equity.
pub(super) fn risk_ceiling(reader: &mut Reader) -> Option<Percent> {
    reader.optional(RISK_CEILING, PERCENT)
}

/// Reads the limits of one scope, whose keys begin with `prefix`.
pub(super) fn read(reader: &mut Reader, prefix: &str, ceiling: Option<Percent>) -> ScopeLimits {
    let mut scope = Scope { reader, prefix };
    let entry = Limits {
        symbols: scope.symbols(),
        max_lots_per_order: scope.lots("max_lots_per_order"),
        max_lots_per_symbol: scope.lots("max_lots_per_symbol"),
        max_lots_total: scope.lots("max_lots_total"),
        max_open_positions: scope.optional("max_open_positions", COUNT),
        max_open_orders: scope.optional("max_open_orders", COUNT),
        max_orders_per_minute: scope.optional("max_orders_per_minute", COUNT),
        require_stop_loss: scope.or_default("require_stop_loss", "true or false"),
        min_stop_distance_points: scope.optional("min_stop_distance_points", POINTS),
        max_stop_distance_points: scope.optional("max_stop_distance_points", POINTS),
        max_price_distance: scope.optional("max_price_distance_percent", PERCENT),
        max_spread_points: scope.optional("max_spread_points", POINTS),
        max_margin_use: scope.optional("max_margin_use_percent", PERCENT),
        max_risk_per_trade: scope.risk(ceiling),
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
        daily: scope.daily_loss(),
        drawdown: scope.drawdown(),
    };
    ScopeLimits { entry, loss }
}

struct Scope<'a> {
    reader: &'a mut Reader,
    prefix: &'a str,
}

impl Scope<'_> {
    fn key(&self, part: &str) -> String {
        format!("{}.{part}", self.prefix)
    }

    #[track_caller]
    fn reject(&mut self, part: &str, reason: &str, fix: &str) {
        let key = self.key(part);
        self.reader.reject(&key, reason, fix);
    }

    fn optional<T: DeserializeOwned>(&mut self, part: &str, expected: &str) -> Option<T> {
        let key = self.key(part);
        self.reader.optional(&key, expected)
    }

    fn or_default<T>(&mut self, part: &str, expected: &str) -> T
    where
        T: DeserializeOwned + Serialize + Default,
    {
        let key = self.key(part);
        self.reader.or(&key, expected, T::default())
    }

    fn lots(&mut self, part: &str) -> Option<Lots> {
        let lots: f64 = self.optional(part, "lots")?;
        let lots = Lots::from_f64(lots).ok().filter(|lots| !lots.is_zero());
        if lots.is_none() {
            self.reject(part, "is not a volume above 0", "set it to lots above 0");
        }
        lots
    }

    fn amount(&mut self, part: &str) -> Option<Money> {
        let amount: f64 = self.optional(part, "an amount in the account currency")?;
        let amount = Money::from_f64(amount)
            .ok()
            .filter(|amount| *amount > Money::ZERO);
        if amount.is_none() {
            self.reject(
                part,
                "is not an amount above 0",
                "set it to an amount above 0",
            );
        }
        amount
    }

    fn symbols(&mut self) -> Option<BTreeSet<Symbol>> {
        let names: Vec<String> = self.optional("symbols", "a list of symbols")?;
        let symbols: BTreeSet<Symbol> = names
            .iter()
            .filter_map(|name| Symbol::parse(name).ok())
            .collect();
        if symbols.is_empty() || symbols.len() != names.len() || names.iter().any(|n| n == "*") {
            self.reject(
                "symbols",
                "is not a list of distinct symbols",
                "list each symbol once, or remove it",
            );
        }
        Some(symbols)
    }

    fn risk(&mut self, ceiling: Option<Percent>) -> Option<Percent> {
        let part = "max_risk_per_trade_percent";
        let own: Option<Percent> = self.optional(part, PERCENT);
        if let (Some(own), Some(ceiling)) = (own, ceiling)
            && own > ceiling
        {
            self.reject(
                part,
                "is above RISK_MAX_PER_TRADE",
                "set it to at most RISK_MAX_PER_TRADE, or remove it",
            );
        }
        own.or(ceiling)
    }

    fn daily_loss(&mut self) -> Option<DailyLoss> {
        let base = self.optional("daily_loss.base", "\"balance\", \"equity\" or \"greater\"");
        let reset_hour = self.optional("daily_loss.reset_hour", "an hour, 0 to 23");
        let action = self.optional("daily_loss.action", ACTION);
        let more = base.is_some() || reset_hour.is_some() || action.is_some();
        Some(DailyLoss {
            allowance: self.allowance("daily_loss", more)?,
            base: base.unwrap_or_default(),
            reset_hour: reset_hour.unwrap_or_default(),
            action: action.unwrap_or_default(),
        })
    }

    fn drawdown(&mut self) -> Option<Drawdown> {
        let kind = self.optional("drawdown.kind", "\"static\" or \"trailing\"");
        let initial_balance = self.amount("drawdown.initial_balance");
        let action = self.optional("drawdown.action", ACTION);
        let more = kind.is_some() || initial_balance.is_some() || action.is_some();
        Some(Drawdown {
            allowance: self.allowance("drawdown", more)?,
            kind: kind.unwrap_or_default(),
            initial_balance,
            action: action.unwrap_or_default(),
        })
    }

    /// What may be lost: an amount or a percentage, and one of them where `more` is said of it.
    fn allowance(&mut self, table: &str, more: bool) -> Option<Allowance> {
        let (amount_part, percent_part) = (format!("{table}.amount"), format!("{table}.percent"));
        let amount = self.amount(&amount_part).map(Allowance::Amount);
        let percent = self.optional(&percent_part, PERCENT).map(Allowance::Share);
        match (amount, percent) {
            (Some(_), Some(_)) => {
                self.reject(table, "has two limits", "set either amount or percent");
            }
            (None, None) if more => {
                self.reject(table, "has no limit", "set amount or percent");
            }
            _ => {}
        }
        amount.or(percent)
    }
}

#[cfg(test)]
mod tests;
