//! The unprivileged process: strategies, sizing and what they hold. It has no secret of the
//! account and reaches the market only through a gateway.
//!
//! # Rooms
//! * The way of a tick: [`session`] (the gateway seen from here) -> [`trader`] (the one loop) ->
//!   [`bars`] -> [`strategy`] (what it would do) -> [`risk`] (whether, and how much) -> [`intents`]
//!   (durable before they are sent) -> [`session`].
//! * Past instead of present: [`backtest`], the same trader over ticks of files, by what [`setup`]
//!   reads; [`sweep`], many of them over ranges of settings.
//! * What is held: [`portfolio`], as the gateway reported it; its stops and its end, too: [`care`].
//! * What became of it: [`report`].
//! * The past of a symbol, into a file: [`history`].
//! * What a monitor reads: [`telemetry`] (the list of the metrics); what a trader looks at: [`top`].
//! * How it starts: [`cli`], [`settings`].
//!
//! # Strategies of one's own
//! A crate of its own registers them and calls [`run()`]: `engine/examples/own_strategy` is one.

pub mod backtest;
pub mod bars;
pub mod care;
pub mod cli;
pub mod history;
pub mod intents;
#[cfg(test)]
mod messages;
pub mod portfolio;
pub mod report;
pub mod risk;
pub mod session;
pub mod settings;
pub mod setup;
pub mod strategy;
pub mod sweep;
pub mod telemetry;
pub mod top;
pub mod trader;

use clap::Parser;
use std::process::ExitCode;
use strategy::Registry;

/// The whole program, with all its commands: the engine's `main`, and that of a crate that brings
/// strategies of its own.
#[must_use]
pub fn run(registry: Registry) -> ExitCode {
    registry.install();
    cli::execute(cli::Cli::parse())
}
