//! The market under its lock: the simulator, and the queue its changes go to in their order.

use super::{
    BrokerEvent, SimulatedSettings,
    clock::FeedClock,
    store::{KeptError, Store},
};
use mymt5_model::{BrokerTime, Tick};
use mymt5_simulator::{Event, Quotes, Simulator};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};
use tokio::sync::mpsc;

/// Changes that may wait; a reader that leaves more than that unread loses the link.
pub(super) const CHANGES: usize = 16_384;

pub(super) struct Market(Mutex<MarketState>);

pub(super) struct MarketState {
    pub(super) simulator: Simulator,
    /// What was quoted since the start.
    pub(super) quotes: Quotes,
    /// Written under the lock, so that changes keep their order.
    pub(super) changes: Option<mpsc::Sender<BrokerEvent>>,
    /// What shows the time between ticks; none: only they tell it.
    clock: Option<FeedClock>,
    /// Something changed since the last barrier.
    changed: bool,
    store: Option<Store>,
}

impl Market {
    pub(super) fn new(
        settings: &SimulatedSettings,
        mut store: Option<Store>,
    ) -> Result<Self, KeptError> {
        let simulator = match &mut store {
            Some(store) => taken_up(settings, store)?,
            None => opened(settings)?,
        };
        Ok(Self(Mutex::new(MarketState {
            simulator,
            quotes: Quotes::new(settings.symbols.len()),
            changes: None,
            clock: None,
            changed: false,
            store,
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, MarketState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn opened(settings: &SimulatedSettings) -> Result<Simulator, KeptError> {
    let account = settings.account.clone();
    let symbols = settings.symbols.clone();
    Simulator::new(account, symbols).map_err(KeptError::Setup)
}

/// The account as it was kept; a new one where none was.
fn taken_up(settings: &SimulatedSettings, store: &mut Store) -> Result<Simulator, KeptError> {
    let Some(kept) = store.read()? else {
        return opened(settings);
    };
    let account = settings.account.clone();
    let symbols = settings.symbols.clone();
    let simulator = Simulator::restore(account, symbols, kept)
        .map_err(|error| KeptError::Restore(error, store.path().to_path_buf()))?;
    store.note(simulator.past());
    Ok(simulator)
}

impl MarketState {
    /// Begins to tell changes, by that clock.
    pub(super) fn begin(&mut self, changes: mpsc::Sender<BrokerEvent>, clock: Option<FeedClock>) {
        self.changes = Some(changes);
        self.clock = clock;
    }

    /// The feed passes over a rest of the market: that is the time at that instant.
    pub(super) fn skip_to(&mut self, time: BrokerTime, at: Instant) {
        if let Some(clock) = &mut self.clock {
            clock.set(time, at);
        }
    }

    /// Moves the market's time to now.
    pub(super) fn pass_time(&mut self) {
        if let Some(clock) = self.clock {
            let events = self.simulator.pass_to(clock.now());
            self.report(events);
        }
    }

    /// Moves the market by a tick.
    pub(super) fn on_tick(&mut self, tick: &Tick) {
        self.quotes.add(tick);
        let events = self.simulator.on_tick(tick);
        self.report(events);
    }

    /// Stores the account, then reports what changed: nothing is reported that a crash could undo.
    pub(super) fn report(&mut self, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        self.changed = true;
        if let Some(store) = &mut self.store
            && let Err(error) = store.write(&self.simulator)
        {
            tracing::error!(%error, "simulated account not kept");
            self.changes = None;
        }
        for event in events {
            let change = match event {
                Event::Deal(deal) => BrokerEvent::Deal(deal),
                Event::MarginCall => {
                    BrokerEvent::MarginCall(self.simulator.account().margin_level.unwrap_or(0.0))
                }
                _ => BrokerEvent::RowsChanged,
            };
            self.send(change);
        }
    }

    /// A full queue means that nobody reads: the link is given up, never an event alone.
    pub(super) fn send(&mut self, change: BrokerEvent) {
        if self
            .changes
            .as_ref()
            .is_some_and(|changes| changes.try_send(change).is_err())
        {
            self.changes = None;
        }
    }

    /// Ends once everything that changed so far is told; none: that is so.
    pub(super) fn barrier(&mut self) -> Option<mpsc::Receiver<()>> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let (barrier, passed) = mpsc::channel(1);
        self.send(BrokerEvent::Barrier(barrier));
        Some(passed)
    }

    pub(super) fn is_crowded(&self) -> bool {
        self.changes
            .as_ref()
            .is_some_and(|changes| changes.capacity() < CHANGES / 2)
    }
}
