//! What a running pair exports: all that its README, its alerts and its dashboard name, as they say.

use crate::{
    foreign::{said, tool},
    stage::{BOUND, Stage},
};
use mymt5_proto::v1::{self, control_service_client::ControlServiceClient};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

/// Limits, without which nothing is left of them.
const LIMITS: &str = "[limits]\ndaily_loss.percent = 5.0\ndrawdown.percent = 10.0\n";
const RISK: &str = "[risk]\nmax_open_risk_percent = 5.0\ndaily_loss.percent = 4.0\n";
/// More series than that of a pair with two symbols and two clients are too many.
const MOST: usize = 1_000;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../prometheus")
}

fn read(file: &str) -> String {
    fs::read_to_string(folder().join(file)).unwrap()
}

/// What a process exports: for each name its kind, its help, and the labels of its series.
#[derive(Default)]
struct Exported {
    kinds: BTreeMap<String, String>,
    helps: BTreeMap<String, String>,
    labels: BTreeMap<String, BTreeSet<String>>,
    series: usize,
}

impl Exported {
    fn take(&mut self, text: &str) {
        for line in text.lines() {
            let told = |begin: &str| {
                let (name, rest) = line.strip_prefix(begin)?.split_once(' ')?;
                Some((name.to_owned(), rest.to_owned()))
            };
            if let Some((name, kind)) = told("# TYPE ") {
                self.kinds.insert(name, kind);
            } else if let Some((name, help)) = told("# HELP ") {
                self.helps.insert(name, help);
            } else if let Some((name, labels)) = line.split_once('{') {
                let labels = labels.split("\",").filter_map(|it| it.split_once('='));
                let labels = labels.map(|(label, _)| label.to_owned());
                let name = base(name).to_owned();
                self.labels.entry(name).or_default().extend(labels);
            }
            self.series += usize::from(!line.is_empty() && !line.starts_with('#'));
        }
    }
}

/// A histogram's name without what its series add.
fn base(name: &str) -> &str {
    name.strip_suffix("_bucket").unwrap_or(name)
}

/// The names of metrics in a text.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let names = words.filter(|word| word.starts_with("mymt5_"));
    names.map(|name| base(name).to_owned()).collect()
}

/// The bodies of both scrapes.
async fn scrape(stage: &Stage) -> [String; 2] {
    let body = |answer: String| answer.split_once("\r\n\r\n").unwrap().1.to_owned();
    let gateway = body(stage.metrics_of("gateway").await);
    [gateway, body(stage.metrics_of("engine").await)]
}

fn exported(bodies: &[String; 2]) -> Exported {
    let mut exported = Exported::default();
    bodies.iter().for_each(|body| exported.take(body));
    exported
}

/// Halts the account and lets it trade again, which an operator is told of.
async fn steer(stage: &Stage) {
    let mut control = ControlServiceClient::new(stage.operator().await);
    for state in [v1::TradingState::Halted, v1::TradingState::Active] {
        let request = v1::SetTradingStateRequest {
            request_id: format!("steer-{}", state.as_str_name()),
            client: String::new(),
            state: state.into(),
            reason: "a trial".to_owned(),
            not_after: None,
        };
        control.set_trading_state(request).await.unwrap();
    }
}

async fn start() -> Stage {
    let mut stage = Stage::set("info", &[]);
    for (name, text) in [("gateway", LIMITS), ("engine", RISK)] {
        let file = stage.path(&format!("{name}.toml"));
        let mut file = fs::File::options().append(true).open(file).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }
    for name in ["gateway", "engine"] {
        stage.start(name);
        stage.serving(name, true).await;
    }
    steer(&stage).await;
    stage
}

/// Waits until the pair exports all of these.
async fn all_of(names: &BTreeSet<String>, stage: &Stage) -> [String; 2] {
    let end = Instant::now() + BOUND;
    loop {
        let bodies = scrape(stage).await;
        let there: BTreeSet<String> = exported(&bodies).kinds.into_keys().collect();
        let lacking: Vec<_> = names.difference(&there).collect();
        if lacking.is_empty() {
            return bodies;
        }
        assert!(Instant::now() < end, "the pair never exports {lacking:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// An operator's status tells what is left of the limits, too.
async fn tells_losses(stage: &Stage) {
    let mut control = ControlServiceClient::new(stage.operator().await);
    let status = control.get_status(v1::GetStatusRequest {}).await.unwrap();
    let losses = status.into_inner().losses;
    let account = losses.iter().find(|it| it.client.is_empty()).unwrap();
    let names: Vec<&str> = account.limits.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["LIMIT_DAILY_LOSS", "LIMIT_DRAWDOWN"]);
    let mut limits = account.limits.iter();
    assert!(limits.all(|it| it.allowed > 0.0 && it.left > 0.0));
}

/// A row of the README is what the pair says.
fn hold(row: &str, exported: &Exported) {
    let cells: Vec<&str> = row.split('|').map(str::trim).collect();
    let name = cells[1].trim_matches('`');
    assert_eq!(exported.kinds.get(name).unwrap(), cells[2], "{name}");
    assert_eq!(exported.helps.get(name).unwrap(), cells[4], "{name}");
    let labels = cells[3].split(", ").filter(|label| !label.is_empty());
    let labels: BTreeSet<String> = labels.map(|it| it.trim_matches('`').to_owned()).collect();
    let mut there = exported.labels.get(name).cloned().unwrap_or_default();
    there.remove("le");
    assert_eq!(there, labels, "{name}");
}

fn prove(output: &Output) {
    assert!(output.status.success(), "{}", said(output));
}

/// Prometheus' own tool has nothing to say against what is exported, nor against the alerts.
fn check(promtool: &Path, bodies: &[String; 2]) {
    for body in bodies {
        let mut checking = Command::new(promtool)
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = checking.stdin.take().unwrap();
        input.write_all(body.as_bytes()).unwrap();
        drop(input);
        let checked = checking.wait_with_output().unwrap();
        prove(&checked);
        assert_eq!(said(&checked).trim(), "");
    }
    for arguments in [
        ["check", "config", "prometheus.yaml"],
        ["test", "rules", "rules_test.yaml"],
    ] {
        let mut command = Command::new(promtool);
        command.args(arguments).current_dir(folder());
        prove(&command.output().unwrap());
    }
}

#[tokio::test]
async fn a_pair_exports_what_its_papers_name() {
    let readme = read("README.md");
    let papers = [
        readme.clone(),
        read("rules.yaml"),
        read("rules_test.yaml"),
        read("../grafana/dashboards/mymt5.json"),
    ];
    let names: BTreeSet<String> = papers.iter().flat_map(|paper| named(paper)).collect();
    let stage = start().await;
    let bodies = all_of(&names, &stage).await;
    tells_losses(&stage).await;
    let exported = exported(&bodies);
    let rows = readme.lines().filter(|line| line.starts_with("| `mymt5_"));
    let listed: BTreeSet<&str> = rows
        .inspect(|row| hold(row, &exported))
        .filter_map(|row| row.split('`').nth(1))
        .collect();
    let there: BTreeSet<&str> = exported.kinds.keys().map(String::as_str).collect();
    assert_eq!(there, listed, "the README lists all of them");
    assert!(exported.series < MOST, "{} series", exported.series);
    if let Some(promtool) = tool("MYMT5_PROMTOOL") {
        check(&promtool, &bodies);
    }
}

#[test]
fn each_alert_is_tried_both_ways_and_says_what_to_do() {
    let tested = read("rules_test.yaml");
    let rules = read("rules.yaml");
    let mut alerts = rules.split("- alert: ").skip(1).peekable();
    assert!(alerts.peek().is_some());
    for alert in alerts {
        let name = alert.lines().next().unwrap();
        for told in ["severity: ", "summary: ", "fix: "] {
            assert!(alert.contains(told), "{name} has no {told}");
        }
        for trial in [format!("- name: {name}\n"), format!("- name: no {name}\n")] {
            assert!(tested.contains(&trial), "{trial}");
        }
    }
}

#[tokio::test]
async fn a_prometheus_answers_each_query_of_the_dashboard() {
    let (Some(python), Some(prometheus)) = (tool("MYMT5_PYTHON"), tool("MYMT5_PROMETHEUS")) else {
        return;
    };
    let stage = start().await;
    let asked = Command::new(python)
        .arg(folder().join("queries.py"))
        .args(["--gateway", &stage.operations("gateway")])
        .args(["--engine", &stage.operations("engine")])
        .arg("--prometheus")
        .arg(prometheus)
        .output()
        .unwrap();
    prove(&asked);
}

#[test]
fn a_state_in_which_something_is_wrong_is_not_green() {
    let board: Value = serde_json::from_str(&read("../grafana/dashboards/mymt5.json")).unwrap();
    let panels = board["panels"].as_array().unwrap();
    let titled = |title: &str| panels.iter().find(|panel| panel["title"] == title).unwrap();
    for (title, well) in [("Link", "READY"), ("Trading", "ACTIVE")] {
        let colors = &titled(title)["fieldConfig"];
        assert_eq!(colors["defaults"]["color"]["fixedColor"], "red", "{title}");
        for named in colors["overrides"].as_array().unwrap() {
            let is_well = named["matcher"]["options"] == well;
            let color = &named["properties"][0]["value"]["fixedColor"];
            assert_eq!(color == "green", is_well, "{title}: {named}");
        }
    }
    let connected = titled("Engines connected")["targets"][0]["expr"].as_str();
    assert!(connected.unwrap().starts_with("min("), "{connected:?}");
}

#[test]
fn each_panel_of_the_dashboard_has_a_place_of_its_own() {
    let board: Value = serde_json::from_str(&read("../grafana/dashboards/mymt5.json")).unwrap();
    let panels = board["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}");
        let at = |side: &str| panel["gridPos"][side].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24, "{title} is too wide");
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(taken.insert((x, y)), "{title} lies on another panel");
            }
        }
    }
}
