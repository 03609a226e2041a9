//! Which broker executes orders, and the account's secrets that it needs.

use super::{simulator, terminal};
use crate::broker::{SimulatedSettings, terminal::TerminalSettings};
use mymt5_chassis::{loader::Reader, secrets::Secret};
use mymt5_model::{BrokerZone, MaskedAccount};
use serde::de::IgnoredAny;
use std::path::{Path, PathBuf};

/// What the template of `.env` says: nobody's account.
const TEMPLATE: [&str; 3] = ["12345678", "your_password", "YourBroker-Demo"];
/// What opens the account, and what gateway and bridge prove to each other.
const ACCOUNT: [&str; 3] = ["MT5_LOGIN", "MT5_PASSWORD", "MT5_SERVER"];
const BRIDGE: &str = "BRIDGE_SECRET";
/// Shortest secret of the bridge: anyone who can listen or connect may guess at it.
const BRIDGE_CHARS: usize = 32;

/// What executes orders.
#[derive(Debug)]
pub enum BrokerSettings {
    /// The embedded simulator. Secrets of a real account are only kept from the logs.
    Simulator(Box<SimulatedSettings>),
    /// A MetaTrader 5 terminal.
    Terminal(Box<TerminalAccount>),
}

/// A terminal and the account that it must have.
#[derive(Debug)]
pub struct TerminalAccount {
    /// The bridge.
    pub terminal: TerminalSettings,
    /// The file of the bridge's certificate.
    pub pinned: Option<PathBuf>,
    /// The masked account number.
    pub account: MaskedAccount,
    /// The whole account number.
    pub login: Secret,
    /// The trade server's name.
    pub server: Secret,
}

/// What was read.
pub(super) struct Broker {
    pub(super) settings: Option<BrokerSettings>,
    pub(super) is_simulator: bool,
    /// Secrets of an account are set that a simulator does not use.
    pub(super) unused_account: bool,
}

/// Reads the kind, its table, and every secret that is there.
pub(super) fn read(
    reader: &mut Reader,
    zone: Option<&BrokerZone>,
    data_folder: Option<&Path>,
) -> Broker {
    let kind = reader.or(
        "broker.kind",
        "\"simulator\" or \"terminal\"",
        "simulator".to_owned(),
    );
    let account = ACCOUNT.map(|name| reader.secret(name));
    let bridge = reader.secret(BRIDGE);
    let unused = account.iter().any(Option::is_some);
    if kind == "terminal" {
        if zone.is_none() {
            reader.reject(
                "broker.time_zone",
                "is missing, and a terminal tells times by the broker's clock alone",
                "set it to an IANA name such as Europe/Athens, or new_york+7, the usual one",
            );
        }
        // The table may stay for a way back.
        reader.optional::<IgnoredAny>("broker.simulator", "a table");
        return Broker {
            settings: terminal(reader, account, bridge),
            is_simulator: false,
            unused_account: false,
        };
    }
    reader.optional::<IgnoredAny>("broker.terminal", "a table");
    if kind != "simulator" {
        let fix = "set it to \"simulator\" or \"terminal\"";
        reader.reject("broker.kind", "is not a kind of broker", fix);
    }
    let simulator = simulator::read(reader, zone, data_folder);
    Broker {
        settings: simulator.map(|settings| BrokerSettings::Simulator(Box::new(settings))),
        is_simulator: true,
        unused_account: unused,
    }
}

/// A terminal needs all secrets, and real ones.
fn terminal(
    reader: &mut Reader,
    account: [Option<Secret>; 3],
    bridge: Option<Secret>,
) -> Option<BrokerSettings> {
    for (name, secret) in ACCOUNT.iter().zip(&account) {
        let reason = match secret {
            None => "is missing, and a terminal cannot log in without it",
            Some(secret) if TEMPLATE.contains(&secret.expose()) => "is the template's value",
            Some(_) => continue,
        };
        let fix = format!("set {name} or {name}_FILE to the account's own");
        reader.reject(name, reason, fix);
    }
    let made =
        "set it to the same 32 characters or more on both sides, made by `openssl rand -hex 32`";
    match &bridge {
        None => reader.reject(
            BRIDGE,
            "is missing, and the bridge answers no gateway without it",
            made,
        ),
        Some(secret) if secret.expose().chars().count() < BRIDGE_CHARS => {
            reader.reject(BRIDGE, "is shorter than 32 characters", made);
        }
        Some(_) => {}
    }
    let settings = terminal::read(reader);
    let [login, _, server] = account;
    let login = login?;
    let number = login.expose().parse::<u64>().ok();
    let number = number.filter(|login| *login > 0);
    if number.is_none() {
        let fix = "set it to the account number, digits only, as the broker gave it";
        reader.reject("MT5_LOGIN", "is not an account number", fix);
    }
    Some(BrokerSettings::Terminal(Box::new(TerminalAccount {
        terminal: settings?,
        pinned: reader.optional(terminal::PINNED, "a PEM file"),
        account: MaskedAccount::of(number?),
        login,
        server: server?,
    })))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::settings::TABLE;
    use mymt5_chassis::loader::Environment;
    use std::fs;

    fn errors(kind: &str, pairs: &[(&str, &str)]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.toml");
        fs::write(&file, format!("[broker]\nkind = \"{kind}\"\n")).unwrap();
        let environment = Environment::from_pairs(pairs.iter().copied());
        let mut reader = Reader::open(&TABLE, &file, environment).unwrap();
        read(&mut reader, None, None);
        reader
            .finish()
            .err()
            .map_or_else(String::new, |errors| errors.to_string())
    }

    #[test]
    fn a_terminal_wants_an_account_and_not_the_templates() {
        let pairs = [("MT5_LOGIN", "12345678"), ("MT5_PASSWORD", "your_password")];
        assert_eq!(errors("simulator", &pairs), "");
        let told = errors("terminal", &pairs);
        for (name, reason) in [
            ("MT5_LOGIN", "is the template's value"),
            ("MT5_PASSWORD", "is the template's value"),
            ("MT5_SERVER", "is missing"),
        ] {
            let line = told.lines().find(|line| line.contains(name));
            assert!(line.is_some_and(|line| line.contains(reason)), "{told}");
        }
        assert!(
            !told.contains("12345678") && !told.contains("your_password"),
            "{told}"
        );
        for key in [
            "BRIDGE_SECRET",
            "broker.terminal.address",
            "broker.terminal.symbols",
        ] {
            assert!(told.contains(key), "{key}: {told}");
        }
    }
}
