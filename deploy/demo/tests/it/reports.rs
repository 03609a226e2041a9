//! A report of the past, made by the engine's command from a running gateway.

use crate::stage::{Stage, eventually};
use mymt5_proto::v1::{self, trading_service_client::TradingServiceClient};
use serde_json::Value;
use std::{
    fs,
    process::{Command, Output},
};

/// Runs `report` as the operator.
fn report(stage: &Stage, page: &str) -> Output {
    Command::new(stage.program("engine"))
        .args(["report", "--config", "operator.toml", "--out", page])
        .current_dir(stage.path(""))
        .output()
        .unwrap()
}

/// The balance, once the gateway knows it, while no position is open.
async fn balance(stage: &Stage) -> f64 {
    eventually("a balance without positions", async || {
        let snapshot = stage.snapshot().await?;
        let account = snapshot.account?;
        snapshot.positions.is_empty().then_some(account.balance)
    })
    .await
}

/// Buys, closes, and returns the balances before and after.
async fn trade_once(stage: &Stage) -> (f64, f64) {
    let mut trading = TradingServiceClient::new(stage.operator().await);
    let before = balance(stage).await;
    let position = eventually("a position", async || {
        let buy = v1::SubmitOrderRequest {
            request_id: "in".to_owned(),
            symbol: "EURUSD".to_owned(),
            side: v1::Side::Buy.into(),
            r#type: v1::OrderType::Market.into(),
            lots: 0.1,
            tag: "by-hand".to_owned(),
            ..Default::default()
        };
        let _ = trading.submit_order(buy).await;
        stage.snapshot().await?.positions.first().cloned()
    })
    .await;
    eventually("its end", async || {
        let close = v1::ClosePositionRequest {
            request_id: "out".to_owned(),
            position_id: position.position_id,
            ..Default::default()
        };
        let _ = trading.close_position(close).await;
        stage.snapshot().await?.positions.is_empty().then_some(())
    })
    .await;
    let seen = as_of(stage).await;
    eventually("figures of after its end", async || {
        (as_of(stage).await > seen).then_some(())
    })
    .await;
    (before, balance(stage).await)
}

/// When the account's figures are of.
async fn as_of(stage: &Stage) -> Option<i64> {
    stage.snapshot().await?.account?.as_of?.broker_ms
}

#[tokio::test]
async fn a_report_tells_what_the_gateway_knows_of_the_past() {
    let mut stage = Stage::set("info", &[]);
    let engine = fs::read_to_string(stage.path("engine.toml")).unwrap();
    let operator = engine.replace("tls/engine/", "tls/operator/");
    fs::write(stage.path("operator.toml"), operator).unwrap();
    stage.start("gateway");
    stage.serving("gateway", true).await;
    let (before, after) = trade_once(&stage).await;

    let told = report(&stage, "past.html");
    let said = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.status.success(), "{said}");
    let files = String::from_utf8(told.stdout).unwrap();
    assert_eq!(files, "past.html\npast.trades.csv\npast.report.json\n");
    let json = fs::read_to_string(stage.path("past.report.json")).unwrap();
    let json: Value = serde_json::from_str(&json).unwrap();
    let statistics = &json["statistics"];
    assert_eq!(statistics["total_trades"], 1, "{json}");
    assert_eq!(statistics["total_deals"], 2, "{json}");
    let net = statistics["total_net_profit"].as_f64().unwrap();
    assert!(
        (net - (after - before)).abs() < 0.005,
        "{before} {after} {net}"
    );
    assert!((statistics["initial_deposit"].as_f64().unwrap() - before).abs() < 0.005);
    assert_eq!(json["trades"][0]["symbol"], "EURUSD");
    assert_eq!(json["trades"][0]["strategy"], "by-hand");
    let account = json["account"].as_str().unwrap();
    assert!(account.starts_with("****"), "{account}");
    let page = fs::read_to_string(stage.path("past.html")).unwrap();
    assert!(page.contains("Trades in EURUSD") && page.contains(account));
    let csv = fs::read_to_string(stage.path("past.trades.csv")).unwrap();
    assert_eq!(csv.lines().count(), 2, "{csv}");

    stage.kill("gateway");
    let told = report(&stage, "late.html");
    let said = String::from_utf8_lossy(&told.stderr).into_owned();
    assert_eq!(told.status.code(), Some(69), "{said}");
    assert!(said.contains("gateway.address"), "{said}");
    assert!(!stage.path("late.html").exists());
}
