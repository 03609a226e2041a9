//! What the kernel tells of the running process: its user, its rights, its limits.

use super::{Finding, host::Host};
use crate::sandbox::{Enforced, Wanted};

/// The check of what holds the running process.
pub(super) const CONFINEMENT: &str = "confinement";
/// The check of core files.
pub(super) const CORE: &str = "core-dumps";
/// The check of open files.
pub(super) const FILES: &str = "open-files";
/// The check of the user.
pub(super) const USER: &str = "user";

/// Fewer open files than that can be used up by clients' connections.
const FEWEST_FILES: u64 = 1024;
/// What `Seccomp:` says of a process under a filter.
const FILTERED: u32 = 2;

/// A running process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    /// Its effective user.
    pub(super) user: u32,
    /// Whether it can gain no rights; none: the kernel does not tell.
    pub(super) no_new_privileges: Option<bool>,
    /// Its mode of seccomp.
    pub(super) seccomp: Option<u32>,
    /// Largest core file, bytes; `u64::MAX`: any.
    pub(super) core: Option<u64>,
    /// Most open files.
    pub(super) files: Option<u64>,
    /// What it told of its sandbox.
    pub(super) sandbox: Option<Enforced>,
}

impl Process {
    /// A process of that host, which told so of its sandbox; none where it is gone, is dead and waits
    /// for its parent alone, or another program has its number.
    pub(super) fn of(
        host: &Host,
        (pid, sandbox): (u32, Option<Enforced>),
        program: &str,
    ) -> Option<Self> {
        let status = host.read(&format!("proc/{pid}/status"))?;
        let is_dead = matches!(word(&status, "State:", 0)?, "Z" | "X");
        if is_dead || !word(&status, "Name:", 0)?.starts_with(program) {
            return None;
        }
        let limits = host.read(&format!("proc/{pid}/limits")).unwrap_or_default();
        let number = |name: &str, at: usize| word(&status, name, at)?.parse::<u32>().ok();
        Some(Self {
            user: number("Uid:", 1)?,
            no_new_privileges: number("NoNewPrivs:", 0).map(|set| set == 1),
            seccomp: number("Seccomp:", 0),
            core: limit(&limits, "Max core file size"),
            files: limit(&limits, "Max open files"),
            sandbox,
        })
    }
}

/// The word at a place after a line's name.
fn word<'a>(text: &'a str, name: &str, at: usize) -> Option<&'a str> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().nth(at)
}

/// The soft limit of that name.
fn limit(limits: &str, name: &str) -> Option<u64> {
    match word(limits, name, 0)? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

/// Whether the sandbox that is wanted holds it. A container or systemd may filter its system calls as
/// well, so that the kernel's word alone says nothing of the process's own filter.
pub(super) fn confinement(process: &Process, wanted: Wanted) -> Finding {
    let fix = "restart it, and look for \"sandbox\" in its log";
    let is_wanted = wanted != Wanted::Off;
    match (process.no_new_privileges, process.seccomp) {
        (Some(false), _) => Finding::fail(
            CONFINEMENT,
            "the process could gain rights (NoNewPrivs 0)",
            fix,
        ),
        (_, Some(mode)) if mode != FILTERED && is_wanted => Finding::fail(
            CONFINEMENT,
            "no filter of system calls holds the process",
            fix,
        ),
        (Some(true), Some(_)) if !is_wanted => Finding::pass(
            CONFINEMENT,
            "the process gains no rights, and no sandbox is configured",
        ),
        (Some(true), Some(_)) => match process.sandbox {
            Some(told) if told.calls => Finding::pass(
                CONFINEMENT,
                format!("the process gains no rights, and its sandbox is {told}"),
            ),
            Some(_) => Finding::fail(
                CONFINEMENT,
                "the process told that no filter of its own holds it",
                fix,
            ),
            None => Finding::cannot_see(
                CONFINEMENT,
                "a filter of system calls holds the process, and nothing tells whose it is",
                "look for \"sandbox\" in its log",
            ),
        },
        _ => Finding::cannot_see(
            CONFINEMENT,
            "/proc does not tell what holds the process",
            "look for \"sandbox\" in its log",
        ),
    }
}

/// Whether its memory may get into a core file; `pattern` says where those of this host go.
pub(super) fn core_files(process: &Process, pattern: Option<&str>) -> Finding {
    let to = pattern.map(str::trim).filter(|pattern| !pattern.is_empty());
    let to = to.unwrap_or("an unknown place");
    match process.core {
        Some(0) => Finding::pass(CORE, "the process writes no core file"),
        Some(_) => Finding::fail(
            CORE,
            format!("the process may write its memory, with secrets, to {to}"),
            "restart it by its own `run`, and let nothing raise its limit of core files",
        ),
        None => Finding::cannot_see(
            CORE,
            "/proc does not tell the process's limits",
            "look at its limit of core files, which is to be 0",
        ),
    }
}

/// Whether it may open as many files as connections need.
pub(super) fn open_files(process: &Process) -> Finding {
    match process.files {
        Some(files) if files < FEWEST_FILES => Finding::fail(
            FILES,
            format!("the process may open {files} files, fewer than {FEWEST_FILES}"),
            "set LimitNOFILE=, or ulimit -n, to 4096 and restart it",
        ),
        Some(files) => Finding::pass(FILES, format!("the process may open {files}")),
        None => Finding::cannot_see(
            FILES,
            "/proc does not tell the process's limits",
            "look at its limit of open files, which is to be 1024 or more",
        ),
    }
}

/// Who the process is, and who asks.
pub(super) fn user(process: u32, asking: u32, allow_root: bool) -> Finding {
    if process == 0 && !allow_root {
        return Finding::fail(
            USER,
            "it runs as root",
            "give it a user of its own by useradd --system, and chown its folders",
        );
    }
    if process == 0 {
        return Finding::warn(
            USER,
            "it runs as root, which process.allow_root lets it",
            "give it a user of its own by useradd --system, and remove process.allow_root",
        );
    }
    if process != asking {
        return Finding::warn(
            USER,
            format!("it is user {process}'s, and this runs as user {asking}"),
            "run this as the process's own user, who sees what the process sees",
        );
    }
    Finding::pass(USER, format!("user {process}, not root"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{doctor::Verdict, loader::Environment};
    use std::{
        fs,
        process::Command,
        thread,
        time::{Duration, Instant},
    };

    const WHOLE: Enforced = Enforced {
        files: true,
        ports: true,
        scopes: true,
        calls: true,
        udp: true,
    };

    fn held() -> Process {
        Process {
            user: 1001,
            no_new_privileges: Some(true),
            seccomp: Some(2),
            core: Some(0),
            files: Some(4096),
            sandbox: Some(WHOLE),
        }
    }

    #[test]
    fn this_process_is_seen_as_the_kernel_tells() {
        let host = Host::of(&Environment::from_pairs([("", ""); 0]));
        let own = (std::process::id(), Some(WHOLE));
        // A number that another program has by now.
        assert_eq!(Process::of(&host, own, "mymt5-gateway"), None);
        let own = Process::of(&host, own, "mymt5_chassis").unwrap();
        assert_eq!(own.user, rustix::process::geteuid().as_raw());
        assert!(own.files.is_some_and(|files| files > 0));
        assert_eq!(own.sandbox, Some(WHOLE));
        assert_eq!(Process::of(&host, (u32::MAX, None), "mymt5_chassis"), None);
    }

    #[test]
    fn a_dead_process_that_nobody_waited_for_does_not_run() {
        let host = Host::of(&Environment::from_pairs([("", ""); 0]));
        let mut child = Command::new("true").spawn().unwrap();
        let status = format!("/proc/{}/status", child.id());
        let started = Instant::now();
        while !fs::read_to_string(&status).unwrap().contains("State:\tZ") {
            assert!(started.elapsed() < Duration::from_secs(30));
            thread::yield_now();
        }
        assert_eq!(Process::of(&host, (child.id(), None), "true"), None);
        child.wait().unwrap();
    }

    #[test]
    fn a_process_must_be_held_as_wanted() {
        let verdict = |process: Process, wanted| confinement(&process, wanted).verdict;
        assert_eq!(verdict(held(), Wanted::BestEffort), Verdict::Pass);
        let free = Process {
            seccomp: Some(0),
            ..held()
        };
        assert_eq!(verdict(free.clone(), Wanted::BestEffort), Verdict::Fail);
        assert_eq!(verdict(free, Wanted::Off), Verdict::Pass);
        let rising = Process {
            no_new_privileges: Some(false),
            ..held()
        };
        assert_eq!(verdict(rising, Wanted::Off), Verdict::Fail);
        let silent = Process {
            seccomp: None,
            ..held()
        };
        assert_eq!(verdict(silent, Wanted::Required), Verdict::CannotSee);
        // A container's filter is not the process's.
        let elsewhere = Process {
            sandbox: None,
            ..held()
        };
        assert_eq!(verdict(elsewhere, Wanted::BestEffort), Verdict::CannotSee);
        let unfiltered = Process {
            sandbox: Some(Enforced {
                calls: false,
                ..WHOLE
            }),
            ..held()
        };
        assert_eq!(verdict(unfiltered, Wanted::BestEffort), Verdict::Fail);
    }

    #[test]
    fn limits_are_of_core_and_of_open_files() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max core file size        unlimited            unlimited            bytes     \n\
                    Max open files            256                  524288               files     \n";
        assert_eq!(limit(text, "Max core file size"), Some(u64::MAX));
        let process = Process {
            core: limit(text, "Max core file size"),
            files: limit(text, "Max open files"),
            ..held()
        };
        let core = core_files(&process, Some("|/usr/lib/handler %p\n"));
        assert_eq!(core.verdict, Verdict::Fail);
        assert!(core.seen.ends_with("to |/usr/lib/handler %p"), "{core}");
        assert_eq!(open_files(&process).verdict, Verdict::Fail);
        assert_eq!(core_files(&held(), None).verdict, Verdict::Pass);
        assert_eq!(open_files(&held()).verdict, Verdict::Pass);
    }

    #[test]
    fn root_fails_unless_it_is_allowed() {
        assert_eq!(user(0, 0, false).verdict, Verdict::Fail);
        assert_eq!(user(0, 0, true).verdict, Verdict::Warn);
        assert_eq!(user(1001, 0, false).verdict, Verdict::Warn);
        assert_eq!(user(1001, 1001, false).verdict, Verdict::Pass);
    }
}
