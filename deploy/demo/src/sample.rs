//! The pair at one moment.

use mymt5_proto::v1;
use std::collections::BTreeMap;

/// Gateway and engine, as their Check calls answered.
pub(crate) type Healths = [String; 2];

/// The pair at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) link: String,
    pub(crate) replay_over: bool,
    pub(crate) healths: Healths,
    pub(crate) ticks_sent: u64,
    pub(crate) ticks_received: u64,
    pub(crate) orders: u64,
    pub(crate) fills: u64,
    pub(crate) rejected: u64,
    pub(crate) working: usize,
    pub(crate) balance: f64,
    pub(crate) equity: f64,
    pub(crate) currency: String,
    pub(crate) positions: Vec<v1::Position>,
    pub(crate) last_orders: Vec<v1::Order>,
    /// Decimals of each symbol's prices.
    pub(crate) digits: BTreeMap<String, u32>,
}

impl Sample {
    /// A replay is over when no order is under way and, where it waits for the engine (`whole`), its
    /// last tick has arrived. One that does not wait begins before the engine listens.
    pub(crate) fn is_over(&self, whole: bool) -> bool {
        let arrived = !whole || self.ticks_received >= self.ticks_sent;
        self.replay_over && arrived && self.working == 0
    }

    /// A price as the symbol's are written.
    pub(crate) fn price(&self, symbol: &str, price: f64) -> String {
        let digits = self.digits.get(symbol).map_or(5, |digits| *digits as usize);
        format!("{price:.digits$}")
    }

    pub(crate) fn settled_since(&self, before: &Self) -> bool {
        (self.orders, self.fills, self.ticks_received)
            == (before.orders, before.fills, before.ticks_received)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbols_prices_have_its_digits() {
        let digits = [("USDJPY", 3), ("EURUSD", 5)];
        let sample = Sample {
            digits: digits.map(|(name, of)| (name.to_owned(), of)).into(),
            ..Sample::default()
        };
        assert_eq!(sample.price("USDJPY", 148.9), "148.900");
        assert_eq!(sample.price("EURUSD", 1.09171), "1.09171");
        assert_eq!(sample.price("GBPUSD", 1.27), "1.27000");
    }
}
