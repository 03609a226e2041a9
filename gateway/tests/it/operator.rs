//! The operator's commands, run as programs beside a running gateway.

use crate::harness::Gateway;
use mymt5_proto::v1;
use serde_json::Value;

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What a command said, told to succeed.
async fn said(gateway: &Gateway, line: &str) -> String {
    let mut arguments: Vec<&str> = line.split(' ').collect();
    arguments.extend(["--data-folder", "data"]);
    let output = gateway.command(&arguments, None).await;
    assert!(output.status.success(), "{line}: {}", text(&output.stderr));
    text(&output.stdout)
}

async fn json(gateway: &Gateway, line: &str) -> Value {
    let said = said(gateway, &format!("{line} --json")).await;
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{line}: {error} in {said}"))
}

#[tokio::test]
async fn an_operator_sees_positions_and_events() {
    let gateway = Gateway::start("").await;
    gateway.quoted("EURUSD").await;
    assert_eq!(said(&gateway, "positions").await, "no open positions\n");
    assert_eq!(said(&gateway, "orders --unknown").await, "no orders\n");
    assert_eq!(json(&gateway, "positions").await, Value::Array(Vec::new()));
    let order = gateway
        .trading()
        .await
        .submit_order(v1::SubmitOrderRequest {
            request_id: "seen-1".into(),
            symbol: "EURUSD".into(),
            side: v1::Side::Sell.into(),
            r#type: v1::OrderType::Market.into(),
            lots: 0.3,
            ..Default::default()
        })
        .await
        .unwrap()
        .into_inner()
        .order
        .unwrap();
    let positions = json(&gateway, "positions").await;
    assert_eq!(positions[0]["position_id"], order.position_id);
    assert_eq!(positions[0]["client"], "all");
    assert_eq!(positions[0]["side"], "sell");
    assert_eq!(positions[0]["lots"], 0.3);
    let table = said(&gateway, "positions").await;
    assert!(table.starts_with("position_id  client"), "{table}");
    assert_eq!(table.lines().count(), 2, "{table}");

    let events = said(&gateway, "events --after 0").await;
    let filled = events
        .lines()
        .find(|line| line.contains("order_changed") && line.contains("state=filled"));
    let filled = filled.unwrap_or_else(|| panic!("{events}"));
    let sequence: u64 = filled.split_whitespace().next().unwrap().parse().unwrap();
    let rest = said(&gateway, &format!("events --json --after {}", sequence - 1)).await;
    let first: Value = serde_json::from_str(rest.lines().next().unwrap()).unwrap();
    assert_eq!(first["sequence"], sequence);
    assert_eq!(first["order_changed"]["request_id"], "seen-1");
}

#[tokio::test]
async fn a_refused_command_says_why_in_one_line_and_exits_1() {
    let gateway = Gateway::start("").await;
    let arguments = ["resolve", "999999", "--reconcile", "--reason", "looked"];
    let output = gateway
        .command(&[&arguments[..], &["--data-folder", "data"]].concat(), None)
        .await;
    let (line, out) = (text(&output.stderr), text(&output.stdout));
    assert_eq!(output.status.code(), Some(1), "{line}");
    assert!(line.starts_with("refused: "), "{line}");
    assert_eq!((line.lines().count(), out.as_str()), (1, ""), "{line}");
    assert!(line.contains("; "), "a fix: {line}");
}

/// Of what its user has to correct, no command says that the program failed (70).
#[tokio::test]
async fn a_mistake_of_its_user_has_a_code_of_its_own() {
    let mut gateway = Gateway::start("").await;
    gateway.child.kill().await.unwrap();
    let letter = gateway.folder.path().join("letter");
    std::fs::write(letter, "no backup").unwrap();
    for (line, code, told) in [
        (
            "restore none.db --data-folder data",
            69,
            "cannot find none.db",
        ),
        ("restore data --data-folder data", 69, "cannot find data"),
        (
            "restore letter --data-folder data",
            78,
            "letter is not a journal",
        ),
        (
            "halt --reason storm --data-folder none",
            69,
            "no gateway runs there",
        ),
        (
            "halt --client nobody --reason storm --data-folder data",
            1,
            "refused: ",
        ),
        (
            "export --from 2026-07-02 --to 2026-07-01 --format csv --config gateway.toml",
            2,
            "invalid --to",
        ),
        (
            "export --from 2026-07-01 --to 2026-07-02 --format csv --out none/x --config gateway.toml",
            69,
            "--out",
        ),
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        let output = gateway.command(&arguments, None).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{line}: {said}");
        assert!(said.contains(told), "{line}: {said}");
    }
}

#[tokio::test]
async fn without_a_gateway_a_command_says_that_it_does_not_run() {
    let mut gateway = Gateway::start("").await;
    gateway.child.kill().await.unwrap();
    for line in ["reduce --reason storm", "positions", "status"] {
        let mut arguments: Vec<&str> = line.split(' ').collect();
        arguments.extend(["--data-folder", "data"]);
        let output = gateway.command(&arguments, None).await;
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(69), "{line}: {told}");
        assert!(told.contains("the gateway does not run"), "{line}: {told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}
