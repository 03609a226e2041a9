//! The gRPC services: translation and nothing else.

mod alerts;
mod call;
mod control;
mod decisions;
mod edits;
mod event_stream;
mod facts;
#[doc(hidden)]
pub mod fuzz;
mod market_data;
#[cfg(test)]
mod messages;
mod page;
pub(crate) mod parse;
mod past;
pub(crate) mod render;
mod status;
mod tick_stream;
mod trading;

pub use call::{Deadline, TraceId};
pub use control::Control;
pub use market_data::MarketData;
pub use trading::Trading;

use crate::{
    access::Streams,
    audit::Trail,
    broker::Broker,
    desk::Orders,
    journal::Disk,
    link::Link,
    market::{Hub, Instruments},
    notify::Notifier,
    reload::Reloader,
};
use mymt5_chassis::clock;
use mymt5_model::{AccountKind, BrokerZone, UtcTime};
use parse::BrokerClock;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What the services translate for. Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// Calculates margin and profit.
    pub broker: Arc<dyn Broker>,
    /// Orders, book, events.
    pub orders: Orders,
    /// Who asked for what.
    pub trail: Trail,
    /// Ticks.
    pub hub: Hub,
    /// Specifications.
    pub instruments: Instruments,
    /// The link.
    pub link: Link,
    /// Takes up a changed configuration.
    pub reloader: Reloader,
    /// Tells an operator.
    pub notifier: Notifier,
    /// The broker's zone: its name and itself.
    pub zone: Option<(Arc<str>, BrokerZone)>,
    /// What kind of account the configuration asks for.
    pub kind: AccountKind,
    /// Longest time an order may wait to be sent, milliseconds.
    pub max_queue_ms: i64,
    /// The journal's file, for backups.
    pub journal: Arc<std::path::Path>,
    /// The disk that it is on.
    pub disk: Disk,
    /// When the gateway started, Unix milliseconds.
    pub started_ms: i64,
    /// Open event streams.
    pub event_streams: Streams,
    /// Open tick streams.
    pub tick_streams: Streams,
    /// Streams end with it.
    pub shutdown: CancellationToken,
}

impl AppState {
    /// The broker's clock: by the zone and this host's, or by its ticks where they are not of now.
    fn broker_clock(&self) -> BrokerClock<'_> {
        let zone = self.zone.as_ref().map(|(_, zone)| zone);
        let now = if self.broker.keeps_time() {
            zone.and_then(|zone| zone.to_broker(UtcTime(clock::utc_now_ms())))
        } else {
            self.hub.time()
        };
        BrokerClock { zone, now }
    }
}
