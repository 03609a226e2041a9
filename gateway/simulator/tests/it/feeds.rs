//! Files as the terminal writes them, and files as it never would; and the synthetic market.

use crate::{oracle::real_data, support::*};
use mymt5_model::*;
use mymt5_simulator::feed::{
    BarFile, BarSample, BarTicks, FeedError, Synthetic, TickFile, period_of,
};
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

const ROWS: &str = "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\r\n\
    2024.01.08\t00:00:00.001\t1.09990\t\t\t\t2\r\n\
    2024.01.08\t00:00:00.002\t1.10000\t1.10010\t\t\t6\r\n\
    2024.01.08\t00:00:00.003\t\t1.10012\t\t\t4\r\n\
    \r\n\
    2024.01.08\t00:00:00.003\t1.1\t\t\t2.5\t1026\r\n";

struct File {
    _folder: TempDir,
    path: PathBuf,
}

fn file(bytes: &[u8]) -> File {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("EURUSD_test.csv");
    fs::write(&path, bytes).unwrap();
    File {
        _folder: folder,
        path,
    }
}

fn utf16(text: &str) -> Vec<u8> {
    let wide = text.encode_utf16().flat_map(u16::to_le_bytes);
    [0xFF, 0xFE].into_iter().chain(wide).collect()
}

fn ticks(bytes: &[u8]) -> Vec<Tick> {
    let file = file(bytes);
    TickFile::open(&file.path, &spec("EURUSD"))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

fn tick_of(ms: i64, bid: i64, ask: i64, volume: f64, flags: u32) -> Tick {
    Tick {
        volume,
        flags,
        ..tick("EURUSD", ms, bid, ask)
    }
}

#[test]
fn reads_every_dress_of_the_same_rows() {
    let expected = [
        tick_of(2, 110_000, 110_010, 0.0, 6),
        tick_of(3, 110_000, 110_012, 0.0, 4),
        tick_of(3, 110_000, 110_012, 2.5, 1026),
    ];
    let lf = ROWS.replace("\r\n", "\n");
    let comma = ROWS.replace('\t', ",");
    let bare = ROWS.replace(['<', '>'], "").replace("DATE", "Date");
    let no_end = ROWS.trim_end();
    let bom = format!("\u{feff}{ROWS}");
    for dress in [ROWS, &lf, &comma, &bare, no_end, &bom] {
        assert_eq!(ticks(dress.as_bytes()), expected, "{dress:?}");
        assert_eq!(
            ticks(&utf16(dress.trim_start_matches('\u{feff}'))),
            expected
        );
    }
}

#[test]
fn a_blank_last_price_is_unchanged_too() {
    let rows = format!(
        "{ROWS}2024.01.08\t00:00:01\t\t\t1.10005\t1\t8\r\n2024.01.08\t00:00:02\t1.2\t1.3\t\t\t6\r\n"
    );
    let last: Vec<_> = ticks(rows.as_bytes()).into_iter().map(|t| t.last).collect();
    assert_eq!(
        last,
        [None, None, None, Some(px(110_005)), Some(px(110_005))]
    );
}

#[test]
fn prices_are_written_with_the_digits_of_the_broker() {
    let decimals = |text: &str| {
        let file = file(text.as_bytes());
        let file = TickFile::open(&file.path, &spec("EURUSD")).unwrap();
        file.decimals().unwrap()
    };
    assert_eq!(decimals(ROWS), Some(5));
    assert_eq!(
        decimals("DATE,TIME,BID,ASK\n2024.01.08,00:00,4000.1,4001\n"),
        Some(1)
    );
    assert_eq!(
        decimals("DATE,TIME,BID,ASK\n2024.01.08,00:00,4000,\n"),
        Some(0)
    );
    assert_eq!(decimals("DATE,TIME,BID,ASK\n"), None);
}

#[test]
fn columns_are_found_by_name() {
    let text = "ASK,BID,EXTRA,TIME,DATE\n1.10010,1.10000,x,00:00:01,2024.01.08\n";
    assert_eq!(
        ticks(text.as_bytes()),
        [tick_of(1000, 110_000, 110_010, 0.0, 0)]
    );
}

#[test]
fn wide_files_are_read_across_chunks() {
    let rows: String = (0..5000)
        .map(|i| {
            format!(
                "2024.01.08\t00:00:{:02}.{:03}\t1.{:05}\t2.0\t\t\t6\r\n",
                i / 1000,
                i % 1000,
                i + 1
            )
        })
        .collect();
    let text = format!("<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\r\n{rows}");
    let wide = ticks(&utf16(&text));
    assert_eq!(wide.len(), 5000);
    assert_eq!(wide, ticks(text.as_bytes()));
    assert_eq!(
        (wide[4999].bid.points(), wide[4999].time.0),
        (105_000, MONDAY + 4999)
    );
}

#[test]
fn a_malformed_line_is_named_and_ends_the_feed() {
    for bad in [
        "2024.01.08\t00:00:00.004\tx\t1.10010\t\t\t6",
        "2024.01.08\t00:00:00.004\t1.100001\t1.10010\t\t\t6",
        "2024.01.08\t00:00:00.004\t-1.1\t1.10010\t\t\t6",
        "2024.01.08\t25:00:00\t1.1\t1.10010\t\t\t6",
        "2024.02.30\t00:00:00\t1.1\t1.10010\t\t\t6",
        "2024.01.08\t00:00:00\t1.1\t1.10010\t\tmuch\t6",
        "2024.01.08\t00:00:00\t1.1\t1.10010\t\t\t99999999999",
        "garbage",
    ] {
        let file = file(format!("{ROWS}{bad}\r\n{}", &ROWS[ROWS.len() - 50..]).as_bytes());
        let mut feed = TickFile::open(&file.path, &spec("EURUSD")).unwrap();
        assert_eq!(feed.by_ref().take(3).filter(Result::is_ok).count(), 3);
        let error = feed.next().unwrap().unwrap_err();
        assert!(
            matches!(error, FeedError::Malformed { line: 7, .. }),
            "{bad}: {error}"
        );
        assert!(error.to_string().contains("EURUSD_test.csv line 7: "));
        assert!(feed.next().is_none());
    }
}

#[test]
fn files_that_are_no_exports_are_refused() {
    let open = |bytes: &[u8]| TickFile::open(&file(bytes).path, &spec("EURUSD")).err();
    assert!(matches!(open(b""), Some(FeedError::Malformed { .. })));
    assert!(matches!(
        open(b"2024.01.08\t00:00\t1\t1\n"),
        Some(FeedError::Malformed { line: 1, .. })
    ));
    assert!(matches!(
        open(&[b'x'; 10_000]),
        Some(FeedError::Malformed { .. })
    ));
    let missing = TickFile::open("/nowhere/EURUSD.csv", &spec("EURUSD")).err();
    assert!(matches!(missing, Some(FeedError::Open { .. })));
    let mut cut = utf16(ROWS);
    cut.pop();
    let file = file(&cut);
    let end = TickFile::open(&file.path, &spec("EURUSD")).unwrap().last();
    assert!(matches!(end, Some(Err(FeedError::Read { .. }))));
}

#[test]
fn what_is_wrong_with_a_file_is_told_by_its_first_bytes() {
    const BARS: &[u8] = b"<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\r\n";
    let little = utf16(ROWS);
    let big: Vec<u8> = ROWS.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let marked = [&[0xFE, 0xFF][..], &big].concat();
    let cases: [(&[u8], &str); 8] = [
        (b"", "empty"),
        (&[0x1F, 0x8B, 8, 0], "compressed"),
        (&[0x28, 0xB5, 0x2F, 0xFD], "compressed"),
        (b"PK\x03\x04", "compressed"),
        (&marked, "UTF-16"),
        (&big, "UTF-16"),
        (&little[2..], "UTF-16"),
        (BARS, "bars, where ticks"),
    ];
    for (bytes, told) in cases {
        let ticks = TickFile::open(&file(bytes).path, &spec("EURUSD")).err();
        let said = ticks.unwrap().to_string();
        assert!(said.contains("EURUSD_test.csv line 1: "), "{said}");
        assert!(said.contains(told), "{said}");
    }
    let bars = BarFile::open(&file(ROWS.as_bytes()).path, &spec("EURUSD")).err();
    let said = bars.unwrap().to_string();
    assert!(said.contains("ticks, where bars"), "{said}");
}

#[test]
fn bars_read_and_told_as_ticks() {
    let text = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\r\n\
        2024.01.08\t00:00:00\t1.10000\t1.10050\t1.09980\t1.10020\t321\t0\t12\r\n\
        2024.01.08\t01:00:00\t1.10020\t1.10030\t1.09900\t1.09950\t99\t0\t15\r\n";
    let file = file(text.as_bytes());
    let bars: Vec<Bar> = BarFile::open(&file.path, &spec("EURUSD"))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(
        (bars.len(), bars[0].tick_volume, bars[1].spread_points),
        (2, 321, 15)
    );
    let told = BarTicks::new(BarFile::open(&file.path, &spec("EURUSD")).unwrap(), HOUR);
    let told: Vec<(i64, i64, i64)> = told
        .map(Result::unwrap)
        .map(|t| {
            (
                (t.time.0 - MONDAY) / (HOUR / 4),
                t.bid.points(),
                t.ask.points() - t.bid.points(),
            )
        })
        .collect();
    assert_eq!(
        told[..4],
        [
            (0, 110_000, 12),
            (1, 109_980, 12),
            (2, 110_050, 12),
            (3, 110_020, 12)
        ]
    );
    assert_eq!(
        told[4..],
        [
            (4, 110_020, 15),
            (5, 110_030, 15),
            (6, 109_900, 15),
            (7, 109_950, 15)
        ]
    );
    let daily = text
        .replace("\t<TIME>", "")
        .replace("\t00:00:00", "")
        .replace("\t01:00:00", "");
    let daily = self::file(daily.as_bytes());
    let bar = BarFile::open(&daily.path, &spec("EURUSD"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    assert_eq!(bar.time, BrokerTime(MONDAY));
    let inside_out = self::file(text.replace("1.10050", "1.10010").as_bytes());
    let error = BarFile::open(&inside_out.path, &spec("EURUSD"))
        .unwrap()
        .next()
        .unwrap();
    assert!(matches!(error, Err(FeedError::Malformed { line: 2, .. })));
}

/// Bids and spreads of the ticks of bars, each told by its open, high, low and close.
fn told(bars: &[[i64; 4]], spread: Option<u32>) -> Vec<(i64, i64)> {
    let bar = |(hour, [open, high, low, close]): (i64, &[i64; 4])| {
        Ok(Bar {
            symbol: symbol("EURUSD"),
            time: BrokerTime(MONDAY + hour * HOUR),
            open: px(*open),
            high: px(*high),
            low: px(*low),
            close: px(*close),
            tick_volume: 1,
            real_volume: 0,
            spread_points: 7,
        })
    };
    let bars: Vec<Result<Bar, FeedError>> = (0..).zip(bars).map(bar).collect();
    let ticks = BarTicks::new(bars.into_iter(), HOUR);
    let ticks = match spread {
        Some(points) => ticks.with_spread(points),
        None => ticks,
    };
    let told = |tick: Tick| (tick.bid.points(), tick.ask.points() - tick.bid.points());
    ticks.map(Result::unwrap).map(told).collect()
}

#[test]
fn a_bar_without_a_direction_goes_against_the_one_before_it() {
    let rising = [10, 20, 5, 15];
    let falling = [15, 20, 5, 10];
    let neither = [10, 20, 5, 10];
    let bids = |bars: &[[i64; 4]]| -> Vec<i64> {
        told(bars, None).into_iter().map(|(bid, _)| bid).collect()
    };
    assert_eq!(bids(&[rising, neither])[4..], [10, 20, 5, 10]);
    assert_eq!(bids(&[falling, neither])[4..], [10, 5, 20, 10]);
    assert_eq!(bids(&[neither, neither])[..5], [10, 5, 20, 10, 10]);
    assert_eq!(bids(&[neither, neither])[5..], [20, 5, 10]);
}

#[test]
fn all_ticks_of_a_bar_but_its_open_are_continuous() {
    let text = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\n\
        2024.01.08\t00:00:00\t1.10000\t1.10050\t1.09980\t1.10020\n\
        2024.01.08\t01:00:00\t1.10120\t1.10130\t1.09900\t1.09950\n";
    let file = file(text.as_bytes());
    let ticks = BarTicks::new(BarFile::open(&file.path, &spec("EURUSD")).unwrap(), HOUR);
    let told: Vec<bool> = ticks.map(|tick| tick.unwrap().is_continuous).collect();
    assert_eq!(told, [false, true, true, true, false, true, true, true]);
}

#[test]
fn a_spread_that_is_given_stands_in_place_of_the_bars_own() {
    let spreads = |spread| -> Vec<i64> {
        let told = told(&[[10, 20, 5, 15]], spread);
        told.into_iter().map(|(_, spread)| spread).collect()
    };
    assert_eq!(spreads(None), [7; 4]);
    assert_eq!(spreads(Some(0)), [0; 4]);
}

#[test]
fn the_beginning_of_a_bar_file_tells_its_period_and_its_digits() {
    let look = |rows: &str| {
        let file = file(format!("DATE,TIME,OPEN,HIGH,LOW,CLOSE\n{rows}").as_bytes());
        let file = BarFile::open(&file.path, &spec("EURUSD")).unwrap();
        assert!(!file.has_spread());
        file.sample()
    };
    let sample = look(
        "2024.01.08,00:00,1.1,1.1,1.1,1.1\n2024.01.08,03:00,1,1.12,1,1\n2024.01.08,04:00,1,1,1,1\n",
    );
    let sample = sample.unwrap();
    assert_eq!((sample.period_ms, sample.decimals), (Some(HOUR), Some(2)));
    assert_eq!(look("").unwrap(), BarSample::default());
    let back = look("2024.01.08,01:00,1,1,1,1\n2024.01.08,01:00,1,1,1,1\n");
    assert!(matches!(back, Err(FeedError::Malformed { line: 3, .. })));
}

/// Hands out one byte at a time, and cannot go back.
struct Stream(std::io::Cursor<Vec<u8>>);

impl std::io::Read for Stream {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let most = out.len().min(1);
        self.0.read(&mut out[..most])
    }
}

#[test]
fn a_stream_is_read_as_its_file_is() {
    for bytes in [ROWS.as_bytes().to_vec(), utf16(ROWS)] {
        let stream = Stream(std::io::Cursor::new(bytes.clone()));
        let read = TickFile::read(Path::new("stream"), stream, &spec("EURUSD")).unwrap();
        let read: Vec<Tick> = read.map(Result::unwrap).collect();
        assert_eq!(read, ticks(&bytes));
    }
}

#[test]
fn real_bars_read_to_the_end() {
    for (name, symbol, rows) in [
        ("GBPUSD_H1_2012-2022.csv", "GBPUSD", 57_600),
        ("XAUUSD_M5_2026.csv", "XAUUSD", 10_000),
    ] {
        let Some(path) = real_data(name) else { return };
        let sample = BarFile::open(&path, &spec(symbol)).unwrap().sample();
        assert_eq!(sample.unwrap().period_ms, period_of(&path));
        let bars = BarFile::open(&path, &spec(symbol)).unwrap();
        assert_eq!(bars.map(Result::unwrap).count(), rows);
    }
}

#[test]
fn the_synthetic_market_is_ordered_seeded_and_sane() {
    let specs = [spec("EURUSD"), spec("USDJPY"), spec("XAUUSD")];
    let feed = |seed| Synthetic::new(seed, &specs, BrokerTime(MONDAY), 70).map(Result::unwrap);
    let ticks: Vec<Tick> = feed(1).take(30_000).collect();
    assert!(
        ticks
            .iter()
            .eq(feed(1).take(30_000).collect::<Vec<_>>().iter())
    );
    assert!(
        !ticks
            .iter()
            .eq(feed(2).take(30_000).collect::<Vec<_>>().iter())
    );
    assert!(ticks.windows(2).all(|pair| pair[0].time <= pair[1].time));
    assert!(ticks.iter().all(|t| t.ask > t.bid && t.flags & !6 == 0));
    for spec in &specs {
        let own: Vec<&Tick> = ticks.iter().filter(|t| t.symbol == spec.symbol).collect();
        assert!((9_000..11_000).contains(&own.len()), "{}", own.len());
        let span = own.last().unwrap().time.0 - own[0].time.0;
        let mean = span as f64 / own.len() as f64;
        assert!((50.0..90.0).contains(&mean), "{mean}");
        let bids = own.iter().map(|t| t.bid.to_f64());
        let (least, most) = (
            bids.clone().fold(f64::MAX, f64::min),
            bids.fold(0.0, f64::max),
        );
        assert!(most / least < 1.02 && most > least);
    }
}

#[test]
fn trends_last_about_a_minute() {
    for (name, seed) in [("EURUSD", 3), ("AUDUSD", 4), ("USDJPY", 5), ("XAUUSD", 6)] {
        let specs = [spec(name)];
        let mut fast = 0.0;
        let mut slow = 0.0;
        let mut above = None;
        let mut crossings = 0;
        let minutes = 60;
        let hour = Synthetic::new(seed, &specs, BrokerTime(MONDAY), 70)
            .map(Result::unwrap)
            .take_while(|t| t.time.0 < MONDAY + minutes * 60_000);
        for tick in hour {
            let middle = f64::midpoint(tick.bid.to_f64(), tick.ask.to_f64());
            if above.is_none() {
                (fast, slow) = (middle, middle);
            }
            fast += (middle - fast) * 2.0 / 11.0;
            slow += (middle - slow) * 2.0 / 21.0;
            crossings += i64::from(above.is_some_and(|was| was != (fast > slow)));
            above = Some(fast > slow);
        }
        println!("{name}: {crossings} crossings in {minutes} minutes");
        assert!(
            (minutes / 3..minutes * 4).contains(&crossings),
            "{name}: {crossings}"
        );
    }
}

/// Whoever follows the trends of a fair market gains nothing on average. The result is held against
/// its own spread: four standard deviations are no chance, and trends that can be followed are
/// hundreds.
#[test]
fn following_the_trends_earns_nothing() {
    let specs = [spec("EURUSD")];
    let mut earned = 0.0;
    let mut squares = 0.0;
    for seed in 1..=20 {
        let ticks = Synthetic::new(seed, &specs, BrokerTime(MONDAY), 70).take(40_000);
        let middles = ticks
            .map(Result::unwrap)
            .map(|tick| (tick.bid.points() + tick.ask.points()) as f64 / 2.0);
        let mut fast = 0.0;
        let mut slow = 0.0;
        let mut last: Option<f64> = None;
        for middle in middles {
            if let Some(last) = last {
                let held = if fast > slow { 1.0 } else { -1.0 };
                let gain: f64 = held * (middle - last);
                earned += gain;
                squares += gain * gain;
            } else {
                (fast, slow) = (middle, middle);
            }
            fast += (middle - fast) * 2.0 / 11.0;
            slow += (middle - slow) * 2.0 / 21.0;
            last = Some(middle);
        }
    }
    let deviations = earned / squares.sqrt();
    assert!(deviations.abs() < 4.0, "{deviations}");
}

#[test]
fn weekends_are_skipped_with_a_gap() {
    let specs = [spec("EURUSD")];
    let friday = BrokerTime(MONDAY + 4 * DAY + 23 * HOUR);
    let ticks: Vec<Tick> = Synthetic::new(1, &specs, friday, 1000)
        .with_weekends()
        .map(Result::unwrap)
        .take(6000)
        .collect();
    assert!(ticks.iter().all(|t| !Weekday::of(t.time).is_weekend()));
    let days = [Weekday::Friday, Weekday::Monday];
    assert!(
        days.iter()
            .all(|day| ticks.iter().any(|t| Weekday::of(t.time) == *day))
    );
}
