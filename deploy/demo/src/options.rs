//! What the user asks for.

use clap::Parser;
use std::path::PathBuf;

/// Runs gateway and engine on the simulator, as two processes.
#[derive(Debug, Parser)]
#[command(name = "cargo demo", version, about)]
pub(crate) struct Options {
    /// End after so many seconds. Without it: Ctrl-C, or the end of a replay.
    #[arg(long)]
    pub(crate) seconds: Option<u64>,
    /// Print only the summary, as one JSON object on the last line.
    #[arg(long)]
    pub(crate) json: bool,
    /// Replay the terminal's tick export instead of synthetic ticks.
    #[arg(long, value_name = "FILE")]
    pub(crate) ticks: Option<PathBuf>,
    /// How fast time goes: 1, another factor, or max (a replay as fast as the engine takes it).
    #[arg(long, default_value = "5")]
    pub(crate) speed: String,
    /// Build both binaries and start nothing.
    #[arg(long)]
    pub(crate) build_only: bool,
}
