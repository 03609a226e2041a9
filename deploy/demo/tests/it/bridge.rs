//! The bridge's process with a broker to stand in for the terminal.

use crate::stage::BOUND;
use rusqlite::Connection;
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};
use tempfile::TempDir;

pub(crate) struct Bridge {
    folder: TempDir,
    child: Child,
    secret: String,
    pub(crate) port: u16,
}

fn python(state: &Path) -> Command {
    let python = std::env::var("MYMT5_PYTHON").unwrap_or_else(|_| "python3".into());
    let mut command = Command::new(python);
    command
        .env("PYTHONPATH", sources().join("tests/standin"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("STANDIN_STATE", state);
    command
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../gateway/bridge")
}

/// Starts the process, on a free port for 0; and on which port it listens.
fn launch(state: &Path, secret: &str, port: u16) -> (Child, u16) {
    let mut child = python(state)
        .arg(sources().join("mymt5_bridge.py"))
        .args(["--plain", "--listen", &format!("127.0.0.1:{port}")])
        .env("BRIDGE_SECRET", secret)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    let port = told.by_ref().map_while(Result::ok).find_map(|line| {
        let port = line.split_once("listening on 127.0.0.1:")?.1;
        port.split([',', ' ']).next()?.parse().ok()
    });
    // Nobody may find the pipe full.
    thread::spawn(move || told.for_each(drop));
    (child, port.expect("the bridge listens"))
}

impl Bridge {
    /// Starts it with that secret; its broker has those settings.
    pub(crate) fn start(secret: &str, broker: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let state = folder.path().join("state.db");
        control(&state, &[&["init"], broker].concat());
        let (child, port) = launch(&state, secret, 0);
        Self {
            folder,
            child,
            secret: secret.to_owned(),
            port,
        }
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again, on the same port.
    pub(crate) fn start_again(&mut self) {
        (self.child, _) = launch(&self.state(), &self.secret, self.port);
    }

    /// Plants a fault in the next call of that name.
    pub(crate) fn fault(&self, call: &str, kind: &str) {
        control(&self.state(), &["fault", call, kind, "1"]);
    }

    /// Runs a program of somebody else at the same broker.
    pub(crate) fn program(&self, text: &str) {
        let output = python(&self.state()).args(["-c", text]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// Sets the password that the broker takes.
    pub(crate) fn password(&self, password: &str) {
        control(&self.state(), &["password", password]);
    }

    /// The texts that a query finds in the broker's state.
    pub(crate) fn texts(&self, query: &str) -> Vec<String> {
        let state = Connection::open(self.state()).unwrap();
        state.busy_timeout(BOUND).unwrap();
        let mut rows = state.prepare(query).unwrap();
        let texts = rows.query_map([], |row| row.get(0)).unwrap();
        texts.map(Result::unwrap).collect()
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state.db")
    }
}

fn control(state: &Path, words: &[&str]) {
    let mut command = python(state);
    let output = command.args(["-m", "standin_ctl"]).args(words).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
