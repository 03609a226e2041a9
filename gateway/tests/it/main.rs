//! The gateway as a process: the real binary, real certificates, real connections.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod access;
mod audit;
mod crash;
mod deadlines;
mod desk;
mod disk;
mod doctor;
mod export;
mod fairness;
mod flood;
mod garbage;
mod harness;
mod hour;
mod journal;
mod lifecycle;
mod long;
mod market_past;
mod notify;
mod operator;
mod orders;
mod past;
mod reload;
mod replay;
mod scripted;
mod strangers;
mod supervisor;
mod telemetry;
