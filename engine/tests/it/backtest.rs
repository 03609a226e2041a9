//! `backtest`: what the whole way through files, trader, orders core and simulated account comes to
//! must be what plain arithmetic over the same ticks comes to.

use serde_json::Value;
use std::{
    fmt::Write,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

pub(super) const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/ema_reverse.toml");
const HEADER: &str = "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\r\n";

pub(super) fn backtest(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mymt5-engine"))
        .arg("backtest")
        .args(arguments)
        .output()
        .unwrap()
}

/// Runs it, and reads what it prints for programs.
pub(super) fn outcome(config: &str, ticks: &[&Path], more: &[&str]) -> Value {
    let output = backtest(&arguments(config, ticks, more));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

pub(super) fn arguments<'a>(config: &'a str, ticks: &[&'a Path], more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["--config", config, "--json", "--ticks"];
    arguments.extend(ticks.iter().map(|path| path.to_str().unwrap()));
    arguments.extend(more);
    arguments
}

pub(super) fn complaint(arguments: &[&str]) -> String {
    let output = backtest(arguments);
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

/// A quote in points of 1e-5.
#[derive(Clone, Copy)]
pub(super) struct Quote {
    ms: i64,
    bid: i64,
    ask: i64,
}

/// A walk with trends, from a seed.
pub(super) fn walk(seed: u64, count: usize) -> Vec<Quote> {
    let mut state = seed;
    let mut dice = move |sides: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % sides) as i64
    };
    let (mut ms, mut bid, mut drift) = (0, 67_000, 1);
    let quotes = (0..count).map(|_| {
        ms += 1 + dice(3_000);
        if dice(20) == 0 {
            drift = -drift;
        }
        bid += dice(7) - 3 + drift;
        let ask = bid + 1 + dice(3);
        Quote { ms, bid, ask }
    });
    quotes.collect()
}

/// The quotes as the terminal exports them: a side that did not change is blank.
pub(super) fn export(quotes: &[Quote]) -> String {
    let mut text = HEADER.to_owned();
    let mut last = (0, 0);
    for quote in quotes {
        let seconds = quote.ms / 1_000;
        let (hour, minute) = (seconds / 3_600, seconds / 60 % 60);
        let (second, ms) = (seconds % 60, quote.ms % 1_000);
        let side = |now: i64, before: i64| match now {
            _ if now == before => String::new(),
            _ => format!("0.{now:05}"),
        };
        let (bid, ask) = (side(quote.bid, last.0), side(quote.ask, last.1));
        last = (quote.bid, quote.ask);
        write!(
            text,
            "2020.01.30\t{hour:02}:{minute:02}:{second:02}.{ms:03}\t{bid}\t{ask}\t\t\t6\r\n"
        )
        .unwrap();
    }
    text
}

/// Orders and profit in whole points, which are dollars: always in the market, turned by each cross.
fn computed(quotes: &[Quote]) -> (i64, i64) {
    let (mut fast, mut slow, mut above) = (None, None, None);
    let (mut held, mut cash, mut orders) = (0, 0, 0);
    let mut trade = |to: i64, held: &mut i64, quote: &Quote| {
        let volume = to - *held;
        cash -= volume * if volume > 0 { quote.ask } else { quote.bid };
        *held = to;
        orders += 1;
    };
    let average = |value: &mut Option<f64>, alpha: f64, input: f64| {
        let next = value.map_or(input, |value: f64| value + alpha * (input - value));
        *value = Some(next);
        next
    };
    for (at, quote) in quotes.iter().enumerate() {
        let mid = (quote.bid as f64 / 1e5 + quote.ask as f64 / 1e5) / 2.0;
        let fast = average(&mut fast, 2.0 / 11.0, mid);
        let slow = average(&mut slow, 2.0 / 21.0, mid);
        if at + 1 < 20 || fast == slow {
            continue;
        }
        let now = fast > slow;
        if above.replace(now).is_some_and(|before: bool| before != now) {
            trade(if now { 1 } else { -1 }, &mut held, quote);
        }
    }
    if held != 0 {
        trade(0, &mut held, quotes.last().unwrap());
    }
    (orders, cash)
}

pub(super) fn written(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn generated_ticks_come_to_what_plain_arithmetic_comes_to() {
    let folder = tempfile::tempdir().unwrap();
    let quotes = walk(7, 20_000);
    let (orders, profit) = computed(&quotes);
    assert!(orders > 200, "{orders}");
    let ticks = written(folder.path(), "AUDUSD_ticks.csv", &export(&quotes));
    let outcome = outcome(EXAMPLE, &[&ticks], &[]);
    assert_eq!(outcome["orders"], orders);
    assert_eq!(outcome["fills"], orders);
    assert_eq!(outcome["net_profit"], profit as f64);
    assert_eq!(outcome["ticks"], 20_000);
    assert_eq!(outcome["trades"], orders - 1);
    let sum = |name: &str| outcome[name].as_f64().unwrap();
    assert_eq!(sum("gross_profit") + sum("gross_loss"), profit as f64);
    assert_eq!(sum("balance"), 100_000.0 + profit as f64);
    assert_eq!(sum("equity"), sum("balance"));
}

/// A file of real market data beside the project, unless it is not there.
pub(super) fn real_data(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join("shared/data").join(name);
    if path.exists() {
        return Some(path);
    }
    let required = std::env::var("MYMT5_REQUIRE").is_ok_and(|value| value == "1");
    assert!(!required, "{} is required but absent", path.display());
    println!("skipped: {} is not beside the project", path.display());
    None
}

#[test]
fn real_ticks_come_to_the_known_result() {
    let Some(ticks) = real_data("AUDUSD_ticks_20200130-31.csv") else {
        return;
    };
    let output = backtest(&arguments(EXAMPLE, &[&ticks], &[]));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("\"orders\": 4460,"), "{text}");
    assert!(text.contains("\"net_profit\": -11461.00,"), "{text}");
    let outcome: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(outcome["ticks"], 100_000);
    assert_eq!(outcome["from"], "2020-01-30T15:28:09.820");
    assert_eq!(outcome["to"], "2020-01-31T20:59:54.501");
}

#[test]
fn the_same_ticks_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let ticks = written(folder.path(), "AUDUSD.csv", &export(&walk(11, 3_000)));
    let chance = example_with(folder.path(), "slippage_points = 0", "slippage_points = 9");
    let bytes = || backtest(&arguments(chance.to_str().unwrap(), &[&ticks], &[])).stdout;
    let first = bytes();
    assert!(!first.is_empty());
    assert_eq!(first, bytes());
}

/// The example with one line of it changed.
fn example_with(folder: &Path, line: &str, other: &str) -> PathBuf {
    let text = fs::read_to_string(EXAMPLE).unwrap();
    assert!(text.contains(line), "{line}");
    written(folder, "changed.toml", &text.replace(line, other))
}

#[test]
fn costs_are_paid_for_each_lot_and_side() {
    let folder = tempfile::tempdir().unwrap();
    let quotes = walk(7, 5_000);
    let (orders, profit) = computed(&quotes);
    let ticks = written(folder.path(), "AUDUSD.csv", &export(&quotes));
    let (from, to) = ("commission_per_lot = 0.0", "commission_per_lot = 3.5");
    let paying = example_with(folder.path(), from, to);
    let outcome = outcome(paying.to_str().unwrap(), &[&ticks], &[]);
    // One lot at first and at last, two lots at each turn.
    let paid = 3.5 * (2 * (orders - 1)) as f64;
    assert_eq!(outcome["commission"], -paid);
    assert_eq!(outcome["net_profit"], profit as f64 - paid);
}

#[test]
fn the_ledger_lists_what_the_sums_are_made_of() {
    let folder = tempfile::tempdir().unwrap();
    let ticks = written(folder.path(), "AUDUSD.csv", &export(&walk(7, 5_000)));
    let file = folder.path().join("ledger.jsonl");
    let more = ["--ledger", file.to_str().unwrap()];
    let outcome = outcome(EXAMPLE, &[&ticks], &more);
    let text = fs::read_to_string(&file).unwrap();
    let read = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    let rows: Vec<Value> = text.lines().map(read).collect();
    let filled = |row: &&Value| row["order"]["state"] == "ORDER_STATE_FILLED";
    assert_eq!(outcome["orders"], rows.iter().filter(filled).count());
    let profits = rows.iter().filter_map(|row| row["deal"]["profit"].as_f64());
    assert_eq!(outcome["net_profit"].as_f64(), Some(profits.sum::<f64>()));
    let said = complaint(&arguments(EXAMPLE, &[&ticks], &more));
    assert!(said.contains("ledger.jsonl"), "{said}");
    assert_eq!(fs::read_to_string(&file).unwrap(), text, "it is left alone");
    assert!(said.contains("is there already"), "{said}");
    let torn = export(&walk(7, 500)) + "torn\r\n";
    let torn = written(folder.path(), "AUDUSD_2.csv", &torn);
    let file = folder.path().join("torn.jsonl");
    let more = ["--ledger", file.to_str().unwrap()];
    complaint(&arguments(EXAMPLE, &[&torn], &more));
    assert!(!file.exists(), "a run that fails leaves none");
}

#[test]
fn a_file_split_in_two_is_the_same_as_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let quotes = walk(3, 4_000);
    let at = |name: &str, quotes: &[Quote]| written(folder.path(), name, &export(quotes));
    let whole = at("AUDUSD.csv", &quotes);
    let (first, second) = quotes.split_at(1_500);
    let (first, second) = (at("AUDUSD_1.csv", first), at("AUDUSD_2.csv", second));
    let expected = outcome(EXAMPLE, &[&whole], &[]);
    assert_eq!(outcome(EXAMPLE, &[&second, &first], &[]), expected);
    let named = at("ticks.csv", &quotes);
    let symbol = ["--symbol", "AUDUSD"];
    assert_eq!(outcome(EXAMPLE, &[&named], &symbol), expected);
}

fn time(quote: Quote) -> String {
    let seconds = quote.ms / 1_000;
    let (hour, minute) = (seconds / 3_600, seconds / 60 % 60);
    let (second, ms) = (seconds % 60, quote.ms % 1_000);
    format!("2020-01-30T{hour:02}:{minute:02}:{second:02}.{ms:03}")
}

#[test]
fn a_span_without_a_tick_is_refused_and_that_of_the_files_told() {
    let folder = tempfile::tempdir().unwrap();
    let quotes = walk(5, 100);
    let ticks = written(folder.path(), "AUDUSD.csv", &export(&quotes));
    let has = format!("from {} to {}", time(quotes[0]), time(quotes[99]));
    for span in [["--from", "2027-01-01"], ["--to", "2020-01-30"]] {
        let output = backtest(&arguments(EXAMPLE, &[&ticks], &span));
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(65), "{told}");
        assert!(told.contains(&has), "{told}");
    }
}

#[test]
fn a_span_trades_what_lies_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let quotes = walk(5, 4_000);
    let ticks = written(folder.path(), "AUDUSD.csv", &export(&quotes));
    let (from, to) = (quotes[900], quotes[3_000]);
    let inside: Vec<Quote> = quotes[900..3_000].to_vec();
    let (from, to) = (time(from), time(to));
    let outcome = outcome(EXAMPLE, &[&ticks], &["--from", &from, "--to", &to]);
    let (orders, profit) = computed(&inside);
    assert_eq!(outcome["from"], from.as_str());
    assert_eq!(outcome["ticks"], 2_100);
    assert_eq!(outcome["orders"], orders);
    assert_eq!(outcome["net_profit"], profit as f64);
}

#[test]
fn what_is_wrong_with_ticks_is_told_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let quotes = walk(1, 30);
    let good = export(&quotes);
    let told = |name: &str, text: &str| {
        let path = written(folder.path(), name, text);
        complaint(&arguments(EXAMPLE, &[&path], &[]))
    };
    let mut lines: Vec<&str> = good.split_inclusive('\n').collect();
    lines.swap(10, 20);
    let back = told("AUDUSD_back.csv", &lines.concat());
    assert!(
        back.contains("AUDUSD_back.csv line 12: invalid time"),
        "{back}"
    );
    assert_eq!(back.matches("AUDUSD_back.csv").count(), 1, "{back}");
    lines.swap(10, 20);
    lines[4] = "2020.01.30\t00:00:09.000\tabout 0.67\t\t\t\t6\r\n";
    let price = told("AUDUSD_price.csv", &lines.concat());
    assert!(price.contains("AUDUSD_price.csv line 5: "), "{price}");
    let columns = told("AUDUSD_columns.csv", &good.replacen("<BID>", "<BIT>", 1));
    assert!(columns.contains("AUDUSD_columns.csv line 1: "), "{columns}");
    let nameless = told("ticks.csv", &good);
    assert!(nameless.contains("--symbol"), "{nameless}");
    let absent = folder.path().join("AUDUSD_absent.csv");
    let absent = complaint(&arguments(EXAMPLE, &[&absent], &[]));
    assert!(absent.contains("cannot open"), "{absent}");
}

#[test]
fn news_are_judged_by_the_zone_of_the_ticks_and_what_risk_refuses_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let quotes = walk(7, 200);
    let (orders, _) = computed(&quotes);
    assert!(orders > 0);
    let ticks = written(folder.path(), "AUDUSD.csv", &export(&quotes));
    // The ticks are of the first minutes of 2020-01-30, by the broker's clock.
    let releases = "2020-01-29 22:03,USD,high\n2030-01-01 00:00,USD,high\n";
    let calendar = written(folder.path(), "news.csv", releases);
    let rules = format!("lots = 1.0\nnews.calendar = \"{}\"", calendar.display());
    let under = |zone: &str| {
        let text = fs::read_to_string(EXAMPLE).unwrap();
        let text = text.replace("lots = 1.0", &rules);
        let config = written(folder.path(), "news.toml", &format!("{text}\n{zone}\n"));
        outcome(config.to_str().unwrap(), &[&ticks], &[])
    };
    let during = under("time_zone = \"UTC+2\"");
    assert_eq!(during["orders"], 0);
    assert!(during["refused"]["news"].as_u64().unwrap() > 0, "{during}");
    let hours_after = under("time_zone = \"UTC\"");
    assert_eq!(hours_after["orders"], orders);
    assert_eq!(hours_after["refused"], serde_json::json!({}));
    let unknown = under("");
    assert_eq!(unknown["orders"], 0);
    let refused = unknown["refused"]["news_time_unknown"].as_u64();
    assert!(refused.unwrap() > 0, "{unknown}");
}

#[test]
fn positions_are_cared_for_as_they_are_live() {
    let folder = tempfile::tempdir().unwrap();
    let ticks = written(folder.path(), "AUDUSD.csv", &export(&walk(7, 8_000)));
    for mode in ["netting", "hedging"] {
        let under = |care: &str| {
            let text = fs::read_to_string(EXAMPLE).unwrap();
            let text = text.replace("stop_points = 0", &format!("stop_points = 60\n{care}"));
            let text = text.replace("mode = \"netting\"", &format!("mode = \"{mode}\""));
            let config = written(folder.path(), "care.toml", &text);
            outcome(config.to_str().unwrap(), &[&ticks], &[])
        };
        let plain = under("");
        for care in [
            "care.break_even.at_r = 0.3",
            "care.trailing.points = 12\ncare.trailing.step_points = 5",
            "care.trailing.atr = 0.5\ncare.trailing.atr_timeframe = \"M1\"",
            "care.partial_close.at_r = 0.3",
            "care.time_exit.minutes = 1",
        ] {
            let cared = under(care);
            assert_ne!(cared["net_profit"], plain["net_profit"], "{mode} {care}");
            assert_eq!(cared["refused"], plain["refused"], "{mode} {care}");
            assert_eq!(cared["failed"], plain["failed"], "{mode} {care}");
            let count = |name: &str| cared[name].as_u64().unwrap();
            assert!(count("orders") <= count("fills"), "a move is not an order");
        }
        let trades = |outcome: &Value| outcome["trades"].as_u64().unwrap();
        let parted = under("care.partial_close.at_r = 0.3");
        assert!(trades(&parted) > trades(&plain), "{mode}: {parted}");
    }
}

#[test]
fn what_follows_a_close_does_not_wait_for_the_next_tick() {
    let folder = tempfile::tempdir().unwrap();
    // Each quote stands for 10 ms at least: time for a close and for the order after it.
    let slowly = |quote: Quote| Quote {
        ms: quote.ms * 10,
        ..quote
    };
    let quotes: Vec<Quote> = walk(7, 4_000).into_iter().map(slowly).collect();
    let ticks = written(folder.path(), "AUDUSD.csv", &export(&quotes));
    let after = |latency: &str| {
        let text = fs::read_to_string(EXAMPLE).unwrap();
        let text = text.replace("reverse = \"one-order\"", "reverse = \"close-first\"");
        let text = text.replace("latency_ms = 0", latency);
        let config = written(folder.path(), "latency.toml", &text);
        outcome(config.to_str().unwrap(), &[&ticks], &[])
    };
    let (at_once, later) = (after("latency_ms = 0"), after("latency_ms = 2"));
    assert!(at_once["trades"].as_u64() > Some(50), "{at_once}");
    for name in ["orders", "fills", "trades", "won", "net_profit"] {
        assert_eq!(later[name], at_once[name], "{name}: {later}");
    }
}

#[test]
fn what_is_written_is_its_users_alone_and_a_folder_that_is_absent_ends_with_its_code() {
    let folder = tempfile::tempdir().unwrap();
    let ticks = written(folder.path(), "AUDUSD.csv", &export(&walk(7, 2_000)));
    let [page, ledger, absent] =
        ["out.html", "ledger.csv", "absent/out.html"].map(|name| folder.path().join(name));
    let [page, ledger, absent] = [&page, &ledger, &absent].map(|path| path.to_str().unwrap());
    outcome(EXAMPLE, &[&ticks], &["--report", page, "--ledger", ledger]);
    for file in [page, ledger] {
        let mode = fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let output = backtest(&arguments(EXAMPLE, &[&ticks], &["--report", absent]));
    assert_eq!(output.status.code(), Some(69), "{output:?}");
}

#[test]
fn a_report_tells_of_the_same_trades() {
    let folder = tempfile::tempdir().unwrap();
    let quotes = walk(7, 20_000);
    let (orders, profit) = computed(&quotes);
    let ticks = written(folder.path(), "AUDUSD.csv", &export(&quotes));
    let page = folder.path().join("out.html");
    let more = ["--report", page.to_str().unwrap()];
    let outcome = outcome(EXAMPLE, &[&ticks], &more);
    let document = fs::read_to_string(folder.path().join("out.report.json")).unwrap();
    let document: Value = serde_json::from_str(&document).unwrap();
    let statistics = &document["statistics"];
    assert_eq!(document["title"], "Backtest of ema-reverse on AUDUSD");
    assert_eq!(document["settings"]["backtest.leverage"], "100");
    assert_eq!(statistics["total_trades"], outcome["trades"]);
    assert_eq!(statistics["total_deals"], orders);
    assert_eq!(statistics["initial_deposit"], 100_000.0);
    let net = statistics["total_net_profit"].as_f64().unwrap();
    assert!((net - profit as f64).abs() < 1e-6, "{net}, not {profit}");
    let notes = document["notes"].to_string();
    assert!(notes.contains("measured at every tick"), "{notes}");
    let fall = statistics["equity_drawdown"]["maximal"].as_f64().unwrap();
    let measured = outcome["max_drawdown"].as_f64().unwrap();
    assert!((fall - measured).abs() < 1e-6, "{fall}, not {measured}");
    let trades = fs::read_to_string(folder.path().join("out.trades.csv")).unwrap();
    assert_eq!(trades.lines().count() as i64, orders);
    assert!(fs::read_to_string(&page).unwrap().contains("ema-reverse"));
}

#[test]
fn ticks_that_files_have_twice_or_of_an_unknown_contract_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let quotes = walk(9, 2_000);
    let at = |name: &str, quotes: &[Quote]| written(folder.path(), name, &export(quotes));
    let first = at("AUDUSD_1.csv", &quotes[..1_500]);
    let second = at("AUDUSD_2.csv", &quotes[1_200..]);
    let inside = at("AUDUSD_3.csv", &quotes[700..900]);
    for other in [&second, &inside] {
        let said = complaint(&arguments(EXAMPLE, &[&first, other], &[]));
        for path in [&first, other] {
            assert!(said.contains(path.to_str().unwrap()), "{said}");
        }
        assert!(said.contains("both have ticks of AUDUSD"), "{said}");
    }
    let euro = at("EURUSD_1.csv", &quotes[1_500..]);
    let symbol = ["--symbol", "AUDUSD"];
    let said = complaint(&arguments(EXAMPLE, &[&first, &euro], &symbol));
    assert!(said.contains("--symbol names one symbol"), "{said}");
    let unknown = at("NAS100_1.csv", &quotes);
    let said = complaint(&arguments(EXAMPLE, &[&unknown], &[]));
    assert!(said.contains("unknown symbol NAS100"), "{said}");
    assert!(said.contains("EURUSD") && said.contains("[backtest.symbols.NAS100]"));
    let contract = "latency_ms = 0\nsymbols.NAS100 = { digits = 5, contract_size = 100000.0 }";
    let told = example_with(folder.path(), "latency_ms = 0", contract);
    let outcome = outcome(told.to_str().unwrap(), &[&unknown], &[]);
    assert_eq!(outcome["orders"], computed(&quotes).0);
    let short = export(&quotes)
        .replace("0.67", "0.7")
        .replace("0.66", "0.6");
    let short = written(folder.path(), "AUDUSD_4.csv", &short);
    let said = complaint(&arguments(EXAMPLE, &[&short], &[]));
    assert!(said.contains("prices of 4 decimals"), "{said}");
}
