//! What happened, in sequence: a bounded log that any number of readers follow by cursor. It
//! holds what is durable and nothing else.

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

/// The log. Cheap to clone; written by the orders' actor only.
#[derive(Clone, Debug)]
pub struct EventLog {
    ring: Arc<Mutex<Ring>>,
    newest: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Ring {
    events: VecDeque<Arc<Recorded>>,
    last: u64,
}

impl Default for EventLog {
    fn default() -> Self {
        Self {
            ring: Arc::default(),
            newest: watch::Sender::new(0),
        }
    }
}

impl EventLog {
    /// Most events kept for replay.
    pub const CAPACITY: usize = 65_536;
    /// Most events read at once.
    const PAGE: usize = 256;

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
    pub fn after(&self, cursor: u64) -> Result<Vec<Arc<Recorded>>, CursorLost> {
        let ring = self.ring();
        let first = ring.last - ring.events.len() as u64;
        if cursor < first || cursor > ring.last {
            return Err(CursorLost);
        }
        let skip = usize::try_from(cursor - first).map_err(|_| CursorLost)?;
        Ok(ring
            .events
            .range(skip..)
            .take(Self::PAGE)
            .cloned()
            .collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_model::UtcTime;
    use mymt5_orders::{Audience, Event};

    #[test]
    fn a_cursor_meets_every_event_once() {
        let log = EventLog::default();
        let mut last = 0;
        let mut append = |level: f64| {
            last += 1;
            log.publish([Arc::new(Recorded {
                sequence: last,
                at: UtcTime(0),
                correlation: String::new(),
                audience: Audience::All,
                event: Event::MarginCall(level),
            })]);
        };
        assert!(log.after(0).unwrap().is_empty() && log.after(1).is_err());
        (0..EventLog::CAPACITY + 10).for_each(|n| append(n as f64));
        assert!(log.after(9).is_err());
        let mut cursor = 10;
        while let Some(last) = log.after(cursor).unwrap().last() {
            assert_eq!(log.after(cursor).unwrap()[0].sequence, cursor + 1);
            cursor = last.sequence;
        }
        assert_eq!(cursor, log.last());
    }
}
