//! The gateway's process: the whole gateway as the binary runs it, with the stand-in as broker and
//! a journal that passes the points.

use crate::{
    journal::Journaled,
    points::{Trap, Trapped},
    remote::Remote,
    scene::{Scene, socket},
};
use mymt5_gateway::{broker::Broker, cli::run_with};
use std::{path::Path, sync::Arc};

/// Serves until the process is killed.
pub(crate) fn run(folder: &Path) {
    let scene = Scene::read(folder);
    let trap = Arc::new(Trap::of_process());
    let broker: Arc<dyn Broker> = Arc::new(Trapped {
        broker: Remote::at(socket(folder), scene.send_timeout()),
        trap: trap.clone(),
        mutant: scene.mutant,
    });
    let config = folder.join("gateway.toml");
    let wrap = |journal| Journaled::wrap(journal, trap, &scene);
    run_with(&config, |_, _| Ok(broker), wrap).unwrap();
}
