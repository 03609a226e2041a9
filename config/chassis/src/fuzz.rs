//! What a fuzzer drives, as plain functions of any bytes. Each panics where a promise is broken;
//! the property tests run them too.
#![allow(clippy::panic, reason = "a broken promise is what a fuzzer must see")]

use crate::loader::{Environment, Reader, Table};
use crate::logs::LogSettings;
use crate::redact::Redactor;
use crate::secret::Secret;
use crate::testing::forms_of;
use serde::de::IgnoredAny;
use std::sync::LazyLock;

/// Canaries that no bytes spell by chance; of the mask's own sign they hold none.
const SECRETS: [&str; 2] = ["canary-\"one\"\\ü€", "canary two/+=?&"];
const ACCOUNT: &str = "73519284";

/// What is made once, since that takes far longer than a line.
struct Known {
    redactor: Redactor,
    /// Every form of the secrets.
    forms: Vec<Vec<u8>>,
    /// The same as a log shows them.
    shown: Vec<String>,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let redactor = Redactor::new();
    let secrets = SECRETS.map(Secret::new);
    redactor.set_values(&secrets.each_ref(), &[ACCOUNT]);
    let forms = SECRETS.into_iter().flat_map(forms_of);
    let forms: Vec<Vec<u8>> = forms.map(|(_, form)| form).collect();
    let shown = forms.iter().map(|form| lossy(form)).collect();
    Known {
        redactor,
        forms,
        shown,
    }
});

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Any line, and any line around any form of a secret: none is left, cleaning twice is cleaning
/// once, and JSON stays JSON.
pub fn redactor(bytes: &[u8]) {
    let Known {
        redactor,
        forms,
        shown,
    } = &*KNOWN;
    let (choice, rest) = bytes.split_first().unwrap_or((&0, &[]));
    let choice = usize::from(*choice);
    let planted = &forms[choice % forms.len()];
    let (before, after) = rest.split_at(rest.len() * (choice % 7) / 7);
    let text = lossy(bytes);
    let json = serde_json::json!({ "text": text, "planted": lossy(planted), "login": 73_519_284 });
    for line in [
        text,
        lossy(&[before, planted, after].concat()),
        lossy(&[before, ACCOUNT.as_bytes(), b" ", after].concat()),
        json.to_string(),
    ] {
        let clean = redactor.clean(&line);
        for form in shown {
            assert!(!clean.contains(form), "a secret is left of {line:?}");
        }
        assert_eq!(redactor.clean(&clean), clean, "cleaned twice: {line:?}");
        if serde_json::from_str::<IgnoredAny>(&line).is_ok() && line.starts_with(['{', '[']) {
            let kept = serde_json::from_str::<IgnoredAny>(&clean).is_ok();
            assert!(kept, "no JSON any more: {line:?}");
        }
    }
}

const TABLE: Table = Table {
    program: "fuzz",
    names: &[("LOG_LEVEL", "logging.level")],
    secrets: &["MT5_LOGIN", "MT5_PASSWORD"],
    forbidden: &["SMTP_*"],
};

/// Any TOML text and any variables: no panic, and nothing that is told holds a secret of them.
/// What stands before the first zero byte is the file, then come `NAME=VALUE` pairs.
pub fn configuration(bytes: &[u8]) {
    // Short, since all of its forms are made anew for each input.
    const CANARY: &str = "canary-8";
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.split('\0');
    let file = parts.next().unwrap_or_default();
    let file = format!("{file}\n[canary]\nsmtp_password = '{CANARY}'\n");
    let pairs = parts.filter_map(|pair| pair.split_once('='));
    let pairs = pairs.chain([
        ("MT5_PASSWORD", CANARY),
        ("MYMT5__MAIL__TOKEN", CANARY),
        ("SMTP_HOST", CANARY),
    ]);
    let environment = Environment::from_pairs(pairs);
    let mut told = format!("{environment:?}");
    match Reader::of_text(&TABLE, &file, environment) {
        Err(errors) => told.push_str(&errors.to_string()),
        Ok(mut reader) => {
            let settings = LogSettings::read(&mut reader, "logs");
            let password = reader.secret("MT5_PASSWORD");
            let login = reader.secret("MT5_LOGIN");
            reader.count("strategies");
            reader.names("clients");
            let found = reader.found_secrets();
            told.push_str(&format!("{settings:?} {password:?} {login:?} {found:?}"));
            told.extend(reader.warnings().iter().map(String::as_str));
            match reader.finish() {
                Ok(provenance) => told.push_str(&provenance.to_string()),
                Err(errors) => told.push_str(&errors.to_string()),
            }
        }
    }
    // A canary in a place of no secret is shown by the input itself.
    if !text.contains(CANARY) {
        assert!(!told.contains(CANARY), "a secret is told: {told}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIGNS: &str = r#"(password|token|login|=|:|"|'|\\|\[|\]|\{|\}|\(|\)| |x|é|://|@|,|bearer |eyJ|\.|-----BEGIN [P]RIVATE KEY-----|-----END |canary|73519284|\*\*\*|\n|[0-9]){0,40}"#;
    const TOML: &str = r#"(\[|\]|=|"|'|\n|logging|level|folder|secrets|strategies|password|mt5_login|\.|#|1|-|\{|\}|x|,|MYMT5__A__B|MYMT5__SECRETS__FOLDER|MT5_LOGIN|\x00){0,40}"#;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_redactor_keeps_its_promises(bytes in prop::collection::vec(any::<u8>(), 0..200), text in SIGNS, choice in any::<u8>()) {
            redactor(&bytes);
            redactor(&[&[choice], text.as_bytes()].concat());
        }

        #[test]
        fn the_configuration_tells_no_secret(bytes in prop::collection::vec(any::<u8>(), 0..200), text in TOML) {
            configuration(&bytes);
            configuration(text.as_bytes());
        }
    }

    #[test]
    fn a_whole_configuration_is_read() {
        configuration(b"[logging]\nlevel = 'info'\n\0MT5_LOGIN=12\0MYMT5__LOGGING__FORMAT=json");
    }
}
