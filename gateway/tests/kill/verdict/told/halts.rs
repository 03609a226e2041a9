//! What leaves while trading is halted or reduced, by the order in which the gateway tells of both:
//! an entry that left before may reach the broker after.

use mymt5_proto::v1::{self, stream_events_response::Event};
use std::collections::BTreeSet;

/// What was told so far.
#[derive(Default)]
pub(super) struct Halts {
    /// Who may open nothing; empty: the account.
    halted: BTreeSet<String>,
    /// Entries that have left.
    sent: BTreeSet<u64>,
}

impl Halts {
    /// The entry that an event tells as sent though its client may open nothing.
    pub(super) fn defied(&mut self, event: &Event) -> Option<String> {
        match event {
            Event::TradingStateChanged(changed) => {
                if changed.state() == v1::TradingState::Active {
                    self.halted.remove(&changed.client);
                } else {
                    self.halted.insert(changed.client.clone());
                }
                None
            }
            Event::OrderChanged(v1::OrderChanged { order: Some(order) }) => {
                let entry = order.action() == v1::OrderAction::Submit;
                let leaves = entry && order.state() == v1::OrderState::Sent;
                let first = leaves && self.sent.insert(order.order_id);
                (first && self.is_halted(&order.client)).then(|| order.client_order_id.clone())
            }
            _ => None,
        }
    }

    fn is_halted(&self, client: &str) -> bool {
        self.halted.contains("") || self.halted.contains(client)
    }
}
