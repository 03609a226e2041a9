//! Every form that a log can give a text: as it stands, escaped once and twice, encoded for
//! addresses, in base64, and as bytes, in UTF-8 and UTF-16.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::collections::BTreeSet;
use std::fmt::Write;

type Forms = BTreeSet<String>;

/// Shorter pieces of base64 would match by chance.
const MIN_PIECE: usize = 5;

/// Where a list of numbers breaks: in a line, and one a line as `{:#?}` writes it, then perhaps
/// escaped.
const SEPARATORS: [&str; 9] = [
    ", ",
    ",",
    " ",
    ",\n    ",
    ",\n        ",
    ",\n            ",
    ",\\n    ",
    ",\\n        ",
    ",\\n            ",
];

/// All forms of a secret.
pub(super) fn all(secret: &str, forms: &mut Forms) {
    if secret.is_empty() {
        return;
    }
    escaped(secret.to_owned(), forms);
    percent(secret, forms);
    encoded(secret, forms);
}

/// The forms in which the text itself does not stand.
pub(super) fn encoded(secret: &str, forms: &mut Forms) {
    base64(secret, forms);
    let wide: Vec<u16> = secret.encode_utf16().collect();
    let little: Vec<u8> = wide.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let big: Vec<u8> = wide.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    bytes(secret.as_bytes(), forms);
    for wide in [little, big] {
        // A log is UTF-8: UTF-16 in it reads as this, its outermost zeros apart.
        let lossy = String::from_utf8_lossy(&wide);
        escaped(lossy.trim_matches('\0').to_owned(), forms);
        bytes(&wide, forms);
    }
    for separator in SEPARATORS {
        forms.insert(listed(wide.iter().map(u16::to_string), separator));
    }
}

/// Not escaped, escaped once, and twice: a debug text of a JSON text is escaped twice.
fn escaped(text: String, forms: &mut Forms) {
    let escapes: [fn(&str) -> String; 10] = [
        json,
        ascii_json,
        debug,
        |text| text.escape_debug().to_string(),
        |text| text.escape_default().to_string(),
        |text| quoted(text, "\\"),
        |text| quoted(text, "\\'"),
        |text| byte_text(text, "\"", "\\0"),
        |text| byte_text(text, "'", "\\x00"),
        |text| byte_text(text, "\"'", "\\x00"),
    ];
    let mut texts = BTreeSet::from([text]);
    for _ in 0..2 {
        for text in texts.clone() {
            texts.extend(escapes.iter().map(|escape| escape(&text)));
        }
    }
    forms.extend(texts);
}

fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn debug(text: &str) -> String {
    let quoted = format!("{text:?}");
    quoted[1..quoted.len() - 1].to_owned()
}

/// JSON as other languages write it: pure ASCII.
fn ascii_json(text: &str) -> String {
    let mut escaped = String::new();
    for c in json(text).chars() {
        if c.is_ascii() {
            escaped.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing to a String cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    escaped
}

/// A backslash before each of these characters, as Python's `repr` does it.
fn quoted(text: &str, escaped: &str) -> String {
    let mut quoted = String::new();
    for c in text.chars() {
        if escaped.contains(c) {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}

/// Bytes as `b"..."` shows them, with a backslash before these quotes.
fn byte_text(text: &str, quotes: &str, zero: &str) -> String {
    let mut shown = String::new();
    for byte in text.bytes() {
        match byte {
            0 => shown.push_str(zero),
            b'\\' => shown.push_str("\\\\"),
            b' '..=b'~' => {
                if quotes.contains(char::from(byte)) {
                    shown.push('\\');
                }
                shown.push(char::from(byte));
            }
            _ => {
                let _ = write!(shown, "\\x{byte:02x}");
            }
        }
    }
    shown
}

fn percent(secret: &str, forms: &mut Forms) {
    // RFC 3986, encodeURIComponent, forms, and everything but letters and digits.
    let unreserved: [&[u8]; 4] = [b"-._~", b"-_.!~*'()", b"*-._", b""];
    for kept in unreserved {
        let (mut upper, mut lower) = (String::new(), String::new());
        for byte in secret.bytes() {
            if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
                upper.push(char::from(byte));
                lower.push(char::from(byte));
            } else {
                let _ = write!(upper, "%{byte:02X}");
                let _ = write!(lower, "%{byte:02x}");
            }
        }
        // Forms write a space as a plus.
        forms.insert(upper.replace("%20", "+"));
        forms.insert(lower.replace("%20", "+"));
        forms.insert(upper);
        forms.insert(lower);
    }
}

/// Base64 at each of the three alignments it has within a longer text, such as `user:secret`.
/// Only the characters that depend on the secret alone are taken.
fn base64(secret: &str, forms: &mut Forms) {
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend(secret.bytes());
        let start = (before * 8).div_ceil(6);
        let end = bytes.len() * 8 / 6;
        for encoded in [
            STANDARD_NO_PAD.encode(&bytes),
            URL_SAFE_NO_PAD.encode(&bytes),
        ] {
            if let Some(piece) = encoded.get(start..end)
                && piece.len() >= MIN_PIECE
            {
                forms.insert(piece.to_owned());
            }
            if before == 0 {
                forms.insert(encoded);
            }
        }
    }
}

/// Bytes as hex and as the lists that `Debug` and JSON make of them.
fn bytes(bytes: &[u8], forms: &mut Forms) {
    let lower = hex::encode(bytes);
    forms.insert(lower.to_uppercase());
    forms.insert(lower);
    for separator in [" ", ":", ", ", ","] {
        for before in ["", "0x"] {
            let lower = bytes.iter().map(|byte| format!("{before}{byte:02x}"));
            let upper = bytes.iter().map(|byte| format!("{before}{byte:02X}"));
            forms.insert(listed(lower, separator));
            forms.insert(listed(upper, separator));
        }
    }
    for separator in SEPARATORS {
        forms.insert(listed(bytes.iter().map(u8::to_string), separator));
    }
}

fn listed(items: impl Iterator<Item = String>, separator: &str) -> String {
    items.collect::<Vec<_>>().join(separator)
}
