//! What the kernel tells of this host: swap, and what a sandbox can rest on.

use super::Finding;
use crate::{loader::Environment, sandbox::Wanted};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The check of swap.
pub(super) const SWAP: &str = "swap";
/// The check of the kernel's means.
pub(super) const SANDBOX: &str = "sandbox";

/// The first kernel that confines TCP ports by Landlock.
const WITH_PORTS: (u32, u32) = (6, 7);

/// The kernel's own files.
#[derive(Clone, Debug)]
pub(super) struct Host(PathBuf);

impl Host {
    /// This host; in a build for tests what stands for it.
    pub(super) fn of(environment: &Environment) -> Self {
        #[cfg(debug_assertions)]
        if let Some(root) = environment.for_test("MYMT5_TEST_HOST") {
            return Self(root.into());
        }
        #[cfg(not(debug_assertions))]
        let _ = environment;
        Self("/".into())
    }

    /// The text of a file such as `proc/swaps`; none where it is not there, or is barred.
    pub(super) fn read(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.0.join(file)).ok()
    }

    /// Places of swap, and whether each is encrypted or in memory.
    pub(super) fn swaps(&self) -> Option<Vec<(String, bool)>> {
        let text = self.read("proc/swaps")?;
        let names = text
            .lines()
            .skip(1)
            .filter_map(|line| line.split_whitespace().next());
        let area = |name: &str| (name.to_owned(), self.is_protected(name));
        Some(names.map(area).collect())
    }

    fn is_protected(&self, swap: &str) -> bool {
        let device = Path::new(swap)
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        let uuid = || self.read(&format!("sys/block/{device}/dm/uuid"));
        device.starts_with("zram") || uuid().is_some_and(|uuid| uuid.starts_with("CRYPT-"))
    }

    /// What the kernel has.
    pub(super) fn means(&self) -> Means {
        let lists = |file: &str, word: &str| {
            let text = self.read(file)?;
            let mut words = text.split([',', ' ', '\n']);
            Some(words.any(|found| found == word))
        };
        let release = self.read("proc/sys/kernel/osrelease");
        Means {
            release: release.and_then(|text| release_of(&text)),
            landlock: lists("sys/kernel/security/lsm", "landlock"),
            seccomp: lists("proc/sys/kernel/seccomp/actions_avail", "errno"),
        }
    }
}

/// Major and minor number of a kernel such as `6.8.0-45-generic`.
fn release_of(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().split(['.', '-']);
    let mut next = || numbers.next()?.parse().ok();
    Some((next()?, next()?))
}

/// What a kernel can confine a process by; none: it does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Means {
    /// Its major and minor number.
    pub(super) release: Option<(u32, u32)>,
    /// Whether Landlock is enabled.
    pub(super) landlock: Option<bool>,
    /// Whether system calls can be filtered.
    pub(super) seccomp: Option<bool>,
}

/// Whether secrets in memory may get onto a disk.
pub(super) fn swap(areas: Option<&[(String, bool)]>) -> Finding {
    let Some(areas) = areas else {
        return Finding::cannot_see(
            SWAP,
            "/proc/swaps is not there",
            "look at the host: swap is to be off or encrypted",
        );
    };
    match areas.iter().find(|(_, is_protected)| !is_protected) {
        Some((name, _)) => Finding::warn(
            SWAP,
            format!("{name} is not encrypted, and secrets in memory may be written there"),
            "switch swap off by swapoff -a, or encrypt it by dm-crypt",
        ),
        None if areas.is_empty() => Finding::pass(SWAP, "off"),
        None => Finding::pass(SWAP, "encrypted, or in memory"),
    }
}

/// Whether the process is to be confined, and this kernel can.
pub(super) fn sandbox(wanted: Wanted, means: Means) -> Finding {
    if wanted == Wanted::Off {
        return Finding::fail(
            SANDBOX,
            "process.sandbox is \"off\"",
            "set process.sandbox to \"required\" or \"best-effort\"",
        );
    }
    let is_old = means.release.is_some_and(|release| release < WITH_PORTS);
    let lacking = if is_old || means.landlock == Some(false) {
        Some("files and ports (Landlock, Linux 6.7 or newer)")
    } else if means.seccomp == Some(false) {
        Some("system calls (seccomp)")
    } else {
        None
    };
    match lacking {
        Some(lacking) => Finding::warn(
            SANDBOX,
            format!("this kernel cannot confine {lacking}"),
            "use a kernel that can, with landlock in its lsm= list",
        ),
        None if means.landlock.is_none() || means.seccomp.is_none() => Finding::cannot_see(
            SANDBOX,
            "the kernel does not tell what it can confine",
            "look for \"enforced\" in the log of the start",
        ),
        None => Finding::pass(
            SANDBOX,
            "the kernel can confine files, ports and system calls",
        ),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn swap_is_off_or_encrypted_or_to_mind() {
        let root = tempfile::tempdir().unwrap();
        let put = |file: &str, text: &str| {
            let file = root.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        let host = Host(root.path().to_owned());
        let judged = || swap(host.swaps().as_deref()).verdict;
        assert_eq!(judged(), Verdict::CannotSee);
        let head = "Filename\tType\tSize\tUsed\tPriority\n";
        put("proc/swaps", head);
        assert_eq!(judged(), Verdict::Pass);
        put("proc/swaps", &format!("{head}/dev/dm-1 partition 9 0 -2\n"));
        assert_eq!(judged(), Verdict::Warn);
        put("sys/block/dm-1/dm/uuid", "CRYPT-PLAIN-swap\n");
        assert_eq!(judged(), Verdict::Pass);
        put("proc/swaps", &format!("{head}/dev/zram0 partition 9 0 5\n"));
        assert_eq!(judged(), Verdict::Pass);
        put("proc/swaps", &format!("{head}/swap.img file 9 0 -2\n"));
        assert_eq!(judged(), Verdict::Warn);
    }

    #[test]
    fn a_sandbox_needs_the_will_and_the_kernel() {
        let able = Means {
            release: Some((6, 7)),
            landlock: Some(true),
            seccomp: Some(true),
        };
        let verdict = |wanted, means| sandbox(wanted, means).verdict;
        assert_eq!(verdict(Wanted::Required, able), Verdict::Pass);
        assert_eq!(verdict(Wanted::Off, able), Verdict::Fail);
        for unable in [
            Means {
                release: Some((5, 15)),
                ..able
            },
            Means {
                landlock: Some(false),
                ..able
            },
            Means {
                seccomp: Some(false),
                ..able
            },
        ] {
            assert_eq!(verdict(Wanted::BestEffort, unable), Verdict::Warn);
        }
        let silent = Means {
            landlock: None,
            ..able
        };
        assert_eq!(verdict(Wanted::BestEffort, silent), Verdict::CannotSee);
        assert_eq!(release_of("6.8.0-45-generic\n"), Some((6, 8)));
        assert_eq!(release_of("odd"), None);
    }
}
