//! Starts the broker anew whenever it died by its plan, until it is to be calm, then to be gone.

use super::BOUND;
use crate::{role::Process, standin::CALM};
use std::path::Path;
use tokio::{sync::watch, task::JoinHandle, time::timeout};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Wild,
    Calm,
    Gone,
}

pub(super) struct Keeper {
    mood: watch::Sender<Mood>,
    task: JoinHandle<u32>,
}

impl Keeper {
    pub(super) fn start(folder: &Path) -> Self {
        let (mood, follow) = watch::channel(Mood::Wild);
        let folder = folder.to_path_buf();
        Self {
            mood,
            task: tokio::spawn(async move { keep(&folder, follow).await }),
        }
    }

    /// From now on the broker does no harm; what it held back it still does.
    pub(super) fn calm(&self) {
        self.mood.send_replace(Mood::Calm);
    }

    /// Ends the broker. Gives how often it died by its plan.
    pub(super) async fn stop(self) -> u32 {
        self.mood.send_replace(Mood::Gone);
        timeout(BOUND, self.task).await.unwrap().unwrap()
    }
}

async fn keep(folder: &Path, mut mood: watch::Receiver<Mood>) -> u32 {
    let mut deaths = 0;
    loop {
        let now = *mood.borrow_and_update();
        let calm = (now == Mood::Calm).then(|| (CALM, "1".to_owned()));
        if now == Mood::Gone {
            return deaths;
        }
        let mut broker = Process::start("broker", folder, calm.as_slice());
        tokio::select! {
            killed = broker.killed() => {
                assert!(killed, "the stand-in failed");
                deaths += 1;
            }
            changed = mood.changed() => {
                broker.kill().await;
                if changed.is_err() {
                    return deaths;
                }
            }
        }
    }
}
