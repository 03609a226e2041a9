//! `[backtest.limits]`: the gateway's limits refuse, latch and reset in a backtest as they do live.

use crate::backtest::{EXAMPLE, arguments, complaint, export, outcome, walk, written};
use serde_json::{Value, json};
use std::{
    cell::Cell,
    fmt::Write,
    fs,
    path::PathBuf,
    process::{Command, Output},
};
use tempfile::TempDir;

const HEADER: &str = "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\r\n";
/// Midnight between the two days of [`saw`].
const MIDNIGHT_MS: i64 = 1_580_428_800_000;
const HOUR_MS: i64 = 3_600_000;
/// Each trade of the example loses on it: the price turns before the averages cross.
const WHIPSAW: Saw = Saw {
    points: 40,
    period: 20,
    seconds: 10,
};
const CLOSE_FIRST: (&str, &str) = ("\"one-order\"", "\"close-first\"");
const WITH_STOP: (&str, &str) = ("stop_points = 0", "stop_points = 60");

/// A price that rises and falls so many points, within so many ticks, so many seconds apart.
struct Saw {
    points: i64,
    period: i64,
    seconds: i64,
}

impl Saw {
    /// From 20:00 of one day to 04:00 of the next.
    fn export(&self) -> String {
        ticks((0..8 * 3_600 / self.seconds).map(|at| {
            let place = at % self.period;
            let height = place.min(self.period - place) * self.points / (self.period / 2);
            (at * self.seconds, 67_000 - self.points / 2 + height)
        }))
    }
}

/// Bids as the terminal exports them, each so many seconds after 20:00 of 2020-01-30.
fn ticks(bids: impl Iterator<Item = (i64, i64)>) -> String {
    let mut text = HEADER.to_owned();
    for (seconds, bid) in bids {
        let seconds = 20 * 3_600 + seconds;
        let (day, hour) = (30 + seconds / 86_400, seconds / 3_600 % 24);
        let (minute, second) = (seconds / 60 % 60, seconds % 60);
        let time = format!("2020.01.{day}\t{hour:02}:{minute:02}:{second:02}.000");
        let ask = bid + 2;
        write!(text, "{time}\t0.{bid:05}\t0.{ask:05}\t\t\t6\r\n").unwrap();
    }
    text
}

/// A folder with ticks.
struct Place {
    folder: TempDir,
    ticks: PathBuf,
    ledgers: Cell<u32>,
}

/// A deal: when, and whether it opened a position.
struct Deal {
    ms: i64,
    opens: bool,
}

impl Place {
    fn of(ticks: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ticks = written(folder.path(), "AUDUSD.csv", ticks);
        Self {
            folder,
            ticks,
            ledgers: Cell::new(0),
        }
    }

    /// The example with changes and limits.
    fn config(&self, changes: &[(&str, &str)], limits: &str) -> String {
        let mut text = fs::read_to_string(EXAMPLE).unwrap();
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        let text = format!("{text}\n[backtest.limits]\n{limits}\n");
        let config = written(self.folder.path(), "limited.toml", &text);
        config.to_str().unwrap().to_owned()
    }

    fn outcome(&self, changes: &[(&str, &str)], limits: &str) -> Value {
        outcome(&self.config(changes, limits), &[&self.ticks], &[])
    }

    /// What it comes to, and its deals in their order.
    fn deals(&self, changes: &[(&str, &str)], limits: &str) -> (Value, Vec<Deal>) {
        self.ledgers.set(self.ledgers.get() + 1);
        let name = format!("ledger-{}.jsonl", self.ledgers.get());
        let ledger = self.folder.path().join(name);
        let more = ["--ledger", ledger.to_str().unwrap()];
        let outcome = outcome(&self.config(changes, limits), &[&self.ticks], &more);
        let text = fs::read_to_string(&ledger).unwrap();
        let deals = text.lines().filter_map(|line| {
            let row: Value = serde_json::from_str(line).unwrap();
            let deal = row.get("deal")?;
            Some(Deal {
                ms: deal["broker_ms"].as_i64().unwrap(),
                opens: deal["entry"] == "DEAL_ENTRY_IN",
            })
        });
        (outcome, deals.collect())
    }
}

/// The reasons of all that was refused.
fn reasons(outcome: &Value) -> Vec<&str> {
    let refused = outcome["refused"].as_object().unwrap();
    refused.keys().map(String::as_str).collect()
}

/// Deals that opened a position from that time on and before that one.
fn entries(deals: &[Deal], from_ms: i64, to_ms: i64) -> usize {
    let opens = deals.iter().filter(|deal| deal.opens);
    opens
        .filter(|deal| (from_ms..to_ms).contains(&deal.ms))
        .count()
}

#[test]
fn each_limit_refuses_entries_by_its_reason() {
    let place = Place::of(&export(&walk(7, 3_000)));
    let plain: &[(&str, &str)] = &[];
    let with_stop: &[(&str, &str)] = &[WITH_STOP];
    for (changes, limit, reason) in [
        (plain, "symbols = [\"EURUSD\"]", "LIMIT_SYMBOL"),
        (plain, "max_lots_per_order = 0.5", "LIMIT_LOTS_PER_ORDER"),
        (plain, "max_lots_per_symbol = 0.5", "LIMIT_LOTS_PER_SYMBOL"),
        (plain, "max_lots_total = 0.5", "LIMIT_LOTS_TOTAL"),
        (plain, "max_open_positions = 0", "LIMIT_OPEN_POSITIONS"),
        (plain, "max_open_orders = 0", "LIMIT_OPEN_ORDERS"),
        (plain, "max_orders_per_minute = 0", "RATE_LIMITED"),
        (plain, "require_stop_loss = true", "LIMIT_STOP_LOSS"),
        (plain, "max_spread_points = 0", "LIMIT_SPREAD"),
        (plain, "max_margin_use_percent = 0.5", "LIMIT_MARGIN"),
        (
            with_stop,
            "min_stop_distance_points = 100",
            "LIMIT_STOP_DISTANCE",
        ),
        (
            with_stop,
            "max_stop_distance_points = 10",
            "LIMIT_STOP_DISTANCE",
        ),
        (with_stop, "max_risk_per_trade_percent = 0.05", "LIMIT_RISK"),
    ] {
        let outcome = place.outcome(changes, limit);
        assert_eq!(outcome["orders"], 0, "{limit}: {outcome}");
        assert_eq!(reasons(&outcome), [reason], "{limit}");
        assert_eq!(outcome["limited"], true);
        assert_eq!(outcome["reached"], json!({}));
    }
}

#[test]
fn what_a_limit_leaves_is_traded_and_no_exit_is_refused() {
    let place = Place::of(&export(&walk(7, 3_000)));
    // A reversal is an entry; where it is refused, what is held is closed.
    for (limit, reason) in [
        ("max_open_positions = 1", "LIMIT_OPEN_POSITIONS"),
        ("max_lots_per_order = 1.0", "LIMIT_LOTS_PER_ORDER"),
        ("max_lots_total = 1.0", "LIMIT_LOTS_TOTAL"),
    ] {
        let outcome = place.outcome(&[], limit);
        assert!(outcome["trades"].as_u64() > Some(2), "{limit}: {outcome}");
        assert_eq!(reasons(&outcome), [reason], "{limit}");
        assert_eq!(outcome["fills"], outcome["orders"], "{limit}");
        assert_eq!(outcome["failed"], json!({}), "{limit}");
    }
}

#[test]
fn a_minute_is_one_of_the_brokers_clock() {
    let slow = Place::of(&WHIPSAW.export());
    let quick = Place::of(
        &Saw {
            seconds: 5,
            ..WHIPSAW
        }
        .export(),
    );
    // One entry in about 100 seconds, and one in about 50.
    let limit = "max_orders_per_minute = 1";
    assert_eq!(slow.outcome(&[], limit)["refused"], json!({}));
    assert_eq!(reasons(&quick.outcome(&[], limit)), ["RATE_LIMITED"]);
}

#[test]
fn a_loss_is_seen_in_the_second_in_which_an_order_arrives() {
    // The bars of three minutes sell at 189 s. One second later that is filled, and the price jumps
    // away; two seconds later it is back.
    let bids = [
        (0, 67_000),
        (60, 67_010),
        (120, 66_990),
        (189, 66_990),
        (190, 67_100),
        (192, 66_990),
        (194, 66_990),
    ];
    let place = Place::of(&ticks(bids.into_iter()));
    let changes = [
        ("fast = 10", "timeframe = \"M1\"\nfast = 1"),
        ("slow = 20", "slow = 2"),
        ("warmup = 20", "warmup = 2"),
        ("latency_ms = 0", "latency_ms = 1000"),
    ];
    let limits = "daily_loss.amount = 50.0\ndaily_loss.action = \"block\"";
    let (outcome, deals) = place.deals(&changes, limits);
    assert_eq!(outcome["trades"], 1);
    assert_eq!(outcome["reached"], json!({ "LIMIT_DAILY_LOSS": 1 }));
    let filled = MIDNIGHT_MS - 4 * HOUR_MS + 190_000;
    assert_eq!(deals[0].ms, filled, "when the order arrives");
}

#[test]
fn limits_that_are_not_reached_change_nothing() {
    let place = Place::of(&export(&walk(7, 4_000)));
    let wide = "max_lots_total = 1000.0\nmax_margin_use_percent = 100.0\n\
                daily_loss.amount = 1000000.0\ndrawdown.amount = 1000000.0";
    for mode in ["mode = \"netting\"", "mode = \"hedging\""] {
        for latency in ["latency_ms = 0", "latency_ms = 250"] {
            let changes = [
                ("mode = \"netting\"", mode),
                ("latency_ms = 0", latency),
                WITH_STOP,
            ];
            let free = place.outcome(&changes, "");
            assert!(free["trades"].as_u64() > Some(10), "{free}");
            assert_eq!(free["limited"], false);
            let mut limited = place.outcome(&changes, wide);
            assert_eq!(limited["limited"].take(), json!(true));
            limited["limited"] = json!(false);
            assert_eq!(limited, free, "{mode} {latency}");
        }
    }
}

#[test]
fn a_days_loss_latches_and_ends_with_the_reset_of_the_brokers_clock() {
    let place = Place::of(&WHIPSAW.export());
    for mode in ["mode = \"netting\"", "mode = \"hedging\""] {
        for (action, hour) in [("block", 0), ("block", 2), ("reduce", 0), ("reduce", 2)] {
            let limits = format!(
                "daily_loss.amount = 500.0\ndaily_loss.reset_hour = {hour}\n\
                 daily_loss.action = \"{action}\""
            );
            let changes = [CLOSE_FIRST, ("mode = \"netting\"", mode)];
            let (outcome, deals) = place.deals(&changes, &limits);
            let told = format!("{mode} {action} {hour}: {outcome}");
            assert_eq!(outcome["reached"], json!({"LIMIT_DAILY_LOSS": 2}), "{told}");
            let latched = MIDNIGHT_MS - 2 * HOUR_MS;
            let reset = MIDNIGHT_MS + hour * HOUR_MS;
            assert!(entries(&deals, 0, latched) > 10, "{told}");
            assert_eq!(entries(&deals, latched, reset), 0, "{told}");
            assert!(entries(&deals, reset, i64::MAX) > 10, "{told}");
            // What was held when it was reached was closed by the strategy.
            let before = deals.iter().filter(|deal| deal.ms < reset).count();
            assert_eq!(before, 2 * entries(&deals, 0, reset), "{told}");
            if action == "block" {
                assert_eq!(reasons(&outcome), ["LIMIT_DAILY_LOSS"], "{told}");
            }
        }
    }
}

/// Ten minutes lie between two ticks, the reset among them.
#[test]
fn a_day_begins_with_what_its_base_is_though_no_tick_comes() {
    let bid = |at: i64| match at {
        0..3 => 67_000 - 10 * at,
        3..=24 => 66_980 + 20 * (at - 2),
        _ => 67_420 - 100 * (at - 24),
    };
    let place = Place::of(&ticks((0..30).map(|at| (600 * at, bid(at)))));
    let quick = [
        CLOSE_FIRST,
        ("fast = 10", "fast = 1"),
        ("slow = 20", "slow = 3"),
        ("warmup = 20", "warmup = 3"),
    ];
    // What is held gains hundreds before midnight, and loses a part of that after it.
    let reached = |base: &str| {
        let limits = format!(
            "daily_loss.amount = 40.0\ndaily_loss.base = \"{base}\"\n\
             daily_loss.action = \"block\""
        );
        place.outcome(&quick, &limits)["reached"].take()
    };
    assert_eq!(reached("equity"), json!({"LIMIT_DAILY_LOSS": 1}));
    assert_eq!(reached("greater"), json!({"LIMIT_DAILY_LOSS": 1}));
    assert_eq!(reached("balance"), json!({}));
}

#[test]
fn a_drawdown_holds_to_the_end() {
    let place = Place::of(&WHIPSAW.export());
    let limits = "drawdown.amount = 500.0\ndrawdown.action = \"block\"";
    let (outcome, deals) = place.deals(&[CLOSE_FIRST], limits);
    assert_eq!(outcome["reached"], json!({"LIMIT_DRAWDOWN": 1}));
    assert_eq!(reasons(&outcome), ["LIMIT_DRAWDOWN"]);
    let latched = MIDNIGHT_MS - 2 * HOUR_MS;
    assert!(entries(&deals, 0, latched) > 10, "{outcome}");
    assert_eq!(entries(&deals, latched, i64::MAX), 0, "{outcome}");
}

#[test]
fn a_halt_outlasts_the_reset_and_a_flatten_closes_at_once() {
    let swing = Saw {
        points: 120,
        period: 300,
        seconds: 10,
    };
    let place = Place::of(&swing.export());
    // Its strategy looks at a position no oftener than each quarter of an hour.
    let slow = [
        CLOSE_FIRST,
        ("fast = 10", "timeframe = \"M15\"\nfast = 1"),
        ("slow = 20", "slow = 3"),
        ("warmup = 20", "warmup = 3"),
    ];
    let (_, free) = place.deals(&slow, "");
    let under = |action: &str| {
        let limits = format!("daily_loss.amount = 100.0\ndaily_loss.action = \"{action}\"");
        let (outcome, deals) = place.deals(&slow, &limits);
        assert_eq!(
            outcome["reached"],
            json!({"LIMIT_DAILY_LOSS": 1}),
            "{outcome}"
        );
        assert_eq!(outcome["fills"], outcome["orders"], "{outcome}");
        assert_eq!(outcome["failed"], json!({}), "{outcome}");
        assert_eq!(outcome["equity"], outcome["balance"], "{outcome}");
        deals
    };
    let (halted, flattened) = (under("halt"), under("flatten"));
    let all = |deals: &[Deal]| entries(deals, 0, i64::MAX);
    assert!(all(&halted) > 0);
    assert_eq!(all(&halted), all(&flattened));
    assert!(all(&halted) < all(&free), "nothing is opened any more");
    assert_eq!(entries(&halted, MIDNIGHT_MS, i64::MAX), 0);
    let last = |deals: &[Deal]| deals.last().unwrap().ms;
    assert!(last(&flattened) < last(&halted));
}

#[test]
fn a_report_tells_what_limits_did_and_where_there_are_none() {
    let place = Place::of(&WHIPSAW.export());
    let report = |name: &str, limits: &str| {
        let page = place.folder.path().join(name);
        let more = ["--report", page.to_str().unwrap()];
        let config = place.config(&[CLOSE_FIRST], limits);
        outcome(&config, &[&place.ticks], &more);
        let document = fs::read_to_string(page.with_extension("report.json")).unwrap();
        let document: Value = serde_json::from_str(&document).unwrap();
        (document, fs::read_to_string(page).unwrap())
    };
    let limits = "daily_loss.amount = 500.0\ndaily_loss.action = \"block\"";
    let (document, page) = report("limited.html", limits);
    let notes = document["notes"].to_string();
    let reached = "LIMIT_DAILY_LOSS was reached 2 times.";
    assert!(notes.contains(reached) && page.contains(reached), "{notes}");
    let refused = document["refusals"]["LIMIT_DAILY_LOSS"].as_u64();
    assert!(refused > Some(0), "{document}");
    assert!(document["settings"]["backtest.limits.daily_loss.amount"].is_string());
    let unlimited = "limits were not applied";
    assert!(!page.contains(unlimited));
    let (document, page) = report("free.html", "");
    assert!(document["notes"].to_string().contains(unlimited));
    assert!(page.contains(unlimited));
}

#[test]
fn faults_of_limits_are_told_with_their_keys() {
    let place = Place::of(&export(&walk(7, 30)));
    let limits = "max_lots_per_order = 0.0\nmax_lots_per_ordr = 1.0\ndaily_loss.action = \"halt\"";
    let config = place.config(&[], limits);
    let said = complaint(&arguments(&config, &[&place.ticks], &[]));
    for fault in [
        "backtest.limits.max_lots_per_order: is not a volume above 0",
        "backtest.limits.max_lots_per_ordr: unknown key",
        "backtest.limits.daily_loss: has no limit",
    ] {
        assert!(said.contains(fault), "{said}");
    }
}

#[test]
fn a_sweep_varies_limits_and_each_point_is_its_backtest() {
    let place = Place::of(&export(&walk(7, 3_000)));
    let sweep = |config: &str, more: &[&str]| -> Vec<u8> {
        let output = Command::new(env!("CARGO_BIN_EXE_mymt5-engine"))
            .args(["sweep", "--config", config, "--ticks"])
            .arg(&place.ticks)
            .args(["--vary", "backtest.limits.max_lots_per_order=0.5,1.0,5.0"])
            .args(more)
            .output();
        said(output.unwrap())
    };
    let config = place.config(&[], "max_lots_total = 9.0");
    let whole = sweep(&config, &["--json"]);
    let parts = ["0/2", "1/2"].map(|shard| {
        let part = place.folder.path().join(format!("{}.json", &shard[..1]));
        sweep(
            &config,
            &["--shard", shard, "--out", part.to_str().unwrap()],
        );
        part
    });
    let merged = Command::new(env!("CARGO_BIN_EXE_mymt5-engine"))
        .arg("merge")
        .args(&parts)
        .arg("--json")
        .output();
    assert!(said(merged.unwrap()) == whole);
    let swept: Value = serde_json::from_slice(&whole).unwrap();
    for (at, lots) in ["0.5", "1.0", "5.0"].into_iter().enumerate() {
        let limits = format!("max_lots_total = 9.0\nmax_lots_per_order = {lots}");
        let alone = place.outcome(&[], &limits);
        let figures = &swept["points"][at]["figures"];
        for name in ["orders", "trades", "net_profit"] {
            assert_eq!(figures[name], alone[name], "{lots} {name}");
        }
    }
    assert_eq!(swept["points"][0]["figures"]["orders"], 0);
}

/// What a command printed.
fn said(output: Output) -> Vec<u8> {
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    output.stdout
}
