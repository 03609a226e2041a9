//! Processes of the test: this binary, started anew with a role in its environment.

use rustix::process::{Signal, getpid, kill_process};
use std::{
    env, fs,
    io::Read,
    path::{Path, PathBuf},
    process::Stdio,
    thread,
};
use tokio::process::{Child, Command};

const ROLE: &str = "MYMT5_KILL_ROLE";
const FOLDER: &str = "MYMT5_KILL_FOLDER";

/// The folder of the scene, when this process has that role. It then lives no longer than the
/// process that started it.
pub(crate) fn taken(role: &str) -> Option<PathBuf> {
    if env::var(ROLE).ok()? != role {
        return None;
    }
    thread::spawn(|| {
        // The parent never writes: the read ends with the parent.
        let _ = std::io::stdin().read(&mut [0]);
        die();
    });
    Some(PathBuf::from(env::var_os(FOLDER)?))
}

/// Starts a process in a role; what it complains of goes to a file of the folder.
pub(crate) fn start(role: &str, folder: &Path, environment: &[(&str, String)]) -> Child {
    let complaints = |stream: &str| {
        fs::File::options()
            .create(true)
            .append(true)
            .open(folder.join(format!("{role}.{stream}")))
            .unwrap()
    };
    Command::new(env::current_exe().unwrap())
        .args(["--exact", &format!("role_{role}"), "--nocapture"])
        .env(ROLE, role)
        .env(FOLDER, folder)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(complaints("out"))
        .stderr(complaints("err"))
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Ends this process as a crash would: at once, with nothing flushed.
pub(crate) fn die() -> ! {
    let _ = kill_process(getpid(), Signal::KILL);
    loop {
        thread::park();
    }
}
