//! What all brokers are set up alike with: the account's conditions and the symbols' contracts.

use super::{play::tick, requests::deal};
use crate::support::{SERVER, symbol};
use mymt5_model::{AccountMode, FillingModes, Money, Side, SymbolSpec};
use mymt5_simulator::{AccountConfig, Simulator, catalogue};

/// Lots of a first purchase that the market may have a part of only.
pub const SCARCE: f64 = 1.0;

/// An account and its symbols; only the first is quoted.
#[derive(Clone)]
pub struct Setup {
    pub account: AccountConfig,
    pub specs: Vec<SymbolSpec>,
    /// Bid and ask in points, before anything is asked.
    pub first: (i64, i64),
}

impl Default for Setup {
    /// 100,000 USD at 1:100, EURUSD at 1.10000 / 1.10010, a commission and a symbol without a
    /// quote.
    fn default() -> Self {
        Self {
            account: AccountConfig {
                server: SERVER.into(),
                commission_per_lot: Money::from_units(7 * Money::SCALE / 2),
                ..AccountConfig::default()
            },
            specs: vec![spec("EURUSD"), spec("GBPUSD")],
            first: (110_000, 110_010),
        }
    }
}

impl Setup {
    /// Changes the account.
    pub fn account(mut self, change: impl FnOnce(&mut AccountConfig)) -> Self {
        change(&mut self.account);
        self
    }

    /// Changes the quoted symbol's contract.
    pub fn spec(mut self, change: impl FnOnce(&mut SymbolSpec)) -> Self {
        change(&mut self.specs[0]);
        self
    }

    /// Quotes that symbol first.
    pub fn of(mut self, name: &str, bid: i64, ask: i64) -> Self {
        (self.specs[0], self.first) = (spec(name), (bid, ask));
        self
    }

    /// Gives the rate of a pair that is not traded.
    pub fn rate(mut self, pair: &str, rate: f64) -> Self {
        self.account.rates.insert(pair.into(), rate);
        self.specs.truncate(1);
        self
    }

    /// The part of a first purchase of that many lots that the embedded broker's dice leave, where
    /// it fills in parts; both brokers must meet the same market.
    pub fn part(&self) -> Option<f64> {
        (self.account.partial_fill_probability > 0.0).then(|| {
            let mut specs = self.specs.clone();
            specs[0].filling = FillingModes(FillingModes::IOC);
            let mut twin = Simulator::new(self.account.clone(), specs).unwrap();
            twin.on_tick(&tick(self, 0, self.first));
            let done = twin.send(&deal(Side::Buy, SCARCE)).0.lots.unwrap();
            // Half a step more, so that no rounding takes one away.
            (done.to_f64() + self.specs[0].volume.step.to_f64() / 2.0) / SCARCE
        })
    }

    pub fn with(mut self, mode: AccountMode) -> Self {
        self.account.mode = mode;
        self
    }
}

/// The catalogue's contract.
fn spec(name: &str) -> SymbolSpec {
    catalogue::spec(&symbol(name))
}
