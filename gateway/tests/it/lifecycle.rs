//! Starting wrong, health, and stopping with open streams.

use crate::harness::{BOUND, Gateway};
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
    let folder = tempfile::TempDir::new().unwrap();
    let config = folder.path().join("gateway.toml");
    let text = "[server]\nlisten = \"nowhere\"\n[broker]\nkind = \"oanda\"\ntime_zone = \"Mars/Base\"\n\
                [broker.simulator]\nspeed = \"warp\"\nballance = 3\n[clients.a]\npermissions = [\"fly\"]\n";
    fs::write(&config, text).unwrap();
    let mut check = Command::new(env!("CARGO_BIN_EXE_mymt5-gateway"));
    check
        .args(["check", "--config"])
        .arg(&config)
        .current_dir(folder.path());
    let output = check.output().await.unwrap();
    let report = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{report}");
    for key in [
        "server.listen",
        "broker.kind",
        "broker.time_zone",
        "broker.simulator.speed",
        "broker.simulator.ballance",
        "clients.a.permissions",
        "clients.a",
    ] {
        assert!(report.contains(key), "{key} is missing from {report}");
    }
    for value in ["nowhere", "oanda", "Mars/Base", "warp"] {
        assert!(!report.contains(value), "{report}");
    }
}
