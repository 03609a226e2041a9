//! The typed configuration, validated whole at start: every problem in one report.

use crate::{
    access::{Client, Permission, Proof},
    broker::{Feed, SimulatedSettings, Speed},
};
use mymt5_chassis::{
    clock,
    loader::{Reader, Table},
    logs::LogSettings,
    operations::OperationsSettings,
    tls,
};
use mymt5_guard::Limits;
use mymt5_model::{
    AccountMode, BrokerTime, BrokerZone, ClientName, Lots, Magic, Money, Symbol, SymbolSpec,
    UtcTime,
};
use mymt5_simulator::{AccountConfig, catalogue, feed};
use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf};

/// The names this process takes from its environment by their own spelling, and its secrets.
pub const TABLE: Table = Table {
    program: "mymt5-gateway",
    names: &[("LOG_LEVEL", "logging.level")],
    secrets: &["MT5_LOGIN", "MT5_PASSWORD", "MT5_SERVER"],
    forbidden: &[],
};

/// Everything the gateway needs to know.
#[derive(Debug)]
pub struct Settings {
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Server certificate, its key, the clients' authority.
    pub tls: (PathBuf, PathBuf, PathBuf),
    /// The operations port.
    pub operations: OperationsSettings,
    /// The broker's zone: its name and itself.
    pub zone: Option<(String, BrokerZone)>,
    /// The embedded broker.
    pub simulator: SimulatedSettings,
    /// Who may call.
    pub clients: Vec<Client>,
    /// Longest time an order may wait to be sent, milliseconds.
    pub max_queue_ms: i64,
    /// Own data.
    pub data_folder: PathBuf,
    /// Logs.
    pub logging: LogSettings,
}

impl Settings {
    /// Reads all keys; faults are collected by the reader. None: there were some.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let address = "an address such as 127.0.0.1:50051";
        let listen = reader.or(
            "server.listen",
            address,
            SocketAddr::from(([127, 0, 0, 1], 50051)),
        );
        let certificate = reader.path_or(
            "server.tls.certificate",
            "a PEM file",
            "config/tls/gateway/certificate.pem",
        );
        let key = reader.path_or("server.tls.key", "a PEM file", "config/tls/gateway/key.pem");
        let client_ca = reader.path_or("server.tls.client_ca", "a PEM file", "config/tls/ca.pem");
        let operations = OperationsSettings::read(reader, "127.0.0.1:9101");
        let zone = zone(reader);
        let simulator = simulator(reader, zone.as_ref().map(|(_, zone)| zone));
        let clients = clients(reader);
        let max_queue_ms = reader.or("orders.max_queue_ms", "milliseconds, 100 to 60000", 2_000);
        if !(100..=60_000).contains(&max_queue_ms) {
            reader.fault(
                "orders.max_queue_ms",
                "is out of range",
                "set it to 100 to 60000 milliseconds",
            );
        }
        reader.or("process.allow_root", "true or false", false);
        sandbox(reader);
        let data_folder = reader.path_or("process.data_folder", "a folder", "data/gateway");
        let logging = LogSettings::read(reader, "logs/gateway");
        Some(Self {
            listen,
            tls: (certificate?, key?, client_ca?),
            operations: operations?,
            zone,
            simulator: simulator?,
            clients: clients?,
            max_queue_ms,
            data_folder: data_folder?,
            logging: logging?,
        })
    }
}

/// A sandbox that this build cannot enforce is refused where it is required.
fn sandbox(reader: &mut Reader) {
    let wanted = reader.or(
        "process.sandbox",
        "\"required\", \"best-effort\" or \"off\"",
        "best-effort".to_owned(),
    );
    match wanted.as_str() {
        "best-effort" | "off" => {}
        "required" => {
            reader.fault(
                "process.sandbox",
                "cannot be enforced by this version",
                "set it to \"best-effort\"",
            );
        }
        _ => reader.fault(
            "process.sandbox",
            "is no kind of sandbox",
            "set it to \"best-effort\" or \"off\"",
        ),
    }
}

fn zone(reader: &mut Reader) -> Option<(String, BrokerZone)> {
    let name: String = reader.optional(
        "broker.time_zone",
        "an IANA name such as Europe/Athens, or new_york+7",
    )?;
    match BrokerZone::parse(&name) {
        Ok(zone) => Some((name, zone)),
        Err(error) => {
            reader.fault(
                "broker.time_zone",
                "is no known time zone",
                error.to_string(),
            );
            None
        }
    }
}

fn simulator(reader: &mut Reader, zone: Option<&BrokerZone>) -> Option<SimulatedSettings> {
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

fn clients(reader: &mut Reader) -> Option<Vec<Client>> {
    let names = reader.names("clients");
    if names.is_empty() {
        reader.fault(
            "clients",
            "names nobody: no call could be allowed",
            "add a table such as [clients.engine]",
        );
    }
    if names.len() > usize::from(Magic::MAX_SLOT) {
        reader.fault("clients", "names too many clients", "name at most 2047");
    }
    let clients: Vec<_> = names.iter().map(|name| client(reader, name)).collect();
    clients.into_iter().collect()
}

fn client(reader: &mut Reader, name: &str) -> Option<Client> {
    let key = |part: &str| format!("clients.{name}.{part}");
    let parsed = ClientName::parse(name).ok();
    if parsed.is_none() {
        reader.fault(
            &format!("clients.{name}"),
            "is no client's name",
            "use 1 to 32 of [A-Za-z0-9_-]",
        );
    }
    let proof = proof(reader, name);
    let permissions = reader.required::<BTreeSet<Permission>>(
        &key("permissions"),
        "a list of \"read\", \"trade\", \"control\", \"diagnose\"",
    );
    let symbols: Vec<String> = reader.or(
        &key("symbols"),
        "a list of symbols, or [\"*\"]",
        vec!["*".to_owned()],
    );
    let symbols = if symbols.iter().any(|symbol| symbol == "*") {
        None
    } else {
        let parsed: BTreeSet<Symbol> = symbols
            .iter()
            .filter_map(|symbol| Symbol::parse(symbol).ok())
            .collect();
        if parsed.len() != symbols.len() {
            reader.fault(
                &key("symbols"),
                "holds what is no symbol",
                "list each symbol once, or [\"*\"]",
            );
        }
        Some(parsed)
    };
    let limits = limits(reader, name);
    Some(Client {
        name: parsed?,
        proof: proof?,
        permissions: permissions?,
        symbols,
        limits,
    })
}

fn proof(reader: &mut Reader, name: &str) -> Option<Proof> {
    let (certificate_key, hash_key) = (
        format!("clients.{name}.certificate"),
        format!("clients.{name}.token_sha256"),
    );
    let certificate: Option<String> =
        reader.optional(&certificate_key, "spiffe://mymt5/client/NAME");
    let hash: Option<String> = reader.optional(&hash_key, "64 hex digits");
    match (certificate, hash) {
        (Some(uri), None) => match uri.strip_prefix(tls::CLIENT_URI) {
            Some(subject) if ClientName::parse(subject).is_ok() => {
                Some(Proof::Certificate(subject.to_owned()))
            }
            _ => {
                reader.fault(
                    &certificate_key,
                    "is no client's URI",
                    "set it to spiffe://mymt5/client/NAME",
                );
                None
            }
        },
        (None, Some(hash)) => {
            let read = hex::decode(&hash)
                .ok()
                .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            if read.is_none() {
                reader.fault(
                    &hash_key,
                    "is no SHA-256",
                    "set it to the 64 hex digits that `mymt5-gateway token` printed",
                );
            }
            read.map(Proof::Token)
        }
        _ => {
            reader.fault(
                &format!("clients.{name}"),
                "needs exactly one proof",
                "set either certificate or token_sha256",
            );
            None
        }
    }
}

fn limits(reader: &mut Reader, name: &str) -> Limits {
    let key = |part: &str| format!("clients.{name}.limits.{part}");
    let max_lots: Option<f64> = reader.optional(&key("max_lots_per_order"), "lots");
    let max_lots_per_order = max_lots.and_then(|lots| match Lots::from_f64(lots) {
        Ok(lots) if !lots.is_zero() => Some(lots),
        _ => {
            reader.fault(
                &key("max_lots_per_order"),
                "is no volume",
                "set it to lots above 0",
            );
            None
        }
    });
    Limits {
        max_lots_per_order,
        max_open_positions: reader.optional(&key("max_open_positions"), "a count"),
        max_orders_per_minute: reader.optional(&key("max_orders_per_minute"), "a count"),
        require_stop_loss: reader.or(&key("require_stop_loss"), "true or false", false),
    }
}
