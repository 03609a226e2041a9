//! How the link to the broker stands.

use serde::{Deserialize, Serialize};

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
    /// Answers, but not as it should.
    Degraded,
    /// Failed; waits before the next attempt.
    BackingOff,
    /// Credentials refused; waits for others.
    Refused,
    /// Outside trading sessions, or no tick will come any more.
    MarketClosed,
}
