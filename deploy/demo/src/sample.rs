//! The pair at one moment.

use mymt5_proto::v1;

/// Gateway and engine, as their Check calls answered.
pub(crate) type Healths = [String; 2];

/// The pair at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) link: String,
    pub(crate) replay_over: bool,
    pub(crate) healths: Healths,
    pub(crate) ticks_sent: u64,
    pub(crate) ticks_received: u64,
    pub(crate) orders: u64,
    pub(crate) fills: u64,
    pub(crate) rejected: u64,
    pub(crate) working: usize,
    pub(crate) balance: f64,
    pub(crate) equity: f64,
    pub(crate) currency: String,
    pub(crate) positions: Vec<v1::Position>,
    pub(crate) last_orders: Vec<v1::Order>,
}

impl Sample {
    /// A replay is over when its last tick has arrived and no order is under way.
    pub(crate) fn is_over(&self) -> bool {
        self.replay_over && self.ticks_received >= self.ticks_sent && self.working == 0
    }

    pub(crate) fn settled_since(&self, before: &Self) -> bool {
        (self.orders, self.fills, self.ticks_received)
            == (before.orders, before.fills, before.ticks_received)
    }
}
