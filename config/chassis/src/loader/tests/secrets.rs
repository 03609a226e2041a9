//! Where secrets may come from, and where not.

use super::*;

#[test]
fn a_secret_in_a_file_is_refused_unprinted() {
    let place = Place::new(
        "mt5_login = 99887766\n[smtp]\npassword = 'hidden-1'\ntoken_file = '/x'\n[[many]]\nbot-token = 'hidden-2'\ntokens = ['hidden-3']\n[client]\ntoken_sha256 = 'abcdef'",
    );
    place.write("demo.local.toml", "[mt5]\npassword = 'hidden-4'", 0o600);
    let mut reader = place.open(&[("MYMT5__MAIL__API_KEY", "hidden-5")]);
    reader.required::<String>("smtp.token_file", "");
    reader.required::<String>("client.token_sha256", "");
    reader.count("many");
    let report = report(reader);
    has(&report, &["6 faults"]);
    has(
        &report,
        &[
            "mt5_login: a secret stands in demo.toml",
            "MT5_LOGIN or MT5_LOGIN_FILE",
        ],
    );
    has(&report, &["smtp.password: a secret"]);
    has(
        &report,
        &[
            "mt5.password: a secret stands in demo.local.toml",
            "give MT5_PASSWORD or",
        ],
    );
    has(&report, &["many.0.bot-token: a secret"]);
    has(&report, &["many.0.tokens: a secret"]);
    has(
        &report,
        &["mail.api_key: a secret stands in environment MYMT5__MAIL__API_KEY"],
    );
    assert!(
        !report.contains("hidden") && !report.contains("99887766"),
        "{report}"
    );
}

#[test]
fn the_hash_of_a_token_is_not_printed() {
    let place = Place::new("[client]\ntoken_sha256 = 'abcdef'");
    let mut reader = place.open(&[]);
    reader.required::<String>("client.token_sha256", "");
    assert_eq!(
        reader.finish().unwrap().to_string(),
        "client.token_sha256 = *** (demo.toml)"
    );
}

#[test]
fn secrets_come_from_a_variable_or_a_closed_file() {
    let place = Place::new("");
    let file = place.write("login", "12345678\n", 0o600);
    let mut reader = place.open(&[("MT5_PASSWORD", "correct horse"), ("MT5_LOGIN_FILE", &file)]);
    assert_eq!(
        reader.secret("MT5_PASSWORD").unwrap().expose(),
        "correct horse"
    );
    assert_eq!(reader.secret("MT5_LOGIN").unwrap().expose(), "12345678");
    let shown = reader.finish().unwrap().to_string();
    assert_eq!(
        shown,
        "MT5_LOGIN = *** (file of MT5_LOGIN_FILE)\nMT5_PASSWORD = *** (environment MT5_PASSWORD)"
    );
}

#[test]
fn an_absent_or_empty_secret_is_no_fault_of_the_loader() {
    let place = Place::new("");
    let mut reader = place.open(&[("MT5_PASSWORD", "")]);
    assert!(reader.secret("MT5_PASSWORD").is_none());
    assert!(reader.secret("MT5_LOGIN").is_none());
    reader.finish().unwrap();
}

#[test]
fn secrets_that_break_the_rules_are_refused() {
    let place = Place::new("");
    let good = place.write("good", "correct horse", 0o600);
    let open = place.write("open", "correct horse", 0o640);
    let large = place.write("large", &"x".repeat(64 * 1024 + 1), 0o600);
    let lines = place.write("lines", "one-line\ntwo-line\n", 0o600);
    let empty = place.write("empty", "\n", 0o600);
    let folder = place.folder.path().to_str().unwrap().to_owned();
    let cases: [(&[(&str, &str)], &str); 8] = [
        (
            &[
                ("MT5_PASSWORD", "correct horse"),
                ("MT5_PASSWORD_FILE", &good),
            ],
            "both",
        ),
        (&[("MT5_PASSWORD_FILE", &open)], "chmod 600"),
        (&[("MT5_PASSWORD_FILE", &large)], "larger than 64 KiB"),
        (&[("MT5_PASSWORD_FILE", &lines)], "control characters"),
        (&[("MT5_PASSWORD_FILE", &empty)], "is empty"),
        (
            &[("MT5_PASSWORD_FILE", "/nowhere/at/all")],
            "cannot be read",
        ),
        (&[("MT5_PASSWORD_FILE", &folder)], "is not a file"),
        (&[("MT5_PASSWORD", "short")], "shorter than 6"),
    ];
    for (pairs, reason) in cases {
        let mut reader = place.open(pairs);
        assert!(reader.secret("MT5_PASSWORD").is_none());
        // The caller, who wants it, adds nothing to what is known.
        reader.fault("MT5_PASSWORD", "is missing", "set it");
        let report = report(reader);
        has(&report, &["1 fault"]);
        has(&report, &["MT5_PASSWORD: ", reason]);
        assert!(
            !report.contains("horse") && !report.contains("line\n"),
            "{report}"
        );
    }
    let mut reader = place.open(&[("MT5_LOGIN", "123")]);
    assert_eq!(reader.secret("MT5_LOGIN").unwrap().expose(), "123");
    assert!(reader.secret("UNLISTED").is_none());
    has(&report(reader), &["UNLISTED: is no secret of this program"]);
}

#[test]
fn the_credentials_directory_may_be_readable_and_is_searched() {
    let place = Place::new("");
    place.write("MT5_PASSWORD", "correct horse\n", 0o644);
    let other = place.write("other", "12345678", 0o644);
    let folder = place.folder.path().to_str().unwrap();
    let pairs = [
        ("CREDENTIALS_DIRECTORY", folder),
        ("MT5_LOGIN_FILE", other.as_str()),
    ];
    let mut reader = place.open(&pairs);
    assert_eq!(
        reader.secret("MT5_PASSWORD").unwrap().expose(),
        "correct horse"
    );
    assert_eq!(reader.secret("MT5_LOGIN").unwrap().expose(), "12345678");
    reader.finish().unwrap();
    // A root that holds everything exempts nothing.
    let mut reader = place.open(&[("CREDENTIALS_DIRECTORY", "/"), pairs[1]]);
    assert!(reader.secret("MT5_LOGIN").is_none());
    has(&report(reader), &["chmod 600"]);
}

#[test]
fn forbidden_names_are_refused_in_every_form() {
    let place = Place::new("");
    let reader = place.open(&[
        ("SMTP_PASSWORD", ""),
        ("SMTP_PASSWORD_FILE", "/hidden"),
        ("BOT_TOKEN", "hidden"),
        ("ROBOT_TOKEN", "fine"),
    ]);
    let report = report(reader);
    has(&report, &["2 faults"]);
    has(
        &report,
        &[
            "SMTP_PASSWORD_FILE: must not be in the environment of demo",
            "unset",
        ],
    );
    has(&report, &["BOT_TOKEN: must not be"]);
    assert!(!report.contains("hidden"), "{report}");
}
