#![allow(clippy::unwrap_used)]
use super::*;
use crate::loader::{Environment, Table};
use libc::c_int;
use std::{fs, os::unix::fs::symlink};

const TABLE: Table = Table {
    program: "test",
    names: &[],
    secrets: &[],
    forbidden: &[],
};

fn wanted(value: &str) -> (Option<Wanted>, bool) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.toml");
    fs::write(&file, format!("[process]\nsandbox = \"{value}\"\n")).unwrap();
    let nothing = Environment::from_pairs::<&str, &str>([]);
    let mut reader = Reader::open(&TABLE, &file, nothing).unwrap();
    let wanted = Wanted::read(&mut reader);
    (wanted, reader.finish().is_ok())
}

#[test]
fn a_kind_is_one_of_three() {
    assert_eq!(wanted("required"), (Some(Wanted::Required), true));
    assert_eq!(wanted("best-effort"), (Some(Wanted::BestEffort), true));
    assert_eq!(wanted("off"), (Some(Wanted::Off), true));
    assert_eq!(wanted("strong"), (None, false));
}

#[test]
fn a_file_without_a_folder_is_beside_the_working_one() {
    let plan = Plan::default()
        .reads_beside("gateway.toml")
        .reads_beside("tls/key.pem");
    assert_eq!(plan, Plan::default().reads(".").reads("tls"));
}

#[test]
fn a_file_in_the_root_does_not_open_all() {
    let plan = Plan::default()
        .reads_beside("/gateway.toml")
        .reads_alone([&PathBuf::from("/key.pem")]);
    assert_eq!(
        plan,
        Plan::default().reads("/gateway.toml").reads("/key.pem")
    );
}

#[test]
fn a_folder_is_read_where_nobody_elses_files_are_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |part: &str| folder.path().join(part);
    fs::create_dir_all(at("tls/engine")).unwrap();
    fs::create_dir_all(at("mount")).unwrap();
    symlink("..2026", at("mount/..data")).unwrap();
    let files = [
        "tls/ca.pem",
        "tls/engine/certificate.pem",
        "tls/engine/key.pem",
        "mount/token",
    ];
    let files = files.map(at);
    for file in &files {
        fs::write(file, "").unwrap();
    }
    fs::write(at("mount/other"), "").unwrap();
    let plan = || Plan::default().reads_alone(&files);
    let own = Plan::default().reads(at("tls/ca.pem")).reads(at("mount"));
    assert_eq!(plan(), own.clone().reads(at("tls/engine")));
    fs::write(at("tls/engine/operator.pem"), "").unwrap();
    let [_, certificate, key, _] = files.clone();
    assert_eq!(plan(), own.reads(certificate).reads(key));
}

#[test]
fn what_holds_and_what_not_is_told() {
    let told = |files, ports, scopes, calls, udp| {
        Enforced {
            files,
            ports,
            scopes,
            calls,
            udp,
        }
        .to_string()
    };
    assert_eq!(told(false, false, false, false, false), "none");
    assert_eq!(
        told(true, true, true, true, true),
        "enforced: files, tcp ports, signals, system calls, udp; not: hosts"
    );
    assert_eq!(
        told(false, false, false, true, false),
        "enforced: system calls; not: files, tcp ports, signals, udp, hosts"
    );
}

/// The process that the filters are made for.
const OWN: c_int = 4_711;
const ALLOW: u32 = 0x7fff_0000;
const ERRNO: u32 = 0x0005_0000;
const REFUSED: u32 = ERRNO | 1;
const UNKNOWN: u32 = ERRNO | 38;

/// What the filters answer to a call, worked out as the kernel does.
fn answer(resolves: bool, call: i64, arguments: &[u64]) -> u32 {
    let arch = match std::env::consts::ARCH {
        "x86_64" => 0xc000_003e,
        "aarch64" => 0xc000_00b7,
        other => panic!("{other}"),
    };
    let mut words = vec![call as u32, arch, 0, 0];
    for at in 0..6 {
        let argument = arguments.get(at).copied().unwrap_or_default();
        words.extend([argument as u32, (argument >> 32) as u32]);
    }
    let programs = calls::programs(resolves, OWN).unwrap();
    let answers = programs.iter().map(|program| {
        let mut at = 0;
        let mut value = 0;
        loop {
            let step = &program[at];
            at += 1;
            let holds = match step.code {
                0x06 => return step.k,
                0x20 => {
                    value = words[step.k as usize / 4];
                    continue;
                }
                0x54 => {
                    value &= step.k;
                    continue;
                }
                0x05 => {
                    at += step.k as usize;
                    continue;
                }
                0x15 => value == step.k,
                0x25 => value > step.k,
                0x35 => value >= step.k,
                other => panic!("{other:#x}"),
            };
            at += usize::from(if holds { step.jt } else { step.jf });
        }
    });
    // The strictest answer counts, and of two errors the later.
    answers.fold(ALLOW, |all, next| if next == ALLOW { all } else { next })
}

#[track_caller]
fn all(resolves: bool, wanted: u32, asked: &[(i64, &[c_int])]) {
    for (call, arguments) in asked {
        let wide: Vec<u64> = arguments.iter().map(|it| *it as u64).collect();
        let told = answer(resolves, *call, &wide);
        assert_eq!(told, wanted, "call {call} with {arguments:?}");
    }
}

/// What libc's `pthread_create` asks for.
const THREAD: c_int = 0x003d_0f00;

#[test]
fn no_process_is_started_and_none_is_touched() {
    use libc::{SYS_clone, SYS_kill, SYS_prlimit64, SYS_sched_setaffinity, SYS_tgkill};
    let allowed: [(i64, &[c_int]); 5] = [
        (SYS_clone, &[THREAD]),
        (SYS_kill, &[OWN, 6]),
        (SYS_tgkill, &[OWN, 4_712, 6]),
        (SYS_prlimit64, &[0, 3, 0, 64]),
        (libc::SYS_sched_getaffinity, &[0]),
    ];
    all(false, ALLOW, &allowed);
    let refused: [(i64, &[c_int]); 13] = [
        (SYS_clone, &[libc::SIGCHLD]),
        (SYS_clone, &[THREAD | libc::CLONE_NEWNS]),
        (SYS_kill, &[1, 9]),
        (SYS_kill, &[0, 9]),
        (SYS_kill, &[-1, 9]),
        (SYS_tgkill, &[1, 1, 9]),
        (libc::SYS_pidfd_send_signal, &[3, 9]),
        (SYS_prlimit64, &[1, 0, 0, 64]),
        (SYS_prlimit64, &[OWN, 0, 64]),
        (SYS_prlimit64, &[0, 0, 64]),
        (SYS_sched_setaffinity, &[0]),
        (libc::SYS_setpriority, &[0]),
        (libc::SYS_execve, &[]),
    ];
    all(false, REFUSED, &refused);
    let high = answer(false, SYS_prlimit64, &[0, 0, 1 << 32]);
    assert_eq!(high, REFUSED, "a new limit at a round address");
}

#[test]
fn sockets_are_tcp_and_datagrams_only_for_names() {
    use libc::{SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_STREAM};
    const FLAGS: c_int = SOCK_CLOEXEC | SOCK_NONBLOCK;
    let socket = libc::SYS_socket;
    let pair = libc::SYS_socketpair;
    for resolves in [false, true] {
        let allowed: [(i64, &[c_int]); 4] = [
            (socket, &[libc::AF_INET, SOCK_STREAM | FLAGS, 0]),
            (socket, &[libc::AF_INET6, SOCK_STREAM | FLAGS, 0]),
            (socket, &[libc::AF_INET, SOCK_STREAM, libc::IPPROTO_TCP]),
            (pair, &[libc::AF_UNIX, SOCK_STREAM | FLAGS, 0]),
        ];
        all(resolves, ALLOW, &allowed);
        let refused: [(i64, &[c_int]); 10] = [
            (socket, &[libc::AF_UNIX, SOCK_STREAM | FLAGS, 0]),
            (socket, &[libc::AF_UNIX, SOCK_DGRAM, 0]),
            (socket, &[libc::AF_VSOCK, SOCK_STREAM, 0]),
            (socket, &[libc::AF_NETLINK, libc::SOCK_RAW, 0]),
            (socket, &[libc::AF_PACKET, SOCK_DGRAM, 0]),
            (socket, &[libc::AF_ALG, libc::SOCK_SEQPACKET, 0]),
            (socket, &[libc::AF_INET, SOCK_STREAM, libc::IPPROTO_MPTCP]),
            (socket, &[libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_TCP]),
            (pair, &[libc::AF_UNIX, SOCK_DGRAM | FLAGS, 0]),
            (pair, &[libc::AF_TIPC, SOCK_STREAM, 0]),
        ];
        all(resolves, REFUSED, &refused);
    }
    let datagrams: [(i64, &[c_int]); 2] = [
        (socket, &[libc::AF_INET, SOCK_DGRAM | FLAGS, 0]),
        (
            socket,
            &[libc::AF_INET6, SOCK_DGRAM | FLAGS, libc::IPPROTO_UDP],
        ),
    ];
    all(false, REFUSED, &datagrams);
    all(true, ALLOW, &datagrams);
}

#[test]
fn memory_does_not_become_code() {
    use libc::{MAP_ANONYMOUS, MAP_PRIVATE, PROT_EXEC, PROT_READ, PROT_WRITE};
    let map = libc::SYS_mmap;
    let library: [(i64, &[c_int]); 1] = [(map, &[0, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE])];
    all(false, REFUSED, &library);
    all(true, ALLOW, &library);
    for resolves in [false, true] {
        let allowed: [(i64, &[c_int]); 2] = [
            (
                map,
                &[0, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS],
            ),
            (libc::SYS_mprotect, &[0, 1, PROT_READ | PROT_WRITE]),
        ];
        all(resolves, ALLOW, &allowed);
        let refused: [(i64, &[c_int]); 6] = [
            (
                map,
                &[0, 1, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE],
            ),
            (
                map,
                &[0, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS],
            ),
            (libc::SYS_mprotect, &[0, 1, PROT_READ | PROT_EXEC]),
            (libc::SYS_pkey_mprotect, &[0, 1, PROT_EXEC]),
            (libc::SYS_memfd_create, &[]),
            (libc::SYS_personality, &[0x0040_0000]),
        ];
        all(resolves, REFUSED, &refused);
    }
}

#[test]
fn what_the_process_keeps_from_others_stays_so() {
    use libc::{PR_SET_DUMPABLE, PR_SET_NAME, SYS_ioctl, SYS_prctl};
    let allowed: [(i64, &[c_int]); 3] = [
        (SYS_prctl, &[PR_SET_NAME, 64]),
        (SYS_prctl, &[PR_SET_DUMPABLE, 0]),
        (SYS_ioctl, &[1, 0x5413]),
    ];
    all(false, ALLOW, &allowed);
    let refused: [(i64, &[c_int]); 8] = [
        (SYS_prctl, &[PR_SET_DUMPABLE, 1]),
        (SYS_prctl, &[libc::PR_SET_PTRACER, -1]),
        (SYS_ioctl, &[0, 0x5412]),
        (libc::SYS_fchmodat, &[]),
        (libc::SYS_fchownat, &[]),
        (libc::SYS_setxattr, &[]),
        (libc::SYS_shmget, &[]),
        (libc::SYS_mq_open, &[]),
    ];
    all(false, REFUSED, &refused);
}

#[test]
fn calls_that_are_newer_do_not_exist() {
    let newest = libc::SYS_futex_waitv;
    let unknown: [(i64, &[c_int]); 5] = [
        (libc::SYS_clone3, &[]),
        (newest + 1, &[]),
        (9_999, &[]),
        (-1, &[]),
        // As x86-64 numbers the calls of its x32 interface.
        (0x4000_0000 | libc::SYS_execve, &[]),
    ];
    all(false, UNKNOWN, &unknown);
    all(false, ALLOW, &[(newest, &[]), (libc::SYS_openat, &[])]);
}
