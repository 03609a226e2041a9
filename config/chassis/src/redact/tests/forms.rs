//! Every form of a secret, by a generator written apart from the redactor's.

use super::super::*;
use crate::testing::forms_of;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

/// One canary for each way in which forms differ: quotes and backslashes, blanks and signs of
/// addresses, letters beyond ASCII and beyond sixteen bits, and digits alone.
const CANARIES: [&str; 6] = [
    "pa\"ss\\word 'x'",
    "a b+c/d?e=f&g%h",
    "gr\u{fc}\u{df}e-\u{20ac}-\u{1f600}-\u{11f}\u{105}",
    "plainsecret",
    "{\"k\":[1,2]}",
    "73519284",
];

/// One redactor that holds the secret, and one that knows it by its prints alone.
fn redactors(secret: &str) -> [Redactor; 2] {
    let holds = Redactor::new();
    let knows = Redactor::new();
    holds.set_values(&[&Secret::new(secret)], &[]);
    knows.set_rotating(Vec::new(), Vec::new(), Prints::of(secret));
    [holds, knows]
}

#[test]
fn every_form_of_a_secret_is_masked_anywhere() {
    let all = CANARIES.map(|canary| redactors(canary).map(|redactor| (canary, redactor)));
    for (canary, redactor) in all.into_iter().flatten() {
        for (name, form) in forms_of(canary) {
            for (before, after) in [
                ("", ""),
                ("said ", " then"),
                ("<", ">"),
                ("id=7 v=\"", "\" n=1"),
            ] {
                let line = [before.as_bytes(), &form, after.as_bytes()].concat();
                let line = String::from_utf8_lossy(&line);
                let form = String::from_utf8_lossy(&form);
                let clean = redactor.clean(&line);
                assert!(line.contains(&*form), "{name} is not in its own line");
                assert!(!clean.contains(&*form), "{canary} as {name}: {clean}");
                assert!(clean.contains(MASK), "{canary} as {name}: {clean}");
            }
        }
    }
}

#[test]
fn no_form_of_the_longest_secret_is_longer_than_a_cut_line_allows_for() {
    for text in ["x", "\"", "\\", "\u{7f}", "\u{ff}", "\u{20ac}", "\u{1f600}"] {
        let secret = text.repeat(crate::secret::MAX_BYTES / text.len());
        let mut forms = std::collections::BTreeSet::new();
        crate::secret::forms::all(&secret, &mut forms);
        let longest = forms.iter().map(|form| form.as_ref().len()).max().unwrap();
        assert!(longest < LONGEST_FORM, "{text:?}: {longest}");
    }
}

#[test]
fn utf16_is_masked_as_logs_show_it() {
    let redactor = Redactor::new();
    redactor.set_values(&[&Secret::new("hunter22")], &[]);
    for wide in [
        "hunter22"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<_>>(),
        "hunter22"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect(),
    ] {
        let text = String::from_utf8_lossy(&wide).into_owned();
        let json = serde_json::to_string(&text).unwrap();
        let bytes: String = wide.escape_ascii().map(char::from).collect();
        for line in [text.clone(), format!("{text:?}"), json, bytes] {
            let clean = redactor.clean(&line);
            assert!(!clean.contains("u\0n") && !clean.contains('h'), "{clean:?}");
        }
    }
}

#[test]
fn an_encoded_account_number_is_masked_too() {
    let redactor = Redactor::new();
    redactor.set_values(&[], &["73519284"]);
    for (name, form) in forms_of("73519284") {
        let form = String::from_utf8_lossy(&form).into_owned();
        let clean = redactor.clean(&form).into_owned();
        assert!(!clean.contains(&form), "{name}: {clean}");
    }
    redactor.set_values(&[], &["777"]);
    assert_eq!(redactor.clean("Nzc3 373737"), "Nzc3 373737");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_planted_secret_survives(secret in "[ -~äß€😀]{6,20}", before in "[ -~]{0,12}", after in "[ -~]{0,12}") {
        // A text that the quoting itself brings, or the mask, is in every line.
        prop_assume!(!secret.chars().all(|c| "\\\"*, ".contains(c)));
        let [redactor, knowing] = redactors(&secret);
        for (name, form) in forms_of(&secret) {
            let line = [before.as_bytes(), &form, after.as_bytes()].concat();
            let (line, form) = (String::from_utf8_lossy(&line), String::from_utf8_lossy(&form));
            let clean = redactor.clean(&line);
            prop_assert!(!clean.contains(&*form), "{name}: {form} survived in {clean}");
            prop_assert_eq!(redactor.clean(&clean), clean.as_ref());
            prop_assert_eq!(knowing.clean(&line), clean.as_ref());
        }
        for user in ["", "u", "us", "use"] {
            let whole = STANDARD.encode(format!("{user}:{secret}:x"));
            let clean = redactor.clean(&whole);
            prop_assert!(clean.contains("***"), "{clean}");
        }
    }
}
