//! What a report says, and how much at most.

use super::marker::RunFacts;
use crate::{
    clock,
    logs::{self, Action},
    redact::Redactor,
};
use serde_json::json;

/// Longest text of the error, in bytes.
const MAX_ERROR_BYTES: usize = 4 * 1024;
/// Longest text of anything else.
const MAX_TEXT_BYTES: usize = 512;
const CUT: &str = " ... cut";
/// All that is known of a process that was gone at once.
pub(crate) const DEATH: &str = "the process was killed, ran out of memory or aborted; look at the supervisor's log and the kernel's";

/// How a run ended, or went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A thread panicked; the process may have gone on.
    Panic,
    /// An error ended the process.
    Error,
    /// It was gone without a word, as the next start found.
    Killed,
}

impl Kind {
    /// As files name it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Error => "error",
            Self::Killed => "killed",
        }
    }
}

/// One report; its texts are not redacted.
pub(super) struct Report {
    /// When it was written; for [`Kind::Killed`] that is the next start.
    pub(super) at_ms: i64,
    pub(super) kind: Kind,
    pub(super) program: &'static str,
    pub(super) run: RunFacts,
    pub(super) error: String,
    pub(super) place: Option<String>,
    pub(super) thread: Option<String>,
    /// What the log was told before, oldest first.
    pub(super) last_actions: Vec<String>,
    pub(super) correlation_id: Option<String>,
}

impl Report {
    /// Of a run that left its marker, and the end of its log.
    pub(super) fn of_death(program: &'static str, run: RunFacts, lines: Vec<String>) -> Self {
        Self {
            at_ms: clock::utc_now_ms(),
            kind: Kind::Killed,
            program,
            run,
            error: DEATH.to_owned(),
            place: None,
            thread: None,
            correlation_id: lines.iter().rev().find_map(|line| trace_id_in(line)),
            last_actions: lines,
        }
    }

    /// With what the process did last, and the request that it did it for.
    pub(super) fn with_actions(mut self, actions: &[Action]) -> Self {
        self.last_actions = actions.iter().map(ToString::to_string).collect();
        let mut newest_first = actions.iter().rev();
        self.correlation_id = newest_first.find_map(|action| action.trace_id.clone());
        self
    }

    /// One line of JSON, redacted as a line of the log is: each text before it is cut, and the whole
    /// as it is written.
    pub(super) fn to_json(&self, redactor: &Redactor) -> String {
        let shown = |text: &str| shown(redactor, text, MAX_TEXT_BYTES);
        let optional = |text: &Option<String>| text.as_deref().map(shown);
        let actions: Vec<String> = self.last_actions.iter().map(|text| shown(text)).collect();
        let whole = json!({
            "time": clock::rfc3339(self.at_ms),
            "kind": self.kind.name(),
            "program": self.program,
            "version": shown(&self.run.version),
            "pid": self.run.pid,
            "started": shown(&self.run.started),
            "error": self::shown(redactor, &self.error, MAX_ERROR_BYTES),
            "place": optional(&self.place),
            "thread": optional(&self.thread),
            "correlation_id": optional(&self.correlation_id),
            "last_actions": actions,
        });
        logs::line(redactor, whole.to_string().as_bytes())
    }
}

fn shown(redactor: &Redactor, text: &str, most: usize) -> String {
    let line = logs::line(redactor, text.as_bytes());
    let line = line.trim_end_matches('\n');
    if line.len() <= most {
        return line.to_owned();
    }
    format!("{}{CUT}", &line[..line.floor_char_boundary(most)])
}

/// The id of a request in a line of the log, whichever its format.
fn trace_id_in(line: &str) -> Option<String> {
    const DIGITS: usize = 32;
    let (_, rest) = line.split_once(logs::TRACE_ID)?;
    let id = rest
        .trim_start_matches(['"', '=', ':', ' '])
        .get(..DIGITS)?;
    let is_id = id.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_id.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_request_is_found_in_both_formats() {
        let id = "0af7".repeat(8);
        let text = format!("INFO call{{trace_id=\"{id}\" path=\"/x\"}}: audit: ended");
        let json = format!("{{\"message\":\"x\",\"trace_id\":\"{id}\"}}");
        for line in [text, json] {
            assert_eq!(trace_id_in(&line), Some(id.clone()), "{line}");
        }
        for line in [
            "gateway ready",
            "trace_id=",
            "trace_id=\"é\"",
            "trace_id=12",
        ] {
            assert_eq!(trace_id_in(line), None, "{line}");
        }
    }
}
