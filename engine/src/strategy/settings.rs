//! One strategy of the configuration.

use super::{Registry, Strategy};
use crate::{care::CareSettings, risk::Budget};
use mymt5_chassis::loader::Section;
use mymt5_model::{ClientName, Symbol};
use serde::{Deserialize, Serialize};

/// One strategy of the configuration.
#[derive(Debug)]
pub struct StrategySettings {
    /// Its name: the tag of its orders.
    pub name: String,
    /// What it trades.
    pub symbol: Symbol,
    /// What it may risk.
    pub budget: Budget,
    /// How it changes sides.
    pub reverse: Reverse,
    /// How its positions are cared for.
    pub care: CareSettings,
    /// The strategy, ready for its first tick.
    pub strategy: Box<dyn Strategy>,
}

/// How a strategy changes from one side to the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reverse {
    /// It closes the position, and opens the other one once that is done.
    #[default]
    CloseFirst,
    /// One order does both, on a netting account; on a hedging one it closes first.
    OneOrder,
}

impl StrategySettings {
    /// Reads its keys. None: there were faults.
    pub fn read(section: &mut Section<'_>, registry: &Registry) -> Option<Self> {
        let names: Vec<String> = registry.names().map(|kind| format!("\"{kind}\"")).collect();
        let expected = names.join(" or ");
        let default = registry.names().next().unwrap_or_default();
        let kind = section.or("kind", &expected, default.to_owned());
        let known = registry.build(&kind);
        if known.is_none() {
            section.reject(
                "kind",
                "is not a strategy of this engine",
                format!("set it to {expected}"),
            );
        }
        let name: Option<String> = section.required("name", "a name of at most 32 characters");
        let name = name.filter(|name| ClientName::parse(name).is_ok());
        let symbol: Option<Symbol> = section.required("symbol", "a symbol such as EURUSD");
        let budget = Budget::read(section);
        let reverse = section.or(
            "reverse",
            "\"close-first\" or \"one-order\"",
            Reverse::default(),
        );
        let care = CareSettings::read(&mut section.section("care"));
        // In place of an unknown kind the default is read, so that faults of its keys are found at once.
        let build = known.or_else(|| registry.build(default));
        let strategy = build.and_then(|build| build(section));
        if name.is_none() {
            section.reject(
                "name",
                "is not a valid name",
                "use 1 to 32 of [A-Za-z0-9_-]",
            );
        }
        Some(Self {
            name: name?,
            symbol: symbol?,
            budget,
            reverse,
            care,
            strategy: strategy?,
        })
    }
}
