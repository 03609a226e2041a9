//! A symbol's past, from the gateway into a file: what was replayed comes out as it went in.

use crate::stage::{Stage, eventually};
use mymt5_proto::v1::{GetStatusRequest, control_service_client::ControlServiceClient};
use std::{
    fmt::Write,
    fs,
    path::Path,
    process::{Command, Output},
};

const HEADER: &str = "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\r\n";
/// More than two pages.
const TICKS: u64 = 11_000;
/// Of one millisecond: no page ends behind a whole group.
const GROUP: u64 = 3;
const SPAN: [&str; 4] = ["--from", "2026-07-01", "--to", "2026-07-02"];

/// Ticks as the terminal exports them, a group each 20 ms.
fn export() -> String {
    let mut text = HEADER.to_owned();
    let mut before = (0, 0);
    for n in 0..TICKS {
        let ms = n / GROUP * 20;
        let (minute, second, ms) = (ms / 60_000, ms / 1_000 % 60, ms % 1_000);
        let now = (65_000 + n / 2 % 300, 65_400 + n / 5 % 300);
        let side = |now: u64, before: u64| match now {
            same if same == before => String::new(),
            _ => format!("0.{now}"),
        };
        let (bid, ask) = (side(now.0, before.0), side(now.1, before.1));
        before = now;
        let time = format!("2026.07.01\t10:{minute:02}:{second:02}.{ms:03}");
        let _ = write!(text, "{time}\t{bid}\t{ask}\t\t\t6\r\n");
    }
    text
}

/// A gateway that has replayed them.
async fn replayed() -> Stage {
    let mut stage = Stage::set("info", &[]);
    fs::write(stage.path("AUDUSD_ticks.csv"), export()).unwrap();
    let config = stage.path("gateway.toml");
    let text = fs::read_to_string(&config).unwrap();
    let synthetic = "speed = \"10\"\nsymbols = [\"EURUSD\", \"GBPUSD\"]\n";
    assert!(text.contains(synthetic));
    let replay = "feed = \"ticks\"\nfile = \"AUDUSD_ticks.csv\"\nspeed = \"10000\"\n";
    fs::write(&config, text.replace(synthetic, replay)).unwrap();
    stage.start("gateway");
    stage.serving("gateway", true).await;
    let mut control = ControlServiceClient::new(stage.operator().await);
    eventually("the end of the replay", async || {
        let status = control.get_status(GetStatusRequest {}).await.ok()?;
        let ticks = status.into_inner().counters?.ticks;
        (ticks == TICKS).then_some(())
    })
    .await;
    stage
}

fn history(stage: &Stage, asked: &[&str], out: &Path) -> Output {
    history_of(stage, &[&["--symbol", "AUDUSD"][..], asked].concat(), out)
}

fn history_of(stage: &Stage, asked: &[&str], out: &Path) -> Output {
    Command::new(stage.program("engine"))
        .args(["history", "--config", "engine.toml"])
        .args(asked)
        .arg("--out")
        .arg(out)
        .current_dir(stage.path(""))
        .output()
        .unwrap()
}

fn ticks(stage: &Stage, out: &Path) -> Output {
    history(stage, &[&SPAN[..], &["--ticks"]].concat(), out)
}

/// What it says where it refuses, with that code.
fn refused(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_file_is_continued_without_a_lost_or_doubled_row() {
    let stage = replayed().await;
    let out = stage.path("out.csv");
    let begun = stage.path("out.csv.part");
    let whole = export();
    let written = ticks(&stage, &out);
    assert!(written.status.success(), "{written:?}");
    let said = String::from_utf8(written.stdout).unwrap();
    assert!(said.ends_with(&format!("{TICKS} rows\n")), "{said}");
    assert!(fs::read_to_string(&out).unwrap() == whole && !begun.exists());
    assert!(refused(&ticks(&stage, &out), 69).contains("exists already"));
    let nowhere = stage.path("nowhere/out.csv");
    assert!(refused(&ticks(&stage, &nowhere), 69).contains("cannot open"));
    let unknown = ["--symbol", "EURJPY", "--ticks"];
    let unknown = [&SPAN[..], &unknown].concat();
    assert!(refused(&history_of(&stage, &unknown, &nowhere), 2).contains("EURJPY"));

    let ends: Vec<usize> = whole.match_indices('\n').map(|(at, _)| at + 1).collect();
    // Inside the header, behind it, between the rows of a millisecond, inside a row, at a page's end,
    // and behind the last row.
    let row = |n: usize| ends[n];
    let cuts = [
        7,
        row(0),
        row(1),
        row(2),
        row(3),
        row(7) - 9,
        row(5_000),
        row(5_001) - 1,
    ];
    for cut in cuts.into_iter().chain([whole.len()]) {
        fs::remove_file(&out).unwrap();
        fs::write(&begun, &whole[..cut]).unwrap();
        let written = ticks(&stage, &out);
        assert!(written.status.success(), "cut at {cut}: {written:?}");
        assert!(fs::read_to_string(&out).unwrap() == whole, "cut at {cut}");
        assert!(!begun.exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_another_past_is_refused_and_left_as_it_is() {
    let stage = replayed().await;
    let out = stage.path("out.csv");
    let begun = stage.path("out.csv.part");
    let whole = export();
    let ends: Vec<usize> = whole.match_indices('\n').map(|(at, _)| at + 1).collect();
    let rows = &whole[..ends[40]];
    let another_price = rows.replacen("0.65400", "0.65401", 1);
    let another_last = format!("{}2026.07.01\t10:09:00.000\t\t\t\t\t6\r\n", rows);
    for other in [&another_price, &another_last] {
        fs::write(&begun, other).unwrap();
        let said = refused(&ticks(&stage, &out), 65);
        assert!(said.contains("holds other rows"), "{said}");
        assert_eq!(&fs::read_to_string(&begun).unwrap(), other);
    }
    fs::write(&begun, "a letter").unwrap();
    assert!(refused(&ticks(&stage, &out), 65).contains("does not begin"));
    // The same file, asked for from later on.
    fs::write(&begun, rows).unwrap();
    let later = [
        "--from",
        "2026-07-01T10:00:01",
        "--to",
        "2026-07-02",
        "--ticks",
    ];
    let said = refused(&history(&stage, &later, &out), 65);
    assert!(said.contains("holds other rows"), "{said}");
    assert!(!out.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn bars_are_written_once_they_are_finished() {
    let stage = replayed().await;
    let out = stage.path("AUDUSD_M1.csv");
    let asked = [&SPAN[..], &["--bars", "M1"]].concat();
    let written = history(&stage, &asked, &out);
    assert!(written.status.success(), "{written:?}");
    let text = fs::read_to_string(&out).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    // A minute has 3,000 groups; the ticks end inside the second one.
    assert_eq!(lines.len(), 2, "{text}");
    assert_eq!(
        lines[1],
        "2026.07.01\t10:00:00\t0.65000\t0.65299\t0.65000\t0.65299\t9000\t0\t160"
    );
    let wrong = ["--from", "2026-07-02", "--to", "2026-07-01", "--ticks"];
    let other = stage.path("other.csv");
    assert!(refused(&history(&stage, &wrong, &other), 2).contains("--to"));
    assert!(!other.exists());
}
