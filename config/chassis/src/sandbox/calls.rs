//! seccomp: system calls that neither process needs, but an attacker inside it would.
//!
//! A list of what is denied, since a list of what is allowed breaks with the next libc. Two things
//! are told by what is allowed all the same: sockets, and the newest call, since nobody knows what
//! a later one will do.

use SeccompCmpOp::{Eq, MaskedEq, Ne};
use libc::c_int;
use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter_all_threads, sock_filter,
};
use std::collections::BTreeMap;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Denied whatever their arguments.
const DENIED: &[libc::c_long] = &[
    // Other programs, and other processes' memory.
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    libc::SYS_kcmp,
    // Other processes themselves: their signals, limits and turns.
    libc::SYS_tkill,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_setpriority,
    libc::SYS_ioprio_set,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_setattr,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setscheduler,
    // What the processes of a host share, past all folders and ports.
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_msgget,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_msgctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semctl,
    libc::SYS_semtimedop,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    // Memory to run code from.
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
    libc::SYS_personality,
    libc::SYS_remap_file_pages,
    // Whose a file is and who may read it: Landlock does not see that. SQLite asks for it, and goes
    // on when it is refused.
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    // Another user.
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_setgroups,
    libc::SYS_capset,
    // File systems.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_acct,
    // Namespaces.
    libc::SYS_unshare,
    libc::SYS_setns,
    // Keys.
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    // The kernel itself, and wide doors into it.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    // A socket that listens without having been bound has a port all the same; all that listen do
    // so by now.
    libc::SYS_listen,
];

/// The older forms of some of them, which later processors have no more.
#[cfg(target_arch = "x86_64")]
const OLDER: &[libc::c_long] = &[
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_setrlimit,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[libc::c_long] = &[];

/// The newest call that was looked at (Linux 5.16). Nothing here needs a later one.
const NEWEST: libc::c_long = libc::SYS_futex_waitv;

/// Applies the filters to the whole process. Where it `resolves` names it may send datagrams, and
/// map the resolver's libraries.
pub(super) fn enforce(resolves: bool) -> Result<(), Error> {
    let programs = programs(resolves, std::process::id().cast_signed())?;
    let mut programs = programs.iter().map(|program| program.as_slice());
    programs.try_for_each(apply_filter_all_threads)
}

/// What [`enforce`] applies to the process of this id.
pub(super) fn programs(resolves: bool, own: c_int) -> Result<[BpfProgram; 2], Error> {
    let filter = SeccompFilter::new(
        denied(resolves, own)?,
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM.cast_unsigned()),
        TargetArch::try_from(std::env::consts::ARCH)?,
    )?;
    Ok([filter.try_into()?, unknown()])
}

/// Answers as an older kernel would, so that libc does without: all that is newer, and `clone3`,
/// whose flags lie in memory where no filter can see them. The second set of numbers that x86-64
/// has for its x32 interface lies above the newest call, too.
fn unknown() -> BpfProgram {
    // As linux/bpf_common.h numbers them; the call's number comes first in what is loaded from.
    let load = |k| step(0x20, [0, 0], k);
    let if_above = |k, to| step(0x25, to, k);
    let if_equal = |k, to| step(0x15, to, k);
    let answer = |action: SeccompAction| step(0x06, [0, 0], action.into());
    vec![
        load(0),
        if_above(NEWEST as u32, [1, 0]),
        if_equal(libc::SYS_clone3 as u32, [0, 1]),
        answer(SeccompAction::Errno(libc::ENOSYS.cast_unsigned())),
        answer(SeccompAction::Allow),
    ]
}

/// One instruction; it skips so many when it holds, and when it does not.
fn step(code: u16, [jt, jf]: [u8; 2], k: u32) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

fn denied(resolves: bool, own: c_int) -> Result<Rules, Error> {
    let whole = DENIED.iter().chain(OLDER);
    let mut rules: Rules = whole.map(|call| (*call, Vec::new())).collect();
    let to_others = vec![when([int(0, Ne, own)?])?];
    let executable = vec![when([has(2, libc::PROT_EXEC)?])?];
    // Connects and sends at once, past the rules for ports.
    let fast = |flags| Ok::<_, Error>(vec![when([has(flags, libc::MSG_FASTOPEN)?])?]);
    rules.extend([
        (libc::SYS_clone, processes()?),
        (libc::SYS_kill, to_others.clone()),
        (libc::SYS_tgkill, to_others.clone()),
        (libc::SYS_rt_sigqueueinfo, to_others.clone()),
        (libc::SYS_rt_tgsigqueueinfo, to_others),
        (libc::SYS_prlimit64, limits()?),
        (libc::SYS_prctl, debugging()?),
        (libc::SYS_ioctl, typing()?),
        (libc::SYS_mmap, mappings(resolves)?),
        (libc::SYS_mprotect, executable.clone()),
        (libc::SYS_pkey_mprotect, executable),
        (libc::SYS_socket, sockets(resolves)?),
        (libc::SYS_socketpair, pairs()?),
        (libc::SYS_sendto, fast(3)?),
        (libc::SYS_sendmsg, fast(2)?),
        (libc::SYS_sendmmsg, fast(3)?),
    ]);
    Ok(rules)
}

/// `clone` for anything but a thread, or with a flag that makes a namespace.
fn processes() -> Result<Vec<SeccompRule>, Error> {
    const NEW: [c_int; 7] = [
        libc::CLONE_NEWNS,
        libc::CLONE_NEWCGROUP,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
    ];
    let thread = u64::from(libc::CLONE_THREAD.cast_unsigned());
    let no_thread = when([int(0, MaskedEq(thread), 0)?]);
    let namespaces = NEW.into_iter().map(|flag| when([has(0, flag)?]));
    std::iter::once(no_thread).chain(namespaces).collect()
}

/// Limits of others, and new ones of its own. To read its own is harmless, and libc does.
fn limits() -> Result<Vec<SeccompRule>, Error> {
    Ok(vec![when([int(0, Ne, 0)?])?, when([long(2, Ne, 0)?])?])
}

/// What makes its memory readable to others again.
fn debugging() -> Result<Vec<SeccompRule>, Error> {
    Ok(vec![
        when([int(0, Eq, libc::PR_SET_DUMPABLE)?, long(1, Ne, 0)?])?,
        when([int(0, Eq, libc::PR_SET_PTRACER)?])?,
    ])
}

/// Typing into the terminal that it was started from.
fn typing() -> Result<Vec<SeccompRule>, Error> {
    let calls = [libc::TIOCSTI, libc::TIOCLINUX].map(|call| call as c_int);
    let calls = calls.into_iter();
    calls.map(|call| when([int(1, Eq, call)?])).collect()
}

/// Memory to run code from. A resolver's library is mapped from its file, never to be written.
fn mappings(resolves: bool) -> Result<Vec<SeccompRule>, Error> {
    let executable = has(2, libc::PROT_EXEC)?;
    if !resolves {
        return Ok(vec![when([executable])?]);
    }
    let writable = has(2, libc::PROT_WRITE)?;
    let no_file = has(3, libc::MAP_ANONYMOUS)?;
    Ok(vec![
        when([executable.clone(), writable])?,
        when([executable, no_file])?,
    ])
}

/// All but TCP, and UDP where names are resolved: the rules for ports see nothing else.
fn sockets(resolves: bool) -> Result<Vec<SeccompRule>, Error> {
    let kinds = [libc::SOCK_STREAM, libc::SOCK_DGRAM];
    let kinds = if resolves { &kinds[..] } else { &kinds[..1] };
    let mut rules = kinds_beside(kinds)?;
    rules.push(when([
        int(0, Ne, libc::AF_INET)?,
        int(0, Ne, libc::AF_INET6)?,
    ])?);
    rules.push(when([
        int(2, Ne, 0)?,
        int(2, Ne, libc::IPPROTO_TCP)?,
        int(2, Ne, libc::IPPROTO_UDP)?,
    ])?);
    Ok(rules)
}

/// All but a stream within the process, by which the runtime hears of signals. A datagram's end
/// could be connected to another process.
fn pairs() -> Result<Vec<SeccompRule>, Error> {
    let mut rules = kinds_beside(&[libc::SOCK_STREAM])?;
    rules.push(when([int(0, Ne, libc::AF_UNIX)?])?);
    Ok(rules)
}

/// All kinds of sockets but these; flags come on top.
fn kinds_beside(allowed: &[c_int]) -> Result<Vec<SeccompRule>, Error> {
    const KIND: u64 = 0xf;
    let kinds = (0..=KIND as c_int).filter(|kind| !allowed.contains(kind));
    kinds
        .map(|kind| when([int(1, MaskedEq(KIND), kind)?]))
        .collect()
}

/// A rule that denies where all of these hold.
fn when<const N: usize>(conditions: [SeccompCondition; N]) -> Result<SeccompRule, Error> {
    Ok(SeccompRule::new(conditions.into())?)
}

/// Of an argument of which the kernel looks at 32 bits.
fn int(at: u8, is: SeccompCmpOp, value: c_int) -> Result<SeccompCondition, Error> {
    let value = u64::from(value.cast_unsigned());
    let length = SeccompCmpArgLen::Dword;
    Ok(SeccompCondition::new(at, length, is, value)?)
}

/// Of an argument of 64 bits.
fn long(at: u8, is: SeccompCmpOp, value: u64) -> Result<SeccompCondition, Error> {
    let length = SeccompCmpArgLen::Qword;
    Ok(SeccompCondition::new(at, length, is, value)?)
}

/// That these bits are set.
fn has(at: u8, bits: c_int) -> Result<SeccompCondition, Error> {
    int(at, MaskedEq(u64::from(bits.cast_unsigned())), bits)
}
