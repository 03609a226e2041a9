//! What may be done: the table of trading states and actions, exit arithmetic, and limits. Pure;
//! the gateway applies it with authority, the engine to itself.

mod exit;
mod limits;
mod state;

pub use exit::{ExitRefused, exit_allowed};
pub use limits::{LimitReached, Limits, Rate};
pub use state::{Action, TradingState};
