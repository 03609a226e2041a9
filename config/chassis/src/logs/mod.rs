//! The log: to standard error and, unless told otherwise, to files in one folder, or to standard
//! output alone; through one queue and one thread, on which every event passes the redactor as a
//! whole. Logging never stops the process: a full queue or a failing write costs a line, which is
//! counted.

mod panics;
mod recent;
mod redacting_writer;
mod rolling;
mod settings;
mod sighup;
mod tail;
#[cfg(test)]
mod tests;

pub use panics::install_panic_hook;
pub use settings::{Format, LogSettings};
pub use sighup::{on_sighup, set_level};

pub(crate) use panics::{message_of, place_of};
pub(crate) use recent::{Action, KEPT, Recent, TRACE_ID, current_trace_id};
pub(crate) use redacting_writer::line;
pub(crate) use tail::tail;

use crate::clock;
use crate::redact::Redactor;
use redacting_writer::{Losses, RedactingWriter};
use rolling::{Limits, Rolling};
use std::io;
use std::path::PathBuf;
use tracing::Dispatch;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry, fmt, reload};

/// The target of the lines on calls: who called for what, and how that ended. No level silences it.
pub const AUDIT: &str = "audit";

const QUEUED_LINES: usize = 16 * 1024;
const THREAD: &str = "log";

/// Why the log could not be started or changed.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The folder or the first file in it.
    #[error("cannot open the log in {}; let this user write there, or set logging.folder to another folder", folder.display())]
    Open {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The level is not a valid directive.
    #[error(
        "invalid log level: expected error, warn, info, debug, trace or off, or target=level; set logging.level to one of them"
    )]
    Level,
    /// The process has a log already.
    #[error("cannot start the log: this process has one already")]
    Running,
    /// The log ended before its guard.
    #[error("cannot change the log level: the log has ended")]
    Ended,
}

/// Keeps the log's thread alive; dropping it writes what is queued.
pub struct LogGuard {
    level: reload::Handle<Targets, Registry>,
    folder: Option<PathBuf>,
    program: String,
    losses: Losses,
    _worker: WorkerGuard,
}

impl LogGuard {
    /// Changes the level, such as `debug` or `info,h2=warn`.
    ///
    /// # Errors
    /// The text is not a valid directive.
    pub fn set_level(&self, level: &str) -> Result<(), LogError> {
        let filter = settings::filter(level).ok_or(LogError::Level)?;
        self.level.reload(filter).map_err(|_| LogError::Ended)
    }

    /// The log's files, oldest first.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        self.folder
            .iter()
            .flat_map(|folder| rolling::files(folder, &self.program))
            .map(|file| file.path)
            .collect()
    }

    /// Lines lost so far.
    #[must_use]
    pub fn dropped_lines(&self) -> u64 {
        self.losses.total()
    }
}

/// Starts the process's log and its thread; the redactor learns the configured names, and what is
/// logged last is kept.
///
/// # Errors
/// The folder cannot be written, the level is not a valid directive, or a log runs already.
pub(crate) fn start(
    settings: &LogSettings,
    redactor: &Redactor,
    program: &str,
    recent: &Recent,
) -> Result<LogGuard, LogError> {
    redactor.set_fields(&settings.sensitive_fields);
    let screen: Box<dyn io::Write + Send> = if settings.stdout {
        Box::new(io::stdout())
    } else {
        Box::new(io::stderr())
    };
    let (dispatch, guard) = build(settings, redactor, program, screen, recent)?;
    tracing::dispatcher::set_global_default(dispatch).map_err(|_| LogError::Running)?;
    Ok(guard)
}

fn build(
    settings: &LogSettings,
    redactor: &Redactor,
    program: &str,
    screen: impl io::Write + Send + 'static,
    recent: &Recent,
) -> Result<(Dispatch, LogGuard), LogError> {
    let filter = settings::filter(&settings.level).ok_or(LogError::Level)?;
    let limits = Limits {
        file_bytes: settings.max_file_bytes,
        total_bytes: settings.max_total_bytes,
        files: settings.max_files,
    };
    let open = |folder: &PathBuf| {
        Rolling::open(folder, program, limits, clock::utc_now_ms).map_err(|source| LogError::Open {
            folder: folder.clone(),
            source,
        })
    };
    let rolling = settings.folder.as_ref().map(open).transpose()?;
    let losses = Losses::default();
    let writer = RedactingWriter::new(redactor.clone(), screen, rolling, losses.clone());
    let (queue, worker) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(QUEUED_LINES)
        .thread_name(THREAD)
        .finish(writer);
    losses.watch(queue.error_counter());
    let (filter, level) = reload::Layer::new(filter);
    let subscriber = Registry::default()
        .with(filter)
        .with(recent.clone())
        .with(events(settings.format, queue));
    let guard = LogGuard {
        level,
        folder: settings.folder.clone(),
        program: program.to_owned(),
        losses,
        _worker: worker,
    };
    Ok((Dispatch::new(subscriber), guard))
}

fn events<S>(format: Format, queue: NonBlocking) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let layer = fmt::layer()
        .with_ansi(false)
        .with_timer(Clock)
        .with_writer(queue);
    match format {
        Format::Text => layer.boxed(),
        Format::Json => layer
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .boxed(),
    }
}

struct Clock;

impl FormatTime for Clock {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        writer.write_str(&clock::rfc3339(clock::utc_now_ms()))
    }
}
