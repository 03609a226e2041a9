//! The journal through the real process: what it took survives it, and a file that cannot be
//! trusted is refused with its fix.

use crate::{
    harness::{BOUND, Gateway},
    orders::market,
};
use mymt5_chassis::secrets::Secret;
use mymt5_gateway::journal::{self, Identity, SIMULATOR, Sqlite};
use mymt5_model::MaskedAccount;
use mymt5_proto::{Reason, reason_of, v1};
use rusqlite::{Connection, OpenFlags};
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Output};
use tokio::time::timeout;
use tonic::Code;
use v1::control_service_client::ControlServiceClient;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn path(gateway: &Gateway) -> PathBuf {
    gateway.folder.path().join("data/journal.db")
}

/// Reads beside the running gateway, as `sqlite3 -readonly` does.
fn count(gateway: &Gateway, sql: &str) -> i64 {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connection = Connection::open_with_flags(path(gateway), flags).unwrap();
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

async fn submit(gateway: &Gateway, id: &str) -> Result<v1::Order, tonic::Status> {
    let request = market(id, v1::Side::Buy, 0.1);
    let answer = gateway.trading().await.submit_order(request).await?;
    Ok(answer.into_inner().order.unwrap())
}

async fn snapshot(gateway: &Gateway) -> v1::GetSnapshotResponse {
    let mut trading = gateway.trading().await;
    let answer = trading.get_snapshot(v1::GetSnapshotRequest {}).await;
    answer.unwrap().into_inner()
}

async fn command(gateway: &Gateway, line: &str) -> Output {
    let mut arguments: Vec<&str> = line.split(' ').collect();
    arguments.extend(["--data-folder", "data"]);
    gateway.command(&arguments, None).await
}

#[tokio::test]
async fn a_repeat_after_a_crash_returns_the_same_order_and_sends_nothing() {
    let mut gateway = Gateway::start("").await;
    gateway.quoted("EURUSD").await;
    let first = submit(&gateway, "once").await.unwrap();
    assert_eq!(first.state(), v1::OrderState::Filled);
    gateway.crash_and_return().await;
    gateway.quoted("EURUSD").await;
    let again = submit(&gateway, "once").await.unwrap();
    assert_eq!(again, first);
    let snapshot = snapshot(&gateway).await;
    assert_eq!(
        (snapshot.positions.len(), snapshot.positions[0].lots),
        (1, 0.1)
    );
    assert!(!snapshot.client.is_empty());
    assert_eq!(snapshot.positions[0].client, snapshot.client);
    let other = market("once", v1::Side::Sell, 0.1);
    let status = gateway
        .trading()
        .await
        .submit_order(other)
        .await
        .unwrap_err();
    assert_eq!(reason_of(&status), Some(Reason::IdempotencyMismatch));
}

#[tokio::test]
async fn a_cursor_from_before_a_crash_is_followed_without_a_gap() {
    let mut gateway = Gateway::start("").await;
    gateway.quoted("EURUSD").await;
    let before = snapshot(&gateway).await;
    submit(&gateway, "before").await.unwrap();
    gateway.crash_and_return().await;
    gateway.quoted("EURUSD").await;
    submit(&gateway, "after").await.unwrap();
    let request = v1::StreamEventsRequest {
        journal_id: before.journal_id,
        after_sequence: before.sequence,
    };
    let mut trading = gateway.trading().await;
    let mut events = trading.stream_events(request).await.unwrap().into_inner();
    let (mut last, mut filled) = (before.sequence, Vec::new());
    while filled.len() < 2 {
        let event = timeout(BOUND, events.message())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        if event.sequence == 0 {
            continue;
        }
        assert!(event.sequence > last);
        last = event.sequence;
        if let Some(v1::stream_events_response::Event::OrderChanged(changed)) = event.event {
            let order = changed.order.unwrap();
            if order.state() == v1::OrderState::Filled {
                filled.push(order.client_order_id);
            }
        }
    }
    assert_eq!(filled, ["before", "after"]);
}

#[tokio::test]
async fn orders_and_deals_of_the_past_are_listed_in_pages() {
    let gateway = Gateway::start("").await;
    gateway.quoted("EURUSD").await;
    for id in ["one", "two", "three"] {
        submit(&gateway, id).await.unwrap();
    }
    let mut trading = gateway.trading().await;
    let (mut token, mut ids) = (String::new(), Vec::new());
    loop {
        let request = v1::ListOrdersRequest {
            page_size: 2,
            page_token: token,
        };
        let page = trading.list_orders(request).await.unwrap().into_inner();
        ids.extend(page.orders.into_iter().map(|order| order.client_order_id));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(ids, ["three", "two", "one"]);
    let deals = trading
        .list_deals(v1::ListDealsRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        deals
            .deals
            .iter()
            .filter(|deal| deal.client == "all")
            .count(),
        3
    );
}

#[tokio::test]
async fn a_halt_without_a_gateway_holds_at_the_next_start() {
    let mut gateway = Gateway::start("").await;
    gateway.quoted("EURUSD").await;
    gateway.child.kill().await.unwrap();
    let output = command(&gateway, "halt --reason storm").await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("holds at the next start"));
    gateway.crash_and_return().await;
    gateway.quoted("EURUSD").await;
    let status = submit(&gateway, "halted").await.unwrap_err();
    assert_eq!(reason_of(&status), Some(Reason::TradingStateForbids));
    let status = gateway.status().await;
    assert_eq!(status.trading_state(), v1::TradingState::Halted);
    assert!(
        status
            .trading_reasons
            .iter()
            .any(|reason| reason.contains("storm"))
    );
    assert!(
        command(&gateway, "resume --reason over")
            .await
            .status
            .success()
    );
    assert!(submit(&gateway, "resumed").await.is_ok());
}

/// What of an operator's words is secret is known by the environment of the command, or later by the
/// gateway: its account's number stands in no variable here.
#[tokio::test]
async fn a_halt_without_a_gateway_keeps_and_tells_no_secret() {
    const PHRASE: &str = "correct-horse-7";
    let mut gateway = Gateway::start("").await;
    gateway.child.kill().await.unwrap();
    let dotenv = gateway.folder.path().join(".env");
    fs::write(&dotenv, format!("MT5_PASSWORD={PHRASE}\n")).unwrap();
    fs::set_permissions(&dotenv, fs::Permissions::from_mode(0o600)).unwrap();
    let line = format!("halt --reason try-{PHRASE}-on-10000001");
    let output = command(&gateway, &line).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    fs::remove_file(dotenv).unwrap();
    let data = fs::read_dir(gateway.folder.path().join("data")).unwrap();
    for file in data.map(|entry| entry.unwrap().path()) {
        let kept = if file.is_file() {
            text(&fs::read(&file).unwrap())
        } else {
            String::new()
        };
        assert!(!kept.contains(PHRASE), "{}", file.display());
    }
    gateway.crash_and_return().await;
    let reasons = gateway.status().await.trading_reasons.join(", ");
    let events = command(&gateway, "events --after 0").await;
    for told in [reasons, text(&events.stdout)] {
        assert!(told.contains("try-***-on-****0001"), "{told}");
        assert!(!told.contains("10000001"), "{told}");
    }
}

async fn backup(gateway: &Gateway) -> String {
    let mut control = ControlServiceClient::new(gateway.channel(Some("all")).await);
    let written = control.backup(v1::BackupRequest {}).await;
    format!("restore data/backup/{}", written.unwrap().into_inner().file)
}

async fn done(gateway: &Gateway, line: &str) {
    let output = command(gateway, line).await;
    assert!(output.status.success(), "{line}: {}", text(&output.stderr));
}

fn held(snapshot: &v1::GetSnapshotResponse) -> usize {
    let positions = snapshot.positions.iter();
    positions.filter(|held| held.client == "all").count()
}

#[tokio::test]
async fn a_restored_backup_begins_an_epoch_and_knows_what_came_after_it() {
    let mut gateway = Gateway::start("").await;
    gateway.quoted("EURUSD").await;
    submit(&gateway, "kept").await.unwrap();
    let old = snapshot(&gateway).await;
    let restore = backup(&gateway).await;
    let later = submit(&gateway, "later").await.unwrap();
    gateway.child.kill().await.unwrap();
    done(&gateway, &restore).await;
    gateway.crash_and_return().await;
    gateway.quoted("EURUSD").await;

    let request = v1::StreamEventsRequest {
        journal_id: old.journal_id,
        after_sequence: old.sequence,
    };
    let status = gateway
        .trading()
        .await
        .stream_events(request)
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), reason_of(&status)),
        (Code::OutOfRange, Some(Reason::JournalChanged))
    );
    assert_eq!(submit(&gateway, "later").await.unwrap(), later);
    submit(&gateway, "new").await.unwrap();
    let now = snapshot(&gateway).await;
    assert_eq!(held(&now), 3);
    assert_eq!(now.account_id, old.account_id, "it is the same account");
    assert_eq!(now.account_id.len(), 32);
}

#[tokio::test]
async fn what_a_restored_backup_cannot_know_keeps_its_client_closed_until_it_is_adopted() {
    let mut gateway = Gateway::start("").await;
    gateway.quoted("EURUSD").await;
    submit(&gateway, "kept").await.unwrap();
    let restore = backup(&gateway).await;
    let lost = submit(&gateway, "lost").await.unwrap();
    gateway.child.kill().await.unwrap();
    for extension in ["db", "db-wal", "db-shm"] {
        fs::remove_file(path(&gateway).with_extension(extension)).unwrap();
    }
    done(&gateway, &restore).await;
    gateway.crash_and_return().await;
    gateway.quoted("EURUSD").await;
    let status = gateway.status().await;
    assert_eq!(status.trading_state(), v1::TradingState::Halted);
    done(&gateway, "resume --reason looked").await;
    let status = submit(&gateway, "lost").await.unwrap_err();
    assert_eq!(reason_of(&status), Some(Reason::OrphansFound));

    let position = lost.position_id;
    let adopt = format!("adopt --position {position} --client all --reason restored");
    done(&gateway, &adopt).await;
    let obstacles = gateway.status().await.obstacles;
    let [orphan] = &obstacles[..] else {
        panic!("{obstacles:?}")
    };
    assert_eq!(
        (orphan.name.as_str(), orphan.client.as_str()),
        ("ORPHAN_DEALS", "all")
    );
    let ticket: u64 = orphan.why.split(' ').nth(1).unwrap().parse().unwrap();
    done(
        &gateway,
        &format!("adopt --deal {ticket} --client all --reason restored"),
    )
    .await;
    let new = submit(&gateway, "new").await.unwrap();
    assert!(new.order_id > lost.order_id, "an id is never given twice");
    assert_eq!(held(&snapshot(&gateway).await), 3);
}

#[tokio::test]
async fn a_restored_backup_opens_nothing_that_was_closed() {
    for journal_is_lost in [false, true] {
        let mut gateway = Gateway::start("").await;
        gateway.quoted("EURUSD").await;
        let restore = backup(&gateway).await;
        gateway.child.kill().await.unwrap();
        if journal_is_lost {
            fs::write(path(&gateway), "nothing that SQLite reads").unwrap();
            fs::remove_file(path(&gateway).with_extension("db-wal")).unwrap();
        } else {
            let halted = command(&gateway, "halt --reason storm").await;
            assert!(halted.status.success(), "{}", text(&halted.stderr));
        }
        let restored = command(&gateway, &restore).await;
        let told = text(&restored.stderr);
        assert!(restored.status.success(), "{told}");
        assert_eq!(told.contains("starts HALTED"), journal_is_lost, "{told}");
        gateway.crash_and_return().await;
        gateway.quoted("EURUSD").await;
        let status = submit(&gateway, "halted").await.unwrap_err();
        assert_eq!(reason_of(&status), Some(Reason::TradingStateForbids));
        let resumed = command(&gateway, "resume --reason over").await;
        assert!(resumed.status.success());
        assert!(submit(&gateway, "resumed").await.is_ok());
    }
}

fn spoil(gateway: &Gateway, damage: &str) {
    let connection = Connection::open(path(gateway)).unwrap();
    if damage == "no journal" {
        let sql = "PRAGMA application_id = 1";
        return connection.execute_batch(sql).unwrap();
    }
    let sql = "SELECT json_extract(body, '$') FROM meta WHERE key = 'journal_id'";
    let id: String = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    let mark = path(gateway).with_extension("mark");
    fs::write(mark, format!("{id} 999 0\n")).unwrap();
    let sql = "DELETE FROM events WHERE sequence > 1";
    connection.execute_batch(sql).unwrap();
}

#[tokio::test]
async fn what_check_cannot_look_into_is_not_told_as_broken() {
    let mut gateway = Gateway::start("").await;
    gateway.child.kill().await.unwrap();
    journal::remove(&path(&gateway)).unwrap();
    fs::create_dir(path(&gateway)).unwrap();
    let check = ["check", "--config", "gateway.toml"];
    let checked = gateway.command(&check, None).await;
    let told = text(&checked.stderr);
    assert_eq!(checked.status.code(), Some(0), "{told}");
    assert!(
        told.contains("warning: cannot look into the journal"),
        "{told}"
    );
    assert!(!told.contains("restore"), "{told}");
}

#[tokio::test]
async fn a_journal_that_cannot_be_trusted_stops_the_start_with_its_fix() {
    let mut gateway = Gateway::start("").await;
    gateway.quoted("EURUSD").await;
    submit(&gateway, "one").await.unwrap();
    let check = ["check", "--config", "gateway.toml"];
    let beside = gateway.command(&check, None).await;
    assert_eq!(beside.status.code(), Some(0), "{}", text(&beside.stderr));
    gateway.child.kill().await.unwrap();
    let intact = |extension| fs::read(path(&gateway).with_extension(extension)).unwrap();
    let files = [("db", intact("db")), ("db-wal", intact("db-wal"))];
    for damage in ["no journal", "another account", "rolled back"] {
        for (extension, bytes) in &files {
            fs::write(path(&gateway).with_extension(extension), bytes).unwrap();
        }
        if damage == "another account" {
            journal::remove(&path(&gateway)).unwrap();
            let identity = Identity {
                broker: SIMULATOR,
                server: "Another".into(),
                account: MaskedAccount::of(5),
                login: Secret::new("5"),
            };
            drop(Sqlite::open(&path(&gateway), &identity, &[]).unwrap());
        } else {
            spoil(&gateway, damage);
        }
        let fix = match damage {
            "another account" => "process.data_folder",
            _ => "restore",
        };
        let checked = gateway.command(&check, None).await;
        let told = text(&checked.stderr);
        if damage != "rolled back" {
            assert_eq!(checked.status.code(), Some(78), "{damage}: {told}");
            assert!(told.contains(fix), "{damage}: {told}");
        }
        let output = gateway
            .command(&["run", "--config", "gateway.toml"], None)
            .await;
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{damage}: {told}");
        assert!(told.contains(fix), "{damage}: {told}");
    }
}

#[tokio::test]
async fn a_second_gateway_on_the_same_folder_is_refused() {
    let gateway = Gateway::start("").await;
    let output = gateway
        .command(&["run", "--config", "gateway.toml"], None)
        .await;
    assert!(!output.status.success());
    let told = text(&output.stderr);
    assert!(told.contains("another running process"), "{told}");
    assert!(!gateway.status().await.version.is_empty());
}

#[tokio::test]
async fn denied_calls_and_who_did_what_are_on_record() {
    let gateway = Gateway::start("").await;
    gateway.quoted("EURUSD").await;
    submit(&gateway, "recorded").await.unwrap();
    let channel = gateway.channel(Some("read")).await;
    let mut trading = v1::trading_service_client::TradingServiceClient::new(channel);
    let denied = trading
        .submit_order(market("no", v1::Side::Buy, 0.1))
        .await
        .unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);
    submit(&gateway, "after").await.unwrap();
    let denials =
        "SELECT count(*) FROM denials WHERE client = 'read' AND call LIKE '%/SubmitOrder'";
    assert_eq!(count(&gateway, denials), 1);
    let who = "SELECT count(*) FROM requests WHERE client = 'all' AND method = 'SubmitOrder' AND length(trace) = 16";
    assert_eq!(count(&gateway, who), 2);
    let states = "SELECT count(*) FROM orders WHERE state = 'Filled' AND client = 'all'";
    assert_eq!(count(&gateway, states), 2);
}
