//! What is made of a whole sweep.

use super::{SweepError, Swept, document, page};
use crate::report::{self, is_free};
use mymt5_chassis::process::write_atomically;
use std::{
    io,
    path::{Path, PathBuf},
};

impl Swept {
    /// All of it, for programs.
    ///
    /// # Errors
    /// None that the data can cause.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        document::json(self)
    }

    /// The points, one a line.
    #[must_use]
    pub fn csv(&self) -> String {
        document::csv(self)
    }

    /// The best points and the walk forward, for people.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        document::lines(self)
    }

    /// The page.
    #[must_use]
    pub fn html(&self) -> String {
        page::of(self)
    }

    /// Writes the page, and beside it the same name with `.points.csv` and with `.sweep.json`. A file
    /// is there whole or not at all. Those of an earlier sweep are replaced.
    ///
    /// # Errors
    /// A file cannot be written, or one of another kind is in its place: then none is written.
    pub fn write(&self, page: &Path) -> Result<[PathBuf; 3], SweepError> {
        let failed = |file: &Path, error: io::Error| SweepError::Write(file.to_owned(), error);
        let data = page.with_extension("sweep.json");
        let json = self.json().map_err(|error| failed(&data, error.into()))?;
        let files = [
            (page.to_owned(), self.html(), report::BEGIN),
            (
                page.with_extension("points.csv"),
                self.csv(),
                document::CSV_BEGIN,
            ),
            (data, json, document::JSON_BEGIN),
        ];
        for (file, _, begin) in &files {
            if !is_free(file, begin).map_err(|error| failed(file, error))? {
                return Err(SweepError::Foreign(file.clone()));
            }
        }
        for (file, text, _) in &files {
            write_atomically(file, text.as_bytes()).map_err(|error| failed(file, error))?;
        }
        Ok(files.map(|(file, _, _)| file))
    }
}
