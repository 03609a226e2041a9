//! The pair under a crash, in its logs, and with a secret in every place that a caller can reach.

use crate::{
    runbook::Disk,
    stage::{Stage, eventually},
};
use mymt5_chassis::operations::metric;
use mymt5_proto::v1;
use rusqlite::{Connection, OpenFlags};
use std::{collections::BTreeMap, fs};

/// Lots per symbol, negative when short, in units of a hundredth.
type Lots = BTreeMap<String, i64>;

fn hundredths(lots: f64) -> i64 {
    (lots * 100.0).round() as i64
}

async fn at_gateway(stage: &Stage) -> Option<Lots> {
    let mut lots = Lots::new();
    for position in stage.snapshot().await?.positions {
        let sign = if position.side() == v1::Side::Buy {
            1.0
        } else {
            -1.0
        };
        *lots.entry(position.symbol).or_default() += hundredths(position.lots * sign);
    }
    Some(lots)
}

async fn at_engine(stage: &Stage) -> Lots {
    let metrics = stage.metrics_of("engine").await;
    let read = |line: &str| {
        let (symbol, lots) = line
            .strip_prefix("mymt5_engine_position_lots{symbol=\"")?
            .split_once("\"} ")?;
        Some((symbol.to_owned(), hundredths(lots.parse().ok()?)))
    };
    metrics
        .lines()
        .filter_map(read)
        .filter(|(_, lots)| *lots != 0)
        .collect()
}

fn at_simulator(stage: &Stage) -> Lots {
    let path = stage.path("data/gateway/simulator.db");
    let kept = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let body: String = kept
        .query_row("SELECT body FROM account", [], |row| row.get(0))
        .unwrap();
    let kept: serde_json::Value = serde_json::from_str(&body).unwrap();
    let mut lots = Lots::new();
    for market in kept["markets"].as_array().unwrap() {
        for position in market["positions"].as_array().unwrap() {
            let sign = if position["side"] == "Buy" { 1 } else { -1 };
            let symbol = market["symbol"].as_str().unwrap().to_owned();
            *lots.entry(symbol).or_default() +=
                sign * position["lots"].as_i64().unwrap() / 1_000_000;
        }
    }
    lots
}

/// Waits for a moment in which all three tell the same positions, and some.
async fn all_agree(stage: &Stage) {
    eventually("all three to agree", async || {
        let gateway = at_gateway(stage).await?;
        (!gateway.is_empty() && at_engine(stage).await == gateway && at_simulator(stage) == gateway)
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_killed_gateway_returns_and_the_engine_goes_on_by_itself() {
    let mut stage = Stage::set("info", &[]);
    stage.start("engine");
    stage.serving("engine", false).await;
    stage.start("gateway");
    stage.serving("engine", true).await;
    all_agree(&stage).await;

    stage.kill("gateway");
    stage.serving("engine", false).await;
    stage.start("gateway");
    stage.serving("engine", true).await;
    all_agree(&stage).await;
    eventually("orders after the crash", async || {
        (stage.fills().await > 0).then_some(())
    })
    .await;
    all_agree(&stage).await;
}

#[tokio::test]
async fn a_full_disk_of_the_engine_stops_no_exit_and_room_lets_it_enter_again() {
    let mut stage = Stage::set("info", &[]);
    let small = c"size=8m,mode=0700";
    let Some(disk) = Disk::mount(stage.path("data/engine"), small) else {
        return;
    };
    stage.start("gateway");
    stage.start("engine");
    stage.serving("engine", true).await;
    all_agree(&stage).await;
    disk.fill();
    let told = "entries are refused until it can be written";
    stage.says("engine", told).await;
    eventually("all that is open to be closed", async || {
        at_gateway(&stage).await?.is_empty().then_some(())
    })
    .await;
    assert!(stage.is_serving("engine").await, "its session goes on");
    disk.clear();
    all_agree(&stage).await;
}

/// Puts the gateway's account aside under a name: its journal, and what the simulator keeps of it.
fn put_aside(stage: &Stage, name: &str) {
    fs::create_dir(stage.path(name)).unwrap();
    move_account(stage, "data/gateway", name);
}

fn move_account(stage: &Stage, from: &str, to: &str) {
    for entry in fs::read_dir(stage.path(from)).unwrap() {
        let entry = entry.unwrap();
        let file = entry.file_name().into_string().unwrap();
        if file.starts_with("journal.") || file.starts_with("simulator.db") {
            fs::rename(entry.path(), stage.path(to).join(file)).unwrap();
        }
    }
}

/// Waits until the engine tells whether what its rules keep is of another account.
async fn is_told_as_another(stage: &Stage, yes: bool) {
    let name = "mymt5_engine_risk_state_refuses{reason=\"other_account\"}";
    eventually(&format!("another account: {yes}"), async || {
        let told = metric(&stage.metrics_of("engine").await, name)?;
        ((told == 1.0) == yes).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_engine_enters_nothing_while_its_gateway_serves_another_account() {
    let mut stage = Stage::set("info", &[]);
    let config = stage.path("engine.toml");
    let text = fs::read_to_string(&config).unwrap();
    let text = format!("{text}[risk]\ndaily_loss.percent = 50.0\n");
    fs::write(&config, text).unwrap();
    stage.start("gateway");
    stage.start("engine");
    stage.serving("engine", true).await;
    all_agree(&stage).await;
    let first = stage.snapshot().await.unwrap().account_id;

    stage.stop("gateway").await;
    put_aside(&stage, "first");
    // It was on its way to the first account's gateway.
    let intents = Connection::open(stage.path("data/engine/intents.db")).unwrap();
    let sent = "INSERT INTO intents (request_id, method, request, created_ms, not_after_ms)
        VALUES ('left-behind', 'SubmitOrder', x'', 1, 1)";
    intents.execute(sent, []).unwrap();
    let settled = || -> Option<String> {
        let select = "SELECT settled FROM intents WHERE request_id = 'left-behind'";
        intents.query_row(select, [], |row| row.get(0)).unwrap()
    };
    stage.start("gateway");
    is_told_as_another(&stage, true).await;
    assert_eq!(settled(), None, "the other gateway cannot know it");
    let refused = "mymt5_engine_decisions_refused_total{reason=\"other_account\"}";
    eventually("an entry that is refused", async || {
        let times = metric(&stage.metrics_of("engine").await, refused)?;
        (times > 0.0).then_some(())
    })
    .await;
    assert_ne!(stage.snapshot().await.unwrap().account_id, first);
    assert_eq!(stage.fills().await, 0);
    let kept = fs::read_to_string(stage.path("data/engine/risk.json")).unwrap();
    assert!(kept.contains(&first), "{kept}");

    stage.stop("gateway").await;
    put_aside(&stage, "second");
    move_account(&stage, "first", "data/gateway");
    stage.start("gateway");
    is_told_as_another(&stage, false).await;
    assert_eq!(settled().as_deref(), Some("NEVER_ARRIVED"));
    assert_eq!(stage.snapshot().await.unwrap().account_id, first);
    eventually("orders of the account that is back", async || {
        (stage.fills().await > 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_decision_has_the_same_trace_on_both_sides() {
    let mut stage = Stage::set("info", &[]);
    stage.start("gateway");
    stage.start("engine");
    let trace = eventually("a decision in the engine's log", async || {
        let log = stage.written("engine");
        let line = log
            .lines()
            .find(|line| line.contains("order decided"))?
            .to_owned();
        Some(
            line.split_once("trace_id=\"")?
                .1
                .split_once('"')?
                .0
                .to_owned(),
        )
    })
    .await;
    assert_eq!(trace.len(), 32);
    eventually("the same trace in the gateway's log", async || {
        let log = stage.written("gateway");
        log.lines()
            .any(|line| line.contains(&trace) && line.contains("SubmitOrder"))
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_killed_engine_is_an_alert_of_its_next_start() {
    let mut stage = Stage::set("info", &[]);
    stage.start("gateway");
    stage.start("engine");
    stage.serving("engine", true).await;
    stage.kill("engine");
    stage.start("engine");
    let told = "the engine crashed before this start, new reports: 1";
    stage.says("gateway", told).await;
}
