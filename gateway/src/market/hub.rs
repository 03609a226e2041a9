//! The tick hub: publishes without waiting, unless the feed is one that waits for its subscribers.

use super::{Batch, Delivery, Item, Kind, queue::Queue};
use mymt5_model::{BrokerTime, Symbol, Tick, UtcTime};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// Hands ticks to subscribers. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Hub(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<HubState>,
    /// Woken when a subscriber arrives, takes or leaves: a feed on demand may go on.
    room: Notify,
    ticks: AtomicU64,
    on_demand: AtomicBool,
}

#[derive(Debug, Default)]
struct HubState {
    /// With the moment at which it came.
    latest: HashMap<Symbol, (Item, Instant)>,
    /// The newest of their times.
    newest: Option<BrokerTime>,
    subscribers: HashMap<u64, Arc<Subscriber>>,
    next: u64,
}

#[derive(Debug)]
struct Subscriber {
    queue: Mutex<Queue>,
    ready: Notify,
}

/// One subscriber's end. Dropping it unsubscribes.
#[derive(Debug)]
pub struct Subscription {
    hub: Hub,
    id: u64,
    subscriber: Arc<Subscriber>,
}

impl Subscriber {
    fn room(&self) -> Option<usize> {
        lock(&self.queue).room()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    /// How long a feed on demand waits for a subscriber that takes nothing.
    const STALL_TIMEOUT: Duration = Duration::from_secs(30);

    /// Subscribes to some symbols: their latest ticks wait already. How many subscribe is for the
    /// caller to bound.
    #[must_use]
    pub fn subscribe(&self, symbols: BTreeSet<Symbol>, delivery: Delivery) -> Subscription {
        let mut state = lock(&self.0.state);
        let mut queue = Queue::new(symbols.clone(), delivery);
        for (latest, _) in symbols.iter().filter_map(|symbol| state.latest.get(symbol)) {
            queue.push(&Item {
                kind: Kind::Snapshot,
                ..latest.clone()
            });
        }
        let subscriber = Arc::new(Subscriber {
            queue: Mutex::new(queue),
            ready: Notify::new(),
        });
        let id = state.next;
        state.next += 1;
        state.subscribers.insert(id, subscriber.clone());
        drop(state);
        self.0.room.notify_waiters();
        Subscription {
            hub: self.clone(),
            id,
            subscriber,
        }
    }

    /// Hands ticks to all subscribers, now.
    pub fn publish(&self, ticks: Vec<Tick>, facts: impl Fn(&Tick) -> (Option<UtcTime>, Kind)) {
        self.0
            .ticks
            .fetch_add(ticks.len() as u64, Ordering::Relaxed);
        let now = Instant::now();
        let mut state = lock(&self.0.state);
        let mut reached = BTreeSet::new();
        for tick in ticks {
            let (utc, kind) = facts(&tick);
            let item = Item {
                utc,
                tick: Arc::new(tick),
                folded: 0,
                kind,
            };
            for (id, subscriber) in &state.subscribers {
                if lock(&subscriber.queue).push(&item) {
                    reached.insert(*id);
                }
            }
            state.newest = state.newest.max(Some(item.tick.time));
            let symbol = item.tick.symbol.clone();
            state.latest.insert(symbol, (item, now));
        }
        for subscriber in reached.iter().filter_map(|id| state.subscribers.get(id)) {
            subscriber.ready.notify_one();
        }
    }

    /// Waits until somebody wants every tick and everybody who does has room; for how many ticks.
    /// Those without room after half a minute are cut, so that one dead subscriber cannot hold a
    /// replay.
    pub async fn demand(&self) -> usize {
        self.0.on_demand.store(true, Ordering::Relaxed);
        let mut limit = tokio::time::Instant::now() + Self::STALL_TIMEOUT;
        loop {
            let woken = self.0.room.notified();
            tokio::pin!(woken);
            woken.as_mut().enable();
            match self.room() {
                None => {
                    woken.await;
                    // Whoever comes only now has not kept anybody waiting yet.
                    limit = tokio::time::Instant::now() + Self::STALL_TIMEOUT;
                }
                Some(0) => {
                    if tokio::time::timeout_at(limit, woken).await.is_err() {
                        self.cut_full();
                    }
                }
                Some(room) => return room,
            }
        }
    }

    /// The least room of those whom a feed on demand waits for; none: there is nobody.
    fn room(&self) -> Option<usize> {
        let state = lock(&self.0.state);
        state.subscribers.values().filter_map(|of| of.room()).min()
    }

    fn cut_full(&self) {
        let state = lock(&self.0.state);
        for subscriber in state.subscribers.values() {
            if subscriber.room() == Some(0) {
                lock(&subscriber.queue).cut();
                subscriber.ready.notify_one();
            }
        }
    }

    /// True for a feed that waits for its subscribers, once it did.
    #[must_use]
    pub fn is_on_demand(&self) -> bool {
        self.0.on_demand.load(Ordering::Relaxed)
    }

    /// The latest tick of a symbol, and when it came.
    #[must_use]
    pub fn latest(&self, symbol: &Symbol) -> Option<(Arc<Tick>, Instant)> {
        let state = lock(&self.0.state);
        let (item, came) = state.latest.get(symbol)?;
        Some((item.tick.clone(), *came))
    }

    /// The time of the newest tick, by the broker's clock.
    #[must_use]
    pub fn time(&self) -> Option<BrokerTime> {
        lock(&self.0.state).newest
    }

    /// Ticks published since the start.
    #[must_use]
    pub fn ticks(&self) -> u64 {
        self.0.ticks.load(Ordering::Relaxed)
    }

    /// Subscribers now.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        lock(&self.0.state).subscribers.len()
    }
}

impl Subscription {
    /// Waits for ticks; at most 512 at a time. Never `Empty`.
    pub async fn next(&self) -> Batch {
        loop {
            match lock(&self.subscriber.queue).take() {
                Batch::Empty => {}
                batch => {
                    self.hub.0.room.notify_waiters();
                    return batch;
                }
            }
            self.subscriber.ready.notified().await;
        }
    }

    /// Says that the last batch is done with, and all that it led to.
    pub fn acknowledge(&self) {
        lock(&self.subscriber.queue).acknowledge();
        self.hub.0.room.notify_waiters();
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        lock(&self.hub.0.state).subscribers.remove(&self.id);
        self.hub.0.room.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_model::Price;

    fn symbols() -> BTreeSet<Symbol> {
        ["EURUSD", "AUDUSD"]
            .map(|name| Symbol::parse(name).unwrap())
            .into()
    }

    fn ticks(range: std::ops::Range<i64>) -> Vec<Tick> {
        let names: Vec<_> = symbols().into_iter().collect();
        range
            .map(|n| Tick {
                symbol: names[(n % 2) as usize].clone(),
                time: BrokerTime(n),
                bid: Price::from_points(100_000 + n, 5),
                ask: Price::from_points(100_010 + n, 5),
                last: None,
                volume: 0.0,
                flags: 6,
                is_continuous: false,
            })
            .collect()
    }

    fn times(batch: Batch) -> Vec<i64> {
        match batch {
            Batch::Ticks(items) => items.iter().map(|item| item.tick.time.0).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn latest_folds_and_counts() {
        let hub = Hub::default();
        let subscription = hub.subscribe(symbols(), Delivery::Latest);
        hub.publish(ticks(0..100_000), |_| (None, Kind::Live));
        let Batch::Ticks(items) = subscription.next().await else {
            panic!()
        };
        assert_eq!(
            items
                .iter()
                .map(|i| (i.tick.time.0, i.folded))
                .collect::<Vec<_>>(),
            [(99_998, 49_999), (99_999, 49_999)]
        );
        hub.publish(ticks(100_000..100_001), |_| (None, Kind::Live));
        assert_eq!(times(subscription.next().await), [100_000]);
    }

    #[tokio::test]
    async fn every_tick_arrives_or_the_queue_is_cut() {
        let hub = Hub::default();
        let reader = hub.subscribe(symbols(), Delivery::Every);
        let sleeper = hub.subscribe(symbols(), Delivery::Every);
        let mut seen = 0;
        for start in (0..40_000).step_by(100) {
            hub.publish(ticks(start..start + 100), |_| (None, Kind::Live));
            seen += times(reader.next().await).len();
        }
        assert_eq!(seen, 40_000);
        assert_eq!(lock(&sleeper.subscriber.queue).len(), 0);
        assert!(matches!(sleeper.next().await, Batch::Overflowed));
    }

    #[tokio::test]
    async fn a_new_subscriber_starts_with_the_latest() {
        let hub = Hub::default();
        hub.publish(ticks(0..10), |_| (None, Kind::Live));
        let subscription = hub.subscribe(symbols(), Delivery::Every);
        let Batch::Ticks(items) = subscription.next().await else {
            panic!()
        };
        assert!(items.iter().all(|item| item.kind == Kind::Snapshot) && items.len() == 2);
    }

    #[tokio::test(start_paused = true)]
    async fn in_step_the_next_tick_waits_until_the_last_is_done_with() {
        let hub = Hub::default();
        let _reader = hub.subscribe(symbols(), Delivery::Every);
        assert!(hub.demand().await > 1);
        let in_step = hub.subscribe(symbols(), Delivery::InStep);
        for n in 0..3 {
            assert_eq!(hub.demand().await, 1);
            hub.publish(ticks(n..n + 1), |_| (None, Kind::Live));
            let waits = Duration::from_secs(10);
            assert!(tokio::time::timeout(waits, hub.demand()).await.is_err());
            assert_eq!(times(in_step.next().await), [n]);
            assert!(tokio::time::timeout(waits, hub.demand()).await.is_err());
            in_step.acknowledge();
        }
        drop(in_step);
        assert!(hub.demand().await > 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_back_after_a_long_while_is_served() {
        let hub = Hub::default();
        let first = hub.subscribe(symbols(), Delivery::InStep);
        assert_eq!(hub.demand().await, 1);
        hub.publish(ticks(0..1), |_| (None, Kind::Live));
        drop(first);
        let waiting = tokio::spawn({
            let hub = hub.clone();
            async move { hub.demand().await }
        });
        tokio::time::sleep(Hub::STALL_TIMEOUT * 2).await;
        // It begins with the latest tick, and there is no room until that is done with.
        let second = hub.subscribe(symbols(), Delivery::InStep);
        tokio::time::sleep(Hub::STALL_TIMEOUT / 2).await;
        assert_eq!(times(second.next().await), [0]);
        second.acknowledge();
        assert_eq!(waiting.await.unwrap(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn demand_waits_for_the_first_and_not_for_the_dead() {
        let hub = Hub::default();
        assert!(
            tokio::time::timeout(Duration::from_secs(3600), hub.demand())
                .await
                .is_err()
        );
        let reader = hub.subscribe(symbols(), Delivery::Every);
        hub.demand().await;
        hub.publish(ticks(0..2_000), |_| (None, Kind::Live));
        let waited = tokio::spawn({
            let hub = hub.clone();
            async move { hub.demand().await }
        });
        while let Batch::Ticks(items) = reader.next().await {
            if items.len() < 512 {
                break;
            }
        }
        waited.await.unwrap();
        hub.publish(ticks(0..2_000), |_| (None, Kind::Live));
        assert!(
            tokio::time::timeout(Hub::STALL_TIMEOUT * 2, hub.demand())
                .await
                .is_err()
        );
        assert!(matches!(reader.next().await, Batch::Overflowed));
    }
}
