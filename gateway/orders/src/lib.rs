//! What happens to an order, whatever happens: ids, orders, positions, losses, trading states,
//! sessions and reconciliation as one synchronous value, [`Core`]. It knows no task, clock, file or
//! wire format: requests, the broker's answers, its rows and history, ticks and the time go in;
//! records to store, requests to send and events come out. Its shell commits the records before
//! anything else that came with them happens.

mod book;
mod broker;
mod changes;
mod checks;
mod core;
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
mod reconcile;
mod records;
mod requests;
mod sessions;
mod settle;
mod shut;
mod trading;
mod transitions;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use self::core::{Change, Core, Effect, Patience, Taken};
pub use book::{Book, Owner, Position, PositionChange, Reading};
pub use broker::{History, SendFailure, Snapshot};
pub use events::{Audience, Event, Recorded};
pub use grants::{ClientRules, Grant, SlotsUsedUp};
pub use modify::{Edit, LevelsKey, OrderEdit};
pub use operator::Resolution;
pub use order::{Call, Entry, Exit, Order, Purpose};
pub use reconcile::{Reach, Stray};
pub use records::{
    Denial, LevelsOutcome, Loaded, LossRow, OwnedDeal, Record, Request, StateRow, Subject,
};
pub use sessions::{DeadMan, DeadManAction};
