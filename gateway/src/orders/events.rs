//! What happened, in sequence: a bounded log that any number of readers follow by cursor. It
//! holds what is durable and nothing else.

use super::Order;
use crate::{book::Position, link::LinkState};
use mymt5_guard::TradingState;
use mymt5_model::{ClientName, DealRow, Money, OrderId, Symbol, UtcTime};
use serde::{Deserialize, Serialize};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// Whom an event concerns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Audience {
    /// That client, and `control`.
    Client(ClientName),
    /// Only `control`: foreign rows.
    Control,
    /// Everybody.
    All,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// An order changed.
    Order(Box<Order>),
    /// A deal was done, maybe of an order of ours.
    Deal {
        /// The deal.
        deal: DealRow,
        /// The order of ours.
        order: Option<OrderId>,
        /// The strategy's name.
        tag: String,
    },
    /// A position was opened or changed.
    Position(Position),
    /// A position is gone.
    PositionClosed(Position),
    /// Deposit, withdrawal, credit, charge: the row and the new balance.
    Balance(DealRow, Money),
    /// A trading state changed: whose (none: the account's), the state, why.
    TradingState(Option<ClientName>, TradingState, String),
    /// A limit latched: whose (none: the account's), its reason.
    LimitLatched(Option<ClientName>, String),
    /// A symbol's specification changed, or the symbol came or went.
    Symbol(Symbol),
    /// The broker calls for margin; the level in percent.
    MarginCall(f64),
    /// Something that nobody of ours did.
    Foreign {
        /// Where; none: nowhere in particular.
        symbol: Option<Symbol>,
        /// What was seen.
        description: String,
        /// New exposure in the symbol is frozen until an operator resumes the account.
        frozen: bool,
    },
    /// The link changed.
    Link(LinkState, String),
}

/// An event with its place in the sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// From 1, without gaps.
    pub sequence: u64,
    /// When the gateway recorded it.
    pub at: UtcTime,
    /// W3C trace id of the call that caused it.
    pub correlation: String,
    /// Whom it concerns.
    pub audience: Audience,
    /// What happened.
    pub event: Event,
}

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
