//! Orders: the synchronous core decides, its actor waits and sends. Parallel callers pass through
//! one by one; every send runs in a task of its own, so that no cancelled call cancels an order.

mod actor;
mod checks;
mod core;
mod events;
mod exposure;
mod fills;
mod order;
mod requests;
mod settle;
mod transitions;

#[cfg(test)]
mod limit_tests;
#[cfg(test)]
mod tests;

pub use actor::Orders;
pub use core::{ClientRules, Core, Effect, Taken};
pub use events::{Audience, CursorLost, Event, EventLog, Recorded};
pub use order::{Call, Entry, Exit, Order, Purpose};
