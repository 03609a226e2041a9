//! How fast past ticks are traded, beside a plain loop that reads the same lines and averages their
//! mid price, in the same run: a strategy that never trades, and all orders and risk. `cargo bench -p
//! mymt5-engine -- FILE` takes a tick export of AUDUSD in place of ticks of its own.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use mymt5_chassis::loader::{Environment, Reader};
use mymt5_engine::{
    backtest::{Backtest, Conditions, Kind, Outcome, Span, Ticks},
    risk::RiskSettings,
    settings::TABLE,
    strategy::{Registry, StrategySettings},
};
use mymt5_model::Symbol;
use std::{
    env,
    fmt::Write,
    fs,
    hint::black_box,
    path::{Path, PathBuf},
    time::Instant,
};

const TICKS: usize = 400_000;
const ROUNDS: usize = 5;
const TRADES: &str = include_str!("../examples/ema_reverse.toml");

/// A walk around one price, exported as the terminal does.
fn export(count: usize) -> String {
    let mut text = String::from("<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\r\n");
    let mut state = 1_u64;
    let mut bid = 67_000_i64;
    for at in 0..count {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        bid += ((state >> 33) % 7) as i64 - 3 + (67_000 - bid).signum();
        let ask = bid + 3;
        let (day, second) = (1 + at / 86_400, at % 86_400);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(
            text,
            "2020.01.{day:02}\t{hour:02}:{minute:02}:{second:02}.500\t0.{bid:05}\t0.{ask:05}\t\t\t6\r\n"
        )
        .unwrap();
    }
    text
}

fn traded(config: &Path, ticks: &Path) -> Outcome {
    let environment = Environment::from_pairs([("", ""); 0]);
    let mut reader = Reader::open(&TABLE, config, environment).unwrap();
    let conditions = Conditions::read(&mut reader).unwrap();
    let mut section = reader.section("strategies.0".to_owned());
    let strategy = StrategySettings::read(&mut section, &Registry::shipped()).unwrap();
    let risk = RiskSettings::read(&mut reader.section("risk")).unwrap();
    let symbol = Symbol::parse("AUDUSD").unwrap();
    let strategy = StrategySettings {
        symbol: symbol.clone(),
        ..strategy
    };
    let files = [PathBuf::from(ticks)];
    let mut ticks = Ticks::open(
        &files,
        Kind::Ticks,
        Some(&symbol),
        Span::default(),
        &conditions.contracts,
    )
    .unwrap();
    let mut backtest = Backtest::new(&conditions, ticks.specs(), vec![strategy], risk).unwrap();
    while let Some(tick) = ticks.next_tick().unwrap() {
        backtest.on_tick(&tick);
    }
    backtest.finish().0
}

/// The plain loop: lines, two doubles of each, where a blank is the one before, and two averages.
fn averaged(path: &Path) -> f64 {
    let text = fs::read_to_string(path).unwrap();
    let (mut bid, mut ask) = (0.0, 0.0);
    let (mut fast, mut slow) = (0.0, 0.0);
    for line in text.lines().skip(1) {
        let mut fields = line.split('\t').skip(2);
        for side in [&mut bid, &mut ask] {
            let field = fields.next().unwrap();
            if !field.is_empty() {
                *side = field.parse().unwrap();
            }
        }
        let mid = f64::midpoint(bid, ask);
        fast += 2.0 / 11.0 * (mid - fast);
        slow += 2.0 / 21.0 * (mid - slow);
    }
    fast - slow
}

/// The best of some rounds, ticks a second.
fn rate(ticks: usize, mut run: impl FnMut()) -> f64 {
    let seconds = (0..ROUNDS).map(|_| {
        let begun = Instant::now();
        run();
        begun.elapsed().as_secs_f64()
    });
    ticks as f64 / seconds.fold(f64::INFINITY, f64::min)
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let named = env::args().skip(1).find(|word| !word.starts_with("--"));
    let ticks = named.map_or_else(|| folder.path().join("AUDUSD_ticks.csv"), PathBuf::from);
    if !ticks.exists() {
        fs::write(&ticks, export(TICKS)).unwrap();
    }
    let count = fs::read_to_string(&ticks).unwrap().lines().count() - 1;
    let trades = folder.path().join("trades.toml");
    fs::write(&trades, TRADES).unwrap();
    let never = folder.path().join("never.toml");
    fs::write(&never, TRADES.replace("warmup = 20", "warmup = 1000000000")).unwrap();
    let plain = rate(count, || {
        black_box(averaged(&ticks));
    });
    let idle = rate(count, || assert_eq!(traded(&never, &ticks).orders, 0));
    let mut orders = 0;
    let busy = rate(count, || orders = traded(&trades, &ticks).orders);
    println!("plain loop: {plain:.0} ticks/s");
    println!(
        "no trade: {idle:.0} ticks/s, {:.2} of the plain loop",
        idle / plain
    );
    println!(
        "{orders} orders: {busy:.0} ticks/s, {:.2} of the plain loop",
        busy / plain
    );
}
