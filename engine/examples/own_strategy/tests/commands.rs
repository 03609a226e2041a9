//! The program has the engine's commands and the strategy of its own; and this folder stands alone.

use std::{
    env, fs,
    path::Path,
    process::{Command, Output},
};
use tempfile::TempDir;

const STRATEGY: &str = "[[strategies]]\nname = \"mine\"\nsymbol = \"EURUSD\"\n";

/// Runs a command on a configuration of one strategy, to which these lines belong.
fn run(strategy: &str, arguments: &[&str]) -> Output {
    let folder = TempDir::new().unwrap();
    let text = format!("{STRATEGY}{strategy}[risk]\nlots = 0.1\n");
    fs::write(folder.path().join("engine.toml"), text).unwrap();
    fs::write(folder.path().join("EURUSD_M1.csv"), bars()).unwrap();
    Command::new(env!("CARGO_BIN_EXE_own-strategy"))
        .args(arguments)
        .args(["--config", "engine.toml"])
        .current_dir(folder.path())
        .output()
        .unwrap()
}

/// Two hours of bars as the terminal exports them: half an hour up, half an hour down.
fn bars() -> String {
    let header = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\r\n";
    let bar = |minute: i32| {
        let of_hour = minute % 60;
        let close = 100 + 10 * if of_hour < 30 { of_hour } else { 60 - of_hour };
        let (hour, low, high) = (minute / 60, close - 5, close + 5);
        format!(
            "2024.01.02\t{hour:02}:{of_hour:02}:00\t1.1{close:04}\t1.1{high:04}\t1.1{low:04}\t1.1{close:04}\t9\t0\t2\r\n"
        )
    };
    header.to_owned() + &(1..120).map(bar).collect::<String>()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn its_strategy_trades_in_a_backtest_beside_the_shipped_ones() {
    for kind in ["three_bars", "rsi_reversion"] {
        let strategy = format!("kind = \"{kind}\"\ntimeframe = \"M1\"\nstop_points = 500\n");
        let output = run(
            &strategy,
            &["backtest", "--json", "--bars", "EURUSD_M1.csv"],
        );
        assert!(output.status.success(), "{}", told(&output));
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            kind != "three_bars" || !said.contains("\"orders\": 0"),
            "{said}"
        );
    }
}

#[test]
fn faults_of_its_strategy_are_told() {
    let faulty = run("kind = \"three_bars\"\nlast_hour = 24\n", &["check"]);
    assert_eq!(faulty.status.code(), Some(78));
    assert!(
        told(&faulty).contains("strategies.0.last_hour"),
        "{faulty:?}"
    );
    let unknown = run("kind = \"four_bars\"\n", &["check"]);
    assert!(told(&unknown).contains("\"three_bars\""), "{unknown:?}");
    let sound = run("kind = \"three_bars\"\nlast_hour = 18\n", &["check"]);
    assert!(!told(&sound).contains("strategies"), "{sound:?}");
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
