//! For tests, in builds with debug assertions only: the running process tries what the sandbox is
//! to refuse, from a worker of the runtime and from a blocking thread, and reports the outcome.

use crate::loader::Environment;
use nix::{
    sched::{CloneFlags, unshare},
    sys::ptrace,
    unistd::Pid,
};
use std::{
    fs,
    io::{self, Error},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command},
};

/// What to try, from `MYMT5_TEST_SANDBOX_TRIAL`: a file to write elsewhere, a file to read
/// elsewhere, a port to connect to and one to bind, and where to put the answer.
#[derive(Clone, serde::Deserialize)]
struct Trial {
    write: PathBuf,
    read: PathBuf,
    connect: u16,
    bind: u16,
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
    let told = worker.unwrap_or_default() + &blocking.unwrap_or_default();
    if let Err(error) = crate::process::write_atomically(&trial.answer, told.as_bytes()) {
        tracing::error!(%error, "the trial's answer cannot be written");
    }
}

impl Trial {
    fn attempts(&self, thread: &str) -> String {
        let (exec, ptrace) = exec_and_trace();
        let tries: [(&str, io::Result<()>); 8] = [
            ("write", fs::write(&self.write, "taken over")),
            ("read", fs::read(&self.read).map(drop)),
            (
                "connect",
                TcpStream::connect(("127.0.0.1", self.connect)).map(drop),
            ),
            (
                "bind",
                TcpListener::bind(("127.0.0.1", self.bind)).map(drop),
            ),
            ("multipath", multipath()),
            ("exec", exec),
            ("ptrace", ptrace),
            // The mildest form: anybody may do it where nothing forbids the call.
            (
                "unshare",
                unshare(CloneFlags::CLONE_FS).map_err(Error::from),
            ),
        ];
        let line = |(what, outcome): &(&str, io::Result<()>)| match outcome {
            Ok(()) => format!("{thread} {what} done\n"),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                format!("{thread} {what} refused\n")
            }
            Err(error) => format!("{thread} {what} failed: {error}\n"),
        };
        tries.iter().map(line).collect()
    }
}

/// Starts a program and traces it. Where that is refused it traces a process that cannot be: only
/// a call that is refused as such is not answered by that.
fn exec_and_trace() -> (io::Result<()>, io::Result<()>) {
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

/// Multipath TCP, which no rule for TCP ports sees.
fn multipath() -> io::Result<()> {
    use rustix::net::{AddressFamily, Protocol, SocketType, ipproto, socket};
    let multipath: Protocol = ipproto::MPTCP;
    socket(AddressFamily::INET, SocketType::STREAM, Some(multipath))?;
    Ok(())
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}
