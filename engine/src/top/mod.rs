//! The terminal screen of `mymt5-engine top`: how link, quotes, positions, limits and refusals stand.
//!
//! It reads and never sends a heartbeat: to the gateway it is no second process of its client, so an
//! engine of the same identity keeps its lease, and one that died stays dead. Of the client's share of
//! the gateway it takes one stream of ticks, one of events, and a call at a time.
//!
//! * [`watch`]: asks gateway and engine, again and again, and tells what they say.
//! * [`state`]: what is known by that; [`engine`] and [`refusals`] are parts of it.
//! * [`view`]: draws what is known, with its tables, as a [`look`] says.

pub mod engine;
pub mod look;
pub mod refusals;
pub mod state;
mod tables;
#[cfg(test)]
mod tests;
pub mod view;
pub mod watch;

pub use look::Look;
pub use state::{State, Update};
pub use watch::Watch;
