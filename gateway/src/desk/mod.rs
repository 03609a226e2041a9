//! The shell of the orders core: its mailbox, the callers' turns, its clocks, the journal it looks
//! things up in and commits to, the sends and the reads that it asks for, and the log of its events.

mod events;
mod figures;
mod handle;
mod messages;
mod notices;
mod quotes;
mod reading;
mod reads;
mod sends;
mod task;
mod turns;
mod waiting;

pub use events::{CursorLost, EventLog};
pub use handle::Orders;
pub use messages::Told;
pub use reads::read_pass;
pub use task::Setup;
pub use turns::Turn;

/// Milliseconds as the core counts them.
fn milliseconds(time: std::time::Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
