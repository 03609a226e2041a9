//! The engine as a process.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    io::Read,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

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

fn check(text: &str, environment: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("engine.toml"), text).unwrap();
    engine(folder.path(), &["check"])
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

#[test]
fn it_refuses_to_hold_what_opens_the_account() {
    assert!(check(CONFIGURATION, &[]).status.success());
    for name in [
        "MT5_LOGIN",
        "MT5_PASSWORD",
        "MT5_PASSWORD_FILE",
        "MT5_SERVER",
        "SMTP_PASSWORD",
        "TELEGRAM_TOKEN",
    ] {
        let output = check(CONFIGURATION, &[(name, "canary-phrase")]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{name}");
        assert!(said.contains(name) && !said.contains("canary"), "{said}");
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
    let folder = tempfile::tempdir().unwrap();
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
    let token = folder.path().join("token");
    fs::write(&token, "some-token-of-nobody").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    let authority = folder.path().join("made");
    mymt5_chassis::tls::throwaway(&authority, &["x".to_owned()], &["localhost".to_owned()], 1)
        .unwrap();
    fs::copy(authority.join("ca.pem"), folder.path().join("ca.pem")).unwrap();
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
    let pid = rustix::process::Pid::from_raw(child.id().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(wait(&mut child, Duration::from_secs(5)), Some(0));
}
