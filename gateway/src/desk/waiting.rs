//! Where callers wait for the core: they line up at one end, and the core's task takes from the other
//! in the order of [`Turns`].

use super::{
    messages::{Message, down, refuse},
    turns::{Rank, Turn, Turns},
};
use mymt5_model::{ClientName, Reason, Refusal};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

struct Shared {
    /// None: nothing is taken any more.
    turns: Mutex<Option<Turns<Message>>>,
    came: Notify,
}

impl Shared {
    fn turns(&self) -> MutexGuard<'_, Option<Turns<Message>>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end where callers line up. Clones are one.
#[derive(Clone)]
pub(super) struct Asking(Arc<Shared>);

/// The end from which the core's task takes. Dropped, it refuses what waits and all that comes.
pub(super) struct Taking(Arc<Shared>);

/// Both ends.
pub(super) fn room() -> (Asking, Taking) {
    let shared = Arc::new(Shared {
        turns: Mutex::new(Some(Turns::new())),
        came: Notify::new(),
    });
    (Asking(shared.clone()), Taking(shared))
}

impl Asking {
    /// Lines up.
    ///
    /// # Errors
    /// `QUEUE_FULL`: the client has used up its share; `JOURNAL_DOWN`: nothing is taken any more.
    pub(super) fn push(&self, rank: Rank, turn: &Turn, message: Message) -> Result<(), Refusal> {
        let mut turns = self.0.turns();
        let open = turns.as_mut().ok_or_else(down)?;
        if !open.push(rank, turn, message) {
            let why = match rank {
                Rank::Other => {
                    "the client has as much waiting for the core as its max_queued allows"
                }
                Rank::EndsRisk => {
                    "the client has too many exits and cancellations waiting for the core"
                }
                Rank::Lives => "the client has too many heartbeats waiting for the core",
            };
            return Err(Refusal::because(Reason::QueueFull, why).after(Duration::from_secs(1)));
        }
        drop(turns);
        self.0.came.notify_one();
        Ok(())
    }

    /// Lines up what belongs to something that was let in before.
    pub(super) fn follow(&self, rank: Rank, client: &ClientName, message: Message) {
        let mut turns = self.0.turns();
        if let Some(open) = turns.as_mut() {
            open.follow(rank, client, message);
        }
        drop(turns);
        self.0.came.notify_one();
    }
}

impl Taking {
    /// True where somebody waits for a turn.
    pub(super) fn waits(&self) -> bool {
        let turns = self.0.turns();
        turns.as_ref().is_some_and(|turns| !turns.is_empty())
    }

    /// Waits for the next. Cancelled, it has taken nothing.
    pub(super) async fn next(&self) -> Message {
        loop {
            // A flood leaves the other tasks of this thread their turn.
            tokio::task::consume_budget().await;
            let next = self.0.turns().as_mut().and_then(Turns::next);
            if let Some(message) = next {
                return message;
            }
            self.0.came.notified().await;
        }
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        let mut waiting = self.0.turns().take();
        while let Some(message) = waiting.as_mut().and_then(Turns::next) {
            refuse(message);
        }
    }
}
