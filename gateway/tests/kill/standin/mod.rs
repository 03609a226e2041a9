//! The stand-in for a broker: a process over the simulator whose account outlives it, and which
//! treats each send as its seeded plan says.

mod desk;
mod faults;
mod feed;
mod session;
mod tests;

pub(crate) use faults::{Fault, Menu};
pub(crate) use feed::ticks;

use crate::scene::{Scene, socket};
use desk::Desk;
use std::{
    fs,
    os::unix::net::UnixListener,
    panic,
    path::{Path, PathBuf},
    process,
    sync::{Arc, Mutex},
    thread,
};

/// From now on the broker does no harm; what it held back it still does.
pub(crate) fn calm(folder: &Path) {
    fs::write(calm_mark(folder), []).unwrap();
}

fn calm_mark(folder: &Path) -> PathBuf {
    folder.join("calm")
}

/// Serves the socket until the process is killed.
pub(crate) fn run(folder: &Path) {
    fail_as_a_whole();
    let scene = Scene::read(folder);
    let mut desk = Desk::open(folder, &scene);
    desk.have_a_past();
    let desk = Arc::new(Mutex::new(desk));
    let path = socket(folder);
    let _ = fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    let feed = (desk.clone(), scene.clone());
    thread::spawn(move || feed::run(&feed.0, &feed.1));
    for stream in listener.incoming() {
        let (desk, scene) = (desk.clone(), scene.clone());
        thread::spawn(move || session::serve(stream.unwrap(), &desk, &scene));
    }
}

/// A thread's panic is the stand-in's own fault, not one of its plan: nobody may miss it.
fn fail_as_a_whole() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        usual(info);
        process::abort();
    }));
}
