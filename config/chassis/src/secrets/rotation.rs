//! Follows the files of secrets while the process runs.

use super::SecretStore;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// A shorter interval would read files without end.
const SHORTEST: Duration = Duration::from_millis(10);

impl SecretStore {
    /// Polls the folders of secrets every `every` until the end: those there are by then. The files
    /// are read on the runtime's blocking threads.
    pub async fn watch(self: Arc<Self>, every: Duration, end: CancellationToken) {
        let mut ticks = interval(every.max(SHORTEST));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = end.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let store = Arc::clone(&self);
            if tokio::task::spawn_blocking(move || store.poll_once())
                .await
                .is_err()
            {
                tracing::error!("looking at the files of secrets failed, the last values stay");
            }
        }
    }
}
