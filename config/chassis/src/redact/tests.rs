#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::prelude::*;

fn clean(line: &str) -> String {
    Redactor::new().clean(line).into_owned()
}

#[test]
fn fields_in_every_form() {
    for (line, wanted) in [
        ("password=hunter22 user=bob", "password=*** user=bob"),
        (
            "password=\"two words\" user=bob",
            "password=\"***\" user=bob",
        ),
        (
            r#"password="quo\"ted \\" user=bob"#,
            r#"password="***" user=bob"#,
        ),
        (
            r#"{"smtp_password":"x y","n":1}"#,
            r#"{"smtp_password":"***","n":1}"#,
        ),
        (r#"{"login":12345678,"n":1}"#, r#"{"login":"***","n":1}"#),
        (
            r#"{"a":"{\"token\":\"x\\\"y\",\"n\":1}"}"#,
            r#"{"a":"{\"token\":\"***\",\"n\":1}"}"#,
        ),
        ("Api-Key: abc, next", "Api-Key: ***, next"),
        ("apiKey: abc", "apiKey: ***"),
        (
            "accessToken => x; botToken: y",
            "accessToken => ***; botToken: ***",
        ),
        (
            "Auth { token: Some(\"a b\"), n: 1 }",
            "Auth { token: ***, n: 1 }",
        ),
        ("secret=[1, 2, 3] n=1", "secret=*** n=1"),
        ("secret=(\"a)b\", 2) n=1", "secret=*** n=1"),
        ("secret=[1, 2", "secret=***"),
        ("password=\"never closed", "password=\"***"),
        (
            "authorization: Bearer abc.def n=1",
            "authorization: *** n=1",
        ),
        (
            "authorization=\"Basic abc\" n=1",
            "authorization=\"***\" n=1",
        ),
        ("cookie: a=b; c=d", "cookie: ***"),
        ("order.magic=77 n=1", "order.magic=*** n=1"),
        ("account=12345678", "account=***"),
        ("https://h/x?token=abc&n=1", "https://h/x?token=***&n=1"),
        ("passwd = x", "passwd = ***"),
        ("'password': 'x y'", "'password': '***'"),
    ] {
        assert_eq!(clean(line), wanted, "{line}");
    }
}

#[test]
fn what_is_not_sensitive_stays_and_is_not_copied() {
    for line in [
        "order accepted ticket=12345678 lots=0.10 symbol=EURUSD",
        "magical=1 logins_seen=x accounting=y",
        "token_file=/run/secrets/x",
        "account=****5678 password=\"***\" token=***",
        "2026-01-31T23:59:59.999Z  INFO gateway: link up",
        "https://host:443/path a:b",
        "INFO gateway::access::token: refused client=alpha",
        "INFO secrets::access: refused",
        "password=",
        "password:",
        "",
    ] {
        let redactor = Redactor::new();
        assert!(
            matches!(redactor.clean(line), Cow::Borrowed(same) if same == line),
            "{line}"
        );
    }
    // Not an account's last digits, only dressed as one.
    assert_eq!(clean("account=****12345678"), "account=***");
    assert_eq!(clean("password=****hunter"), "password=***");
}

#[test]
fn account_numbers_are_masked_as_whole_numbers() {
    let redactor = Redactor::new();
    redactor.set_values(&[], &["12345678", "777", "not a number", ""]);
    for (line, wanted) in [
        ("at 12345678, then", "at ****5678, then"),
        ("12345678", "****5678"),
        (
            "login 12345678 and 12345678.",
            "login ****5678 and ****5678.",
        ),
        ("ticket 1123456789", "ticket 1123456789"),
        ("time 123456780", "time 123456780"),
        ("n 777 7777", "n **** 7777"),
        ("login=12345678", "login=****5678"),
        ("not a number", "not a number"),
        (r#"{"by":12345678,"n":1}"#, r#"{"by":"****5678","n":1}"#),
        (r#""{\"by\":12345678}""#, r#""{\"by\":\"****5678\"}""#),
        (
            r#"{"login":12345678,"n":1}"#,
            r#"{"login":"****5678","n":1}"#,
        ),
    ] {
        assert_eq!(redactor.clean(line), wanted, "{line}");
    }
}

#[test]
fn credentials_are_known_by_their_form() {
    for (line, wanted) in [
        ("sent bearer abcdefgh12345 to x", "sent bearer *** to x"),
        ("the bearer of news", "the bearer of news"),
        ("got eyJhbGciOi.eyJzdWIi.c2lnbmF0 back", "got *** back"),
        ("eyJust a word", "eyJust a word"),
        ("postgres://bob:p:w@d@host/db", "postgres://bob:***@host/db"),
        (
            "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY----- x",
            "-----BEGIN PRIVATE KEY***-----END PRIVATE KEY----- x",
        ),
        (
            "-----BEGIN EC PRIVATE KEY-----\\nabc",
            "-----BEGIN EC PRIVATE KEY***",
        ),
        (
            "-----BEGIN CERTIFICATE-----\nabc",
            "-----BEGIN CERTIFICATE-----\nabc",
        ),
    ] {
        assert_eq!(clean(line), wanted, "{line}");
    }
}

#[test]
fn clones_share_a_rotation() {
    let redactor = Redactor::new();
    let clone = redactor.clone();
    let (old, new) = (Secret::new("old-value"), Secret::new("new-value"));
    redactor.set_values(&[&old], &[]);
    assert_eq!(clone.clean("old-value new-value"), "*** new-value");
    redactor.set_values(&[&new, &old], &[]);
    assert_eq!(clone.clean("old-value new-value"), "*** ***");
    redactor.set_values(&[], &[]);
    assert_eq!(clone.clean("old-value new-value"), "old-value new-value");
}

/// Every way a log may give the secret; written apart from the redactor's own.
fn told(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let wide: Vec<u16> = secret.encode_utf16().collect();
    let json = serde_json::to_string(secret).unwrap();
    let form: String = bytes
        .iter()
        .map(|b| {
            if b.is_ascii_alphanumeric() {
                char::from(*b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect();
    vec![
        secret.to_owned(),
        format!("{secret:?}"),
        format!("{:?}", format!("{secret:?}")),
        json.clone(),
        serde_json::to_string(&json).unwrap(),
        format!("{json:?}"),
        form,
        STANDARD.encode(bytes),
        URL_SAFE.encode(bytes),
        hex::encode(bytes),
        hex::encode_upper(bytes),
        format!("{bytes:?}"),
        format!("{bytes:02x?}"),
        serde_json::to_string(bytes).unwrap(),
        format!("{wide:?}"),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_planted_secret_survives(secret in "[ -~äß€😀]{6,20}", before in "[ -~]{0,12}", after in "[ -~]{0,12}") {
        // A text that the quoting itself brings, or the mask, is in every line.
        prop_assume!(!secret.chars().all(|c| "\\\"*, ".contains(c)));
        let value = Secret::new(secret.as_str());
        let redactor = Redactor::new();
        redactor.set_values(&[&value], &[]);
        for form in told(&secret) {
            let bare = form.trim_matches(|c| matches!(c, '[' | ']' | '=') );
            let inner = bare.strip_prefix('"').and_then(|b| b.strip_suffix('"')).unwrap_or(bare);
            for line in [form.clone(), format!("said {form} then"), format!("{before} {form} {after}")] {
                let clean = redactor.clean(&line);
                prop_assert!(!clean.contains(inner), "{inner} survived in {clean}");
            }
        }
        for user in ["", "u", "us", "use"] {
            let whole = STANDARD.encode(format!("{user}:{secret}:x"));
            let clean = redactor.clean(&whole);
            prop_assert!(clean.contains("***"), "{clean}");
        }
    }

    #[test]
    fn a_sensitive_field_never_keeps_its_value(value in "[a-zA-Z0-9 \"\\\\,;:=()\\[\\]{}äß-]{1,24}", depth in 0_usize..3) {
        let marked = format!("QQ{value}QQ");
        let mut text = serde_json::json!({ "n": 1, "client_secret": marked, "z": "kept" }).to_string();
        for _ in 0..depth {
            text = serde_json::json!({ "inner": text }).to_string();
        }
        let clean = clean(&text);
        prop_assert!(!clean.contains("QQ"), "{clean}");
        prop_assert!(clean.contains("kept"), "{clean}");
        let debug = self::clean(&format!("password={marked:?} z=kept"));
        prop_assert!(!debug.contains("QQ") && debug.ends_with("z=kept"), "{debug}");
        let wrapped = self::clean(&format!("password={:?} z=kept", Some(&marked)));
        prop_assert!(!wrapped.contains("QQ") && wrapped.ends_with("z=kept"), "{wrapped}");
    }

    #[test]
    fn any_text_is_taken(text in ".{0,200}") {
        let redactor = Redactor::new();
        redactor.set_values(&[&Secret::new("planted value")], &["12345678"]);
        let _ = redactor.clean(&text);
    }

    #[test]
    fn texts_made_of_the_signs_themselves_are_taken(text in r#"(password|token|cookie|=|:|"|'|\\|\[|\]|\(|\)| |x|é|://|@|eyJ|-----BEGIN PRIVATE KEY-----|bearer ){0,30}"#) {
        let _ = clean(&text);
    }
}
