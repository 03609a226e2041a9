//! Ticks from the broker to the hub. What was handed over before the link broke still counts.

use super::{ClockCheck, supervisor::Wiring};
use crate::{
    broker::{BrokerError, Pace},
    market::Kind,
};
use mymt5_chassis::clock;
use mymt5_model::{BrokerTime, Tick, UtcTime};
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::mpsc, time::timeout};

/// Longest wait for the end of what a closed link had handed over.
const DRAIN: Duration = Duration::from_secs(1);
/// A tick that is older than the link by more than that was missed.
const LATE_MS: i64 = 2_000;

pub(super) struct Ticks<'a> {
    wiring: &'a Wiring,
    clock: &'a Mutex<ClockCheck>,
    ticks: mpsc::Receiver<Vec<Tick>>,
    pace: Pace,
    /// What happened before is late; none: nothing can be, or the zone is unknown.
    live_from: Option<BrokerTime>,
}

impl<'a> Ticks<'a> {
    pub(super) fn new(
        wiring: &'a Wiring,
        clock: &'a Mutex<ClockCheck>,
        ticks: mpsc::Receiver<Vec<Tick>>,
        pace: Pace,
    ) -> Self {
        let now = UtcTime(clock::utc_now_ms() - LATE_MS);
        let zone = wiring.zone.as_ref().filter(|_| wiring.broker.keeps_time());
        Self {
            wiring,
            clock,
            ticks,
            pace,
            live_from: zone.and_then(|zone| zone.to_broker(now)),
        }
    }

    /// Hands on until the link breaks. The feed's end is told by a change: until the link ends
    /// there is nothing more to hand on then.
    pub(super) async fn pump(&mut self) -> BrokerError {
        loop {
            if self.pace == Pace::OnDemand {
                self.wiring.hub.demand().await;
            }
            match self.ticks.recv().await {
                Some(batch) => self.publish(batch),
                None => return std::future::pending().await,
            }
        }
    }

    /// Hands on what a link that is over had handed over.
    pub(super) async fn drain(&mut self) {
        self.ticks.close();
        while let Ok(Some(batch)) = timeout(DRAIN, self.ticks.recv()).await {
            self.publish(batch);
        }
    }

    fn publish(&self, batch: Vec<Tick>) {
        metrics::counter!("mymt5_ticks_total").increment(batch.len() as u64);
        if let Some(last) = batch.last() {
            self.verify(last);
        }
        let zone = self.wiring.zone.as_ref();
        self.wiring.hub.publish(batch, |tick| {
            let late = self.live_from.is_some_and(|from| tick.time < from);
            let kind = if late { Kind::Backfill } else { Kind::Live };
            (zone.and_then(|zone| zone.to_utc(tick.time)), kind)
        });
    }

    fn verify(&self, tick: &Tick) {
        let Some(zone) = &self.wiring.zone else {
            return;
        };
        if self.wiring.broker.keeps_time() {
            let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
            clock.see(zone, tick.time, UtcTime(clock::utc_now_ms()));
        }
    }
}
