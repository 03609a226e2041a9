//! Supervises the broker: connect, identify, feed the rooms above, ping, back off.

mod calendar;
mod clock_check;
mod errors;
mod login;
mod machine;
#[cfg(test)]
mod messages;
mod monitor;
mod pumps;
mod session;
mod supervisor;
#[cfg(test)]
mod tests;

pub use calendar::Calendar;
pub use clock_check::ClockCheck;
pub use login::LoginGate;
pub use monitor::{Link, LinkDeps};

use mymt5_model::LinkState;
use std::time::Duration;

/// How the link stands.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkStatus {
    /// State.
    pub state: LinkState,
    /// Why.
    pub reason: String,
    /// True when orders can be sent.
    pub up: bool,
    /// Last successful ping, Unix milliseconds, and its latency.
    pub ping: Option<(i64, Duration)>,
    /// Failed share of pings and attempts of the last five minutes, 0 to 1.
    pub error_rate: f64,
    /// Why the broker or the terminal forbids trading, with the fix.
    pub trade_obstacle: Option<String>,
    /// What ticks say of the configured time zone.
    pub clock: ClockCheck,
}
