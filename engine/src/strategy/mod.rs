//! Strategies: data in, decisions out. Pure, and unable to tell live from past.
//!
//! A new one is a file here, which implements [`Strategy`] and reads its own keys, and which this file
//! names twice, as a module and in `SHIPPED`; or a crate of its own, as `engine/examples/own_strategy`.

mod bollinger_squeeze;
mod context;
mod decision;
mod distances;
mod donchian_breakout;
mod ema_cross;
pub mod indicators;
mod registry;
mod rsi_reversion;
mod settings;
#[cfg(test)]
mod testing;

pub use crate::{
    bars::Timeframe,
    portfolio::{Held, OrderUpdate, WorkingOrder},
};
pub use context::{Context, Quote};
pub(crate) use context::{Owner, View};
pub use decision::{At, Entry, Level};
pub(crate) use decision::{Plan, Wanted};
pub use distances::Distances;
pub use mymt5_chassis::loader::Section;
pub use mymt5_model::{Bar, BrokerTime, Lots, Money, OrderState, Price, Side, Symbol, Tick};
pub use registry::{Build, Registry};
pub use settings::{Reverse, StrategySettings};

use std::fmt::Debug;

/// The kinds that come with the engine, by their names in the configuration; the first is the default.
const SHIPPED: &[(&str, Build)] = &[
    ("ema_cross", ema_cross::build),
    ("donchian_breakout", donchian_breakout::build),
    ("rsi_reversion", rsi_reversion::build),
    ("bollinger_squeeze", bollinger_squeeze::build),
];
/// What a timeframe is set to.
const TIMEFRAMES: &str = "M1, M5, M15, M30, H1, H4 or D1";
/// Most bars that a shipped strategy looks back.
const MOST_BARS: u32 = 2_000;

/// Turns what happens to one symbol into decisions. What it does not take is left out: each function
/// has a default that does nothing.
pub trait Strategy: Debug + Send {
    /// The bars that it wants; none: it lives on ticks alone.
    fn series(&self) -> Vec<Series> {
        Vec::new()
    }

    /// A tick of its symbol, after the bars that this tick ended.
    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
        let _ = (tick, context);
    }

    /// A bar that is complete. First come those of the past, for its warm-up, and after an outage those
    /// that it missed: what it decides upon them is dropped.
    fn on_bar(&mut self, timeframe: Timeframe, bar: &Bar, context: &mut Context<'_>) {
        let _ = (timeframe, bar, context);
    }

    /// An order of its own changed, or was refused.
    fn on_order(&mut self, order: &OrderUpdate, context: &mut Context<'_>) {
        let _ = (order, context);
    }

    /// A position of its own was opened or changed, or is gone: then its volume is zero.
    fn on_position(&mut self, position: &Held, context: &mut Context<'_>) {
        let _ = (position, context);
    }
}

/// Bars that a strategy wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Series {
    /// Their length.
    pub timeframe: Timeframe,
    /// Complete bars of the past that it wants before the first live one, at most 4999.
    pub warm_up: u32,
}

impl Series {
    /// Most bars of the past: with the one under way, as many as the gateway lists at once.
    pub const MOST: u32 = 4_999;
}
