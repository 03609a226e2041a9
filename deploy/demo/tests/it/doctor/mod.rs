//! `doctor` of both processes: all is well on the shipped set-up, and of what is planted each fault
//! fails exactly the check that is to find it.

mod engine;
mod gateway;
mod pair;

use pair::{Pair, mode, seconds_ago, user};
use std::fs;

/// A fault that either process may have. What it changes is put right by [`heal`].
struct Plant {
    check: &'static str,
    variables: Vec<(&'static str, String)>,
    plant: fn(&Pair, &'static str),
}

impl Plant {
    fn of(check: &'static str, plant: fn(&Pair, &'static str)) -> Self {
        Self {
            check,
            variables: Vec::new(),
            plant,
        }
    }

    /// One that variables of the doctor's make.
    fn by(check: &'static str, variables: &[(&'static str, &str)]) -> Self {
        let owned = variables
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        Self {
            check,
            variables: owned.collect(),
            plant: |_, _| {},
        }
    }

    /// Plants it, asks, and heals.
    fn is_found(&self, pair: &Pair, name: &'static str) {
        (self.plant)(pair, name);
        let variables: Vec<(&str, &str)> = self
            .variables
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        pair.doctor(name, &variables).fails_only(self.check);
        heal(pair, name);
    }
}

/// The data folder's name.
fn data_of(name: &str) -> &'static str {
    if name == "gateway" {
        "gateway"
    } else {
        "engine-main"
    }
}

/// The beginning of the other one's data folder.
fn other_of(name: &str) -> &'static str {
    if name == "gateway" {
        "engine"
    } else {
        "gateway"
    }
}

/// Puts right whatever a plant of [`of_any`] changed.
fn heal(pair: &Pair, name: &str) {
    pair.heal_host();
    let _ = fs::remove_file(pair.path(&format!("config/{name}.local.toml")));
    let _ = fs::remove_dir_all(pair.path(&format!("data/{}-x", other_of(name))));
    mode(&pair.path(&format!("config/{name}.toml")), 0o644);
    mode(&pair.path(&format!("config/tls/{name}/key.pem")), 0o600);
    mode(&pair.path(&format!("logs/{}", data_of(name))), 0o700);
}

fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is not in {text}");
    text.replacen(from, to, 1)
}

/// Sets the soft limit that begins so.
fn limited(text: &str, limit: &str, to: &str) -> String {
    let line = text.lines().find(|line| line.starts_with(limit)).unwrap();
    replaced(text, line, &format!("{limit:<25} {to} {to} units"))
}

/// One fault for each check of any process.
fn of_any() -> Vec<Plant> {
    const HUGE: &str = "900000000000000000";
    let overdue = seconds_ago(181);
    let port = mymt5_chassis::testing::free_port().unwrap();
    let elsewhere = format!("127.0.0.1:{port}");
    vec![
        Plant::of("configuration", |pair, name| {
            let local = pair.path(&format!("config/{name}.local.toml"));
            fs::write(&local, "[process]\nsandbx = \"off\"\n").unwrap();
            mode(&local, 0o644);
        }),
        Plant::of("config-files", |pair, name| {
            mode(&pair.path(&format!("config/{name}.toml")), 0o646);
        }),
        Plant::of("key-files", |pair, name| {
            mode(&pair.path(&format!("config/tls/{name}/key.pem")), 0o644);
        }),
        Plant::of("folders", |pair, name| {
            mode(&pair.path(&format!("logs/{}", data_of(name))), 0o755);
        }),
        Plant::of("two-users", |pair, name| {
            let folder = pair.path(&format!("data/{}-x", other_of(name)));
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join(".lock"), "").unwrap();
            pair::give(&folder, user(name));
        }),
        Plant::by("sandbox", &[("MYMT5__PROCESS__SANDBOX", "off")]),
        Plant::of("confinement", |pair, name| {
            pair.edit(name, "status", |text| {
                replaced(text, "\nNoNewPrivs:\t1", "\nNoNewPrivs:\t0")
            });
        }),
        Plant::of("confinement", |pair, name| {
            pair.edit(name, "status", |text| {
                replaced(text, "\nSeccomp:\t2", "\nSeccomp:\t0")
            });
        }),
        Plant::of("core-dumps", |pair, name| {
            pair.edit(name, "limits", |text| {
                limited(text, "Max core file size", "unlimited")
            });
        }),
        Plant::of("open-files", |pair, name| {
            pair.edit(name, "limits", |text| {
                limited(text, "Max open files", "256")
            });
        }),
        Plant::by(
            "health",
            &[("MYMT5__OPERATIONS__LISTEN", elsewhere.as_str())],
        ),
        Plant::by("log-redaction", &[("MYMT5_TEST_REDACTOR_OFF", "1")]),
        Plant::by(
            "log-retention",
            &[
                ("MYMT5__LOGGING__MAX_FILE_BYTES", HUGE),
                ("MYMT5__LOGGING__MAX_TOTAL_BYTES", HUGE),
            ],
        ),
        Plant::by(
            "dependencies",
            &[("MYMT5_TEST_LOCKED_AT", overdue.as_str())],
        ),
    ]
}

/// What is no failure, and to mind.
fn warnings(pair: &Pair, name: &str) {
    pair.host(
        "proc/swaps",
        "Filename\tType\tSize\tUsed\tPriority\n/dev/sda2 partition 9 0 -2\n",
    );
    pair.doctor(name, &[]).warns_only("swap");
    heal(pair, name);
    let due = seconds_ago(61);
    let report = pair.doctor(name, &[("MYMT5_TEST_LOCKED_AT", due.as_str())]);
    report.warns_only("dependencies");
    pair.host("proc/sys/kernel/osrelease", "5.15.0\n");
    pair.doctor(name, &[]).warns_only("sandbox");
    heal(pair, name);
    // Others than the process's own user are told so.
    let report = pair.doctor_as_root(name);
    assert!(report.with("warn").contains(&"user"), "{report:#?}");
}

/// Whatever this host is like, nothing of the set-up fails on it, and there is a table.
fn on_this_host(pair: &Pair, name: &str) {
    let report = pair.doctor_of_this_host(name);
    let of_the_host = ["open-files"];
    let failed = report.with("fail");
    assert!(
        failed.iter().all(|check| of_the_host.contains(check)),
        "{report:#?}"
    );
    let readme = fs::read_to_string(pair::workspace().join("gateway/README.md")).unwrap();
    for check in report.checks() {
        let named = format!("`{check}`");
        assert!(readme.contains(&named), "gateway/README.md lacks {named}");
    }
    let table = pair.table(name);
    assert!(
        table.contains("pass        configuration   valid"),
        "{table}"
    );
    assert!(
        table.lines().last().unwrap().contains(" passed, "),
        "{table}"
    );
}
