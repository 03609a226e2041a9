//! Starting wrong, health, and stopping with open streams.

use crate::harness::{BOUND, Gateway};
use mymt5_chassis::tls;
use mymt5_proto::v1;
use std::{fs, time::Duration};
use tokio::{process::Command, time::timeout};
use tonic::transport::Channel;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

async fn health(channel: Channel, service: &str) -> ServingStatus {
    let request = HealthCheckRequest {
        service: service.into(),
    };
    HealthClient::new(channel)
        .check(request)
        .await
        .unwrap()
        .into_inner()
        .status()
}

#[tokio::test]
async fn both_ports_answer_health() {
    let gateway = Gateway::start("").await;
    let operations =
        tonic::transport::Endpoint::from_shared(format!("http://{}", gateway.operations)).unwrap();
    let operations = operations.connect().await.unwrap();
    for service in [
        "",
        "liveness",
        "readiness",
        "mymt5.v1.TradingService",
        "mymt5.v1.MarketDataService",
    ] {
        assert_eq!(
            health(operations.clone(), service).await,
            ServingStatus::Serving,
            "{service}"
        );
        assert_eq!(
            health(gateway.channel(None).await, service).await,
            ServingStatus::Serving,
            "{service}"
        );
    }
}

#[tokio::test]
async fn metrics_stand_beside_health() {
    let gateway = Gateway::start("").await;
    gateway.quoted("EURUSD").await;
    let metrics = gateway.metrics().await;
    assert!(
        metrics.contains("mymt5_ticks_total") && metrics.contains("mymt5_calls_total"),
        "{metrics}"
    );
}

#[tokio::test]
async fn sigterm_ends_it_within_five_seconds_also_with_open_streams() {
    let mut gateway = Gateway::start("").await;
    let (mut trading, mut market) = (gateway.trading().await, gateway.market_data().await);
    let snapshot = trading
        .get_snapshot(v1::GetSnapshotRequest {})
        .await
        .unwrap()
        .into_inner();
    let from = v1::StreamEventsRequest {
        journal_id: snapshot.journal_id,
        after_sequence: snapshot.sequence,
    };
    let mut events = trading.stream_events(from).await.unwrap().into_inner();
    let _ticks = market
        .stream_ticks(v1::StreamTicksRequest::default())
        .await
        .unwrap();
    let pid = rustix::process::Pid::from_raw(gateway.child.id().unwrap().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let exit = timeout(Duration::from_secs(5), gateway.child.wait())
        .await
        .expect("gone within 5 s")
        .unwrap();
    assert!(exit.success(), "{}", gateway.stderr());
    let end = timeout(BOUND, async {
        loop {
            match events.message().await {
                Ok(Some(_)) => {}
                Ok(None) => break None,
                Err(status) => break Some(status),
            }
        }
    });
    let status = end.await.unwrap().unwrap();
    assert_eq!(
        mymt5_proto::reason_of(&status),
        Some(mymt5_proto::Reason::Draining)
    );
}

#[tokio::test]
async fn a_wrong_configuration_exits_78_and_tells_all_of_it() {
    let text = "[server]\nlisten = \"nowhere\"\n[operations]\nlisten = \"0.0.0.0:1\"\n\
                [broker]\nkind = \"oanda\"\ntime_zone = \"Mars/Base\"\n\
                [broker.simulator]\nspeed = \"warp\"\nballance = 3\n[clients.a]\npermissions = [\"fly\"]\n";
    let (code, _, report) = check(text, &[]).await;
    assert_eq!(code, Some(78), "{report}");
    let faults = [
        "server.listen",
        "operations.listen",
        "broker.kind",
        "broker.time_zone",
        "broker.simulator.speed",
        "broker.simulator.ballance",
        "clients.a.permissions",
        "clients.a:",
    ];
    for key in faults {
        assert!(report.contains(key), "{key} is missing from {report}");
    }
    assert!(
        report.contains("balance"),
        "a hint for the unknown key: {report}"
    );
    for value in ["nowhere", "0.0.0.0", "oanda", "Mars/Base", "warp", "fly"] {
        assert!(!report.contains(value), "{report}");
    }
}

#[tokio::test]
async fn a_secret_in_the_file_is_refused_and_not_printed() {
    let text = "[broker]\npassword = \"canary-phrase\"\n[clients.a]\ncertificate = \"spiffe://mymt5/client/a\"\npermissions = [\"read\"]\n";
    let (code, said, report) = check(text, &["--print"]).await;
    assert_eq!(code, Some(78), "{report}");
    assert!(
        report.contains("broker.password")
            && !report.contains("canary")
            && !said.contains("canary"),
        "{report}"
    );
}

#[tokio::test]
async fn the_environment_wins_over_the_files_and_check_tells_it() {
    let text = "[server]\nlisten = \"127.0.0.1:1111\"\n[clients.a]\ncertificate = \"spiffe://mymt5/client/a\"\npermissions = [\"read\"]\n";
    let folder = tempfile::TempDir::new().unwrap();
    tls::dev_certs(&folder.path().join("config/tls"), &[], &[], 1).unwrap();
    fs::write(folder.path().join("gateway.toml"), text).unwrap();
    fs::write(
        folder.path().join("gateway.local.toml"),
        "[orders]\nmax_queue_ms = 777\n",
    )
    .unwrap();
    let mut check = Command::new(env!("CARGO_BIN_EXE_mymt5-gateway"));
    check
        .args(["check", "--config", "gateway.toml", "--print"])
        .current_dir(folder.path());
    check
        .env("MYMT5__SERVER__LISTEN", "127.0.0.1:2222")
        .env("MT5_PASSWORD", "canary-phrase");
    let output = check.output().await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let line = |key: &str| {
        said.lines()
            .find(|line| line.starts_with(key))
            .unwrap_or_default()
            .to_owned()
    };
    assert!(
        line("server.listen").contains("2222")
            && line("server.listen").contains("MYMT5__SERVER__LISTEN"),
        "{said}"
    );
    assert!(
        line("orders.max_queue_ms").contains("777")
            && line("orders.max_queue_ms").contains("gateway.local.toml"),
        "{said}"
    );
    assert!(
        line("MT5_PASSWORD").contains("***") && !said.contains("canary"),
        "{said}"
    );
    for default in [
        "process.data_folder = \"data/gateway\" (default)",
        "orders.send_timeout_ms = 10000 (default)",
        "broker.simulator.symbols = [\"EURUSD\",\"GBPUSD\",\"USDJPY\",\"AUDUSD\"] (default)",
    ] {
        assert!(said.contains(default), "{default}: {said}");
    }
}

#[tokio::test]
async fn a_file_that_is_named_must_be_there_though_the_environment_would_do_without() {
    let folder = tempfile::TempDir::new().unwrap();
    let config = folder.path().join("config");
    tls::dev_certs(&config.join("tls"), &[], &[], 1).unwrap();
    let check = async |words: &[&str]| {
        let mut check = Command::new(env!("CARGO_BIN_EXE_mymt5-gateway"));
        let check = check.arg("check").args(words).current_dir(folder.path());
        let variables = [
            ("MYMT5_CONFIG", "environment"),
            ("MYMT5__CLIENTS__A__CERTIFICATE", "spiffe://mymt5/client/a"),
            ("MYMT5__CLIENTS__A__PERMISSIONS", "[\"read\"]"),
        ];
        let output = check.envs(variables).output().await.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), said)
    };
    let (code, said) = check(&[]).await;
    assert_eq!(code, Some(0), "{said}");
    for words in [
        &["--config", "config/gateway.toml"][..],
        &["--config=config/gateway.toml"],
    ] {
        let (code, said) = check(words).await;
        assert_eq!(code, Some(78), "{said}");
        let told = "config/gateway.toml: cannot be read (entity not found); fix: ";
        assert!(said.contains(told), "{said}");
    }
}

#[tokio::test]
async fn a_check_looks_at_the_certificates() {
    let text = "[broker]\nkind = \"oanda\"\n[clients.a]\ncertificate = \"spiffe://mymt5/client/a\"\npermissions = [\"read\"]\n";
    let (code, _, report) = check(text, &[]).await;
    assert_eq!(code, Some(78), "{report}");
    for told in ["server.tls: ", "mymt5-gateway certs", "broker.kind"] {
        assert!(report.contains(told), "{told} is missing from {report}");
    }
}

#[tokio::test]
async fn a_token_stands_alone_and_a_check_accepts_the_lines_beside_it() {
    let folder = tempfile::TempDir::new().unwrap();
    tls::dev_certs(&folder.path().join("config/tls"), &[], &[], 1).unwrap();
    let run = async |arguments: &[&str]| {
        let mut run = Command::new(env!("CARGO_BIN_EXE_mymt5-gateway"));
        run.args(arguments).current_dir(folder.path());
        run.output().await.unwrap()
    };
    let made = run(&["token", "dashboard", "--permissions", "read,diagnose"]).await;
    let token = String::from_utf8(made.stdout).unwrap();
    let lines = String::from_utf8(made.stderr).unwrap();
    assert!(token.trim_end().len() == 43 && token.lines().count() == 1);
    assert!(!lines.contains(token.trim_end()));
    fs::write(folder.path().join("gateway.toml"), lines).unwrap();
    let checked = run(&["check", "--config", "gateway.toml", "--print"]).await;
    let said = String::from_utf8(checked.stdout).unwrap();
    assert!(checked.status.success(), "{said}");
    assert!(
        said.contains("clients.dashboard.permissions = [\"read\",\"diagnose\"]"),
        "{said}"
    );
}

#[tokio::test]
async fn what_is_not_to_be_had_exits_69() {
    let gateway = Gateway::start("").await;
    let run = async |variables: &[(&str, &str)]| {
        let mut run = Command::new(env!("CARGO_BIN_EXE_mymt5-gateway"));
        run.args(["run", "--config", "gateway.toml"])
            .current_dir(gateway.folder.path())
            .envs(variables.iter().copied())
            .kill_on_drop(true);
        let output = timeout(BOUND, run.output()).await.unwrap().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(69), "{said}");
        said
    };
    let said = run(&[]).await;
    assert!(said.contains("another running process holds it"), "{said}");
    let folders = [
        ("MYMT5__PROCESS__DATA_FOLDER", "other-data"),
        ("MYMT5__LOGGING__FOLDER", "other-logs"),
    ];
    let said = run(&folders).await;
    assert!(said.contains("cannot listen on"), "{said}");
    // Nobody listens there.
    let health = gateway.command(&["health", "--operations", "127.0.0.1:1"], None);
    assert_eq!(health.await.status.code(), Some(69));
}

/// Checks a configuration: exit code, standard output, standard error.
async fn check(text: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let folder = tempfile::TempDir::new().unwrap();
    fs::write(folder.path().join("gateway.toml"), text).unwrap();
    let mut check = Command::new(env!("CARGO_BIN_EXE_mymt5-gateway"));
    check
        .args(["check", "--config", "gateway.toml"])
        .args(arguments)
        .current_dir(folder.path());
    let output = check.output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[tokio::test]
async fn status_is_told_over_the_control_socket_to_its_own_user_alone() {
    let gateway = Gateway::start("").await;
    let told = gateway
        .command(&["status", "--data-folder", "data", "--json"], None)
        .await;
    assert!(
        told.status.success(),
        "{}",
        String::from_utf8_lossy(&told.stderr)
    );
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(
        (&told["account_kind"], &told["trading"]),
        (&"SIMULATED".into(), &"ACTIVE".into())
    );
    assert!(told["account"].as_str().unwrap().starts_with("****"));
    assert_eq!(
        (&told["equity"], &told["currency"]),
        (&100_000.0.into(), &"USD".into())
    );
    for name in [
        "link_error_rate",
        "unknown_orders",
        "ticks",
        "fills",
        "disk_free_bytes",
    ] {
        assert!(told[name].is_number(), "{name}: {told}");
    }
    assert_eq!(told["frozen_symbols"], serde_json::json!([]));
    assert!(told["losses"].is_array(), "{told}");
    if rustix::process::geteuid().is_root() {
        let other = gateway
            .command(&["status", "--data-folder", "data"], Some(61_003))
            .await;
        assert!(!other.status.success());
    }
}

/// Becomes another program, under a filter of system calls that allows all.
const CONFINED: &str = "
import ctypes, os, sys

class Step(ctypes.Structure):
    _fields_ = [('code', ctypes.c_uint16), ('jt', ctypes.c_uint8), ('jf', ctypes.c_uint8), ('k', ctypes.c_uint32)]

class Program(ctypes.Structure):
    _fields_ = [('length', ctypes.c_uint16), ('steps', ctypes.POINTER(Step))]

libc, zero = ctypes.CDLL(None), ctypes.c_ulong(0)
program = Program(1, ctypes.pointer(Step(6, 0, 0, 0x7FFF0000)))
assert libc.prctl(38, ctypes.c_ulong(1), zero, zero, zero) == 0
assert libc.prctl(22, ctypes.c_ulong(2), ctypes.byref(program)) == 0
os.execv(sys.argv[1], sys.argv[1:])
";

#[tokio::test]
async fn a_confined_process_of_the_gateways_user_is_no_operator() {
    let gateway = Gateway::start("").await;
    let python = std::env::var("MYMT5_PYTHON").unwrap_or_else(|_| "python3".into());
    let mut confined = Command::new(python);
    confined
        .args(["-c", CONFINED, env!("CARGO_BIN_EXE_mymt5-gateway")])
        .args(["halt", "--reason", "taken over", "--data-folder", "data"])
        .current_dir(gateway.folder.path());
    let halted = confined.output().await.unwrap();
    assert!(!halted.status.success());
    gateway.says("refused a confined process").await;
    let told = gateway
        .command(&["status", "--data-folder", "data", "--json"], None)
        .await;
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(told["trading"], "ACTIVE");
}

#[tokio::test]
async fn a_killed_gateway_meets_the_same_account_again() {
    let mut gateway = Gateway::start("").await;
    gateway.quoted("EURUSD").await;
    let order = v1::SubmitOrderRequest {
        request_id: "before".into(),
        symbol: "EURUSD".into(),
        side: v1::Side::Buy.into(),
        r#type: v1::OrderType::Market.into(),
        lots: 0.2,
        ..Default::default()
    };
    let order = gateway
        .trading()
        .await
        .submit_order(order)
        .await
        .unwrap()
        .into_inner()
        .order
        .unwrap();
    assert_eq!(order.state(), v1::OrderState::Filled);
    gateway.crash_and_return().await;
    let snapshot = gateway
        .trading()
        .await
        .get_snapshot(v1::GetSnapshotRequest {})
        .await
        .unwrap()
        .into_inner();
    let [position] = &snapshot.positions[..] else {
        panic!("{snapshot:?}")
    };
    assert_eq!(
        (
            position.position_id,
            position.lots,
            position.client.as_str()
        ),
        (order.position_id, 0.2, "all")
    );
    gateway.quoted("EURUSD").await;
    let close = v1::ClosePositionRequest {
        request_id: "after".into(),
        position_id: position.position_id,
        ..Default::default()
    };
    let close = gateway
        .trading()
        .await
        .close_position(close)
        .await
        .unwrap()
        .into_inner()
        .order
        .unwrap();
    assert_eq!(close.state(), v1::OrderState::Filled);
}

#[tokio::test]
async fn without_log_files_standard_error_has_the_log() {
    let folder = tempfile::TempDir::new().unwrap();
    let local = folder.path().join("gateway.local.toml");
    fs::write(local, "[logging]\nfiles = false\n").unwrap();
    let gateway = Gateway::start_in(folder, "").await;
    gateway.says("gateway ready").await;
    assert!(!gateway.folder.path().join("logs").exists());
}

#[tokio::test]
async fn a_hangup_reads_the_log_level_again() {
    let gateway = Gateway::start("").await;
    fs::write(
        gateway.folder.path().join("gateway.local.toml"),
        "[logging]\nlevel = \"debug\"\n",
    )
    .unwrap();
    let pid = rustix::process::Pid::from_raw(gateway.child.id().unwrap().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    let told = timeout(BOUND, async {
        while !gateway.stderr().contains("log level set level=\"debug\"") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(told.await.is_ok(), "{}", gateway.stderr());
}
