//! Orders: the synchronous core decides, its actor waits and sends. Parallel callers pass through
//! one by one; every send runs in a task of its own, so that no cancelled call cancels an order.

mod actor;
mod changes;
mod checks;
mod core;
mod desk;
mod events;
mod exits;
mod exposure;
mod fills;
mod foreign;
mod grants;
mod ids;
mod losses;
mod modify;
mod operator;
mod order;
mod queue;
mod reconcile;
mod requests;
mod sessions;
mod settle;
mod shut;
mod trading;
mod transitions;

#[cfg(test)]
mod tests;

pub use actor::Orders;
pub use core::{Change, Core, Effect, Patience, Taken};
pub use desk::{Setup, look};
pub use events::{Audience, CursorLost, Event, EventLog, Recorded};
pub use grants::{ClientRules, Grant, SlotsUsedUp};
pub use modify::{Edit, LevelsKey, OrderEdit};
pub use operator::Resolution;
pub use order::{Call, Entry, Exit, Order, Purpose};
pub use reconcile::{Reach, Stray};
pub use sessions::{DeadMan, DeadManAction};
