//! The engine's doctor.

use super::{
    Plant, heal, of_any, on_this_host,
    pair::{Pair, give, mode, user},
    replaced, warnings,
};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::{fs, path::PathBuf};

#[test]
fn the_shipped_engine_is_well_and_each_planted_fault_is_found() {
    let Some(mut pair) = Pair::set() else { return };
    pair.doctor("engine", &[]).fails_only("gateway");
    pair.start("gateway", &[]);
    pair.is_well("gateway");
    pair.start("engine", &[]);
    pair.is_well("engine");
    pair.is_well("gateway");
    for plant in of_any().iter().chain(&own()) {
        plant.is_found(&pair, "engine");
    }
    volume(&pair);
    keys(&pair);
    full_disk(&pair);
    warnings(&pair, "engine");
    pair.is_well("engine");
    on_this_host(&pair, "engine");
    pair.stop("engine");
    for folder in ["data/engine-main", "logs/engine-main", "config/tls/engine"] {
        give(&pair.path(folder), 0);
    }
    pair.doctor_as_root("engine").fails_only("user");
}

/// Faults that a variable makes.
fn own() -> Vec<Plant> {
    vec![
        Plant::by("secrets", &[("MT5_PASSWORD", "canary-phrase")]),
        Plant::by("secrets", &[("TELEGRAM_BOT_TOKEN", "canary-phrase")]),
        Plant::by(
            "gateway",
            &[("MYMT5__GATEWAY__ADDRESS", "https://127.0.0.1:1")],
        ),
        Plant::by("clock", &[("MYMT5_TEST_CLOCK_AHEAD_MS", "5000")]),
        Plant::by("clock", &[("MYMT5_TEST_CLOCK_AHEAD_MS", "-5000")]),
    ]
}

fn volume(pair: &Pair) {
    let file = pair.path("config/engine.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, replaced(&text, "\nmax_lots = 1.0\n", "\n")).unwrap();
    pair.doctor("engine", &[]).fails_only("risk-limits");
    fs::write(&file, text).unwrap();
}

fn keys(pair: &Pair) {
    let operator = pair.path("config/tls/operator");
    give(&operator, user("engine"));
    pair.doctor("engine", &[]).fails_only("own-keys");
    give(&operator, 0);
    let key = pair.path("config/tls/engine/key.pem");
    let own = fs::read(&key).unwrap();
    let other = fs::read(operator.join("key.pem")).unwrap();
    fs::write(&key, other).unwrap();
    pair.doctor("engine", &[]).fails_only("tls");
    fs::write(&key, own).unwrap();
}

/// A small file system of its own, until it is dropped.
struct Disk(PathBuf);

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

/// Logs on a disk of one MiB.
fn full_disk(pair: &Pair) {
    let folder = pair.path("small");
    fs::create_dir(&folder).unwrap();
    let options = c"size=1m,mode=0700";
    if let Err(error) = mount("tmpfs", &folder, "tmpfs", MountFlags::empty(), options) {
        println!("skipped: no file system can be mounted here");
        assert!(std::env::var_os("MYMT5_REQUIRE").is_none(), "{error}");
        return;
    }
    let disk = Disk(folder);
    give(&disk.0, user("engine"));
    mode(&disk.0, 0o700);
    let small = [
        ("MYMT5__LOGGING__FOLDER", disk.0.to_str().unwrap()),
        ("MYMT5__LOGGING__MAX_FILE_BYTES", "4096"),
        ("MYMT5__LOGGING__MAX_TOTAL_BYTES", "8192"),
    ];
    pair.doctor("engine", &small).fails_only("disk");
    heal(pair, "engine");
}
