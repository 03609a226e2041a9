//! The table of reasons in this crate's README is a copy of the one in the code.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mymt5_proto::Reason;
use std::{env, fs, path::Path};

const BEGIN: &str = "<!-- reasons: begin -->\n";
const END: &str = "<!-- reasons: end -->";

/// `InvalidArgument` as gRPC spells it: `INVALID_ARGUMENT`.
fn spelt(code: tonic::Code) -> String {
    let mut text = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_uppercase());
    }
    text
}

fn table() -> String {
    let head =
        "| reason | code | a repeat may succeed | meaning | what to do |\n|---|---|---|---|---|\n";
    let rows = Reason::ALL.iter().map(|reason| {
        let repeat = if reason.retryable() { "yes" } else { "no" };
        let text = reason.text().replace('|', "\\|");
        let (name, code) = (reason.name(), spelt(reason.code()));
        let fix = reason.fix().replace('|', "\\|");
        format!("| `{name}` | {code} | {repeat} | {text} | {fix} |\n")
    });
    format!("{head}{}", rows.collect::<String>())
}

/// With MYMT5_WRITE_README=1 it writes the table instead, and passes.
#[test]
fn the_readme_has_the_reasons_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("the table's beginning");
    let (copy, after) = rest.split_once(END).expect("the table's end");
    if env::var_os("MYMT5_WRITE_README").is_some_and(|value| value == "1") {
        fs::write(&path, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
        return;
    }
    assert_eq!(
        copy,
        table(),
        "write it again: MYMT5_WRITE_README=1 cargo test -p mymt5-proto --test readme"
    );
}

#[test]
fn codes_are_spelt_as_grpc_does() {
    assert_eq!(spelt(tonic::Code::DeadlineExceeded), "DEADLINE_EXCEEDED");
    assert_eq!(spelt(tonic::Code::Internal), "INTERNAL");
}
