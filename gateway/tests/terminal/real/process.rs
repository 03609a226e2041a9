//! The bridge's process and the stand-in broker's state beside it.

use crate::support::{BOUND, PASSWORD, SECRET, settings};
use mymt5_gateway::broker::terminal::TerminalSettings;
use rusqlite::Connection;
use rustls::pki_types::CertificateDer;
use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Instant,
};
use tempfile::TempDir;

/// A bridge, running or not, and its broker.
pub struct Bridge {
    folder: TempDir,
    port: u16,
    child: Option<Child>,
    certificate: Option<CertificateDer<'static>>,
}

fn python() -> Command {
    let python = std::env::var("MYMT5_PYTHON").unwrap_or_else(|_| "python3".into());
    let mut command = Command::new(python);
    command.env("PYTHONPATH", folder().join("tests/standin"));
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bridge")
}

impl Bridge {
    /// Starts one whose broker has these settings.
    pub fn start(broker: &[&str]) -> Self {
        Self::start_with(broker, None)
    }

    /// Starts one that speaks TLS.
    pub fn start_with_tls(broker: &[&str]) -> Self {
        let made = rcgen::generate_simple_self_signed(["bridge".to_owned()]).unwrap();
        Self::start_with(broker, Some(made))
    }

    fn start_with(broker: &[&str], made: Option<rcgen::CertifiedKey<rcgen::KeyPair>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        if let Some(made) = &made {
            let key = folder.path().join("key.pem");
            fs::write(folder.path().join("certificate.pem"), made.cert.pem()).unwrap();
            fs::write(&key, made.signing_key.serialize_pem()).unwrap();
            fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let mut bridge = Self {
            folder,
            port: mymt5_chassis::testing::free_port().unwrap(),
            child: None,
            certificate: made.map(|made| made.cert.der().clone()),
        };
        bridge.broker(&[&["init"], broker].concat());
        bridge.broker(&["password", PASSWORD]);
        bridge.launch();
        bridge
    }

    /// Starts its process (again), on the same port.
    pub fn launch(&mut self) {
        let mut command = python();
        command.arg(folder().join("mymt5_bridge.py"));
        if let Some(certificate) = self.certificate_file() {
            command.arg("--tls-certificate").arg(certificate);
            command
                .arg("--tls-key")
                .arg(self.folder.path().join("key.pem"));
        } else {
            command.arg("--plain");
        }
        let mut child = command
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .env("BRIDGE_SECRET", SECRET)
            .env("STANDIN_STATE", self.state())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("python3, or what MYMT5_PYTHON names, starts");
        let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
        let port = told.by_ref().map_while(Result::ok).find_map(|line| {
            let port = line.split_once("listening on 127.0.0.1:")?.1;
            port.split([',', ' ']).next()?.parse().ok()
        });
        self.port = port.expect("the bridge listens");
        // Nobody may find the pipe full.
        thread::spawn(move || told.for_each(|line| drop(line.inspect(|line| eprintln!("{line}")))));
        self.child = Some(child);
    }

    /// Ends its process at once.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Its certificate's file, where it speaks TLS.
    pub fn certificate_file(&self) -> Option<PathBuf> {
        let file = self.folder.path().join("certificate.pem");
        self.certificate.is_some().then_some(file)
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sends its process a signal, by name.
    pub fn signal(&self, name: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        let done = Command::new("kill").args(["-s", name, &id]).status();
        assert!(done.unwrap().success());
    }

    pub fn settings(&self, suffix: &str) -> TerminalSettings {
        TerminalSettings {
            certificate: self.certificate.clone(),
            ..settings(format!("127.0.0.1:{}", self.port), suffix)
        }
    }

    /// Drives the stand-in broker.
    pub fn broker(&self, words: &[&str]) -> String {
        let output = python()
            .args(["-m", "standin_ctl"])
            .args(words)
            .env("STANDIN_STATE", self.state())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Plants a fault, once.
    pub fn fault(&self, call: &str, kind: &str, args: &str) {
        self.broker(&["fault", call, kind, "1", args]);
    }

    /// A number out of the broker's state.
    pub fn count(&self, query: &str) -> i64 {
        let state = Connection::open(self.state()).unwrap();
        state.busy_timeout(BOUND).unwrap();
        state.query_row(query, [], |row| row.get(0)).unwrap()
    }

    /// Waits until such a number is that high.
    pub fn wait_for(&self, query: &str, least: i64) {
        let begun = Instant::now();
        while self.count(query) < least {
            assert!(begun.elapsed() < BOUND, "{query}");
            thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    /// Changes the broker's state, by one statement or several.
    pub fn change(&self, statements: &str) {
        let state = Connection::open(self.state()).unwrap();
        state.busy_timeout(BOUND).unwrap();
        state.execute_batch(statements).unwrap();
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state.db")
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.kill();
    }
}
