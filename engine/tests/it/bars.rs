//! `backtest --bars`: the same as over the ticks that the bars are told as, and with levels the same as
//! over a price that goes from one of them to the next without a jump, with every strategy.

use crate::backtest::{EXAMPLE, backtest, complaint, outcome, real_data, written};
use mymt5_model::BrokerTime;
use serde_json::Value;
use std::{collections::BTreeSet, fmt::Write, fs, path::Path};

const KINDS: [&str; 4] = [
    "ema_cross",
    "donchian_breakout",
    "rsi_reversion",
    "bollinger_squeeze",
];
const HOUR: i64 = 3_600_000;
/// Monday 2020-01-06, 00:00 of the broker.
const MONDAY: i64 = 1_578_268_800_000;
const SPREAD: i64 = 10;
/// Of a price without jumps, points; levels and prices are multiples of it.
const STEP: i64 = 10;

/// Open, high, low and close in points of 1e-5.
pub(super) type Prices = [i64; 4];

/// Hours of a walk with trends, quiet and busy in turn, from a seed.
pub(super) fn hours(seed: u64, count: usize) -> Vec<Prices> {
    let mut state = seed;
    let mut dice = move |sides: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % sides) as i64
    };
    let mut open = 110_000i64;
    let mut drift = 8i64;
    let bars = (0..count).map(|at| {
        if dice(40) == 0 {
            drift = -drift;
        }
        let size = if (at / 150).is_multiple_of(2) { 1 } else { 4 };
        let close = open + (dice(61) - 30 + drift) * size;
        let high = open.max(close) + dice(20) * size;
        let low = open.min(close) - dice(20) * size;
        let bar = [open, high, low, close];
        open = close + dice(5) - 2;
        bar
    });
    bars.collect()
}

/// A date and a time, as an export has them.
fn clock(ms: i64) -> String {
    BrokerTime(MONDAY + ms).to_string().replace('T', "\t")
}

/// The bars as the terminal exports them.
pub(super) fn export(bars: &[Prices]) -> String {
    let mut text =
        "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\r\n".to_owned();
    for (hour, bar) in (0..).zip(bars) {
        let prices = bar.map(|points| format!("{:.5}", points as f64 / 1e5));
        let prices = prices.join("\t");
        let time = clock(hour * HOUR);
        write!(text, "{time}\t{prices}\t100\t0\t{SPREAD}\r\n").unwrap();
    }
    text
}

/// Prices on the way from one to another, without the first: the last alone, or all by that step.
fn way(from: i64, to: i64, step: Option<i64>) -> Vec<i64> {
    let Some(step) = step.filter(|_| from != to) else {
        return vec![to];
    };
    let steps = (to - from).abs() / step;
    let step = step * (to - from).signum();
    (1..=steps).map(|at| from + at * step).collect()
}

/// The ticks that the bars are told as; with a step, those on the way to each of them too, which
/// come at its time.
fn ticks(bars: &[Prices], step: Option<i64>) -> String {
    let mut text = "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\r\n".to_owned();
    let mut rose = false;
    for (hour, [open, high, low, close]) in (0..).zip(bars) {
        rose = close > open || (close == open && !rose);
        let (first, second) = if rose { (low, high) } else { (high, low) };
        let mut before = *open;
        for (quarter, price) in (0..).zip([open, first, second, close]) {
            let time = clock(hour * HOUR + quarter * HOUR / 4);
            for bid in way(before, *price, step) {
                let (bid, ask) = (bid as f64 / 1e5, (bid + SPREAD) as f64 / 1e5);
                write!(text, "{time}\t{bid:.5}\t{ask:.5}\t\t\t6\r\n").unwrap();
            }
            before = *price;
        }
    }
    text
}

/// A configuration in which every shipped strategy trades a symbol.
pub(super) fn every_strategy(folder: &Path, symbol: &str, timeframe: &str, stop: u32) -> String {
    let mut text = String::new();
    for kind in KINDS {
        write!(
            text,
            "[[strategies]]\nname = \"{kind}\"\nkind = \"{kind}\"\nsymbol = \"{symbol}\"\n\
             timeframe = \"{timeframe}\"\nstop_points = {stop}\n"
        )
        .unwrap();
    }
    text.push_str("[risk]\nlots = 0.1\n[backtest]\nmode = \"hedging\"\n");
    let path = written(folder, &format!("{symbol}_{timeframe}.toml"), &text);
    path.to_str().unwrap().to_owned()
}

/// What `--json` prints of bars.
fn of_bars(config: &str, bars: &Path, more: &[&str]) -> Value {
    let bars = bars.to_str().unwrap();
    let mut arguments = vec!["--config", config, "--json", "--bars", bars];
    arguments.extend(more);
    let output = backtest(&arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        said.is_empty(),
        "no progress where there is no terminal: {said}"
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The figures and the report of bars, in which every strategy traded, with its risk and extremes.
fn reported(folder: &Path, config: &str, bars: &Path) -> Value {
    let page = folder.join("report.html");
    let outcome = of_bars(config, bars, &["--report", page.to_str().unwrap()]);
    let document = fs::read_to_string(folder.join("report.report.json")).unwrap();
    let document: Value = serde_json::from_str(&document).unwrap();
    let trades = document["trades"].as_array().unwrap();
    assert_eq!(trades.len() as u64, outcome["trades"].as_u64().unwrap());
    let traded: BTreeSet<&str> = trades
        .iter()
        .map(|trade| trade["strategy"].as_str().unwrap())
        .collect();
    assert_eq!(traded, BTreeSet::from(KINDS));
    for trade in trades {
        let profit = trade["profit"].as_f64().unwrap();
        let adverse = trade["excursion"]["adverse"].as_f64().unwrap();
        let favorable = trade["excursion"]["favorable"].as_f64().unwrap();
        let cent = 0.02;
        assert!(adverse <= 0.0 && adverse <= profit + cent, "{trade}");
        assert!(favorable >= 0.0 && favorable >= profit - cent, "{trade}");
        assert!(trade["risk"].as_f64().unwrap() > 0.0, "{trade}");
    }
    let notes = document["notes"].to_string();
    assert!(notes.contains("The ticks are made of"), "{notes}");
    let excursions = &document["statistics"]["excursions"];
    assert!(excursions["profits_mfe"].is_number(), "{excursions}");
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("class=\"price\""), "no price is drawn");
    assert!(
        page.contains("Results of the trades in R"),
        "no histogram of R"
    );
    outcome
}

#[test]
fn bars_come_to_what_their_ticks_come_to_where_no_level_is_reached() {
    let folder = tempfile::tempdir().unwrap();
    let bars = hours(5, 3_000);
    let config = every_strategy(folder.path(), "EURUSD", "H1", 20_000);
    let file = written(folder.path(), "EURUSD_H1.csv", &export(&bars));
    let of_bars = reported(folder.path(), &config, &file);
    let file = written(folder.path(), "EURUSD_ticks.csv", &ticks(&bars, None));
    assert_eq!(outcome(&config, &[&file], &[]), of_bars);
    assert_eq!(of_bars["ticks"], 12_000);
    assert_eq!(of_bars["from"], "2020-01-06T00:00:00.000");
}

/// The deals of a ledger.
fn deals(ledger: &Path) -> Vec<Value> {
    let text = fs::read_to_string(ledger).unwrap();
    let rows = text.lines().map(serde_json::from_str::<Value>);
    let deals = rows.map(|row| row.unwrap()["deal"].clone());
    deals.filter(|deal| !deal.is_null()).collect()
}

/// An outcome without what grows with the ticks that are looked at.
fn without_looks(mut outcome: Value) -> Value {
    let figures = outcome.as_object_mut().unwrap();
    for name in ["ticks", "max_drawdown"] {
        assert!(figures.remove(name).is_some(), "{name}");
    }
    outcome
}

#[test]
fn bars_with_levels_come_to_what_a_price_without_jumps_comes_to() {
    let folder = tempfile::tempdir().unwrap();
    let on_steps = |bar: Prices| bar.map(|points| (points + STEP / 2) / STEP * STEP);
    let bars: Vec<Prices> = hours(5, 3_000).into_iter().map(on_steps).collect();
    let config = every_strategy(folder.path(), "EURUSD", "H1", 200);
    let stops = "stop_points = 200\n";
    let levels = format!("{stops}take_profit_points = 300\n");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace(stops, &levels)).unwrap();

    let file = written(folder.path(), "EURUSD_H1.csv", &export(&bars));
    let in_report = reported(folder.path(), &config, &file);
    let told = folder.path().join("bars.jsonl");
    let ledger = ["--ledger", told.to_str().unwrap()];
    let by_bars = of_bars(&config, &file, &ledger);
    assert_eq!(by_bars, in_report);

    let file = written(folder.path(), "EURUSD_steps.csv", &ticks(&bars, Some(STEP)));
    let expected = folder.path().join("steps.jsonl");
    let ledger = ["--ledger", expected.to_str().unwrap()];
    let by_steps = outcome(&config, &[&file], &ledger);
    let fall = |outcome: &Value| outcome["max_drawdown"].as_f64().unwrap();
    assert!(fall(&by_bars) <= fall(&by_steps), "{by_bars} {by_steps}");
    assert_eq!(without_looks(by_bars), without_looks(by_steps));

    let told = deals(&told);
    assert_eq!(told, deals(&expected));
    for reason in ["DEAL_REASON_SL", "DEAL_REASON_TP"] {
        let hits = told.iter().filter(|deal| deal["reason"] == reason).count();
        assert!(hits > 20, "{hits} {reason}");
    }
}

#[test]
fn real_bars_run_to_their_end_with_every_strategy() {
    let folder = tempfile::tempdir().unwrap();
    for (name, symbol, timeframe, stop, ticks) in [
        ("GBPUSD_H1_2012-2022.csv", "GBPUSD", "H1", 200, 230_400),
        ("XAUUSD_M5_2026.csv", "XAUUSD", "M5", 3_000, 40_000),
    ] {
        let Some(file) = real_data(name) else {
            return;
        };
        let config = every_strategy(folder.path(), symbol, timeframe, stop);
        let outcome = reported(folder.path(), &config, &file);
        assert_eq!(outcome["ticks"], ticks, "{name}");
    }
}

#[test]
fn a_strategy_of_shorter_bars_is_refused_and_one_of_longer_ones_trades() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), "EURUSD.csv", &export(&hours(5, 2_000)));
    let path = file.to_str().unwrap();
    let shorter = every_strategy(folder.path(), "EURUSD", "M30", 200);
    let said = complaint(&["--config", &shorter, "--bars", path]);
    assert!(said.contains("ema_cross wants M30 bars"), "{said}");
    let cared = "[[strategies]]\nname = \"cross\"\nkind = \"ema_cross\"\nsymbol = \"EURUSD\"\n\
        timeframe = \"H1\"\nstop_points = 200\ncare.trailing.atr = 3.0\n[risk]\nlots = 0.1\n";
    let cared = written(folder.path(), "cared.toml", cared);
    let said = complaint(&["--config", cared.to_str().unwrap(), "--bars", path]);
    let fix = "set its care.trailing.atr_timeframe to H1 or longer";
    assert!(said.contains(fix), "{said}");
    assert!(said.contains("H1 or longer"), "{said}");
    let longer = every_strategy(folder.path(), "EURUSD", "H4", 200);
    assert!(of_bars(&longer, &file, &[])["orders"].as_u64() > Some(10));
    let span = ["--from", "2020-01-20", "--to", "2020-01-21"];
    assert_eq!(of_bars(&longer, &file, &span)["ticks"], 4 * 24);
    // A strategy of ticks trades the four of each bar.
    assert!(of_bars(EXAMPLE, &file, &[])["orders"].as_u64() > Some(10));
}

#[test]
fn the_spread_is_the_files_or_the_configured_one() {
    let folder = tempfile::tempdir().unwrap();
    let text = export(&hours(5, 1_000));
    let bare: Vec<&str> = text
        .lines()
        .map(|line| line.rsplit_once('\t').unwrap().0)
        .collect();
    let bare = written(folder.path(), "EURUSD_bare.csv", &bare.join("\n"));
    let whole = written(folder.path(), "EURUSD_whole.csv", &text);
    let config = every_strategy(folder.path(), "EURUSD", "H1", 200);
    let said = complaint(&["--config", &config, "--bars", bare.to_str().unwrap()]);
    assert!(
        said.contains("set spread_points in [backtest.symbols.EURUSD]"),
        "{said}"
    );
    let with = |points: i64| {
        let told = fs::read_to_string(&config).unwrap();
        let told = format!("{told}symbols.EURUSD = {{ spread_points = {points} }}\n");
        let path = written(folder.path(), "spread.toml", &told);
        path.to_str().unwrap().to_owned()
    };
    let expected = of_bars(&config, &whole, &[]);
    assert_eq!(of_bars(&with(SPREAD), &bare, &[]), expected);
    let wider = of_bars(&with(SPREAD + 50), &whole, &[]);
    let net = |outcome: &Value| outcome["net_profit"].as_f64().unwrap();
    assert!(net(&wider) < net(&expected), "{wider} {expected}");
}

#[test]
fn what_is_wrong_with_bars_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let config = every_strategy(folder.path(), "EURUSD", "H1", 200);
    let told = |name: &str, text: &str| {
        let path = written(folder.path(), name, text);
        complaint(&["--config", &config, "--bars", path.to_str().unwrap()])
    };
    let good = export(&hours(5, 3_000));
    let lines: Vec<&str> = good.split_inclusive('\n').collect();
    let short = told("EURUSD_short.csv", &lines[..2].concat());
    assert!(short.contains("fewer than two bars"), "{short}");
    let odd: Vec<&str> = [lines[0]]
        .into_iter()
        .chain(lines[1..].iter().copied().step_by(2))
        .collect();
    let odd = told("EURUSD_odd.csv", &odd.concat());
    assert!(odd.contains("bars 7200 seconds apart"), "{odd}");
    // Beyond its beginning the file has half hours.
    let half = lines[2_000].replace(":00:00.000", ":30:00.000");
    let nearer = [&lines[..2_001], &[half.as_str()], &lines[2_001..]].concat();
    let nearer = told("EURUSD_nearer.csv", &nearer.concat());
    assert!(
        nearer.contains("EURUSD_nearer.csv line 2002: invalid time"),
        "{nearer}"
    );
    let ticks = told("EURUSD_ticks.csv", &ticks(&hours(5, 10), None));
    assert!(ticks.contains("ticks, where bars"), "{ticks}");
    let both = complaint(&["--config", &config, "--bars", "a", "--ticks", "b"]);
    assert!(both.contains("cannot be used with"), "{both}");
}
