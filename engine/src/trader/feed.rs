//! The bars of one strategy, one series for each timeframe that it wants.

use crate::{
    bars::{BarBuilder, History, Timeframe},
    strategy::Series,
};
use mymt5_model::{Bar, Symbol, Tick};

/// Bars of the past that are to be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WarmUp {
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Length of a bar.
    pub timeframe: Timeframe,
    /// So many of the newest: those that are wanted, and the one under way.
    pub bars: u32,
}

/// One series.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) series: Series,
    builder: BarBuilder,
    /// The past is to be listed first: what ticks come until then is in there.
    waits: bool,
}

impl Feed {
    pub(super) const fn new(series: Series) -> Self {
        Self {
            series,
            builder: BarBuilder::new(series.timeframe),
            waits: false,
        }
    }

    pub(super) const fn await_history(&mut self) {
        self.waits = true;
    }

    pub(super) const fn waits(&self) -> bool {
        self.waits
    }

    /// The bar that this tick ends.
    pub(super) fn on_tick(&mut self, tick: &Tick) -> Option<Bar> {
        if self.waits {
            return None;
        }
        self.builder.on_tick(tick)
    }

    /// Takes the past; the bars to tell of, at most as many as are wanted.
    pub(super) fn on_history(&mut self, history: History) -> Vec<Bar> {
        self.waits = false;
        let mut news = self.builder.resume(history);
        let most = self.series.warm_up as usize;
        news.split_off(news.len().saturating_sub(most))
    }
}
