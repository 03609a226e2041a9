//! The gateway's process: the whole gateway as the binary runs it, with a journal that passes the
//! points, over the broker behind the socket or the terminal behind the bridge.

use crate::{
    bridged,
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
    let broker: Arc<dyn Broker> = match scene.bridge {
        Some(port) => trapped(bridged::terminal(&scene, port), &trap, &scene),
        None => {
            let remote = Remote::at(socket(folder), scene.send_timeout());
            trapped(remote, &trap, &scene)
        }
    };
    let config = folder.join("gateway.toml");
    let wrap = |journal| Journaled::wrap(journal, trap, &scene);
    run_with(&config, |_, _| Ok(broker), wrap).unwrap();
}

fn trapped(broker: impl Broker, trap: &Arc<Trap>, scene: &Scene) -> Arc<dyn Broker> {
    Arc::new(Trapped {
        broker,
        trap: trap.clone(),
        mutant: scene.mutant,
    })
}
