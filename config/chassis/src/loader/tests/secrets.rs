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
    let large = place.write("large", &"x".repeat(2000), 0o600);
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
        (&[("MT5_PASSWORD_FILE", &large)], "larger than 1 KiB"),
        (&[("MT5_PASSWORD_FILE", &lines)], "control characters"),
        (&[("MT5_PASSWORD_FILE", &empty)], "is empty"),
        (
            &[("MT5_PASSWORD_FILE", "/nowhere/at/all")],
            "the path in MT5_PASSWORD_FILE leads nowhere",
        ),
        (&[("MT5_PASSWORD_FILE", &folder)], "is not a file"),
        (&[("MT5_PASSWORD", "short")], "shorter than 6"),
    ];
    for (pairs, reason) in cases {
        let mut reader = place.open(pairs);
        assert!(reader.secret("MT5_PASSWORD").is_none());
        // The caller, who wants it, adds nothing to what is known.
        reader.reject("MT5_PASSWORD", "is missing", "set it");
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
    has(
        &report(reader),
        &["UNLISTED: is not in this program's table"],
    );
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
fn a_folder_of_secrets_is_read_as_an_orchestrator_mounts_it() {
    let mounted = Place::new("");
    fs::create_dir(mounted.path("..first")).unwrap();
    mounted.write("..first/MT5_PASSWORD", "correct horse\n", 0o644);
    std::os::unix::fs::symlink("..first", mounted.path("..data")).unwrap();
    std::os::unix::fs::symlink("..data/MT5_PASSWORD", mounted.path("MT5_PASSWORD")).unwrap();
    let folder = mounted.folder.path().to_str().unwrap();
    let place = Place::new(&format!("[secrets]\nfolder = '{folder}'"));
    let mut reader = place.open(&[]);
    let password = reader.secret("MT5_PASSWORD").unwrap();
    assert_eq!(password.expose(), "correct horse");
    assert!(reader.secret("MT5_LOGIN").is_none());
    let shown = reader.finish().unwrap().to_string();
    has(&shown, &["MT5_PASSWORD = *** (a file of secrets.folder)"]);
    // A link that leads nowhere is told, though another source has it.
    fs::remove_file(mounted.path("..data")).unwrap();
    let other = Place::new("");
    other.write("MT5_PASSWORD", "battery staple", 0o600);
    let mut reader = place.open(&[(
        "CREDENTIALS_DIRECTORY",
        other.folder.path().to_str().unwrap(),
    )]);
    assert!(reader.secret("MT5_PASSWORD").is_none());
    has(&report(reader), &["MT5_PASSWORD: ", "cannot be read"]);
    // A folder by a variable, and one that is not there.
    let nowhere = mounted.path("nowhere");
    let reader = place.open(&[("MYMT5__SECRETS__FOLDER", nowhere.to_str().unwrap())]);
    has(&report(reader), &["secrets.folder: is not a folder"]);
}

/// As root no file is told from an orchestrator's.
#[test]
fn a_file_that_was_put_into_the_folder_of_secrets_must_be_closed() {
    let hand = Place::new("");
    let folder = hand.folder.path().to_owned();
    let enter = |mode| fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
    let place = Place::new(&format!("[secrets]\nfolder = '{}'", folder.display()));
    let is_root = rustix::process::geteuid().is_root();
    let above = folder.ancestors().skip(1);
    let mut modes = above.map(|above| above.metadata().unwrap().permissions().mode());
    let barred_above = modes.any(|mode| mode & 0o077 == 0);
    for (mode, folder, refused) in [
        (0o644, 0o755, !is_root && !barred_above),
        (0o644, 0o700, false),
        (0o600, 0o755, false),
    ] {
        hand.write("MT5_PASSWORD", "correct horse", mode);
        enter(folder);
        let mut reader = place.open(&[]);
        assert_eq!(reader.secret("MT5_PASSWORD").is_none(), refused, "{mode:o}");
        if refused {
            has(&report(reader), &["MT5_PASSWORD: ", "chmod 600"]);
        }
    }
}

/// Every set of sources that can be there at once, and which of them wins.
#[test]
fn sources_win_in_their_order_and_tell_whom_they_hide() {
    let (folder, credentials) = (Place::new(""), Place::new(""));
    let file = folder.write("named", "of-the-file", 0o600);
    let folder_path = folder.folder.path().to_str().unwrap().to_owned();
    let credentials_path = credentials.folder.path().to_str().unwrap().to_owned();
    credentials.write("MT5_PASSWORD", "of-the-credentials", 0o600);
    folder.write("MT5_PASSWORD", "of-the-folder", 0o600);
    for set in 1_u8..16 {
        let has_it = |bit: u8| set & 1 << bit != 0;
        let place = Place::new("");
        let mut pairs = Vec::new();
        let mut order = Vec::new();
        if has_it(0) {
            pairs.push(("MT5_PASSWORD", "of-the-variable"));
            order.push("of-the-variable");
        }
        if has_it(1) {
            pairs.push(("MT5_PASSWORD_FILE", &file));
            order.push("of-the-file");
        }
        if has_it(2) {
            pairs.push(("MYMT5__SECRETS__FOLDER", &folder_path));
            order.push("of-the-folder");
        }
        if has_it(3) {
            pairs.push(("CREDENTIALS_DIRECTORY", &credentials_path));
            order.push("of-the-credentials");
        }
        let mut reader = place.open(&pairs);
        let found = reader.secret("MT5_PASSWORD");
        if has_it(0) && has_it(1) {
            assert!(found.is_none());
            has(&report(reader), &["both MT5_PASSWORD and"]);
            continue;
        }
        assert_eq!(found.unwrap().expose(), order[0], "{set:04b}");
        let hidden = order.len() - 1;
        let kept = usize::from(has_it(0));
        assert_eq!(reader.warnings().len(), hidden + kept, "{set:04b}");
        reader.finish().unwrap();
    }
}

/// A secret put in a wrong place: as the path of its file, a name, a key, another value.
#[test]
fn a_secret_in_a_wrong_place_is_not_told() {
    let place = Place::new("[clients.correct-horse]\nkind = 1\n[symbols]\n'correct-horse' = 1");
    let pairs = [
        ("MT5_PASSWORD", "correct-horse"),
        ("MT5_LOGIN_FILE", "battery-staple"),
    ];
    let mut reader = place.open(&pairs);
    assert!(reader.secret("MT5_LOGIN").is_none());
    for name in reader.names("clients") {
        reader.reject(&format!("clients.{name}"), "is no client", "rename it");
    }
    let told = report(reader);
    has(
        &told,
        &["MT5_LOGIN: the path in MT5_LOGIN_FILE leads nowhere"],
    );
    has(&told, &["clients.***: is no client"]);
    has(&told, &["symbols.***: unknown key"]);
    assert!(
        !told.contains("horse") && !told.contains("staple"),
        "{told}"
    );
    // That of a file is known once it is read, also when another has taken it over.
    let secret = place.write("secret", "correct-horse", 0o600);
    let mut reader = place.open(&[("MT5_PASSWORD_FILE", &secret)]);
    assert!(reader.secret("MT5_PASSWORD").is_some());
    let _taken = reader.found_secrets();
    let told = report(reader);
    has(&told, &["symbols.***: unknown key"]);
    assert!(!told.contains("horse"), "{told}");
}

#[test]
fn only_a_number_may_be_a_short_login() {
    let place = Place::new("");
    let mut reader = place.open(&[("MT5_LOGIN", "12a")]);
    assert!(reader.secret("MT5_LOGIN").is_none());
    has(&report(reader), &["MT5_LOGIN: is not an account number"]);
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

#[test]
fn a_star_of_a_pattern_stands_for_anything() {
    for (pattern, name, wanted) in [
        ("A", "A", true),
        ("A", "AB", false),
        ("A*", "A", true),
        ("A*", "AB", true),
        ("A*", "BA", false),
        ("SMTP_*PASS*", "SMTP_PASS", true),
        ("SMTP_*PASS*", "SMTP_USER_PASSWORD", true),
        ("SMTP_*PASS*", "SMTP_PASSPASS", true),
        ("SMTP_*PASS*", "SMTP_HOST", false),
        ("SMTP_*PASS*", "SMTPPASS", false),
        ("A*É*", "A\u{c9}", true),
        ("*", "", true),
    ] {
        assert_eq!(fits(pattern, name), wanted, "{pattern} {name}");
    }
}

#[test]
fn forbidden_names_are_refused_in_a_dotenv_that_can_be_read() {
    let place = Place::new("");
    place.write(
        ".env",
        "SMTP_PASSWORD=hidden\nexport BOT_TOKEN_FILE=/hidden\nBOT_NAME=\nROBOT_TOKEN=fine\n",
        0o600,
    );
    let report = report(place.open(&[]));
    has(&report, &["2 faults"]);
    for name in ["SMTP_PASSWORD", "BOT_TOKEN_FILE"] {
        has(
            &report,
            &[name, ".env, where demo can read it; fix: run demo as"],
        );
    }
    assert!(!report.contains("hidden"), "{report}");
}
