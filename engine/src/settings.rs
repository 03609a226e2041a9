//! The typed configuration, validated whole at start: every problem in one report.

use crate::{
    backtest::Conditions,
    risk::RiskSettings,
    session::GatewaySettings,
    strategy::{Registry, StrategySettings},
};
use mymt5_chassis::{
    cli::ProgramSettings,
    loader::{Reader, Table},
    logs::LogSettings,
    operations::OperationsSettings,
    sandbox::{Plan, Wanted},
    tls,
    traces::TraceSettings,
};
use mymt5_model::ClientName;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// The names this process takes from its environment, and those it must not find there: whoever
/// runs strategies must not hold what opens the account.
pub const TABLE: Table = Table {
    program: "mymt5-engine",
    names: &[
        ("LOG_LEVEL", "logging.level"),
        ("RISK_MAX_PER_TRADE", "risk.max_per_trade"),
    ],
    secrets: &[],
    forbidden: &[
        "MT5_*",
        "BRIDGE_SECRET",
        "EMAIL_*PASS*",
        "MAIL_*PASS*",
        "SMTP_*PASS*",
        "SMTP_*TOKEN*",
        "TELEGRAM_*TOKEN*",
    ],
};

/// Where health and metrics are served unless the configuration says otherwise.
pub(crate) const OPERATIONS: &str = "127.0.0.1:9102";

/// Everything the engine needs to know.
#[derive(Debug)]
pub struct Settings {
    /// How to reach the gateway.
    pub gateway: GatewaySettings,
    /// The operations port.
    pub operations: OperationsSettings,
    /// What to trade. On a netting account each symbol has one strategy.
    pub strategies: Vec<StrategySettings>,
    /// What may be risked.
    pub risk: RiskSettings,
    /// Own data.
    pub data_folder: PathBuf,
    /// How much the kernel must confine.
    pub sandbox: Wanted,
    /// Logs.
    pub logging: LogSettings,
    /// Traces.
    pub tracing: TraceSettings,
}

impl Settings {
    /// Adds what a running engine still reads and connects to: never a folder that may hold what
    /// opens the account, and not the `.env` that both processes share.
    #[must_use]
    pub fn sandbox_plan(&self, plan: Plan) -> Plan {
        let gateway = &self.gateway;
        let identity = gateway
            .identity
            .iter()
            .flat_map(|(certificate, key)| [certificate, key]);
        let files = identity.chain([&gateway.ca]).chain(&gateway.token_file);
        let plan = plan.reads_alone(files).connects(gateway.port());
        if gateway.is_named() {
            plan.resolves_names()
        } else {
            plan
        }
    }
}

impl ProgramSettings for Settings {
    const TABLE: Table = TABLE;

    fn data_folder(&self) -> &Path {
        &self.data_folder
    }

    fn sandbox(&self) -> Wanted {
        self.sandbox
    }

    fn logging(&self) -> &LogSettings {
        &self.logging
    }

    fn tracing(&self) -> Option<&TraceSettings> {
        Some(&self.tracing)
    }

    fn read(reader: &mut Reader) -> Option<Self> {
        Self::read_with(reader, Registry::of_program())
    }
}

impl Settings {
    /// Reads all keys, with the strategies of that registry; faults are collected by the reader. None:
    /// there were some.
    pub fn read_with(reader: &mut Reader, registry: &Registry) -> Option<Self> {
        let name: String = reader.or("engine.name", "1 to 32 of [A-Za-z0-9_-]", "main".to_owned());
        if ClientName::parse(&name).is_err() {
            reader.reject(
                "engine.name",
                "is not a valid name",
                "use 1 to 32 of [A-Za-z0-9_-]",
            );
        }
        let gateway = gateway(reader);
        let operations = OperationsSettings::read(reader, OPERATIONS);
        let strategies = strategies(reader, registry);
        let risk = RiskSettings::read(&mut reader.section("risk"));
        // What a backtest reads of the same file is looked at as well.
        Conditions::read(reader);
        reader.or("process.allow_root", "true or false", false);
        let sandbox = Wanted::read(reader);
        let data_folder = reader.path_or(
            "process.data_folder",
            "a folder",
            &format!("data/engine-{name}"),
        );
        let logging = LogSettings::read(reader, &format!("logs/engine-{name}"));
        let tracing = TraceSettings::read(reader, TABLE.program);
        Some(Self {
            gateway: gateway?,
            operations: operations?,
            strategies: strategies?,
            risk: risk?,
            data_folder: data_folder?,
            sandbox: sandbox?,
            logging: logging?,
            tracing: tracing?,
        })
    }
}

fn gateway(reader: &mut Reader) -> Option<GatewaySettings> {
    let address = reader.or(
        "gateway.address",
        "an address such as https://127.0.0.1:50051",
        "https://127.0.0.1:50051".to_owned(),
    );
    if !address.starts_with("https://") || address.parse::<tonic::transport::Uri>().is_err() {
        reader.reject(
            "gateway.address",
            "is not an https address",
            "set it to an address such as https://127.0.0.1:50051",
        );
    }
    let ca = reader.path_or("gateway.ca", "a PEM file", "config/tls/ca.pem");
    let token_file = reader.secret_file("gateway.token_file", "a file that holds the token");
    let certificate: Option<PathBuf> = reader.optional("gateway.certificate", "a PEM file");
    let key: Option<PathBuf> = reader.optional("gateway.key", "a PEM file");
    let identity = match (certificate, key) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => {
            reader.reject(
                "gateway.certificate",
                "is set without gateway.key, or gateway.key without it",
                "set both or neither",
            );
            None
        }
    };
    if identity.is_none() && token_file.is_none() {
        reader.reject(
            "gateway",
            "has no proof of identity",
            "set certificate and key, or token_file",
        );
    }
    let ca = ca?;
    let own = identity.as_ref();
    let own = own.map(|(certificate, key)| (certificate.as_path(), key.as_path()));
    if let Err(error) = tls::check_client(&ca, own) {
        reader.reject(
            "gateway",
            error.fault(),
            error.fix("set ca, certificate and key to PEM files of the gateway's authority"),
        );
    }
    Some(GatewaySettings {
        address,
        ca,
        identity,
        token_file,
    })
}

pub(crate) fn strategies(
    reader: &mut Reader,
    registry: &Registry,
) -> Option<Vec<StrategySettings>> {
    let count = reader.count("strategies");
    let read = (0..count).map(|at| {
        let mut section = reader.section(format!("strategies.{at}"));
        StrategySettings::read(&mut section, registry)
    });
    let read: Vec<_> = read.collect();
    let strategies: Vec<StrategySettings> = read.into_iter().collect::<Option<_>>()?;
    let names: BTreeSet<_> = strategies.iter().map(|strategy| &strategy.name).collect();
    if names.len() != strategies.len() {
        reader.reject(
            "strategies",
            "give one name to two strategies",
            "give each strategy a name of its own",
        );
    }
    Some(strategies)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_chassis::loader::Environment;

    #[test]
    fn what_opens_an_account_or_a_mailbox_is_refused_by_any_usual_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("engine.toml");
        std::fs::write(&file, "").unwrap();
        let is_refused = |name: &str| {
            let environment = Environment::from_pairs([(name, "hidden")]);
            let reader = Reader::open(&TABLE, &file, environment).unwrap();
            let errors = reader.finish().err();
            errors.is_some_and(|errors| errors.0.iter().any(|fault| fault.key == name))
        };
        for name in [
            "MT5_LOGIN",
            "MT5_PASSWORD_FILE",
            "BRIDGE_SECRET",
            "EMAIL_PASSWORD",
            "EMAIL_HOST_PASSWORD",
            "MAIL_PASS",
            "SMTP_PASS",
            "SMTP_PASSWORD_FILE",
            "SMTP_TOKEN",
            "TELEGRAM_BOT_TOKEN",
            "TELEGRAM_TOKEN",
        ] {
            assert!(is_refused(name), "{name}");
        }
        for name in ["SMTP_HOST", "EMAIL_FROM", "TELEGRAM_CHAT_ID", "PATH"] {
            assert!(!is_refused(name), "{name}");
        }
    }
}
