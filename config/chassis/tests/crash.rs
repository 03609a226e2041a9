//! A small program over the chassis that ends badly in every way there is, and what its next start
//! makes of it. Without `crash` as its first argument this is the test, which starts it.
#![allow(clippy::unwrap_used, missing_docs)]

use mymt5_chassis::{
    cli::{self, ProgramSettings, configure},
    loader::{Reader, Table},
    logs::LogSettings,
    sandbox::Wanted,
};
use rustix::process::{Resource, Rlimit};
use serde_json::Value;
use std::{
    fs::{self, File},
    hint::black_box,
    os::unix::{fs::PermissionsExt, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{Command, ExitCode, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Longest wait for anything.
const BOUND: Duration = Duration::from_secs(30);
const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;

struct Settings {
    data_folder: PathBuf,
    sandbox: Wanted,
    logging: LogSettings,
}

impl ProgramSettings for Settings {
    const TABLE: Table = Table {
        program: "crashing",
        names: &[],
        secrets: &[],
        forbidden: &[],
    };

    fn read(reader: &mut Reader) -> Option<Self> {
        reader.or("process.allow_root", "true or false", false);
        Some(Self {
            data_folder: reader.path_or("process.data_folder", "a folder", "data")?,
            sandbox: Wanted::read(reader)?,
            logging: LogSettings::read(reader, "logs")?,
        })
    }

    fn data_folder(&self) -> &Path {
        &self.data_folder
    }

    fn sandbox(&self) -> Wanted {
        self.sandbox
    }

    fn logging(&self) -> &LogSettings {
        &self.logging
    }
}

/// The program; it ends in that way.
fn crash(way: &str) -> ExitCode {
    if way == "memory" {
        let limit = Some(4 << 30);
        let limit = Rlimit {
            current: limit,
            maximum: limit,
        };
        rustix::process::setrlimit(Resource::As, limit).unwrap();
    }
    cli::end(start(way.to_owned()), |_| None)
}

fn start(way: String) -> anyhow::Result<ExitCode> {
    let open = |_: &Settings, _: &_| match way.as_str() {
        "no port" => Err(anyhow::anyhow!("lost password=canary-phrase").context("no port")),
        _ => Ok(()),
    };
    let confined = configure::<Settings>(Path::new("crashing.toml"))?
        .open(open)?
        .confine(|_, (), plan| plan)?;
    confined.run(None, |_| async move {
        let call = tracing::info_span!("call", trace_id = "0af70af70af70af70af70af70af70af7");
        call.in_scope(|| tracing::info!(lots = 3, "about to end"));
        // What waits in the log's queue goes down with the process.
        until("the log has it", || is_logged(Path::new("logs")));
        match way.as_str() {
            "clean" => {}
            "panic of a task" => {
                let ended = tokio::spawn(async move {
                    call.in_scope(|| panic!("lost password=canary-phrase"));
                });
                assert!(ended.await.is_err());
            }
            "panics" => {
                for _ in 0..50 {
                    let ended = thread::spawn(|| panic!("again"));
                    assert!(ended.join().is_err());
                }
            }
            "panic" => panic!("lost password=canary-phrase"),
            "error" => anyhow::bail!("lost password=canary-phrase"),
            "abort" => std::process::abort(),
            "overflow" => drop(black_box(endless(0))),
            "memory" => drop(black_box(vec![1_u8; 8 << 30])),
            _ => std::future::pending().await,
        }
        Ok(())
    })
}

#[expect(unconditional_recursion, reason = "it is to overflow the stack")]
fn endless(depth: u64) -> u64 {
    black_box(endless(black_box(depth + 1))) + 1
}

/// Whether the log's files in that folder tell the last thing that the program does.
fn is_logged(folder: &Path) -> bool {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut texts = files.filter_map(|file| fs::read_to_string(file.path()).ok());
    texts.any(|text| text.contains("about to end"))
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + BOUND;
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Where the program runs.
struct Stage(TempDir);

impl Stage {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let text = "[process]\nallow_root = true\n";
        fs::write(folder.path().join("crashing.toml"), text).unwrap();
        Self(folder)
    }

    /// Runs it to its end; one that does not end by itself is killed once it is under way.
    fn run(&self, way: &str) -> ExitStatus {
        let said = File::create(self.0.path().join("said")).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["crash", way])
            .current_dir(self.0.path())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .unwrap();
        let end = Instant::now() + BOUND;
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            let is_late = Instant::now() > end;
            if is_late || way == "kill" && is_logged(&self.0.path().join("logs")) {
                child.kill().unwrap();
            }
            assert!(!is_late, "{way} never ended: {}", self.said());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// What the last one said.
    fn said(&self) -> String {
        fs::read_to_string(self.0.path().join("said")).unwrap()
    }

    /// How often the last one told of an earlier crash.
    fn tellings(&self) -> usize {
        self.said().matches("an earlier run crashed").count()
    }

    fn is_marked(&self) -> bool {
        self.0.path().join("data/running.json").exists()
    }

    /// The reports' names and contents, oldest first.
    fn reports(&self) -> Vec<(String, Value)> {
        let folder = self.0.path().join("data/crash");
        let Ok(entries) = fs::read_dir(folder) else {
            return Vec::new();
        };
        let mut reports: Vec<_> = entries
            .map(|entry| {
                let path = entry.unwrap().path();
                let mode = fs::metadata(&path).unwrap().permissions().mode();
                assert_eq!(mode & 0o777, 0o600, "{}", path.display());
                let text = fs::read_to_string(&path).unwrap();
                assert!(!text.contains("canary") && text.len() < 16 * 1024, "{text}");
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                (name, serde_json::from_str(&text).unwrap())
            })
            .collect();
        reports.sort_by(|a, b| a.0.cmp(&b.0));
        reports
    }

    /// The only one.
    fn report(&self) -> Value {
        let mut reports = self.reports();
        assert_eq!(reports.len(), 1, "{reports:?}; {}", self.said());
        reports.remove(0).1
    }
}

fn holds(report: &Value, kind: &str, error: &str) {
    assert_eq!(report["kind"], kind, "{report}");
    assert_eq!(report["program"], "crashing", "{report}");
    assert_eq!(report["version"], env!("CARGO_PKG_VERSION"), "{report}");
    assert!(report["pid"].as_u64().unwrap() > 0, "{report}");
    let told = report["error"].as_str().unwrap();
    assert!(told.contains(error), "{report}");
    for time in ["time", "started"] {
        assert!(report[time].as_str().unwrap().ends_with('Z'), "{report}");
    }
}

/// What it did last, and for which request.
fn holds_the_last_action(report: &Value) {
    let id = "0af70af70af70af70af70af70af70af7";
    assert_eq!(report["correlation_id"], id, "{report}");
    let actions = report["last_actions"].as_array().unwrap();
    let last = actions.last().unwrap().as_str().unwrap();
    assert!(last.contains("about to end"), "{report}");
}

fn a_clean_end_leaves_nothing() {
    let stage = Stage::new();
    assert!(stage.run("clean").success(), "{}", stage.said());
    assert!(!stage.is_marked());
    assert_eq!(stage.reports(), []);
    assert!(stage.run("clean").success());
    assert_eq!(stage.tellings(), 0);
}

/// SIGKILL, an abort, an overflow of the stack, and no memory: the next start reports it, once.
fn what_is_gone_at_once_is_reported_by_the_next_start() {
    for (way, signal) in [
        ("kill", SIGKILL),
        ("abort", SIGABRT),
        ("overflow", SIGABRT),
        ("memory", SIGABRT),
    ] {
        let stage = Stage::new();
        let ended = stage.run(way);
        assert_eq!(ended.signal(), Some(signal), "{way}: {}", stage.said());
        assert!(stage.is_marked(), "{way}");
        assert_eq!(stage.reports(), [], "{way}");
        assert!(stage.run("clean").success(), "{}", stage.said());
        assert_eq!(stage.tellings(), 1, "{way}: {}", stage.said());
        let report = stage.report();
        holds(
            &report,
            "killed",
            "was killed, ran out of memory or aborted",
        );
        holds_the_last_action(&report);
        assert!(stage.said().contains(&stage.reports()[0].0), "{way}");
        assert!(stage.run("clean").success());
        assert_eq!(stage.tellings(), 0, "{way}");
        stage.report();
    }
}

fn a_panic_is_reported_whichever_thread_it_is_in() {
    for (way, code, thread) in [
        ("panic of a task", 0, "tokio-rt-worker"),
        ("panic", 101, "main"),
    ] {
        let stage = Stage::new();
        assert_eq!(stage.run(way).code(), Some(code), "{}", stage.said());
        assert!(!stage.is_marked(), "{way}");
        let report = stage.report();
        holds(&report, "panic", "lost password=***");
        holds_the_last_action(&report);
        assert_eq!(report["thread"], thread, "{report}");
        let place = report["place"].as_str().unwrap();
        assert!(place.contains("tests/crash.rs:"), "{report}");
        assert!(stage.run("clean").success());
        assert_eq!(stage.tellings(), 1, "{way}");
    }
}

fn an_error_that_ends_it_is_reported() {
    for (way, error) in [
        ("error", "lost password=***"),
        ("no port", "no port: lost password=***"),
    ] {
        let stage = Stage::new();
        assert_eq!(stage.run(way).code(), Some(70), "{}", stage.said());
        assert!(!stage.is_marked(), "{way}");
        holds(&stage.report(), "error", error);
        // A supervisor starts it again and again.
        stage.run(way);
        stage.report();
        assert!(stage.run("clean").success());
        assert_eq!(stage.tellings(), 1, "{way}");
    }
}

fn a_version_that_is_killed_again_and_again_keeps_one_report() {
    let stage = Stage::new();
    for _ in 0..3 {
        stage.run("abort");
    }
    assert!(stage.run("clean").success(), "{}", stage.said());
    let report = stage.report();
    assert_eq!(report["kind"], "killed", "{report}");
}

fn a_report_that_cannot_be_written_leaves_no_marker_of_a_kill() {
    let stage = Stage::new();
    assert!(stage.run("clean").success(), "{}", stage.said());
    let folder = stage.0.path().join("data/crash");
    fs::write(&folder, "in the way").unwrap();
    assert_eq!(stage.run("error").code(), Some(70), "{}", stage.said());
    assert!(!stage.is_marked());
    fs::remove_file(folder).unwrap();
    assert!(stage.run("clean").success(), "{}", stage.said());
    assert_eq!(stage.reports(), []);
}

fn what_no_start_has_told_of_stays_longest() {
    let stage = Stage::new();
    stage.run("clean");
    let folder = stage.0.path().join("data/crash");
    fs::create_dir(&folder).unwrap();
    let old = "2020-01-01T00-00-00.000Z.panic.1-0.json";
    let mut names = vec![old.to_owned()];
    names.extend((1..20).map(|n| format!("2021-01-01T00-00-00.000Z.panic.1-{n}.told.json")));
    for name in &names {
        let path = folder.join(name);
        fs::write(&path, "{}").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    // It ends before a start would tell of anything.
    stage.run("no port");
    let kept = stage.reports();
    assert_eq!(kept.len(), 20);
    assert!(kept.iter().any(|(name, _)| *name == old), "{kept:?}");
}

fn reports_are_bounded_in_number() {
    let stage = Stage::new();
    assert!(stage.run("panics").success(), "{}", stage.said());
    let first = stage.reports();
    assert_eq!(first.len(), 5);
    for _ in 0..5 {
        stage.run("panics");
    }
    // A write that a kill cut off.
    let half = stage.0.path().join("data/crash/.half.json.1-0.tmp");
    fs::write(&half, "{").unwrap();
    stage.run("clean");
    assert!(!half.exists());
    let last = stage.reports();
    assert_eq!(last.len(), 20);
    assert!(first.iter().all(|(name, _)| {
        let told = name.replace(".json", ".told.json");
        last.iter().all(|(kept, _)| *kept != told)
    }));
}

/// A marker of a living process is not taken for that of a dead one: the lock comes first.
fn a_second_start_leaves_the_first_alone() {
    let stage = Stage::new();
    let mut first = Command::new(std::env::current_exe().unwrap())
        .args(["crash", "kill"])
        .current_dir(stage.0.path())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("it is under way", || stage.is_marked());
    let second = stage.run("clean");
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(second.code(), Some(69), "{}", stage.said());
    assert_eq!(stage.reports(), []);
    assert!(stage.is_marked());
}

fn a_marker_that_cannot_be_read_is_reported_all_the_same() {
    let stage = Stage::new();
    stage.run("clean");
    fs::write(stage.0.path().join("data/running.json"), b"\xff{").unwrap();
    assert!(stage.run("clean").success(), "{}", stage.said());
    let report = stage.report();
    assert_eq!(report["kind"], "killed", "{report}");
    assert_eq!(report["pid"], 0, "{report}");
    assert!(!stage.is_marked());
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("crash") {
        return crash(&arguments.next().unwrap_or_default());
    }
    a_clean_end_leaves_nothing();
    what_is_gone_at_once_is_reported_by_the_next_start();
    a_panic_is_reported_whichever_thread_it_is_in();
    an_error_that_ends_it_is_reported();
    a_version_that_is_killed_again_and_again_keeps_one_report();
    a_report_that_cannot_be_written_leaves_no_marker_of_a_kill();
    what_no_start_has_told_of_stays_longest();
    reports_are_bounded_in_number();
    a_second_start_leaves_the_first_alone();
    a_marker_that_cannot_be_read_is_reported_all_the_same();
    ExitCode::SUCCESS
}
