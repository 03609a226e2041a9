//! `[broker.simulator]`: the embedded broker.

use crate::broker::{Feed, SimulatedSettings, Speed};
use mymt5_chassis::{clock, loader::Reader};
use mymt5_model::{AccountMode, BrokerTime, BrokerZone, Money, Symbol, SymbolSpec, UtcTime};
use mymt5_simulator::{AccountConfig, catalogue, feed};
use std::path::PathBuf;

pub(super) fn read(reader: &mut Reader, zone: Option<&BrokerZone>) -> Option<SimulatedSettings> {
    let kind = reader.or("broker.kind", "\"simulator\"", "simulator".to_owned());
    if kind != "simulator" {
        reader.fault(
            "broker.kind",
            "is not a broker that this gateway has",
            "set it to \"simulator\"",
        );
    }
    let kind = reader.or(
        "broker.simulator.feed",
        "\"synthetic\" or \"ticks\"",
        "synthetic".to_owned(),
    );
    let file = reader.optional::<PathBuf>("broker.simulator.file", "the terminal's tick export");
    let feed = match (kind.as_str(), file) {
        ("synthetic", _) => Some(Feed::Synthetic),
        ("ticks", Some(file)) if file.is_file() => Some(Feed::Ticks(file)),
        ("ticks", _) => {
            reader.fault(
                "broker.simulator.file",
                "is no readable file",
                "set it to the terminal's tick export",
            );
            None
        }
        _ => {
            reader.fault(
                "broker.simulator.feed",
                "is no kind of feed",
                "set it to \"synthetic\" or \"ticks\"",
            );
            None
        }
    };
    let (speed, symbols, account) = (
        speed(reader),
        symbols(reader, feed.as_ref()),
        account(reader),
    );
    let now = UtcTime(clock::utc_now_ms());
    let start = zone
        .and_then(|zone| zone.to_broker(now))
        .unwrap_or(BrokerTime(now.0));
    Some(SimulatedSettings {
        account: account?,
        symbols: symbols?,
        feed: feed?,
        speed: speed?,
        start,
    })
}

fn speed(reader: &mut Reader) -> Option<Speed> {
    let text = reader.or(
        "broker.simulator.speed",
        "\"1\", another factor, or \"max\"",
        "1".to_owned(),
    );
    let factor = text
        .parse::<f64>()
        .ok()
        .filter(|factor| (0.01..=10_000.0).contains(factor));
    match (text.as_str(), factor) {
        ("max", _) => Some(Speed::Max),
        (_, Some(factor)) => Some(Speed::Times(factor)),
        _ => {
            reader.fault(
                "broker.simulator.speed",
                "is no speed",
                "set it to \"1\", a factor of 0.01 to 10000, or \"max\"",
            );
            None
        }
    }
}

/// A replay trades the symbol of its file; a synthetic feed those that are named.
fn symbols(reader: &mut Reader, feed: Option<&Feed>) -> Option<Vec<SymbolSpec>> {
    let named: Option<Vec<String>> =
        reader.optional("broker.simulator.symbols", "a list of symbols");
    let of_file = |path: &PathBuf| feed::symbol_of(path).map(|symbol| vec![symbol.to_string()]);
    let names = match (named, feed) {
        (Some(names), _) => Some(names),
        (None, Some(Feed::Ticks(path))) => of_file(path),
        (None, _) => Some(
            ["EURUSD", "GBPUSD", "USDJPY", "AUDUSD"]
                .map(str::to_owned)
                .to_vec(),
        ),
    };
    let specs: Option<Vec<_>> = names.as_ref().map(|names| {
        names
            .iter()
            .filter_map(|name| Symbol::parse(name).ok())
            .map(|symbol| catalogue::spec(&symbol))
            .collect()
    });
    let complete = specs.as_ref().map(Vec::len) == names.as_ref().map(Vec::len);
    match specs.filter(|specs| complete && (1..=256).contains(&specs.len())) {
        Some(specs) => Some(specs),
        None => {
            reader.fault(
                "broker.simulator.symbols",
                "names no symbols",
                "set it to a list such as [\"EURUSD\"]",
            );
            None
        }
    }
}

fn account(reader: &mut Reader) -> Option<AccountConfig> {
    let default = AccountConfig::default();
    let mode = reader.or(
        "broker.simulator.mode",
        "\"netting\" or \"hedging\"",
        AccountMode::Hedging,
    );
    let balance: f64 = reader.or("broker.simulator.balance", "an amount of money", 100_000.0);
    let seed = reader.or("broker.simulator.seed", "a number", default.seed);
    match Money::from_f64(balance).ok().filter(|_| balance > 0.0) {
        Some(balance) => Some(AccountConfig {
            mode,
            balance,
            seed,
            ..default
        }),
        None => {
            reader.fault(
                "broker.simulator.balance",
                "is no amount above 0",
                "set it to an amount such as 100000",
            );
            None
        }
    }
}
