//! A whole MetaTrader 5 account in memory: deterministic and synchronous, ticks and requests in,
//! receipts and events out. It has no clock (time is that of the last tick), no I/O outside
//! [`feed`], and no chance but a seeded one, so that the same input always gives the same account.

mod account;
pub mod catalogue;
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
mod requests;
mod rollover;
mod rules;
mod sessions;
mod simulator;
mod state;
mod trade;

pub use account::{AccountConfig, SetupError};
pub use event::Event;
#[doc(hidden)]
pub use feed::fuzz;
pub use history::Past;
pub use sessions::{Week, Weekday};
pub use simulator::Simulator;
pub use state::{RestoreError, State};
