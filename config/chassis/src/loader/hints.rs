//! Words about keys: which one was meant, how a variable of a key is called, and which names
//! sound like secrets.

use super::environment::PREFIX;
use crate::redact;
use strsim::levenshtein;

/// The nearest of the known keys, when it is near enough to have been meant.
pub(super) fn nearest<'a>(key: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (levenshtein(key, candidate), candidate))
        .min()
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count() / 3).max(2))
        .map(|(_, candidate)| candidate)
}

/// The variable that sets a key.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_ascii_uppercase())
}

/// Whether a name sounds as if its value were a secret. A path to one (`..._file`) and the hash
/// of a token (`token_sha256`) are not.
pub(super) fn sounds_secret(name: &str, secrets: &[&str]) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    if secrets
        .iter()
        .any(|secret| secret.eq_ignore_ascii_case(&name))
    {
        return true;
    }
    if name.ends_with("_file") || name.ends_with("token_sha256") {
        return false;
    }
    redact::names_a_secret(&name) || name == "login" || name.ends_with("_login")
}

/// A value as it may be printed. A hash stays unprinted, and of an address all but its host: its path is
/// often what gives access.
pub(super) fn printed(key: &str, value: String) -> String {
    const HIDDEN: &str = "***";
    if key.ends_with("_sha256") {
        return HIDDEN.to_owned();
    }
    if !key.ends_with("_url") {
        return value;
    }
    let parts = value.split_once("://").map(|(scheme, rest)| {
        let authority = rest.split(['/', '?', '#', '"']).next().unwrap_or_default();
        // A login may stand before the host.
        let host = authority.rsplit('@').next().unwrap_or_default();
        format!("{scheme}://{host}/{HIDDEN}\"")
    });
    parts.unwrap_or_else(|| HIDDEN.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_address_only_the_host_is_printed() {
        for address in [
            "https://monitor.example.org:8443/ping/canary",
            "https://monitor.example.org:8443?key=canary",
            "https://canary@monitor.example.org:8443",
        ] {
            let printed = printed("notify.heartbeat_url", format!("{address:?}"));
            assert_eq!(printed, "\"https://monitor.example.org:8443/***\"");
        }
        let printed = |key: &str| printed(key, "\"canary\"".to_owned());
        assert_eq!(printed("heartbeat_url"), "***");
        assert_eq!(printed("client.token_sha256"), "***");
        assert_eq!(printed("notify.name"), "\"canary\"");
    }

    #[test]
    fn near_keys_are_found_and_far_ones_are_not() {
        let known = ["server.listen", "server.tls.key", "logging.level"];
        assert_eq!(
            nearest("server.listn", known.into_iter()),
            Some("server.listen")
        );
        assert_eq!(
            nearest("loging.level", known.into_iter()),
            Some("logging.level")
        );
        assert_eq!(nearest("weather", known.into_iter()), None);
        assert_eq!(nearest("x", [].into_iter()), None);
        assert_eq!(levenshtein("kitten", "sitting"), 3);
        assert_eq!(levenshtein("", "abc"), 3);
    }

    #[test]
    fn names_that_sound_secret() {
        for name in [
            "password",
            "smtp_password",
            "bot-token",
            "TOKEN",
            "client_secret",
            "login",
            "mt5_login",
            "api_key",
            "Passwd",
            "passphrase",
            "private_key",
            "encryption-key",
            "chat_id",
        ] {
            assert!(sounds_secret(name, &["CHAT_ID"]), "{name}");
        }
        for name in [
            "token_sha256",
            "token_file",
            "password_file",
            "level",
            "login_attempts",
            "chat_id",
            "key",
            "account_kind",
            "session_lease_ms",
        ] {
            assert!(!sounds_secret(name, &[]), "{name}");
        }
    }
}
