//! One subscriber's queue. Its size has a bound whatever the subscriber does: LATEST folds, EVERY
//! is cut.

use mymt5_model::{Symbol, Tick, UtcTime};
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

/// A tick on its way to subscribers, shared by all of them.
#[derive(Clone, Debug)]
pub struct Item {
    /// The tick.
    pub tick: Arc<Tick>,
    /// Its time in UTC, where the broker's zone is known.
    pub utc: Option<UtcTime>,
    /// Ticks of the symbol folded into this one.
    pub folded: u32,
    /// How it came.
    pub kind: Kind,
}

/// How a tick came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The latest one before the subscription.
    Snapshot,
    /// As it happened.
    Live,
    /// Late, after a gap of the link.
    Backfill,
}

/// How a slow subscriber is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The newest tick per symbol.
    Latest,
    /// Every tick, or none any more.
    Every,
    /// Every tick, and each batch is acknowledged: a feed on demand goes tick by tick.
    InStep,
}

/// What a subscriber gets when it asks.
#[derive(Debug)]
pub enum Batch {
    /// Some ticks, in order.
    Ticks(Vec<Item>),
    /// Nothing now.
    Empty,
    /// The queue overflowed and was cut.
    Overflowed,
}

/// The queue itself.
#[derive(Debug)]
pub(super) struct Queue {
    symbols: BTreeSet<Symbol>,
    delivery: Delivery,
    waiting: VecDeque<Item>,
    /// LATEST: where each symbol's item stands, counted from the first item ever queued.
    places: HashMap<Symbol, u64>,
    taken: u64,
    /// In step: the last batch is not done with.
    unacknowledged: bool,
    overflowed: bool,
    conflated: metrics::Counter,
}

impl Queue {
    /// Most ticks an EVERY queue holds.
    pub(super) const CAPACITY: usize = 16_384;
    /// A feed on demand waits while an EVERY queue holds more than this.
    const HIGH_WATER: usize = 1_024;
    /// Ticks that a feed on demand hands out at a time where nobody is in step.
    const STRIDE: usize = 64;
    /// Most ticks of one batch.
    const BATCH: usize = 512;

    pub(super) fn new(symbols: BTreeSet<Symbol>, delivery: Delivery) -> Self {
        let waiting = VecDeque::new();
        let places = HashMap::new();
        Self {
            symbols,
            delivery,
            waiting,
            places,
            taken: 0,
            unacknowledged: false,
            overflowed: false,
            conflated: metrics::counter!("mymt5_ticks_conflated_total"),
        }
    }

    /// True when the tick is for this subscriber and was queued.
    pub(super) fn push(&mut self, item: &Item) -> bool {
        if self.overflowed || !self.symbols.contains(&item.tick.symbol) {
            return false;
        }
        match self.delivery {
            Delivery::Latest => self.fold(item),
            _ if self.waiting.len() >= Self::CAPACITY => self.cut(),
            Delivery::Every | Delivery::InStep => self.waiting.push_back(item.clone()),
        }
        true
    }

    fn fold(&mut self, item: &Item) {
        let place = self
            .places
            .get(&item.tick.symbol)
            .and_then(|place| place.checked_sub(self.taken));
        match place.and_then(|place| self.waiting.get_mut(usize::try_from(place).ok()?)) {
            Some(waiting) => {
                *waiting = Item {
                    folded: waiting.folded.saturating_add(1),
                    ..item.clone()
                };
                self.conflated.increment(1);
            }
            None => {
                self.places.insert(
                    item.tick.symbol.clone(),
                    self.taken + self.waiting.len() as u64,
                );
                self.waiting.push_back(item.clone());
            }
        }
    }

    /// Gives up on the subscriber, and the memory with it.
    pub(super) fn cut(&mut self) {
        metrics::counter!("mymt5_tick_subscribers_cut_total").increment(1);
        self.overflowed = true;
        self.waiting = VecDeque::new();
    }

    pub(super) fn take(&mut self) -> Batch {
        if self.overflowed {
            return Batch::Overflowed;
        }
        if self.waiting.is_empty() {
            return Batch::Empty;
        }
        let count = self.waiting.len().min(Self::BATCH);
        self.taken += count as u64;
        self.unacknowledged = self.delivery == Delivery::InStep;
        Batch::Ticks(self.waiting.drain(..count).collect())
    }

    /// The last batch is done with.
    pub(super) const fn acknowledge(&mut self) {
        self.unacknowledged = false;
    }

    /// How many ticks a feed on demand may hand out; none: it does not wait for this subscriber.
    pub(super) fn room(&self) -> Option<usize> {
        let (full, stride) = match self.delivery {
            Delivery::Latest => return None,
            Delivery::Every => (self.waiting.len() > Self::HIGH_WATER, Self::STRIDE),
            Delivery::InStep => (self.unacknowledged || !self.waiting.is_empty(), 1),
        };
        (!self.overflowed).then_some(if full { 0 } else { stride })
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}
