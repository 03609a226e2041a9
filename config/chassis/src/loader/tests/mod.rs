#![allow(clippy::unwrap_used, clippy::expect_used)]
mod secrets;

use super::*;
use crate::config_errors::ConfigErrors;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const TABLE: Table = Table {
    program: "demo",
    names: &[
        ("LOG_LEVEL", "logging.level"),
        ("RISK_MAX_PER_TRADE", "risk.max_per_trade"),
    ],
    secrets: &["MT5_LOGIN", "MT5_PASSWORD"],
    forbidden: &["SMTP_PASSWORD", "BOT_*"],
};

struct Place {
    folder: TempDir,
}

impl Place {
    fn new(toml: &str) -> Self {
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        place.write("demo.toml", toml, 0o644);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn try_open(&self, pairs: &[(&str, &str)]) -> Result<Reader, ConfigErrors> {
        let environment =
            Environment::from_pairs(pairs.iter().copied()).with_dotenv(&self.path(".env"));
        Reader::open(&TABLE, &self.path("demo.toml"), environment)
    }

    fn open(&self, pairs: &[(&str, &str)]) -> Reader {
        self.try_open(pairs).unwrap()
    }
}

#[test]
fn a_section_tells_its_own_keys() {
    let place = Place::new("[risk]\nmax_per_trade = 1.5\n[risky]\nlots = 2\n");
    let mut reader = place.open(&[]);
    reader.or("risk.max_per_trade", "a number", 0.5);
    reader.or("risk.max_lots", "a number", 3.0);
    reader.or("risky.lots", "a number", 1);
    let provenance = reader.finish().unwrap();
    let values: Vec<_> = provenance.section("risk").collect();
    assert_eq!(
        values,
        [("risk.max_lots", "3.0"), ("risk.max_per_trade", "1.5")]
    );
}

#[test]
fn a_section_tells_what_it_has() {
    let place = Place::new("[risk]\nlots = 2\n[risk.empty]\n");
    let mut reader = place.open(&[]);
    let section = reader.section("risk");
    let has = ["", "lots", "empty", "none", "lots.none"].map(|part| section.has(part));
    assert_eq!(has, [true, true, true, false, false]);
}

fn report(reader: Reader) -> String {
    reader.finish().unwrap_err().to_string()
}

#[track_caller]
fn has(report: &str, parts: &[&str]) {
    let found = report
        .lines()
        .any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(found, "no line with {parts:?} in:\n{report}");
}

#[test]
fn the_environment_wins_over_the_local_file_over_the_file() {
    let place =
        Place::new("[a]\none = 1\ntwo = 1\nthree = 1\nlist = [1, 2]\n[logging]\nlevel = 'info'");
    place.write(
        "demo.local.toml",
        "[a]\ntwo = 2\nthree = 2\nlist = [3]",
        0o644,
    );
    let mut reader = place.open(&[("MYMT5__A__THREE", "3"), ("LOG_LEVEL", "DEBUG")]);
    assert_eq!(reader.required::<u8>("a.one", "a number"), Some(1));
    assert_eq!(reader.required::<u8>("a.two", "a number"), Some(2));
    assert_eq!(reader.required::<u8>("a.three", "a number"), Some(3));
    assert_eq!(
        reader.required::<Vec<u8>>("a.list", "numbers"),
        Some(vec![3])
    );
    assert_eq!(
        reader
            .required::<String>("logging.level", "a level")
            .unwrap(),
        "DEBUG"
    );
    assert_eq!(reader.or("a.four", "a number", 4), 4);
    let shown = reader.finish().unwrap().to_string();
    assert_eq!(
        shown,
        "a.four = 4 (default)\na.list = [3] (demo.local.toml)\na.one = 1 (demo.toml)\na.three = \"3\" (environment MYMT5__A__THREE)\na.two = 2 (demo.local.toml)\nlogging.level = \"DEBUG\" (environment LOG_LEVEL)"
    );
}

#[test]
fn an_option_wins_over_all_and_a_clone_keeps_what_it_was_given() {
    let place = Place::new("[a]\none = 1\n[[many]]\nkind = 'ema'\nlength = 5");
    let opened = place.open(&[("MYMT5__A__ONE", "2")]);
    let read = |key: &str, text: &str| {
        let mut reader = opened.clone();
        reader.set("--vary", key, text).unwrap();
        assert_eq!(reader.count("many"), 1);
        let one: Option<u8> = reader.required("a.one", "a number");
        let kind: Option<String> = reader.required("many.0.kind", "a kind");
        let length: Option<u8> = reader.optional("many.0.length", "a number");
        (one, kind.unwrap(), length, reader)
    };
    let (one, kind, length, reader) = read("many.0.length", "20");
    assert_eq!((one, kind.as_str(), length), (Some(2), "ema", Some(20)));
    assert!(reader.knows("many.0.length"));
    assert!(reader.asked().any(|key| key == "many.0.kind"));
    let shown = reader.finish().unwrap().to_string();
    assert!(shown.contains("many.0.length = \"20\" (--vary)"), "{shown}");
    let (one, kind, length, _) = read("a.one", "3");
    assert_eq!((one, kind.as_str(), length), (Some(3), "ema", Some(5)));
    let (_, _, length, reader) = read("many.0.length", "long");
    assert_eq!(length, None);
    has(
        &report(reader),
        &["many.0.length: expected a number, found a text in --vary"],
    );
    let (_, _, _, reader) = read("many.0.lenght", "20");
    assert!(!reader.knows("many.0.lenght"));
    has(
        &report(reader),
        &[
            "many.0.lenght: unknown key in --vary",
            "rename it to many.0.length",
        ],
    );
    let mut reader = opened.clone();
    for key in ["", "a..b", "many.1.kind", "a.one.more"] {
        assert!(reader.set("--vary", key, "1").is_err(), "{key}");
    }
}

#[test]
fn a_variable_takes_the_type_of_its_reader() {
    let place = Place::new("");
    let mut reader = place.open(&[
        ("MYMT5__A__TEXT", "123"),
        ("MYMT5__A__NUMBER", "123"),
        ("MYMT5__A__FLAG", "true"),
        ("RISK_MAX_PER_TRADE", "2.0"),
        ("MYMT5__A__LIST", "[\"x\", \"y\"]"),
        ("MYMT5__A__ADDRESS", "[::1]:50051"),
        ("MYMT5__MANY", "[{\"kind\": \"ema\"}, {\"kind\": \"rsi\"}]"),
        ("MYMT5__CLIENTS__ALPHA__ROLE", "read"),
    ]);
    assert_eq!(reader.peek("a.flag"), Some(true));
    assert_eq!(reader.peek::<bool>("a.text"), None);
    assert_eq!(reader.required::<String>("a.text", "").unwrap(), "123");
    assert_eq!(reader.required::<i64>("a.number", ""), Some(123));
    assert_eq!(reader.required::<bool>("a.flag", ""), Some(true));
    assert_eq!(reader.required::<f64>("risk.max_per_trade", ""), Some(2.0));
    assert_eq!(
        reader.required::<Vec<String>>("a.list", "").unwrap(),
        ["x", "y"]
    );
    assert!(
        reader
            .required::<std::net::SocketAddr>("a.address", "")
            .is_some()
    );
    assert_eq!(reader.count("many"), 2);
    assert_eq!(reader.required::<String>("many.1.kind", "").unwrap(), "rsi");
    assert_eq!(reader.required::<String>("many.0.kind", "").unwrap(), "ema");
    assert_eq!(reader.names("clients"), ["alpha"]);
    assert_eq!(
        reader.required::<String>("clients.alpha.role", "").unwrap(),
        "read"
    );
    reader.finish().unwrap();
}

#[test]
fn variables_do_without_the_default_file() {
    let default = Path::new("config/demo.toml");
    let one = [("MYMT5__A__ONE", "1"), ("MYMT5_CONFIG", "environment")];
    let open = |file: &Path, pairs: &[(&str, &str)]| {
        Reader::open(&TABLE, file, Environment::from_pairs(pairs.iter().copied()))
    };
    let mut reader = open(default, &one).unwrap();
    assert_eq!(reader.required::<u8>("a.one", "a number"), Some(1));
    assert_eq!(reader.optional::<u8>("a.two", "a number"), None);
    reader.finish().unwrap();
    // Without the sign it may be another working folder, without the limits of its file.
    for (file, pairs) in [
        (default, &one[..1]),
        (default, &[one[0], ("MYMT5_CONFIG", "true")][..]),
        (default, &[][..]),
        (Path::new("config/other.toml"), &one[..]),
    ] {
        let report = open(file, pairs).map(drop).unwrap_err().to_string();
        has(&report, &["cannot be read (entity not found)"]);
    }
    // Who names a file wants that one.
    let named = Environment::from_pairs(one).with_file_named();
    let report = Reader::open(&TABLE, default, named).map(drop).unwrap_err();
    let told = "config/demo.toml: cannot be read (entity not found); fix: name an existing, readable file with --config";
    has(&report.to_string(), &[told]);
}

#[test]
fn a_file_that_is_away_when_it_is_read_again_is_a_fault() {
    let one = [("MYMT5__A__ONE", "1"), ("MYMT5_CONFIG", "environment")];
    let mut with_file = Environment::from_pairs(one);
    assert!(!with_file.stands_alone(false));
    assert!(!with_file.again().stands_alone(true));
    let mut alone = Environment::from_pairs(one);
    assert!(alone.stands_alone(true));
    assert!(alone.again().stands_alone(true));
}

#[test]
fn tables_and_lists_are_walked_and_overridden_in_place() {
    let place = Place::new(
        "[clients.beta]\nx = 1\n[clients.alpha]\nx = 2\n[[many]]\nkind = 'a'\n[[many]]\nkind = 'b'\n[map]\n'EUR.x' = 'EURUSD'\n[empty]\n[opened]",
    );
    let mut reader = place.open(&[("MYMT5__MANY__1__KIND", "c")]);
    assert_eq!(reader.names("clients"), ["alpha", "beta"]);
    assert_eq!(reader.names("nobody"), Vec::<String>::new());
    assert_eq!(reader.count("nothing"), 0);
    for name in ["alpha", "beta"] {
        assert!(
            reader
                .required::<u8>(&format!("clients.{name}.x"), "")
                .is_some()
        );
    }
    assert_eq!(reader.count("many"), 2);
    assert_eq!(reader.required::<String>("many.0.kind", "").unwrap(), "a");
    assert_eq!(reader.required::<String>("many.1.kind", "").unwrap(), "c");
    let map: std::collections::BTreeMap<String, String> = reader.required("map", "a map").unwrap();
    assert_eq!(map["EUR.x"], "EURUSD");
    assert_eq!(reader.optional::<u8>("opened.key", ""), None);
    let errors = reader.finish().unwrap_err();
    assert_eq!(errors.0.len(), 1, "{errors}");
    has(&errors.to_string(), &["empty: unknown key in demo.toml"]);
}

#[test]
fn one_report_holds_every_fault_and_no_value() {
    let place = Place::new(
        "[a]\nnumber = 'val-one'\nflag = 'val-two'\nlisten = 'val-three'\nunread = 'val-four'\nnames = 3\ncount = [1]\npath = ''",
    );
    let mut reader = place.open(&[
        ("MYMT5__A__OTHER", "val-five"),
        ("MYMT5__A__", "val-six"),
        ("MYMT5__A__FLAG__DEEP", "val-seven"),
    ]);
    assert_eq!(
        reader.required::<u32>("a.number", "a number of things"),
        None
    );
    assert!(reader.or("a.flag", "true or false", true));
    assert_eq!(reader.required::<u32>("a.missing", "a number"), None);
    assert_eq!(
        reader.required::<std::net::SocketAddr>("a.listen", "an address"),
        None
    );
    assert!(reader.names("a.names").is_empty());
    assert_eq!(reader.count("a.count"), 0);
    assert_eq!(reader.path("a.path", "a file"), None);
    reader.reject("a.number", "is odd", "make it even");
    let report = report(reader);
    has(&report, &["12 faults"]);
    has(
        &report,
        &[
            "a.number: expected a number of things, found a text in demo.toml",
            "MYMT5__A__NUMBER",
        ],
    );
    has(&report, &["a.flag:", "expected true or false"]);
    has(
        &report,
        &[
            "a.missing: is missing; fix: set it in",
            "demo.toml, or MYMT5__A__MISSING, to a number",
        ],
    );
    has(&report, &["a.listen:"]);
    has(
        &report,
        &["a.names: expected", "[a.names.NAME], found a number"],
    );
    has(&report, &["a.count: expected", "[[a.count]], found a list"]);
    has(&report, &["a.path: is empty"]);
    has(&report, &["a.number: is odd; fix: make it even"]);
    has(&report, &["a.unread: unknown key in demo.toml"]);
    has(
        &report,
        &["a.other: unknown key in environment MYMT5__A__OTHER"],
    );
    has(&report, &["MYMT5__A__: names no key"]);
    has(&report, &["MYMT5__A__FLAG__DEEP: leads through a value"]);
    assert!(!report.contains("val-"), "{report}");
}

#[test]
fn an_unknown_key_is_told_what_was_meant() {
    let place = Place::new("[server]\nlistn = '127.0.0.1:1'\n[wholly.elsewhere]\nx = 1");
    let mut reader = place.open(&[("MYMT5__LOGING__LEVEL", "x")]);
    reader.optional::<String>("server.listen", "");
    reader.optional::<String>("logging.level", "");
    let report = report(reader);
    has(&report, &["server.listn", "rename it to server.listen"]);
    has(&report, &["loging.level", "rename it to logging.level"]);
    has(&report, &["wholly.elsewhere.x", "fix: remove it"]);
}

#[test]
fn a_value_in_a_tables_place_is_told_to_be_a_table() {
    let place = Place::new("server = 5\nlogging = []");
    let mut reader = place.open(&[]);
    reader.optional::<String>("server.listen", "");
    reader.optional::<String>("logging.level", "");
    let report = report(reader);
    has(
        &report,
        &[
            "server: expected a table, found a number in demo.toml; fix: write it as a table, [server]",
        ],
    );
    has(&report, &["logging: expected a table, found a list"]);
}

#[test]
fn broken_files_are_named_with_the_line_but_not_its_text() {
    let place = Place::new("good = 1\npassword = hidden-1\n");
    place.write("demo.local.toml", "x = 1\nx = 2\n", 0o644);
    let report = place.try_open(&[]).err().unwrap().to_string();
    has(&report, &["2 faults"]);
    has(&report, &["demo.toml: is not valid TOML at line 2"]);
    has(&report, &["demo.local.toml: is not valid TOML at line 2"]);
    assert!(!report.contains("hidden"), "{report}");

    let environment = Environment::from_pairs([("SMTP_PASSWORD", "hidden-1")]);
    let report = Reader::open(&TABLE, Path::new("/nowhere/x.toml"), environment)
        .err()
        .unwrap()
        .to_string();
    has(&report, &["/nowhere/x.toml: cannot be read", "--config"]);
    has(&report, &["SMTP_PASSWORD: must not be"]);
    assert!(!report.contains("hidden"), "{report}");
}

/// The crate that merges the files would make lists of as many items as such keys say.
#[test]
fn a_key_that_is_an_expression_is_refused() {
    let place = Place::new("'many[20000000]' = 1\n");
    place.write("demo.local.toml", "'hidden.key' = 1\n", 0o644);
    let report = place.try_open(&[]).err().unwrap().to_string();
    has(&report, &["2 faults"]);
    has(&report, &["demo.toml: has a key outside its tables"]);
    has(&report, &["demo.local.toml: has a key outside its tables"]);
    assert!(!report.contains("hidden"), "{report}");
    assert!(
        Reader::of_text(
            &TABLE,
            "'many[9]' = 1",
            Environment::from_pairs::<&str, &str>([])
        )
        .is_err()
    );
}

#[test]
fn dotenv_gives_way_to_the_process_and_only_own_names_are_taken() {
    let place = Place::new("");
    place.write(".env", "# local\nexport LOG_LEVEL=debug\nMT5_PASSWORD='from the file'\nSMTP_HOST=ignored\nMYMT5__A__B=1\nMYMT5__FOR__THE_OTHER=1\nRISK_MAX_PER_TRADE=1\n", 0o600);
    let mut reader = place.open(&[("RISK_MAX_PER_TRADE", "2")]);
    assert_eq!(
        reader.required::<String>("logging.level", "").unwrap(),
        "debug"
    );
    assert_eq!(reader.required::<u8>("a.b", ""), Some(1));
    assert_eq!(reader.required::<u8>("risk.max_per_trade", ""), Some(2));
    assert_eq!(
        reader.secret("MT5_PASSWORD").unwrap().expose(),
        "from the file"
    );
    let provenance = reader.finish().unwrap();
    has(
        &provenance.to_string(),
        &["logging.level = \"debug\" (.env LOG_LEVEL)"],
    );
    has(
        &provenance.to_string(),
        &["MT5_PASSWORD = *** (.env MT5_PASSWORD)"],
    );
    let [kept, unknown] = provenance.warnings() else {
        panic!("{:?}", provenance.warnings());
    };
    assert!(kept.starts_with("MT5_PASSWORD comes from .env MT5_PASSWORD and stays in memory"));
    assert!(unknown.contains("MYMT5__FOR__THE_OTHER"));
}

#[test]
fn what_a_dotenv_held_stays_while_it_is_away() {
    let place = Place::new("");
    let text = "RISK_MAX_PER_TRADE=1\nMYMT5__LIMITS__LOTS=2\nMT5_PASSWORD=of-the-file\n";
    place.write(".env", text, 0o600);
    let read = |environment: Environment| {
        let again = environment.again().with_dotenv(&place.path(".env"));
        let mut reader = Reader::open(&TABLE, &place.path("demo.toml"), again).unwrap();
        let found = (
            reader.optional::<u8>("risk.max_per_trade", ""),
            reader.optional::<u8>("limits.lots", ""),
            reader.secret("MT5_PASSWORD").is_some(),
        );
        let environment = reader.environment();
        let provenance = reader.finish().unwrap();
        let mut told = provenance.warnings().iter();
        let is_told = told.any(|warning| warning.contains(".env is away"));
        assert_eq!(is_told, environment.leaves_dotenv_unread());
        (found, environment)
    };
    let held = (Some(1), Some(2), true);
    let (found, environment) = read(Environment::from_pairs([("", ""); 0]));
    assert_eq!((found, environment.leaves_dotenv_unread()), (held, false));
    fs::remove_file(place.path(".env")).unwrap();
    let (found, environment) = read(environment);
    assert_eq!((found, environment.leaves_dotenv_unread()), (held, true));
    let (found, environment) = read(environment);
    assert_eq!((found, environment.leaves_dotenv_unread()), (held, true));
    // It is back, and says less.
    place.write(".env", "RISK_MAX_PER_TRADE=3\n", 0o600);
    let (found, environment) = read(environment);
    let held = (Some(3), None, false);
    assert_eq!((found, environment.leaves_dotenv_unread()), (held, false));
    // One that never was there is not missed.
    fs::remove_file(place.path(".env")).unwrap();
    let (_, environment) = read(Environment::from_pairs([("", ""); 0]));
    assert!(!environment.leaves_dotenv_unread());
}

#[test]
fn dotenv_open_to_others_or_broken_is_refused() {
    for mode in [0o644, 0o640, 0o604, 0o700] {
        let place = Place::new("");
        place.write(".env", "LOG_LEVEL=hidden-1", mode);
        let mut reader = place.open(&[]);
        assert_eq!(reader.optional::<String>("logging.level", ""), None);
        has(
            &report(reader),
            &[".env: may be read by other users; fix: chmod 600"],
        );
    }
    for mode in [0o600, 0o400] {
        let place = Place::new("");
        place.write(".env", "LOG_LEVEL=x\nhidden-1", mode);
        let mut reader = place.open(&[]);
        assert!(reader.optional::<String>("logging.level", "").is_some());
        let report = report(reader);
        has(&report, &[".env:2: is not a line of the form NAME=VALUE"]);
        assert!(!report.contains("hidden"), "{report}");
    }
}

#[test]
fn a_name_without_a_value_is_a_fault_and_not_an_absent_one() {
    let place = Place::new("");
    let mut reader = place.open(&[("RISK_MAX_PER_TRADE", "")]);
    assert_eq!(reader.optional::<f64>("risk.max_per_trade", ""), None);
    has(
        &report(reader),
        &["RISK_MAX_PER_TRADE: is empty; fix: give it a value, or unset it"],
    );
    place.write(".env", "RISK_MAX_PER_TRADE= # none\n", 0o600);
    has(&report(place.open(&[])), &["RISK_MAX_PER_TRADE: is empty"]);
    let mut reader = place.open(&[("RISK_MAX_PER_TRADE", "2")]);
    assert_eq!(reader.optional("risk.max_per_trade", ""), Some(2));
    reader.finish().unwrap();
}

#[test]
fn a_name_and_its_long_form_together_are_a_fault_and_a_near_miss_is_a_warning() {
    let place = Place::new("");
    let mut reader = place.open(&[
        ("LOG_LEVEL", "a"),
        ("MYMT5__LOGGING__LEVEL", "b"),
        ("MYMT5_X", "c"),
    ]);
    reader.optional::<String>("logging.level", "");
    assert_eq!(reader.warnings().len(), 1);
    assert!(reader.warnings()[0].starts_with("MYMT5_X is ignored"));
    has(
        &report(reader),
        &["LOG_LEVEL: both it and MYMT5__LOGGING__LEVEL are set"],
    );
}
