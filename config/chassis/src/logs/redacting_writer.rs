//! The end of the queue: each event is cleaned and cut to one bounded line, then written to the
//! screen and to the file. Whatever fails is counted.

use super::rolling::Rolling;
use crate::letters;
use crate::metrics::LOG_LINES_DROPPED;
use crate::redact::{LONGEST_FORM, Redactor};
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use tracing_appender::non_blocking::ErrorCounter;

const MAX_LINE_BYTES: usize = 64 * 1024;
const CUT: &str = " ... cut";

/// The count of lost lines: those the queue had no room for, and those that could not be written.
#[derive(Clone, Default)]
pub(super) struct Losses(Arc<Counts>);

#[derive(Default)]
struct Counts {
    queue: OnceLock<ErrorCounter>,
    failed: AtomicU64,
}

impl Losses {
    /// Adds the queue's own count, which exists only once the queue does.
    pub(super) fn watch(&self, queue: ErrorCounter) {
        // A second queue cannot come: each log makes its own losses.
        let _first = self.0.queue.set(queue);
    }

    pub(super) fn total(&self) -> u64 {
        let queue = self.0.queue.get().map_or(0, ErrorCounter::dropped_lines);
        self.0.failed.load(Ordering::Relaxed) + queue as u64
    }

    fn add(&self) {
        self.0.failed.fetch_add(1, Ordering::Relaxed);
    }
}

/// Writes cleaned lines to the screen and the file, where there is one.
pub(super) struct RedactingWriter<W> {
    redactor: Redactor,
    screen: W,
    file: Option<Rolling>,
    losses: Losses,
}

impl<W: Write> RedactingWriter<W> {
    pub(super) fn new(
        redactor: Redactor,
        screen: W,
        file: Option<Rolling>,
        losses: Losses,
    ) -> Self {
        Self {
            redactor,
            screen,
            file,
            losses,
        }
    }
}

/// The event in one line, with its end. Of one that is too long a beginning is cleaned, and of
/// that no more shown than what any secret that was cut in two cannot reach.
pub(crate) fn line(redactor: &Redactor, event: &[u8]) -> String {
    let taken = &event[..event.len().min(MAX_LINE_BYTES + LONGEST_FORM)];
    let is_whole = taken.len() == event.len();
    let text = String::from_utf8_lossy(taken);
    let clean = redactor.clean(text.trim_end_matches('\n'));
    let shown = if is_whole {
        &*clean
    } else {
        beginning(&clean, clean.len().saturating_sub(LONGEST_FORM))
    };
    // An event that brings its own line ends could forge another.
    let line = letters::escaped(shown);
    let mut line = if is_whole && line.len() <= MAX_LINE_BYTES {
        line.into_owned()
    } else {
        cut(&line)
    };
    line.push('\n');
    line
}

fn beginning(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// The line's beginning, with a note. What began as JSON is the message of another JSON.
fn cut(line: &str) -> String {
    if line.starts_with('{') {
        // Its quotes and backslashes take twice the room within a text.
        let begun = beginning(line, MAX_LINE_BYTES / 2);
        return serde_json::json!({ "message": format!("{begun}{CUT}") }).to_string();
    }
    format!("{}{CUT}", beginning(line, MAX_LINE_BYTES))
}

impl<W: Write> RedactingWriter<W> {
    fn pass_on(&mut self, event: &[u8]) -> io::Result<()> {
        let line = line(&self.redactor, event);
        let screen = self.screen.write_all(line.as_bytes());
        let file = self.file.as_mut();
        let written = file.map_or(Ok(()), |file| file.write_line(line.as_bytes()));
        screen.and(written)
    }
}

impl<W: Write> Write for RedactingWriter<W> {
    /// One event; always taken whole, so that the queue never tries it again. A panic costs the
    /// line too, but not the thread, with which all later lines would be lost.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let passed = catch_unwind(AssertUnwindSafe(|| self.pass_on(event)));
        if !matches!(passed, Ok(Ok(()))) {
            self.losses.add();
        }
        let lost = self.losses.total();
        if lost > 0 {
            metrics::counter!(LOG_LINES_DROPPED).absolute(lost);
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.screen.flush().is_err() {
            self.losses.add();
        }
        Ok(())
    }
}
