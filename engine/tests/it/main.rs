//! The engine as a process.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod backtest;
mod bars;
mod doctor;
mod limits;
mod packed;
mod sweep;
mod telemetry;

use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    io::Read,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, net::UnixDatagram},
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const CONFIGURATION: &str = "[gateway]\ntoken_file = \"token\"\nca = \"ca.pem\"\n\
     [[strategies]]\nname = \"cross\"\nsymbol = \"EURUSD\"\n[process]\nallow_root = true\n";

fn engine(folder: &Path, arguments: &[&str]) -> Command {
    let mut engine = Command::new(env!("CARGO_BIN_EXE_mymt5-engine"));
    engine
        .args(arguments)
        .args(["--config", "engine.toml"])
        .current_dir(folder);
    engine
}

/// A folder that holds what the configuration names: the gateway's authority and a token.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made");
    mymt5_chassis::tls::dev_certs(&made, &["x".to_owned()], &["localhost".to_owned()], 1).unwrap();
    fs::copy(made.join("ca.pem"), folder.path().join("ca.pem")).unwrap();
    let token = folder.path().join("token");
    fs::write(&token, "some-token-of-nobody").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    folder
}

fn check(text: &str, environment: &[(&str, &str)]) -> Output {
    check_in(folder().path(), text, environment)
}

fn check_in(folder: &Path, text: &str, environment: &[(&str, &str)]) -> Output {
    fs::write(folder.join("engine.toml"), text).unwrap();
    engine(folder, &["check"])
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

#[test]
fn a_check_looks_at_the_files_that_prove_who_it_is() {
    let folder = folder();
    let at = |part: &str| folder.path().join(part);
    let faults = |text: &str, keys: &[&str]| {
        let output = check_in(folder.path(), text, &[]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{said}");
        for key in keys {
            assert!(said.contains(key), "{key} is missing from {said}");
        }
    };
    let of = |certificate: &str, key: &str| {
        let files = format!("certificate = \"{certificate}\"\nkey = \"{key}\"\n");
        CONFIGURATION.replace("token_file = \"token\"\n", &files)
    };
    let whole = of("made/x/certificate.pem", "made/x/key.pem");
    let output = check_in(folder.path(), &whole, &[]);
    assert!(output.status.success(), "{output:?}");
    let other = of("made/x/certificate.pem", "made/bridge/key.pem");
    faults(&other, &["gateway:", "made/bridge/key.pem"]);
    fs::set_permissions(at("token"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::remove_file(at("ca.pem")).unwrap();
    faults(
        CONFIGURATION,
        &["gateway.token_file:", "gateway:", "ca.pem"],
    );
}

#[test]
fn it_refuses_to_hold_what_opens_the_account() {
    assert!(check(CONFIGURATION, &[]).status.success());
    for name in [
        "MT5_LOGIN",
        "MT5_PASSWORD",
        "MT5_PASSWORD_FILE",
        "MT5_SERVER",
        "BRIDGE_SECRET",
        "EMAIL_PASSWORD",
        "SMTP_PASSWORD",
        "SMTP_PASSWORD_FILE",
        "TELEGRAM_BOT_TOKEN",
        "TELEGRAM_TOKEN",
    ] {
        let folder = folder();
        let variable = check_in(folder.path(), CONFIGURATION, &[(name, "canary-phrase")]);
        let dotenv = folder.path().join(".env");
        fs::write(&dotenv, format!("{name}=canary-phrase\n")).unwrap();
        fs::set_permissions(&dotenv, fs::Permissions::from_mode(0o600)).unwrap();
        let line = check_in(folder.path(), CONFIGURATION, &[]);
        for output in [variable, line] {
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(78), "{name}: {said}");
            assert!(said.contains(name) && !said.contains("canary"), "{said}");
        }
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let text = "[gateway]\naddress = \"ftp://x\"\n[risk]\nmax_per_trade = 101\n[[strategies]]\nname = \"a b\"\nkind = \"luck\"\nfast = 9\nslow = 3\n";
    let output = check(text, &[]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78));
    for key in [
        "gateway.address",
        "gateway:",
        "risk.max_per_trade",
        "strategies.0.name",
        "strategies.0.kind",
        "strategies.0.symbol",
        "strategies.0.fast",
    ] {
        assert!(said.contains(key), "{key} is missing from {said}");
    }
}

#[test]
fn risk_comes_by_its_own_name_and_range() {
    assert!(
        check(CONFIGURATION, &[("RISK_MAX_PER_TRADE", "1.5")])
            .status
            .success()
    );
    for wrong in ["0", "-1", "100.5", "NaN", "much"] {
        assert_eq!(
            check(CONFIGURATION, &[("RISK_MAX_PER_TRADE", wrong)])
                .status
                .code(),
            Some(78),
            "{wrong}"
        );
    }
}

#[test]
fn a_latched_risk_is_reset_by_a_command_while_no_engine_runs() {
    let folder = folder();
    let text = format!("{CONFIGURATION}[risk]\nmax_errors = 3\n");
    fs::write(folder.path().join("engine.toml"), text).unwrap();
    let data = folder.path().join("data/engine-main");
    let run = |arguments: &[&str]| {
        let reset = engine(folder.path(), arguments).output().unwrap();
        let said = String::from_utf8(reset.stderr).unwrap();
        // It is no run that could have crashed.
        assert!(!data.join("running.json").exists());
        (reset.status.code(), said)
    };
    let reset = || run(&["reset-risk"]);
    let (code, said) = reset();
    assert_eq!(code, Some(0), "{said}");
    fs::write(data.join("risk.json"), "spoilt").unwrap();
    let (code, said) = reset();
    assert_eq!(code, Some(0), "{said}");
    let kept = || -> serde_json::Value {
        serde_json::from_slice(&fs::read(data.join("risk.json")).unwrap()).unwrap()
    };
    assert_eq!(kept()["errors"], 0, "{}", kept());
    let mut of_an_account = kept();
    of_an_account["account"] = "first".into();
    fs::write(data.join("risk.json"), of_an_account.to_string()).unwrap();
    let (code, said) = reset();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(kept()["account"], "first");
    let (code, said) = run(&["reset-risk", "--new-account"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(kept().get("account").is_none());
    let _running = mymt5_chassis::process::Folder::claim(&data).unwrap();
    let (code, said) = reset();
    assert_ne!(code, Some(0), "{said}");
}

/// Waits for the child's end, or kills it.
fn wait(child: &mut Child, bound: Duration) -> Option<i32> {
    let end = Instant::now() + bound;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if Instant::now() > end {
            child.kill().unwrap();
            return None;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn without_a_gateway_it_backs_off_and_stops_at_once_when_told() {
    let folder = folder();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let operations = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let text = format!("{CONFIGURATION}[operations]\nlisten = \"{operations}\"\n");
    fs::write(
        folder.path().join("engine.toml"),
        text.replace(
            "[gateway]",
            &format!("[gateway]\naddress = \"https://{port}\""),
        ),
    )
    .unwrap();
    let mut child = engine(folder.path(), &["run"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let reading = thread::spawn(move || {
        let mut said = Vec::new();
        let mut buffer = [0; 4096];
        while !String::from_utf8_lossy(&said).contains("session ended") {
            match stderr.read(&mut buffer).unwrap() {
                0 => break,
                read => said.extend_from_slice(&buffer[..read]),
            }
        }
        (String::from_utf8(said).unwrap(), stderr)
    });
    let (said, _stderr) = reading.join().unwrap();
    assert!(
        said.contains("session ended") && !said.contains("some-token-of-nobody"),
        "{said}"
    );
    let status = Command::new(env!("CARGO_BIN_EXE_mymt5-engine"))
        .args(["status", "--json", "--operations"])
        .arg(operations.to_string())
        .output()
        .unwrap();
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["connected"], false, "{status}");
    assert_eq!(status["error_rate"], 1.0, "{status}");
    assert!(status["calls"].as_u64().unwrap() >= 1, "{status}");
    let found = engine(folder.path(), &["status", "--json"])
        .output()
        .unwrap();
    let found: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(found["connected"], false, "{found}");
    send(&child, Signal::TERM);
    assert_eq!(wait(&mut child, Duration::from_secs(5)), Some(0));
    for command in ["status", "health"] {
        let asked = Command::new(env!("CARGO_BIN_EXE_mymt5-engine"))
            .args([command, "--operations"])
            .arg(operations.to_string())
            .output()
            .unwrap();
        assert_eq!(asked.status.code(), Some(69), "{command}");
        let asked = engine(folder.path(), &[command]).output().unwrap();
        assert_eq!(
            asked.status.code(),
            Some(69),
            "{command} by the configuration"
        );
    }
}

/// As for options that cannot be read.
#[test]
fn a_span_that_does_not_end_after_it_begins_has_the_code_of_wrong_options() {
    let folder = folder_without_gateway();
    let history = ["history", "--symbol", "EURUSD", "--ticks", "--out", "x.csv"];
    let backtest = ["backtest", "--ticks", "EURUSD.csv"];
    for to in ["2026-07-01", "2026-07-02"] {
        let span = ["--from", "2026-07-02", "--to", to];
        for asked in [&history[..], &backtest] {
            let output = engine(folder.path(), &[asked, &span].concat()).output();
            let output = output.unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{said}");
            assert!(said.contains("invalid --to"), "{said}");
        }
    }
}

/// As for options that cannot be read.
#[test]
fn a_symbol_that_is_none_and_a_screen_without_a_terminal_have_the_code_of_wrong_options() {
    let folder = folder_without_gateway();
    let symbol = ["backtest", "--ticks", "EURUSD.csv", "--symbol", "E U"];
    for asked in [&symbol[..], &["top"]] {
        let output = engine(folder.path(), asked).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
    }
}

#[test]
fn a_file_that_cannot_be_read_and_one_that_is_no_export_end_a_backtest_with_their_codes() {
    let folder = folder_without_gateway();
    fs::write(folder.path().join("EURUSD_letter.csv"), "no export\n").unwrap();
    let sweep = ["sweep", "--vary", "strategies.0.fast=5,6"];
    for command in [&["backtest"][..], &sweep] {
        for (file, code) in [("EURUSD_absent.csv", 69), ("EURUSD_letter.csv", 65)] {
            let asked = [command, &["--ticks", file]].concat();
            let output = engine(folder.path(), &asked).output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(code), "{command:?}: {said}");
            assert!(said.contains(file), "{said}");
        }
    }
}

/// A configuration that was named and cannot be read leads to no other engine.
#[test]
fn the_port_is_not_guessed_where_the_configuration_that_was_named_does_not_tell_it() {
    let folder = tempfile::tempdir().unwrap();
    for (text, told) in [
        (None, "engine.toml"),
        (Some("[operations]\nlisten = 9102\n"), "operations.listen"),
        (
            Some("[operations]\nlisten = \"here\"\n"),
            "operations.listen",
        ),
    ] {
        if let Some(text) = text {
            fs::write(folder.path().join("engine.toml"), text).unwrap();
        }
        for command in ["status", "health"] {
            let asked = engine(folder.path(), &[command]).output().unwrap();
            let said = String::from_utf8(asked.stderr).unwrap();
            assert_eq!(asked.status.code(), Some(78), "{command}: {said}");
            assert!(said.contains(told), "{command}: {said}");
        }
    }
}

/// Starts the engine and waits until it trades, or would if it had a gateway.
fn started(folder: &Path) -> Child {
    started_with(folder, &[])
}

fn started_with(folder: &Path, variables: &[(&str, &str)]) -> Child {
    let log = folder.join("stderr");
    let child = engine(folder, &["run"])
        .envs(variables.iter().copied())
        // A test that fails may leave it behind: then whoever reads the tests' output still sees its end.
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    while !fs::read_to_string(&log).unwrap().contains("session ended") {
        assert!(
            Instant::now() < end,
            "{}",
            fs::read_to_string(&log).unwrap()
        );
        thread::sleep(Duration::from_millis(20));
    }
    child
}

/// A folder whose engine has nobody to talk to.
fn folder_without_gateway() -> TempDir {
    let folder = folder();
    let port = || mymt5_chassis::testing::free_port().unwrap();
    let address = format!("[gateway]\naddress = \"https://127.0.0.1:{}\"", port());
    let text = CONFIGURATION.replace("[gateway]", &address);
    let text = format!("{text}[operations]\nlisten = \"127.0.0.1:{}\"\n", port());
    fs::write(folder.path().join("engine.toml"), text).unwrap();
    folder
}

fn send(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(child.id().cast_signed()).unwrap();
    kill_process(pid, signal).unwrap();
}

#[test]
fn a_killed_engine_is_told_of_at_the_next_start_and_a_clean_end_is_not() {
    let folder = folder_without_gateway();
    let marker = folder.path().join("data/engine-main/running.json");
    let stderr = || fs::read_to_string(folder.path().join("stderr")).unwrap();
    let stop = |child: Child| {
        stop_at_once(child);
        assert!(!marker.exists());
    };
    let mut killed = started(folder.path());
    assert!(marker.exists());
    killed.kill().unwrap();
    killed.wait().unwrap();
    stop(started(folder.path()));
    assert!(stderr().contains("an earlier run crashed"), "{}", stderr());
    stop(started(folder.path()));
    assert!(!stderr().contains("an earlier run crashed"), "{}", stderr());
    let reports = fs::read_dir(folder.path().join("data/engine-main/crash")).unwrap();
    let reports: Vec<_> = reports.map(|report| report.unwrap().path()).collect();
    let [report] = &reports[..] else {
        panic!("{reports:?}")
    };
    let report: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(report).unwrap()).unwrap();
    assert_eq!(report["kind"], "killed", "{report}");
    assert_eq!(report["program"], "mymt5-engine", "{report}");
}

/// A datagram socket stands for systemd.
#[test]
fn systemd_is_told_that_it_serves_turns_over_and_stops() {
    let folder = folder_without_gateway();
    let path = folder.path().join("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    let silence = Duration::from_secs(2);
    systemd.set_read_timeout(Some(silence)).unwrap();
    let heard = || {
        let mut bytes = [0; 256];
        let length = systemd.recv(&mut bytes).ok()?;
        Some(String::from_utf8(bytes[..length].to_vec()).unwrap())
    };
    let hears = |state: &str| {
        let end = Instant::now() + Duration::from_secs(30);
        while !heard().is_some_and(|heard| heard.contains(state)) {
            assert!(Instant::now() < end, "{state} was never told");
        }
    };
    let variables = [
        ("NOTIFY_SOCKET", path.to_str().unwrap()),
        ("WATCHDOG_USEC", "200000"),
    ];
    let mut child = started_with(folder.path(), &variables);
    hears("READY=1");
    hears("WATCHDOG=1");
    hears("WATCHDOG=1");
    send(&child, Signal::STOP);
    let end = Instant::now() + Duration::from_secs(30);
    while heard().is_some() {
        assert!(Instant::now() < end, "it never fell silent");
    }
    send(&child, Signal::CONT);
    hears("WATCHDOG=1");
    send(&child, Signal::TERM);
    hears("STOPPING=1");
    assert_eq!(wait(&mut child, Duration::from_secs(30)), Some(0));
}

/// What another start cannot mend is a fault of the set-up, and is reported as any other.
#[test]
fn intents_that_it_cannot_open_end_it_with_their_code() {
    let folder = folder_without_gateway();
    let data = folder.path().join("data/engine-main");
    stop_at_once(started(folder.path()));
    for (bytes, code) in [(newer(), 78), (b"not a database".repeat(100), 69)] {
        for file in ["intents.db-wal", "intents.db-shm"] {
            let _ = fs::remove_file(data.join(file));
        }
        fs::write(data.join("intents.db"), bytes).unwrap();
        let run = engine(folder.path(), &["run"]).output().unwrap();
        let said = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(code), "{said}");
        assert!(said.contains("intents.db"), "{said}");
        assert!(!data.join("running.json").exists());
    }
    assert_eq!(fs::read_dir(data.join("crash")).unwrap().count(), 2);
}

fn stop_at_once(mut child: Child) {
    send(&child, Signal::TERM);
    assert_eq!(wait(&mut child, Duration::from_secs(30)), Some(0));
}

/// An empty database of a version to come.
fn newer() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("intents.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch("PRAGMA user_version = 999")
        .unwrap();
    drop(connection);
    fs::read(path).unwrap()
}
