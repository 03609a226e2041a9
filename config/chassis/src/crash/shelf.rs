//! The reports' folder: bounded in number, with the oldest that were told going first, and each told
//! once.

use super::report::{Kind, Report};
use crate::{clock, process::write_atomically};
use std::{
    fs::{self, DirBuilder},
    io::{self, Read},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

/// The folder's name in the data folder.
const NAME: &str = "crash";
/// So many are kept.
pub(super) const MOST: usize = 20;
const ENDING: &str = ".json";
/// Of one that a start has told of.
const TOLD: &str = ".told.json";
/// No report is larger, in bytes.
const MAX_BYTES: u64 = 128 * 1024;

/// The folder. Its files are `TIME.KIND.PID-NUMBER.json`, and `.told.json` once a start has told of
/// them.
pub(super) struct Shelf {
    folder: PathBuf,
    put: AtomicU32,
}

/// The file of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept(PathBuf);

impl Shelf {
    pub(super) fn in_folder(data: &Path) -> Self {
        let folder = data.join(NAME);
        let put = AtomicU32::new(0);
        Self { folder, put }
    }

    /// Keeps a report. A start that fails again and again for one reason keeps one, and so does a version
    /// that is killed again and again.
    pub(super) fn put(&self, report: &Report, json: &[u8]) -> io::Result<()> {
        let made = DirBuilder::new().mode(0o700).create(&self.folder);
        made.or_else(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Ok(()),
            _ => Err(error),
        })?;
        let time = clock::rfc3339(report.at_ms).replace(':', "-");
        let (kind, pid) = (report.kind.name(), report.run.pid);
        let number = self.put.fetch_add(1, Ordering::Relaxed);
        let name = format!("{time}.{kind}.{pid}-{number}{ENDING}");
        let earlier = self.kept();
        write_atomically(&self.folder.join(name), json)?;
        let last = earlier.last().filter(|_| report.kind != Kind::Panic);
        let repeated = last.filter(|last| last.repeats(json));
        let surplus = (earlier.len() + 1).saturating_sub(MOST);
        let (told, untold): (Vec<_>, Vec<_>) = earlier.iter().partition(|kept| kept.is_told());
        let superfluous = told.into_iter().chain(untold).take(surplus);
        superfluous.chain(repeated).for_each(Kept::remove);
        Ok(())
    }

    /// Removes what was being written when an earlier run was killed. Before this one writes.
    pub(super) fn sweep(&self) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        for name in names.filter(|name| name.starts_with('.') && name.ends_with(".tmp")) {
            Kept(self.folder.join(name)).remove();
        }
    }

    /// The reports, oldest first; anything else in the folder is left alone.
    pub(super) fn kept(&self) -> Vec<Kept> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut kept: Vec<_> = entries
            .map(|entry| entry.path())
            .filter(|path| is_report(path))
            .collect();
        kept.sort();
        kept.into_iter().map(Kept).collect()
    }

    /// Those that no start has told of.
    pub(super) fn untold(&self) -> Vec<Kept> {
        let mut kept = self.kept();
        kept.retain(|report| !report.is_told());
        kept
    }
}

impl Kept {
    fn name(&self) -> &str {
        let name = self.0.file_name().and_then(|name| name.to_str());
        name.unwrap_or_default()
    }

    fn is_told(&self) -> bool {
        self.name().ends_with(TOLD)
    }

    /// One that stays is a report too many, which the next one makes good.
    fn remove(&self) {
        let _ = fs::remove_file(&self.0);
    }

    /// Where it is once it is told.
    pub(super) fn told_path(&self) -> PathBuf {
        let name = self.name();
        let name = name.strip_suffix(ENDING).unwrap_or(name);
        self.0.with_file_name(format!("{name}{TOLD}"))
    }

    pub(super) fn mark_told(&self) -> io::Result<()> {
        fs::rename(&self.0, self.told_path())
    }

    /// Whether it tells of the same error as the JSON of another report.
    fn repeats(&self, json: &[u8]) -> bool {
        let told = |json: &[u8]| -> Option<[serde_json::Value; 3]> {
            let mut report: serde_json::Value = serde_json::from_slice(json).ok()?;
            Some(["kind", "version", "error"].map(|name| report[name].take()))
        };
        let own = fs::File::open(&self.0).and_then(|file| {
            let mut own = Vec::new();
            file.take(MAX_BYTES).read_to_end(&mut own)?;
            Ok(own)
        });
        own.is_ok_and(|own| told(&own).is_some_and(|own| Some(own) == told(json)))
    }
}

/// By its name.
fn is_report(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| {
        name.starts_with(|c: char| c.is_ascii_digit()) && name.ends_with(ENDING)
    })
}
