//! How far the journal had come: a small file beside it, by which a rolled back journal is told.

use super::JournalError;
use mymt5_chassis::process::write_atomically;
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Between two marks.
const EVERY: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Mark {
    path: PathBuf,
    journal_id: String,
    written: Option<(Instant, u64)>,
}

impl Mark {
    /// True when a journal was kept here before.
    pub(super) fn exists_beside(journal: &Path) -> bool {
        journal.with_extension("mark").exists()
    }

    pub(super) fn beside(journal: &Path, journal_id: &str) -> Self {
        Self {
            path: journal.with_extension("mark"),
            journal_id: journal_id.to_owned(),
            written: None,
        }
    }

    /// The newest event known to be durable in this journal; 0 for another one's mark or none.
    pub(super) fn seen(&self) -> Result<u64, JournalError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(JournalError::File(error)),
        };
        let (id, sequence) = text.trim().split_once(' ').unwrap_or_default();
        Ok(if id == self.journal_id {
            sequence.parse().unwrap_or(0)
        } else {
            0
        })
    }

    /// Notes a durable sequence, at most every few seconds unless asked to do it now.
    pub(super) fn note(&mut self, sequence: u64, now: bool) -> Result<(), JournalError> {
        let due = self
            .written
            .is_none_or(|(at, last)| last != sequence && (now || at.elapsed() >= EVERY));
        if due {
            let text = format!("{} {sequence}\n", self.journal_id);
            write_atomically(&self.path, text.as_bytes()).map_err(JournalError::File)?;
            self.written = Some((Instant::now(), sequence));
        }
        Ok(())
    }
}
