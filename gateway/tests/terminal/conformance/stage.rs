//! What moves the market under a broker.

use async_trait::async_trait;
use mymt5_chassis::clock;
use mymt5_gateway::broker::{Broker, BrokerEvent};
use mymt5_model::{BrokerTime, Tick};
use std::sync::LazyLock;

/// Midnight of today on the broker's clock, in raw milliseconds: every play begins then. A terminal
/// looks for new deals in the last days only.
pub fn begin() -> i64 {
    static BEGIN: LazyLock<i64> = LazyLock::new(|| BrokerTime(clock::utc_now_ms()).day_start().0);
    *BEGIN
}

/// A broker whose market stands still until it is moved.
#[async_trait]
pub trait Stage: Send {
    /// The broker.
    fn broker(&self) -> &dyn Broker;

    /// Moves the market and the broker's clock to a tick of the first symbol. Returns once the
    /// broker has handed that tick on.
    async fn move_to(&mut self, tick: &Tick);

    /// What the broker told since this was last asked.
    fn told(&mut self) -> Vec<BrokerEvent>;
}
