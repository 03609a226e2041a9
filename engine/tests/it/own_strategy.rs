//! A crate with a strategy of its own, as a user has one: built by cargo, and run.

use crate::{CONFIGURATION, folder};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Cargo as a user would call it, without what the cargo that runs this test set for this test.
fn cargo() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    for (name, _) in std::env::vars_os() {
        let of_this_test = name.to_str().is_some_and(|name| {
            ["CARGO_PKG_", "CARGO_BIN_", "CARGO_MANIFEST_"]
                .iter()
                .any(|part| name.starts_with(part))
                || [
                    "CARGO_CRATE_NAME",
                    "CARGO_PRIMARY_PACKAGE",
                    "CARGO_TARGET_TMPDIR",
                    "OUT_DIR",
                ]
                .contains(&name)
        });
        if of_this_test {
            command.env_remove(name);
        }
    }
    command
}

/// The example's copy, whose path leads to the engine, with the workspace's lock file and profiles:
/// of the dependencies nothing is built a second time.
fn copy(engine: &Path) -> PathBuf {
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("own_strategy");
    let example = engine.join("examples/own_strategy");
    fs::create_dir_all(copy.join("src")).unwrap();
    for file in ["src/main.rs", "src/three_bars.rs"] {
        fs::copy(example.join(file), copy.join(file)).unwrap();
    }
    let workspace = engine.parent().unwrap();
    let of_workspace = fs::read_to_string(workspace.join("Cargo.toml")).unwrap();
    let profiles = of_workspace.find("[profile.dev]").unwrap();
    let manifest = fs::read_to_string(example.join("Cargo.toml")).unwrap();
    let path = format!("path = {:?}", engine.display());
    let manifest = manifest.replace("path = \"../..\"", &path);
    assert!(manifest.contains(&path), "{manifest}");
    let manifest = format!("{manifest}\n{}", &of_workspace[profiles..]);
    fs::write(copy.join("Cargo.toml"), manifest).unwrap();
    fs::copy(workspace.join("Cargo.lock"), copy.join("Cargo.lock")).unwrap();
    copy
}

fn build() -> PathBuf {
    let copy = copy(Path::new(env!("CARGO_MANIFEST_DIR")));
    let target = Path::new(env!("CARGO_BIN_EXE_mymt5-engine"))
        .ancestors()
        .nth(2);
    let target = target.unwrap();
    let built = cargo()
        .args(["build", "--offline"])
        .current_dir(&copy)
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{said}");
    target.join("debug/own-strategy")
}

fn check(program: &Path, strategy: &str) -> Output {
    let folder = folder();
    let text = CONFIGURATION.replace("symbol = \"EURUSD\"\n", strategy);
    fs::write(folder.path().join("engine.toml"), text).unwrap();
    Command::new(program)
        .args(["check", "--print", "--config", "engine.toml"])
        .current_dir(folder.path())
        .output()
        .unwrap()
}

#[test]
fn a_crate_of_ones_own_brings_a_strategy_and_has_all_commands() {
    let program = build();
    let own = "symbol = \"EURUSD\"\nkind = \"three_bars\"\nlast_hour = 18\n";
    let output = check(&program, own);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(said.contains("strategies.0.last_hour"), "{said}");
    let shipped = "symbol = \"EURUSD\"\nkind = \"rsi_reversion\"\n";
    assert!(check(&program, shipped).status.success());
    let faulty = check(&program, &own.replace("18", "24"));
    let said = String::from_utf8_lossy(&faulty.stderr);
    assert_eq!(faulty.status.code(), Some(78), "{said}");
    assert!(said.contains("strategies.0.last_hour"), "{said}");
    let unknown = check(&program, &own.replace("three_bars", "four_bars"));
    let said = String::from_utf8_lossy(&unknown.stderr);
    assert!(said.contains("\"three_bars\""), "{said}");
    let help = Command::new(&program).arg("--help").output().unwrap();
    let said = String::from_utf8_lossy(&help.stdout);
    for command in ["run", "check", "status", "health"] {
        assert!(said.contains(command), "{said}");
    }
}
