//! What happened, in sequence: the newest events in memory, the others in the journal. Any number of
//! readers follow by cursor; nobody sees what is not durable.

use crate::journal::Readers;
use mymt5_orders::Recorded;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// Why a cursor cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is gone or in the future")]
pub struct CursorLost;

/// The log. Cheap to clone; written by the core's task only.
#[derive(Clone, Debug)]
pub struct EventLog {
    ring: Arc<Mutex<Ring>>,
    newest: watch::Sender<u64>,
    readers: Readers,
}

#[derive(Debug, Default)]
struct Ring {
    events: VecDeque<Arc<Recorded>>,
    last: u64,
}

impl EventLog {
    /// Most events kept in memory.
    const CAPACITY: usize = 4_096;
    /// Most events read at once.
    const PAGE: usize = 256;

    /// The log of a journal, whose newest events these are.
    #[must_use]
    pub fn new(newest: Vec<Recorded>, readers: Readers) -> Self {
        let log = Self {
            ring: Arc::default(),
            newest: watch::Sender::new(0),
            readers,
        };
        log.publish(newest.into_iter().map(Arc::new));
        log
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes events in sequence, once they are durable; the oldest give way.
    pub fn publish(&self, events: impl IntoIterator<Item = Arc<Recorded>>) {
        let mut ring = self.ring();
        for event in events {
            ring.last = event.sequence;
            ring.events.push_back(event);
            if ring.events.len() > Self::CAPACITY {
                ring.events.pop_front();
            }
        }
        let last = ring.last;
        drop(ring);
        self.newest.send_replace(last);
    }

    /// The newest sequence; 0 before the first event.
    #[must_use]
    pub fn last(&self) -> u64 {
        *self.newest.borrow()
    }

    /// Follows the newest sequence.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// The events after a cursor, at most a page of them.
    ///
    /// # Errors
    /// The cursor lies before the oldest event kept, or in the future.
    pub async fn after(&self, cursor: u64) -> Result<Vec<Arc<Recorded>>, CursorLost> {
        if let Some(events) = self.in_memory(cursor)? {
            return Ok(events);
        }
        let read = self
            .readers
            .read(move |reader| reader.events_after(cursor, Self::PAGE));
        let events = read.await.map_err(|error| {
            tracing::error!(%error, "old events cannot be read");
            CursorLost
        })?;
        // The next one must be there: else it was purged.
        match events.first() {
            Some(first) if first.sequence == cursor + 1 => {
                Ok(events.into_iter().map(Arc::new).collect())
            }
            _ => Err(CursorLost),
        }
    }

    /// The page, where memory has it; none: it is older.
    fn in_memory(&self, cursor: u64) -> Result<Option<Vec<Arc<Recorded>>>, CursorLost> {
        let ring = self.ring();
        if cursor > ring.last {
            return Err(CursorLost);
        }
        let first = ring.last - ring.events.len() as u64;
        if cursor < first {
            return Ok(None);
        }
        let skip = usize::try_from(cursor - first).map_err(|_| CursorLost)?;
        let page = ring.events.range(skip..).take(Self::PAGE);
        Ok(Some(page.cloned().collect()))
    }
}
