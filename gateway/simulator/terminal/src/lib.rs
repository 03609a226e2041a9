//! A terminal that never was: the simulated account behind the protocol by which the official
//! Python package 5.0.6231 talks to a MetaTrader 5 terminal. A relay carries the bytes between the
//! package's named pipe and the socket here.
//!
//! # Rooms
//! * The wire: `layout` (each record, written down once), `frame` (requests and replies),
//!   `commands` (their numbers).
//! * The answers: `terminal` (the core: a command in, a reply out; no clock and no I/O), `rows` (how
//!   the account's rows look on the wire), `trade` (what a request to the trade server means).
//! * What is answered from: `quotes` (ticks and bars), `feed` (where ticks come from), `ledger` (the
//!   past, and how late it is shown), `settings`.
//! * What goes wrong on purpose: `tempers`.
//! * The shell: `serve` (sockets and the clock), `control` (tempers while it runs), `keep` (the
//!   account on disk).

mod commands;
mod control;
mod feed;
mod frame;
mod keep;
pub mod layout;
mod ledger;
mod quotes;
mod rows;
mod serve;
mod settings;
mod tempers;
mod terminal;
mod trade;

pub use commands::{Command, number};
pub use frame::{Fate, Reply, Status, read_frame, text};
pub use keep::{KeptError, Store};
pub use serve::{Server, now};
pub use settings::{Settings, StartError};
pub use tempers::{Temper, TemperError};
pub use terminal::Terminal;
