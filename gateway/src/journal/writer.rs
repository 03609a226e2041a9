//! The writer's thread: one batch at a time. What gathers meanwhile makes the next batch, so that
//! many waiting orders share one fsync.

use super::{Journal, JournalError, Record};
use std::{
    sync::mpsc as sync_mpsc,
    thread::{self, JoinHandle},
    time::Instant,
};
use tokio::sync::mpsc;

/// The way to the thread.
#[derive(Debug)]
pub struct Writer {
    batches: sync_mpsc::SyncSender<Vec<Record>>,
    results: mpsc::Receiver<Result<(), JournalError>>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Starts the thread. It ends when the writer is dropped, after the batch in hand.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(mut journal: impl Journal) -> std::io::Result<Self> {
        let (batches, taken) = sync_mpsc::sync_channel::<Vec<Record>>(1);
        let (told, results) = mpsc::channel(1);
        let thread = thread::Builder::new()
            .name("journal".into())
            .spawn(move || {
                while let Ok(batch) = taken.recv() {
                    let begun = Instant::now();
                    let result = journal.commit(&batch);
                    metrics::histogram!("mymt5_journal_commit_duration_seconds")
                        .record(begun.elapsed());
                    let failed = result.is_err();
                    if told.blocking_send(result).is_err() || failed {
                        return;
                    }
                }
            })?;
        Ok(Self {
            batches,
            results,
            thread,
        })
    }

    /// Hands over a batch. At most one may be on its way: the next after [`Writer::done`].
    pub(crate) fn hand(&self, batch: Vec<Record>) {
        // `done` shows that the thread is gone.
        let _ = self.batches.try_send(batch);
    }

    /// Waits for the batch on its way.
    pub(crate) async fn done(&mut self) -> Result<(), JournalError> {
        self.results.recv().await.unwrap_or(Err(JournalError::Gone))
    }

    /// Waits until the journal is closed: only then its file is whole by itself. Blocks.
    pub(crate) fn close(self) {
        drop((self.batches, self.results));
        let _ = self.thread.join();
    }
}
