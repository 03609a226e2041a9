//! Ticks from the broker to the hub. What was handed over before the link broke still counts.

use super::{ClockCheck, monitor::LinkDeps};
use crate::{broker::Pace, market::Kind};
use mymt5_chassis::clock;
use mymt5_model::{Tick, UtcTime};
use std::{
    convert::Infallible,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::mpsc, time::timeout};

/// Longest wait for the end of what a closed link had handed over.
const DRAIN: Duration = Duration::from_secs(1);
/// A tick that is older than the link, or than the end of its silence, by more than that was missed.
const LATE_MS: i64 = 2_000;

/// From which moment of the broker's clock on a tick is live, and not late.
#[derive(Debug)]
pub(super) struct LiveFrom(AtomicI64);

impl LiveFrom {
    /// All ticks are live, as where nothing is known of the broker's clock.
    pub(super) const ALL: i64 = i64::MIN;

    pub(super) const fn new() -> Self {
        Self(AtomicI64::new(Self::ALL))
    }

    /// From now on, or none.
    pub(super) fn set(&self, deps: &LinkDeps, live: bool) {
        let now = UtcTime(clock::utc_now_ms() - LATE_MS);
        let zone = deps.zone.as_ref().filter(|_| deps.broker.keeps_time());
        let from = zone.map_or(Self::ALL, |zone| match live {
            true => zone.to_broker(now).map_or(Self::ALL, |time| time.0),
            false => i64::MAX,
        });
        self.0.store(from, Ordering::Relaxed);
    }

    fn is_late(&self, tick: &Tick) -> bool {
        tick.time.0 < self.0.load(Ordering::Relaxed)
    }
}

pub(super) struct Ticks<'a> {
    deps: &'a LinkDeps,
    clock: &'a Mutex<ClockCheck>,
    live_from: &'a LiveFrom,
    ticks: mpsc::Receiver<Vec<Tick>>,
    pace: Pace,
}

impl<'a> Ticks<'a> {
    pub(super) fn new(
        (deps, clock): (&'a LinkDeps, &'a Mutex<ClockCheck>),
        live_from: &'a LiveFrom,
        ticks: mpsc::Receiver<Vec<Tick>>,
        pace: Pace,
    ) -> Self {
        Self {
            deps,
            clock,
            live_from,
            ticks,
            pace,
        }
    }

    /// Hands on. A change reports the feed's end: until the link ends there is nothing more to
    /// hand on then.
    pub(super) async fn pump(&mut self) -> Infallible {
        loop {
            if let Pace::OnDemand(ask) = &self.pace {
                let _ = ask.send(self.deps.hub.demand().await).await;
            }
            match self.ticks.recv().await {
                Some(batch) => self.publish(batch),
                None => return std::future::pending().await,
            }
        }
    }

    /// Hands on until the next session is there, and then the rest: what that one brings comes after.
    pub(super) async fn pump_until<T>(&mut self, next: impl Future<Output = T>) -> T {
        let next = tokio::select! {
            next = next => next,
            never = self.pump() => match never {},
        };
        self.drain().await;
        next
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
        let zone = self.deps.zone.as_ref();
        self.deps.hub.publish(batch, |tick| {
            let late = self.live_from.is_late(tick);
            let kind = if late { Kind::Backfill } else { Kind::Live };
            (zone.and_then(|zone| zone.to_utc(tick.time)), kind)
        });
    }

    fn verify(&self, tick: &Tick) {
        let Some(zone) = &self.deps.zone else {
            return;
        };
        if self.deps.broker.keeps_time() {
            let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
            clock.see(zone, tick.time, UtcTime(clock::utc_now_ms()));
        }
    }
}
