//! Ticks and bars of the past, page by page, over the wire.

use crate::{
    harness::Gateway,
    replay::{HEADER, ended},
};
use mymt5_proto::{Reason, reason_of, v1};
use std::{fmt::Write, fs};
use tonic::Code;
use tonic_types::StatusExt;

/// 2026-07-01 10:00 on the broker's clock, which is three hours ahead then; milliseconds.
const BEGUN: i64 = 1_782_900_000_000;
const HOUR_MS: i64 = 3_600_000;
/// When each tick came, milliseconds after that, and its bid in points.
const TICKS: [(i64, u32); 7] = [
    (0, 65_000),
    (500, 65_010),
    (500, 65_011),
    (500, 65_012),
    (59_999, 64_990),
    (60_000, 65_020),
    (300_000, 65_030),
];

fn export() -> String {
    let mut text = HEADER.to_owned();
    for (ms, bid) in TICKS {
        let (minute, second, ms) = (ms / 60_000, ms / 1_000 % 60, ms % 1_000);
        let time = format!("2026.07.01\t10:{minute:02}:{second:02}.{ms:03}");
        let _ = write!(text, "{time}\t0.{bid}\t0.{}\t\t\t6\r\n", bid + 10);
    }
    text
}

/// A gateway that has replayed them.
async fn replayed() -> Gateway {
    let file = tempfile::NamedTempFile::with_prefix("AUDUSD_").unwrap();
    fs::write(file.path(), export()).unwrap();
    let feed = format!(
        "feed = \"ticks\"\nfile = \"{}\"\nspeed = \"10000\"\nmode = \"netting\"",
        file.path().display()
    );
    let gateway = Gateway::start(&feed).await;
    ended(&gateway).await;
    gateway
}

fn ticks(from: i64, to: i64, page_size: u32) -> v1::ListTicksRequest {
    v1::ListTicksRequest {
        symbol: "AUDUSD".into(),
        from_broker_ms: BEGUN + from,
        to_broker_ms: BEGUN + to,
        page_size,
        page_token: String::new(),
    }
}

fn bars(timeframe: v1::Timeframe) -> v1::ListBarsRequest {
    v1::ListBarsRequest {
        symbol: "AUDUSD".into(),
        timeframe: timeframe.into(),
        ..Default::default()
    }
}

/// The points of a price.
fn points(price: f64) -> u32 {
    (price * 1e5).round() as u32
}

/// All pages.
async fn read(gateway: &Gateway, mut request: v1::ListTicksRequest) -> Vec<v1::Tick> {
    let mut market = gateway.market_data().await;
    let mut all = Vec::new();
    loop {
        let page = market.list_ticks(request.clone()).await.unwrap();
        let page = page.into_inner();
        assert!(page.ticks.len() <= request.page_size as usize);
        all.extend(page.ticks);
        if page.next_page_token.is_empty() {
            return all;
        }
        request.page_token = page.next_page_token;
    }
}

#[tokio::test]
async fn ticks_are_listed_page_by_page_in_both_times() {
    let gateway = replayed().await;
    for page_size in [1, 2, 3, 100] {
        let all = read(&gateway, ticks(0, HOUR_MS, page_size)).await;
        let told: Vec<_> = all
            .iter()
            .map(|tick| {
                let time = tick.time.unwrap();
                let ms = time.broker_ms.unwrap() - BEGUN;
                assert_eq!(time.utc_ms, Some(BEGUN + ms - 3 * HOUR_MS));
                assert_eq!(points(tick.ask) - points(tick.bid), 10);
                assert_eq!((tick.kind(), tick.flags), (v1::TickKind::History, 6));
                (ms, points(tick.bid))
            })
            .collect();
        assert_eq!(told, TICKS, "pages of {page_size}");
    }
    let some = read(&gateway, ticks(500, 60_000, 2)).await;
    let bids: Vec<u32> = some.iter().map(|tick| points(tick.bid)).collect();
    assert_eq!(bids, [65_010, 65_011, 65_012, 64_990]);
    assert!(read(&gateway, ticks(-HOUR_MS, 0, 2)).await.is_empty());
}

#[tokio::test]
async fn bars_are_listed_of_what_was_replayed() {
    let gateway = replayed().await;
    let mut market = gateway.market_data().await;
    let newest = market.list_bars(bars(v1::Timeframe::M1)).await.unwrap();
    let newest = newest.into_inner();
    let shape = |bar: &v1::Bar| {
        let opened = bar.time.unwrap().broker_ms.unwrap() - BEGUN;
        let prices = [bar.open, bar.high, bar.low, bar.close].map(points);
        (opened / 60_000, prices, bar.tick_volume, bar.finished)
    };
    let all = [
        (0, [65_000, 65_012, 64_990, 64_990], 5, true),
        (1, [65_020; 4], 1, true),
        (5, [65_030; 4], 1, false),
    ];
    assert_eq!(newest.bars.iter().map(shape).collect::<Vec<_>>(), all);
    assert_eq!(newest.bars[0].spread_points, 10);
    assert!(newest.next_page_token.is_empty());
    let mut request = v1::ListBarsRequest {
        from_broker_ms: Some(BEGUN),
        to_broker_ms: Some(BEGUN + 300_000),
        limit: 1,
        ..bars(v1::Timeframe::M1)
    };
    let mut listed = Vec::new();
    loop {
        let page = market.list_bars(request.clone()).await.unwrap();
        let page = page.into_inner();
        listed.extend(page.bars.iter().map(shape));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0], all[0]);
    let days = market.list_bars(bars(v1::Timeframe::D1)).await.unwrap();
    let days = days.into_inner().bars;
    assert_eq!((days.len(), days[0].tick_volume), (1, TICKS.len() as u64));
}

#[tokio::test]
async fn a_wrong_request_names_its_fields() {
    let gateway = replayed().await;
    let mut market = gateway.market_data().await;
    let wrong = v1::ListTicksRequest {
        symbol: "NOPE".into(),
        page_token: "7".into(),
        ..ticks(0, 0, 5_001)
    };
    let status = market.list_ticks(wrong).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(reason_of(&status), Some(Reason::SymbolUnknown));
    let details = status.get_details_bad_request().unwrap();
    let fields = details.field_violations.iter();
    let fields: Vec<&str> = fields.map(|fault| fault.field.as_str()).collect();
    assert_eq!(
        fields,
        ["symbol", "page_size", "to_broker_ms", "page_token"]
    );
    let long = market.list_ticks(ticks(0, 367 * 24 * HOUR_MS, 0)).await;
    assert_eq!(long.unwrap_err().code(), Code::InvalidArgument);
    let unset = market.list_bars(bars(v1::Timeframe::Unspecified)).await;
    assert_eq!(
        reason_of(&unset.unwrap_err()),
        Some(Reason::EnumUnspecified)
    );
}
