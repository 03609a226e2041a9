//! Landlock: which files and TCP ports are left.

use super::{Plan, SandboxError};
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath,
    PathFd, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus,
    Scope,
};
use std::path::Path;

/// Files and TCP ports, since Linux 6.10; what is newer is added where the kernel has it.
const BASE: ABI = ABI::V5;

/// What resolving names, reading clocks and loading the resolver's libraries needs. Not every
/// system has them all.
const SYSTEM: [&str; 16] = [
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
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

/// Name servers also answer over TCP.
const DNS: u16 = 53;

/// Applies the plan. None: the kernel cannot; else whether signals are confined too.
pub(super) fn enforce(plan: &Plan) -> Result<Option<bool>, SandboxError> {
    if is_hidden() {
        return Ok(None);
    }
    let failed = SandboxError::Landlock;
    let Some(ruleset) = whole().map_err(failed)? else {
        return Ok(None);
    };
    let (ruleset, scopes) = ruleset;
    let mut ruleset = ruleset;
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    for path in SYSTEM.iter().map(Path::new) {
        if let Ok(file) = PathFd::new(path) {
            ruleset = allow(ruleset, file, path, read).map_err(failed)?;
        }
    }
    let write = AccessFs::from_all(BASE)
        & !(AccessFs::Execute | AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev);
    let reads = plan.reads.iter().map(|path| (path, read));
    for (path, rights) in reads.chain(plan.writes.iter().map(|path| (path, write))) {
        let file = PathFd::new(path).map_err(|source| SandboxError::Path {
            path: path.clone(),
            source,
        })?;
        ruleset = allow(ruleset, file, path, rights).map_err(failed)?;
    }
    for port in plan.connects.iter().copied().chain([DNS]) {
        let rule = NetPort::new(port, AccessNet::ConnectTcp);
        ruleset = ruleset.add_rule(rule).map_err(failed)?;
    }
    let status = ruleset.restrict_self().map_err(failed)?;
    Ok((status.ruleset == RulesetStatus::FullyEnforced).then_some(scopes))
}

/// A ruleset that denies everything, as strict as the kernel can; none where it cannot confine
/// files and ports both.
fn whole() -> Result<Option<(RulesetCreated, bool)>, RulesetError> {
    let base = || {
        Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessFs::from_all(BASE))?
            .handle_access(AccessNet::BindTcp | AccessNet::ConnectTcp)
    };
    let scoped = base().and_then(|base| base.scope(Scope::AbstractUnixSocket | Scope::Signal));
    if let Ok(scoped) = scoped {
        return Ok(Some((scoped.create()?, true)));
    }
    match base() {
        Ok(base) => Ok(Some((base.create()?, false))),
        Err(RulesetError::HandleAccesses(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Rights that make sense for folders only are no fault of a file.
fn allow(
    ruleset: RulesetCreated,
    file: PathFd,
    path: &Path,
    rights: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    let rights = if path.is_dir() {
        rights
    } else {
        rights & AccessFs::from_file(BASE)
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
