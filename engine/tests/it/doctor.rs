//! `doctor` of an engine without a gateway, by any user. The shipped set-up, with one planted fault for
//! each check, is tested where both processes are: in `deploy/demo`.

use crate::{engine, folder_without_gateway, started, stop_at_once};
use serde_json::Value;
use std::{fs, path::Path};

/// The findings of the doctor, and its exit code.
fn asked(folder: &Path, variables: &[(&str, &str)]) -> (Vec<Value>, Option<i32>) {
    let output = engine(folder, &["doctor", "--json"])
        // What the tests are told by variables is none of an engine's.
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let findings = serde_json::from_slice(&output.stdout);
    let findings = findings.unwrap_or_else(|error| panic!("{error}: {said}"));
    (findings, output.status.code())
}

fn finding<'a>(findings: &'a [Value], check: &str) -> &'a Value {
    let found = findings.iter().find(|finding| finding["check"] == check);
    found.unwrap_or_else(|| panic!("{check} is missing"))
}

#[test]
fn an_engine_alone_is_seen_and_misses_its_gateway() {
    let folder = folder_without_gateway();
    let config = folder.path().join("engine.toml");
    let text = fs::read_to_string(&config).unwrap();
    let told = |findings: &[Value], verdicts: &[(&str, &str)]| {
        for (check, verdict) in verdicts {
            let finding = finding(findings, check);
            assert_eq!(finding["verdict"], *verdict, "{finding}");
        }
    };
    let running = started(folder.path());
    let (findings, code) = asked(folder.path(), &[]);
    assert_eq!(code, Some(1));
    let expected = [
        ("configuration", "pass"),
        ("secrets", "pass"),
        ("folders", "pass"),
        // It runs, and is not ready.
        ("health", "fail"),
        ("gateway", "fail"),
        ("clock", "cannot_see"),
        ("risk-limits", "fail"),
    ];
    told(&findings, &expected);
    stop_at_once(running);
    fs::write(&config, format!("{text}[risk]\nmax_lots = 1.0\n")).unwrap();
    let (findings, _) = asked(folder.path(), &[]);
    told(
        &findings,
        &[("health", "cannot_see"), ("risk-limits", "pass")],
    );
    let (findings, _) = asked(folder.path(), &[("MT5_PASSWORD", "canary-phrase")]);
    told(&findings, &[("configuration", "pass"), ("secrets", "fail")]);
    let seen = finding(&findings, "secrets").to_string();
    assert!(
        seen.contains("MT5_PASSWORD") && !seen.contains("canary"),
        "{seen}"
    );
}
