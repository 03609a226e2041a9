//! Starts the broker again whenever it died, until the scene is over.

use super::{BOUND, Play, stage::Stage};
use crate::{bridged, bridged::Deaths, role::Process, standin};
use std::path::{Path, PathBuf};
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

pub(super) enum Keeper {
    /// Of the broker behind the socket.
    Socket(Plain),
    /// Of the bridge.
    Bridge(bridged::Keeper),
}

impl Keeper {
    pub(super) fn start(stage: &Stage, play: &Play) -> Self {
        match &play.bridge {
            Some(mischief) => {
                let keeper = bridged::Keeper::start(stage.folder(), &stage.scene, mischief);
                Self::Bridge(keeper)
            }
            None => Self::Socket(Plain::start(stage.folder())),
        }
    }

    /// From now on the link to a bridge is left alone, but for what becomes of its sends.
    pub(super) fn spare(&self) {
        match self {
            Self::Socket(_) => {}
            Self::Bridge(keeper) => keeper.spare(),
        }
    }

    /// From now on nothing goes wrong.
    pub(super) fn calm(&self) {
        match self {
            Self::Socket(plain) => standin::calm(&plain.folder),
            Self::Bridge(keeper) => keeper.calm(),
        }
    }

    /// Ends the broker. Gives how often it died.
    pub(super) async fn stop(self) -> Deaths {
        let stopped = async {
            match self {
                Self::Socket(plain) => plain.stop().await,
                Self::Bridge(keeper) => keeper.stop().await,
            }
        };
        timeout(BOUND, stopped).await.unwrap()
    }
}

pub(super) struct Plain {
    folder: PathBuf,
    over: CancellationToken,
    task: JoinHandle<u32>,
}

impl Plain {
    fn start(folder: &Path) -> Self {
        let (folder, over) = (folder.to_path_buf(), CancellationToken::new());
        let (kept, until) = (folder.clone(), over.clone());
        Self {
            folder,
            over,
            task: tokio::spawn(async move { keep(&kept, until).await }),
        }
    }

    async fn stop(self) -> Deaths {
        self.over.cancel();
        Deaths {
            planned: self.task.await.unwrap(),
            ..Deaths::default()
        }
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
