//! The pair as README's "Run it yourself" sets it up: the shipped configuration, each process under a
//! user of its own. And its doctors, who see a host that has nothing amiss.

use crate::stage::{BOUND, Stage, binaries};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tempfile::TempDir;

/// What the kernel of a host tells that has nothing amiss.
const HOST: [(&str, &str); 5] = [
    ("proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n"),
    ("proc/sys/kernel/osrelease", "6.12.0-generic\n"),
    ("proc/sys/kernel/core_pattern", "core\n"),
    (
        "proc/sys/kernel/seccomp/actions_avail",
        "kill_process kill_thread trap errno trace log allow\n",
    ),
    (
        "sys/kernel/security/lsm",
        "lockdown,capability,landlock,yama\n",
    ),
];

pub(crate) struct Pair {
    folder: TempDir,
    ports: [u16; 3],
    running: BTreeMap<&'static str, Child>,
}

/// What a doctor said.
#[derive(Debug)]
pub(crate) struct Report {
    code: Option<i32>,
    findings: Vec<Value>,
}

impl Report {
    fn of(output: &Output) -> Self {
        let said = String::from_utf8_lossy(&output.stderr);
        let findings = serde_json::from_slice(&output.stdout);
        Self {
            code: output.status.code(),
            findings: findings.unwrap_or_else(|error| panic!("{error}: {said}")),
        }
    }

    /// The checks that ended so.
    pub(crate) fn with(&self, verdict: &str) -> Vec<&str> {
        let those = self
            .findings
            .iter()
            .filter(|finding| finding["verdict"] == verdict);
        those
            .map(|finding| finding["check"].as_str().unwrap())
            .collect()
    }

    /// All that was checked.
    pub(crate) fn checks(&self) -> impl Iterator<Item = &str> {
        let names = self.findings.iter();
        names.map(|finding| finding["check"].as_str().unwrap())
    }

    /// Exactly this check failed, and the exit code says so.
    pub(crate) fn fails_only(&self, check: &str) {
        assert_eq!(self.with("fail"), [check], "{self:#?}");
        assert_eq!(self.code, Some(1), "{self:#?}");
        for finding in &self.findings {
            let is_told = finding["fix"].as_str().unwrap().is_empty();
            assert_eq!(is_told, finding["verdict"] == "pass", "{finding}");
        }
    }

    /// Exactly this check warns, and that is no failure.
    pub(crate) fn warns_only(&self, check: &str) {
        assert_eq!(self.with("warn"), [check], "{self:#?}");
        self.fails_nowhere();
    }

    /// Nothing failed.
    pub(crate) fn fails_nowhere(&self) {
        assert_eq!(self.with("fail"), [""; 0], "{self:#?}");
        assert_eq!(self.code, Some(0), "{self:#?}");
    }
}

impl Pair {
    /// None, with a word, for whoever is not root: two users need that.
    pub(crate) fn set() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: two users need root");
            assert!(
                std::env::var_os("MYMT5_REQUIRE").is_none(),
                "two users need root"
            );
            return None;
        }
        let port = || mymt5_chassis::testing::free_port().unwrap();
        let pair = Self {
            folder: TempDir::new().unwrap(),
            ports: [port(), port(), port()],
            running: BTreeMap::new(),
        };
        mode(pair.folder.path(), 0o755);
        for folder in ["bin", "config", "data", "logs", "host"] {
            fs::create_dir(pair.path(folder)).unwrap();
            mode(&pair.path(folder), 0o755);
        }
        for name in ["gateway", "engine"] {
            let config = format!("config/{name}.toml");
            fs::copy(workspace().join(&config), pair.path(&config)).unwrap();
            mode(&pair.path(&config), 0o644);
            fs::copy(binaries().join(format!("mymt5-{name}")), pair.program(name)).unwrap();
        }
        for (file, text) in HOST {
            pair.host(file, text);
        }
        pair.own();
        Some(pair)
    }

    /// The lines of the README between the build and the start.
    fn own(&self) {
        let certs = Command::new(self.program("gateway"))
            .arg("certs")
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        assert!(certs.status.success(), "{certs:?}");
        for (name, data) in [("gateway", "gateway"), ("engine", "engine-main")] {
            for folder in ["data", "logs"] {
                let folder = self.path(&format!("{folder}/{data}"));
                fs::create_dir(&folder).unwrap();
                mode(&folder, 0o700);
                give(&folder, user(name));
            }
            give(&self.path(&format!("config/tls/{name}")), user(name));
        }
        mode(&self.path("config/tls"), 0o711);
        mode(&self.path("config/tls/ca.pem"), 0o644);
    }

    pub(crate) fn path(&self, part: &str) -> PathBuf {
        self.folder.path().join(part)
    }

    fn program(&self, name: &str) -> PathBuf {
        self.path(&format!("bin/mymt5-{name}"))
    }

    /// Has the doctors' host say that.
    pub(crate) fn host(&self, file: &str, text: &str) {
        let file = self.path("host").join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    /// The host as it was before.
    pub(crate) fn heal_host(&self) {
        for (file, text) in HOST {
            self.host(file, text);
        }
        for name in self.running.keys() {
            self.show(name);
        }
    }

    /// Changes what the doctors' host tells of a process.
    pub(crate) fn edit(&self, name: &str, file: &str, change: impl Fn(&str) -> String) {
        let file = format!("proc/{}/{file}", self.running[name].id());
        let text = fs::read_to_string(self.path("host").join(&file)).unwrap();
        self.host(&file, &change(&text));
    }

    /// Shows the doctors' host a running process as this one has it.
    fn show(&self, name: &str) {
        let pid = self.running[name].id();
        for file in ["status", "limits"] {
            let file = format!("proc/{pid}/{file}");
            self.host(&file, &fs::read_to_string(format!("/{file}")).unwrap());
        }
    }

    /// A command of one of them, under its own user.
    fn command(&self, name: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
        let [api, gateway, engine] = self.ports;
        let operations = if name == "gateway" { gateway } else { engine };
        let (key, value) = match name {
            "gateway" => ("MYMT5__SERVER__LISTEN", format!("127.0.0.1:{api}")),
            _ => (
                "MYMT5__GATEWAY__ADDRESS",
                format!("https://127.0.0.1:{api}"),
            ),
        };
        let mut command = Command::new(self.program(name));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env(key, value)
            .env(
                "MYMT5__OPERATIONS__LISTEN",
                format!("127.0.0.1:{operations}"),
            )
            .envs(variables.iter().copied())
            .uid(user(name))
            .gid(user(name));
        if name == "gateway" && !variables.iter().any(|(name, _)| name.contains("DISK")) {
            // A test machine may have less room than what is asked for by default.
            command.env("MYMT5__PROCESS__DISK_ALARM_MIB", "1");
        }
        command
    }

    pub(crate) fn start(&mut self, name: &'static str, variables: &[(&str, &str)]) {
        let stderr = fs::File::create(self.path(&format!("{name}.stderr"))).unwrap();
        let child = self
            .command(name, &["run"], variables)
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .unwrap();
        self.running.insert(name, child);
        let data = if name == "gateway" {
            name
        } else {
            "engine-main"
        };
        let marker = self.path(&format!("data/{data}/running.json"));
        self.wait(&format!("{name} to start"), || {
            marker.exists().then_some(())
        });
        self.show(name);
    }

    pub(crate) fn stop(&mut self, name: &str) {
        let mut child = self.running.remove(name).unwrap();
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        let ended = self.wait("its end", || child.try_wait().unwrap());
        assert!(ended.success(), "{name}: {ended}");
    }

    /// Waits for something, within the bound.
    fn wait<T>(&self, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
        let end = Instant::now() + BOUND;
        loop {
            if let Some(answer) = ask() {
                return answer;
            }
            let said = || fs::read_to_string(self.path("gateway.stderr")).unwrap_or_default();
            assert!(
                Instant::now() < end,
                "waited in vain for {what}: {}",
                said()
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// What the doctor of one of them says of it, under its user, and with these variables.
    pub(crate) fn doctor(&self, name: &str, variables: &[(&str, &str)]) -> Report {
        Report::of(&self.asked(name, variables).output().unwrap())
    }

    /// The same for root.
    pub(crate) fn doctor_as_root(&self, name: &str) -> Report {
        let mut command = self.asked(name, &[]);
        command.uid(0).gid(0);
        Report::of(&command.output().unwrap())
    }

    /// On this very host.
    pub(crate) fn doctor_of_this_host(&self, name: &str) -> Report {
        let mut command = self.asked(name, &[]);
        command.env_remove("MYMT5_TEST_HOST");
        Report::of(&command.output().unwrap())
    }

    /// The doctor's table.
    pub(crate) fn table(&self, name: &str) -> String {
        let output = self.command(name, &["doctor"], &[]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn asked(&self, name: &str, variables: &[(&str, &str)]) -> Command {
        let mut command = self.command(name, &["doctor", "--json"], variables);
        command.env("MYMT5_TEST_HOST", self.path("host"));
        if !variables.iter().any(|(name, _)| name.contains("LOCKED")) {
            // However old this source is.
            command.env("MYMT5_TEST_LOCKED_AT", seconds_ago(0));
        }
        command
    }

    /// Waits until the doctor of one of them has nothing to mind.
    pub(crate) fn is_well(&self, name: &str) {
        let report = self.comes_to(name, &[], |report| {
            report.with("pass").len() == report.findings.len()
        });
        report.fails_nowhere();
    }

    /// Waits until the doctor of one of them finds that fault and no other.
    pub(crate) fn finds(&self, name: &str, variables: &[(&str, &str)], check: &str) -> Report {
        let report = self.comes_to(name, variables, |report| report.with("fail") == [check]);
        report.fails_only(check);
        report
    }

    fn comes_to(
        &self,
        name: &str,
        variables: &[(&str, &str)],
        is_there: impl Fn(&Report) -> bool,
    ) -> Report {
        let end = Instant::now() + BOUND;
        loop {
            // A process that starts is not confined yet.
            self.heal_host();
            let report = self.doctor(name, variables);
            if is_there(&report) {
                return report;
            }
            assert!(Instant::now() < end, "{name}: {report:#?}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for child in self.running.values_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Whose process that is.
pub(crate) fn user(name: &str) -> u32 {
    Stage::USERS[usize::from(name == "engine")]
}

/// A moment so many days ago, Unix seconds.
pub(crate) fn seconds_ago(days: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    (now.as_secs() - days * 86_400).to_string()
}

pub(crate) fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Gives a file, or a folder and all in it, to that user.
pub(crate) fn give(path: &Path, user: u32) {
    chown(path, Some(user), Some(user)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap().flatten() {
            give(&entry.path(), user);
        }
    }
}

pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
}
