//! The feed's thread: moves the market, tick by tick, until nobody listens.

use super::{BrokerEvent, Speed, market::Market};
use mymt5_model::{BrokerTime, Tick};
use mymt5_simulator::feed::FeedError;
use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// Ticks moved under one lock, unless so many are asked for.
const BATCH: usize = 64;
/// A gap longer than this (a night, a weekend) is skipped.
const LONGEST_GAP: Duration = Duration::from_secs(60);
/// While the feed waits, it checks this often whether it is still wanted.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Where ticks come from.
pub(super) type FeedTicks = Box<dyn Iterator<Item = Result<Tick, FeedError>> + Send>;

/// The thread's state.
pub(super) struct Driver {
    pub(super) market: Arc<Market>,
    pub(super) ticks: mpsc::Sender<Vec<Tick>>,
    pub(super) speed: Speed,
    /// At full speed: how many ticks are asked for.
    pub(super) demand: Option<mpsc::Receiver<usize>>,
    /// Broker time and the instant at which it was due.
    pub(super) origin: Option<(BrokerTime, Instant)>,
}

impl Driver {
    pub(super) fn run(mut self, feed: FeedTicks) {
        if let Some(why) = self.play(feed) {
            self.market.lock().send(BrokerEvent::FeedEnded(why));
        }
    }

    /// Why the feed ended; none: nobody listens.
    fn play(&mut self, feed: FeedTicks) -> Option<String> {
        let mut why = "the replay is over".to_owned();
        let mut batch = Vec::with_capacity(BATCH);
        let mut asked = self.asked()?;
        for tick in feed {
            let tick = match tick {
                Ok(tick) => tick,
                Err(error) => {
                    tracing::error!(%error, "the replay ends early");
                    why = format!("the replay ended early: {}", error.without_path());
                    break;
                }
            };
            if !self.wait_until_due(&tick, &mut batch) {
                return None;
            }
            batch.push(tick);
            if batch.len() >= asked {
                if !self.flush(&mut batch) {
                    return None;
                }
                asked = self.asked()?;
            }
        }
        self.flush(&mut batch).then_some(why)
    }

    /// Waits until ticks are asked for: how many; none: nobody listens.
    fn asked(&mut self) -> Option<usize> {
        match &mut self.demand {
            Some(demand) => demand.blocking_recv(),
            None => Some(BATCH),
        }
    }

    /// Waits for the tick's time; what came before it goes out first. False: nobody listens.
    fn wait_until_due(&mut self, tick: &Tick, batch: &mut Vec<Tick>) -> bool {
        let Speed::Times(times) = self.speed else {
            return true;
        };
        let now = Instant::now();
        let (from, at) = *self.origin.get_or_insert((tick.time, now));
        let ahead = Duration::from_millis(u64::try_from(tick.time.0 - from.0).unwrap_or(0))
            .div_f64(times.max(1e-3));
        let mut due = at + ahead;
        if due.saturating_duration_since(now) > LONGEST_GAP {
            if !self.flush(batch) {
                return false;
            }
            due = now;
            self.origin = Some((tick.time, now));
            self.market.lock().skip_to(tick.time, now);
        }
        if due <= now {
            return true;
        }
        if !self.flush(batch) {
            return false;
        }
        while let Some(left) = due
            .checked_duration_since(Instant::now())
            .filter(|left| !left.is_zero())
        {
            if self.ticks.is_closed() {
                return false;
            }
            thread::sleep(left.min(POLL_INTERVAL));
        }
        true
    }

    fn flush(&self, batch: &mut Vec<Tick>) -> bool {
        if batch.is_empty() {
            return !self.ticks.is_closed();
        }
        while self.market.lock().is_crowded() {
            thread::sleep(Duration::from_millis(1));
        }
        let mut state = self.market.lock();
        for tick in batch.iter() {
            state.on_tick(tick);
        }
        let passed = self.demand.as_ref().and_then(|_| state.barrier());
        drop(state);
        // A subscriber in step learns of what a tick did before the tick itself.
        if let Some(mut passed) = passed {
            let _ = passed.blocking_recv();
        }
        self.ticks
            .blocking_send(std::mem::replace(batch, Vec::with_capacity(BATCH)))
            .is_ok()
    }
}
