//! Starts the bridge again whenever it died, kills and stops it at any moment, and moves the market
//! beside it.

use super::{books::Books, mishaps::Mischief, process::Bridge};
use crate::{dice::Dice, scene::Scene};
use std::{
    path::{Path, PathBuf},
    thread,
    time::Duration,
};
use tokio::{task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;

/// Purposes of the dice.
const HARRYING: u64 = 2;
const READING: u64 = 3;

/// How often the broker's process died, and stood still.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Deaths {
    /// By its plan.
    pub(crate) planned: u32,
    /// At any moment.
    pub(crate) killed: u32,
    /// Stopped, and let go on.
    pub(crate) stopped: u32,
}

pub(crate) struct Keeper {
    /// The link is left alone from then on.
    spare: CancellationToken,
    /// No harm is done from then on.
    calm: CancellationToken,
    over: CancellationToken,
    bridge: JoinHandle<Deaths>,
    market: thread::JoinHandle<()>,
}

impl Keeper {
    pub(crate) fn start(folder: &Path, scene: &Scene, mischief: &Mischief) -> Self {
        let [spare, calm, over] = [(); 3].map(|()| CancellationToken::new());
        let market = Market {
            books: Books::open(folder),
            scene: scene.clone(),
            mischief: mischief.clone(),
            spare: spare.clone(),
            calm: calm.clone(),
            over: over.clone(),
        };
        let harrier = Harrier {
            folder: folder.to_path_buf(),
            port: scene.bridge.unwrap(),
            scene: scene.clone(),
            dice: Dice::new(scene.seed, HARRYING),
            harried: mischief.harried,
            spare: spare.clone(),
            over: over.clone(),
            deaths: Deaths::default(),
        };
        Self {
            spare,
            calm,
            over,
            bridge: tokio::spawn(harrier.keep()),
            market: thread::spawn(move || market.run()),
        }
    }

    /// The bridge is neither killed nor stopped any more, and its reads go well.
    pub(crate) fn spare(&self) {
        self.spare.cancel();
    }

    /// Nothing goes wrong any more.
    pub(crate) fn calm(&self) {
        self.spare.cancel();
        self.calm.cancel();
    }

    /// Ends the bridge. Gives how often it died.
    pub(crate) async fn stop(self) -> Deaths {
        self.over.cancel();
        let deaths = self.bridge.await.unwrap();
        self.market.join().unwrap();
        deaths
    }
}

struct Market {
    books: Books,
    scene: Scene,
    mischief: Mischief,
    spare: CancellationToken,
    calm: CancellationToken,
    over: CancellationToken,
}

impl Market {
    /// Fewer ticks than the other stand-in has: each is written to a file that the bridge reads.
    fn run(mut self) {
        const OFTEN: u64 = 10;
        let mut last = 0;
        let mut planned = 0;
        let mut dice = Dice::new(self.scene.seed, READING);
        for number in 0.. {
            if self.over.is_cancelled() {
                return;
            }
            last = self.books.tick(number, last);
            match self.calm.is_cancelled() {
                true => self.books.calm(),
                false => self.books.plan(&self.mischief, &self.scene, &mut planned),
            }
            let trouble = self.mischief.harried && dice.below(OFTEN) == 0;
            if trouble && !self.spare.is_cancelled() {
                let trouble = Mischief::trouble(&self.scene, &mut dice);
                self.books.trouble(trouble);
            }
            thread::sleep(4 * self.scene.tick());
        }
    }
}

struct Harrier {
    folder: PathBuf,
    port: u16,
    scene: Scene,
    dice: Dice,
    harried: bool,
    spare: CancellationToken,
    over: CancellationToken,
    deaths: Deaths,
}

impl Harrier {
    async fn keep(mut self) -> Deaths {
        while !self.over.is_cancelled() {
            let bridge = Bridge::launch(&self.folder, self.port);
            self.live(bridge).await;
        }
        self.deaths
    }

    /// One life of the bridge.
    async fn live(&mut self, mut bridge: Bridge) {
        loop {
            let pause = self.scene.longest_life().as_millis() as u64;
            let pause = Duration::from_millis(100 + self.dice.below(pause));
            let by_plan = tokio::select! {
                by_plan = bridge.ended() => by_plan,
                () = self.over.cancelled() => {
                    bridge.kill().await;
                    return;
                }
                () = sleep(pause) => {
                    if !self.harried || self.spare.is_cancelled() {
                        continue;
                    }
                    if self.dice.below(2) == 0 {
                        self.pause(&bridge).await;
                        continue;
                    }
                    bridge.kill().await
                }
            };
            match by_plan {
                true => self.deaths.planned += 1,
                false => self.deaths.killed += 1,
            }
            return;
        }
    }

    /// Lets it stand still: mostly for as long as a send may take, now and then until the link is
    /// given up.
    async fn pause(&mut self, bridge: &Bridge) {
        const GIVEN_UP: Duration = Duration::from_secs(17);
        let short = self.dice.below(3 * self.scene.delay().as_millis() as u64);
        let still = match self.dice.below(8) {
            0 => GIVEN_UP,
            _ => Duration::from_millis(short),
        };
        bridge.stop();
        tokio::select! {
            () = sleep(still) => {}
            () = self.over.cancelled() => {}
        }
        bridge.go_on();
        self.deaths.stopped += 1;
    }
}
