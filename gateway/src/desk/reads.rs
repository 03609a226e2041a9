//! What is read of the broker, and how that stands.

use crate::broker::{Broker, BrokerError};
use mymt5_orders::{History, Lookback, Snapshot};
use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Instant,
};

/// What was read: rows, and for a pass the history too.
pub(super) type Read = Result<(Snapshot, Option<History>), BrokerError>;

/// How the reading stands.
#[derive(Default)]
pub(super) struct Reads {
    pub(super) under_way: bool,
    /// Something happened that the rows may show.
    pub(super) wanted: bool,
    /// What the core knows by now, for the reading that begins next.
    pub(super) news: Arc<AtomicU64>,
    /// When the first of the readings failed that did since the last one that came.
    pub(super) failed: Option<Instant>,
    /// Counts lives of the link: what was asked in another proves nothing about this one.
    pub(super) life: u64,
    pub(super) account_unreadable: bool,
}

pub(super) async fn read(broker: &dyn Broker, begun: u64, lookback: Option<Lookback>) -> Read {
    match lookback {
        Some(lookback) => {
            let (snapshot, history) = read_pass(broker, begun, lookback).await?;
            Ok((snapshot, Some(history)))
        }
        None => Ok((broker.snapshot(begun).await?, None)),
    }
}

/// One complete pass over the broker: rows first, then the history that whatever left them is in.
///
/// # Errors
/// The broker did not answer.
pub async fn read_pass(
    broker: &dyn Broker,
    begun: u64,
    lookback: Lookback,
) -> Result<(Snapshot, History), BrokerError> {
    let snapshot = broker.snapshot(begun).await?;
    let (from, to) = lookback.window(snapshot.time);
    let history = broker.history(from, to).await?;
    Ok((snapshot, history))
}
