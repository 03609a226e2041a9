//! Processes of the test: this binary, started again with a role in its environment.

use rustix::process::{Signal, getpid, kill_process};
use std::{
    env,
    ffi::OsString,
    fs,
    io::Read,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::Stdio,
    thread,
};
use tokio::process::{Child, ChildStdin, Command};

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

/// A process in its role. It dies with this value.
pub(crate) struct Process {
    child: Child,
    /// Waiting for a child closes its input, unless it is kept apart.
    _lifeline: Option<ChildStdin>,
}

impl Process {
    /// Starts it, under a program if there is one; what it complains of goes to a file of the
    /// folder.
    pub(crate) fn start(
        under: &[String],
        role: &str,
        folder: &Path,
        environment: &[(&str, String)],
    ) -> Self {
        let this = env::current_exe().unwrap().into_os_string();
        let mut line: Vec<OsString> = under.iter().map(OsString::from).collect();
        line.push(this);
        let complaints = |stream: &str| {
            fs::File::options()
                .create(true)
                .append(true)
                .open(folder.join(format!("{role}.{stream}")))
                .unwrap()
        };
        let mut child = Command::new(&line[0])
            .args(&line[1..])
            .args(["--exact", &format!("role_{role}"), "--nocapture"])
            .env(ROLE, role)
            .env(FOLDER, folder)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(complaints("out"))
            .stderr(complaints("err"))
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            _lifeline: child.stdin.take(),
            child,
        }
    }

    /// Waits for its end. True: it was killed, by itself or by another.
    pub(crate) async fn killed(&mut self) -> bool {
        self.child.wait().await.unwrap().signal() == Some(Signal::KILL.as_raw())
    }

    /// Kills it, unless it ended before. Gives what [`Self::killed`] gives.
    pub(crate) async fn kill(&mut self) -> bool {
        if self.child.try_wait().unwrap().is_none() {
            self.child.start_kill().unwrap();
        }
        self.killed().await
    }
}

/// Ends this process as a crash would: at once, with nothing flushed.
pub(crate) fn die() -> ! {
    let _ = kill_process(getpid(), Signal::KILL);
    loop {
        thread::park();
    }
}
