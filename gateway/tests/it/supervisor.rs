//! What the gateway tells systemd, which a datagram socket stands for: that it serves, that it turns
//! over, and that it stops.

use crate::{
    harness::{BOUND, Gateway},
    orders::market,
};
use mymt5_proto::v1::Side;
use rustix::process::Signal;
use std::{fs, process::Stdio, time::Duration};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::UnixDatagram,
    process::{Child, Command},
    time::timeout,
};

/// Many beats long.
const SILENCE: Duration = Duration::from_secs(2);

/// A gateway that tells this socket every tenth of a second that it turns over.
async fn supervised() -> (Gateway, UnixDatagram) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    let variables = [
        ("NOTIFY_SOCKET", path.to_str().unwrap()),
        ("WATCHDOG_USEC", "200000"),
    ];
    let gateway = Gateway::start_with(folder, "", &variables).await;
    (gateway, systemd)
}

/// Waits until it is told that.
async fn hears(systemd: &UnixDatagram, state: &str) {
    let heard = timeout(BOUND, async {
        let mut bytes = [0; 256];
        loop {
            let length = systemd.recv(&mut bytes).await.unwrap();
            if str::from_utf8(&bytes[..length]).unwrap().contains(state) {
                return;
            }
        }
    });
    assert!(heard.await.is_ok(), "{state} was never told");
}

/// Waits until nothing is told any more.
async fn hears_nothing(systemd: &UnixDatagram) {
    let silent = timeout(BOUND, async {
        let mut bytes = [0; 256];
        while timeout(SILENCE, systemd.recv(&mut bytes)).await.is_ok() {}
    });
    assert!(silent.await.is_ok(), "it never fell silent");
}

#[tokio::test]
async fn it_tells_when_it_serves_that_it_turns_over_and_that_it_stops() {
    let (mut gateway, systemd) = supervised().await;
    hears(&systemd, "READY=1").await;
    hears(&systemd, "WATCHDOG=1").await;
    hears(&systemd, "WATCHDOG=1").await;
    gateway.send(Signal::STOP);
    hears_nothing(&systemd).await;
    gateway.send(Signal::CONT);
    hears(&systemd, "WATCHDOG=1").await;
    gateway.stop().await;
    hears(&systemd, "STOPPING=1").await;
}

/// Puts a certificate that ended long ago in the place of the gateway's.
fn let_certificate_end(gateway: &Gateway) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let certificate = params.self_signed(&key).unwrap().pem();
    let folder = gateway.folder.path().join("tls/gateway");
    fs::write(folder.join("certificate.pem"), certificate).unwrap();
    fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
}

#[tokio::test]
async fn one_that_is_not_ready_has_started_all_the_same_and_obeys_its_operator() {
    let mut gateway = Gateway::start("").await;
    gateway.stop().await;
    let_certificate_end(&gateway);
    let path = gateway.folder.path().join("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    gateway.start_again(&[("NOTIFY_SOCKET", path.to_str().unwrap())]);
    hears(&systemd, "READY=1").await;
    hears(&systemd, "STATUS=not ready").await;
    let halt = ["halt", "--reason", "certificate", "--data-folder", "data"];
    let halt = gateway.command(&halt, None).await;
    let said = String::from_utf8_lossy(&halt.stderr);
    assert!(halt.status.success(), "{said}");
    gateway.stop().await;
    hears(&systemd, "STOPPING=1").await;
}

/// Holds a thread of another process until it is killed, and says when it does.
const HOLD: &str = "
import ctypes, os, sys
libc, zero, thread = ctypes.CDLL(None, use_errno=True), ctypes.c_void_p(0), int(sys.argv[1])
SEIZE, INTERRUPT, ALL_THREADS = 0x4206, 0x4207, 0x40000000
for request in SEIZE, INTERRUPT:
    assert libc.ptrace(request, thread, zero, zero) == 0, os.strerror(ctypes.get_errno())
os.waitpid(thread, ALL_THREADS)
print('held', flush=True)
sys.stdin.read()
";

/// Holds the journal's thread, as a disk that hangs would.
async fn hold_journal(gateway: &Gateway) -> Child {
    let tasks = format!("/proc/{}/task", gateway.child.id().unwrap());
    let mut threads = fs::read_dir(tasks).unwrap().map(|task| task.unwrap());
    let is_the_journals = |name: String| name.trim() == "journal";
    let thread = threads
        .find(|task| fs::read_to_string(task.path().join("comm")).is_ok_and(is_the_journals))
        .unwrap();
    let python = std::env::var("MYMT5_PYTHON").unwrap_or_else(|_| "python3".into());
    let mut holder = Command::new(python)
        .args(["-c", HOLD, thread.file_name().to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut stdout = BufReader::new(holder.stdout.take().unwrap());
    let held = timeout(BOUND, stdout.read_line(&mut said)).await;
    assert!(held.is_ok() && said == "held\n", "{said}");
    holder
}

#[tokio::test]
async fn a_core_that_waits_for_a_journal_that_hangs_is_not_told_alive() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: no other process can be held here");
        assert!(std::env::var_os("MYMT5_REQUIRE").is_none());
        return;
    }
    let (gateway, systemd) = supervised().await;
    hears(&systemd, "WATCHDOG=1").await;
    let mut holder = hold_journal(&gateway).await;
    let mut trading = gateway.trading().await;
    let order = tokio::spawn(async move {
        let order = market("waits", Side::Buy, 0.01);
        trading.submit_order(order).await
    });
    hears_nothing(&systemd).await;
    holder.kill().await.unwrap();
    hears(&systemd, "WATCHDOG=1").await;
    order.abort();
}
