//! For tests, in builds with debug assertions only: the running process tries what the sandbox is
//! to refuse, from a worker of the runtime and from a blocking thread, and reports the outcome.

use crate::loader::Environment;
use nix::{
    errno::Errno,
    sched::{CloneFlags, unshare},
    sys::ptrace,
    unistd::{Pid, execv},
};
use rustix::{
    net::{AddressFamily, SocketType, ipproto, socket},
    process::{
        DumpableBehavior, Resource, getpriority_process, getrlimit, set_dumpable_behavior,
        setpriority_process, setrlimit,
    },
    thread::{sched_getaffinity, sched_setaffinity},
};
use std::{
    fs,
    io::{self, Error},
    net::{TcpListener, TcpStream, UdpSocket},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command},
};

/// What to try, from `MYMT5_TEST_SANDBOX_TRIAL`: a file to write elsewhere, files to read
/// elsewhere, a port to connect to and one to bind, a socket in a folder, and where to put the
/// answer.
#[derive(Clone, serde::Deserialize)]
struct Trial {
    write: PathBuf,
    read: Vec<PathBuf>,
    connect: u16,
    bind: u16,
    socket: PathBuf,
    answer: PathBuf,
}

/// Runs the trial where it is asked for. The answer: one line for each thread and attempt, such
/// as `worker exec refused` or `blocking bind done`.
pub(crate) async fn run() {
    let process = Environment::of_process();
    let Some(trial) = process.for_test("MYMT5_TEST_SANDBOX_TRIAL") else {
        return;
    };
    let Ok(trial) = serde_json::from_str::<Trial>(trial) else {
        return;
    };
    let (first, second) = (trial.clone(), trial.clone());
    let worker = tokio::spawn(async move { first.attempts("worker") }).await;
    let blocking = tokio::task::spawn_blocking(move || second.attempts("blocking")).await;
    let attempts = worker.unwrap_or_default() + &blocking.unwrap_or_default();
    if let Err(error) = crate::process::write_atomically(&trial.answer, attempts.as_bytes()) {
        tracing::error!(%error, "the trial's answer cannot be written");
    }
}

impl Trial {
    fn attempts(&self, thread: &str) -> String {
        let (fork, ptrace) = fork_and_trace();
        let reads = self
            .read
            .iter()
            .map(|file| ("read", fs::read(file).map(drop)));
        let tries = [
            ("write", fs::write(&self.write, "taken over")),
            (
                "connect",
                TcpStream::connect(("127.0.0.1", self.connect)).map(drop),
            ),
            (
                "bind",
                TcpListener::bind(("127.0.0.1", self.bind)).map(drop),
            ),
            ("multipath", multipath()),
            ("datagram", UdpSocket::bind("127.0.0.1:0").map(drop)),
            ("local", UnixStream::connect(&self.socket).map(drop)),
            ("netlink", netlink()),
            ("vsock", vsock()),
            ("fork", fork),
            ("exec", exec()),
            ("ptrace", ptrace),
            // The mildest form: anybody may do it where nothing forbids the call.
            (
                "unshare",
                unshare(CloneFlags::CLONE_FS).map_err(Error::from),
            ),
            ("limit", limit()),
            ("priority", priority()),
            ("affinity", affinity()),
            ("mode", mode(&self.answer)),
            ("dumpable", dumpable()),
        ];
        let line = |(what, outcome): (&str, io::Result<()>)| match outcome {
            Ok(()) => format!("{thread} {what} done\n"),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                format!("{thread} {what} refused\n")
            }
            Err(error) => format!("{thread} {what} failed: {error}\n"),
        };
        reads.chain(tries).map(line).collect()
    }
}

/// Starts a program and traces it. Where that is refused it traces a process that cannot be: only
/// a call that is refused as such is not answered by that.
fn fork_and_trace() -> (io::Result<()>, io::Result<()>) {
    let trace = |pid| ptrace::seize(pid, ptrace::Options::empty()).map_err(Error::from);
    match Command::new("sleep").arg("60").spawn() {
        Ok(mut child) => {
            let traced = trace(pid_of(&child));
            // What cannot be killed ends by itself.
            let _ended = child.kill().and_then(|()| child.wait());
            (Ok(()), traced)
        }
        Err(error) => (Err(error), trace(Pid::from_raw(i32::MAX))),
    }
}

/// Becomes a program that is not there: where the call is not refused, it goes on.
fn exec() -> io::Result<()> {
    match execv(c"/nowhere/at/all", &[c"all"]) {
        Ok(never) => match never {},
        Err(Errno::ENOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Multipath TCP, which no rule for TCP ports sees.
fn multipath() -> io::Result<()> {
    let multipath = Some(ipproto::MPTCP);
    socket(AddressFamily::INET, SocketType::STREAM, multipath)?;
    Ok(())
}

fn netlink() -> io::Result<()> {
    socket(AddressFamily::NETLINK, SocketType::RAW, None)?;
    Ok(())
}

/// To the host of a virtual machine. Not every kernel can.
fn vsock() -> io::Result<()> {
    match socket(AddressFamily::VSOCK, SocketType::STREAM, None) {
        Ok(_) | Err(rustix::io::Errno::AFNOSUPPORT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn limit() -> io::Result<()> {
    Ok(setrlimit(Resource::Cpu, getrlimit(Resource::Cpu))?)
}

fn priority() -> io::Result<()> {
    Ok(setpriority_process(None, getpriority_process(None)?)?)
}

fn affinity() -> io::Result<()> {
    Ok(sched_setaffinity(None, &sched_getaffinity(None)?)?)
}

/// Of its own folder, as it is.
fn mode(answer: &Path) -> io::Result<()> {
    let folder = answer.parent().unwrap_or(answer);
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

fn dumpable() -> io::Result<()> {
    Ok(set_dumpable_behavior(DumpableBehavior::Dumpable)?)
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}
