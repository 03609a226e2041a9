//! For leak tests: every form in which a secret may have got out. Written apart from the
//! redactor, plain and slow, so that a form which the redactor misses is not missed here too. And
//! what an operator reads, by [`messages`] and [`metrics`].

#[doc(hidden)]
pub mod messages;
#[doc(hidden)]
pub mod metrics;

/// A port of loopback that is free now, and that no outgoing connection is given by chance: below
/// the kernel's ephemeral ones, so that a process which is killed finds it free again. None: all
/// that were tried are taken.
#[doc(hidden)]
#[must_use]
pub fn free_port() -> Option<u16> {
    const LOWEST: u128 = 10_000;
    const MANY: u128 = 20_000;
    const TRIES: usize = 100;
    let random = || (LOWEST + uuid::Uuid::new_v4().as_u128() % MANY) as u16;
    let free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(random).take(TRIES).find(free)
}

/// What a test asks a running process to do, in builds with debug assertions only: to try what the
/// sandbox is to refuse, and to say what no log may show.
#[cfg(debug_assertions)]
#[doc(hidden)]
pub async fn tried() {
    crate::sandbox::trial::run().await;
    let process = crate::loader::Environment::of_process();
    let asked = process.for_test("MYMT5_TEST_SAY").unwrap_or("[]");
    let lines: Vec<String> = serde_json::from_str(asked).unwrap_or_default();
    for line in lines {
        tracing::error!(note = line, "asked to say");
        tracing::trace!("asked to say {line}");
        // A panic's message goes another way than an event.
        let _ended = tokio::spawn(async move { std::panic::panic_any(line) }).await;
    }
}

/// The forms of a secret, each with its name. All are text but `utf-16le` and `utf-16be`. The
/// pieces of base64 hold what depends on the secret alone, whatever stands before and after it.
///
/// A secret of less than six characters has forms that match by chance.
#[doc(hidden)]
#[must_use]
pub fn forms_of(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let little: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = secret.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let units: Vec<u32> = secret.encode_utf16().map(u32::from).collect();
    let octets: Vec<u32> = secret.bytes().map(u32::from).collect();
    let json = json_escaped(secret);
    let debug = debug_escaped(secret);
    let texts = [
        ("raw", secret.to_owned()),
        ("json", json.clone()),
        ("json of json", json_escaped(&json)),
        ("ascii json", ascii_json(&json)),
        ("debug", debug.clone()),
        ("debug of debug", debug_escaped(&debug)),
        ("debug of json", debug_escaped(&json)),
        ("json of debug", json_escaped(&debug)),
        ("debug of bytes", byte_string(secret)),
        ("percent", percent(secret, "0123456789ABCDEF", "-._~")),
        ("percent lower", percent(secret, "0123456789abcdef", "-._~")),
        (
            "form",
            percent(secret, "0123456789ABCDEF", "-._*").replace("%20", "+"),
        ),
        (
            "component",
            percent(secret, "0123456789ABCDEF", "-_.!~*'()"),
        ),
        ("hex", hex(secret.as_bytes(), "0123456789abcdef", "")),
        ("HEX", hex(secret.as_bytes(), "0123456789ABCDEF", "")),
        ("hex apart", hex(secret.as_bytes(), "0123456789abcdef", " ")),
        ("hex list", hex(secret.as_bytes(), "0123456789abcdef", ", ")),
        ("decimal list", decimals(&octets, ", ")),
        ("decimal json", decimals(&octets, ",")),
        ("decimal lines", decimals(&octets, ",\n    ")),
        ("utf-16 hex", hex(&little, "0123456789abcdef", "")),
        ("utf-16 list", decimals(&units, ", ")),
        ("utf-16 json", decimals(&units, ",")),
        (
            "utf-16 bytes",
            decimals(
                &little.iter().copied().map(u32::from).collect::<Vec<_>>(),
                ", ",
            ),
        ),
    ];
    let mut forms: Vec<_> = texts
        .into_iter()
        .map(|(name, text)| (name, text.into_bytes()))
        .collect();
    let pieces = [
        ("base64 at 0", 0, '+', '/'),
        ("base64 at 1", 1, '+', '/'),
        ("base64 at 2", 2, '+', '/'),
        ("url base64 at 0", 0, '-', '_'),
        ("url base64 at 1", 1, '-', '_'),
        ("url base64 at 2", 2, '-', '_'),
    ];
    for (name, before, plus, slash) in pieces {
        let piece = base64_piece(secret.as_bytes(), before, plus, slash);
        forms.push((name, piece.into_bytes()));
    }
    // The outer zero may have been cut off with what stood beside it.
    let little = little.strip_suffix(&[0]).unwrap_or(&little);
    let big = big.strip_prefix(&[0]).unwrap_or(&big);
    forms.push(("utf-16le", little.to_vec()));
    forms.push(("utf-16be", big.to_vec()));
    forms
}

fn json_escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c == '"' || c == '\\' {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn ascii_json(json: &str) -> String {
    let mut out = String::new();
    for unit in json.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if byte < 0x80 => out.push(char::from(byte)),
            _ => {
                out.push_str("\\u");
                for shift in [12, 8, 4, 0] {
                    out.push(digit("0123456789abcdef", usize::from(unit >> shift & 15)));
                }
            }
        }
    }
    out
}

/// What `{:?}` makes of it, by the standard library itself, which is what writes it.
fn debug_escaped(text: &str) -> String {
    let whole = format!("{text:?}");
    whole[1..whole.len() - 1].to_owned()
}

fn byte_string(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte == b'"' || byte == b'\\' {
            out.push('\\');
        }
        if (32..127).contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str("\\x");
            out.push_str(&hex(&[byte], "0123456789abcdef", ""));
        }
    }
    out
}

fn percent(text: &str, digits: &str, kept: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || c.is_ascii() && kept.contains(c) {
            out.push(c);
        } else {
            out.push('%');
            out.push_str(&hex(&[byte], digits, ""));
        }
    }
    out
}

fn hex(bytes: &[u8], digits: &str, separator: &str) -> String {
    let mut out = String::new();
    for byte in bytes {
        if !out.is_empty() {
            out.push_str(separator);
        }
        out.push(digit(digits, usize::from(byte >> 4)));
        out.push(digit(digits, usize::from(byte & 15)));
    }
    out
}

fn digit(digits: &str, value: usize) -> char {
    digits.chars().nth(value).unwrap_or('?')
}

fn decimals(numbers: &[u32], separator: &str) -> String {
    let mut out = String::new();
    for number in numbers {
        if !out.is_empty() {
            out.push_str(separator);
        }
        out.push_str(&number.to_string());
    }
    out
}

/// The bits of the secret in groups of six, of which only whole groups are told, `before` bytes
/// after the beginning of a longer text.
fn base64_piece(secret: &[u8], before: usize, plus: char, slash: char) -> String {
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let bits: Vec<u8> = secret
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |shift| byte >> shift & 1))
        .collect();
    let skipped = (6 - before * 8 % 6) % 6;
    bits[skipped.min(bits.len())..]
        .chunks_exact(6)
        .map(|group| {
            let value = group.iter().fold(0, |sum, bit| sum * 2 + usize::from(*bit));
            match value {
                62 => plus,
                63 => slash,
                _ => digit(letters, value),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_as_others_write_them() {
        let forms = forms_of("a\"ß >?~\\");
        let form = |name: &str| {
            let found = forms.iter().find(|(other, _)| *other == name);
            found.map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned())
        };
        for (name, wanted) in [
            ("json", r#"a\"ß >?~\\"#),
            ("ascii json", r#"a\"\u00df >?~\\"#),
            ("json of json", r#"a\\\"ß >?~\\\\"#),
            ("debug of bytes", r#"a\"\xc3\x9f >?~\\"#),
            ("percent", "a%22%C3%9F%20%3E%3F~%5C"),
            ("form", "a%22%C3%9F+%3E%3F%7E%5C"),
            ("hex", concat!("6122c39f", "203e3f7e5c")),
            ("decimal list", "97, 34, 195, 159, 32, 62, 63, 126, 92"),
            ("utf-16 list", "97, 34, 223, 32, 62, 63, 126, 92"),
            // Of "a\"ß >?~\\", "x" before it, and "xy" before it, by another program.
            ("base64 at 0", "YSLDnyA+P35c"),
            ("base64 at 1", "Eiw58gPj9+X"),
            ("base64 at 2", "hIsOfID4/fl"),
            ("url base64 at 2", "hIsOfID4_fl"),
        ] {
            assert_eq!(form(name).as_deref(), Some(wanted), "{name}");
        }
    }
}
