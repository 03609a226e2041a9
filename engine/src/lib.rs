//! The unprivileged process: strategies, sizing and what they hold. It has no secret of the
//! account and reaches the market only through a gateway.
//!
//! # Rooms
//! * The way of a tick: [`session`] (the gateway seen from here) -> [`trader`] (the one loop) ->
//!   [`strategy`] (what it would do) -> [`risk`] (whether, and how much) -> [`intents`] (durable
//!   before they are sent) -> [`session`].
//! * Past instead of present: [`backtest`], the same trader over ticks of files.
//! * What is held: [`portfolio`], as the gateway reported it.
//! * What became of it: [`report`].
//! * The past of a symbol, into a file: [`history`].
//! * How it starts: [`cli`], [`settings`].

pub mod backtest;
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
pub mod strategy;
pub mod trader;
