//! What is exported: all of a span, and nothing of the account.

use crate::{
    harness::Gateway,
    orders::{close, market},
};
use mymt5_chassis::clock::rfc3339;
use mymt5_proto::v1;
use serde_json::Value;
use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, process::Output};
use tempfile::TempDir;

/// What must never be seen outside. They look like nothing that is real.
const PHRASE: &str = "correct-horse-7";
const COMMENT: &str = "of-jane-doe-77";
/// Of the simulated account.
const ACCOUNT: &str = "10000001";

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn exported(gateway: &Gateway, from: &str, to: &str, format: &str) -> Output {
    let arguments = ["export", "--from", from, "--to", to, "--format", format];
    let configured = [&arguments[..], &["--config", "gateway.toml"]].concat();
    gateway.command(&configured, None).await
}

/// All that was exported, told to succeed.
async fn of_span(gateway: &Gateway, from: &str, to: &str, format: &str) -> String {
    let output = exported(gateway, from, to, format).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// Each line's cells by their columns' names.
fn lines(csv: &str) -> Vec<BTreeMap<String, String>> {
    let mut lines = csv::Reader::from_reader(csv.as_bytes());
    let lines = lines.deserialize().map(Result::unwrap);
    lines.collect()
}

/// Opens a position with that tag and a comment, and closes it.
async fn trade(gateway: &Gateway, id: &str, tag: &str) -> v1::Order {
    let mut trading = gateway.trading().await;
    let order = v1::SubmitOrderRequest {
        tag: tag.into(),
        comment: COMMENT.into(),
        ..market(id, v1::Side::Buy, 0.1)
    };
    let order = trading.submit_order(order).await.unwrap().into_inner();
    let order = order.order.unwrap();
    let exit = close(&format!("close-{id}"), order.position_id, None);
    trading.close_position(exit).await.unwrap();
    order
}

async fn halt(gateway: &Gateway, reason: &str) {
    let arguments = ["halt", "--reason", reason, "--data-folder", "data"];
    let halted = gateway.command(&arguments, None).await;
    assert!(halted.status.success(), "{}", text(&halted.stderr));
}

/// A gateway whose `.env` has a password.
async fn with_a_secret() -> Gateway {
    let folder = TempDir::new().unwrap();
    let dotenv = folder.path().join(".env");
    fs::write(&dotenv, format!("MT5_PASSWORD={PHRASE}\n")).unwrap();
    fs::set_permissions(&dotenv, fs::Permissions::from_mode(0o600)).unwrap();
    let gateway = Gateway::start_in(folder, "").await;
    gateway.quoted("EURUSD").await;
    gateway
}

#[tokio::test]
async fn an_export_tells_all_but_secrets_comments_and_the_account() {
    let mut gateway = with_a_secret().await;
    trade(&gateway, "one", "=SUM(\"a\", 1)").await;
    trade(&gateway, "two", &format!("{PHRASE}, {ACCOUNT}")).await;
    halt(&gateway, &format!("\"storm\", {ACCOUNT}")).await;
    for runs in [true, false] {
        if !runs {
            gateway.stop().await;
        }
        let csv = of_span(&gateway, "2001-01-01", "9999-01-01", "csv").await;
        let json = of_span(&gateway, "2001-01-01", "9999-01-01", "json").await;
        for told in [&csv, &json] {
            for hidden in [PHRASE, COMMENT, ACCOUNT] {
                assert!(!told.contains(hidden), "{hidden}: {told}");
            }
        }
        let lines = lines(&csv);
        let rows: Vec<Value> = serde_json::from_str(&json).unwrap();
        let of = |record: &'static str| lines.iter().filter(move |line| line["record"] == record);
        if !runs {
            assert_eq!(lines.len(), rows.len());
            assert_eq!(of("order").count(), 4);
            // A balance row has no side.
            assert_eq!(
                of("deal").filter(|deal| !deal["side"].is_empty()).count(),
                4
            );
        }
        assert!(lines.iter().all(|line| line["account"] == "****0001"));
        assert!(of("deal").any(|deal| deal["comment"] == "***"));
        assert!(of("order").any(|order| order["tag"] == "'=SUM(\"a\", 1)"));
        assert!(of("order").any(|order| order["tag"] == "***, ****0001"));
        let halted = of("event").find(|event| event["event"] == "trading_state");
        let halted = halted.unwrap();
        assert_eq!(halted["state"], "halted");
        assert_eq!(halted["reason"], "\"storm\", ****0001");
        let plain = rows.iter().any(|row| row["tag"] == "=SUM(\"a\", 1)");
        assert!(plain, "{json}");
    }
}

#[tokio::test]
async fn a_span_begins_with_its_first_millisecond_and_ends_before_its_last() {
    let gateway = with_a_secret().await;
    let order = trade(&gateway, "one", "").await;
    let taken = order.created.unwrap().utc_ms.unwrap();
    let id = order.order_id.to_string();
    for (from, to, is_told) in [(0, 1, true), (1, 2, false), (-1, 0, false)] {
        let (from, to) = (rfc3339(taken + from), rfc3339(taken + to));
        let csv = of_span(&gateway, &from, &to, "csv").await;
        let lines = lines(&csv);
        let told = lines
            .iter()
            .any(|line| line["record"] == "order" && line["id"] == id);
        assert_eq!(told, is_told, "{from} {to}");
        for line in &lines {
            let time = line["time"].as_str();
            assert!(from.as_str() <= time && time < to.as_str(), "{line:?}");
        }
    }
    // Deals go by the broker's clock, which is hours away.
    let hour = |ms| rfc3339(taken + ms);
    let csv = of_span(&gateway, &hour(-3_600_000), &hour(3_600_000), "csv").await;
    let trades = lines(&csv);
    let trades = trades
        .iter()
        .filter(|line| line["record"] == "deal" && !line["side"].is_empty());
    assert_eq!(trades.count(), 2, "{csv}");
    let empty = of_span(&gateway, "2001-01-01", "2001-01-02T08:30", "json").await;
    assert_eq!(empty, "[\n]\n");
    let backwards = exported(&gateway, "2026-01-02", "2026-01-01", "csv").await;
    assert!(!backwards.status.success());
    let said = text(&backwards.stderr);
    assert!(said.contains("invalid --to: expected"), "{said}");
}

#[tokio::test]
async fn a_file_is_of_its_user_alone_and_never_replaced() {
    let gateway = Gateway::start("").await;
    let arguments = ["export", "--from", "2001-01-01", "--to", "9999-01-01"];
    let rest = [
        "--format",
        "csv",
        "--out",
        "x.csv",
        "--config",
        "gateway.toml",
    ];
    let arguments = [&arguments[..], &rest].concat();
    let first = gateway.command(&arguments, None).await;
    assert!(first.status.success(), "{}", text(&first.stderr));
    let path = gateway.folder.path().join("x.csv");
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let written = fs::read_to_string(&path).unwrap();
    assert!(written.starts_with("record,time,"), "{written}");
    let again = gateway.command(&arguments, None).await;
    assert!(!again.status.success());
    assert!(text(&again.stderr).contains("does not exist yet"));
    assert_eq!(fs::read_to_string(&path).unwrap(), written);
}
