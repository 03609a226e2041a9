//! Kill test: a gateway that is killed again and again, over a broker that executes, loses, delays
//! and dies, and whose account outlives them both. The broker and the gateway are this very
//! binary, started again in a role; what is left afterwards is judged by [`verdict`].
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod bridged;
mod dice;
mod durable;
mod gateway;
mod harness;
mod journal;
mod ledger;
mod points;
mod remote;
mod role;
mod rounds;
mod scene;
mod standin;
mod verdict;
mod wire;

/// The broker's process; without its role nothing to do.
#[test]
fn role_broker() {
    if let Some(folder) = role::taken("broker") {
        standin::run(&folder);
    }
}

/// The gateway's process; without its role nothing to do.
#[test]
fn role_gateway() {
    if let Some(folder) = role::taken("gateway") {
        gateway::run(&folder);
    }
}
