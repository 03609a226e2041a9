//! One strategy of the configuration.

use super::{Registry, Strategy};
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

/// What one trade of a strategy may lose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budget {
    /// That percentage of what the engine's risk allows; above 0, at most 100.
    Share(f64),
    /// That percentage of equity; above 0, at most what the engine's risk allows.
    Own(f64),
}

impl Budget {
    /// All that the engine's risk allows.
    pub const WHOLE: Self = Self::Share(100.0);

    fn read(section: &mut Section<'_>) -> Self {
        const PERCENT: &str = "a percentage above 0 and at most 100";
        let share: Option<f64> = section.optional("risk_share", PERCENT);
        let own: Option<f64> = section.optional("max_per_trade", PERCENT);
        let is_percentage = |percent: f64| percent > 0.0 && percent <= 100.0;
        if share.is_some_and(|share| !is_percentage(share)) {
            section.reject(
                "risk_share",
                "is out of range",
                format!("set it to {PERCENT}, of risk.max_per_trade"),
            );
        }
        if own.is_some_and(|own| !is_percentage(own)) {
            section.reject(
                "max_per_trade",
                "is out of range",
                format!("set it to {PERCENT}, of equity"),
            );
        }
        match (share, own) {
            (Some(_), Some(_)) => {
                section.reject(
                    "risk_share",
                    "stands beside max_per_trade",
                    "remove one of both",
                );
                Self::WHOLE
            }
            (Some(share), None) => Self::Share(share),
            (None, Some(own)) => Self::Own(own),
            (None, None) => Self::WHOLE,
        }
    }
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
            strategy: strategy?,
        })
    }
}
