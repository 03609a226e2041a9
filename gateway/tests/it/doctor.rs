//! `doctor` beside a gateway that is set up for tests, by any user. The shipped set-up, with one planted
//! fault for each check, is tested where both processes are: in `deploy/demo`.

use crate::harness::Gateway;
use serde_json::Value;
use std::{fs, process::Output};
use tempfile::TempDir;
use tokio::process::Command;

/// The verdict of each check.
fn verdicts(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    let findings: Vec<Value> =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    let each = findings.into_iter().map(|finding| {
        let check = finding["check"].as_str().unwrap().to_owned();
        (check, finding["verdict"].clone())
    });
    Value::Object(each.collect())
}

const DOCTOR: [&str; 4] = ["doctor", "--json", "--config", "gateway.toml"];

#[tokio::test]
async fn a_running_gateway_is_seen_with_what_its_clients_may_do_too_much() {
    let gateway = Gateway::start("").await;
    let output = gateway.command(&DOCTOR, None).await;
    let verdicts = verdicts(&output);
    assert_eq!(output.status.code(), Some(1), "{verdicts}");
    for (check, verdict) in [
        ("configuration", "pass"),
        ("secrets", "pass"),
        ("key-files", "pass"),
        ("folders", "pass"),
        ("tls", "warn"),
        ("health", "pass"),
        ("control-socket", "pass"),
        ("journal", "pass"),
        ("link", "pass"),
        ("broker-clock", "pass"),
        ("limits", "fail"),
        ("clients", "fail"),
    ] {
        assert_eq!(verdicts[check], verdict, "{check}: {verdicts}");
    }
}

#[tokio::test]
async fn a_configuration_that_cannot_be_read_hides_the_rest() {
    let folder = TempDir::new().unwrap();
    let ask = async || {
        let mut doctor = Command::new(env!("CARGO_BIN_EXE_mymt5-gateway"));
        doctor.args(DOCTOR).current_dir(folder.path());
        doctor.output().await.unwrap()
    };
    let lacking = ask().await;
    fs::write(folder.path().join("gateway.toml"), "[server\n").unwrap();
    let broken = ask().await;
    for output in [lacking, broken] {
        let verdicts = verdicts(&output);
        assert_eq!(output.status.code(), Some(1), "{verdicts}");
        assert_eq!(verdicts["configuration"], "fail", "{verdicts}");
        for check in ["key-files", "tls", "health", "limits", "link"] {
            assert_eq!(verdicts[check], "cannot_see", "{check}: {verdicts}");
        }
    }
}
