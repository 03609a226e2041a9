//! What a gateway leaves behind that did not end as it should, and what the next one tells of it.

use crate::harness::Gateway;
use serde_json::Value;
use std::{fs, os::unix::fs::PermissionsExt, path::Path};
use tempfile::TempDir;

const TOLD: &str = "an earlier run crashed";

/// The reports' texts, oldest first.
fn reports(folder: &Path) -> Vec<Value> {
    let Ok(entries) = fs::read_dir(folder.join("data/crash")) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    // One that is being written begins with a dot.
    paths.retain(|path| !path.file_name().unwrap().to_str().unwrap().starts_with('.'));
    paths.sort();
    let report = |path: &std::path::PathBuf| {
        let mode = fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    };
    paths.iter().map(report).collect()
}

#[tokio::test]
async fn a_killed_gateway_is_told_of_at_the_next_start_and_a_clean_end_is_not() {
    let mut gateway = Gateway::start("").await;
    let marker = gateway.folder.path().join("data/running.json");
    assert!(marker.exists());
    gateway.crash_and_return().await;
    gateway.says(TOLD).await;
    let metrics = gateway.metrics().await;
    assert!(metrics.contains("mymt5_crash_reports 1"), "{metrics}");
    let told = reports(gateway.folder.path());
    let [report] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(report["kind"], "killed", "{report}");
    assert_eq!(report["program"], "mymt5-gateway", "{report}");
    let actions = report["last_actions"].as_array().unwrap();
    assert!(!actions.is_empty(), "{report}");
    gateway.stop().await;
    assert!(!marker.exists());
    assert_eq!(reports(gateway.folder.path()).len(), 1);
    assert_eq!(gateway.stderr().matches(TOLD).count(), 1);
}

#[cfg(debug_assertions)]
#[tokio::test]
async fn a_panic_is_reported_without_the_password_that_it_quotes() {
    let variables = [
        ("MT5_PASSWORD", "canary-phrase"),
        ("MYMT5_TEST_SAY", r#"["lost canary-phrase here"]"#),
    ];
    let gateway = Gateway::start_with(TempDir::new().unwrap(), "", &variables).await;
    let report = reports(gateway.folder.path()).remove(0);
    assert_eq!(report["kind"], "panic", "{report}");
    assert_eq!(report["error"], "lost *** here", "{report}");
    assert!(!report.to_string().contains("canary"), "{report}");
}

/// Another start does not mend it.
#[tokio::test]
async fn a_kept_account_that_cannot_be_read_ends_it_with_78() {
    let mut gateway = Gateway::start("").await;
    gateway.stop().await;
    let data = gateway.folder.path().join("data");
    let kept = fs::read_dir(&data)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let kept = kept.filter(|path| path.to_string_lossy().contains("simulat"));
    for path in kept.filter(|path| path.is_file()) {
        fs::write(path, "not a database".repeat(100)).unwrap();
    }
    let run = gateway.command(&["run", "--config", "gateway.toml"], None);
    let run = run.await;
    let said = String::from_utf8(run.stderr).unwrap();
    assert_eq!(run.status.code(), Some(78), "{said}");
    assert!(said.contains("kept simulated account"), "{said}");
    assert_eq!(reports(gateway.folder.path())[0]["kind"], "error");
}
