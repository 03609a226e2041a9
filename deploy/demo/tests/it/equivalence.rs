//! The same ticks through gateway and engine over gRPC and through `backtest` give the same orders,
//! the same fills and the same money, to the last digit.
//!
//! Left out is what differs by nature: ids and tickets, which each run draws or counts for itself;
//! `created` and `updated`, since a gateway's are of the machine's clock; the trade server's code; and
//! what `backtest` closes after the last tick, where a running engine holds its position on.

use crate::stage::{BOUND, Stage, eventually};
use mymt5_proto::v1::{self, control_service_client::ControlServiceClient};
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};
use tokio::time::{Instant, sleep};
use tonic::transport::Channel;
use v1::trading_service_client::TradingServiceClient;

const HEADER: &str = "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\r\n";

/// Legs of a market: minutes, points that a tick drifts, and points that it may stray from that.
const LEGS: [(u32, i64, i64); 11] = [
    (30, 0, 6),
    (20, 4, 8),
    (20, -4, 8),
    (40, 0, 2),
    (25, 6, 12),
    (25, -6, 12),
    (20, 2, 24),
    (40, 0, 2),
    (20, -8, 12),
    (20, 8, 12),
    (10, 0, 16),
];
const TICKS_PER_MINUTE: u32 = 10;
/// Rows of a page: all that a test makes.
const PAGE: u32 = 1_000;
/// Between two looks at a replay: it needs the machine more.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// The account, as the gateway's simulator and `backtest` take it: the evening's roll-over charges
/// swap, and what fills slip by is drawn from the same seed.
const ACCOUNT: &str = "mode = \"netting\"\nbalance = 100000.0\ncommission_per_lot = 3.5\n\
                       slippage_points = 2\nseed = 7\n";

/// Risk that sizes by the equity of the moment: a cent that differs makes other lots.
const RISK: &str = "[risk]\nmax_per_trade = 0.5\nmax_lots = 5.0\ncommission_per_lot = 3.5\n";

/// Trends, swings, quiet and a squeeze from half past nine in the evening until two; a side that did
/// not change is blank, as the terminal exports it. `digits` of a price.
fn swings(digits: usize) -> String {
    let mut text = HEADER.to_owned();
    let mut chance = 1_u32;
    let mut points = 65_000_i64;
    let mut n = 0;
    let mut before = (0, 0);
    for (minutes, drift, stray) in LEGS {
        for _ in 0..minutes * TICKS_PER_MINUTE {
            chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            points += drift + i64::from(chance >> 16) % (2 * stray + 1) - stray;
            let now = (points, points + 8 + i64::from(chance >> 8) % 5);
            text += &row(digits, n, now, before);
            before = now;
            n += 1;
        }
    }
    text
}

fn row(digits: usize, n: u32, now: (i64, i64), before: (i64, i64)) -> String {
    let unit = 10_i64.pow(digits as u32);
    let seconds = 77_400 + n * 60 / TICKS_PER_MINUTE;
    let (day, hour, minute) = (
        1 + seconds / 86_400,
        seconds / 3_600 % 24,
        seconds / 60 % 60,
    );
    let (second, ms) = (seconds % 60, n % 7 * 100);
    let side = |now: i64, before: i64| match now {
        same if same == before => String::new(),
        _ => format!("{}.{:0digits$}", now / unit, now % unit),
    };
    let (bid, ask) = (side(now.0, before.0), side(now.1, before.1));
    let time = format!("2026.07.{day:02}\t{hour:02}:{minute:02}:{second:02}.{ms:03}");
    format!("{time}\t{bid}\t{ask}\t\t\t6\r\n")
}

/// What was ordered and done, the oldest first.
struct Played {
    orders: Vec<Value>,
    deals: Vec<Value>,
}

/// A folder in which both ways have the same ticks, strategy, risk, account and limits.
fn set(symbol: &str, ticks: &str, strategy: &str, limits: &str) -> Stage {
    let stage = Stage::set("warn", &[]);
    let file = format!("{symbol}_ticks.csv");
    fs::write(stage.path(&file), ticks).unwrap();
    let change = |name: &str, changes: &[(&str, String)]| {
        let file = stage.path(name);
        let mut text = fs::read_to_string(&file).unwrap();
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        fs::write(file, text).unwrap();
    };
    let synthetic = "speed = \"10\"\nsymbols = [\"EURUSD\", \"GBPUSD\"]\n";
    let replay = format!("feed = \"ticks\"\nfile = \"{file}\"\nspeed = \"max\"\n");
    let operator = "[clients.operator]\n";
    let engine = "certificate = \"spiffe://mymt5/client/engine\"\n";
    // A replay at full speed trades hours within seconds.
    let busy = "max_ids_per_minute = 60000\n";
    change(
        "gateway.toml",
        &[
            (synthetic, format!("{replay}{ACCOUNT}")),
            (engine, format!("{engine}{busy}")),
            (operator, format!("[limits]\n{limits}{operator}")),
        ],
    );
    let strategies = "[[strategies]]\nname = \"a\"\nsymbol = \"EURUSD\"\n\
                      [[strategies]]\nname = \"b\"\nsymbol = \"GBPUSD\"\n";
    let one = format!("[[strategies]]\nname = \"one\"\nsymbol = \"{symbol}\"\n{strategy}{RISK}");
    let account =
        format!("[backtest]\n{ACCOUNT}time_zone = \"new_york+7\"\n[backtest.limits]\n{limits}");
    change("engine.toml", &[(strategies, format!("{one}{account}"))]);
    stage
}

/// Through `backtest`, and its figures.
fn tested(stage: &Stage, symbol: &str) -> (Played, Value) {
    let output = Command::new(stage.program("engine"))
        .args(["backtest", "--config", "engine.toml", "--json"])
        .args(["--ticks", &format!("{symbol}_ticks.csv")])
        .args(["--ledger", "ledger.jsonl"])
        .current_dir(stage.path(""))
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success());
    let outcome: Value = serde_json::from_slice(&output.stdout).unwrap();
    let ledger = fs::read_to_string(stage.path("ledger.jsonl")).unwrap();
    let rows = |kind: &str| {
        let rows = ledger.lines().map(|line| {
            let row: Value = serde_json::from_str(line).unwrap();
            row.get(kind).cloned()
        });
        rows.flatten().collect::<Vec<_>>()
    };
    let played = Played {
        orders: rows("order"),
        deals: rows("deal"),
    };
    (played, outcome)
}

/// Through gateway and engine, until all ticks have come, and the orders that were made and the
/// positions that are left are so many; and these positions.
async fn traded(stage: &mut Stage, ticks: u64, orders: u64) -> (Played, usize) {
    stage.start("gateway");
    stage.serving("gateway", true).await;
    stage.start("engine");
    stage.serving("engine", true).await;
    let operator = stage.operator().await;
    let wanted = (ticks, orders, 0);
    let mut seen = progress(stage, &operator).await;
    let mut moved = Instant::now();
    while seen != wanted {
        assert!(moved.elapsed() < BOUND, "{seen:?} for ever, not {wanted:?}");
        sleep(POLL_INTERVAL).await;
        let now = progress(stage, &operator).await;
        if now != seen {
            moved = Instant::now();
        }
        seen = now;
    }
    let mut trading = TradingServiceClient::new(operator);
    let orders = v1::ListOrdersRequest {
        page_size: PAGE,
        ..Default::default()
    };
    let orders = trading.list_orders(orders).await.unwrap().into_inner();
    let deals = v1::ListDealsRequest {
        page_size: PAGE,
        ..Default::default()
    };
    let deals = trading.list_deals(deals).await.unwrap().into_inner();
    assert!(orders.next_page_token.is_empty() && deals.next_page_token.is_empty());
    let snapshot = stage.snapshot().await.unwrap();
    let played = Played {
        // The newest come first.
        orders: orders.orders.iter().rev().map(order).collect(),
        deals: deals.deals.iter().rev().map(deal).collect(),
    };
    (played, snapshot.positions.len())
}

/// Ticks that the engine has, orders made and positions left, and orders under way.
async fn progress(stage: &Stage, operator: &Channel) -> (u64, u64, usize) {
    let metrics = stage.metrics_of("engine").await;
    let mut lines = metrics.lines();
    let ticks = lines.find_map(|line| line.strip_prefix("mymt5_engine_ticks_received_total "));
    let mut control = ControlServiceClient::new(operator.clone());
    let status = control.get_status(v1::GetStatusRequest {}).await.unwrap();
    let counters = status.into_inner().counters.unwrap();
    let mut trading = TradingServiceClient::new(operator.clone());
    let snapshot = trading.get_snapshot(v1::GetSnapshotRequest {}).await;
    let snapshot = snapshot.unwrap().into_inner();
    (
        ticks.map_or(0, |ticks| ticks.parse().unwrap()),
        counters.orders + snapshot.positions.len() as u64,
        snapshot.orders.len(),
    )
}

fn order(order: &v1::Order) -> Value {
    json!({
        "action": order.action().as_str_name(),
        "symbol": order.symbol,
        "side": order.side().as_str_name(),
        "type": order.r#type().as_str_name(),
        "state": order.state().as_str_name(),
        "lots": order.lots,
        "filled_lots": order.filled_lots,
        "average_price": order.average_price,
        "price": order.price,
        "stop_loss": order.stop_loss,
        "take_profit": order.take_profit,
        "reason": order.reason,
        "tag": order.tag,
    })
}

fn deal(deal: &v1::Deal) -> Value {
    json!({
        "broker_ms": deal.time.unwrap().broker_ms,
        "symbol": deal.symbol,
        "side": deal.side().as_str_name(),
        "entry": deal.entry().as_str_name(),
        "reason": deal.reason().as_str_name(),
        "lots": deal.lots,
        "price": deal.price,
        "profit": deal.profit,
        "swap": deal.swap,
        "commission": deal.commission,
        "tag": deal.tag,
    })
}

/// What these deals did to the balance.
fn made(deals: &[Value]) -> f64 {
    let parts =
        |deal: &Value| ["profit", "swap", "commission"].map(|part| deal[part].as_f64().unwrap());
    deals.iter().flat_map(parts).sum()
}

/// The rows of both ways, one by one; what `backtest` has beyond them.
fn same<'a>(what: &str, traded: &[Value], tested: &'a [Value]) -> &'a [Value] {
    for (at, (traded, tested)) in traded.iter().zip(tested).enumerate() {
        assert_eq!(traded, tested, "{what} {at}, by the pair and by backtest");
    }
    assert!(traded.len() <= tested.len(), "{:?}", traded.last());
    &tested[traded.len()..]
}

/// Plays the ticks both ways. At least so many orders, so that there is something to compare.
async fn both_ways(symbol: &str, ticks: &str, strategy: &str, at_least: usize) {
    both_ways_within(symbol, ticks, strategy, at_least, "").await;
}

/// The same within limits: what `backtest` says that they refused.
async fn both_ways_within(
    symbol: &str,
    ticks: &str,
    strategy: &str,
    at_least: usize,
    limits: &str,
) -> Value {
    let mut stage = set(symbol, ticks, strategy, limits);
    let (tested, mut outcome) = tested(&stage, symbol);
    let balance = outcome["balance"].as_f64().unwrap();
    assert!(tested.orders.len() >= at_least, "{}", tested.orders.len());
    let count = ticks.lines().count() as u64 - 1;
    let (traded, held) = traded(&mut stage, count, tested.orders.len() as u64).await;
    let closes = same("order", &traded.orders, &tested.orders);
    assert!(
        closes
            .iter()
            .all(|order| order["action"] == "ORDER_ACTION_CLOSE")
    );
    let closing = same("deal", &traded.deals, &tested.deals);
    assert_eq!((closes.len(), closing.len()), (held, held));
    let expected = balance - made(closing);
    eventually(&format!("a balance of {expected}"), async || {
        let account = stage.snapshot().await?.account?;
        ((account.balance - expected).abs() < 1e-6).then_some(())
    })
    .await;
    outcome["refused"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cross_of_averages_trades_as_in_its_backtest() {
    let strategy = "kind = \"ema_cross\"\nstop_points = 200\n";
    both_ways("AUDUSD", &swings(5), strategy, 100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cross_that_turns_by_one_order_trades_as_in_its_backtest() {
    let strategy = "kind = \"ema_cross\"\nstop_points = 150\nreverse = \"one-order\"\n";
    both_ways("AUDUSD", &swings(5), strategy, 60).await;
}

/// No order may turn a position, which is closed instead, and some spreads are too wide to open one.
#[tokio::test(flavor = "multi_thread")]
async fn limits_refuse_as_in_their_backtest() {
    let strategy = "kind = \"ema_cross\"\nstop_points = 150\nreverse = \"one-order\"\n";
    let limits = "max_lots_per_order = 5.0\nmax_spread_points = 11\n";
    let refused = both_ways_within("AUDUSD", &swings(5), strategy, 40, limits).await;
    for reason in ["LIMIT_LOTS_PER_ORDER", "LIMIT_SPREAD"] {
        assert!(refused[reason].as_u64() > Some(2), "{refused}");
    }
}

/// Its targets are hit: the trade server closes what the engine opened.
#[tokio::test(flavor = "multi_thread")]
async fn a_cross_of_bars_trades_as_in_its_backtest() {
    let strategy = "kind = \"ema_cross\"\ntimeframe = \"M1\"\nfast = 3\nslow = 8\n\
                    stop_points = 100\ntake_profit_points = 150\n";
    both_ways("AUDUSD", &swings(5), strategy, 12).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breakout_trades_as_in_its_backtest() {
    let strategy = "kind = \"donchian_breakout\"\ntimeframe = \"M1\"\nentry_bars = 10\n\
                    exit_bars = 5\nstop_points = 120\n";
    both_ways("AUDUSD", &swings(5), strategy, 15).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversion_trades_as_in_its_backtest() {
    let strategy = "kind = \"rsi_reversion\"\ntimeframe = \"M1\"\nbars = 5\n\
                    stop_points = 150\ntake_profit_points = 200\n";
    both_ways("AUDUSD", &swings(5), strategy, 15).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_squeeze_trades_as_in_its_backtest() {
    let strategy = "kind = \"bollinger_squeeze\"\ntimeframe = \"M1\"\nbars = 12\n\
                    deviations = 1.5\nsqueeze_bars = 10\nstop_points = 150\n";
    both_ways("AUDUSD", &swings(5), strategy, 12).await;
}

/// Lots follow the rate of the yen: both ways read it again each hour of the ticks.
#[tokio::test(flavor = "multi_thread")]
async fn a_symbol_of_another_currency_is_traded_as_in_its_backtest() {
    let strategy = "kind = \"donchian_breakout\"\ntimeframe = \"M1\"\nentry_bars = 10\n\
                    exit_bars = 5\nstop_points = 200\n";
    both_ways("USDJPY", &swings(3), strategy, 15).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn real_ticks_are_traded_as_in_their_backtest() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    let file = workspace
        .unwrap()
        .join("../shared/data/AUDUSD_ticks_20200130-31.csv");
    if !file.is_file() {
        println!("skipped: the AUDUSD export is not beside the project");
        assert!(
            std::env::var_os("MYMT5_REQUIRE").is_none(),
            "the AUDUSD export is required"
        );
        return;
    }
    let export = fs::read_to_string(file).unwrap();
    let rows: Vec<&str> = export.split_inclusive('\n').take(10_001).collect();
    let strategy = "kind = \"ema_cross\"\nstop_points = 200\n";
    both_ways("AUDUSD", &rows.concat(), strategy, 800).await;
}
