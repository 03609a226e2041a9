//! The privileged process: it holds the account, the broker link, the orders and the limits, and
//! serves a small gRPC API to engines that hold nothing.

pub mod access;
pub mod api;
pub mod broker;
pub mod cli;
pub mod desk;
pub mod journal;
pub mod link;
pub mod market;
pub mod reload;
pub mod server;
pub mod settings;

#[doc(hidden)]
pub use api::fuzz;
