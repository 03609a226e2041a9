//! What the rules judge by.

use mymt5_model::{BrokerTime, Levels, Lots, Price, Side, SymbolSpec};

/// A multiple of R is reached where no more than this is lacking, points: doubles are not exact.
const ROUNDING: f64 = 1e-6;

/// A position and its market at one moment. None stands for a fact that is not known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) spec: &'a SymbolSpec,
    pub(crate) now: BrokerTime,
    pub(crate) side: Side,
    pub(crate) lots: Lots,
    /// Its average opening price.
    pub(crate) open: Option<Price>,
    pub(crate) levels: Levels,
    /// At which it would be closed now.
    pub(crate) closing: Price,
    /// The best such price since an order or change of the strategy's is under way.
    pub(crate) best: Price,
    /// When it was opened, or turned to its side.
    pub(crate) since: Option<BrokerTime>,
    /// R, points, above 0.
    pub(crate) risk: Option<i64>,
    /// The average true range, points.
    pub(crate) atr: Option<f64>,
    /// False for a while after it was tried in vain.
    pub(crate) may_close: bool,
    /// False for a while after a stop was moved.
    pub(crate) may_move: bool,
    /// False once a part was closed or is about to be, and for a while after it was tried in vain.
    pub(crate) may_reduce: bool,
}

impl Facts<'_> {
    /// The way from one price to another, points: above 0 towards profit.
    pub(super) const fn gain(&self, from: Price, to: Price) -> i64 {
        (to.points() - from.points()) * self.side.sign()
    }

    pub(super) const fn knows_r(&self) -> bool {
        self.risk.is_some() && self.open.is_some()
    }

    /// True while the profit is, or was by that price, at least so many times R; false where that is not known.
    pub(super) fn has_reached(&self, multiple: f64) -> bool {
        let profit = self.open.map(|open| self.gain(open, self.best));
        let reached =
            |(profit, risk): (i64, i64)| profit as f64 + ROUNDING >= multiple * risk as f64;
        profit.zip(self.risk).is_some_and(reached)
    }
}
