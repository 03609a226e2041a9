//! Clients that are not ours: grpcurl, buf, and Python's health checking, and the READMEs' own
//! commands. Their paths come by environment; without them the tests are skipped.

use crate::stage::{BOUND, Stage, eventually};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    thread,
};

/// A tool named by the environment; none is a skip, or a failure where skips are forbidden.
pub(crate) fn tool(variable: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from);
    if path.is_none() {
        println!("skipped: {variable} names no tool");
        assert!(
            std::env::var_os("MYMT5_REQUIRE").is_none(),
            "{variable} is required"
        );
    }
    path
}

/// Asks for readiness by Check, again and again, and prints each status that differs from the last.
const WATCH: &str = "
import sys, time, grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
end, last = time.monotonic() + 60, None
request = health_pb2.HealthCheckRequest(service='readiness')
while time.monotonic() < end:
    with grpc.insecure_channel(sys.argv[1]) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        status = None
        while status != 'UNREACHABLE' and time.monotonic() < end:
            try:
                answer = stub.Check(request, timeout=5)
                status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
            except grpc.RpcError:
                status = 'UNREACHABLE'
            if status != last:
                print(status, flush=True)
            last = status
            time.sleep(0.05)
";

/// A foreign watcher of one operations port.
pub(crate) struct Watcher {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Watcher {
    pub(crate) fn of(python: &Path, address: &str) -> Self {
        let mut child = Command::new(python)
            .args(["-c", WATCH, address])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = mpsc::channel();
        thread::spawn(move || {
            stdout
                .lines()
                .map_while(Result::ok)
                .for_each(|line| drop(send.send(line)))
        });
        Self { child, lines }
    }

    /// Waits until it has seen that status.
    pub(crate) fn sees(&self, status: &str) {
        while self
            .lines
            .recv_timeout(BOUND)
            .unwrap_or_else(|_| panic!("waited in vain for {status}"))
            != status
        {}
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_foreign_client_sees_health_turn_on_both_processes() {
    let Some(python) = tool("MYMT5_PYTHON") else {
        return;
    };
    let mut stage = Stage::set("info", &[]);
    stage.start("engine");
    let engine = Watcher::of(&python, &stage.operations("engine"));
    engine.sees("NOT_SERVING");
    let gateway = Watcher::of(&python, &stage.operations("gateway"));
    stage.start("gateway");
    gateway.sees("SERVING");
    engine.sees("SERVING");
    stage.kill("gateway");
    engine.sees("NOT_SERVING");
    stage.start("gateway");
    engine.sees("SERVING");
}

/// The code blocks of a README that are in that language.
pub(crate) fn blocks(readme: &str, language: &str) -> Vec<String> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap();
    let readme = fs::read_to_string(workspace.join(readme)).unwrap();
    let opening = format!("```{language}\n");
    readme
        .split(opening.as_str())
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

pub(crate) fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[tokio::test]
async fn the_readmes_grpcurl_commands_work_and_buf_sees_the_same() {
    let (Some(grpcurl), Some(buf)) = (tool("MYMT5_GRPCURL"), tool("MYMT5_BUF")) else {
        return;
    };
    let mut stage = Stage::set("info", &[]);
    stage.start("gateway");
    stage.serving("gateway", true).await;
    let blocks: Vec<_> = blocks("proto/README.md", "sh")
        .into_iter()
        .filter(|block| block.contains("grpcurl "))
        .collect();
    assert!(blocks.len() >= 3, "over TLS, with a token, on the socket");
    fs::create_dir_all(stage.path("config")).unwrap();
    fs::rename(stage.path("tls"), stage.path("config/tls")).unwrap();
    fs::write(stage.path("dashboard.token"), stage.token()).unwrap();
    for block in blocks {
        let script = block
            .replace("grpcurl ", &format!("{} ", grpcurl.display()))
            .replace("localhost:50051", &format!("localhost:{}", stage.port()));
        let run = || {
            Command::new("bash")
                .args(["-euc", &script])
                .current_dir(stage.path(""))
                .output()
                .unwrap()
        };
        let mut told = "ACCOUNT_KIND_SIMULATED";
        if block.contains("ListTicks") {
            told = "\"ticks\"";
            eventually("a tick of EURUSD", async || {
                said(&run()).contains(told).then_some(())
            })
            .await;
        }
        let output = run();
        assert!(
            output.status.success() && said(&output).contains(told),
            "{script}\n{}",
            said(&output)
        );
    }
    let address = format!(
        "https://localhost:{}/mymt5.v1.ControlService/GetStatus",
        stage.port()
    );
    let output = Command::new(buf)
        .args([
            "curl",
            "--protocol",
            "grpc",
            "--cacert",
            "config/tls/ca.pem",
            "--cert",
            "config/tls/operator/certificate.pem",
        ])
        .args(["--key", "config/tls/operator/key.pem", &address])
        .current_dir(stage.path(""))
        .output()
        .unwrap();
    assert!(
        said(&output).contains("ACCOUNT_KIND_SIMULATED"),
        "{}",
        said(&output)
    );
}

/// Runs the README's own steps, line by line, with the binaries of this build.
#[tokio::test]
async fn the_readmes_steps_bring_the_pair_up() {
    let stage = Stage::set("info", &[]);
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap();
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("config")).unwrap();
    for file in ["config/gateway.toml", "config/engine.toml"] {
        fs::copy(workspace.join(file), home.path().join(file)).unwrap();
    }
    let own_ports = [
        (
            "MYMT5__SERVER__LISTEN",
            format!("127.0.0.1:{}", stage.port()),
        ),
        (
            "MYMT5__GATEWAY__ADDRESS",
            format!("https://127.0.0.1:{}", stage.port()),
        ),
    ];
    let block = blocks("README.md", "sh")
        .into_iter()
        .find(|block| block.contains("mymt5-gateway certs"))
        .unwrap();
    let mut running = Vec::new();
    for line in block.lines().filter(|line| !line.starts_with("cargo ")) {
        let line = line.split('#').next().unwrap().trim();
        // Making users is not for a test: both run as this one.
        let line = match line.strip_prefix("sudo -u ") {
            Some(line) => line.split_once(' ').unwrap().1,
            None if line.starts_with("sudo ") => continue,
            None => line,
        };
        let (program, arguments) = line.split_once(' ').unwrap();
        let program = program.replace("target/release", &stage.binaries().display().to_string());
        let name = if program.ends_with("engine") {
            "engine"
        } else {
            "gateway"
        };
        let (variable, value) = &own_ports[usize::from(name == "engine")];
        let mut command = Command::new(program);
        command
            .args(arguments.split(' '))
            .current_dir(home.path())
            .env("MYMT5__PROCESS__ALLOW_ROOT", "true");
        if arguments.starts_with("run") {
            command
                .env(variable, value)
                .env("MYMT5__OPERATIONS__LISTEN", stage.operations(name));
            running.push(Running(command.stderr(Stdio::null()).spawn().unwrap()));
        } else {
            let output = command.output().unwrap();
            assert!(output.status.success(), "{line}: {}", said(&output));
        }
    }
    assert_eq!(running.len(), 2);
    stage.serving("gateway", true).await;
    stage.serving("engine", true).await;
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
