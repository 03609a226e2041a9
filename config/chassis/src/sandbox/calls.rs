//! seccomp: system calls that neither process needs, but an attacker inside it would.
//!
//! A list of what is denied, since a list of what is allowed breaks with the next libc.

use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter_all_threads,
};
use std::collections::BTreeMap;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Denied whatever their arguments.
const DENIED: [libc::c_long; 48] = [
    // Other programs, and other processes' memory.
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
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

/// x86-64 answers a second set of numbers, with this bit, where the kernel has the x32 interface;
/// some of its calls have numbers of their own.
#[cfg(target_arch = "x86_64")]
const X32: i64 = 0x4000_0000;
#[cfg(target_arch = "x86_64")]
const X32_OWN: [i64; 6] = [520, 521, 528, 539, 540, 545];

/// Applies the filters to the whole process.
pub(super) fn enforce() -> Result<(), Error> {
    let refused = libc::EPERM.unsigned_abs();
    apply_filter_all_threads(&program(denied()?, refused)?)?;
    // Its flags lie in memory, where no filter can see them. libc then starts threads by `clone`.
    let unseen = Rules::from([(libc::SYS_clone3, Vec::new())]);
    apply_filter_all_threads(&program(unseen, libc::ENOSYS.unsigned_abs())?)
}

fn denied() -> Result<Rules, Error> {
    let mut rules: Rules = DENIED.iter().map(|call| (*call, Vec::new())).collect();
    rules.insert(libc::SYS_clone, new_namespaces()?);
    rules.insert(libc::SYS_socket, other_transports()?);
    // Connects and sends at once, past the rules for ports.
    for (call, flags) in [
        (libc::SYS_sendto, 3),
        (libc::SYS_sendmsg, 2),
        (libc::SYS_sendmmsg, 3),
    ] {
        let fast = u64::from(libc::MSG_FASTOPEN.unsigned_abs());
        let has = SeccompCmpOp::MaskedEq(fast);
        let condition = SeccompCondition::new(flags, SeccompCmpArgLen::Dword, has, fast)?;
        rules.insert(call, vec![SeccompRule::new(vec![condition])?]);
    }
    #[cfg(target_arch = "x86_64")]
    {
        let more = X32_OWN.into_iter().chain([libc::SYS_clone3]);
        let x32: Vec<_> = rules.keys().copied().chain(more).collect();
        rules.extend(x32.into_iter().map(|call| (call | X32, Vec::new())));
    }
    Ok(rules)
}

/// `clone` with any flag that makes a namespace.
fn new_namespaces() -> Result<Vec<SeccompRule>, Error> {
    const NEW: [libc::c_int; 7] = [
        libc::CLONE_NEWNS,
        libc::CLONE_NEWCGROUP,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
    ];
    let rule = |flag: libc::c_int| {
        let flag = u64::from(flag.unsigned_abs());
        let has = SeccompCmpOp::MaskedEq(flag);
        let condition = SeccompCondition::new(0, SeccompCmpArgLen::Qword, has, flag)?;
        SeccompRule::new(vec![condition])
    };
    Ok(NEW.into_iter().map(rule).collect::<Result<_, _>>()?)
}

/// Transports that the rules for TCP ports do not see.
fn other_transports() -> Result<Vec<SeccompRule>, Error> {
    let rule = |protocol: libc::c_int| {
        let equals = SeccompCmpOp::Eq;
        let protocol = u64::from(protocol.unsigned_abs());
        let condition = SeccompCondition::new(2, SeccompCmpArgLen::Dword, equals, protocol)?;
        SeccompRule::new(vec![condition])
    };
    let all = [libc::IPPROTO_MPTCP, libc::IPPROTO_SCTP, libc::IPPROTO_DCCP];
    Ok(all.into_iter().map(rule).collect::<Result<_, _>>()?)
}

fn program(rules: Rules, errno: u32) -> Result<BpfProgram, Error> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(errno),
        arch,
    )?;
    Ok(filter.try_into()?)
}
