//! `[broker.simulator]`: the embedded broker.

use super::sessions;
use crate::broker::{Feed, SimulatedSettings, Speed};
use mymt5_chassis::{
    clock,
    loader::{Reader, Section},
};
use mymt5_model::{AccountMode, BrokerTime, BrokerZone, Money, Symbol, SymbolSpec, UtcTime};
use mymt5_simulator::{
    AccountConfig, SetupError, Simulator, Week, catalogue,
    feed::{self, BarFile, FeedError, TickFile},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Instant,
};

pub(super) fn read(
    reader: &mut Reader,
    zone: Option<&BrokerZone>,
    data_folder: Option<&Path>,
) -> Option<SimulatedSettings> {
    let feed = feed(reader);
    let speed = speed(reader);
    let symbols = symbols(reader, feed.as_ref());
    let hours = sessions::read(reader);
    let (week, rests) = hours.map_or((Week::always(), false), |hours| (hours.week, hours.rests));
    let account = account(reader, week);
    let instant = Instant::now();
    let now = UtcTime(clock::utc_now_ms());
    let start = zone
        .and_then(|zone| zone.to_broker(now))
        .unwrap_or(BrokerTime(now.0));
    let feed = feed?;
    if let Some(symbols) = &symbols {
        look_into(reader, &feed, symbols);
        if feed == Feed::Synthetic {
            refuse_unknown(reader, symbols);
        }
    }
    let account = account?;
    let symbols = symbols?;
    if let Err(error) = Simulator::new(account.clone(), symbols.clone()) {
        refuse_account(reader, &error);
    }
    let keep_in = data_folder
        .filter(|_| feed == Feed::Synthetic)
        .map(Path::to_path_buf);
    Some(SimulatedSettings {
        account,
        symbols,
        feed,
        speed: speed?,
        start: (start, instant),
        rests,
        keep_in,
    })
}

fn feed(reader: &mut Reader) -> Option<Feed> {
    let kind = reader.or(
        "broker.simulator.feed",
        "\"synthetic\", \"ticks\" or \"bars\"",
        "synthetic".to_owned(),
    );
    let file = reader
        .optional::<PathBuf>("broker.simulator.file", "an export of the terminal")
        .filter(|file| file.is_file());
    match (kind.as_str(), file) {
        ("synthetic", _) => Some(Feed::Synthetic),
        ("ticks", Some(file)) => Some(Feed::Ticks(file)),
        ("bars", Some(file)) if feed::period_of(&file).is_some() => Some(Feed::Bars(file)),
        ("bars", Some(_)) => {
            reader.reject(
                "broker.simulator.file",
                "has no period in its name",
                "name it such as EURUSD_M5.csv",
            );
            None
        }
        ("ticks" | "bars", None) => {
            reader.reject(
                "broker.simulator.file",
                "is not a readable file",
                "set it to an export of the terminal",
            );
            None
        }
        _ => {
            reader.reject(
                "broker.simulator.feed",
                "is not a kind of feed",
                "set it to \"synthetic\", \"ticks\" or \"bars\"",
            );
            None
        }
    }
}

/// An export of a symbol that is not traded, and what is wrong with its header or its first row, is
/// told before anything starts.
fn look_into(reader: &mut Reader, feed: &Feed, symbols: &[SymbolSpec]) {
    let Some(spec) = feed.spec(symbols) else {
        if let Some(symbol) = feed.named_after() {
            reader.reject(
                SYMBOLS_KEY,
                format!("lacks {symbol}, which broker.simulator.file is named after"),
                "add it, or rename the file so that it begins with the symbol that it is of",
            );
        }
        return;
    };
    let why = match first_of(feed, spec) {
        Ok(true) => return,
        Ok(false) => "has no row to replay".to_owned(),
        Err(error) => format!("cannot be replayed: {error}"),
    };
    reader.reject(
        "broker.simulator.file",
        why,
        "set it to an export of the terminal",
    );
}

/// A name that is neither in the catalogue nor a pair of currencies is most likely misspelt. An export
/// may be of any symbol.
fn refuse_unknown(reader: &mut Reader, symbols: &[SymbolSpec]) {
    let is_pair = |spec: &SymbolSpec| spec.base_currency != spec.quote_currency;
    let mut specs = symbols.iter();
    let unknown = specs.find(|spec| !catalogue::knows(&spec.symbol) && !is_pair(spec));
    if let Some(spec) = unknown {
        reader.reject(
            SYMBOLS_KEY,
            format!("has {}, of which no prices can be made up", spec.symbol),
            "name symbols such as EURUSD, or replay an export of it",
        );
    }
}

/// What the simulator would refuse at the start.
fn refuse_account(reader: &mut Reader, error: &SetupError) {
    let (key, reason, fix) = match error {
        SetupError::NoConversion { symbol, from, .. } => (
            "broker.simulator.currency",
            format!("names a currency to which nothing converts the {from} of {symbol}"),
            format!(
                "add the pair of {from} and that currency to broker.simulator.symbols or .rates, or set another currency"
            ),
        ),
        SetupError::Duplicate { symbol } => (
            SYMBOLS_KEY,
            format!("lists {symbol} twice"),
            "list each symbol once".to_owned(),
        ),
        SetupError::Spec { .. } | SetupError::Account { .. } => (
            "broker.simulator",
            format!("cannot be set up: {error}"),
            "correct its keys".to_owned(),
        ),
    };
    reader.reject(key, reason, fix);
}

/// Reads an export up to its first tick or bar. False: it has none.
fn first_of(feed: &Feed, spec: &SymbolSpec) -> Result<bool, FeedError> {
    Ok(match feed {
        Feed::Synthetic => true,
        Feed::Ticks(file) => TickFile::open(file, spec)?.next().transpose()?.is_some(),
        Feed::Bars(file) => BarFile::open(file, spec)?.next().transpose()?.is_some(),
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
            reader.reject(
                "broker.simulator.speed",
                "is not a speed",
                "set it to \"1\", a factor of 0.01 to 10000, or \"max\"",
            );
            None
        }
    }
}

const SYMBOLS_KEY: &str = "broker.simulator.symbols";
/// What a synthetic feed makes up unless told otherwise.
const SYMBOLS: [&str; 4] = ["EURUSD", "GBPUSD", "USDJPY", "AUDUSD"];

/// Those that are named; else a replay trades the symbol of its file.
fn symbols(reader: &mut Reader, feed: Option<&Feed>) -> Option<Vec<SymbolSpec>> {
    let default = match feed {
        Some(Feed::Ticks(path) | Feed::Bars(path)) => {
            let symbol = feed::symbol_of(path);
            symbol.iter().map(ToString::to_string).collect()
        }
        _ => SYMBOLS.map(str::to_owned).to_vec(),
    };
    let names: Vec<String> = reader.or(SYMBOLS_KEY, "a list of symbols", default);
    let specs: Vec<SymbolSpec> = names
        .iter()
        .filter_map(|name| Symbol::parse(name).ok())
        .map(|symbol| catalogue::spec(&symbol))
        .collect();
    if specs.len() != names.len() || !(1..=256).contains(&specs.len()) {
        reader.reject(
            SYMBOLS_KEY,
            "is not a list of 1 to 256 symbols",
            "set it to a list such as [\"EURUSD\"]",
        );
        return None;
    }
    Some(specs)
}

/// Rows of orders and deals that the account's history keeps.
const HISTORY_ROWS: usize = 1_000;

fn account(reader: &mut Reader, sessions: Week) -> Option<AccountConfig> {
    let mut account = reader.section("broker.simulator");
    let default = AccountConfig::default();
    let mode = account.or("mode", "\"netting\" or \"hedging\"", AccountMode::Hedging);
    let balance = money(&mut account, "balance", 100_000.0, |balance| balance > 0.0);
    let commission = money(&mut account, "commission_per_lot", 0.0, |commission| {
        commission >= 0.0
    });
    let seed = account.or("seed", "a whole number, 0 or more", default.seed);
    let currency = account.or(
        "currency",
        "a currency such as USD",
        default.currency.clone(),
    );
    let leverage = account.ranged("leverage", "", default.leverage, 1..=10_000);
    let rates: BTreeMap<String, f64> = account.or(
        "rates",
        "a table such as { USDJPY = 150.0 }",
        BTreeMap::new(),
    );
    let slippage_points = account.ranged("slippage_points", "points", 0, 0..=100_000);
    let partial_fill_probability = account.or("partial_fill_probability", "0 to 1", 0.0);
    if !(0.0..=1.0).contains(&partial_fill_probability) {
        account.reject(
            "partial_fill_probability",
            "is not a probability",
            "set it to a number from 0 to 1",
        );
    }
    Some(AccountConfig {
        mode,
        balance: balance?,
        commission_per_lot: commission?,
        seed,
        currency,
        leverage: leverage?,
        rates,
        slippage_points: slippage_points?,
        partial_fill_probability,
        max_history_rows: HISTORY_ROWS,
        sessions,
        ..default
    })
}

fn money(
    account: &mut Section<'_>,
    part: &str,
    default: f64,
    fits: impl Fn(f64) -> bool,
) -> Option<Money> {
    let amount = account.or(part, "an amount of money", default);
    let read = Money::from_f64(amount).ok().filter(|_| fits(amount));
    if read.is_none() {
        account.reject(
            part,
            "is not an amount that fits",
            "set it to an amount such as 100000",
        );
    }
    read
}
