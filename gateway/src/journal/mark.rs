//! How far the journal had come: a small file beside it, by which a rolled back journal is
//! detected, and which ids were given when a journal is lost.

use super::JournalError;
use mymt5_chassis::process::write_atomically;
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Between two marks.
const EVERY: Duration = Duration::from_secs(5);

/// How far a journal had come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// The newest event.
    pub(super) sequence: u64,
    /// The highest number of an order's id.
    pub(super) last_order: u64,
}

#[derive(Debug)]
pub(super) struct Mark {
    path: PathBuf,
    journal_id: String,
    written: Option<(Instant, Position)>,
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

    /// How far this journal is known to have come; nowhere for another one's mark or none.
    pub(super) fn seen(&self) -> Result<Position, JournalError> {
        let (id, position) = read(&self.path)?;
        Ok(if id == self.journal_id {
            position
        } else {
            Position::default()
        })
    }

    /// The highest number of an order's id that any journal at that place is known to have given.
    pub(super) fn last_order(journal: &Path) -> Result<u64, JournalError> {
        Ok(read(&journal.with_extension("mark"))?.1.last_order)
    }

    /// Notes a durable position, at most every few seconds unless asked to do it now.
    pub(super) fn note(&mut self, position: Position, now: bool) -> Result<(), JournalError> {
        let due = self
            .written
            .is_none_or(|(at, last)| last != position && (now || at.elapsed() >= EVERY));
        if due {
            let Position {
                sequence,
                last_order,
            } = position;
            let text = format!("{} {sequence} {last_order}\n", self.journal_id);
            write_atomically(&self.path, text.as_bytes()).map_err(JournalError::File)?;
            self.written = Some((Instant::now(), position));
        }
        Ok(())
    }
}

/// Whose mark it is, and what it says.
fn read(path: &Path) -> Result<(String, Position), JournalError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Default::default()),
        Err(error) => return Err(JournalError::File(error)),
    };
    let mut words = text.split_whitespace();
    let id = words.next().unwrap_or_default().to_owned();
    let mut number = || words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
    let position = Position {
        sequence: number(),
        last_order: number(),
    };
    Ok((id, position))
}
