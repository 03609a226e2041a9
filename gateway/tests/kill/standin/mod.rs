//! The stand-in for a broker: a process over the simulator whose account outlives it, and which
//! treats each send as its seeded plan says.

mod desk;
mod faults;
mod feed;
mod session;

pub(crate) use faults::{Fault, Menu};

use crate::scene::{Scene, socket};
use desk::Desk;
use std::{
    env, fs,
    os::unix::net::UnixListener,
    panic,
    path::Path,
    process,
    sync::{Arc, Mutex},
    thread,
};

/// The environment's name for a broker that does no harm any more.
pub(crate) const CALM: &str = "MYMT5_KILL_CALM";

/// Serves the socket until the process is killed.
pub(crate) fn run(folder: &Path) {
    fail_as_a_whole();
    let mut scene = Scene::read(folder);
    if env::var_os(CALM).is_some() {
        scene.menu = Menu::CALM;
    }
    let desk = Arc::new(Mutex::new(Desk::open(folder, &scene)));
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
