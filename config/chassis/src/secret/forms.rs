//! Every form that a log can give a text: as it stands, escaped once and twice, encoded for
//! addresses, in base64, and as bytes, in UTF-8 and UTF-16. Each is wiped when it is dropped, and
//! is written where it stays: what a text outgrows would be left unwiped.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::collections::BTreeSet;
use std::fmt::{Display, Write};
use zeroize::{Zeroize, Zeroizing};

/// Shorter pieces of base64 would match by chance.
const MIN_PIECE: usize = 5;

/// Most bytes that an escape makes of one: `\u{10ffff}`.
const ESCAPED: usize = 10;

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

/// One form, wiped when it is dropped.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Form(String);

/// Forms, each once.
pub(crate) type Forms = BTreeSet<Form>;

impl Form {
    /// Written into so many bytes, which are enough.
    fn written(room: usize, write: impl FnOnce(&mut String)) -> Self {
        let mut form = Self(String::with_capacity(room));
        write(&mut form.0);
        debug_assert!(form.0.len() <= room, "a form outgrew its room");
        form
    }

    fn of(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// As a text shows it, without the quotes around it if it has any.
    fn shown(room: usize, shown: impl Display, quotes: usize) -> Self {
        let whole = Self::written(room, |form| {
            // Writing to a String cannot fail.
            let _ = write!(form, "{shown}");
        });
        Self::of(&whole.0[quotes..whole.0.len() - quotes])
    }
}

impl AsRef<[u8]> for Form {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl Drop for Form {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// All forms of a secret.
pub(crate) fn all(secret: &str, forms: &mut Forms) {
    if secret.is_empty() {
        return;
    }
    escaped(Form::of(secret), forms);
    percent(secret, forms);
    encoded(secret, forms);
}

/// The forms in which the text itself does not stand.
pub(crate) fn encoded(secret: &str, forms: &mut Forms) {
    base64(secret, forms);
    bytes(secret.as_bytes(), forms);
    let mut wide = Zeroizing::new(Vec::<u16>::with_capacity(secret.len()));
    wide.extend(secret.encode_utf16());
    for order in [u16::to_le_bytes, u16::to_be_bytes] {
        let mut ordered = Zeroizing::new(Vec::<u8>::with_capacity(2 * wide.len()));
        for unit in wide.iter() {
            ordered.extend_from_slice(&order(*unit));
        }
        // A log is UTF-8: UTF-16 in it reads as this, its outermost zeros apart.
        let lossy = lossy(&ordered);
        escaped(Form::of(lossy.0.trim_matches('\0')), forms);
        bytes(&ordered, forms);
    }
    for separator in SEPARATORS {
        forms.insert(listed(wide.as_slice(), separator, decimal));
    }
}

/// Bytes as UTF-8, with a replacement for what is none.
fn lossy(bytes: &[u8]) -> Form {
    let replacement = char::REPLACEMENT_CHARACTER;
    Form::written(replacement.len_utf8() * bytes.len(), |form| {
        for chunk in bytes.utf8_chunks() {
            form.push_str(chunk.valid());
            if !chunk.invalid().is_empty() {
                form.push(replacement);
            }
        }
    })
}

/// Not escaped, escaped once, and twice: a debug text of a JSON text is escaped twice.
fn escaped(text: Form, forms: &mut Forms) {
    let escapes: [fn(&str) -> Form; 10] = [
        json,
        |text| ascii_json(&json(text).0),
        |text| Form::shown(ESCAPED * text.len() + 2, format_args!("{text:?}"), 1),
        |text| Form::shown(ESCAPED * text.len(), text.escape_debug(), 0),
        |text| Form::shown(ESCAPED * text.len(), text.escape_default(), 0),
        |text| quoted(text, "\\"),
        |text| quoted(text, "\\'"),
        |text| byte_text(text, "\"", "\\0"),
        |text| byte_text(text, "'", "\\x00"),
        |text| byte_text(text, "\"'", "\\x00"),
    ];
    let mut texts = Forms::from([text]);
    for _ in 0..2 {
        for text in texts.clone() {
            texts.extend(escapes.iter().map(|escape| escape(&text.0)));
        }
    }
    forms.extend(texts);
}

fn json(text: &str) -> Form {
    let mut quoted = Zeroizing::new(Vec::<u8>::with_capacity(ESCAPED * text.len() + 2));
    // Neither can fail: a text is written to memory, as a text.
    let _ = serde_json::to_writer(&mut *quoted, text);
    let quoted = std::str::from_utf8(&quoted).unwrap_or_default();
    let inner = quoted.get(1..quoted.len().saturating_sub(1));
    Form::of(inner.unwrap_or_default())
}

/// JSON as other languages write it: pure ASCII.
fn ascii_json(json: &str) -> Form {
    Form::written(ESCAPED * json.len(), |form| {
        for c in json.chars() {
            if c.is_ascii() {
                form.push(c);
            } else {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    let _ = write!(form, "\\u{unit:04x}");
                }
            }
        }
    })
}

/// A backslash before each of these characters, as Python's `repr` does it.
fn quoted(text: &str, escaped: &str) -> Form {
    Form::written(2 * text.len(), |form| {
        for c in text.chars() {
            if escaped.contains(c) {
                form.push('\\');
            }
            form.push(c);
        }
    })
}

/// Bytes as `b"..."` shows them, with a backslash before these quotes.
fn byte_text(text: &str, quotes: &str, zero: &str) -> Form {
    Form::written(ESCAPED * text.len(), |form| {
        for byte in text.bytes() {
            match byte {
                0 => form.push_str(zero),
                b'\\' => form.push_str("\\\\"),
                b' '..=b'~' => {
                    if quotes.contains(char::from(byte)) {
                        form.push('\\');
                    }
                    form.push(char::from(byte));
                }
                _ => {
                    let _ = write!(form, "\\x{byte:02x}");
                }
            }
        }
    })
}

fn percent(secret: &str, forms: &mut Forms) {
    // RFC 3986, encodeURIComponent, forms, and everything but letters and digits.
    let unreserved: [&[u8]; 4] = [b"-._~", b"-_.!~*'()", b"*-._", b""];
    let cases: [fn(&mut String, u8); 2] = [
        |form, byte| {
            let _ = write!(form, "%{byte:02X}");
        },
        |form, byte| {
            let _ = write!(form, "%{byte:02x}");
        },
    ];
    for kept in unreserved {
        for escape in cases {
            // Forms write a space as a plus.
            for space in ["%20", "+"] {
                forms.insert(Form::written(3 * secret.len(), |form| {
                    for byte in secret.bytes() {
                        match byte {
                            b' ' => form.push_str(space),
                            byte if byte.is_ascii_alphanumeric() || kept.contains(&byte) => {
                                form.push(char::from(byte));
                            }
                            byte => escape(form, byte),
                        }
                    }
                }));
            }
        }
    }
}

/// Base64 at each of the three alignments it has within a longer text, such as `user:secret`.
/// Only the characters that depend on the secret alone are taken.
fn base64(secret: &str, forms: &mut Forms) {
    for before in 0..3 {
        let mut bytes = Zeroizing::new(Vec::<u8>::with_capacity(before + secret.len()));
        bytes.resize(before, 0);
        bytes.extend_from_slice(secret.as_bytes());
        let start = (before * 8).div_ceil(6);
        let end = bytes.len() * 8 / 6;
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let encoded = Form(engine.encode(bytes.as_slice()));
            if let Some(piece) = encoded.0.get(start..end)
                && piece.len() >= MIN_PIECE
            {
                forms.insert(Form::of(piece));
            }
            if before == 0 {
                forms.insert(encoded);
            }
        }
    }
}

/// Bytes as hex and as the lists that `Debug` and JSON make of them.
fn bytes(bytes: &[u8], forms: &mut Forms) {
    let hex: [fn(&mut String, u8); 4] = [
        |form, byte| {
            let _ = write!(form, "{byte:02x}");
        },
        |form, byte| {
            let _ = write!(form, "{byte:02X}");
        },
        |form, byte| {
            let _ = write!(form, "0x{byte:02x}");
        },
        |form, byte| {
            let _ = write!(form, "0x{byte:02X}");
        },
    ];
    for write in &hex[..2] {
        forms.insert(listed(bytes, "", write));
    }
    for separator in [" ", ":", ", ", ","] {
        for write in hex {
            forms.insert(listed(bytes, separator, write));
        }
    }
    for separator in SEPARATORS {
        forms.insert(listed(bytes, separator, decimal));
    }
}

fn decimal<T: Display>(form: &mut String, item: T) {
    let _ = write!(form, "{item}");
}

/// A list whose items take five bytes each at most.
fn listed<T: Copy>(items: &[T], separator: &str, write: impl Fn(&mut String, T)) -> Form {
    Form::written(items.len() * (5 + separator.len()), |form| {
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                form.push_str(separator);
            }
            write(form, *item);
        }
    })
}
