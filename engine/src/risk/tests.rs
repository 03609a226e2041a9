//! What the keys become, what the examples say, and what needs more than one symbol.
#![allow(clippy::unwrap_used)]

use super::{testing::*, *};
use crate::trader::tests::spec;
use mymt5_guard::{LimitAction, LossSettings};
use mymt5_model::Price;
use std::{fs, path::PathBuf};

/// A file of the repository, without the other tables; the calendar is found from the tests, too.
fn risk_of(file: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(root.join(file)).unwrap();
    let begin = text.find("[risk]\n").unwrap() + "[risk]\n".len();
    let end = text[begin..]
        .find("\n[")
        .map_or(text.len(), |end| begin + end);
    let calendar = root.join("engine/examples/news.csv");
    text[begin..end].replace("engine/examples/news.csv", calendar.to_str().unwrap())
}

#[test]
fn a_table_of_losses_that_has_no_limit_is_refused() {
    for table in ["daily_loss", "drawdown"] {
        let faults = |keys: &str| {
            let read = try_settings(&format!("[risk.{table}]\n{keys}\n"));
            read.err().map(|faults| faults.to_string())
        };
        let told = faults("").unwrap();
        let expected = format!("risk.{table}: has no limit");
        assert!(told.contains(&expected), "{told}");
        let wrong = faults("percent = 101.0").unwrap();
        assert!(!wrong.contains("has no limit"), "{wrong}");
        assert_eq!(faults("percent = 1.0"), None);
    }
}

#[test]
fn every_documented_key_is_read() {
    let key = |line: &str| {
        let bare = line.strip_prefix('#');
        let bare = bare.filter(|key| key.starts_with(|c: char| c.is_ascii_lowercase()));
        bare.unwrap_or(line).to_owned()
    };
    let lines: Vec<String> = risk_of("config/engine.toml").lines().map(key).collect();
    let text = lines
        .join("\n")
        .replace("max_per_trade_amount = 50.0\n", "")
        .replace("daily_loss.amount = 5000.0\n", "")
        .replace("drawdown.amount = 10000.0\n", "");
    let RiskSettings {
        sizing,
        reset_hour: _,
        losses: LossSettings { daily, drawdown },
        sessions,
        friday_flat,
        news,
        cooldown,
        max_trades_per_day,
        max_errors,
        max_spread_points,
        stop_distance: StopDistance { least, most },
        holdings,
        open_risk,
        margin_use,
    } = settings(&text);
    let lots = |lots| Lots::from_f64(lots).unwrap();
    assert_eq!(sizing.by, SizeBy::Fixed(lots(0.1)));
    assert_eq!(sizing.max_lots, Some(lots(1.0)));
    let actions = [daily.unwrap().action, drawdown.unwrap().action];
    assert_eq!(actions, [LimitAction::Flatten; 2]);
    assert!(sessions.is_some() && friday_flat.is_some() && news.is_some());
    let rest = Cooldown {
        losses: 3,
        minutes: 60,
    };
    assert_eq!(cooldown, Some(rest));
    let counts = [
        max_trades_per_day,
        max_errors,
        max_spread_points,
        least,
        most,
    ];
    assert_eq!(counts, [10, 5, 20, 50, 1000].map(Some));
    let held = Holdings {
        positions_per_symbol: Some(1),
        positions: Some(5),
        lots_per_symbol: Some(lots(2.0)),
        lots: Some(lots(5.0)),
    };
    assert_eq!(holdings, held);
    let OpenRisk {
        per_symbol,
        per_currency,
        total,
    } = open_risk;
    let percents = [
        per_symbol,
        per_currency,
        total,
        margin_use.map(|MarginUse(most)| most),
    ];
    let percents = percents.map(|percent| percent.unwrap().get());
    assert_eq!(percents, [1.0, 2.0, 3.0, 30.0]);
}

#[test]
fn the_shipped_configuration_has_no_rule_but_a_volume() {
    let shipped = settings(&risk_of("config/engine.toml"));
    let bare = settings("max_lots = 1.0");
    assert_eq!(shipped, bare);
    assert!(!shipped.remembers());
}

#[test]
fn the_example_of_a_prop_firm_is_read_whole() {
    let rules = settings(&risk_of("engine/examples/prop_firm.toml"));
    assert!(rules.remembers());
    let LossSettings { daily, drawdown } = rules.losses;
    let hundred = Money::from_f64(100_000.0).unwrap();
    let allowed = [daily.unwrap().allowance, drawdown.unwrap().allowance];
    let allowed = allowed.map(|allowance| allowance.of(hundred).to_f64());
    assert_eq!(allowed, [4_500.0, 9_000.0]);
    assert!(rules.sessions.is_some() && rules.friday_flat.is_some() && rules.news.is_some());
}

fn pair(symbol: &str, base: &str, quote: &str) -> SymbolSpec {
    SymbolSpec {
        symbol: Symbol::parse(symbol).unwrap(),
        base_currency: base.into(),
        quote_currency: quote.into(),
        ..spec()
    }
}

/// A purchase of one lot that loses that many points at its stop.
fn bought(symbol: &str, points: i64) -> Open {
    Open {
        symbol: Symbol::parse(symbol).unwrap(),
        side: mymt5_model::Side::Buy,
        lots: Lots::from_f64(1.0).unwrap(),
        price: Some(Price::from_points(120_000, 5)),
        stop: Some(Price::from_points(120_000 - points, 5)),
        in_flight: false,
        unmeasured: false,
    }
}

/// Whether one lot of EURUSD with a stop of 97 points, 100 with spread and tick, may be bought.
fn may_buy(keys: &str, open: &[Open]) -> Result<Lots, RiskRefused> {
    let specs = [
        pair("EURUSD", "EUR", "USD"),
        pair("GBPUSD", "GBP", "USD"),
        pair("EURGBP", "EUR", "GBP"),
        pair("AUDNZD", "AUD", "NZD"),
    ];
    let specs = specs.map(|spec| (spec.symbol.clone(), spec)).into();
    let mut risk = Risk::new(settings(&format!("lots = 1.0\n{keys}")));
    risk.on_account(Some(account(10_000.0)));
    risk.at(BrokerTime(0));
    let spec = spec();
    risk.admit(&entry(&spec, Some(97)), open, &specs)
}

#[test]
fn what_is_at_risk_adds_up_by_symbol_by_currency_and_in_total() {
    let open = [bought("GBPUSD", 50), bought("AUDNZD", 50)];
    for (limit, at_risk, refused) in [
        ("max_open_risk_percent", 2.0, RiskRefused::OpenRisk),
        (
            "max_open_risk_per_currency_percent",
            1.5,
            RiskRefused::OpenRiskPerCurrency,
        ),
        (
            "max_open_risk_per_symbol_percent",
            1.0,
            RiskRefused::OpenRiskPerSymbol,
        ),
    ] {
        let least = format!("{limit} = {}", at_risk + 0.001);
        assert!(may_buy(&least, &open).is_ok(), "{limit}");
        let less = format!("{limit} = {}", at_risk - 0.001);
        assert_eq!(may_buy(&less, &open), Err(refused));
    }
    let euro = [bought("EURGBP", 50)];
    let less = may_buy("max_open_risk_per_currency_percent = 1.49", &euro);
    assert_eq!(less, Err(RiskRefused::OpenRiskPerCurrency));
}

#[test]
fn a_stop_in_profit_risks_nothing_and_no_stop_risks_an_unknown_amount() {
    let limit = "max_open_risk_percent = 1.0";
    assert!(may_buy(limit, &[bought("GBPUSD", -30)]).is_ok());
    let known = bought("GBPUSD", 0);
    let without_stop = Open {
        stop: None,
        ..known.clone()
    };
    let without_price = Open {
        price: None,
        ..known
    };
    for unknown in [without_stop, without_price] {
        let refused = may_buy(limit, &[unknown]);
        assert_eq!(refused, Err(RiskRefused::OpenRiskUnknown));
    }
    let unknown = may_buy(limit, &[bought("USDJPY", 10)]);
    assert_eq!(unknown, Err(RiskRefused::OpenRiskUnknown));
}

#[test]
fn positions_and_lots_are_counted_by_symbol_and_in_total() {
    let open = [bought("EURUSD", 10), bought("GBPUSD", 10)];
    for (limit, least, refused) in [
        (
            "max_positions_per_symbol",
            1,
            RiskRefused::PositionsPerSymbol,
        ),
        ("max_open_positions", 2, RiskRefused::Positions),
        ("max_lots_per_symbol", 1, RiskRefused::LotsPerSymbol),
        ("max_lots_total", 2, RiskRefused::Lots),
    ] {
        assert_eq!(may_buy(&format!("{limit} = {least}"), &open), Err(refused));
        assert!(may_buy(&format!("{limit} = {}", least + 1), &open).is_ok());
    }
}

#[test]
fn what_is_in_flight_or_unmeasured_takes_margin_already() {
    let order = Open {
        in_flight: true,
        ..bought("GBPUSD", 10)
    };
    let position = Open {
        unmeasured: true,
        ..bought("GBPUSD", 10)
    };
    // A lot at 1.0 and one at 1.2 with a leverage of 100: 1000 and 1200.
    for (limit, open, fits) in [
        (10.1, bought("GBPUSD", 10), true),
        (21.9, order.clone(), false),
        (22.1, order, true),
        (21.9, position.clone(), false),
        (22.1, position, true),
    ] {
        let limit = format!("max_margin_use_percent = {limit}");
        let admitted = may_buy(&limit, &[open]);
        let expected = if fits {
            Ok(())
        } else {
            Err(RiskRefused::Margin)
        };
        assert_eq!(admitted.map(|_| ()), expected, "{limit}");
    }
    let unknown = Open {
        price: None,
        in_flight: true,
        ..bought("GBPUSD", 10)
    };
    let refused = may_buy("max_margin_use_percent = 99.0", &[unknown]);
    assert_eq!(refused, Err(RiskRefused::MarginUnknown));
}

#[test]
fn each_refusal_has_a_name_of_its_own() {
    let names: BTreeSet<_> = RiskRefused::ALL
        .iter()
        .map(|refused| refused.name())
        .collect();
    assert_eq!(names.len(), RiskRefused::ALL.len());
}
