//! A replay of an export: tick by tick with subscribers in step, and its file's faults.

use crate::harness::{BOUND, Gateway};
use mymt5_proto::v1;
use std::{fmt::Write, fs, process::Stdio, time::Duration};
use tokio::{
    process::Command,
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

pub(crate) const HEADER: &str = "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\r\n";
const TICKS: u32 = 20;
/// Bid and ask of the first tick, and how far each next one is from it; points.
const FIRST: (u32, u32, u32) = (65_000, 65_010, 7);

/// Bid and ask of a tick, points.
fn quote(n: u32) -> (u32, u32) {
    let (bid, ask, step) = FIRST;
    (bid + step * n, ask + step * n)
}

fn export() -> String {
    let mut text = HEADER.to_owned();
    for n in 0..TICKS {
        let (bid, ask) = quote(n);
        let _ = write!(
            text,
            "2026.07.01\t10:00:{n:02}.000\t0.{bid}\t0.{ask}\t\t\t6\r\n"
        );
    }
    text
}

fn order(n: u32) -> v1::SubmitOrderRequest {
    let side = if n.is_multiple_of(2) {
        v1::Side::Buy
    } else {
        v1::Side::Sell
    };
    v1::SubmitOrderRequest {
        request_id: format!("replay-{n}"),
        symbol: "AUDUSD".into(),
        side: side.into(),
        r#type: v1::OrderType::Market.into(),
        lots: 0.01,
        ..Default::default()
    }
}

struct InStep {
    said: mpsc::Sender<v1::StreamTicksInStepRequest>,
    ticks: Streaming<v1::StreamTicksInStepResponse>,
}

impl InStep {
    async fn subscribe(gateway: &Gateway) -> Self {
        let (said, requests) = mpsc::channel(2);
        let first = v1::StreamTicksInStepRequest::default();
        said.send(first).await.unwrap();
        let mut market = gateway.market_data().await;
        let ticks = market.stream_ticks_in_step(ReceiverStream::new(requests));
        Self {
            said,
            ticks: ticks.await.unwrap().into_inner(),
        }
    }

    async fn next(&mut self) -> v1::StreamTicksInStepResponse {
        let next = timeout(BOUND, self.ticks.message()).await;
        next.unwrap().unwrap().unwrap()
    }

    async fn done(&self) {
        let done = v1::StreamTicksInStepRequest::default();
        self.said.send(done).await.unwrap();
    }
}

/// Waits for the end of the replay: why it is over.
pub(crate) async fn ended(gateway: &Gateway) -> String {
    let over = async {
        loop {
            let link = gateway.status().await.link.unwrap();
            if link.state() == v1::LinkState::MarketClosed {
                break link.reason;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(BOUND, over).await.unwrap()
}

/// A tick of a symbol that is priced in yen is worth the less the more of them a dollar costs.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_tick_is_worth_follows_the_ticks() {
    const BIDS: [u32; 3] = [100, 125, 160];
    let file = tempfile::NamedTempFile::with_prefix("USDJPY_").unwrap();
    let mut text = HEADER.to_owned();
    for (n, bid) in BIDS.into_iter().enumerate() {
        let _ = write!(
            text,
            "2026.07.01\t1{n}:00:00.000\t{bid}.000\t{bid}.010\t\t\t6\r\n"
        );
    }
    fs::write(file.path(), text).unwrap();
    let feed = format!(
        "feed = \"ticks\"\nfile = \"{}\"\nspeed = \"max\"",
        file.path().display()
    );
    let gateway = Gateway::start(&feed).await;
    let mut market = gateway.market_data().await;
    let mut in_step = InStep::subscribe(&gateway).await;
    for bid in BIDS {
        in_step.next().await;
        let listed = market.list_symbols(v1::ListSymbolsRequest {}).await;
        let symbols = listed.unwrap().into_inner().symbols;
        let worth = symbols[0].tick_value.unwrap();
        assert!(
            (worth - 100.0 / f64::from(bid)).abs() < 1e-9,
            "{worth} at {bid}"
        );
        in_step.done().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_order_meets_the_tick_that_led_to_it() {
    let file = tempfile::NamedTempFile::with_prefix("AUDUSD_").unwrap();
    fs::write(file.path(), export()).unwrap();
    let feed = format!(
        "feed = \"ticks\"\nfile = \"{}\"\nspeed = \"max\"\nmode = \"netting\"",
        file.path().display()
    );
    let gateway = Gateway::start(&feed).await;
    let mut trading = gateway.trading().await;
    let mut in_step = InStep::subscribe(&gateway).await;
    let mut told = 0;
    for n in 0..TICKS {
        let batch = in_step.next().await;
        let (bid, ask) = quote(n);
        assert!(batch.waits && batch.ticks.len() == 1, "{batch:?}");
        assert!((batch.ticks[0].bid - f64::from(bid) / 1e5).abs() < 1e-9);
        assert!(batch.after_sequence >= told, "{batch:?}");
        assert!(batch.account.is_some(), "{batch:?}");
        if n == 3 {
            let early = timeout(Duration::from_millis(300), in_step.ticks.message()).await;
            assert!(early.is_err(), "not before the last is done with");
        }
        let answer = trading.submit_order(order(n)).await.unwrap();
        let order = answer.into_inner().order.unwrap();
        let price = if n.is_multiple_of(2) { ask } else { bid };
        assert_eq!(order.state(), v1::OrderState::Filled, "{}", order.reason);
        let filled_at = order.average_price.unwrap();
        assert!(
            (filled_at - f64::from(price) / 1e5).abs() < 1e-9,
            "{order:?}"
        );
        let snapshot = trading.get_snapshot(v1::GetSnapshotRequest {}).await;
        told = snapshot.unwrap().into_inner().sequence;
        in_step.done().await;
    }
    assert_eq!(ended(&gateway).await, "the replay is over");
    let counters = gateway.status().await.counters.unwrap();
    assert_eq!(counters.ticks, u64::from(TICKS));
}

/// The target lies between the low and the high of the first bar.
#[tokio::test(flavor = "multi_thread")]
async fn within_a_bar_a_target_is_done_at_its_own_price() {
    const BARS: &str = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\r\n\
         2026.07.01\t10:00:00\t0.65000\t0.65300\t0.64990\t0.65250\t9\t0\t10\r\n\
         2026.07.01\t11:00:00\t0.65250\t0.65260\t0.65240\t0.65250\t9\t0\t10\r\n";
    const TARGET: f64 = 0.651;
    let file = tempfile::NamedTempFile::with_prefix("AUDUSD_H1_").unwrap();
    fs::write(file.path(), BARS).unwrap();
    let feed = format!(
        "feed = \"bars\"\nfile = \"{}\"\nspeed = \"max\"\nmode = \"netting\"",
        file.path().display()
    );
    let gateway = Gateway::start(&feed).await;
    let mut trading = gateway.trading().await;
    let mut in_step = InStep::subscribe(&gateway).await;
    in_step.next().await;
    let bought = v1::SubmitOrderRequest {
        take_profit: Some(TARGET),
        ..order(0)
    };
    let answer = trading.submit_order(bought).await.unwrap();
    let order = answer.into_inner().order.unwrap();
    assert_eq!(order.state(), v1::OrderState::Filled, "{}", order.reason);
    for _ in 1..8 {
        in_step.done().await;
        in_step.next().await;
    }
    in_step.done().await;
    assert_eq!(ended(&gateway).await, "the replay is over");
    let reached = async {
        loop {
            let listed = trading.list_deals(v1::ListDealsRequest::default()).await;
            let deals = listed.unwrap().into_inner().deals;
            let reached = |deal: &v1::Deal| deal.reason() == v1::DealReason::Tp;
            if let Some(deal) = deals.into_iter().find(reached) {
                break deal;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let reached = timeout(BOUND, reached).await.unwrap();
    assert!((reached.price - TARGET).abs() < 1e-9, "{reached:?}");
}

#[tokio::test]
async fn a_feed_by_the_clock_waits_for_nobody() {
    let gateway = Gateway::start("speed = \"10\"").await;
    let mut in_step = InStep::subscribe(&gateway).await;
    for _ in 0..5 {
        assert!(!in_step.next().await.waits);
    }
}

#[tokio::test]
async fn a_file_that_breaks_off_ends_the_replay_with_its_own_fault() {
    let file = tempfile::NamedTempFile::with_prefix("AUDUSD_").unwrap();
    fs::write(file.path(), format!("{}rubbish\r\n", export())).unwrap();
    let feed = format!(
        "feed = \"ticks\"\nfile = \"{}\"\nspeed = \"10000\"\nmode = \"netting\"",
        file.path().display()
    );
    let gateway = Gateway::start(&feed).await;
    let why = ended(&gateway).await;
    assert_eq!(why, "the replay ended early: line 22: not a date and time");
}

/// A file of ticks by that name, and whether a gateway that lists those symbols would replay it.
async fn checked(file: &str, symbols: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(file), export()).unwrap();
    let hosts = ["localhost".to_owned()];
    mymt5_chassis::tls::dev_certs(&folder.path().join("config/tls"), &[], &hosts, 1).unwrap();
    let text = format!(
        "[broker.simulator]\nfeed = \"ticks\"\nfile = \"{file}\"\nsymbols = {symbols}\n[clients.a]\n\
         certificate = \"spiffe://mymt5/client/a\"\npermissions = [\"read\"]\n"
    );
    fs::write(folder.path().join("gateway.toml"), text).unwrap();
    let mut check = Command::new(env!("CARGO_BIN_EXE_mymt5-gateway"));
    check
        .args(["check", "--config", "gateway.toml"])
        .current_dir(folder.path())
        .stdin(Stdio::null());
    let output = check.output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), said)
}

#[tokio::test]
async fn a_file_of_a_symbol_that_is_not_listed_is_refused() {
    let (code, said) = checked("AUDUSD_ticks.csv", "[\"EURUSD\", \"GBPUSD\"]").await;
    assert_eq!(code, Some(78), "{said}");
    assert!(
        said.contains("broker.simulator.symbols: lacks AUDUSD"),
        "{said}"
    );
    for (file, symbols) in [
        ("AUDUSD_ticks.csv", "[\"EURUSD\", \"AUDUSD\"]"),
        ("ticks.csv", "[\"EURUSD\", \"AUDUSD\"]"),
    ] {
        let (code, said) = checked(file, symbols).await;
        assert_eq!(code, Some(0), "{file}: {said}");
    }
}

/// Those of the file's name, wherever it stands in the list.
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_of_the_symbol_that_its_file_is_named_after() {
    let file = tempfile::NamedTempFile::with_prefix("AUDUSD_").unwrap();
    fs::write(file.path(), export()).unwrap();
    let feed = format!(
        "feed = \"ticks\"\nfile = \"{}\"\nspeed = \"max\"\nsymbols = [\"EURUSD\", \"AUDUSD\"]",
        file.path().display()
    );
    let gateway = Gateway::start(&feed).await;
    let mut in_step = InStep::subscribe(&gateway).await;
    let batch = in_step.next().await;
    assert_eq!(batch.ticks[0].symbol, "AUDUSD");
}

#[tokio::test]
async fn what_cannot_be_replayed_is_told_by_the_check() {
    const BARS: &str =
        "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\r\n";
    let rubbish = format!("{HEADER}rubbish\r\n");
    let cases: [(&[u8], &str); 5] = [
        (b"", "line 1: the file is empty"),
        (&[0x1F, 0x8B, 8, 0], "line 1: the file is compressed"),
        (BARS.as_bytes(), "line 1: bars, where ticks"),
        (HEADER.as_bytes(), "has no row"),
        (rubbish.as_bytes(), "line 2: not a date and time"),
    ];
    for (bytes, told) in cases {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("AUDUSD.csv"), bytes).unwrap();
        let text = "[broker.simulator]\nfeed = \"ticks\"\nfile = \"AUDUSD.csv\"\n[clients.a]\n\
                    certificate = \"spiffe://mymt5/client/a\"\npermissions = [\"read\"]\n";
        fs::write(folder.path().join("gateway.toml"), text).unwrap();
        let mut check = Command::new(env!("CARGO_BIN_EXE_mymt5-gateway"));
        check
            .args(["check", "--config", "gateway.toml"])
            .current_dir(folder.path())
            .stdin(Stdio::null());
        let output = check.output().await.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{said}");
        assert!(said.contains("broker.simulator.file"), "{said}");
        assert!(said.contains(told), "{told}: {said}");
    }
}
