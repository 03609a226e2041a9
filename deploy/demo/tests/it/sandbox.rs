//! What a process that is taken over could still do: the real binaries, under users of their own.

use crate::stage::{Stage, eventually};
use serde_json::{Value, json};
use std::{
    fs,
    net::TcpListener,
    os::unix::{
        fs::{PermissionsExt, chown},
        net::UnixListener,
        process::CommandExt,
    },
    path::Path,
    process::Command,
};
use tempfile::TempDir;

/// What a process tries from a worker of its runtime and from a blocking thread.
const ATTEMPTS: [&str; 18] = [
    "read",
    "write",
    "connect",
    "bind",
    "multipath",
    "datagram",
    "local",
    "netlink",
    "vsock",
    "fork",
    "exec",
    "ptrace",
    "unshare",
    "limit",
    "priority",
    "affinity",
    "mode",
    "dumpable",
];

/// Things outside both processes' folders that any user may write, read and connect to.
struct Outside {
    folder: TempDir,
    listener: TcpListener,
    _local: UnixListener,
}

impl Outside {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let open = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o777));
        open(folder.path()).unwrap();
        fs::write(folder.path().join("read"), "anybody's").unwrap();
        let socket = folder.path().join("socket");
        let local = UnixListener::bind(&socket).unwrap();
        open(&socket).unwrap();
        Self {
            folder,
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
            _local: local,
        }
    }

    fn trial(&self, name: &str, answer: &Path) -> Value {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = |part: &str| self.folder.path().join(part);
        json!({
            "write": at(name),
            "read": [at("read")],
            "connect": self.listener.local_addr().unwrap().port(),
            "bind": free.local_addr().unwrap().port(),
            "socket": at("socket"),
            "answer": answer,
        })
    }
}

fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("skipped: two users need root");
        assert!(
            std::env::var_os("MYMT5_REQUIRE").is_none(),
            "two users need root"
        );
    }
    root
}

/// The pair at work in that sandbox: how each attempt ended, for each process and thread.
async fn tried(sandbox: &str) -> (Stage, Vec<String>) {
    let outside = Outside::new();
    let mut stage = Stage::set("info", &[]).under_users();
    let mut all = Vec::new();
    for name in ["gateway", "engine"] {
        let answer = stage.path(&format!("data/{name}/trial"));
        let trial = outside.trial(name, &answer);
        stage.give(name, "MYMT5_TEST_SANDBOX_TRIAL", &trial.to_string());
        stage.give(name, "MYMT5__PROCESS__SANDBOX", sandbox);
        stage.start(name);
        let told = eventually("the trial's answer", async || {
            fs::read_to_string(&answer).ok()
        })
        .await;
        all.extend(told.lines().map(|line| format!("{name} {line}")));
    }
    stage.serving("engine", true).await;
    eventually("an order that is filled", async || {
        (stage.fills().await > 0).then_some(())
    })
    .await;
    (stage, all)
}

fn every(outcome: &str) -> Vec<String> {
    let threads = [
        "gateway worker",
        "gateway blocking",
        "engine worker",
        "engine blocking",
    ];
    let lines = threads.iter().flat_map(|thread| {
        ATTEMPTS
            .iter()
            .map(move |attempt| format!("{thread} {attempt} {outcome}"))
    });
    lines.collect()
}

#[tokio::test]
async fn what_is_taken_over_can_do_little_and_works_all_the_same() {
    if !is_root() {
        return;
    }
    let (stage, tried) = tried("required").await;
    assert_eq!(tried, every("refused"));
    for name in ["gateway", "engine"] {
        let log = stage.written(name);
        let told = "enforced: files, tcp ports, signals, system calls, udp; not: hosts";
        assert!(log.contains(told), "{log}");
    }
}

#[tokio::test]
async fn without_the_sandbox_the_same_attempts_succeed() {
    if !is_root() {
        return;
    }
    let (stage, tried) = tried("off").await;
    assert_eq!(tried, every("done"));
    assert!(stage.written("gateway").contains("the sandbox is off"));
}

#[tokio::test]
async fn a_kernel_that_cannot_is_refused_where_it_is_required_and_told_elsewhere() {
    let mut stage = Stage::set("info", &[]);
    for name in ["gateway", "engine"] {
        stage.give(name, "MYMT5_TEST_NO_LANDLOCK", "1");
        stage.give(name, "MYMT5__PROCESS__SANDBOX", "required");
        stage.start(name);
        assert_eq!(stage.ended(name).await.code(), Some(78));
        let said = stage.written(name);
        assert!(
            said.contains("this kernel cannot confine files and ports"),
            "{said}"
        );
        stage.give(name, "MYMT5__PROCESS__SANDBOX", "best-effort");
        stage.start(name);
        stage.serving(name, true).await;
    }
    for name in ["gateway", "engine"] {
        let said = stage.written(name);
        assert!(
            said.contains("enforced: system calls, udp; not: files"),
            "{said}"
        );
        assert!(
            said.contains("this kernel cannot confine the process as asked"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn an_engine_of_the_gateways_user_reaches_nothing_of_the_gateways_either() {
    let mut stage = Stage::set("info", &[]);
    let dotenv = stage.path(".env");
    // With a secret in it the engine would refuse to start.
    fs::write(&dotenv, "# whatever it holds\n").unwrap();
    fs::set_permissions(&dotenv, fs::Permissions::from_mode(0o600)).unwrap();
    stage.start("gateway");
    stage.serving("gateway", true).await;
    let hidden = [
        ".env",
        "gateway.toml",
        "tls/gateway/key.pem",
        "tls/operator/key.pem",
        "data/gateway/journal.db",
    ];
    let answer = stage.path("data/engine/trial");
    let mut trial = Outside::new().trial("engine", &answer);
    trial["read"] = json!(hidden.map(|file| stage.path(file)));
    trial["socket"] = json!(stage.path("data/gateway/control.sock"));
    stage.give("engine", "MYMT5_TEST_SANDBOX_TRIAL", &trial.to_string());
    stage.give("engine", "MYMT5__PROCESS__SANDBOX", "required");
    stage.start("engine");
    let told = eventually("the trial's answer", async || {
        fs::read_to_string(&answer).ok()
    })
    .await;
    for thread in ["worker", "blocking"] {
        let refused = |what: &str| {
            let line = format!("{thread} {what} refused");
            told.lines().filter(|told| **told == line).count()
        };
        assert_eq!(refused("read"), hidden.len(), "{told}");
        assert_eq!(refused("local"), 1, "{told}");
    }
    stage.serving("engine", true).await;
    stage.says("engine", "the gateway runs as this user").await;
}

#[tokio::test]
async fn the_engines_user_reaches_nothing_of_the_gateways() {
    if !is_root() {
        return;
    }
    let mut stage = Stage::set("info", &[]).under_users();
    let secret = stage.secret("gateway", "MT5_PASSWORD", "correct-horse-7");
    let dotenv = stage.path(".env");
    let [gateway, engine] = Stage::USERS;
    fs::write(&dotenv, "MT5_LOGIN=12345678\n").unwrap();
    fs::set_permissions(&dotenv, fs::Permissions::from_mode(0o600)).unwrap();
    chown(&dotenv, Some(gateway), Some(gateway)).unwrap();
    // An engine that comes before its gateway pauses ever longer.
    for name in ["gateway", "engine"] {
        stage.start(name);
        stage.serving(name, true).await;
    }
    let log = fs::read_dir(stage.path("logs/gateway")).unwrap();
    let log = log.flatten().map(|entry| entry.path());
    let log = log
        .into_iter()
        .find(|path| path.extension().is_some_and(|kind| kind == "log"));
    let hidden = [
        secret,
        dotenv,
        log.unwrap(),
        stage.path("data/gateway/journal.db"),
        stage.path("tls/gateway/key.pem"),
    ];
    for file in hidden {
        assert!(reads(gateway, &file), "{}", file.display());
        assert!(!reads(engine, &file), "{}", file.display());
    }
    let status = |user| {
        let mut status = Command::new(stage.program("gateway"));
        status.arg("status").uid(user).gid(user);
        status.current_dir(stage.path("")).output().unwrap()
    };
    assert!(status(gateway).status.success(), "{:?}", status(gateway));
    assert!(!status(engine).status.success());
    assert!(!reads(gateway, &stage.path("data/engine/intents.db")));
}

fn reads(user: u32, file: &Path) -> bool {
    let mut cat = Command::new("cat");
    cat.arg(file).uid(user).gid(user);
    cat.output().unwrap().status.success()
}
