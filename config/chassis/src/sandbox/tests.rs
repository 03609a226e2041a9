#![allow(clippy::unwrap_used)]
use super::*;
use crate::loader::{Environment, Table};
use std::fs;

const TABLE: Table = Table {
    program: "test",
    names: &[],
    secrets: &[],
    forbidden: &[],
};

fn wanted(value: &str) -> (Option<Wanted>, bool) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.toml");
    fs::write(&file, format!("[process]\nsandbox = \"{value}\"\n")).unwrap();
    let nothing = Environment::from_pairs::<&str, &str>([]);
    let mut reader = Reader::open(&TABLE, &file, nothing).unwrap();
    let wanted = Wanted::read(&mut reader);
    (wanted, reader.finish().is_ok())
}

#[test]
fn a_kind_is_one_of_three() {
    assert_eq!(wanted("required"), (Some(Wanted::Required), true));
    assert_eq!(wanted("best-effort"), (Some(Wanted::BestEffort), true));
    assert_eq!(wanted("off"), (Some(Wanted::Off), true));
    assert_eq!(wanted("strong"), (None, false));
}

#[test]
fn a_file_without_a_folder_is_beside_the_working_one() {
    let plan = Plan::default()
        .reads_beside("gateway.toml")
        .reads_beside("tls/key.pem");
    assert_eq!(plan, Plan::default().reads(".").reads("tls"));
}

#[test]
fn what_holds_and_what_not_is_told() {
    let told = |files, ports, scopes, calls| {
        Enforced {
            files,
            ports,
            scopes,
            calls,
        }
        .to_string()
    };
    assert_eq!(told(false, false, false, false), "none");
    assert_eq!(
        told(true, true, true, true),
        "enforced: files, tcp ports, signals, system calls; not: hosts, udp, local sockets"
    );
    assert_eq!(
        told(false, false, false, true),
        "enforced: system calls; not: files, tcp ports, signals, hosts, udp, local sockets"
    );
}
