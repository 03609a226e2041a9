//! Another value of a limit is taken up, and its absence is not: a file that a full disk or an editor at
//! work has cut off may be sound TOML, and only lack its end. The same goes for what else binds a client:
//! that it is disabled, its symbols, and what its silence leads to.

use crate::access::Client;
use mymt5_chassis::loader::Reader;
use mymt5_guard::{LimitAction, Limits, LossSettings, Percent, ScopeLimits};
use mymt5_model::ClientName;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;

const CEILING: &str = "risk.max_per_trade";
/// Tables that limit nothing without an amount or a percentage.
const LOSSES: [&str; 2] = [".daily_loss", ".drawdown"];

/// The limits that hold before another reading.
pub(super) struct InForce {
    pub(super) clients: BTreeMap<ClientName, Client>,
    pub(super) account: ScopeLimits,
    /// Of any trade; part of all limits of risk that are not lower.
    pub(super) risk_ceiling: Option<Percent>,
}

impl InForce {
    /// Records a fault for each limit that is gone. A client that is gone takes its own with it.
    pub(super) fn refuse_to_lift(&self, reader: &mut Reader) {
        let is_there = |key: &str| reader.peek::<IgnoredAny>(key).is_some();
        let limits_losses = |table: &str| {
            let mut allowances = ["amount", "percent"].into_iter();
            allowances.any(|part| is_there(&format!("{table}.{part}")))
        };
        let mut gone: Vec<String> = Vec::new();
        for (name, client) in &self.clients {
            let table = format!("clients.{}", name.as_str());
            if is_there(&table) {
                let bounds = bounds_of(client).into_iter();
                gone.extend(bounds.map(|name| format!("{table}.{name}")));
                let limits = self.names_of(&client.limits).into_iter();
                gone.extend(limits.map(|name| format!("{table}.limits.{name}")));
            }
        }
        let limits = self.names_of(&self.account).into_iter();
        gone.extend(limits.map(|name| format!("limits.{name}")));
        gone.extend(self.risk_ceiling.map(|_| CEILING.to_owned()));
        gone.retain(|key| {
            let of_losses = LOSSES.iter().any(|table| key.ends_with(table));
            let holds = if of_losses {
                limits_losses(key)
            } else {
                is_there(key)
            };
            !holds
        });
        for key in gone {
            reader.reject(
                &key,
                "is gone, and stays in force",
                "put it back, or set it to another value; only a restart lifts it",
            );
        }
    }

    /// The names of the keys that limit a scope.
    fn names_of(&self, limits: &ScopeLimits) -> Vec<&'static str> {
        let ScopeLimits { entry, loss } = limits;
        let Limits {
            symbols,
            max_lots_per_order,
            max_lots_per_symbol,
            max_lots_total,
            max_open_positions,
            max_open_orders,
            max_orders_per_minute,
            require_stop_loss,
            min_stop_distance_points,
            max_stop_distance_points,
            max_price_distance,
            max_spread_points,
            max_margin_use,
            max_risk_per_trade,
        } = entry;
        let LossSettings { daily, drawdown } = loss;
        // The ceiling is told by its own key.
        let own_risk = max_risk_per_trade.filter(|risk| Some(*risk) != self.risk_ceiling);
        // Without a word a limit halts: only what does more than that is lost with it.
        let flattens = |action: LimitAction| action == LimitAction::Flatten;
        let names = [
            ("symbols", symbols.is_some()),
            ("max_lots_per_order", max_lots_per_order.is_some()),
            ("max_lots_per_symbol", max_lots_per_symbol.is_some()),
            ("max_lots_total", max_lots_total.is_some()),
            ("max_open_positions", max_open_positions.is_some()),
            ("max_open_orders", max_open_orders.is_some()),
            ("max_orders_per_minute", max_orders_per_minute.is_some()),
            ("require_stop_loss", *require_stop_loss),
            (
                "min_stop_distance_points",
                min_stop_distance_points.is_some(),
            ),
            (
                "max_stop_distance_points",
                max_stop_distance_points.is_some(),
            ),
            ("max_price_distance_percent", max_price_distance.is_some()),
            ("max_spread_points", max_spread_points.is_some()),
            ("max_margin_use_percent", max_margin_use.is_some()),
            ("max_risk_per_trade_percent", own_risk.is_some()),
            ("daily_loss", daily.is_some()),
            (
                "daily_loss.action",
                daily.is_some_and(|daily| flattens(daily.action)),
            ),
            ("drawdown", drawdown.is_some()),
            (
                "drawdown.action",
                drawdown.is_some_and(|drawdown| flattens(drawdown.action)),
            ),
        ];
        let limiting = names.into_iter().filter(|(_, limits)| *limits);
        limiting.map(|(name, _)| name).collect()
    }
}

/// The names of the keys that bind a client beside its limits.
fn bounds_of(client: &Client) -> Vec<&'static str> {
    let names = [
        ("enabled", !client.enabled),
        ("symbols", client.symbols.is_some()),
        ("dead_man.after_ms", client.dead_man.is_some()),
    ];
    let binding = names.into_iter().filter(|(_, binds)| *binds);
    binding.map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{reload::tests::reader, settings::Settings};
    use mymt5_chassis::testing::messages::flaw;

    /// Every limit that there is.
    const ALL: [&str; 16] = [
        "symbols = ['EURUSD']",
        "max_lots_per_order = 1.0",
        "max_lots_per_symbol = 1.0",
        "max_lots_total = 1.0",
        "max_open_positions = 1",
        "max_open_orders = 1",
        "max_orders_per_minute = 1",
        "require_stop_loss = true",
        "min_stop_distance_points = 1",
        "max_stop_distance_points = 1",
        "max_price_distance_percent = 1.0",
        "max_spread_points = 1",
        "max_margin_use_percent = 1.0",
        "max_risk_per_trade_percent = 1.0",
        "daily_loss.percent = 1.0",
        "drawdown.amount = 1.0",
    ];
    const A: &str =
        "[clients.a]\ncertificate = 'spiffe://mymt5/client/a'\npermissions = ['read']\n";
    const RISK: &str = "[risk]\nmax_per_trade = 2.0\n";

    fn in_force(toml: &str) -> InForce {
        let (_, parts) = Settings::read_with_parts(&mut reader(toml));
        let clients = parts.clients.unwrap().into_iter();
        InForce {
            clients: clients
                .map(|client| (client.name.clone(), client))
                .collect(),
            account: parts.account_limits,
            risk_ceiling: parts.risk_ceiling,
        }
    }

    /// The keys that are refused as gone, each of them with what to do.
    fn gone(before: &InForce, toml: &str) -> Vec<String> {
        let mut reader = reader(toml);
        before.refuse_to_lift(&mut reader);
        let faults = reader.finish().err().map(|errors| errors.0);
        let mut gone = Vec::new();
        for fault in faults.unwrap_or_default() {
            if fault.reason.contains("is gone") {
                assert_eq!(flaw(&fault.key, &fault.to_string()), None);
                gone.push(fault.key);
            }
        }
        gone
    }

    #[test]
    fn a_file_that_is_cut_off_anywhere_lifts_no_limit() {
        let limits = ALL.join("\n");
        for (scope, table) in [
            ("limits", "[limits]\n"),
            ("clients.a.limits", "[clients.a.limits]\n"),
        ] {
            let whole = format!("{A}{table}{limits}\n");
            let before = in_force(&whole);
            assert!(gone(&before, &whole).is_empty());
            for left in 0..ALL.len() {
                let cut = format!("{A}{table}{}\n", ALL[..left].join("\n"));
                let missing = gone(&before, &cut);
                assert_eq!(missing.len(), ALL.len() - left, "{cut}");
                let key = ALL[left].split([' ', '.']).next().unwrap();
                assert_eq!(missing[0], format!("{scope}.{key}"));
            }
            assert_eq!(gone(&before, A).len(), ALL.len());
        }
    }

    #[test]
    fn a_limit_of_losses_that_lacks_its_end_is_gone_with_it() {
        for table in ["daily_loss", "drawdown"] {
            let key = format!("clients.a.limits.{table}");
            let action = format!("{key}.action");
            let header = format!("{A}[{key}]\n");
            let cut = format!("{header}percent = 1.0\n");
            let whole = format!("{cut}action = 'flatten'\n");
            let before = in_force(&whole);
            assert!(gone(&before, &whole).is_empty());
            assert_eq!(gone(&before, &cut), std::slice::from_ref(&action));
            assert_eq!(gone(&before, &header), [key, action]);
            assert!(gone(&in_force(&cut), &cut).is_empty());
        }
    }

    #[test]
    fn what_binds_a_client_beside_its_limits_is_not_lifted_either() {
        let whole = format!("{A}symbols = ['EURUSD']\ndead_man.after_ms = 5000\n");
        let before = in_force(&whole);
        assert!(gone(&before, &whole).is_empty());
        let keys = ["clients.a.symbols", "clients.a.dead_man.after_ms"];
        assert_eq!(gone(&before, A), keys);
        let other = format!("{A}symbols = ['*']\n[clients.a.dead_man]\n");
        assert_eq!(gone(&before, &other), keys[1..]);
        let other = format!("{A}symbols = ['*']\ndead_man.after_ms = 9000\n");
        assert!(gone(&before, &other).is_empty());
    }

    #[test]
    fn who_is_disabled_is_let_in_by_a_word_alone() {
        let before = in_force(&format!("{A}enabled = false\n"));
        assert_eq!(gone(&before, A), ["clients.a.enabled"]);
        for word in ["true", "false"] {
            assert!(gone(&before, &format!("{A}enabled = {word}\n")).is_empty());
        }
        assert!(gone(&before, "[clients.b]\n").is_empty());
        assert!(gone(&in_force(&format!("{A}enabled = true\n")), A).is_empty());
    }

    #[test]
    fn other_values_are_taken_and_whoever_is_gone_takes_the_own_along() {
        let before = in_force(&format!(
            "{A}limits.require_stop_loss = true\nlimits.daily_loss.percent = 1.0\n"
        ));
        let other = "limits.require_stop_loss = false\nlimits.daily_loss.amount = 9.0\n";
        assert!(gone(&before, &format!("{A}{other}")).is_empty());
        assert!(gone(&before, "[clients.b]\n").is_empty());
    }

    #[test]
    fn the_ceiling_of_risk_is_told_once() {
        let before = in_force(&format!("{A}{RISK}"));
        assert_eq!(gone(&before, A), [CEILING]);
        assert!(gone(&before, &format!("{A}{RISK}")).is_empty());
        let own = format!("{A}limits.max_risk_per_trade_percent = 1.0\n");
        let before = in_force(&format!("{own}{RISK}"));
        assert_eq!(gone(&before, &own), [CEILING]);
        let key = "clients.a.limits.max_risk_per_trade_percent";
        assert_eq!(gone(&before, &format!("{A}{RISK}")), [key]);
    }
}
