//! An export under way: lines of CSV (RFC 4180), or the elements of one JSON array.

use super::row::{COLUMNS, Row};
use clap::ValueEnum;
use std::io::{self, Write};

/// How an export is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Format {
    /// A header, and a line for each row. A text that a spreadsheet would take for a formula has an
    /// apostrophe before it.
    Csv,
    /// An array with an object for each row, one a line.
    Json,
}

/// What is written to.
pub(super) enum Sheet<W: Write> {
    Csv(Box<csv::Writer<W>>),
    Json { out: W, is_empty: bool },
}

impl<W: Write> Sheet<W> {
    pub(super) fn begin(format: Format, mut out: W) -> io::Result<Self> {
        match format {
            Format::Csv => {
                let mut lines = csv::WriterBuilder::new()
                    .has_headers(false)
                    .from_writer(out);
                lines.write_record(COLUMNS).map_err(io_error)?;
                Ok(Self::Csv(Box::new(lines)))
            }
            Format::Json => {
                out.write_all(b"[")?;
                Ok(Self::Json {
                    out,
                    is_empty: true,
                })
            }
        }
    }

    pub(super) fn put(&mut self, row: Row) -> io::Result<()> {
        match self {
            Self::Csv(lines) => lines.serialize(row.without_formulas()).map_err(io_error),
            Self::Json { out, is_empty } => {
                let separator: &[u8] = if *is_empty { b"\n" } else { b",\n" };
                *is_empty = false;
                out.write_all(separator)?;
                Ok(serde_json::to_writer(out, &row)?)
            }
        }
    }

    /// Ends it; all of it is handed on.
    pub(super) fn end(self) -> io::Result<()> {
        match self {
            Self::Csv(mut lines) => lines.flush(),
            Self::Json { mut out, .. } => {
                out.write_all(b"\n]\n")?;
                out.flush()
            }
        }
    }
}

/// Why a write failed keeps its kind.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn written(format: Format, rows: &[&str]) -> String {
        let mut bytes = Vec::new();
        let mut sheet = Sheet::begin(format, &mut bytes).unwrap();
        for reason in rows {
            sheet.put(Row::of_reason(reason)).unwrap();
        }
        sheet.end().unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// The cell `reason` of each line.
    fn reasons(text: &str) -> Vec<String> {
        let mut lines = csv::Reader::from_reader(text.as_bytes());
        let at = lines.headers().unwrap();
        let at = at.iter().position(|name| name == "reason").unwrap();
        let lines = lines.records().map(Result::unwrap);
        lines.map(|line| line[at].to_owned()).collect()
    }

    #[test]
    fn csv_quotes_what_needs_it_and_no_cell_is_a_formula() {
        let text = written(
            Format::Csv,
            &[
                "a \"quote\", a comma",
                "two\nlines",
                "=1+1",
                "@SUM(A1)",
                "-x",
                "+x",
            ],
        );
        assert_eq!(
            reasons(&text),
            [
                "a \"quote\", a comma",
                "two\nlines",
                "'=1+1",
                "'@SUM(A1)",
                "'-x",
                "'+x"
            ]
        );
        assert!(text.starts_with("record,time,broker_time,account,id,"));
    }

    #[test]
    fn json_is_one_array_and_keeps_a_text_as_it_is() {
        for rows in [vec![], vec!["one"], vec!["=1+1", "two\nlines"]] {
            let text = written(Format::Json, &rows);
            let read: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
            let reasons: Vec<_> = read.iter().map(|row| row["reason"].as_str()).collect();
            let expected: Vec<_> = rows.iter().copied().map(Some).collect();
            assert_eq!(reasons, expected);
        }
        assert_eq!(written(Format::Csv, &[]).lines().count(), 1);
    }
}
