//! Strategies: data in, signals out. Pure, and unable to tell live from past.
//!
//! A new one is a file here, which implements [`Strategy`] and reads its own keys, and a line of
//! `KINDS`.

mod ema_cross;

use mymt5_chassis::loader::Section;
use mymt5_model::{ClientName, Side, Symbol, Tick};
use serde::{Deserialize, Serialize};
use std::fmt::Debug;

/// Reads the keys of a kind and makes its strategy. None: there were faults.
type Build = fn(&mut Section<'_>) -> Option<Box<dyn Strategy>>;

/// The kinds by their names in the configuration; the first is the default.
const KINDS: &[(&str, Build)] = &[("ema_cross", ema_cross::build)];

/// Turns ticks into signals.
pub trait Strategy: Debug + Send {
    /// Takes a live tick; returns a signal when it wants to change sides.
    fn on_tick(&mut self, tick: &Tick) -> Option<Signal>;
}

/// The side that a strategy wants to be on, and the levels of its position there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal {
    /// The side.
    pub side: Side,
    /// How far its levels are.
    pub distances: Distances,
}

/// Distances of a position's levels from the price at which it closes, points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Distances {
    /// To the stop loss, from which the volume follows; none: no stop loss.
    pub stop: Option<i64>,
    /// To the take profit; none: no take profit.
    pub take_profit: Option<i64>,
}

impl Distances {
    /// Reads fixed distances.
    fn read(section: &mut Section<'_>) -> Self {
        let stop = section.or("stop_points", "points", 200);
        let take_profit: Option<i64> = section.optional("take_profit_points", "points");
        if stop < 0 || take_profit.is_some_and(|points| points < 1) {
            section.reject(
                "stop_points",
                "is below 0, or take_profit_points is below 1",
                "set both to distances in points; 0 for no stop loss",
            );
        }
        Self {
            stop: (stop > 0).then_some(stop),
            take_profit,
        }
    }
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

/// One strategy of the configuration.
#[derive(Debug)]
pub struct StrategySettings {
    /// Its name: the tag of its orders.
    pub name: String,
    /// What it trades.
    pub symbol: Symbol,
    /// How it changes sides.
    pub reverse: Reverse,
    /// The strategy, ready for its first tick.
    pub strategy: Box<dyn Strategy>,
}

impl StrategySettings {
    /// Reads its keys. None: there were faults.
    pub fn read(section: &mut Section<'_>) -> Option<Self> {
        let names: Vec<String> = KINDS
            .iter()
            .map(|(kind, _)| format!("\"{kind}\""))
            .collect();
        let expected = names.join(" or ");
        let kind = section.or("kind", &expected, KINDS[0].0.to_owned());
        if !KINDS.iter().any(|(known, _)| *known == kind) {
            section.reject(
                "kind",
                "is not a strategy of this engine",
                format!("set it to {expected}"),
            );
        }
        let name: Option<String> = section.required("name", "a name of at most 32 characters");
        let name = name.filter(|name| ClientName::parse(name).is_ok());
        let symbol: Option<Symbol> = section.required("symbol", "a symbol such as EURUSD");
        let reverse = section.or(
            "reverse",
            "\"close-first\" or \"one-order\"",
            Reverse::default(),
        );
        let strategy = build(&kind, section);
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
            reverse,
            strategy: strategy?,
        })
    }
}

/// Makes a strategy of that kind. In place of an unknown kind the default is read, so that faults of
/// its keys are found at once.
fn build(kind: &str, section: &mut Section<'_>) -> Option<Box<dyn Strategy>> {
    let known = KINDS.iter().find(|(known, _)| *known == kind);
    let (_, build) = known.unwrap_or(&KINDS[0]);
    build(section)
}
