//! The program has the engine's commands and the strategy of its own; and this folder stands alone.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};
use tempfile::TempDir;

const CONFIGURATION: &str = "[gateway]\nca = \"ca.pem\"\ntoken_file = \"token\"\n\
     [process]\nallow_root = true\n[[strategies]]\nname = \"mine\"\n";

fn check(strategy: &str) -> Output {
    let folder = TempDir::new().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, "some-token-of-nobody").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    let text = format!("{CONFIGURATION}{strategy}");
    fs::write(folder.path().join("engine.toml"), text).unwrap();
    Command::new(env!("CARGO_BIN_EXE_own-strategy"))
        .args(["check", "--print", "--config", "engine.toml"])
        .current_dir(folder.path())
        .output()
        .unwrap()
}

#[test]
fn its_strategy_is_checked_beside_the_shipped_ones() {
    let own = "symbol = \"EURUSD\"\nkind = \"three_bars\"\nlast_hour = 18\n";
    let output = check(own);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(said.contains("strategies.0.last_hour"), "{said}");
    let shipped = "symbol = \"EURUSD\"\nkind = \"rsi_reversion\"\n";
    assert!(check(shipped).status.success());
}

#[test]
fn faults_of_its_strategy_are_told() {
    let faulty = check("symbol = \"EURUSD\"\nkind = \"three_bars\"\nlast_hour = 24\n");
    let said = String::from_utf8_lossy(&faulty.stderr);
    assert_eq!(faulty.status.code(), Some(78), "{said}");
    assert!(said.contains("strategies.0.last_hour"), "{said}");
    let unknown = check("symbol = \"EURUSD\"\nkind = \"four_bars\"\n");
    let said = String::from_utf8_lossy(&unknown.stderr);
    assert!(said.contains("\"three_bars\""), "{said}");
}

#[test]
fn it_has_the_engines_commands() {
    let program = env!("CARGO_BIN_EXE_own-strategy");
    let help = Command::new(program).arg("--help").output().unwrap();
    let said = String::from_utf8_lossy(&help.stdout);
    for command in ["run", "check", "status", "health", "backtest"] {
        assert!(said.contains(command), "{said}");
    }
}

/// A copy elsewhere is a crate that cargo understands, once its path leads to the engine.
#[test]
fn a_copy_stands_alone() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let engine = own.ancestors().nth(2).unwrap();
    let copy = TempDir::new().unwrap();
    fs::create_dir(copy.path().join("src")).unwrap();
    fs::copy(own.join("src/main.rs"), copy.path().join("src/main.rs")).unwrap();
    let manifest = fs::read_to_string(own.join("Cargo.toml")).unwrap();
    let leading = manifest.replace("\"../..\"", &format!("{:?}", engine.display()));
    assert_ne!(leading, manifest);
    fs::write(copy.path().join("Cargo.toml"), leading).unwrap();
    let lock = engine.with_file_name("Cargo.lock");
    fs::copy(lock, copy.path().join("Cargo.lock")).unwrap();
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let understood = Command::new(cargo)
        .args(["metadata", "--offline", "--format-version", "1"])
        .current_dir(copy.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&understood.stderr);
    assert!(understood.status.success(), "{said}");
}
