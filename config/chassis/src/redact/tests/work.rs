//! The work on a line grows with its length, and no faster, whatever a stranger writes. What is
//! counted are the bytes that scans look at, so that no clock is asked.

use super::super::scan::LOOKED_AT;
use super::*;

/// What a stranger may repeat until a line is full, and what a line may begin and end with.
const FAMILIES: [(&str, &str, &str); 37] = [
    ("", "://", ""),
    ("", "://", "@"),
    ("", "a://b:c@", ""),
    ("", "a://b@c/", ""),
    ("", "://a:b", " @"),
    ("", "a=a=a=", ""),
    ("", "=", ""),
    ("", ":", ""),
    ("", ",", ""),
    ("", "@", ""),
    ("", "0123456789", ""),
    ("", "1234567:", ""),
    ("", "1234567%3A", ""),
    ("", "12345678.", ""),
    ("", "12345678_", ""),
    ("", "12345678=", ""),
    ("", "QUJDREVG", ""),
    ("", "eyJ", ""),
    ("", "eyJ.", ""),
    ("", "deadbeef", ""),
    ("", "\"", ""),
    ("", "'", ""),
    ("", "\\", "\""),
    ("", "(\"a\",", ""),
    ("", "password", "=x"),
    ("", "password=", ""),
    ("", "password=\"", ""),
    ("", "password=(", ""),
    ("", "token_file=/(", ""),
    ("", "token_file: \"/a ", ""),
    ("", "tokens=1 ", ""),
    ("", "login: failed ", ""),
    ("{", "\"a\":{", "}"),
    ("", "[", "]"),
    ("", "%2F%3a", ""),
    ("", "\u{20ac}\u{1f600}", ""),
    ("", "-----BEGIN PRIVATE KEY", ""),
];

const SHORT: usize = 1024;
const LONG: usize = 64 * 1024;

fn redactor() -> Redactor {
    let redactor = Redactor::new();
    redactor.set_values(&[&Secret::new("planted value")], &["12345678"]);
    redactor
}

/// Bytes that were looked at, for each byte of a line of that length.
fn work(redactor: &Redactor, family: (&str, &str, &str), length: usize) -> f64 {
    let (before, repeated, after) = family;
    let line = format!(
        "{before}{}{after}",
        repeated.repeat(length / repeated.len())
    );
    LOOKED_AT.set(0);
    let _ = redactor.clean(&line);
    LOOKED_AT.get() as f64 / line.len() as f64
}

/// A quadratic scan would look at each byte of the long line many times as often.
fn judge(redactor: &Redactor, family: (&str, &str, &str), length: usize) {
    let short = work(redactor, family, SHORT);
    let long = work(redactor, family, length);
    assert!(
        long < 3.0 * short + 16.0,
        "{family:?}: {short} to {long} looks at a byte"
    );
}

#[test]
fn a_hostile_line_costs_no_more_a_byte_the_longer_it_is() {
    let redactor = redactor();
    for family in FAMILIES {
        judge(&redactor, family, LONG);
    }
}

/// Any two of them in turn, since one may be the end that another looks for.
#[test]
fn hostile_lines_mixed_cost_no_more_a_byte_either() {
    let redactor = redactor();
    for (_, first, _) in FAMILIES {
        for (_, second, _) in FAMILIES {
            let both = format!("{first}{second}");
            judge(&redactor, ("", &both, ""), LONG / 4);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_made_of_the_signs_costs_more(repeated in r#"(password|tokens?|_file|cookie|1|12345678|=|:|,|"|'|\\|\[|\]|\(|\)|\{| |x|/|\.|\u{20ac}|://|@|%3A|eyJ|-----BEGIN PRIVATE KEY-----|bearer ){1,8}"#) {
        judge(&redactor(), ("", &repeated, ""), LONG / 4);
    }
}
