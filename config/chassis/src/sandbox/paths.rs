//! Landlock: which files and TCP ports are left.

use super::{Plan, SandboxError};
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath,
    PathFd, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus,
    Scope,
};
use std::path::{Path, PathBuf};

/// What kernels can, the newest first: files since Linux 5.13, TCP ports since 6.7. What is newer
/// and of use is added where the kernel has it.
const LEVELS: [ABI; 5] = [ABI::V5, ABI::V4, ABI::V3, ABI::V2, ABI::V1];
/// The first with ports.
const PORTS: usize = 1;

/// What reading clocks, loading libraries and counting processors needs. Not every system has them
/// all.
const SYSTEM: &[&str] = &[
    "/etc/localtime",
    "/etc/ld.so.cache",
    "/usr/share/zoneinfo",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/sys/fs/cgroup",
    "/dev/urandom",
    "/dev/null",
];

/// What resolving names needs on top.
const RESOLVER: &[&str] = &[
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
];

/// Name servers also answer over TCP.
const DNS: u16 = 53;

/// What holds.
#[derive(Clone, Copy, Default)]
pub(super) struct Held {
    pub(super) files: bool,
    pub(super) ports: bool,
    pub(super) scopes: bool,
}

/// Applies the plan as far as the kernel can; nothing of it where `all` is asked for and files or
/// ports cannot be confined.
pub(super) fn enforce(plan: &Plan, all: bool) -> Result<Held, SandboxError> {
    let failed = SandboxError::Landlock;
    let Some((abi, mut ruleset, held)) = strictest().map_err(failed)? else {
        return Ok(Held::default());
    };
    if all && !held.ports {
        return Ok(Held::default());
    }
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let resolver = RESOLVER.iter().filter(|_| plan.resolves);
    for path in SYSTEM.iter().chain(resolver).map(Path::new) {
        for place in places(path) {
            if let Ok(file) = PathFd::new(&place) {
                ruleset = allow(ruleset, file, &place, (read, abi)).map_err(failed)?;
            }
        }
    }
    let write = AccessFs::from_all(abi)
        & !(AccessFs::Execute | AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev);
    let reads = plan.reads.iter().map(|path| (path, read));
    for (path, rights) in reads.chain(plan.writes.iter().map(|path| (path, write))) {
        let file = PathFd::new(path).map_err(|source| SandboxError::Path {
            path: path.clone(),
            source,
        })?;
        ruleset = allow(ruleset, file, path, (rights, abi)).map_err(failed)?;
    }
    let dns = plan.resolves.then_some(DNS);
    let ports = plan.connects.iter().copied().chain(dns);
    for port in ports.filter(|_| held.ports) {
        let rule = NetPort::new(port, AccessNet::ConnectTcp);
        ruleset = ruleset.add_rule(rule).map_err(failed)?;
    }
    let status = ruleset.restrict_self().map_err(failed)?;
    Ok(if status.ruleset == RulesetStatus::FullyEnforced {
        held
    } else {
        Held::default()
    })
}

/// A ruleset that denies everything, as strict as the kernel can; none without Landlock.
fn strictest() -> Result<Option<(ABI, RulesetCreated, Held)>, RulesetError> {
    if is_hidden() {
        return Ok(None);
    }
    for (at, abi) in LEVELS.into_iter().enumerate() {
        let ports = at <= PORTS;
        let base = || {
            let base = Ruleset::default()
                .set_compatibility(CompatLevel::HardRequirement)
                .handle_access(AccessFs::from_all(abi))?;
            if ports {
                base.handle_access(AccessNet::BindTcp | AccessNet::ConnectTcp)
            } else {
                Ok(base)
            }
        };
        let mut held = Held {
            files: true,
            ports,
            scopes: true,
        };
        let scope = Scope::AbstractUnixSocket | Scope::Signal;
        if let Ok(scoped) = base().and_then(|base| base.scope(scope)) {
            return Ok(Some((abi, scoped.create()?, held)));
        }
        held.scopes = false;
        match base() {
            Ok(base) => return Ok(Some((abi, base.create()?, held))),
            Err(RulesetError::HandleAccesses(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// A system file, and where it is a link into a folder of its own, such as the resolver's, that
/// folder: what it leads to is replaced while the process runs.
fn places(path: &Path) -> Vec<PathBuf> {
    let mut places = vec![path.to_owned()];
    let real = path.canonicalize().ok();
    let folder = real.as_deref().and_then(Path::parent);
    let own = folder.filter(|_| path.starts_with("/etc") && path.is_symlink());
    places.extend(
        own.filter(|folder| !folder.starts_with("/etc"))
            .map(Path::to_owned),
    );
    places
}

/// Rights that make sense for folders only do not count for a file.
fn allow(
    ruleset: RulesetCreated,
    file: PathFd,
    path: &Path,
    (rights, abi): (BitFlags<AccessFs>, ABI),
) -> Result<RulesetCreated, RulesetError> {
    let rights = if path.is_dir() {
        rights
    } else {
        rights & AccessFs::from_file(abi)
    };
    ruleset.add_rule(PathBeneath::new(file, rights))
}

/// Builds with debug assertions, which no release has, can be told to see a kernel without it.
fn is_hidden() -> bool {
    #[cfg(debug_assertions)]
    if crate::loader::Environment::of_process().has("MYMT5_TEST_NO_LANDLOCK") {
        return true;
    }
    false
}
