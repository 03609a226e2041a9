//! The marker of a run that has not ended.

use crate::{clock, process::write_atomically, sandbox::Enforced};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Its name in the data folder.
const NAME: &str = "running.json";
const MAX_BYTES: u64 = 4 * 1024;

/// Where the marker is, and the run that leaves it.
pub(super) struct Marker {
    path: PathBuf,
    own: RunFacts,
}

/// What is known of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RunFacts {
    /// Its process; 0: not known.
    pub(super) pid: u32,
    /// The program's version.
    pub(super) version: String,
    /// When it started, RFC 3339.
    pub(super) started: String,
    /// What its sandbox enforces; none: it has not confined itself yet.
    #[serde(default)]
    pub(super) sandbox: Option<Enforced>,
}

impl Marker {
    pub(super) fn in_folder(data: &Path) -> Self {
        let own = RunFacts {
            pid: std::process::id(),
            // The crates of the pair have one version.
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: clock::rfc3339(clock::utc_now_ms()),
            sandbox: None,
        };
        let path = data.join(NAME);
        Self { path, own }
    }

    /// This run.
    pub(super) fn own(&self) -> RunFacts {
        self.own.clone()
    }

    /// The run that left one behind. Of a marker that cannot be read nothing is known but that.
    pub(super) fn left_behind(&self) -> Option<RunFacts> {
        if !self.path.try_exists().unwrap_or(true) {
            return None;
        }
        let read = || -> io::Result<RunFacts> {
            let mut text = String::new();
            let file = File::open(&self.path)?;
            file.take(MAX_BYTES).read_to_string(&mut text)?;
            Ok(serde_json::from_str(&text)?)
        };
        Some(read().unwrap_or_default())
    }

    pub(super) fn leave(&self) -> io::Result<()> {
        write_atomically(&self.path, &serde_json::to_vec(&self.own)?)
    }

    /// Leaves it again, with what the sandbox enforces.
    pub(super) fn leave_confined(&self, enforced: Enforced) -> io::Result<()> {
        let confined = RunFacts {
            sandbox: Some(enforced),
            ..self.own()
        };
        write_atomically(&self.path, &serde_json::to_vec(&confined)?)
    }

    /// Best effort: one that stays makes a report too many.
    pub(super) fn take_away(&self) {
        let _ = fs::remove_file(&self.path);
        // Or it may be back after a loss of power.
        let folder = self.path.parent().map(File::open);
        let _ = folder.and_then(Result::ok).map(|folder| folder.sync_all());
    }
}
