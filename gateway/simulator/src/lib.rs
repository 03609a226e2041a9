//! A whole MetaTrader 5 account in memory: deterministic and synchronous, ticks and requests in,
//! receipts and events out. It has no clock (time is that of the last tick, or as it is
//! told), no I/O outside [`feed`], and no chance but a seeded one, so that the same input always gives
//! the same account.
//!
//! # Rooms
//! * The way of a tick: [`feed`] -> `simulator` (the account as a whole) -> `matching` -> `pending`
//!   (orders that are met) and `position` (levels that are hit) -> `fills`.
//! * The way of a request: `requests` -> `rules` (what a server refuses) -> `market_orders` or
//!   `pending` -> `fills` -> `netting` or `hedging`, by `trade` (what is done) -> `history` and
//!   `event` (what is told). `close_by` fills without the market.
//! * Money: `account` (the conditions), `margin`, `worth` (of points), `convert` (into the account's
//!   currency), `rollover`.
//! * Each symbol: [`catalogue`] (contracts), `market` (its corner of the account), `sessions` (hours).
//! * What was quoted: `quotes`, kept by whoever wants to read it again.
//! * A restart: `state`, with `dice` for chance that goes on.

mod account;
pub mod catalogue;
mod close_by;
mod convert;
mod dice;
mod event;
pub mod feed;
mod fills;
mod hedging;
mod history;
mod margin;
mod market;
mod market_orders;
mod matching;
mod netting;
mod pending;
mod position;
mod quotes;
mod requests;
mod rollover;
mod rules;
mod sessions;
mod simulator;
mod state;
mod trade;
mod worth;

pub use account::{AccountConfig, SetupError};
pub use event::Event;
#[doc(hidden)]
pub use feed::fuzz;
pub use history::Past;
pub use quotes::Quotes;
pub use sessions::Week;
pub use simulator::Simulator;
pub use state::{RestoreError, State};
