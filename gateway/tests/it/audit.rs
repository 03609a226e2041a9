//! The audit trail through the real process: who did what is in it and stays, whatever strangers
//! do; it holds across crashes, and each change to it is found.

use crate::{
    harness::{BOUND, Gateway},
    orders::market,
};
use mymt5_proto::{Reason, reason_of, v1};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Output,
};
use tempfile::TempDir;
use tokio::{process::Command, time::timeout};
use tonic::{Code, Status, transport::Channel};
use v1::{
    control_service_client::ControlServiceClient, trading_service_client::TradingServiceClient,
};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

async fn with(local: &str) -> Gateway {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("gateway.local.toml"), local).unwrap();
    let gateway = Gateway::start_in(folder, "").await;
    gateway.quoted("EURUSD").await;
    gateway
}

async fn stop(gateway: &mut Gateway) {
    let pid = Pid::from_raw(gateway.child.id().unwrap().cast_signed()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let ended = timeout(BOUND, gateway.child.wait()).await.unwrap();
    assert!(ended.unwrap().success(), "{}", gateway.stderr());
}

async fn submit(gateway: &Gateway, id: &str) -> Result<v1::Order, Status> {
    let request = market(id, v1::Side::Buy, 0.1);
    let answer = gateway.trading().await.submit_order(request).await?;
    Ok(answer.into_inner().order.unwrap())
}

async fn operate(gateway: &Gateway, command: &str, reason: &str) -> Output {
    let arguments = [command, "--reason", reason, "--data-folder", "data"];
    gateway.command(&arguments, None).await
}

async fn denied(gateway: &Gateway, client: Option<&str>, times: usize) {
    let mut trading = TradingServiceClient::new(gateway.channel(client).await);
    for number in 0..times {
        let request = market(&format!("no-{number}"), v1::Side::Buy, 0.1);
        let status = trading.submit_order(request).await.unwrap_err();
        let codes = [Code::PermissionDenied, Code::Unauthenticated];
        assert!(codes.contains(&status.code()), "{status:?}");
    }
}

/// The trail's files below a folder, oldest first.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join("logs")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"))
        .collect();
    files.sort();
    files
}

fn records(folder: &Path) -> Vec<Value> {
    let texts = files(folder)
        .into_iter()
        .map(|file| fs::read_to_string(file).unwrap());
    let text: String = texts.collect();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn of<'a>(records: &'a [Value], event: &str, method: &str) -> Vec<&'a Value> {
    let of = |record: &&Value| record["event"] == event && record["method"] == method;
    records.iter().filter(of).collect()
}

async fn verify(folder: &Path) -> Output {
    let mut verify = Command::new(env!("CARGO_BIN_EXE_mymt5-gateway"));
    verify
        .args([
            "audit",
            "verify",
            "--folder",
            "logs",
            "--data-folder",
            "data",
        ])
        .current_dir(folder);
    verify.output().await.unwrap()
}

async fn holds(folder: &Path) {
    let output = verify(folder).await;
    assert!(output.status.success(), "{output:?}");
    let said = text(&output.stdout);
    assert!(said.starts_with("the audit trail holds: "), "{said}");
}

#[tokio::test]
async fn who_did_what_is_on_record_across_a_crash() {
    let mut gateway = with("").await;
    submit(&gateway, "first").await.unwrap();
    denied(&gateway, Some("read"), 1).await;
    let halted = operate(&gateway, "halt", "news: token=hush-hush-7").await;
    assert!(halted.status.success(), "{halted:?}");
    gateway.crash_and_return().await;
    gateway.quoted("EURUSD").await;
    let refused = submit(&gateway, "second").await.unwrap_err();
    let folder = gateway.folder.path();
    holds(folder).await;
    let records = records(folder);
    let asked = of(&records, "asked", "SubmitOrder");
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0]["client"], "all");
    assert_eq!(asked[0]["request_id"], "first");
    assert_eq!(asked[0]["facts"]["symbol"], "EURUSD");
    assert_eq!(asked[0]["facts"]["lots"], 0.1);
    assert_eq!(asked[0]["trace_id"].as_str().unwrap().len(), 32);
    let answered = of(&records, "answered", "SubmitOrder");
    assert_eq!(answered[0]["verdict"], "OK");
    assert_eq!(answered[0]["state"], "Filled");
    assert_eq!(answered[1]["verdict"], reason_of(&refused).unwrap().name());
    let denied = of(&records, "denied", "/mymt5.v1.TradingService/SubmitOrder");
    assert_eq!((denied.len(), &denied[0]["client"]), (1, &"read".into()));
    let halt = of(&records, "asked", "SetTradingState");
    assert_eq!(halt[0]["client"], "local");
    assert_eq!(halt[0]["peer"], "control socket");
    assert_eq!(halt[0]["facts"]["reason"], "news: token=***");
    let sequences: Vec<_> = records.iter().map(|it| it["sequence"].as_u64()).collect();
    let expected: Vec<_> = (1..=records.len() as u64).map(Some).collect();
    assert_eq!(sequences, expected);
    let events = ["events", "--after", "0", "--data-folder", "data"];
    let events = text(&gateway.command(&events, None).await.stdout);
    assert!(!events.contains("hush-hush-7"), "{events}");
    stop(&mut gateway).await;
    holds(gateway.folder.path()).await;
}

/// Changes the lines of a file.
fn edit(file: &Path, change: impl FnOnce(&mut Vec<String>)) {
    let text = fs::read_to_string(file).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    change(&mut lines);
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(file, text).unwrap();
}

#[tokio::test]
async fn ten_planted_changes_are_each_found() {
    type Plant = fn(&mut Vec<String>);
    let plants: [(&str, Plant); 10] = [
        ("a client", |lines| {
            lines[3] = lines[3].replace("\"all\"", "\"new\"");
        }),
        ("a number", |lines| {
            lines[3] = lines[3].replace("\"sequence\":4,", "\"sequence\":5,");
        }),
        ("the newest", |lines| {
            let last = lines.last_mut().unwrap();
            *last = last.replace("stopped", "started");
        }),
        ("a line less", |lines| drop(lines.remove(3))),
        ("the first less", |lines| drop(lines.remove(0))),
        ("the newest less", |lines| drop(lines.pop())),
        ("all less", Vec::clear),
        ("two swapped", |lines| lines.swap(2, 3)),
        ("a line twice", |lines| lines.insert(2, lines[2].clone())),
        ("a line more", |lines| lines.push("{}".into())),
    ];
    let mut gateway = with("").await;
    for number in 0..3 {
        submit(&gateway, &format!("id-{number}")).await.unwrap();
    }
    stop(&mut gateway).await;
    let folder = gateway.folder.path();
    holds(folder).await;
    let file = files(folder).pop().unwrap();
    let whole = fs::read(&file).unwrap();
    for (name, plant) in plants {
        edit(&file, plant);
        let output = verify(folder).await;
        assert_eq!(output.status.code(), Some(65), "{name}: {output:?}");
        assert!(!output.stdout.is_empty(), "{name}");
        let told = text(&output.stderr);
        assert!(
            told.starts_with("the audit trail does not hold: "),
            "{told}"
        );
        fs::write(&file, &whole).unwrap();
    }
    holds(folder).await;
    fs::remove_file(&file).unwrap();
    fs::remove_file(folder.join("data/audit.head")).unwrap();
    let output = verify(folder).await;
    assert_eq!(output.status.code(), Some(69), "{output:?}");
}

#[tokio::test]
async fn strangers_leave_every_line_of_an_operator() {
    let small = "[audit]\nmax_total_bytes = 65536\n[logging]\nmax_file_bytes = 4096\nmax_total_bytes = 8192\n";
    let mut gateway = with(small).await;
    for number in 0..5 {
        let reduced = operate(&gateway, "reduce", &format!("before {number}")).await;
        assert!(reduced.status.success(), "{reduced:?}");
    }
    // More than all of it could hold, were each of them a line.
    for client in [None, Some("stranger")] {
        denied(&gateway, client, 500).await;
    }
    denied(&gateway, Some("read"), 50).await;
    let resumed = operate(&gateway, "resume", "after").await;
    assert!(resumed.status.success(), "{resumed:?}");
    stop(&mut gateway).await;
    let folder = gateway.folder.path();
    holds(folder).await;
    let records = records(folder);
    assert_eq!(records[0]["sequence"], 1);
    assert_eq!(of(&records, "asked", "SetTradingState").len(), 6);
    assert_eq!(of(&records, "answered", "SetTradingState").len(), 6);
    let call = "/mymt5.v1.TradingService/SubmitOrder";
    assert_eq!(of(&records, "denied", call).len(), 50);
    let strangers: Vec<_> = records
        .iter()
        .filter(|record| record["event"] == "strangers")
        .collect();
    let counts = strangers
        .iter()
        .filter_map(|record| record["count"].as_u64());
    assert_eq!((strangers.len(), counts.sum::<u64>()), (2, 1_000));
}

/// A call that the gateway refuses: a cancellation of nothing, or an order that is off the grid.
async fn refuse(trading: &mut TradingServiceClient<Channel>, number: usize) -> Reason {
    let status = if number.is_multiple_of(2) {
        let cancel = v1::CancelOrderRequest {
            request_id: format!("cancel-{number}"),
            order_id: 7,
            ..Default::default()
        };
        trading.cancel_order(cancel).await.unwrap_err()
    } else {
        let order = market(&format!("order-{number}"), v1::Side::Buy, 0.123_456);
        trading.submit_order(order).await.unwrap_err()
    };
    reason_of(&status).unwrap()
}

#[tokio::test]
async fn one_clients_refused_calls_leave_every_line_of_an_operator() {
    const CALLS: usize = 3_000;
    // Less than they would take, were each of them two lines.
    let small = "[audit]\nmax_total_bytes = 1000000\n";
    let mut gateway = with(small).await;
    for number in 0..5 {
        let reduced = operate(&gateway, "reduce", &format!("before {number}")).await;
        assert!(reduced.status.success(), "{reduced:?}");
    }
    let resumed = operate(&gateway, "resume", "before").await;
    assert!(resumed.status.success(), "{resumed:?}");
    let mut trading = TradingServiceClient::new(gateway.channel(Some("trade")).await);
    let opened = trading.submit_order(market("open", v1::Side::Buy, 0.1));
    let position_id = opened
        .await
        .unwrap()
        .into_inner()
        .order
        .unwrap()
        .position_id;
    let mut reasons = BTreeSet::new();
    for number in 0..CALLS {
        reasons.insert(refuse(&mut trading, number).await.name());
    }
    let told = ["LOTS_OFF_GRID", "ORDER_NOT_FOUND", "RATE_LIMITED"];
    assert_eq!(reasons, BTreeSet::from(told));
    // An exit is done all the same, and on record.
    let exit = v1::ClosePositionRequest {
        request_id: "exit".into(),
        position_id,
        ..Default::default()
    };
    let closed = trading.close_position(exit).await.unwrap().into_inner();
    assert_eq!(closed.order.unwrap().state(), v1::OrderState::Filled);
    let halted = operate(&gateway, "halt", "after").await;
    assert!(halted.status.success(), "{halted:?}");
    stop(&mut gateway).await;
    let folder = gateway.folder.path();
    holds(folder).await;
    let records = records(folder);
    assert_eq!(records[0]["sequence"], 1);
    assert_eq!(of(&records, "asked", "SetTradingState").len(), 7);
    assert_eq!(of(&records, "answered", "SetTradingState").len(), 7);
    for event in ["asked", "answered"] {
        assert_eq!(of(&records, event, "ClosePosition").len(), 1);
    }
    let alone = ["CancelOrder", "SubmitOrder"].map(|method| of(&records, "answered", method).len());
    let counted: u64 = records
        .iter()
        .filter(|record| record["event"] == "refused" && record["client"] == "trade")
        .flat_map(|record| record["reasons"].as_object().unwrap().values())
        .filter_map(Value::as_u64)
        .sum();
    // With the one that was done.
    assert_eq!(
        alone.iter().sum::<usize>() as u64 + counted,
        CALLS as u64 + 1
    );
    assert!(counted > 0);
}

#[tokio::test]
async fn what_cannot_be_on_record_is_refused_but_for_what_ends_risk() {
    let gateway = with("[process]\nsandbox = \"off\"\n").await;
    let position = submit(&gateway, "before").await.unwrap().position_id;
    let logs = gateway.folder.path().join("logs");
    fs::remove_dir_all(&logs).unwrap();
    let refused = submit(&gateway, "entry").await.unwrap_err();
    assert_eq!(refused.code(), Code::Internal, "{refused:?}");
    assert_eq!(reason_of(&refused), Some(Reason::AuditUnwritable));
    let close = v1::ClosePositionRequest {
        request_id: "exit".into(),
        position_id: position,
        ..Default::default()
    };
    let closed = gateway.trading().await.close_position(close).await.unwrap();
    assert_eq!(
        closed.into_inner().order.unwrap().state(),
        v1::OrderState::Filled
    );
    let halted = operate(&gateway, "halt", "no record").await;
    assert!(halted.status.success(), "{halted:?}");
    let resumed = operate(&gateway, "resume", "no record").await;
    let said = text(&resumed.stderr);
    assert!(said.starts_with("refused: AUDIT_UNWRITABLE: "), "{said}");
    let mut control = ControlServiceClient::new(gateway.channel(Some("all")).await);
    let backup = control.backup(v1::BackupRequest {}).await.unwrap_err();
    assert_eq!(reason_of(&backup), Some(Reason::AuditUnwritable));
    gateway.says("audit record not written").await;

    fs::create_dir(&logs).unwrap();
    let resumed = operate(&gateway, "resume", "there is room").await;
    assert!(resumed.status.success(), "{resumed:?}");
    submit(&gateway, "entry").await.unwrap();
    // Refused: entry, resume and backup; done: the exit and the halt, each with its answer.
    let records = records(gateway.folder.path());
    assert_eq!(records[0]["unwritten"], 7);
    assert_eq!(records[0]["facts"]["reason"], "there is room");
    let output = verify(gateway.folder.path()).await;
    assert_eq!(output.status.code(), Some(65));
    assert!(
        text(&output.stdout).contains("are missing before"),
        "{output:?}"
    );
}

#[tokio::test]
async fn the_end_is_kept_although_the_process_is_killed() {
    let mut gateway = with("").await;
    submit(&gateway, "last").await.unwrap();
    gateway.child.kill().await.unwrap();
    let folder = gateway.folder.path();
    holds(folder).await;
    let file = files(folder).pop().unwrap();
    edit(&file, |lines| drop(lines.pop()));
    let output = verify(folder).await;
    assert_eq!(output.status.code(), Some(65), "{output:?}");
    assert!(
        text(&output.stdout).contains("missing at the end"),
        "{output:?}"
    );
    // It stays on record that it was cut.
    gateway.crash_and_return().await;
    gateway.says("the audit trail is not whole").await;
    let records = records(gateway.folder.path());
    let started = records.iter().rfind(|record| record["event"] == "started");
    assert!(started.unwrap()["trouble"].is_string(), "{started:?}");
}
