//! The simulator from outside, as a gateway or a backtest meets it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    unreachable_pub
)]

mod accounts;
mod continuous;
mod execution;
mod feeds;
mod invariants;
mod oracle;
mod orders;
mod persistence;
mod positions;
mod retcodes;
mod support;
