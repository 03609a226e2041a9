//! The gateway's side of the bridge, from both ends: against a scripted bridge that lies, and
//! against the real one with a broker to stand in for the terminal.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::print_stdout,
    unreachable_pub
)]

mod conformance;
mod real;
mod scripted;
mod support;
mod whole;
