//! The gateway's doctor.

use super::{
    Plant, heal, of_any, on_this_host,
    pair::{Pair, give, mode, user},
    replaced, warnings,
};
use std::fs;

/// A terminal that is not there, in plain text.
const TERMINAL: &str = "
[broker]
kind = \"terminal\"
[broker.terminal]
address = \"127.0.0.1:1\"
plain = true
account_kind = \"demo\"
symbols = { EURUSD = \"EURUSD\" }
";

/// Its account.
const ACCOUNT: [(&str, &str); 4] = [
    ("MT5_LOGIN", "50012345"),
    ("MT5_PASSWORD", "canary-phrase"),
    ("MT5_SERVER", "Canary-Demo"),
    ("BRIDGE_SECRET", "a canary phrase that bridges all of it"),
];

fn edit_config(pair: &Pair, from: &str, to: &str) {
    let file = pair.path("config/gateway.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, replaced(&text, from, to)).unwrap();
}

#[test]
fn the_shipped_gateway_is_well_and_each_planted_fault_is_found() {
    let Some(mut pair) = Pair::set() else { return };
    // Before the first start nothing is wrong, and not all can be seen.
    pair.doctor("gateway", &[]).fails_nowhere();
    pair.start("gateway", &[]);
    pair.is_well("gateway");
    for plant in of_any().iter().chain(&own()) {
        plant.is_found(&pair, "gateway");
    }
    rights(&pair);
    limits(&pair);
    certificates(&pair);
    warnings(&pair, "gateway");
    pair.is_well("gateway");
    on_this_host(&pair, "gateway");
    pair.stop("gateway");
    journal(&pair);
    as_root(&pair);
}

/// Faults that a variable, or a local file, makes.
fn own() -> Vec<Plant> {
    vec![
        Plant::by("disk", &[("MYMT5__PROCESS__DISK_ALARM_MIB", "4294967295")]),
        Plant::of("clients", |pair, _| {
            let local = pair.path("config/gateway.local.toml");
            let text = "[clients.operator]\npermissions = [\"trade\", \"control\"]\n\
                        limits.max_lots_per_order = 1.0\nlimits.max_open_positions = 1\n";
            fs::write(&local, text).unwrap();
            mode(&local, 0o644);
        }),
    ]
}

fn rights(pair: &Pair) {
    let socket = pair.path("data/gateway/control.sock");
    mode(&socket, 0o666);
    pair.doctor("gateway", &[]).fails_only("control-socket");
    mode(&socket, 0o600);
    let secret = pair.path("password");
    fs::write(&secret, "canary-phrase").unwrap();
    give(&secret, user("gateway"));
    mode(&secret, 0o644);
    let given = [("MT5_PASSWORD_FILE", secret.to_str().unwrap())];
    pair.doctor("gateway", &given).fails_only("secrets");
    mode(&secret, 0o600);
    pair.doctor("gateway", &given).fails_nowhere();
    let given = [("MT5_PASSWORD", "canary-phrase")];
    let report = pair.doctor("gateway", &given);
    report.fails_nowhere();
    assert!(report.with("warn").contains(&"secrets"), "{report:#?}");
    assert!(!format!("{report:?}").contains("canary"), "{report:#?}");
}

fn limits(pair: &Pair) {
    let (from, to) = (
        "limits.max_lots_per_order = 10.0\n",
        "#limits.max_lots_per_order = 10.0\n",
    );
    edit_config(pair, from, to);
    pair.doctor("gateway", &[]).fails_only("limits");
    edit_config(pair, to, from);
}

fn certificates(pair: &Pair) {
    let key = pair.path("config/tls/gateway/key.pem");
    let own = fs::read(&key).unwrap();
    fs::write(
        &key,
        fs::read(pair.path("config/tls/bridge/key.pem")).unwrap(),
    )
    .unwrap();
    pair.doctor("gateway", &[]).fails_only("tls");
    fs::write(&key, own).unwrap();
    // They hold for 90 days.
    let ahead = [("MYMT5_TEST_CLOCK_AHEAD_MS", "7948800000")];
    pair.doctor("gateway", &ahead).fails_only("tls");
}

/// Of a gateway that is stopped: a journal that is damaged, and one that its user cannot write.
fn journal(pair: &Pair) {
    let file = pair.path("data/gateway/journal.db");
    let whole = fs::read(&file).unwrap();
    let mut damaged = whole.clone();
    damaged[4096..].fill(0xa5);
    fs::write(&file, damaged).unwrap();
    pair.doctor("gateway", &[]).fails_only("journal");
    fs::write(&file, whole).unwrap();
    pair.doctor("gateway", &[]).fails_nowhere();
    mode(&file, 0o400);
    pair.doctor("gateway", &[]).fails_only("journal");
    mode(&file, 0o600);
}

fn as_root(pair: &Pair) {
    for folder in ["data/gateway", "logs/gateway", "config/tls/gateway"] {
        give(&pair.path(folder), 0);
    }
    pair.doctor_as_root("gateway").fails_only("user");
}

#[test]
fn a_link_that_is_down_and_a_clock_without_a_zone_are_found() {
    let Some(mut pair) = Pair::set() else { return };
    let local = pair.path("config/gateway.local.toml");
    fs::write(&local, TERMINAL).unwrap();
    mode(&local, 0o644);
    pair.start("gateway", &ACCOUNT);
    let report = pair.finds("gateway", &ACCOUNT, "link");
    assert!(report.with("warn").contains(&"bridge"), "{report:#?}");
    assert!(!format!("{report:?}").contains("canary"), "{report:#?}");
    pair.stop("gateway");
    heal(&pair, "gateway");
    // A journal is of one account for ever.
    fs::remove_dir_all(pair.path("data/gateway")).unwrap();
    fs::create_dir(pair.path("data/gateway")).unwrap();
    give(&pair.path("data/gateway"), user("gateway"));
    mode(&pair.path("data/gateway"), 0o700);
    edit_config(&pair, "\ntime_zone = \"new_york+7\"\n", "\n");
    pair.start("gateway", &[]);
    pair.finds("gateway", &[], "broker-clock");
}
