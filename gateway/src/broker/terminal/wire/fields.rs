//! A raw row by the names of its fields. Only the fields asked for are ever read: the holder's
//! name and company stay bytes.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashMap;

/// A row, or an answer, that cannot be understood. Names the field, never its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{row}: {field} {why}")]
pub struct RowError {
    /// What kind of row.
    pub row: &'static str,
    /// Its field.
    pub field: &'static str,
    /// What is wrong with it.
    pub why: &'static str,
}

/// The fields of one row.
pub(crate) struct Fields<'a> {
    row: &'static str,
    values: HashMap<String, &'a RawValue>,
}

impl<'a> Fields<'a> {
    pub(crate) fn of(row: &'static str, raw: &'a RawValue) -> Result<Self, RowError> {
        let values = serde_json::from_str(raw.get()).map_err(|_| RowError {
            row,
            field: "it",
            why: "is no object",
        })?;
        Ok(Self { row, values })
    }

    /// Something is wrong with that field.
    pub(crate) fn error(&self, field: &'static str, why: &'static str) -> RowError {
        RowError {
            row: self.row,
            field,
            why,
        }
    }

    fn get<T: Deserialize<'a>>(
        &self,
        field: &'static str,
        expected: &'static str,
    ) -> Result<T, RowError> {
        let raw = self.values.get(field);
        let raw = raw.ok_or_else(|| self.error(field, "is missing"))?;
        serde_json::from_str(raw.get()).map_err(|_| self.error(field, expected))
    }

    pub(crate) fn raw(&self, field: &'static str) -> Result<&'a RawValue, RowError> {
        let raw = self.values.get(field).copied();
        raw.ok_or_else(|| self.error(field, "is missing"))
    }

    pub(crate) fn code(&self, field: &'static str) -> Result<u32, RowError> {
        self.get(field, "is no small whole number")
    }

    pub(crate) fn count(&self, field: &'static str) -> Result<u64, RowError> {
        self.get(field, "is no whole number of at least 0")
    }

    pub(crate) fn whole(&self, field: &'static str) -> Result<i64, RowError> {
        self.get(field, "is no whole number")
    }

    pub(crate) fn number(&self, field: &'static str) -> Result<f64, RowError> {
        self.get(field, "is no finite number")
    }

    pub(crate) fn text(&self, field: &'static str) -> Result<String, RowError> {
        self.get(field, "is no text")
    }

    pub(crate) fn flag(&self, field: &'static str) -> Result<bool, RowError> {
        self.get(field, "is neither true nor false")
    }

    /// Rows in an array.
    pub(crate) fn rows(&self, field: &'static str) -> Result<Vec<&'a RawValue>, RowError> {
        self.get(field, "is no list of rows")
    }

    /// A field that may be null.
    pub(crate) fn whole_or_null(&self, field: &'static str) -> Result<Option<i64>, RowError> {
        self.get(field, "is no whole number")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_fault_names_its_field_and_hides_its_value() {
        let raw: Box<RawValue> =
            serde_json::from_str(r#"{"sl": "hidden", "tp": null, "type": -1, "ok": true}"#)
                .unwrap();
        let fields = Fields::of("order", &raw).unwrap();
        let told = |error: RowError| error.to_string();
        assert_eq!(
            told(fields.number("sl").unwrap_err()),
            "order: sl is no finite number"
        );
        assert_eq!(
            told(fields.number("tp").unwrap_err()),
            "order: tp is no finite number"
        );
        assert_eq!(
            told(fields.code("type").unwrap_err()),
            "order: type is no small whole number"
        );
        assert_eq!(
            told(fields.text("symbol").unwrap_err()),
            "order: symbol is missing"
        );
        assert_eq!(fields.flag("ok"), Ok(true));
    }
}
