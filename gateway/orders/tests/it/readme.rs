//! The table of obstacles in the gateway's README is a copy of the one in the code.

use mymt5_orders::ObstacleKind;
use std::{env, fs, path::Path};

const BEGIN: &str = "<!-- obstacles: begin -->\n";
const END: &str = "<!-- obstacles: end -->";

fn table() -> String {
    let head = "| name | what it closes | what ends it |\n|---|---|---|\n";
    let rows = ObstacleKind::ALL.iter().map(|kind| {
        let (name, closes, ends) = (kind.name(), kind.closes(), kind.ends());
        format!("| `{name}` | {closes} | {ends} |\n")
    });
    format!("{head}{}", rows.collect::<String>())
}

/// With MYMT5_WRITE_README=1 it writes the table instead, and passes.
#[test]
fn the_readme_has_the_obstacles_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
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
        "rewrite it: MYMT5_WRITE_README=1 cargo test -p mymt5-orders --test it readme"
    );
}
