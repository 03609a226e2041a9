//! Which names of fields sound sensitive, and which of their values need not be hidden. Names are
//! asked for in lower case with their words apart, as [`words`] makes them.

/// Sensitive anywhere in a name, also within one of its words.
const ANYWHERE: [&str; 20] = [
    "password",
    "passwd",
    "passphrase",
    "pass_phrase",
    "passcode",
    "pass_code",
    "pwd",
    "secret",
    "sessionid",
    "signing_key",
    "token",
    "api_key",
    "apikey",
    "access_key",
    "accesskey",
    "authorization",
    "private_key",
    "privatekey",
    "credential",
    "cookie",
];

/// Keys of these are sensitive; others, such as a primary or a routing key, are not. Those of an API,
/// of access, of signatures, private and secret ones are found anywhere.
const KEYS: [&str; 8] = [
    "aes",
    "decryption",
    "encryption",
    "hmac",
    "master",
    "root",
    "shared",
    "ssh",
];

/// Sensitive as whole words only: `pass` not in `bypass`, `pin` not in `spinning`.
const WHOLE_WORDS: [&str; 18] = [
    "login", "account", "magic", "pass", "dbpass", "userpass", "pw", "pin", "pincode", "otp",
    "auth", "oauth", "oauth2", "bearer", "cred", "creds", "jwt", "session",
];

/// Last words of names whose values may be numbers of something.
const COUNTS: [&str; 13] = [
    "tokens",
    "sessions",
    "cookies",
    "credentials",
    "passwords",
    "secrets",
    "count",
    "length",
    "attempts",
    "limit",
    "max",
    "size",
    "total",
];

/// Digits of a number that is no secret by any rule: secrets are longer.
pub(super) const COUNT_DIGITS: usize = 5;

/// Words that tell how a secret is, and are none: of a sentence such as `login: authorization
/// failed` or `password: is empty`.
const ORDINARY: [&str; 47] = [
    "a",
    "accepted",
    "authentication",
    "authorization",
    "automated",
    "both",
    "cannot",
    "changed",
    "contains",
    "denied",
    "empty",
    "expected",
    "expired",
    "failed",
    "failure",
    "false",
    "incompatible",
    "internal",
    "invalid",
    "is",
    "larger",
    "lost",
    "malformed",
    "may",
    "missing",
    "must",
    "no",
    "none",
    "not",
    "nothing",
    "null",
    "ok",
    "out",
    "refused",
    "rejected",
    "required",
    "revoked",
    "shorter",
    "the",
    "too",
    "true",
    "unknown",
    "unset",
    "unsupported",
    "was",
    "without",
    "wrong",
];

/// Writes a name in lower case with its words apart: `apiKey` and `API-Key` as `api_key`.
pub(super) fn words(name: &str, plain: &mut String) {
    plain.clear();
    let mut lower_before = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && lower_before {
            plain.push('_');
        }
        lower_before = c.is_ascii_lowercase();
        plain.push(match c {
            '-' | '.' => '_',
            other => other.to_ascii_lowercase(),
        });
    }
}

/// Whether values of that name are hidden.
pub(super) fn is_sensitive(plain: &str) -> bool {
    is_of_a_secret(plain) || plain.split('_').any(|word| WHOLE_WORDS.contains(&word))
}

/// Whether values of that name are secrets, and not perhaps something else that is hidden.
pub(super) fn is_of_a_secret(plain: &str) -> bool {
    has_anywhere(plain.as_bytes()) || has_secret_key(plain)
}

/// Whether the name is of a key that is a secret, such as `old_master_key`.
fn has_secret_key(plain: &str) -> bool {
    let mut before = "";
    plain.split('_').any(|word| {
        let is_secret = word == "key" && KEYS.contains(&before);
        before = word;
        is_secret
    })
}

/// Whether one of the words stands in the name, also within another word. Faster than a search
/// for each, since hardly any letter begins one.
fn has_anywhere(plain: &[u8]) -> bool {
    plain.iter().enumerate().any(|(at, first)| {
        matches!(first, b'p' | b's' | b't' | b'a' | b'c')
            && ANYWHERE
                .iter()
                .any(|word| plain[at..].starts_with(word.as_bytes()))
    })
}

/// Whether the name is that of a file, whose path may be shown.
pub(super) fn is_path(plain: &str) -> bool {
    plain.ends_with("_file") || plain.ends_with("_path")
}

/// Whether the value may be a number of something.
pub(super) fn is_count(plain: &str) -> bool {
    plain
        .rsplit('_')
        .next()
        .is_some_and(|word| COUNTS.contains(&word))
}

/// Whether the value is a list that goes on after its first word.
pub(super) fn is_list(plain: &str) -> bool {
    plain.contains("cookie")
}

/// Whether the word tells how a secret is, and is none.
pub(super) fn is_ordinary(word: &[u8]) -> bool {
    ORDINARY
        .iter()
        .any(|ordinary| word.eq_ignore_ascii_case(ordinary.as_bytes()))
}
