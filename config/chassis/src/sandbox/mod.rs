//! What a process gives up once everything it needs is open: files and ports by Landlock, system
//! calls by seccomp. An attacker who takes the process over can do little with it.
//!
//! It holds for threads that start later, so [`enforce`] comes before any of them.

mod calls;
mod paths;
mod peers;
#[cfg(test)]
mod tests;
#[cfg(debug_assertions)]
pub(crate) mod trial;

pub use peers::is_confined;

use crate::loader::{Reader, local_of};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fmt, fs,
    path::{Path, PathBuf},
};

/// How much of it must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of it, or the process does not start.
    Required,
    /// What the kernel can.
    BestEffort,
    /// None of it.
    Off,
}

impl Wanted {
    /// Reads `process.sandbox`; a value that is none of them is a fault.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        const KEY: &str = "process.sandbox";
        let kinds = "\"required\", \"best-effort\" or \"off\"";
        match reader.or(KEY, kinds, "best-effort".to_owned()).as_str() {
            "required" => Some(Self::Required),
            "best-effort" => Some(Self::BestEffort),
            "off" => Some(Self::Off),
            _ => {
                reader.reject(KEY, "is not a sandbox mode", format!("set it to {kinds}"));
                None
            }
        }
    }
}

/// What stays allowed. What every process needs (time zones, shared libraries) is added by
/// [`enforce`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    reads: BTreeSet<PathBuf>,
    writes: BTreeSet<PathBuf>,
    connects: BTreeSet<u16>,
    resolves: bool,
}

impl Plan {
    /// A file, or all below a folder, may be read.
    #[must_use]
    pub fn reads(mut self, path: impl Into<PathBuf>) -> Self {
        self.reads.insert(path.into());
        self
    }

    /// A file that may be there, such as a local `.env`, may be read.
    #[must_use]
    pub fn reads_if_there(self, file: impl Into<PathBuf>) -> Self {
        let file: PathBuf = file.into();
        if file.exists() {
            self.reads(file)
        } else {
            self
        }
    }

    /// The configuration and the local one beside it may be read, as [`Self::reads_alone`] has it.
    #[must_use]
    pub fn reads_configuration(self, file: &Path) -> Self {
        let mut files = vec![file.to_owned(), local_of(file)];
        files.retain(|file| file.exists());
        self.reads_alone(&files)
    }

    /// These files may be read. Where a folder holds nothing else, or is an orchestrator's mount,
    /// all of it may be: then what takes their place at a rotation can be read, too. A link leads to
    /// a file elsewhere.
    #[must_use]
    pub fn reads_alone<'a>(self, files: impl IntoIterator<Item = &'a PathBuf>) -> Self {
        let files: BTreeSet<&Path> = files.into_iter().map(PathBuf::as_path).collect();
        let places = |file: &&Path| {
            let (file, folder) = (file.to_path_buf(), folder_of(file));
            if !holds_only(&files, &folder) {
                return vec![file];
            }
            match (file.canonicalize(), folder.canonicalize()) {
                (Ok(real), Ok(within)) if !real.starts_with(&within) => vec![folder, file],
                _ => vec![folder],
            }
        };
        files.iter().flat_map(places).fold(self, Self::reads)
    }

    /// The folder of a file may be read, whatever else it holds, and where the file is a link, that
    /// of what it leads to: a file that is replaced there can be read again. The folder itself must
    /// stay the same.
    #[must_use]
    pub fn reads_beside(self, file: impl Into<PathBuf>) -> Self {
        let file: PathBuf = file.into();
        let real = file.canonicalize().ok();
        let plan = self.reads(folder_of(&file));
        real.iter()
            .map(|real| folder_of(real))
            .fold(plan, Self::reads)
    }

    /// All below a folder may be read, written, made and removed.
    #[must_use]
    pub fn writes(mut self, folder: impl Into<PathBuf>) -> Self {
        self.writes.insert(folder.into());
        self
    }

    /// TCP connections to this port, of whatever host, may be opened.
    #[must_use]
    pub fn connects(mut self, port: u16) -> Self {
        self.connects.insert(port);
        self
    }

    /// Names of hosts may be resolved, which needs UDP to whatever host.
    #[must_use]
    pub fn resolves_names(mut self) -> Self {
        self.resolves = true;
        self
    }
}

/// The folder of a file; the file itself where that would be everything.
fn folder_of(file: &Path) -> PathBuf {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let real = folder.canonicalize();
    let is_root = real.is_ok_and(|real| real.parent().is_none());
    if is_root { file } else { folder }.to_owned()
}

/// True for a folder with these files and no others, and for one that an orchestrator mounts for
/// this process and swaps by a link.
fn holds_only(files: &BTreeSet<&Path>, folder: &Path) -> bool {
    let is_one_of_them = |name: &OsStr| {
        let mut here = files.iter().filter(|file| folder_of(file) == folder);
        here.any(|file| file.file_name() == Some(name))
    };
    let holds = |mut entries: fs::ReadDir| {
        entries.all(|entry| entry.is_ok_and(|entry| is_one_of_them(&entry.file_name())))
    };
    folder.join("..data").is_symlink() || fs::read_dir(folder).is_ok_and(holds)
}

/// Why the process is not as confined as it must be.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The kernel has no Landlock, or too old a one.
    #[error(
        "process.sandbox is \"required\", and this kernel cannot confine files and ports (Landlock with TCP rules, Linux 6.7 or newer, and enabled); use such a kernel, or set process.sandbox = \"best-effort\""
    )]
    NoLandlock,
    /// A rule cannot be made or applied.
    #[error("cannot confine files and ports; update the kernel, or set process.sandbox = \"off\"")]
    Landlock(#[source] landlock::RulesetError),
    /// A path of the plan cannot be opened.
    #[error(
        "cannot confine the process to its files, {} does not open; create it, or set the key that names it to another path", path.display()
    )]
    Path {
        /// The path.
        path: PathBuf,
        /// Why.
        #[source]
        source: landlock::PathFdError,
    },
    /// The filter of system calls cannot be built or applied.
    #[error(
        "cannot confine system calls; use another kernel, or set process.sandbox = \"best-effort\""
    )]
    Seccomp(#[source] seccompiler::Error),
}

/// What the kernel enforces from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enforced {
    /// Files outside the plan.
    pub files: bool,
    /// TCP ports outside the plan; hosts are a firewall's business.
    pub ports: bool,
    /// Signals to, and abstract sockets of, other processes.
    pub scopes: bool,
    /// Dangerous system calls, and sockets of all families but the internet's.
    pub calls: bool,
    /// UDP. It is open where names are resolved.
    pub udp: bool,
}

/// Logs at the start what a best effort could not confine.
pub fn warn_of_gaps(wanted: Wanted, enforced: Enforced) {
    if wanted == Wanted::Off {
        tracing::warn!("the sandbox is off: whoever takes this process over has all its rights");
    } else if !(enforced.files && enforced.ports && enforced.calls) {
        tracing::warn!(sandbox = %enforced, "this kernel cannot confine the process as asked");
    }
}

impl fmt::Display for Enforced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [
            (self.files, "files"),
            (self.ports, "tcp ports"),
            (self.scopes, "signals"),
            (self.calls, "system calls"),
            (self.udp, "udp"),
            (false, "hosts"),
        ];
        let list = |held: bool| {
            let names = all.iter().filter(|(holds, _)| *holds == held);
            let names: Vec<_> = names.map(|(_, name)| *name).collect();
            names.join(", ")
        };
        match list(true) {
            held if held.is_empty() => f.write_str("none"),
            held => write!(f, "enforced: {held}; not: {}", list(false)),
        }
    }
}

/// Gives up everything but the plan, for this thread and all that it starts.
///
/// # Errors
/// A path of the plan does not exist, the kernel refuses, or it cannot do what is required.
pub fn enforce(wanted: Wanted, plan: &Plan) -> Result<Enforced, SandboxError> {
    let mut enforced = Enforced {
        files: false,
        ports: false,
        scopes: false,
        calls: false,
        udp: false,
    };
    peers::remember_own();
    if wanted == Wanted::Off {
        return Ok(enforced);
    }
    let held = paths::enforce(plan, wanted == Wanted::Required)?;
    enforced.files = held.files;
    enforced.ports = held.ports;
    enforced.scopes = held.scopes;
    if wanted == Wanted::Required && !(held.files && held.ports) {
        return Err(SandboxError::NoLandlock);
    }
    match calls::enforce(plan.resolves) {
        Ok(()) => {
            enforced.calls = true;
            enforced.udp = !plan.resolves;
        }
        Err(error) if wanted == Wanted::Required => return Err(SandboxError::Seccomp(error)),
        Err(_) => {}
    }
    Ok(enforced)
}
