//! Numbers and foreign text as a page and a table show them.

use std::fmt::Write;

/// Text from data, harmless in HTML and in its attributes: it has no markup left, and what no page
/// may hold becomes a replacement character.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' => escaped.push(letter),
            control if control.is_control() => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A cell of a CSV file (RFC 4180). A text that a spreadsheet would take for a formula gets an
/// apostrophe before it.
pub(crate) fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

/// `-1,234.50`, with that many decimals and a true minus sign. A number that is not finite is a
/// dash.
pub(crate) fn number(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let digits = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    let mut text = String::new();
    if value < 0.0 && digits.contains(|digit: char| ('1'..='9').contains(&digit)) {
        text.push('−');
    }
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if !fraction.is_empty() {
        let _ = write!(text, ".{fraction}");
    }
    text
}

/// A price with the digits it has, at most eight: `1.08312`.
pub(super) fn price(value: f64) -> String {
    let text = format!("{value:.8}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A length of time in its two largest units: `3 d 4 h`.
pub(super) fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    let units = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
    let first = units
        .iter()
        .position(|(_, size)| seconds >= *size)
        .unwrap_or(3);
    let (unit, size) = units[first];
    let rest = seconds % size;
    let mut text = format!("{} {unit}", seconds / size);
    if let Some((unit, size)) = units.get(first + 1)
        && rest >= *size
    {
        let _ = write!(text, " {} {unit}", rest / size);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_has_no_markup() {
        let text = "<script>alert('x')</script> & \"y\"\u{1b}[31m\u{0}";
        assert_eq!(
            escape(text),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;y&quot;\u{fffd}[31m\u{fffd}"
        );
    }

    #[test]
    fn cells_are_quoted_and_no_formulas() {
        assert_eq!(cell("EURUSD"), "EURUSD");
        assert_eq!(cell("a,\"b\"\nc"), "\"a,\"\"b\"\"\nc\"");
        assert_eq!(cell("=HYPERLINK(1)"), "'=HYPERLINK(1)");
        assert_eq!(cell("@a,b"), "\"'@a,b\"");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(number(1_234_567.891, 2), "1,234,567.89");
        assert_eq!(number(-999.5, 1), "−999.5");
        assert_eq!(number(-0.001, 2), "0.00");
        assert_eq!(number(f64::NAN, 2), "–");
        assert_eq!(number(12.0, 0), "12");
        assert_eq!(price(1.083_120), "1.08312");
        assert_eq!(price(2_000.0), "2000");
    }

    #[test]
    fn durations_have_two_units() {
        assert_eq!(duration(273_600.0), "3 d 4 h");
        assert_eq!(duration(3_599.0), "59 min 59 s");
        assert_eq!(duration(3_600.0), "1 h");
        assert_eq!(duration(0.2), "0 s");
    }
}
