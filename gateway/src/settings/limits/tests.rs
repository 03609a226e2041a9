#![allow(clippy::unwrap_used)]
//! What the keys become, and that every fault is told at once.

use super::*;
use mymt5_chassis::loader::Environment;
use mymt5_guard::{BaseKind, DrawdownKind, LimitAction, Limits, ScopeLimits};
use std::{fs, path::Path};

/// Reads that text's limits of the account and of the client "a"; or the report of its faults.
fn limits(text: &str, variables: &[(&str, &str)]) -> Result<[ScopeLimits; 2], String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    fs::write(&file, text).unwrap();
    let environment = Environment::from_pairs(variables.iter().copied());
    let mut reader = Reader::open(&crate::settings::TABLE, &file, environment).unwrap();
    let ceiling = risk_ceiling(&mut reader);
    let scopes = ["limits", "clients.a.limits"];
    let scopes = scopes.map(|key| ScopeLimits::read(&mut reader.section(key), ceiling));
    reader.finish().map_err(|errors| errors.to_string())?;
    Ok(scopes)
}

fn risk(scopes: &[ScopeLimits; 2]) -> [Option<f64>; 2] {
    [0, 1].map(|scope| scopes[scope].entry.max_risk_per_trade.map(Percent::get))
}

/// The shipped file with everything in it that is commented out as a key.
fn documented() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/gateway.toml");
    let text = fs::read_to_string(path).unwrap();
    let begin = text.find("[risk]").unwrap();
    let end = text.find("# Each client proves").unwrap();
    let key = |line: &str| {
        line.strip_prefix('#')
            .filter(|key| key.starts_with(|c: char| c.is_ascii_lowercase()))
            .unwrap_or(line)
            .to_owned()
    };
    let lines: Vec<_> = text[begin..end].lines().map(key).collect();
    lines.join("\n")
}

#[test]
fn every_documented_key_is_read() {
    let text = documented()
        .replace("daily_loss.amount = 5000.0\n", "")
        .replace("drawdown.amount = 10000.0\n", "");
    let [account, client] = limits(&text, &[]).unwrap();
    let Limits {
        symbols,
        max_lots_per_order,
        max_lots_per_symbol,
        max_lots_total,
        max_open_positions,
        max_open_orders,
        max_orders_per_minute,
        require_stop_loss,
        min_stop_distance_points,
        max_stop_distance_points,
        max_price_distance,
        max_spread_points,
        max_margin_use,
        max_risk_per_trade,
    } = account.entry;
    assert_eq!(symbols.unwrap().len(), 4);
    let lots = [max_lots_per_order, max_lots_per_symbol, max_lots_total];
    assert_eq!(lots.map(|lots| lots.unwrap().to_f64()), [5.0, 10.0, 20.0]);
    let counts = [max_open_positions, max_open_orders, max_orders_per_minute];
    assert_eq!(counts, [20, 20, 120].map(Some));
    assert!(require_stop_loss);
    let points = [
        min_stop_distance_points,
        max_stop_distance_points,
        max_spread_points,
    ];
    assert_eq!(points, [20, 5_000, 50].map(Some));
    let percents = [max_price_distance, max_margin_use, max_risk_per_trade];
    assert_eq!(
        percents.map(|percent| percent.unwrap().get()),
        [5.0, 50.0, 1.0]
    );
    let daily = account.loss.daily.unwrap();
    assert_eq!(
        (daily.base, daily.action),
        (BaseKind::Greater, LimitAction::Halt)
    );
    assert_eq!(u8::from(daily.reset_hour), 0);
    let drawdown = account.loss.drawdown.unwrap();
    assert_eq!(
        (drawdown.kind, drawdown.action),
        (DrawdownKind::Trailing, LimitAction::Flatten)
    );
    assert_eq!(drawdown.initial_balance.unwrap().to_f64(), 100_000.0);
    assert_eq!(client.entry.max_risk_per_trade.unwrap().get(), 2.0);
    let both = limits(&documented(), &[]).unwrap_err();
    assert!(both.contains("limits.daily_loss: has two limits"), "{both}");
    assert!(both.contains("limits.drawdown: has two limits"), "{both}");
}

#[test]
fn without_keys_nothing_is_limited() {
    assert_eq!(
        limits("[limits]\n", &[]),
        Ok([ScopeLimits::default(), ScopeLimits::default()])
    );
}

#[test]
fn a_table_of_losses_that_has_no_limit_is_refused() {
    for table in ["daily_loss", "drawdown"] {
        for scope in ["limits", "clients.a.limits"] {
            let key = format!("{scope}.{table}");
            let told = limits(&format!("[{key}]\n"), &[]).unwrap_err();
            let told_once = told.matches("has no limit").count() == 1;
            assert!(told_once && told.contains(&key), "{told}");
            let wrong = limits(&format!("[{key}]\npercent = 101.0\n"), &[]).unwrap_err();
            assert!(!wrong.contains("has no limit"), "{wrong}");
            assert!(limits(&format!("[{key}]\npercent = 1.0\n"), &[]).is_ok());
        }
    }
}

#[test]
fn the_variable_is_the_ceiling_of_every_scope() {
    let own = "[clients.a.limits]\nmax_risk_per_trade_percent = 0.5\n";
    let scopes = limits(own, &[("RISK_MAX_PER_TRADE", "1.5")]).unwrap();
    assert_eq!(risk(&scopes), [Some(1.5), Some(0.5)]);
    assert_eq!(risk(&limits(own, &[]).unwrap()), [None, Some(0.5)]);
    let told = limits(own, &[("RISK_MAX_PER_TRADE", "0.4")]).unwrap_err();
    assert!(
        told.contains("clients.a.limits.max_risk_per_trade_percent: is above RISK_MAX_PER_TRADE"),
        "{told}"
    );
    for wrong in ["0", "-1", "100.5", "NaN", "much"] {
        assert!(
            limits("", &[("RISK_MAX_PER_TRADE", wrong)]).is_err(),
            "{wrong}"
        );
    }
    assert!(limits("", &[("RISK_MAX_PER_TRADE", "100")]).is_ok());
}

#[test]
fn all_faults_come_in_one_report() {
    let text = "
        [limits]
        symbols = [\"EURUSD\", \"EURUSD\"]
        max_lots_per_order = 0.0
        max_lots_total = -1.0
        max_open_orders = -1
        min_stop_distance_points = 100
        max_stop_distance_points = 99
        max_price_distance_percent = 0.0
        max_margin_use_percent = 101.0
        daily_loss.action = \"halt\"
        daily_loss.reset_hour = 24
        drawdown.percent = 5.0
        drawdown.amount = 0.0
        drawdown.kind = \"falling\"
        [clients.a.limits]
        max_spread_points = 1.5
        max_lots_per_ordr = 1.0
    ";
    let told = limits(text, &[]).unwrap_err();
    for key in [
        "limits.symbols:",
        "limits.max_lots_per_order:",
        "limits.max_lots_total:",
        "limits.max_open_orders:",
        "limits.min_stop_distance_points:",
        "limits.max_price_distance_percent:",
        "limits.max_margin_use_percent:",
        "limits.daily_loss:",
        "limits.daily_loss.reset_hour:",
        "limits.drawdown.amount:",
        "limits.drawdown.kind:",
        "clients.a.limits.max_spread_points:",
        "clients.a.limits.max_lots_per_ordr:",
    ] {
        assert!(
            told.contains(&format!("\n{key}")),
            "{key} is missing from {told}"
        );
    }
    assert!(told.starts_with("13 faults"), "{told}");
}
