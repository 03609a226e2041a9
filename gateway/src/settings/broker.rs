//! Which broker executes orders, and the account's secrets that it needs. All that differs between
//! the kinds of brokers is here: a new one is a broker behind the seam, its name among `KINDS`, and
//! an arm of each match.

use super::{OrderSettings, simulator, terminal};
use crate::{
    broker::{
        Broker, Feed, Simulated, SimulatedSettings,
        terminal::{
            Account, LONGEST_CREDENTIAL, Terminal, TerminalSettings, WeakSecret, is_too_long,
        },
    },
    journal::{self, Identity},
};
use mymt5_chassis::{
    loader::Reader,
    sandbox::Plan,
    secrets::{Secret, SecretReader},
};
use mymt5_model::{AccountKind, BrokerZone, MaskedAccount};
use serde::de::IgnoredAny;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// The kinds, each with a table of that name in `[broker]`; the first is the default.
const KINDS: &[&str] = &["simulator", "terminal"];
/// What the template of `.env` says: nobody's account.
const TEMPLATE: [&str; 3] = ["12345678", "your_password", "YourBroker-Demo"];
/// What opens the account, and what gateway and bridge prove to each other.
const ACCOUNT: [&str; 3] = ["MT5_LOGIN", "MT5_PASSWORD", "MT5_SERVER"];
const BRIDGE: &str = "BRIDGE_SECRET";

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
    /// The file of the bridge's certificate. None: it is reached in plain text, on this host.
    pub pinned: Option<PathBuf>,
    /// The masked account number.
    pub account: MaskedAccount,
    /// The whole account number.
    pub login: Secret,
    /// The trade server's name.
    pub server: Secret,
}

impl BrokerSettings {
    /// Makes the broker; connects nowhere yet.
    ///
    /// # Errors
    /// A simulated account that was kept cannot be used.
    pub fn build(&self, secrets: &SecretReader) -> anyhow::Result<Arc<dyn Broker>> {
        Ok(match self {
            Self::Simulator(simulator) => {
                let simulated = Simulated::new(simulator.as_ref().clone());
                Arc::new(simulated?)
            }
            Self::Terminal(terminal) => {
                let secrets = secrets.clone();
                let credentials = move || account(&secrets);
                Arc::new(Terminal::new(terminal.terminal.clone(), credentials)?)
            }
        })
    }

    /// Whose journal is kept.
    #[must_use]
    pub fn identity(&self) -> Identity {
        match self {
            Self::Simulator(simulator) => Identity {
                broker: if simulator.keep_in.is_some() {
                    journal::SIMULATOR
                } else {
                    journal::REPLAY
                },
                server: simulator.account.server.clone(),
                account: MaskedAccount::of(simulator.account.login),
                login: Secret::new(simulator.account.login.to_string()),
            },
            Self::Terminal(terminal) => Identity {
                broker: journal::TERMINAL,
                server: terminal.server.expose().to_owned(),
                account: terminal.account.clone(),
                login: terminal.login.clone(),
            },
        }
    }

    /// The terminal and its account; none: it is another kind of broker.
    #[must_use]
    pub const fn terminal(&self) -> Option<&TerminalAccount> {
        match self {
            Self::Simulator(_) => None,
            Self::Terminal(terminal) => Some(terminal),
        }
    }

    /// What kind of account must be found at the broker.
    #[must_use]
    pub fn account_kind(&self) -> AccountKind {
        match self {
            Self::Simulator(_) => AccountKind::Simulated,
            Self::Terminal(terminal) => terminal.terminal.kind,
        }
    }

    /// True where it logs in with secrets, which a trade server may refuse.
    #[must_use]
    pub const fn logs_in(&self) -> bool {
        self.terminal().is_some()
    }

    /// True where the password goes to the bridge in plain text: a local user who takes its port
    /// first sees it.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let terminal = self.terminal();
        terminal.is_some_and(|terminal| terminal.pinned.is_none())
    }

    /// An account number that is not among the secrets.
    #[must_use]
    pub fn made_up_login(&self) -> Option<u64> {
        match self {
            Self::Simulator(simulator) => Some(simulator.account.login),
            Self::Terminal(_) => None,
        }
    }

    /// Adds what it still reads and connects to while it runs.
    pub(super) fn confine(&self, plan: Plan) -> Plan {
        match self {
            Self::Simulator(simulator) => match &simulator.feed {
                Feed::Synthetic => plan,
                Feed::Ticks(file) | Feed::Bars(file) => plan.reads(file),
            },
            Self::Terminal(terminal) => {
                let plan = plan.connects(terminal.terminal.port());
                let plan = terminal.pinned.iter().fold(plan, Plan::reads_beside);
                if terminal.terminal.is_named() {
                    plan.resolves_names()
                } else {
                    plan
                }
            }
        }
    }

    /// Checks its times against those of orders.
    pub(super) fn check_times(&self, reader: &mut Reader, orders: &OrderSettings) {
        let Some(account) = self.terminal() else {
            return;
        };
        if 2 * account.terminal.call_timeout > orders.send_timeout {
            reader.reject(
                "broker.terminal.call_timeout_ms",
                "is more than half of orders.send_timeout_ms: a lost reply is recalled for as long again",
                "set it to half of orders.send_timeout_ms at most",
            );
        }
    }
}

/// The account's secrets as they are now.
fn account(secrets: &SecretReader) -> Account {
    let all = secrets.all();
    // The configuration was refused without them, and a store never loses one.
    let kept = |name: &str| all.get(name).cloned().unwrap_or_else(|| Secret::new(""));
    let [login, password, server] = ACCOUNT;
    let password = all.credential(password).cloned();
    Account {
        login: kept(login),
        password: password.unwrap_or_else(|| Secret::new("").into()),
        server: kept(server),
        bridge: kept(BRIDGE),
    }
}

/// What was read.
pub(super) struct Chosen {
    pub(super) settings: Option<BrokerSettings>,
    /// Its answers and its history come at once.
    pub(super) simulated: bool,
    /// Secrets of an account are set that it does not use.
    pub(super) unused_account: bool,
}

/// Reads the kind, its table, and every secret that is there.
pub(super) fn read(
    reader: &mut Reader,
    zone: Option<&BrokerZone>,
    data_folder: Option<&Path>,
) -> Chosen {
    let names: Vec<String> = KINDS.iter().map(|kind| format!("\"{kind}\"")).collect();
    let expected = names.join(" or ");
    let named = reader.or("broker.kind", &expected, KINDS[0].to_owned());
    let known = KINDS.iter().find(|kind| **kind == named);
    if known.is_none() {
        let fix = format!("set it to {expected}");
        reader.reject("broker.kind", "is not a kind of broker", fix);
    }
    let kind = *known.unwrap_or(&KINDS[0]);
    // Tables of other kinds may stay for a way back.
    for other in KINDS.iter().filter(|other| **other != kind) {
        reader.optional::<IgnoredAny>(&format!("broker.{other}"), "a table");
    }
    let account = ACCOUNT.map(|name| reader.secret(name));
    let bridge = reader.secret(BRIDGE);
    let simulated = kind != "terminal";
    let unused_account = simulated && account.iter().any(Option::is_some);
    let settings = match kind {
        "terminal" => terminal(reader, zone, account, bridge),
        _ => simulator::read(reader, zone, data_folder)
            .map(|settings| BrokerSettings::Simulator(Box::new(settings))),
    };
    Chosen {
        settings,
        simulated,
        unused_account,
    }
}

/// A terminal needs all secrets, and real ones.
fn terminal(
    reader: &mut Reader,
    zone: Option<&BrokerZone>,
    account: [Option<Secret>; 3],
    bridge: Option<Secret>,
) -> Option<BrokerSettings> {
    if zone.is_none() {
        reader.reject(
            "broker.time_zone",
            "is missing, and a terminal tells times by the broker's clock alone",
            "set it to an IANA name such as Europe/Athens, or new_york+7, the usual one",
        );
    }
    for (name, secret) in ACCOUNT.iter().zip(&account) {
        let reason = match secret {
            None => "is missing, and a terminal cannot log in without it".to_owned(),
            Some(secret) if TEMPLATE.contains(&secret.expose()) => {
                "is the template's value".to_owned()
            }
            Some(secret) if is_too_long(secret) => {
                format!(
                    "is longer than {LONGEST_CREDENTIAL} characters, the most that the bridge takes"
                )
            }
            Some(_) => continue,
        };
        let fix = format!("set {name} or {name}_FILE to the account's own");
        reader.reject(name, reason, fix);
    }
    let made =
        "set it to the same 32 characters or more on both sides, made by `openssl rand -hex 32`";
    match bridge.as_ref().map(WeakSecret::of) {
        None => reader.reject(
            BRIDGE,
            "is missing, and the bridge answers no gateway without it",
            made,
        ),
        Some(Some(weak)) => reader.reject(BRIDGE, weak.to_string(), made),
        Some(None) => {}
    }
    let link = terminal::read(reader);
    let [login, _, server] = account;
    let login = login?;
    let number = login.expose().parse::<u64>().ok();
    let number = number.filter(|login| *login > 0);
    if number.is_none() {
        let fix = "set it to the account number, digits only, as the broker gave it";
        reader.reject("MT5_LOGIN", "is not an account number", fix);
    }
    let (terminal, pinned) = link?;
    Some(BrokerSettings::Terminal(Box::new(TerminalAccount {
        terminal,
        pinned,
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
