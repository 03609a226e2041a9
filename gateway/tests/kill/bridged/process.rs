//! Starts the bridge, and the program that writes the stand-in's settings.

use super::SECRET;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    env,
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tokio::process::Child;

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bridge")
}

/// The account behind the bridge.
pub(super) fn state(folder: &Path) -> PathBuf {
    folder.join("state.db")
}

fn python(folder: &Path) -> Command {
    let python = env::var("MYMT5_PYTHON").unwrap_or_else(|_| "python3".into());
    let mut command = Command::new(python);
    command
        .env("PYTHONPATH", sources().join("tests/standin"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("STANDIN_STATE", state(folder));
    command
}

/// Runs the stand-in's own tool.
pub(super) fn control(folder: &Path, words: &[String]) {
    let mut command = python(folder);
    let output = command.args(["-m", "standin_ctl"]).args(words).output();
    let output = output.expect("python3, or what MYMT5_PYTHON names, starts");
    assert!(output.status.success(), "{output:?}");
}

/// A bridge. It dies with this value.
pub(super) struct Bridge(Child);

impl Bridge {
    pub(super) fn launch(folder: &Path, port: u16) -> Self {
        let complaints = File::options()
            .create(true)
            .append(true)
            .open(folder.join("bridge.err"))
            .unwrap();
        let mut command = python(folder);
        command
            .arg(sources().join("mymt5_bridge.py"))
            .args(["--plain", "--listen", &format!("127.0.0.1:{port}")])
            .env("BRIDGE_SECRET", SECRET)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(complaints);
        let mut command = tokio::process::Command::from(command);
        Self(command.kill_on_drop(true).spawn().unwrap())
    }

    /// Waits for its end. True: by its plan; false: it was killed.
    pub(super) async fn ended(&mut self) -> bool {
        let status = self.0.wait().await.unwrap();
        assert!(
            matches!(status.code(), Some(9) | None),
            "the bridge ended by itself: {status}"
        );
        status.code().is_some()
    }

    pub(super) async fn kill(&mut self) -> bool {
        self.signal(Signal::KILL);
        self.ended().await
    }

    pub(super) fn stop(&self) {
        self.signal(Signal::STOP);
    }

    pub(super) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// Who has just died cannot be told any more.
    fn signal(&self, signal: Signal) {
        let pid = self.0.id().and_then(|id| Pid::from_raw(id as i32));
        if let Some(pid) = pid {
            let _ = kill_process(pid, signal);
        }
    }
}
