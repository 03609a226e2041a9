//! How a process of the pair comes up and stays safe.
//!
//! The chassis knows nothing of trading. Each binary hands it a [`loader::Table`] of its names
//! and secrets and gets back what the security guide asks of any process: a configuration
//! checked as a whole, redacted and bounded logs, health and metrics on a port of their own,
//! TLS identities, locked folders and a quiet way to end.
//!
//! # Rooms
//! * Configuration: [`loader`], with every error at once by [`config_errors`]; secrets by `secret`
//!   (one) and [`secrets`] (all, and their rotation).
//! * What leaves the process: [`logs`], each line through [`redact`] and [`letters`], with the id of
//!   [`trace_context`] and the time of [`clock`]; [`metrics`] and [`health`] by the port of
//!   [`operations`]; [`traces`] of orders to a collector.
//! * What it serves: [`server`], whose bounds hold for every port.
//! * What the process is: [`process`] (its limits, its folders), [`sandbox`], [`tls`].
//! * How it starts, ends and is asked: [`cli`], [`shutdown`], [`exit`], [`supervisor`]; what it leaves behind when it
//!   does not end well: `crash`. Whether its set-up is safe: [`doctor`].
//! * What tests and fuzzers use: [`testing`], [`fuzz`].

pub mod cli;
pub mod clock;
pub mod config_errors;
mod crash;
pub mod doctor;
pub mod exit;
#[doc(hidden)]
pub mod fuzz;
pub mod health;
pub mod letters;
pub mod loader;
pub mod logs;
#[cfg(test)]
mod messages;
pub mod metrics;
pub mod operations;
pub mod process;
pub mod redact;
pub mod sandbox;
mod secret;
pub mod secrets;
pub mod server;
pub mod shutdown;
pub mod supervisor;
#[doc(hidden)]
pub mod testing;
pub mod tls;
pub mod trace_context;
pub mod traces;
