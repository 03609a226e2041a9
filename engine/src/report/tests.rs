//! Reports as a whole: their figures against ones worked out by hand, and their files.
#![allow(clippy::unwrap_used)]

use super::*;
use mymt5_model::{BrokerTime, MaskedAccount, Side};
use proptest::prelude::*;
use serde_json::Value;
use std::fs;

const HOUR: i64 = 3_600_000;
// 2024-01-01, a Monday.
const MONDAY: i64 = 1_704_067_200_000;

fn trade(at: i64, side: Side, net: f64) -> Trade {
    Trade {
        symbol: "EURUSD".to_owned(),
        strategy: "cross".to_owned(),
        side,
        lots: 0.1,
        opened: BrokerTime(MONDAY + at * 24 * HOUR),
        closed: BrokerTime(MONDAY + at * 24 * HOUR + 2 * HOUR),
        open_price: 1.1,
        close_price: 1.1 + net / 10_000.0,
        profit: net + 3.0,
        commission: -2.0,
        swap: -1.0,
        risk: Some(50.0),
        excursion: None,
        ends_position: true,
    }
}

fn record(nets: &[f64]) -> Record {
    let trades = nets.iter().enumerate().map(|(at, net)| {
        let side = if at % 2 == 0 { Side::Buy } else { Side::Sell };
        trade(at as i64, side, *net)
    });
    Record {
        title: "Backtest".to_owned(),
        currency: "USD".to_owned(),
        currency_digits: 2,
        initial: 1000.0,
        deals: 2 * nets.len() as u64,
        trades: trades.collect(),
        ..Record::default()
    }
}

fn near(value: f64, expected: f64) {
    assert!((value - expected).abs() < 1e-6, "{value}, not {expected}");
}

#[test]
fn the_statistics_are_those_worked_out_by_hand() {
    // Balance: 1000, 1100, 1050, 1150, 1150, 1200, 900, 800.
    let report = Report::of(record(&[100.0, -50.0, 100.0, 0.0, 50.0, -300.0, -100.0]));
    let statistics = report.statistics();
    near(statistics.total_net_profit, -200.0);
    near(statistics.gross_profit, 250.0);
    near(statistics.gross_loss, -450.0);
    near(statistics.profit_factor.unwrap(), 250.0 / 450.0);
    near(statistics.expected_payoff.unwrap(), -200.0 / 7.0);
    let drawdown = statistics.balance_drawdown;
    near(drawdown.absolute, 200.0);
    near(drawdown.maximal, 400.0);
    near(drawdown.relative_percent, 400.0 / 12.0);
    near(statistics.recovery_factor.unwrap(), -0.5);
    let ratios = [
        1.1,
        1050.0 / 1100.0,
        1150.0 / 1050.0,
        1.0,
        1200.0 / 1150.0,
        0.75,
        800.0 / 900.0,
    ];
    near(statistics.ahpr.unwrap(), ratios.iter().sum::<f64>() / 7.0);
    near(statistics.ghpr.unwrap(), 0.8f64.powf(1.0 / 7.0));
    assert_eq!(statistics.total_trades, 7);
    assert_eq!(statistics.total_deals, 14);
    let (long, short) = (statistics.long_trades, statistics.short_trades);
    assert_eq!((long.count, long.won), (4, 3));
    assert_eq!((short.count, short.won), (3, 0));
    near(long.won_percent.unwrap(), 75.0);
    let wins = statistics.profit_trades;
    assert_eq!((wins.count, wins.largest), (3, Some(100.0)));
    near(wins.average.unwrap(), 250.0 / 3.0);
    // The trade of 0 neither counts nor ends the series 100, 50.
    assert_eq!(wins.maximum_consecutive.count, 2);
    near(wins.maximal_consecutive.money, 150.0);
    near(wins.average_consecutive.unwrap(), 1.5);
    let losses = statistics.loss_trades;
    assert_eq!((losses.count, losses.largest), (3, Some(-300.0)));
    assert_eq!(losses.maximum_consecutive.count, 2);
    near(losses.maximal_consecutive.money, -400.0);
    near(losses.percent.unwrap(), 300.0 / 7.0);
    // Six trades in four series, P = 2 * 3 * 3 = 18: (6 * 3.5 - 18) / sqrt(18 * 12 / 5).
    let score = statistics.z_score.unwrap();
    near(score.value, 3.0 / (216.0f64 / 5.0).sqrt());
    assert!((score.probability - 35.19).abs() < 0.01, "{score:?}");
    near(statistics.holding.unwrap().average, 7_200.0);
}

#[test]
fn the_z_score_agrees_with_a_report_of_metatrader() {
    // A published report shows -1.24 (78.50%) and another 0.21 (16.63%).
    for (value, probability) in [(-1.24, 78.50), (0.21, 16.63)] {
        let within = mathematics::within(value) * 100.0;
        assert!((within - probability).abs() < 0.01, "{within}");
    }
}

#[test]
fn the_sharpe_ratio_is_that_of_the_days() {
    // Gains of 10 %, -10 % and 10 % on Monday, Tuesday, Wednesday.
    let report = Report::of(record(&[100.0, -110.0, 99.0]));
    let statistics = report.statistics();
    let mean = 0.1 / 3.0;
    let deviation = (2.0 * (0.1f64 - mean).powi(2) + (0.1 + mean).powi(2)) / 2.0;
    let per_day = mean / deviation.sqrt();
    near(statistics.sharpe_ratio.unwrap(), per_day * 252f64.sqrt());
    near(statistics.sharpe_ratio_per_trade.unwrap(), per_day);
}

#[test]
fn a_position_is_held_until_nothing_of_it_is_left() {
    // One is held for two hours. The other one, of which a part is closed at once, for three.
    let mut record = record(&[10.0, 5.0, 5.0]);
    let opened = record.trades[1].opened;
    record.trades[1].closed = opened;
    record.trades[1].ends_position = false;
    record.trades[2].opened = opened;
    record.trades[2].closed = BrokerTime(opened.0 + 3 * HOUR);
    let held = Report::of(record).statistics().holding.unwrap();
    near(held.minimal, 7_200.0);
    near(held.maximal, 10_800.0);
    near(held.average, 9_000.0);
}

#[test]
fn excursions_correlate_where_they_are_known() {
    let mut record = record(&[10.0, 20.0, -30.0, 5.0]);
    for (trade, (favorable, adverse)) in
        record
            .trades
            .iter_mut()
            .zip([(10.0, -5.0), (20.0, -5.0), (0.0, -35.0)])
    {
        trade.excursion = Some(Excursion { favorable, adverse });
    }
    let report = Report::of(record);
    let excursions = report.statistics().excursions;
    assert!(excursions.profits_mfe.unwrap() > 0.9);
    assert!(excursions.profits_mae.unwrap() > 0.9);
    let none = Report::of(self::record(&[1.0, 2.0]));
    assert_eq!(none.statistics().excursions, Excursions::default());
    for title in [
        "Results by maximum favorable excursion",
        "Results by maximum adverse excursion",
    ] {
        assert!(report.html().contains(title), "{title}");
        assert!(!none.html().contains(title), "{title}");
    }
}

#[test]
fn a_figure_without_a_value_is_absent_and_never_infinite() {
    for nets in [&[][..], &[0.0], &[10.0], &[10.0, 20.0], &[-2000.0, 5.0]] {
        let report = Report::of(record(nets));
        let json: Value = serde_json::from_str(&report.json().unwrap()).unwrap();
        let html = report.html();
        for word in ["NaN", "inf", "Infinity"] {
            assert!(!html.contains(&format!(">{word}")), "{nets:?}");
        }
        if nets.iter().all(|net| *net >= 0.0) {
            assert!(json["statistics"]["profit_factor"].is_null(), "{nets:?}");
            assert!(json["statistics"]["recovery_factor"].is_null(), "{nets:?}");
            assert!(json["statistics"]["z_score"].is_null(), "{nets:?}");
        }
    }
    // Broke: there is no mean of what was left.
    let broke = Report::of(record(&[-2000.0, 5.0]));
    assert_eq!(broke.statistics().ghpr, None);
}

/// Everything that a stranger may have named.
fn hostile() -> Record {
    const NAME: &str = "<script>alert('x')</script>\"&";
    let mut record = record(&[10.0, -5.0, 3.0]);
    record.title = NAME.to_owned();
    record.currency = NAME.to_owned();
    record.account = Some(MaskedAccount::of(12_345_678));
    record.notes.push(NAME.to_owned());
    record.settings.push((NAME.to_owned(), NAME.to_owned()));
    record.refusals.insert(NAME.to_owned(), 3);
    for trade in &mut record.trades {
        trade.symbol = NAME.to_owned();
        trade.strategy = NAME.to_owned();
        trade.risk = None;
    }
    record
}

#[test]
fn what_comes_from_data_is_no_markup() {
    let report = Report::of(hostile());
    let html = report.html();
    assert!(
        !html.contains("<script") && !html.contains("\"&\""),
        "{html}"
    );
    assert!(html.contains("&lt;script&gt;alert(&#39;x&#39;)"));
    for network in ["http:", "https:", "src=", "@import", "url("] {
        assert!(!html.contains(network), "{network}");
    }
    assert!(
        report
            .csv()
            .contains("\"<script>alert('x')</script>\"\"&\"")
    );
}

#[test]
fn the_account_is_masked_everywhere() {
    let report = Report::of(hostile());
    for text in [report.html(), report.csv(), report.json().unwrap()] {
        assert!(!text.contains("1234"), "{text}");
    }
    assert!(report.html().contains("****5678"));
}

#[test]
fn elements_of_the_page_are_closed_in_order() {
    for record in [record(&[]), hostile(), long()] {
        let html = Report::of(record).html();
        let mut open: Vec<&str> = Vec::new();
        for piece in html.split('<').skip(1) {
            let tag = piece.split(['>', ' ', '\n']).next().unwrap();
            let inside = piece.split('>').next().unwrap();
            if let Some(closed) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(closed), "<{piece}");
            } else if !inside.ends_with('/') && !matches!(tag, "!DOCTYPE" | "meta") {
                open.push(tag);
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }
}

/// Ten years of hourly bars, with a trade on each tenth of them, and equity on each.
fn long() -> Record {
    const BARS: i64 = 60_000;
    let mut record = Record {
        title: "Long".to_owned(),
        currency: "USD".to_owned(),
        initial: 10_000.0,
        ..Record::default()
    };
    let mut balance = record.initial;
    let mut prices = Vec::new();
    for bar in 0..BARS {
        let time = BrokerTime(MONDAY + bar * HOUR);
        let wave = (bar as f64 / 700.0).sin();
        if bar % 10 == 0 {
            let mut closed = trade(0, Side::Buy, 20.0 * wave + 1.0);
            closed.opened = BrokerTime(time.0 - 5 * HOUR);
            closed.closed = time;
            closed.excursion = Some(Excursion {
                favorable: closed.net().max(0.0) + (bar % 89) as f64,
                adverse: closed.net().min(0.0) - (bar % 83) as f64,
            });
            closed.open_price = 1.2 + 0.1 * wave;
            closed.close_price = closed.open_price + 0.001;
            balance += closed.net();
            record.trades.push(closed);
        }
        record.series.push(Point {
            time,
            balance,
            equity: Some(balance + 30.0 * wave),
            paid_in: 0.0,
        });
        prices.push(PriceRange {
            time,
            low: 1.19 + 0.1 * wave,
            high: 1.21 + 0.1 * wave,
            close: 1.2 + 0.1 * wave,
        });
    }
    record.prices.insert("EURUSD".to_owned(), prices);
    record
}

#[test]
fn ten_years_make_a_page_of_bounded_size() {
    let html = Report::of(long()).html();
    assert!(html.len() < 1024 * 1024, "{}", html.len());
}

#[test]
fn all_three_files_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("out.html");
    let report = Report::of(record(&[5.0, -3.0]));
    let files = report.write(&page).unwrap();
    let names: Vec<_> = files
        .iter()
        .map(|file| file.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(names, ["out.html", "out.trades.csv", "out.report.json"]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    assert_eq!(report.write(&page).unwrap(), files);
    let csv = fs::read_to_string(&files[1]).unwrap();
    let line = "EURUSD,cross,buy,0.1,2024-01-01 00:00:00,2024-01-01 02:00:00,1.1,1.1005,8,-2,-1,5,50,0.1,,";
    assert_eq!(csv.lines().nth(1), Some(line));
    let nowhere = folder.path().join("none/out.html");
    assert!(report.write(&nowhere).is_err());
}

#[test]
fn no_other_file_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("out.html");
    let report = Report::of(record(&[5.0, -3.0]));
    for name in ["out.html", "out.trades.csv", "out.report.json"] {
        let other = folder.path().join(name);
        for text in [
            "",
            "<!DOCTYPE html>\n<p>",
            "symbol,side\n",
            "{\n  \"kind\": 1}",
        ] {
            fs::write(&other, text).unwrap();
            let refused = report.write(&page);
            assert!(matches!(refused, Err(ReportError::Foreign(file)) if file == other));
            assert_eq!(fs::read_to_string(&other).unwrap(), text);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
        fs::remove_file(&other).unwrap();
    }
    // An export of the past, and one that grows, have other names.
    let exports = ["out.csv", "out.csv.part", "out.json"];
    for name in exports {
        fs::write(folder.path().join(name), "ticks").unwrap();
    }
    report.write(&page).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 6);
    for name in exports {
        let kept = fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(kept, "ticks");
    }
}

proptest! {
    #[test]
    fn the_parts_make_the_whole(nets in prop::collection::vec(-500i32..500, 0..60)) {
        let nets: Vec<f64> = nets.into_iter().map(f64::from).collect();
        let report = Report::of(record(&nets));
        let statistics = report.statistics();
        let close = |one: f64, other: f64| (one - other).abs() < 1e-6;
        let net = statistics.total_net_profit;
        prop_assert!(close(net, nets.iter().sum()));
        prop_assert!(close(net, statistics.gross_profit + statistics.gross_loss));
        let (wins, losses) = (statistics.profit_trades, statistics.loss_trades);
        prop_assert!(wins.count + losses.count <= statistics.total_trades);
        let sides = statistics.long_trades.count + statistics.short_trades.count;
        prop_assert_eq!(sides, statistics.total_trades);
        prop_assert!(statistics.balance_drawdown.maximal >= 0.0);
        prop_assert!(wins.maximal_consecutive.money <= statistics.gross_profit + 1e-6);
        if let (Some(arithmetic), Some(geometric)) = (statistics.ahpr, statistics.ghpr) {
            prop_assert!(geometric <= arithmetic + 1e-9);
        }
        if let Some(correlation) = statistics.lr_correlation {
            prop_assert!((-1.0..=1.0).contains(&correlation));
        }
        prop_assert!(serde_json::from_str::<Value>(&report.json().unwrap()).is_ok());
    }
}
