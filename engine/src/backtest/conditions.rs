//! `[backtest]`: the account on which past ticks are traded.

use super::Contracts;
use mymt5_chassis::loader::{Reader, Section};
use mymt5_guard::ScopeLimits;
use mymt5_model::{AccountMode, BrokerZone, Money, SymbolSpec};
use mymt5_simulator::AccountConfig;
use std::collections::BTreeMap;

/// The account's conditions.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// The simulated account.
    pub account: AccountConfig,
    /// Positions are charged or paid swap each night.
    pub swap: bool,
    /// From the decision to the trade server, milliseconds of the broker's clock.
    pub latency_ms: i64,
    /// The zone of the ticks' clock; none: no time is known in UTC.
    pub zone: Option<BrokerZone>,
    /// What symbols are contracts of.
    pub contracts: Contracts,
    /// The gateway's limits of the account.
    pub limits: ScopeLimits,
}

/// Longest way to the trade server, milliseconds.
const MAX_LATENCY_MS: i64 = 60_000;
/// Rows of orders and deals that the account's history keeps.
const HISTORY_ROWS: usize = 2_000;

impl Conditions {
    /// Reads them. None: there were faults.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let mut section = reader.section("backtest");
        let account = account(&mut section);
        let swap = section.or("swap", "true or false", true);
        let latency_ms = section.ranged("latency_ms", "milliseconds", 0, 0..=MAX_LATENCY_MS);
        let zone = zone(&mut section);
        let contracts = Contracts::read(&mut section);
        let limits = ScopeLimits::read(&mut section.section("limits"), None);
        Some(Self {
            account: account?,
            swap,
            latency_ms: latency_ms?,
            zone,
            contracts: contracts?,
            limits,
        })
    }

    /// True where the account has limits.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.limits != ScopeLimits::default()
    }

    /// A symbol under these conditions.
    #[must_use]
    pub fn of_symbol(&self, spec: SymbolSpec) -> SymbolSpec {
        if self.swap {
            return spec;
        }
        SymbolSpec {
            swap_long_points: 0.0,
            swap_short_points: 0.0,
            ..spec
        }
    }
}

fn zone(section: &mut Section<'_>) -> Option<BrokerZone> {
    let name: String = section.optional(
        "time_zone",
        "an IANA name such as Europe/Athens, or new_york+7",
    )?;
    let zone = BrokerZone::parse(&name).ok();
    if zone.is_none() {
        section.reject(
            "time_zone",
            "is not a known time zone",
            "set it to an IANA name such as Europe/Athens, to new_york+7, or to a fixed offset such as UTC+03:00",
        );
    }
    zone
}

fn account(section: &mut Section<'_>) -> Option<AccountConfig> {
    let default = AccountConfig::default();
    let mode = section.or("mode", "\"netting\" or \"hedging\"", AccountMode::Netting);
    let balance = money(section, "balance", 100_000.0, |balance| balance > 0.0);
    let commission = money(section, "commission_per_lot", 0.0, |paid| paid >= 0.0);
    let currency = section.or(
        "currency",
        "a currency such as USD",
        default.currency.clone(),
    );
    let leverage = section.ranged("leverage", "", default.leverage, 1..=10_000);
    let rates: BTreeMap<String, f64> = section.or(
        "rates",
        "a table such as { USDJPY = 150.0 }",
        BTreeMap::new(),
    );
    let slippage_points = section.ranged("slippage_points", "points", 0, 0..=100_000);
    let seed = section.or("seed", "a whole number, 0 or more", default.seed);
    Some(AccountConfig {
        mode,
        balance: balance?,
        commission_per_lot: commission?,
        currency,
        leverage: leverage?,
        rates,
        slippage_points: slippage_points?,
        seed,
        max_history_rows: HISTORY_ROWS,
        ..default
    })
}

fn money(
    section: &mut Section<'_>,
    part: &str,
    default: f64,
    fits: impl Fn(f64) -> bool,
) -> Option<Money> {
    let amount = section.or(part, "an amount of money", default);
    let read = Money::from_f64(amount).ok().filter(|_| fits(amount));
    if read.is_none() {
        section.reject(
            part,
            "is not an amount that fits",
            "set it to an amount such as 100000",
        );
    }
    read
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_chassis::loader::Environment;

    /// The conditions of a file, of which every key is known.
    fn conditions(text: &str) -> Conditions {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("engine.toml");
        std::fs::write(&file, text).unwrap();
        let environment = Environment::from_pairs([("", ""); 0]);
        let mut reader = Reader::open(&crate::settings::TABLE, &file, environment).unwrap();
        let conditions = Conditions::read(&mut reader);
        reader.finish().unwrap();
        conditions.unwrap()
    }

    #[test]
    fn the_documented_account_is_the_default_one() {
        let shipped = include_str!("../../../config/engine.toml");
        let (_, lines) = shipped.split_once("#[backtest]\n").unwrap();
        let keys: Vec<&str> = lines
            .lines()
            .filter_map(|line| line.strip_prefix('#'))
            .filter(|line| !line.starts_with(' '))
            .collect();
        let mut documented = conditions(&format!("[backtest]\n{}\n", keys.join("\n")));
        assert_eq!(documented.account.rates.len(), 1);
        documented.account.rates.clear();
        let default = conditions("");
        assert_eq!(documented.account, default.account);
        assert_eq!(documented.swap, default.swap);
        assert_eq!(documented.latency_ms, default.latency_ms);
        assert!(documented.is_limited() && !default.is_limited());
    }
}
