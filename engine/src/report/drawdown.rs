//! Drawdown: how far a value fell below its peak.

use serde::Serialize;

/// The drawdown of a balance or of equity, as MetaTrader 5's testing report defines it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Drawdown {
    /// The initial deposit less the lowest value below it, at least 0.
    pub absolute: f64,
    /// The largest fall from a local high to the next local low, in money.
    pub maximal: f64,
    /// That fall in percent of its high. None: the high was not above 0.
    pub maximal_percent: Option<f64>,
    /// The largest fall from a local high to the next local low, in percent of the high.
    pub relative_percent: f64,
    /// That fall in money.
    pub relative: f64,
}

/// Drawdowns of an account that were measured at more moments than its series has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drawdowns {
    /// That of the balance.
    pub balance: Drawdown,
    /// That of equity.
    pub equity: Drawdown,
}

/// Follows a value and its peak. What is paid in or out begins a new peak, as in MetaTrader 5: it
/// is neither a gain nor a loss.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peak {
    high: f64,
}

impl Peak {
    pub(super) const fn new(initial: f64) -> Self {
        Self { high: initial }
    }

    /// Takes the next value; returns how far it is below the peak, in money, at least 0.
    pub(super) fn fall(&mut self, value: f64, paid_in: f64) -> f64 {
        if paid_in != 0.0 || value > self.high {
            self.high = value;
        }
        self.high - value
    }

    /// That fall in percent of the peak. None: the peak is not above 0.
    pub(super) fn percent(&self, fall: f64) -> Option<f64> {
        (self.high > 0.0).then(|| fall / self.high * 100.0)
    }
}

impl Drawdown {
    /// Of a value that began at `initial`: each value and what was paid in just before it.
    pub(super) fn of(initial: f64, values: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let mut depth = Depth::new(initial);
        for (value, paid_in) in values {
            depth.take(value, paid_in);
        }
        depth.drawdown()
    }
}

/// The drawdown of a value that is told one by one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Depth {
    drawdown: Drawdown,
    peak: Peak,
    /// What it began with, and what was paid in since.
    paid: f64,
}

impl Depth {
    /// Of a value that begins there.
    pub(crate) fn new(initial: f64) -> Self {
        Self {
            drawdown: Drawdown::default(),
            peak: Peak::new(initial),
            paid: initial,
        }
    }

    /// Takes the next value, and what was paid in just before it.
    pub(crate) fn take(&mut self, value: f64, paid_in: f64) {
        let drawdown = &mut self.drawdown;
        self.paid += paid_in;
        drawdown.absolute = drawdown.absolute.max(self.paid - value);
        let fall = self.peak.fall(value, paid_in);
        let percent = self.peak.percent(fall);
        if fall > drawdown.maximal {
            drawdown.maximal = fall;
            drawdown.maximal_percent = percent;
        }
        if let Some(percent) = percent.filter(|percent| *percent > drawdown.relative_percent) {
            drawdown.relative_percent = percent;
            drawdown.relative = fall;
        }
    }

    /// The drawdown so far.
    pub(crate) const fn drawdown(&self) -> Drawdown {
        self.drawdown
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn of(initial: f64, values: &[f64]) -> Drawdown {
        Drawdown::of(initial, values.iter().map(|value| (*value, 0.0)))
    }

    #[test]
    fn money_and_percent_may_be_largest_at_different_falls() {
        // 1000 -> 800 is 20 %; 5000 -> 4500 is more money, but 10 %.
        let drawdown = of(1000.0, &[800.0, 5000.0, 4500.0, 6000.0]);
        assert_eq!(drawdown.absolute, 200.0);
        assert_eq!(drawdown.maximal, 500.0);
        assert_eq!(drawdown.maximal_percent, Some(10.0));
        assert_eq!(drawdown.relative_percent, 20.0);
        assert_eq!(drawdown.relative, 200.0);
    }

    #[test]
    fn what_is_paid_out_is_no_drawdown() {
        let drawdown = Drawdown::of(1000.0, [(1100.0, 0.0), (600.0, -500.0), (570.0, 0.0)]);
        assert_eq!(drawdown.maximal, 30.0);
        assert_eq!(drawdown.maximal_percent, Some(5.0));
        assert_eq!(drawdown.absolute, 0.0);
    }

    #[test]
    fn a_value_that_only_rises_has_none() {
        assert_eq!(of(10.0, &[11.0, 12.0]), Drawdown::default());
        assert_eq!(of(10.0, &[]), Drawdown::default());
    }

    proptest! {
        #[test]
        fn it_is_never_negative_and_never_more_than_the_range(
            values in prop::collection::vec(1.0f64..1e6, 1..100),
        ) {
            let drawdown = of(values[0], &values);
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = values.iter().copied().fold(0.0, f64::max);
            prop_assert!(drawdown.absolute >= 0.0 && drawdown.maximal >= drawdown.absolute);
            prop_assert!(drawdown.maximal >= drawdown.relative && drawdown.relative >= 0.0);
            prop_assert!(drawdown.maximal <= high - low);
            prop_assert!(drawdown.relative_percent >= drawdown.maximal_percent.unwrap_or_default());
            prop_assert!(drawdown.relative_percent < 100.0);
        }
    }
}
