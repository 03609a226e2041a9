//! Panics go through the log like everything else, never straight to the screen: the message
//! of a panic may quote what must not be seen.

use crate::redact::Redactor;
use std::io::Write;
use std::panic::PanicHookInfo;

/// Replaces the hook: a panic becomes one event of level error. Before the log runs, it becomes
/// one redacted line on standard error.
pub fn install_panic_hook(redactor: Redactor) {
    std::panic::set_hook(Box::new(move |info| report(&redactor, info)));
}

fn report(redactor: &Redactor, info: &PanicHookInfo<'_>) {
    let place = place_of(info);
    let Some(message) = message_of(info) else {
        return last_resort(&format!("the log panicked at {place}\n"));
    };
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let message = redactor.clean(message);
    if tracing::dispatcher::has_been_set() {
        tracing::error!(panic = %message, %place, thread, "panicked");
    } else {
        last_resort(&format!("panicked at {place}: {message}\n"));
    }
}

/// Where it happened: file, line and column.
pub(crate) fn place_of(info: &PanicHookInfo<'_>) -> String {
    let place = info.location();
    place.map_or_else(|| "unknown".to_owned(), ToString::to_string)
}

/// What it said, not redacted. None in the log's thread: it may be the redactor that panicked, so its
/// message must not be shown at all.
pub(crate) fn message_of<'a>(info: &'a PanicHookInfo<'_>) -> Option<&'a str> {
    let is_of_the_log = std::thread::current().name() == Some(super::THREAD);
    (!is_of_the_log).then(|| info.payload_as_str().unwrap_or("no message"))
}

fn last_resort(line: &str) {
    // There is nowhere left to report a failure to.
    let _ = std::io::stderr().write_all(line.as_bytes());
}
