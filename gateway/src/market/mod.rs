//! What the market says, handed on to subscribers: the latest tick per symbol and bounded queues.

mod hub;
mod instruments;
mod queue;

pub use hub::{Hub, Subscription};
pub use instruments::Instruments;
pub use queue::{Batch, Delivery, Item, Kind};
