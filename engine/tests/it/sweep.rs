//! `sweep` and `merge`: the same bytes however the work is shared, and in each point what `backtest`
//! tells of that configuration.

use crate::{
    backtest::{EXAMPLE, Quote, export, outcome, walk, written},
    bars,
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;

const FAST: &str = "strategies.0.fast=5..15/5";
const SLOW: &str = "strategies.0.slow=10,20,30";
/// Figures that a point has in common with `backtest --json`.
const SHARED: [&str; 7] = [
    "orders",
    "trades",
    "won",
    "net_profit",
    "gross_profit",
    "gross_loss",
    "max_drawdown",
];

/// A folder with ticks.
struct Place {
    folder: TempDir,
    ticks: PathBuf,
}

impl Place {
    fn new(seed: u64) -> Self {
        Self::of(&walk(seed, 4_000))
    }

    fn of(quotes: &[Quote]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ticks = written(folder.path(), "AUDUSD.csv", &export(quotes));
        Self { folder, ticks }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `sweep` of a configuration over the ticks.
    fn command(&self, config: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mymt5-engine"));
        command
            .args(["sweep", "--config", config, "--ticks"])
            .arg(&self.ticks)
            .args(more);
        command
    }

    fn sweep(&self, more: &[&str]) -> Vec<u8> {
        told(self.command(EXAMPLE, more).output().unwrap())
    }

    fn complaint(&self, more: &[&str]) -> String {
        refused(self.command(EXAMPLE, more).output().unwrap())
    }

    /// The grid in two parts by a walk forward, written by two processes that run at once.
    fn shards(&self, more: &[&str]) -> [PathBuf; 2] {
        let begun = ["0/2", "1/2"].map(|shard| {
            let part = self.path(&format!("part-{}.json", &shard[..1]));
            let child = self
                .command(EXAMPLE, &["--vary", FAST, "--vary", SLOW])
                .args(more)
                .args(["--shard", shard, "--out"])
                .arg(&part)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn();
            (part, child.unwrap())
        });
        begun.map(|(part, child)| {
            let said = String::from_utf8(told(child.wait_with_output().unwrap())).unwrap();
            assert!(said.contains(" points"), "{said}");
            part
        })
    }
}

fn merge(parts: &[&Path], more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mymt5-engine"))
        .arg("merge")
        .args(parts)
        .args(more)
        .output()
        .unwrap()
}

fn both<'a>(some: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [some, more].concat()
}

/// What a command printed.
fn told(output: Output) -> Vec<u8> {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.is_empty(), "no progress without a terminal: {said}");
    assert!(!output.stdout.is_empty());
    output.stdout
}

/// Why a command did nothing.
fn refused(output: Output) -> String {
    assert!(!output.status.success());
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

fn json(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap()
}

#[test]
fn shards_merge_to_the_bytes_of_one_run() {
    let place = Place::new(7);
    let grid = ["--vary", FAST, "--vary", SLOW, "--walk-forward", "2"];
    let page = place.path("one.html");
    let report = ["--json", "--report", page.to_str().unwrap()];
    let one = place.sweep(&both(&grid, &report));
    let [first, second] = place.shards(&grid[4..]);
    let page = place.path("merged.html");
    let report = ["--json", "--report", page.to_str().unwrap()];
    assert!(told(merge(&[&second, &first], &report)) == one);
    for ending in ["html", "points.csv", "sweep.json"] {
        let of = |name: &str| fs::read(place.path(name).with_extension(ending)).unwrap();
        assert!(of("one.x") == of("merged.x"), "{ending}");
    }
    assert!(told(merge(&[&first, &second], &[])) == place.sweep(&grid));

    let sweep = json(&one);
    let points = sweep["points"].as_array().unwrap();
    let values: Vec<String> = points
        .iter()
        .map(|point| point["values"].to_string())
        .collect();
    assert_eq!(values[0], "[\"5\",\"10\"]");
    assert_eq!(values[8], "[\"15\",\"30\"]");
    let left_out = points.iter().filter(|point| point["figures"].is_null());
    let reasons: Vec<_> = left_out
        .map(|point| point["misfit"].as_str().unwrap())
        .collect();
    assert_eq!(reasons.len(), 2);
    assert!(reasons[0].contains("does not fit slow"), "{reasons:?}");
    assert_eq!(sweep["walk_forward"].as_array().unwrap().len(), 2);
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("<svg") && page.contains("id=\"walk-forward\""));
}

#[test]
fn any_number_of_jobs_tells_the_same() {
    let place = Place::new(11);
    let by = |jobs: &str| {
        let grid = ["--vary", FAST, "--vary", SLOW, "--by", "recovery_factor"];
        let more = ["--walk-forward", "3", "--json", "--jobs", jobs];
        place.sweep(&both(&grid, &more))
    };
    let one = by("1");
    assert!(by("2") == one);
    assert!(by("7") == one);
    let sweep = json(&one);
    let factor = |point: &Value| point["figures"]["recovery_factor"].as_f64();
    let points = sweep["points"].as_array().unwrap();
    let most = points.iter().filter_map(factor).fold(f64::MIN, f64::max);
    let best = sweep["best"].as_u64().unwrap() as usize;
    assert_eq!(factor(&points[best]), Some(most));
}

#[test]
fn a_point_is_the_backtest_of_its_configuration_and_so_is_each_part() {
    let place = Place::new(13);
    let vary = ["--vary", "strategies.0.fast=7", "--walk-forward", "2"];
    let sweep = json(&place.sweep(&both(&vary, &["--json"])));
    let text = fs::read_to_string(EXAMPLE).unwrap();
    let text = text.replace("fast = 10", "fast = 7");
    let config = written(place.folder.path(), "seven.toml", &text);
    let expect = |figures: &Value, more: &[&str]| {
        let outcome = outcome(config.to_str().unwrap(), &[&place.ticks], more);
        assert!(outcome["trades"].as_u64() > Some(10), "{outcome}");
        for name in SHARED {
            assert_eq!(figures[name], outcome[name], "{name}");
        }
    };
    let point = &sweep["points"][0];
    let figures = &point["figures"];
    expect(figures, &[]);
    let of = |name: &str| figures[name].as_f64().unwrap();
    let near = |one: f64, other: f64| assert!((one - other).abs() < 1e-9, "{one} {other}");
    near(of("profit_factor"), of("gross_profit") / -of("gross_loss"));
    near(of("recovery_factor"), of("net_profit") / of("max_drawdown"));
    let folds = sweep["walk_forward"].as_array().unwrap();
    assert_eq!(folds.len(), 2);
    for (at, fold) in folds.iter().enumerate() {
        for (sample, part) in [("in_sample", at), ("out_of_sample", at + 1)] {
            let made = &fold["chosen"][sample];
            assert_eq!(*made, point["parts"][part]);
            let time = |end: &str| fold[sample][end].as_str().unwrap();
            expect(made, &["--from", time("from"), "--to", time("to")]);
        }
    }
}

#[test]
fn in_a_part_without_ticks_nothing_is_made_and_nothing_chosen() {
    let quotes = walk(23, 20_000);
    let place = Place::of(&[&quotes[..2_000], &quotes[18_000..]].concat());
    let vary = ["--vary", FAST, "--walk-forward", "2", "--json"];
    let sweep = json(&place.sweep(&vary));
    let folds = sweep["walk_forward"].as_array().unwrap();
    let chosen = &folds[0]["chosen"];
    assert!(
        chosen["in_sample"]["trades"].as_u64() > Some(10),
        "{chosen}"
    );
    assert_eq!(chosen["out_of_sample"]["trades"], 0);
    assert_eq!(chosen["out_of_sample"]["net_profit"], 0.0);
    assert_eq!(folds[1]["chosen"], Value::Null);
    assert!(sweep["best"].is_u64());
}

#[test]
fn what_is_wrong_with_keys_and_values_is_told_before_anything_runs() {
    let place = Place::new(17);
    for (vary, said) in [
        (
            "strategies.0.fasst=1..3",
            "does not read strategies.0.fasst; name one of strategies.0.",
        ),
        (
            "gateway.address=1,2",
            "does not read gateway.address; name a key of backtest, backtest.limits",
        ),
        (
            "strategies.1.fast=5",
            "does not read strategies.1.fast; name a key of",
        ),
        (
            "strategies.0.fast=5,many",
            "strategies.0.fast = many fits no values of the others: strategies.0.fast: expected a count",
        ),
        (
            "strategies.0.fast=5,20",
            "strategies.0.fast = 20 fits no values of the others: strategies.0.fast: does not fit slow",
        ),
        (
            "strategies.0.fast=many",
            "strategies.0.fast = many fits no values",
        ),
        ("strategies.0.fast=5..1", "expected FROM..TO"),
        ("strategies.0.fast", "expected KEY=VALUES"),
        ("strategies.0.fast=1..200000", "expected at most 100000"),
    ] {
        let told = place.complaint(&["--vary", vary]);
        assert!(told.contains(said), "{vary}: {told}");
    }
    let fast = ["--vary", "strategies.0.fast=1..3"];
    let with = |more: &[&str]| place.complaint(&both(&fast, more));
    for (more, said) in [
        (
            &["--vary", "strategies.0.fast=4"][..],
            "names strategies.0.fast twice",
        ),
        (
            &["--vary", "strategies.0.slow=10..90000"][..],
            "makes 269973 points",
        ),
        (
            &["--from", "2021-01-01"][..],
            "no ticks between --from and --to",
        ),
        (&["--shard", "0/2"][..], "--out"),
        (&["--shard", "2/2", "--out", "x"][..], "expected I/N"),
        (&["--walk-forward", "0"][..], "--walk-forward"),
        (&["--by", "luck"][..], "net_profit"),
    ] {
        let told = with(more);
        assert!(told.contains(said), "{more:?}: {told}");
    }
    let whole = fs::read_to_string(EXAMPLE).unwrap();
    let faulty = whole.replace("lots = 1.0", "lots = 0.0");
    let config = written(place.folder.path(), "faulty.toml", &faulty);
    let output = place.command(config.to_str().unwrap(), &fast).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(78));
    let told = refused(output);
    assert!(
        told.contains("in the configuration") && told.contains("risk.lots"),
        "{told}"
    );
}

#[test]
fn the_exit_code_tells_options_files_that_cannot_be_read_and_files_that_are_no_parts_apart() {
    let place = Place::new(23);
    let misnamed = ["--vary", "strategies.0.fasst=1..3"];
    let misnamed = place.command(EXAMPLE, &misnamed).output().unwrap();
    let absent = merge(&[&place.path("absent.json")], &[]);
    let no_part = merge(&[&place.ticks], &[]);
    for (output, code) in [(misnamed, 2), (absent, 69), (no_part, 65)] {
        assert_eq!(output.status.code(), Some(code), "{}", refused(output));
    }
}

#[test]
fn parts_that_are_not_one_sweep_are_refused() {
    let place = Place::new(19);
    let why = |parts: &[&Path]| refused(merge(parts, &["--json"]));
    let [_, second] = place.shards(&["--by", "drawdown"]);
    let other = place.path("other.json");
    fs::rename(second, &other).unwrap();
    let [first, second] = place.shards(&[]);
    let said = why(&[&first]);
    assert!(
        said.contains("1 of 2 shards are missing, the first is 1/2"),
        "{said}"
    );
    let said = why(&[&first, &second, &first]);
    assert!(said.contains("are both shard 0/2"), "{said}");
    let said = why(&[&first, &other]);
    assert!(said.contains("with other --by"), "{said}");
    let whole = fs::read(&second).unwrap();
    fs::write(&second, &whole[..whole.len() / 2]).unwrap();
    let said = why(&[&first, &second]);
    assert!(said.contains("part-1.json is not a whole part"), "{said}");
    // A shard that is run once more replaces its part, and nothing else.
    let [_, second] = place.shards(&[]);
    assert!(fs::read(&second).unwrap() == whole);
    let shard = ["--vary", FAST, "--vary", SLOW, "--shard", "1/2", "--out"];
    let ticks = place.ticks.to_str().unwrap();
    let said = place.complaint(&both(&shard, &[ticks]));
    assert!(
        said.contains("is there already, and not of a sweep"),
        "{said}"
    );
    told(merge(&[&first, &second], &[]));
}

#[test]
fn bars_are_swept_by_timeframes_that_they_can_tell() {
    let folder = tempfile::tempdir().unwrap();
    let file = bars::export(&bars::hours(5, 2_000));
    let file = written(folder.path(), "EURUSD_H1.csv", &file);
    let config = bars::every_strategy(folder.path(), "EURUSD", "H1", 200);
    let run = |values: &str| {
        Command::new(env!("CARGO_BIN_EXE_mymt5-engine"))
            .args(["sweep", "--json", "--config", &config, "--bars"])
            .arg(&file)
            .args(["--vary", &format!("strategies.1.timeframe={values}")])
            .args(["--vary", "risk.lots=0.1..0.3/0.1"])
            .output()
            .unwrap()
    };
    let sweep = json(&told(run("H1,H4")));
    let points = sweep["points"].as_array().unwrap();
    let made = points.iter().map(|point| point["figures"].clone());
    let made: Vec<Value> = made.collect();
    assert_eq!(made.len(), 6);
    assert!(
        made.iter()
            .all(|figures| figures["trades"].as_u64() > Some(10))
    );
    let net = |at: usize| made[at]["net_profit"].as_f64().unwrap();
    assert_ne!(net(0), net(3), "the timeframe changes nothing");
    assert_ne!(net(0), net(1), "the lots change nothing");
    assert!(sweep["sweep"]["settings"]["strategies.0.kind"].is_string());
    let notes = sweep["sweep"]["notes"].to_string();
    assert!(notes.contains("The ticks are made of H1 bars"), "{notes}");
    let said = refused(run("M30,H1"));
    assert!(
        said.contains("strategies.1.timeframe = M30 fits no values of the others: strategy donchian_breakout wants M30 bars"),
        "{said}"
    );
}
