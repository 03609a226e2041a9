//! Strategies: data in, intents out. Pure, and unable to tell live from past.

mod ema_cross;

pub use ema_cross::EmaCross;

use mymt5_model::{Side, Symbol, Tick};

/// One strategy of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrategySettings {
    /// Its name: the tag of its orders.
    pub name: String,
    /// What it trades.
    pub symbol: Symbol,
    /// Inputs of the fast average.
    pub fast: u32,
    /// Inputs of the slow average.
    pub slow: u32,
    /// Inputs before the first signal.
    pub warmup: u32,
    /// Distance of the stop loss, points.
    pub stop_points: i64,
    /// Distance of the take profit, points; none: no take profit.
    pub take_profit_points: Option<i64>,
}

/// Turns ticks into the side it wants to be on.
pub trait Strategy: Send {
    /// Takes a live tick; returns a side when it wants to change to it.
    fn on_tick(&mut self, tick: &Tick) -> Option<Side>;
}
