//! What all processes of one scene must agree on: seed, pace, account, and what goes wrong.

use crate::{points::Mutant, standin::Menu};
use mymt5_chassis::process::write_atomically;
use mymt5_model::{AccountMode, Lots, Symbol, SymbolSpec};
use mymt5_simulator::{AccountConfig, catalogue};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// Symbols, and the bid in points around which each of them moves.
pub(crate) const SYMBOLS: [(&str, i64); 4] = [
    ("EURUSD", 110_000),
    ("GBPUSD", 127_000),
    ("AUDUSD", 66_000),
    ("NZDUSD", 61_000),
];

/// The most lots of one order.
pub(crate) const LOTS_MAX: Lots = Lots::from_units(5 * Lots::SCALE / 100);

/// One scene, as its file tells it to the processes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Scene {
    /// Chance begins here.
    pub(crate) seed: u64,
    /// Scales every time below.
    pub(crate) factor: f64,
    /// Netting or hedging.
    pub(crate) mode: AccountMode,
    /// What the broker does to a send, and how often.
    pub(crate) menu: Menu,
    /// What is wrong with the gateway.
    pub(crate) mutant: Option<Mutant>,
    /// Somebody trades by hand, and moves money.
    pub(crate) by_hand: bool,
    /// Where the gateway listens.
    pub(crate) api: SocketAddr,
    /// The bridge's port; none: the broker is the one behind the socket.
    pub(crate) bridge: Option<u16>,
}

impl Scene {
    pub(crate) fn read(folder: &Path) -> Self {
        serde_json::from_slice(&fs::read(folder.join("scene.json")).unwrap()).unwrap()
    }

    pub(crate) fn write(&self, folder: &Path) {
        let text = serde_json::to_vec(self).unwrap();
        write_atomically(&folder.join("scene.json"), &text).unwrap();
    }

    fn scaled(&self, ms: u64) -> Duration {
        Duration::from_millis(ms).mul_f64(self.factor)
    }

    /// The gateway waits so long for an answer to a send.
    pub(crate) fn send_timeout(&self) -> Duration {
        self.scaled(200)
    }

    /// An answer that comes after that.
    pub(crate) fn delay(&self) -> Duration {
        self.scaled(300)
    }

    /// What did not show by then is taken as not done.
    pub(crate) fn grace(&self) -> Duration {
        self.scaled(1_000)
    }

    /// An execution that comes after that.
    pub(crate) fn late(&self) -> Duration {
        self.grace().mul_f64(2.0)
    }

    /// Who is silent for so long is dead.
    pub(crate) fn silence(&self) -> Duration {
        // No configuration takes less.
        self.scaled(1_000).max(Duration::from_secs(1))
    }

    /// Between two ticks of every symbol.
    pub(crate) fn tick(&self) -> Duration {
        self.scaled(20)
    }

    /// The longest life of a gateway that waits for its fail point.
    pub(crate) fn longest_life(&self) -> Duration {
        self.scaled(2_000)
    }

    pub(crate) fn account(&self) -> AccountConfig {
        AccountConfig {
            mode: self.mode,
            seed: self.seed,
            ..AccountConfig::default()
        }
    }
}

/// The specifications of all symbols. An order takes no more lots than a trader asks for, so that a
/// netting position grows beyond what one order can close.
pub(crate) fn specs() -> Vec<SymbolSpec> {
    let spec = |(name, _): &(&str, i64)| {
        let mut spec = catalogue::spec(&Symbol::parse(name).unwrap());
        spec.volume.max = LOTS_MAX;
        spec
    };
    SYMBOLS.iter().map(spec).collect()
}

/// The broker's socket.
pub(crate) fn socket(folder: &Path) -> PathBuf {
    folder.join("broker.sock")
}

/// What the broker did.
pub(crate) fn ledger(folder: &Path) -> PathBuf {
    folder.join("ledger.jsonl")
}
