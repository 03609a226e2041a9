//! Starts the broker anew whenever it died by its plan, until the scene is over.

use super::BOUND;
use crate::role::Process;
use std::path::Path;
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

pub(super) struct Keeper {
    over: CancellationToken,
    task: JoinHandle<u32>,
}

impl Keeper {
    pub(super) fn start(folder: &Path) -> Self {
        let (folder, over) = (folder.to_path_buf(), CancellationToken::new());
        let until = over.clone();
        Self {
            over,
            task: tokio::spawn(async move { keep(&folder, until).await }),
        }
    }

    /// Ends the broker. Gives how often it died by its plan.
    pub(super) async fn stop(self) -> u32 {
        self.over.cancel();
        timeout(BOUND, self.task).await.unwrap().unwrap()
    }
}

async fn keep(folder: &Path, over: CancellationToken) -> u32 {
    for deaths in 0.. {
        let mut broker = Process::start(&[], "broker", folder, &[]);
        tokio::select! {
            killed = broker.killed() => assert!(killed, "the stand-in failed"),
            () = over.cancelled() => {
                broker.kill().await;
                return deaths;
            }
        }
    }
    u32::MAX
}
