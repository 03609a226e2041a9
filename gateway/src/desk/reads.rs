//! How the broker's rows are read: one reading at a time, never believed when a change outdated it.

use super::task::{Message, OrdersTask};
use crate::broker::{Broker, BrokerError, History, Snapshot};
use mymt5_orders::Reach;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Before a stale snapshot is read again.
const STALE_PAUSE: Duration = Duration::from_millis(20);
/// The longest such pause.
const STALE_PAUSE_MAX: Duration = Duration::from_secs(5);
/// Before a broker that did not answer is asked again.
const FAILED_PAUSE: Duration = Duration::from_secs(1);

/// Without fresh rows for so long nothing is known of the account any more.
const BLIND: Duration = Duration::from_secs(15);

/// How the reading stands.
#[derive(Default)]
pub(super) struct Reads {
    under_way: bool,
    /// Something happened that the rows may show.
    wanted: bool,
    /// Before the next one.
    pause: Duration,
    /// Outcomes of changes so far.
    changes: Arc<AtomicU64>,
    /// Outdated rows in a row.
    outdated: u32,
    /// When the first of the readings failed that did since the last fresh rows.
    failed: Option<Instant>,
}

impl Reads {
    pub(super) fn want(&mut self) {
        self.wanted = true;
    }

    /// A change of an order or of levels has its outcome.
    pub(super) fn changed(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// True for rows whose reading began before the last change: they may lack it. They are read
    /// again soon, since how old they were says nothing about the broker. Where changes never pause
    /// some are believed after all.
    pub(super) fn are_outdated(&mut self, begun: Option<u64>) -> bool {
        const MOST: u32 = 8;
        let now = self.changes.load(Ordering::Relaxed);
        let outdated = begun.is_some_and(|begun| begun != now) && self.outdated < MOST;
        self.outdated = if outdated { self.outdated + 1 } else { 0 };
        if outdated {
            (self.under_way, self.wanted, self.pause) = (false, true, STALE_PAUSE);
        }
        outdated
    }

    /// True when no rows could be read for long.
    pub(super) fn are_blind(&self) -> bool {
        self.failed.is_some_and(|since| since.elapsed() > BLIND)
    }

    /// The link is down: what was asked before says nothing of what comes after.
    pub(super) fn forget(&mut self) {
        if self.failed.take().is_some() || self.under_way {
            self.changed();
        }
    }

    /// A reading ended: whether its rows were fresh.
    pub(super) fn ended(&mut self, fresh: Result<bool, BrokerError>) {
        self.under_way = false;
        self.failed = match fresh {
            Ok(true) => None,
            _ => self.failed.or_else(|| Some(Instant::now())),
        };
        self.pause = match fresh {
            Ok(true) => Duration::ZERO,
            Ok(false) => {
                self.wanted = true;
                if self.pause >= STALE_PAUSE_MAX {
                    tracing::error!("the broker's rows are older than the deals that are known");
                }
                (self.pause * 2).clamp(STALE_PAUSE, STALE_PAUSE_MAX)
            }
            Err(error) => {
                tracing::warn!(%error, "broker not read");
                FAILED_PAUSE
            }
        };
    }
}

impl OrdersTask {
    /// Reads the rows, or looks through the history too.
    pub(super) fn read_if_due(&mut self) {
        // An account is read only once the link knows it for ours.
        if !self.core.link_is_up() {
            return self.reads.forget();
        }
        let looks = self.core.wants_pass();
        let due = self.reads.wanted || looks;
        if self.reads.under_way || !due {
            return;
        }
        (self.reads.under_way, self.reads.wanted) = (true, false);
        let (broker, mailbox) = (self.setup.broker.clone(), self.mailbox.clone());
        let (pause, changes) = (self.reads.pause, self.reads.changes.clone());
        let reach = self.core.reach();
        self.sends.spawn(async move {
            tokio::time::sleep(pause).await;
            let begun = changes.load(Ordering::Relaxed);
            let message = if looks {
                Message::Pass(Some(begun), look(broker.as_ref(), reach).await)
            } else {
                Message::Snapshot(begun, broker.snapshot().await)
            };
            if let Some(mailbox) = mailbox.upgrade() {
                let _ = mailbox.send(message).await;
            }
        });
    }
}

/// One complete look at the broker: rows first, then the history that whatever left them is in.
///
/// # Errors
/// The broker did not answer.
pub async fn look(broker: &dyn Broker, reach: Reach) -> Result<(Snapshot, History), BrokerError> {
    let snapshot = broker.snapshot().await?;
    let (from, to) = reach.window(snapshot.time);
    let history = broker.history(from, to).await?;
    Ok((snapshot, history))
}
