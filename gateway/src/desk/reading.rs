//! How the broker is read: one reading at a time. What a reading can and cannot have seen is for the
//! core to judge; here it is known when each began.

use super::{
    messages::Message,
    reads::{Read, read},
    task::OrdersTask,
};
use mymt5_orders::Input;
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

/// Before a broker that did not answer is asked again.
const FAILED_PAUSE: Duration = Duration::from_secs(1);
/// Between two readings at least.
const PAUSE: Duration = Duration::from_millis(20);
/// Without a reading for so long nothing is known of the account any more.
const UNREADABLE_AFTER: Duration = Duration::from_secs(15);

impl OrdersTask {
    /// Reads the rows, or the rows and the history, if that is due.
    pub(super) fn read_if_due(&mut self) {
        // An account is read only once the link knows it for ours.
        if !self.core.link_is_up() {
            let reads = &mut self.reads;
            reads.failed = None;
            if std::mem::take(&mut reads.under_way) {
                reads.life += 1;
            }
            return;
        }
        let passes = self.core.wants_pass();
        if self.reads.under_way || !(self.reads.wanted || passes) {
            return;
        }
        (self.reads.under_way, self.reads.wanted) = (true, false);
        let lookback = passes.then(|| self.core.lookback());
        let pause = match self.reads.failed {
            Some(_) => FAILED_PAUSE,
            None => PAUSE,
        };
        let broker = self.setup.broker.clone();
        let mailbox = self.mailbox.clone();
        let news = self.reads.news.clone();
        let life = self.reads.life;
        self.sends.spawn(async move {
            tokio::time::sleep(pause).await;
            let begun = news.load(Ordering::Acquire);
            let read = read(broker.as_ref(), begun, lookback).await;
            if let Some(mailbox) = mailbox.upgrade() {
                let _ = mailbox.send(Message::Read(life, Box::new(read))).await;
            }
        });
    }

    /// Takes what was read.
    pub(super) fn on_read(&mut self, life: u64, read: Read) -> Option<Input> {
        if life != self.reads.life {
            return None;
        }
        self.reads.under_way = false;
        match read {
            Ok((snapshot, history)) => {
                self.reads.failed = None;
                Some(match history {
                    Some(history) => Input::Pass(snapshot, history),
                    None => Input::Rows(snapshot),
                })
            }
            Err(error) => {
                tracing::warn!(%error, "broker not read");
                self.reads.wanted = true;
                self.reads.failed.get_or_insert_with(Instant::now);
                None
            }
        }
    }

    /// Whether the account cannot be read for long, where that is news.
    pub(super) fn readability(&mut self) -> Option<Input> {
        let account_unreadable = self
            .reads
            .failed
            .is_some_and(|since| since.elapsed() > UNREADABLE_AFTER);
        let news = std::mem::replace(&mut self.reads.account_unreadable, account_unreadable)
            != account_unreadable;
        news.then_some(Input::Unreadable(account_unreadable))
    }
}
