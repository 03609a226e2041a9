//! What a process leaves behind when it does not end as it should: a report in the folder `crash` of
//! its data, on a panic, on an error that ends it, and, by the next start, on whatever gave it no
//! time to say anything, such as SIGKILL, a lack of memory or an abort.
//!
//! Each start leaves a marker in the data folder, and a clean end takes it away. A marker that the
//! next start finds is of a process that died, since a living one holds the folder's lock.

mod marker;
mod report;
mod shelf;

use crate::{
    clock,
    logs::{self, LogSettings, Recent},
    metrics::CRASH_REPORTS,
    process::Folder,
    redact::Redactor,
    sandbox::Enforced,
};
use marker::Marker;
use report::{Kind, Report};
use shelf::{Kept, Shelf};
use std::{
    io,
    panic::{self, PanicHookInfo},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

#[cfg(test)]
pub(crate) use report::DEATH;

/// The thread that writes a report.
const THREAD: &str = "crash";
/// A disk that hangs holds up neither a thread that panics nor the end for longer.
const LONGEST_WRITE: Duration = Duration::from_secs(2);
/// A run reports no more panics than these: what goes on panicking tells nothing new, and would
/// displace all else.
const MOST_PANICS: u32 = 5;

/// The process whose run has not ended, by its marker in a data folder, and what it told of its
/// sandbox: it may be gone all the same.
pub(crate) fn running(data: &Path) -> Option<(u32, Option<Enforced>)> {
    let run = Marker::in_folder(data).left_behind()?;
    (run.pid != 0).then_some((run.pid, run.sandbox))
}

/// One run of a process on its data folder, from the claim to the end. Dropping it lets go of the
/// folder.
pub(crate) struct Run {
    reports: Arc<Reports>,
    marked: io::Result<()>,
    _data: Folder,
}

/// Where the reports of this run go, and what they tell of it.
struct Reports {
    shelf: Shelf,
    marker: Marker,
    program: &'static str,
    redactor: Redactor,
    recent: Recent,
    panics: AtomicU32,
    is_panic_written: AtomicBool,
}

impl Run {
    /// Reports a run before this one that did not end, and marks this one. From now on panics are
    /// reported, too.
    pub(crate) fn begin(
        data: Folder,
        program: &'static str,
        redactor: &Redactor,
        log: &LogSettings,
    ) -> Self {
        let reports = Arc::new(Reports {
            shelf: Shelf::in_folder(data.path()),
            marker: Marker::in_folder(data.path()),
            program,
            redactor: redactor.clone(),
            recent: Recent::default(),
            panics: AtomicU32::new(0),
            is_panic_written: AtomicBool::new(false),
        });
        reports.shelf.sweep();
        if let Some(died) = reports.marker.left_behind() {
            let lines = logs::tail(log, program, logs::KEPT);
            reports.write(&Report::of_death(program, died, lines));
        }
        let marked = reports.marker.leave();
        report_panics(reports.clone());
        Self {
            reports,
            marked,
            _data: data,
        }
    }

    /// Marks this run as confined, for who asks what holds it.
    pub(crate) fn confined(&mut self, enforced: Enforced) {
        if self.marked.is_ok() {
            self.marked = self.reports.marker.leave_confined(enforced);
        }
    }

    /// Keeps what the log is told last.
    pub(crate) fn recent(&self) -> &Recent {
        &self.reports.recent
    }

    /// Tells the log, once, of each report that there is, and the metrics of how many. Where they are,
    /// oldest first.
    pub(crate) fn tell(&self) -> Vec<PathBuf> {
        if let Err(error) = &self.marked {
            tracing::warn!(%error, "cannot mark this run: if it is killed, no crash report will say so");
        }
        let untold = self.reports.shelf.untold();
        metrics::gauge!(CRASH_REPORTS).set(untold.len() as f64);
        let tell = |report: Kept| {
            let told = report.told_path();
            tracing::warn!(report = %told.display(), "an earlier run crashed: read its report, and the log before it");
            if let Err(error) = report.mark_told() {
                tracing::warn!(%error, "cannot mark the report as told: the next start tells it again");
            }
            told
        };
        untold.into_iter().map(tell).collect()
    }

    /// Passes a step of the process on; an error, which ends the process, is reported first.
    pub(crate) fn step<T>(&self, done: anyhow::Result<T>) -> anyhow::Result<T> {
        done.inspect_err(|error| self.fail(&format!("{error:#}")))
    }

    fn fail(&self, error: &str) {
        let report = self.reports.of_now(Kind::Error, error);
        let reports = self.reports.clone();
        bounded(move || {
            // Without its report it ended by an error all the same, and was not killed.
            reports.write(&report);
            reports.marker.take_away();
        });
    }

    /// Ends it well.
    pub(crate) fn end(self) {
        let reports = self.reports.clone();
        bounded(move || reports.marker.take_away());
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // A panic that ends the process has a report already.
        if thread::panicking() && self.reports.is_panic_written.load(Ordering::Relaxed) {
            self.reports.marker.take_away();
        }
    }
}

impl Reports {
    fn of_now(&self, kind: Kind, error: &str) -> Report {
        let report = Report {
            at_ms: clock::utc_now_ms(),
            kind,
            program: self.program,
            run: self.marker.own(),
            error: error.to_owned(),
            place: None,
            thread: None,
            last_actions: Vec::new(),
            correlation_id: None,
        };
        report.with_actions(&self.recent.actions())
    }

    /// None: this run has reported enough of them, or it is the writing of a report that panicked.
    fn of_panic(&self, info: &PanicHookInfo<'_>) -> Option<Report> {
        let thread = thread::current();
        let thread = thread.name().unwrap_or("unnamed");
        if thread == THREAD || self.panics.fetch_add(1, Ordering::Relaxed) >= MOST_PANICS {
            return None;
        }
        let message = logs::message_of(info).unwrap_or("the log panicked");
        let mut report = self.of_now(Kind::Panic, message);
        report.place = Some(logs::place_of(info));
        report.thread = Some(thread.to_owned());
        report.correlation_id = logs::current_trace_id().or(report.correlation_id);
        Some(report)
    }

    /// Whether it is written.
    fn write(&self, report: &Report) -> bool {
        let bytes = report.to_json(&self.redactor);
        let written = self.shelf.put(report, bytes.as_bytes());
        if let Err(error) = &written {
            tracing::error!(%error, "cannot write a crash report");
        }
        written.is_ok()
    }
}

/// The hook before stays, and comes first.
fn report_panics(reports: Arc<Reports>) {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        // What the process did last, before the panic itself is told.
        let report = reports.of_panic(info);
        before(info);
        let Some(report) = report else { return };
        let reports = reports.clone();
        bounded(move || {
            if reports.write(&report) {
                reports.is_panic_written.store(true, Ordering::Relaxed);
                metrics::gauge!(CRASH_REPORTS).increment(1.0);
            }
        });
    }));
}

/// Does it in a thread of its own, and waits a bounded time for it. There a second panic costs the
/// report and no more, while within the hook it would end the process.
fn bounded(work: impl FnOnce() + Send + 'static) {
    let (done, end) = mpsc::channel::<()>();
    let spawned = thread::Builder::new().name(THREAD.to_owned()).spawn(|| {
        let _until_done = done;
        work();
    });
    if spawned.is_ok() {
        // Nothing is ever sent: it ends with the thread, or is too late.
        let _ = end.recv_timeout(LONGEST_WRITE);
    }
}
