//! Letters that do more than stand in a line: they steer a terminal, end a line, or change the order
//! in which it is shown. What strangers, clients and brokers write is shown without them.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a letter steers what shows it: control characters (C0, DEL, C1), the line and paragraph
/// separators, the marks of bidirectional text, and letters that nobody sees (zero width space, word
/// joiner, byte order mark, interlinear marks, tags).
#[must_use]
pub fn steers(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{61c}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// The text with such letters as JSON escapes them, so that JSON stays the same JSON.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.chars().any(steers) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            letter if steers(letter) => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    // Writing to a text cannot fail.
                    let _ = write!(escaped, "\\u{unit:04x}");
                }
            }
            letter => escaped.push(letter),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const STEERING: &str = "\0\u{7}\u{1b}\u{7f}\u{85}\u{9b}\u{61c}\u{200b}\u{200f}\u{2028}\u{2029}\u{202e}\u{2066}\u{feff}\u{e0041}";

    #[test]
    fn what_steers_is_escaped_as_json_has_it() {
        for letter in STEERING.chars() {
            assert!(steers(letter), "{letter:?}");
            let shown = escaped(letter.encode_utf8(&mut [0; 4])).into_owned();
            assert!(shown.is_ascii(), "{letter:?}: {shown}");
            let read: String = serde_json::from_str(&format!("\"{shown}\"")).unwrap();
            assert_eq!(read, letter.to_string());
        }
        assert_eq!(escaped("a\nb\r\u{2028}c"), "a\\nb\\r\\u2028c");
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in [
            "",
            "plain \"text\" \\n",
            "ä€😀",
            "שלום",
            "नमस्ते",
            "👩\u{200d}💻",
            "\u{ad}",
        ] {
            assert!(
                matches!(escaped(text), Cow::Borrowed(same) if same == text),
                "{text}"
            );
        }
    }
}
