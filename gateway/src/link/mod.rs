//! Supervises the broker: connect, identify, feed the rooms above, ping, back off.

mod supervisor;

pub use supervisor::{Link, Wiring};

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// State of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkState {
    /// Not connected, not trying.
    Disconnected,
    /// Reaching for the broker.
    Connecting,
    /// Verifying the account.
    Identifying,
    /// Works.
    Ready,
    /// Failed; waits before the next attempt.
    BackingOff,
    /// Credentials refused.
    Refused,
    /// Up, and no tick will come now.
    MarketClosed,
}

/// How the link stands.
#[derive(Clone, Debug)]
pub struct LinkStatus {
    /// State.
    pub state: LinkState,
    /// Why.
    pub reason: String,
    /// Last successful ping, Unix milliseconds, and its latency.
    pub ping: Option<(i64, Duration)>,
}

impl LinkState {
    /// True when orders can be sent.
    #[must_use]
    pub const fn is_up(self) -> bool {
        matches!(self, Self::Ready | Self::MarketClosed)
    }
}
