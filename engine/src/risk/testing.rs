//! Facts for the rules' tests.
#![allow(clippy::unwrap_used)]

use super::{Account, Budget, Entry, Facts, RiskSettings};
use mymt5_chassis::{
    config_errors::ConfigErrors,
    loader::{Environment, Reader},
};
use mymt5_model::{BrokerTime, Lots, Moment, Money, Price, Side, Symbol, SymbolSpec};
use std::{collections::BTreeMap, sync::LazyLock};

static NO_SPECS: LazyLock<BTreeMap<Symbol, SymbolSpec>> = LazyLock::new(BTreeMap::new);

/// A purchase at a spread of 2 points, whose stop is so many points from where it opens.
pub(crate) fn entry(spec: &SymbolSpec, stop: Option<i64>) -> Entry<'_> {
    Entry {
        spec,
        side: Side::Buy,
        price: Price::from_points(100_000, spec.digits),
        spread: 2,
        stop,
        budget: Budget::WHOLE,
        closes: Lots::ZERO,
    }
}

/// An account of that equity and balance, with nothing open.
pub(crate) fn facts(equity: f64) -> Facts<'static> {
    Facts {
        time: BrokerTime(0),
        utc: None,
        account: Some(account(equity)),
        open: &[],
        specs: &NO_SPECS,
    }
}

/// An account of that equity and balance at 0 of the broker's clock, without margin in use.
pub(crate) fn account(equity: f64) -> Account {
    let money = Money::from_f64(equity).unwrap();
    Account {
        balance: money,
        equity: money,
        margin: Money::ZERO,
        leverage: 100,
        as_of: Moment {
            utc: None,
            broker: Some(BrokerTime(0)),
        },
    }
}

/// The settings of that `[risk]`.
pub(crate) fn settings(keys: &str) -> RiskSettings {
    try_settings(keys).unwrap()
}

/// The same, or its faults.
pub(crate) fn try_settings(keys: &str) -> Result<RiskSettings, ConfigErrors> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("engine.toml");
    std::fs::write(&file, format!("[risk]\n{keys}\n")).unwrap();
    let environment = Environment::from_pairs([("", ""); 0]);
    let mut reader = Reader::open(&crate::settings::TABLE, &file, environment).unwrap();
    let settings = RiskSettings::read(&mut reader.section("risk"));
    reader.finish()?;
    Ok(settings.unwrap())
}
