//! The shipped configuration, started as the READMEs say and asked by clients that are not ours.

use crate::{
    foreign::{Watcher, blocks, said, tool},
    stage::{BOUND, Stage, eventually},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread,
    time::{Duration, Instant, SystemTime},
};

/// The standard health service, as a client without reflection knows it.
const HEALTH: &str = "
syntax = \"proto3\";
package grpc.health.v1;
message HealthCheckRequest { string service = 1; }
message HealthCheckResponse {
  enum ServingStatus { UNKNOWN = 0; SERVING = 1; NOT_SERVING = 2; SERVICE_UNKNOWN = 3; }
  ServingStatus status = 1;
}
service Health { rpc Check(HealthCheckRequest) returns (HealthCheckResponse); }
";

/// Asks by Check until the wanted status is the answer.
const CHECK: &str = "
import sys, time, grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
end, last = time.monotonic() + 30, None
with grpc.insecure_channel(sys.argv[1]) as channel:
    stub = health_pb2_grpc.HealthStub(channel)
    while time.monotonic() < end:
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(service='readiness'), timeout=5)
            last = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
        except grpc.RpcError as error:
            last = error.code()
        if last == sys.argv[2]:
            sys.exit(0)
        time.sleep(0.05)
sys.exit(f'waited in vain for {sys.argv[2]}, last: {last}')
";

const GET_STATUS: &str = "mymt5.v1.ControlService/GetStatus";

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
}

/// A reader's folder: the shipped configuration, fresh certificates, a token; only ports are ours.
struct Shipped {
    stage: Stage,
    home: PathBuf,
    running: BTreeMap<&'static str, Child>,
}

impl Shipped {
    fn set() -> Self {
        let stage = Stage::set("info", &[]);
        let home = stage.path("home");
        fs::create_dir_all(home.join("config")).unwrap();
        for file in ["config/gateway.toml", "config/engine.toml"] {
            fs::copy(workspace().join(file), home.join(file)).unwrap();
        }
        let shipped = Self {
            stage,
            home,
            running: BTreeMap::new(),
        };
        let certs = shipped.command("gateway", &["certs"]).output().unwrap();
        assert!(certs.status.success(), "{}", said(&certs));
        let token = ["token", "dashboard", "--permissions", "read,diagnose"];
        let made = shipped.command("gateway", &token).output().unwrap();
        fs::write(shipped.home.join("dashboard.token"), made.stdout).unwrap();
        fs::write(shipped.home.join("config/gateway.local.toml"), made.stderr).unwrap();
        shipped
    }

    fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.stage.binaries().join(format!("mymt5-{name}")));
        command.args(arguments).current_dir(&self.home);
        command
    }

    fn start(&mut self, name: &'static str) {
        let port = self.stage.port();
        let (variable, value) = match name {
            "gateway" => ("MYMT5__SERVER__LISTEN", format!("127.0.0.1:{port}")),
            _ => (
                "MYMT5__GATEWAY__ADDRESS",
                format!("https://127.0.0.1:{port}"),
            ),
        };
        let config = format!("config/{name}.toml");
        let child = self
            .command(name, &["run", "--config", &config])
            .env("MYMT5__PROCESS__ALLOW_ROOT", "true")
            .env("MYMT5__OPERATIONS__LISTEN", self.stage.operations(name))
            .env(variable, value)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.running.insert(name, child.unwrap());
    }

    /// Asks one of them to stop by SIGTERM; how it ended.
    fn terminate(&mut self, name: &str) -> ExitStatus {
        let mut child = self.running.remove(name).unwrap();
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        let end = Instant::now() + BOUND;
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            if Instant::now() >= end {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("{name} did not stop by SIGTERM");
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Calls the gateway's API port with grpcurl, trusting its authority.
    fn grpcurl(&self, grpcurl: &Path, arguments: &[&str], method: &str) -> Output {
        Command::new(grpcurl)
            .args(["-cacert", "config/tls/ca.pem", "-max-time", "30"])
            .args(arguments)
            .args([&format!("localhost:{}", self.stage.port()), method])
            .current_dir(&self.home)
            .output()
            .unwrap()
    }
}

impl Drop for Shipped {
    fn drop(&mut self) {
        for child in self.running.values_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// grpcurl's or buf's arguments for the certificate of a client.
fn proof(dash: &str, client: &str) -> [String; 4] {
    let at = |part| format!("config/tls/{client}/{part}.pem");
    let option = |name| format!("{dash}{name}");
    [option("cert"), at("certificate"), option("key"), at("key")]
}

fn answer(output: &Output) -> Value {
    assert!(output.status.success(), "{}", said(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn the_readmes_commands_work_on_the_shipped_configuration() {
    let (Some(grpcurl), Some(buf)) = (tool("MYMT5_GRPCURL"), tool("MYMT5_BUF")) else {
        return;
    };
    let mut shipped = Shipped::set();
    shipped.start("gateway");
    shipped.stage.serving("gateway", true).await;
    let port = shipped.stage.port();
    let mut answers = Vec::new();
    for block in blocks("proto/README.md", "sh") {
        // Ticks of the past are asked for in `foreign`, which waits for some.
        if !block.contains("grpcurl ") || block.contains("ListTicks") {
            continue;
        }
        let script = block
            .replace("grpcurl ", &format!("{} ", grpcurl.display()))
            .replace("localhost:50051", &format!("localhost:{port}"));
        let output = Command::new("bash")
            .args(["-euc", &script])
            .current_dir(&shipped.home)
            .output()
            .unwrap();
        answers.push(answer(&output));
    }
    let output = Command::new(buf)
        .args([
            "curl",
            "--protocol",
            "grpc",
            "--reflect-protocol",
            "grpc-v1",
        ])
        .args(["--cacert", "config/tls/ca.pem"])
        .args(proof("--", "operator"))
        .arg(format!("https://localhost:{port}/{GET_STATUS}"))
        .current_dir(&shipped.home)
        .output()
        .unwrap();
    answers.push(answer(&output));
    assert!(answers.len() >= 4, "certificate, token, socket; buf");
    for answer in answers {
        assert_eq!(answer["accountKind"], "ACCOUNT_KIND_SIMULATED", "{answer}");
        assert_eq!(answer["version"], env!("CARGO_PKG_VERSION"), "{answer}");
    }
}

#[tokio::test]
async fn a_file_that_was_replaced_keeps_no_reload_from_revoking_clients() {
    let mut shipped = Shipped::set();
    let home = shipped.home.clone();
    let put = |file: &str, text: &str| {
        let fresh = home.join("fresh");
        fs::write(&fresh, text).unwrap();
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(&fresh, home.join(file)).unwrap();
    };
    shipped.start("gateway");
    shipped.stage.serving("gateway", true).await;
    // Made after the start, and then replaced.
    put(".env", "LOG_LEVEL=info\n");
    put(".env", "LOG_LEVEL=debug\n");
    let disabled = "clients.engine.enabled = false\n";
    put("config/gateway.local.toml", disabled);
    let reloaded = shipped.command("gateway", &["reload"]).output().unwrap();
    let told = said(&reloaded);
    assert!(reloaded.status.success() && told.contains(".env"), "{told}");
    eventually("both in the log", async || {
        let files = fs::read_dir(home.join("logs/gateway")).unwrap().flatten();
        let texts = files.flat_map(|file| fs::read_to_string(file.path()));
        let log: String = texts.collect();
        let barred = log.contains(".env was made or replaced after the start");
        let revoked = log.contains("revoked=[\"engine\"");
        (barred && revoked).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_readmes_python_example_trades() {
    let Some(python) = tool("MYMT5_PYTHON") else {
        return;
    };
    let mut shipped = Shipped::set();
    shipped.start("gateway");
    shipped.stage.serving("gateway", true).await;
    let [example]: [String; 1] = blocks("README.md", "python").try_into().unwrap();
    let address = format!("localhost:{}", shipped.stage.port());
    let example = example.replace("localhost:50051", &address);
    // Serving does not yet promise a quote.
    eventually("a filled order", async || {
        let output = Command::new(&python)
            .args(["-c", &example])
            .env("PYTHONPATH", workspace().join("proto"))
            .current_dir(&shipped.home)
            .output()
            .unwrap();
        let text = said(&output);
        assert!(
            output.status.success() || text.contains("StatusCode."),
            "{text}"
        );
        text.contains("state: ORDER_STATE_FILLED").then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_contract_alone_is_enough_for_who_may_not_reflect() {
    let Some(grpcurl) = tool("MYMT5_GRPCURL") else {
        return;
    };
    let mut shipped = Shipped::set();
    shipped.start("gateway");
    shipped.stage.serving("gateway", true).await;
    fs::write(shipped.home.join("health.proto"), HEALTH).unwrap();
    let folder = workspace().join("proto").display().to_string();
    let contract = ["-import-path", &folder, "-proto", "mymt5/v1/control.proto"];
    let with = |client: &str, contract: &[&str], method: &str| {
        let proof = match client {
            "nobody" => Vec::new(),
            client => proof("-", client).to_vec(),
        };
        let proof = proof.iter().map(String::as_str);
        let arguments: Vec<_> = proof.chain(contract.iter().copied()).collect();
        shipped.grpcurl(&grpcurl, &arguments, method)
    };

    let check = "grpc.health.v1.Health/Check";
    let by_reflection = answer(&with("operator", &[], check));
    assert_eq!(by_reflection["status"], "SERVING");
    let reflected = with("engine", &[], GET_STATUS);
    assert!(!reflected.status.success(), "{}", said(&reflected));
    let status = answer(&with("engine", &contract, GET_STATUS));
    assert_eq!(status["accountKind"], "ACCOUNT_KIND_SIMULATED", "{status}");

    let health = ["-import-path", ".", "-proto", "health.proto"];
    let anonymous = answer(&with("nobody", &health, check));
    assert_eq!(anonymous["status"], "SERVING");
    let refused = with("nobody", &contract, GET_STATUS);
    assert!(
        !refused.status.success() && said(&refused).contains("Code: Unauthenticated"),
        "{}",
        said(&refused)
    );
}

#[test]
fn readiness_follows_a_gateway_that_stops_and_returns() {
    let Some(python) = tool("MYMT5_PYTHON") else {
        return;
    };
    let mut shipped = Shipped::set();
    let (at_gateway, at_engine) = (
        shipped.stage.operations("gateway"),
        shipped.stage.operations("engine"),
    );
    let check = |address: &str, status: &str| {
        let asked = Command::new(&python)
            .args(["-c", CHECK, address, status])
            .output()
            .unwrap();
        assert!(asked.status.success(), "{}", said(&asked));
    };
    shipped.start("engine");
    let engine = Watcher::of(&python, &at_engine);
    engine.sees("NOT_SERVING");
    check(&at_engine, "NOT_SERVING");
    shipped.start("gateway");
    let gateway = Watcher::of(&python, &at_gateway);
    for _ in 0..2 {
        gateway.sees("SERVING");
        engine.sees("SERVING");
        check(&at_gateway, "SERVING");
        check(&at_engine, "SERVING");
        // An open connection does not keep it from stopping.
        let status = shipped.terminate("gateway");
        assert!(status.success(), "{status}");
        gateway.sees("UNREACHABLE");
        engine.sees("NOT_SERVING");
        check(&at_engine, "NOT_SERVING");
        shipped.start("gateway");
    }
    engine.sees("SERVING");
    let status = shipped.terminate("engine");
    assert!(status.success(), "{status}");
    engine.sees("UNREACHABLE");
}

#[test]
fn a_gateway_is_not_ready_before_its_certificate_holds() {
    let Some(python) = tool("MYMT5_PYTHON") else {
        return;
    };
    let mut shipped = Shipped::set();
    let mut certificate = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    certificate.not_before = (SystemTime::now() + Duration::from_secs(12)).into();
    let key = rcgen::KeyPair::generate().unwrap();
    let tls = shipped.home.join("config/tls/gateway");
    let signed = certificate.self_signed(&key).unwrap();
    fs::write(tls.join("certificate.pem"), signed.pem()).unwrap();
    fs::write(tls.join("key.pem"), key.serialize_pem()).unwrap();
    let operations = shipped.stage.operations("gateway");
    shipped.start("gateway");
    let gateway = Watcher::of(&python, &operations);
    gateway.sees("NOT_SERVING");
    gateway.sees("SERVING");
}
