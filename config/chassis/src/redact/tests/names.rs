//! Which fields are masked by their names alone, and which words only look like such names.

use super::*;

#[test]
fn every_sensitive_name_masks_in_every_style() {
    let names = [
        "password",
        "passwd",
        "pwd",
        "pass",
        "pass_phrase",
        "passphrase",
        "pass-phrase",
        "passcode",
        "pin",
        "secret",
        "secret_key",
        "client_secret",
        "token",
        "access_token",
        "refresh-token",
        "api_key",
        "api-key",
        "apikey",
        "access_key",
        "private_key",
        "privateKey",
        "encryption_key",
        "master-key",
        "ssh_key",
        "auth",
        "authorization",
        "bearer",
        "credential",
        "credentials",
        "creds",
        "cookie",
        "session",
        "sessionid",
        "otp",
        "jwt",
        "login",
        "account",
        "magic",
        "holder",
    ];
    let redactor = Redactor::new();
    redactor.set_fields(&["Holder".to_owned(), "x-company".to_owned()]);
    for name in names {
        let upper = name.to_ascii_uppercase();
        let camel = format!("my{}{}", upper.get(..1).unwrap(), name.get(1..).unwrap());
        for name in [
            name,
            &upper,
            &camel,
            &format!("old-{name}"),
            &format!("{name}_value"),
        ] {
            for line in [
                format!("n=1 {name}=QQQ"),
                format!("n=1 {name}: QQQ"),
                format!("n=1 {name} => QQQ"),
                format!("n=1 {name}=\"Q Q\""),
                format!("{{\"n\":1,\"{name}\":\"QQQ\"}}"),
                format!("{{\"n\":1,\"{name}\":\"Q\\\"Q\"}}"),
                serde_json::json!({ "n": 1, "in": format!("{{\"{name}\":\"QQQ\"}}") }).to_string(),
                format!("headers=[(\"n\", 1), (\"{name}\", \"QQQ\")]"),
                format!("https://host/path?n=1&{name}=QQQ"),
                format!("{{'n': 1, '{name}': 'QQQ'}}"),
                format!("n=1 --{name}=QQQ"),
                format!("n=1 {name}='Q Q'"),
            ] {
                let clean = redactor.clean(&line);
                assert!(
                    !clean.contains('Q') && clean.contains(MASK),
                    "{line}: {clean}"
                );
                assert!(
                    clean.contains('n') && clean.contains('1') || line.contains("host"),
                    "{clean}"
                );
            }
        }
    }
    assert_eq!(redactor.clean("X-Company: Q"), "X-Company: ***");
    for line in [
        "household=1 company=2",
        "(\"order\", \"x\")",
        "\"a\", \"b\"",
    ] {
        assert_eq!(redactor.clean(line), line);
    }
}

/// Whatever its value is: a word, a path, a number, or what tells nothing elsewhere.
#[test]
fn no_value_of_a_sensitive_name_is_taken_for_a_word() {
    for (line, wanted) in [
        ("pin: 4711", "pin: ***"),
        ("pass: 12345", "pass: ***"),
        ("password: failed-horse", "password: ***"),
        ("password: failedhorse", "password: ***"),
        ("password=failed", "password=***"),
        (r#"{"password":"failed"}"#, r#"{"password":"***"}"#),
        (r#"{"token":123456,"n":1}"#, r#"{"token":"***","n":1}"#),
        ("tokens: 123456", "tokens: ***"),
        ("tokens: 123x", "tokens: ***"),
        ("password_file=hunter22", "password_file=***"),
        ("MT5_PASSWORD_FILE=hunter22", "MT5_PASSWORD_FILE=***"),
        ("cookie: ok; sid=7", "cookie: ***"),
        ("login: 'failed'", "login: '***'"),
        (r#"{"pwd": "the quick fox"}"#, r#"{"pwd": "***"}"#),
        ("session: (no 7)", "session: ***"),
    ] {
        assert_eq!(clean(line), wanted, "{line}");
    }
}

#[test]
fn ordinary_words_keep_their_values() {
    for line in [
        "authorization failed",
        "the broker refused the login: authorization failed (-6)",
        "the broker refused the credentials: authorization failed (-6); correct MT5_PASSWORD",
        "login: failed: timeout",
        "MT5_PASSWORD: is empty; fix: set it to a value, or unset it",
        "gateway.token_file: cannot be read",
        "MT5_PASSWORD: both MT5_PASSWORD and MT5_PASSWORD_FILE are set",
        "token: expired.",
        "token: None",
        "tokens: 3",
        "max_tokens=4096 tokens=12, session_count=3",
        r#"{"tokens":3,"session_count":"12"}"#,
        "login_attempts=3",
        "token_file=/run/secrets/x key_path=certs/key.pem password_file=\"secrets/mt5\"",
        "passed: 3 passes=4 bypass=on compass=north passenger=x",
        "author: x authority=ca pinned=3 spinning=1 pint: 1",
        "sessions=2 obsession=x",
        "primary_key=x routing-key=x key=x keys=2 ssh_keys=3",
        "magical=1 logins_seen=x accounting=y",
        "mymt5_engine::session: connected",
        "mymt5_gateway::access::auth: refused",
    ] {
        assert_eq!(clean(line), line);
    }
}
