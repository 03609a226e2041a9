#![allow(clippy::unwrap_used, clippy::expect_used)]
mod forms;
mod names;
mod work;

use super::*;
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
fn an_account_number_is_masked_whose_own_field_a_mask_covers() {
    let redactor = Redactor::new();
    redactor.set_values(&[], &["73519284"]);
    let clean = redactor.clean(r#"cookie":x count:"73519284 "#).into_owned();
    assert!(!clean.contains("73519284"), "{clean}");
    assert_eq!(redactor.clean(&clean), clean);
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
        ("BEARER abcdefgh12345", "BEARER ***"),
        ("got eyJhbGciOi.eyJzdWIi.c2lnbmF0 back", "got *** back"),
        ("eyJust a word", "eyJust a word"),
        ("postgres://bob:p:w@d@host/db", "postgres://bob:***@host/db"),
        ("ssh://git-token@host:22/x", "ssh://***@host:22/x"),
        ("amqp://u:p/w#?@host/db", "amqp://u:***@host/db"),
        (
            "see http://host:80/a@b and http://host/a@b",
            "see http://host:80/a@b and http://host/a@b",
        ),
        (
            "at 123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc and",
            "at 123456789:*** and",
        ),
        (
            "https://api.telegram.org/bot123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc/sendMessage",
            "https://api.telegram.org/bot123456789:***/sendMessage",
        ),
        (
            "bot123456789%3AAAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc/",
            "bot123456789%3A***/",
        ),
        ("at 1234567:89 and 12:34", "at 1234567:89 and 12:34"),
        (
            "login failed, password=hunter22, bye",
            "login failed, password=***, bye",
        ),
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

/// A login and a contract size that are the same number.
#[test]
fn a_login_is_told_from_a_size_by_its_place() {
    let redactor = Redactor::new();
    redactor.set_values(&[], &["100000"]);
    for line in [
        "contract_size=100000 lots=0.1",
        "SymbolSpec { contract_size: 100000.0, volume_step: 1 }",
        "{\"contract_size\":100000,\"contractSize\":100000}",
        r#"{"inner":"{\"contract_size\":100000}"}"#,
        "ticket=100000 order: 100000 volume=Some(100000)",
        "price moved to 1.100000, then 0.100000.",
        "at 100000.25 or 1100000",
        "time=100000 send_ms=100000",
    ] {
        assert_eq!(redactor.clean(line), line);
    }
    for (line, wanted) in [
        ("login=100000", "login=****0000"),
        ("user 100000 refused", "user ****0000 refused"),
        ("refused 100000.", "refused ****0000."),
        ("by: 100000", "by: ****0000"),
        ("contract size 100000", "contract size ****0000"),
        ("login_size=100000", "login_size=***"),
        ("gateway.100000.log", "gateway.****0000.log"),
        ("v1.100000.log", "v1.****0000.log"),
        ("{\"by\":100000}", "{\"by\":\"****0000\"}"),
        ("[1,100000]", "[1,\"****0000\"]"),
    ] {
        assert_eq!(redactor.clean(line), wanted);
    }
}

#[test]
fn json_stays_json_whatever_is_masked() {
    let redactor = Redactor::new();
    redactor.set_values(&[&Secret::new("735192"), &Secret::new("\",\"b\":")], &[]);
    for (line, wanted) in [
        (r#"{"n":735192,"m":1}"#, r#"{"m":1,"n":"***"}"#),
        (r#"{"n":[17351920,2]}"#, r#"{"n":["1***0",2]}"#),
        (
            r#"{"k":"-----BEGIN RSA PRIVATE KEY-----\nabc"}"#,
            r#"{"k":"-----BEGIN RSA PRIVATE KEY***"}"#,
        ),
    ] {
        assert_eq!(redactor.clean(line), wanted);
    }
    let line = r#"{"a":"x","b":1}"#;
    let clean = redactor.clean(line);
    serde_json::from_str::<serde_json::Value>(&clean).unwrap();
    assert!(!clean.contains("\",\"b\":"), "{clean}");
}

#[test]
fn overlapping_secrets_are_masked_together() {
    let redactor = Redactor::new();
    redactor.set_values(&[&Secret::new("abcdef"), &Secret::new("defghi")], &[]);
    assert_eq!(redactor.clean("<abcdefghi>"), "<***>");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

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
/// Its numbers cannot be held one by one.
#[test]
fn json_with_a_number_beyond_all_doubles_stays_json() {
    let redactor = Redactor::new();
    redactor.set_values(&[&Secret::new("abcd")], &[]);
    let line = "[1e999999, 97, 98, 99, 100]";
    assert_eq!(redactor.clean(line), "{\"message\":\"***\"}");
    assert_eq!(redactor.clean("[1e999999] abcd"), "[1e999999] ***");
}

/// Each round of masking uncovers one more of the nested values.
#[test]
fn what_is_nested_too_deeply_is_withheld_whole() {
    let redactor = Redactor::new();
    for layers in 0..4 * MOST_ROUNDS {
        let line = format!("x://u]&cred:8{}", ")b@[p]//".repeat(layers));
        let clean = redactor.clean(&line);
        assert_eq!(redactor.clean(&clean), clean, "{layers} layers");
        assert_eq!(
            clean == WITHHELD,
            layers >= MOST_ROUNDS,
            "{layers}: {clean}"
        );
    }
}
