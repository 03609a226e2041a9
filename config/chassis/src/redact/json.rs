//! A line of JSON stays JSON. Masks that stand for bare numbers, or reach over a quote, may break
//! it; then its texts and numbers are masked one by one.

use serde::de::IgnoredAny;
use serde_json::{Map, Value};

/// What is left of a line that cannot be masked and stay JSON.
const WITHHELD: &str = "{\"message\":\"***\"}";

/// The masked text, or where that is not JSON any more though the line was, the line with each of
/// its values masked by `clean`.
pub(super) fn kept(line: &str, masked: String, clean: impl Fn(&str) -> Option<String>) -> String {
    if !line.trim_start().starts_with(['{', '[']) || is_json(&masked) {
        return masked;
    }
    let Ok(value) = serde_json::from_str::<Value>(line) else {
        // A number beyond all doubles is JSON, too.
        return if is_json(line) {
            WITHHELD.to_owned()
        } else {
            masked
        };
    };
    let rebuilt = each(value, &clean).to_string();
    match clean(&rebuilt) {
        None => rebuilt,
        Some(again) if is_json(&again) => again,
        Some(_) => WITHHELD.to_owned(),
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

fn each(value: Value, clean: &impl Fn(&str) -> Option<String>) -> Value {
    match value {
        Value::String(text) => clean(&text).unwrap_or(text).into(),
        Value::Array(items) => items.into_iter().map(|item| each(item, clean)).collect(),
        Value::Object(entries) => {
            let entry =
                |(name, value): (String, Value)| (clean(&name).unwrap_or(name), each(value, clean));
            Value::Object(entries.into_iter().map(entry).collect::<Map<_, _>>())
        }
        Value::Number(number) => {
            let text = number.to_string();
            clean(&text).map_or(Value::Number(number), Value::String)
        }
        other => other,
    }
}
