//! What the terminal is like.

use mymt5_model::{BrokerZone, Symbol, SymbolSpec};
use mymt5_simulator::{AccountConfig, RestoreError, SetupError, catalogue, feed::FeedError};
use std::path::PathBuf;

/// What the terminal is like, its tempers aside.
#[derive(Clone)]
pub struct Settings {
    /// The account; its balance is the first deposit.
    pub account: AccountConfig,
    /// The password that is right; none: any.
    pub password: Option<String>,
    /// The symbols in the Market Watch.
    pub symbols: Vec<SymbolSpec>,
    /// How far the broker's clock is from UTC.
    pub zone: BrokerZone,
    /// The terminal's build.
    pub build: u16,
    /// The terminal's folder.
    pub path: String,
    /// Tick exports that are replayed, one a symbol; none: a synthetic market.
    pub replays: Vec<PathBuf>,
    /// How fast a replay goes.
    pub speed: f64,
    /// Milliseconds between two synthetic ticks of a symbol on average.
    pub tick_ms: u32,
    /// Minutes of synthetic ticks before the start.
    pub past_minutes: u32,
}

/// Why there is no terminal.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The account or a symbol is faulty.
    #[error("cannot set up the account")]
    Setup(#[from] SetupError),
    /// The kept account is another one.
    #[error("cannot take up the kept account")]
    Restore(#[from] RestoreError),
    /// A replay cannot be read.
    #[error("cannot replay ticks")]
    Replay(#[from] FeedError),
    /// A replay is named after no symbol of the list.
    #[error("invalid replay {}: expected a file named after one of the symbols", .0.display())]
    Nameless(PathBuf),
}

/// Symbols that only fill the list: as many as are missing to so many in all.
pub(crate) fn fillers(listed: &[SymbolSpec], count: u64) -> Vec<SymbolSpec> {
    let missing = usize::try_from(count).unwrap_or(0);
    let missing = missing.saturating_sub(listed.len());
    let names = (1..=missing).map(|number| format!("S{number:05}"));
    let symbols = names.filter_map(|name| Symbol::parse(&name).ok());
    symbols.map(|symbol| catalogue::spec(&symbol)).collect()
}
