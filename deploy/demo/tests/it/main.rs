//! `cargo demo` as its user runs it: real binaries, two processes, real connections.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod bridge;
mod doctor;
mod ending;
mod equivalence;
mod foreign;
mod history;
mod leak;
mod metrics;
mod recovery;
mod reports;
mod runbook;
mod sandbox;
mod shipped;
mod stage;
mod top;
mod traces;

use serde_json::Value;
use std::{
    fmt::Write,
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

fn demo(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mymt5-demo"));
    command
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The summary on the last line, once the demo has ended well.
fn summary(output: Output) -> Value {
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let text = String::from_utf8(output.stdout).unwrap();
    let summary: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    for side in ["gateway_health", "engine_health"] {
        assert_eq!(summary[side], "SERVING", "{summary}");
    }
    for file in summary["log_files"].as_array().unwrap() {
        let file = Path::new(file.as_str().unwrap());
        assert!(fs::metadata(file).unwrap().len() > 0);
    }
    let kept = Path::new(summary["log_files"][0].as_str().unwrap())
        .ancestors()
        .nth(3)
        .unwrap();
    assert_eq!(inside(kept), ["engine", "gateway"], "only logs are kept");
    for part in ["engine", "gateway"] {
        assert_eq!(inside(&kept.join(part)), ["logs", "stderr"]);
    }
    fs::remove_dir_all(kept).unwrap();
    summary
}

#[test]
fn what_is_built_is_not_built_again() {
    let build = || {
        let mut build = Command::new(env!("CARGO_BIN_EXE_mymt5-demo"));
        // As if another package's cargo ran it.
        let said = build
            .arg("--build-only")
            .env("CARGO_MANIFEST_DIR", "/elsewhere")
            .env("CARGO_PKG_NAME", "another")
            .env("CARGO_PKG_VERSION_MAJOR", "7")
            .output()
            .unwrap();
        assert!(said.status.success());
        String::from_utf8(said.stderr).unwrap()
    };
    build();
    let again = build();
    assert!(!again.contains("Compiling"), "{again}");
    // Nor was anything that the tests themselves are made of.
    stage::binaries();
    let after_tests = build();
    assert!(!after_tests.contains("Compiling"), "{after_tests}");
}

/// The names in a folder, sorted.
fn inside(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn replay(file: &Path) -> Value {
    let arguments = [
        "--ticks",
        file.to_str().unwrap(),
        "--speed",
        "max",
        "--json",
    ];
    summary(demo(&arguments).wait_with_output().unwrap())
}

/// The pair's processes below the demo: name, process id, user.
fn children(parent: u32) -> Vec<(String, u32, u32)> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let status = |path: PathBuf| fs::read_to_string(path.join("status")).unwrap_or_default();
    let read = |status: String| {
        let field = |name: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap_or_default()
        };
        let word = |text: &str, at: usize| {
            text.split_whitespace()
                .nth(at)
                .unwrap_or_default()
                .to_owned()
        };
        let number = |text: String| text.parse::<u32>().unwrap_or_default();
        let name = word(field("Name:"), 0);
        let ours = number(word(field("PPid:"), 0)) == parent && name.starts_with("mymt5-");
        ours.then(|| {
            (
                name,
                number(word(field("Pid:"), 0)),
                number(word(field("Uid:"), 1)),
            )
        })
    };
    processes
        .filter_map(|entry| read(status(entry.path())))
        .collect()
}

fn lists(uid: u32, folder: &Path) -> bool {
    let mut ls = Command::new("ls");
    ls.arg(folder)
        .uid(uid)
        .gid(uid)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    ls.status().unwrap().success()
}

#[test]
fn the_pair_trades_and_both_are_healthy() {
    let summary = summary(
        demo(&["--seconds", "15", "--json"])
            .wait_with_output()
            .unwrap(),
    );
    assert!(summary["fills"].as_u64().unwrap() > 0, "{summary}");
    assert_eq!(summary["rejected"], 0, "{summary}");
}

#[test]
fn started_as_root_it_runs_two_users_who_cannot_read_each_other() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: two users need root");
        assert!(
            std::env::var_os("MYMT5_REQUIRE").is_none(),
            "two users need root"
        );
        return;
    }
    let demo = demo(&["--seconds", "3", "--json"]);
    let end = Instant::now() + Duration::from_secs(300);
    let pair = loop {
        let pair = children(demo.id());
        // Before the user is changed and the program replaced, a child still looks like the demo.
        if pair.len() == 2
            && pair
                .iter()
                .all(|(name, _, uid)| name != "mymt5-demo" && *uid != 0)
        {
            break pair;
        }
        assert!(
            Instant::now() < end,
            "waited in vain for two processes of two users"
        );
        thread::sleep(Duration::from_millis(20));
    };
    let of = |wanted: &str| {
        pair.iter()
            .find(|(name, ..)| name == wanted)
            .unwrap()
            .clone()
    };
    let ((_, gateway, gateway_uid), (_, engine, engine_uid)) =
        (of("mymt5-gateway"), of("mymt5-engine"));
    assert!(gateway_uid != engine_uid && gateway_uid != 0 && engine_uid != 0);
    let folder = |pid: u32| fs::read_link(format!("/proc/{pid}/cwd")).unwrap();
    let (gateway_folder, engine_folder) = (folder(gateway), folder(engine));
    assert!(lists(gateway_uid, &gateway_folder) && lists(engine_uid, &engine_folder));
    assert!(!lists(engine_uid, &gateway_folder) && !lists(gateway_uid, &engine_folder));
    summary(demo.wait_with_output().unwrap());
}

#[test]
fn a_replay_at_full_speed_loses_no_tick() {
    const TICKS: u32 = 5_000;
    let mut text = String::from("<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\r\n");
    for n in 0..TICKS {
        let points = 65_000 + (n % 400).abs_diff(200);
        let (minute, second, ms) = (n / 600 % 60, n / 10 % 60, n % 10 * 100);
        let _ = write!(
            text,
            "2026.07.01\t10:{minute:02}:{second:02}.{ms:03}\t0.{points}\t0.{}\t\t\t6\r\n",
            points + 10
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("AUDUSD_generated.csv");
    fs::write(&file, text).unwrap();
    let summary = replay(&file);
    assert_eq!(
        (
            summary["ticks_sent"].as_u64(),
            summary["ticks_received"].as_u64()
        ),
        (Some(5_000), Some(5_000))
    );
    assert!(summary["fills"].as_u64().unwrap() > 0, "{summary}");
}

#[test]
fn a_real_export_is_replayed_whole() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap();
    let file = workspace.join("../shared/data/AUDUSD_ticks_20200130-31.csv");
    if !file.is_file() {
        println!("skipped: the AUDUSD export is not beside the project");
        assert!(
            std::env::var_os("MYMT5_REQUIRE").is_none(),
            "the AUDUSD export is required"
        );
        return;
    }
    let summary = replay(&file);
    assert_eq!(summary["ticks_received"], 100_000, "{summary}");
    // 4,459 signals of EMA 10/20, no stop loss hit: each but the first closes and opens.
    for count in ["orders", "fills"] {
        assert_eq!(summary[count], 8_917, "{summary}");
    }
}

/// Quotes that wander, some of them beyond a stop loss, with spreads so wide that equity decides the
/// size.
fn wandering(ticks: u32) -> String {
    let mut text = String::from("<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\r\n");
    let mut chance = 1_u32;
    let mut points = 65_000;
    for n in 0..ticks {
        chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        points = points + (chance >> 16) % 201 - 100;
        let (minute, second, ms) = (n / 600 % 60, n / 10 % 60, n % 10 * 100);
        let _ = write!(
            text,
            "2026.07.01\t10:{minute:02}:{second:02}.{ms:03}\t0.{points}\t0.{}\t\t\t6\r\n",
            points + 200
        );
    }
    text
}

#[test]
fn a_replay_makes_the_same_orders_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("AUDUSD_wandering.csv");
    fs::write(&file, wandering(3_000)).unwrap();
    let run = || {
        let summary = replay(&file);
        [
            "ticks_received",
            "orders",
            "fills",
            "rejected",
            "balance",
            "equity",
        ]
        .map(|figure| summary[figure].to_string())
    };
    let first = run();
    assert!(first[1].parse::<u32>().unwrap() > 100, "{first:?}");
    assert_eq!(run(), first);
}

#[test]
fn a_replay_at_a_factor_ends_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("AUDUSD_wandering.csv");
    fs::write(&file, wandering(3_000)).unwrap();
    let arguments = [
        "--ticks",
        file.to_str().unwrap(),
        "--speed",
        "5000",
        "--json",
    ];
    let summary = summary(demo(&arguments).wait_with_output().unwrap());
    assert_eq!(summary["ticks_sent"], 3_000, "{summary}");
}

#[test]
fn a_fault_of_the_file_is_told_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let bars = b"<DATE>\t<OPEN>\t<CLOSE>\n";
    let cases: [(&str, &[u8], &str); 4] = [
        ("ticks.csv", b"anything", "invalid file name"),
        ("AUDUSD.csv", b"", "the file is empty"),
        ("AUDUSD.csv", &[0x1F, 0x8B, 8, 0], "compressed"),
        ("AUDUSD.csv", bars, "bars, where ticks"),
    ];
    for (name, bytes, told) in cases {
        let file = folder.path().join(name);
        fs::write(&file, bytes).unwrap();
        let output = demo(&["--ticks", file.to_str().unwrap()])
            .wait_with_output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(told), "{said}");
        assert!(!said.contains("starting both"), "{said}");
    }
}

#[test]
fn a_wrong_speed_is_told_with_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("EURUSD_short.csv");
    fs::write(
        &file,
        "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\r\n\
         2026.07.01\t10:00:00.000\t1.10000\t1.10010\t\t\t6\r\n",
    )
    .unwrap();
    let output = demo(&["--ticks", file.to_str().unwrap(), "--speed", "warp"])
        .wait_with_output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && said.contains("broker.simulator.speed"),
        "{said}"
    );
}
