//! However the demo ends, neither process outlives it, and no key stays behind.

use crate::{children, inside, summary};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::{Child, ChildStderr, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A demo in a process group of its own, as a shell starts it, and what it says.
struct Running {
    child: Child,
    stderr: BufReader<ChildStderr>,
    temporary: TempDir,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        // Open to the users of both processes.
        fs::set_permissions(temporary.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_mymt5-demo"))
            .args(arguments)
            .env("TMPDIR", temporary.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self {
            child,
            stderr,
            temporary,
        }
    }

    /// Reads on until a line holds the text.
    fn says(&mut self, text: &str) {
        let mut heard = String::new();
        while !heard.lines().last().is_some_and(|line| line.contains(text)) {
            let read = self.stderr.read_line(&mut heard).unwrap();
            assert!(read > 0, "it ended without {text:?}: {heard}");
        }
    }

    /// Stops the engine once it writes its log, so that it never serves.
    fn stop_engine(&self) {
        let writes = || {
            let stages = inside(self.temporary.path());
            let logs = |stage: &String| self.temporary.path().join(stage).join("engine/logs");
            stages.iter().any(|stage| logs(stage).is_dir())
        };
        let end = Instant::now() + Duration::from_secs(60);
        while !writes() {
            assert!(Instant::now() < end, "the engine writes no log");
            thread::sleep(Duration::from_millis(1));
        }
        let pair = children(self.child.id());
        let engine = pair.iter().find(|(name, ..)| name == "mymt5-engine");
        let (_, pid, _) = engine.unwrap();
        kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::STOP).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed()).unwrap()
    }

    /// Its output, once it has ended and its processes with it.
    fn ended(mut self) -> (Output, TempDir) {
        let mut rest = Vec::new();
        self.stderr.read_to_end(&mut rest).unwrap();
        let mut output = self.child.wait_with_output().unwrap();
        output.stderr = rest;
        (output, self.temporary)
    }
}

/// Neither runs any more; one that waits for its parent to take note has ended.
fn assert_gone(pids: &[u32]) {
    let runs = |pid: &u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.contains("mymt5-") && !status.contains("State:\tZ")
    };
    let end = Instant::now() + Duration::from_secs(20);
    while pids.iter().any(runs) {
        assert!(Instant::now() < end, "a process outlives the demo");
        thread::sleep(Duration::from_millis(20));
    }
}

fn pair_of(running: &Running) -> Vec<u32> {
    let pair = children(running.child.id());
    assert_eq!(pair.len(), 2, "{pair:?}");
    pair.into_iter().map(|(_, pid, _)| pid).collect()
}

fn assert_only_logs(temporary: &Path) {
    let stages = inside(temporary);
    assert_eq!(stages.len(), 1, "{stages:?}");
    let stage = temporary.join(&stages[0]);
    assert_eq!(inside(&stage), ["engine", "gateway"]);
    for part in ["engine", "gateway"] {
        assert_eq!(inside(&stage.join(part)), ["logs", "stderr"]);
    }
}

#[test]
fn ctrl_c_is_a_good_end() {
    let mut demo = Running::start(&["--json"]);
    demo.says("both serve");
    let pair = pair_of(&demo);
    // A terminal signals the whole group.
    kill_process_group(demo.pid(), Signal::INT).unwrap();
    let (output, _temporary) = demo.ended();
    assert_gone(&pair);
    summary(output);
}

#[test]
fn ended_while_starting_it_leaves_no_process_and_no_key() {
    let mut demo = Running::start(&["--json"]);
    demo.stop_engine();
    demo.says("gateway serves");
    let pair = pair_of(&demo);
    kill_process(demo.pid(), Signal::TERM).unwrap();
    let (output, temporary) = demo.ended();
    assert_gone(&pair);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("ended before both served"), "{said}");
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_only_logs(temporary.path());
    let logs: Vec<_> = said
        .lines()
        .filter_map(|line| line.strip_prefix("log "))
        .collect();
    assert!(!logs.is_empty(), "{said}");
    for file in logs {
        assert!(Path::new(file).is_file(), "{file} is told but gone");
    }
}

#[test]
fn the_death_of_a_process_is_told_with_its_last_words() {
    let mut demo = Running::start(&["--json"]);
    demo.says("both serve");
    let pair = children(demo.child.id());
    let (_, engine, _) = pair
        .iter()
        .find(|(name, ..)| name == "mymt5-engine")
        .unwrap();
    kill_process(Pid::from_raw(engine.cast_signed()).unwrap(), Signal::KILL).unwrap();
    let pids: Vec<_> = pair.iter().map(|(_, pid, _)| *pid).collect();
    let (output, temporary) = demo.ended();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the engine ended (signal: 9"), "{said}");
    assert!(output.stdout.is_empty(), "no summary of half a pair");
    assert_gone(&pids);
    assert_only_logs(temporary.path());
}
