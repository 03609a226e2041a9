//! The shell of the orders core: one task owns it ([`task`]), everybody else asks by its handle
//! ([`Orders`]). Records are durable before anything that came with them is told or sent; every
//! send runs in a task of its own, so that no cancelled call cancels an order.

mod events;
mod handle;
mod queue;
mod reads;
mod sends;
mod task;

pub use events::{CursorLost, EventLog};
pub use handle::Orders;
pub use reads::look;
pub use task::Setup;
