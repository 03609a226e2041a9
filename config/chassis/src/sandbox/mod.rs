//! What a process gives up once everything it needs is open: files and ports by Landlock, system
//! calls by seccomp. An attacker who takes the process over can do little with it.
//!
//! It holds for threads that start later, so [`enforce`] comes before any of them.

mod calls;
mod paths;
#[cfg(test)]
mod tests;
#[cfg(debug_assertions)]
pub(crate) mod trial;

use crate::loader::Reader;
use std::{
    collections::BTreeSet,
    fmt,
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

/// What stays allowed. What every process needs (names of hosts, time zones, shared libraries)
/// is added by [`enforce`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    reads: BTreeSet<PathBuf>,
    writes: BTreeSet<PathBuf>,
    connects: BTreeSet<u16>,
}

impl Plan {
    /// A file, or all below a folder, may be read.
    #[must_use]
    pub fn reads(mut self, path: impl Into<PathBuf>) -> Self {
        self.reads.insert(path.into());
        self
    }

    /// The folder of a file may be read, and where the file is a link, that of what it leads to: a
    /// file that is replaced there, as secrets and certificates are at their rotation, can be read
    /// again. The folder itself must stay the same.
    #[must_use]
    pub fn reads_beside(self, file: impl Into<PathBuf>) -> Self {
        let file: PathBuf = file.into();
        let folder = match file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        let real = file.canonicalize().ok();
        let real = real.as_deref().and_then(Path::parent).map(Path::to_owned);
        let plan = self.reads(folder);
        real.into_iter().fold(plan, Self::reads)
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enforced {
    /// Files outside the plan.
    pub files: bool,
    /// TCP ports outside the plan; hosts and UDP are a firewall's business.
    pub ports: bool,
    /// Signals to, and abstract sockets of, other processes.
    pub scopes: bool,
    /// Dangerous system calls.
    pub calls: bool,
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
        ];
        let list = |held: bool| {
            let names = all.iter().filter(|(holds, _)| *holds == held);
            let names: Vec<_> = names.map(|(_, name)| *name).collect();
            names.join(", ")
        };
        match (list(true), list(false)) {
            (held, _) if held.is_empty() => f.write_str("none"),
            (held, free) if free.is_empty() => {
                write!(f, "enforced: {held}; not: hosts, udp, local sockets")
            }
            (held, free) => write!(
                f,
                "enforced: {held}; not: {free}, hosts, udp, local sockets"
            ),
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
    };
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
    match calls::enforce() {
        Ok(()) => enforced.calls = true,
        Err(error) if wanted == Wanted::Required => return Err(SandboxError::Seccomp(error)),
        Err(_) => {}
    }
    Ok(enforced)
}
