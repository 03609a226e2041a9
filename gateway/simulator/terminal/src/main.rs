//! The simulated terminal's process: options in, a socket out.

use anyhow::{Context, Result, bail};
use clap::{Parser, ValueEnum};
use mymt5_model::{AccountMode, BrokerZone, Execution, FillingModes, Money, Symbol};
use mymt5_simulated_terminal::{Server, Settings, Store, Temper, Terminal, now};
use mymt5_simulator::{AccountConfig, catalogue};
use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    thread,
};
use tracing_subscriber::filter::LevelFilter;

/// A simulated MetaTrader 5 terminal that speaks the protocol of the official Python package.
///
/// A relay carries the bytes between the package's named pipe and the address here. Nothing is
/// checked of who connects: the address is this machine's own.
#[derive(Parser)]
#[command(version, about)]
struct Options {
    /// Address to listen on, of this machine; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", value_parser = loopback)]
    listen: SocketAddr,
    /// File that the port is written to once the terminal listens
    #[arg(long, value_name = "FILE")]
    port_file: Option<PathBuf>,
    /// Opens a port for tempers while the terminal runs, and writes it to that file; it takes lines:
    /// set NAME[=VALUE], clear [NAME] or list
    #[arg(long, value_name = "FILE")]
    control_port_file: Option<PathBuf>,
    /// File that the account is kept in between runs
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    state: Option<PathBuf>,
    #[arg(long, value_name = "NAME[=VALUE]", help = temper_help())]
    temper: Vec<Temper>,
    #[command(flatten)]
    account: AccountOptions,
    #[command(flatten)]
    market: MarketOptions,
    /// Logs each command, but no login's body
    #[arg(long)]
    verbose: bool,
}

#[derive(clap::Args)]
struct AccountOptions {
    /// Account number
    #[arg(long, default_value_t = 10_000_001)]
    login: u64,
    /// Password that is right; any is without one
    #[arg(long)]
    password: Option<String>,
    /// Trade server
    #[arg(long, default_value = "MyMT5-Simulator")]
    server: String,
    /// Deposit of a new account
    #[arg(long, default_value = "100000", value_parser = amount)]
    balance: Money,
    /// Currency of the account
    #[arg(long, default_value = "USD")]
    currency: String,
    /// Conversion rate of a currency that no listed symbol converts, e.g. JPYUSD=0.0067
    #[arg(long, value_name = "PAIR=RATE", value_parser = rate)]
    rate: Vec<(String, f64)>,
    /// Leverage, 1 to that
    #[arg(long, default_value_t = 100)]
    leverage: u32,
    /// One position a symbol, or many
    #[arg(long, value_enum, default_value_t = MarginMode::Hedging)]
    margin_mode: MarginMode,
    /// Commission of one lot and side
    #[arg(long, default_value = "0", value_parser = amount)]
    commission: Money,
    /// Greatest random slip in points
    #[arg(long, default_value_t = 0)]
    slippage: u32,
    /// Chance that an order is done in part only
    #[arg(long, default_value_t = 0.0)]
    partial: f64,
}

#[derive(clap::Args)]
struct MarketOptions {
    /// Symbols in the Market Watch
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "EURUSD,GBPUSD,USDJPY,XAUUSD"
    )]
    symbols: Vec<String>,
    /// How market orders are executed
    #[arg(long, value_enum, default_value_t = Executed::Market)]
    execution: Executed,
    /// Mask of the symbols' filling modes: 1 fill or kill, 2 immediate or cancel, 4 book or cancel
    #[arg(long, default_value_t = FillingModes::IOC)]
    filling: u32,
    /// Seed of the market and of chance
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Milliseconds between two ticks of a symbol on average
    #[arg(long, value_name = "MS", default_value_t = 250)]
    tick_ms: u32,
    /// Minutes of ticks before the start
    #[arg(long, value_name = "MINUTES", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    past: u32,
    /// Tick export of the terminal to replay in place of a synthetic market, named after its symbol;
    /// may be given once for each symbol
    #[arg(long, value_name = "FILE")]
    replay: Vec<PathBuf>,
    /// How fast a replay goes
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// The broker's time zone: an IANA name, new_york+7 or an offset
    #[arg(long, default_value = "UTC+03:00")]
    zone: String,
    /// Build of the terminal
    #[arg(long, default_value_t = 6231)]
    build: u16,
    /// Folder of the terminal
    #[arg(long, default_value = r"C:\Program Files\MetaTrader 5")]
    path: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum MarginMode {
    Netting,
    Hedging,
}

#[derive(Clone, Copy, ValueEnum)]
enum Executed {
    Request,
    Instant,
    Market,
    Exchange,
}

fn temper_help() -> String {
    format!(
        "What goes wrong on purpose, may be given several times: {}; a command is a function's name \
         or its number",
        Temper::KNOWN
    )
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: Option<SocketAddr> = text.parse().ok();
    let own = address.filter(|address| address.ip().is_loopback());
    own.ok_or_else(|| "expected an address of this machine such as 127.0.0.1:0".to_owned())
}

fn amount(text: &str) -> Result<Money, String> {
    text.parse().map_err(|error| format!("{error}"))
}

fn rate(text: &str) -> Result<(String, f64), String> {
    let parts = text.split_once('=');
    let parsed = parts.and_then(|(pair, rate)| Some((pair.to_owned(), rate.parse().ok()?)));
    parsed.ok_or_else(|| "expected a pair and its rate such as JPYUSD=0.0067".to_owned())
}

fn main() -> ExitCode {
    let Err(error) = run(Options::parse()) else {
        return ExitCode::SUCCESS;
    };
    let _ = writeln!(io::stderr(), "error: {error:#}");
    ExitCode::FAILURE
}

fn run(options: Options) -> Result<()> {
    let level = if options.verbose {
        LevelFilter::DEBUG
    } else {
        LevelFilter::INFO
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(false)
        .with_writer(io::stderr)
        .init();
    let settings = settings(options.account, options.market)?;
    let opened = options.state.as_deref().map(Store::open).transpose()?;
    let (store, kept) = opened.unzip();
    let terminal = Terminal::start(settings, options.temper, kept.flatten(), now())?;
    let server = Arc::new(Server::new(terminal, store));
    if let Some(file) = &options.control_port_file {
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot open the control port")?;
        publish(file, &listener)?;
        let server = server.clone();
        thread::spawn(move || server.take_control(&listener));
    }
    let listener = TcpListener::bind(options.listen)
        .with_context(|| format!("cannot listen on {}", options.listen))?;
    if let Some(file) = &options.port_file {
        publish(file, &listener)?;
    }
    tracing::info!(address = %listener.local_addr()?, "listening");
    let clock = server.clone();
    thread::spawn(move || clock.tick());
    server.listen(&listener)?;
    Ok(())
}

fn settings(account: AccountOptions, market: MarketOptions) -> Result<Settings> {
    let mut symbols = Vec::new();
    for name in &market.symbols {
        let symbol = Symbol::parse(name).with_context(|| format!("invalid symbol {name}"))?;
        let mut spec = catalogue::spec(&symbol);
        spec.execution = match market.execution {
            Executed::Request => Execution::Request,
            Executed::Instant => Execution::Instant,
            Executed::Market => Execution::Market,
            Executed::Exchange => Execution::Exchange,
        };
        spec.filling = FillingModes(market.filling);
        symbols.push(spec);
    }
    if !market.speed.is_finite() || market.speed <= 0.0 {
        bail!("invalid speed {}: expected a number above 0", market.speed);
    }
    let zone = BrokerZone::parse(&market.zone);
    Ok(Settings {
        account: AccountConfig {
            mode: match account.margin_mode {
                MarginMode::Netting => AccountMode::Netting,
                MarginMode::Hedging => AccountMode::Hedging,
            },
            login: account.login,
            server: account.server,
            currency: account.currency,
            leverage: account.leverage,
            balance: account.balance,
            commission_per_lot: account.commission,
            rates: BTreeMap::from_iter(account.rate),
            seed: market.seed,
            slippage_points: account.slippage,
            partial_fill_probability: account.partial,
            ..AccountConfig::default()
        },
        password: account.password,
        symbols,
        zone: zone.with_context(|| format!("invalid zone {}", market.zone))?,
        build: market.build,
        path: market.path,
        replays: market.replay,
        speed: market.speed,
        tick_ms: market.tick_ms,
        past_minutes: market.past,
    })
}

/// Writes a port to a file: whole, once there is something to connect to.
fn publish(file: &Path, listener: &TcpListener) -> Result<()> {
    let port = listener.local_addr()?.port();
    let fresh = file.with_extension("new");
    let written = fs::write(&fresh, format!("{port}\n"));
    let written = written.and_then(|()| fs::rename(&fresh, file));
    written.with_context(|| format!("cannot write {}", file.display()))
}
