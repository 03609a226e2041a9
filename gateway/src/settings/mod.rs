//! The typed configuration, validated whole at start: every problem in one report.

mod audit;
mod broker;
mod calendar;
mod clients;
mod limits;
#[cfg(test)]
mod messages;
mod notify;
mod orders;
mod sessions;
mod simulator;
mod terminal;

pub use broker::{BrokerSettings, TerminalAccount};
pub use orders::OrderSettings;

use crate::{
    access::Client,
    audit::AuditSettings,
    journal::{self, Disk, Identity},
    link::Calendar,
    notify::{NotifySettings, PASSWORDS, TOKEN},
};
use mymt5_chassis::{
    cli::ProgramSettings,
    config_errors::ConfigError,
    loader::{Reader, Table},
    logs::LogSettings,
    operations::OperationsSettings,
    sandbox::{Plan, Wanted},
    secrets::FoundSecrets,
    tls::{IdentityError, ServerIdentity},
    traces::TraceSettings,
};
use mymt5_guard::{Percent, ScopeLimits};
use mymt5_model::{AccountKind, BrokerZone};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// The names this process takes from its environment by their own spelling, and its secrets.
pub const TABLE: Table = Table {
    program: "mymt5-gateway",
    names: &[
        ("LOG_LEVEL", "logging.level"),
        ("RISK_MAX_PER_TRADE", limits::RISK_CEILING),
    ],
    secrets: &[
        "MT5_LOGIN",
        "MT5_PASSWORD",
        "MT5_SERVER",
        "BRIDGE_SECRET",
        PASSWORDS[0],
        PASSWORDS[1],
        TOKEN,
    ],
    forbidden: &[],
};

/// Where health and metrics are served unless the configuration says otherwise.
pub(crate) const OPERATIONS: &str = "127.0.0.1:9101";

/// Everything the gateway needs to know.
#[derive(Debug)]
pub struct Settings {
    /// Where the API listens.
    pub listen: SocketAddr,
    /// How long a client's connection lives.
    pub max_connection_age: Duration,
    /// Server certificate, its key, the clients' authority.
    pub tls: (PathBuf, PathBuf, PathBuf),
    /// The operations port.
    pub operations: OperationsSettings,
    /// The broker's zone: its name and itself.
    pub zone: Option<(String, BrokerZone)>,
    /// When the broker trades; none: at any time.
    pub calendar: Option<Calendar>,
    /// What executes orders.
    pub broker: BrokerSettings,
    /// Who may call.
    pub clients: Vec<Client>,
    /// How long things may take.
    pub orders: OrderSettings,
    /// Limits of the account, over all that trade.
    pub account_limits: ScopeLimits,
    /// The most that any trade may lose at its stop, part of every scope's limits.
    pub risk_ceiling: Option<Percent>,
    /// Own data.
    pub data_folder: PathBuf,
    /// The disk that it is on.
    pub disk: Disk,
    /// How much the kernel must confine.
    pub sandbox: Wanted,
    /// Logs.
    pub logging: LogSettings,
    /// Traces.
    pub tracing: TraceSettings,
    /// The audit trail.
    pub audit: AuditSettings,
    /// How an operator is told.
    pub notify: NotifySettings,
    /// All secrets that were found.
    pub secrets: FoundSecrets,
    /// Some of them open an account that the simulator does not use.
    pub unused_account: bool,
}

/// What a running gateway takes up again, each as far as it is sound by itself.
#[derive(Debug)]
pub struct Reloadable {
    /// Server certificate, its key, the clients' authority.
    pub tls: Option<(PathBuf, PathBuf, PathBuf)>,
    /// Who may call.
    pub clients: Option<Vec<Client>>,
    /// Limits of the account; those with a fault are missing.
    pub account_limits: ScopeLimits,
    /// The most that any trade may lose at its stop.
    pub risk_ceiling: Option<Percent>,
    /// The log's level.
    pub level: Option<String>,
    /// All secrets that were found.
    pub secrets: FoundSecrets,
}

impl Settings {
    /// Where the journal is.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.data_folder
            .join(journal::file_of(self.identity().broker))
    }

    /// Whose journal this gateway keeps.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.broker.identity()
    }

    /// What kind of account must be found at the broker.
    #[must_use]
    pub fn account_kind(&self) -> AccountKind {
        self.broker.account_kind()
    }

    /// Adds what a running gateway still reads; every listener is open by then. A configuration that
    /// an editor replaced must be read again, or no client could be revoked: so all of its folder.
    /// `/proc` tells who is at the control socket.
    #[must_use]
    pub fn sandbox_plan(&self, config: &Path, plan: Plan) -> Plan {
        let (certificate, key, client_ca) = &self.tls;
        // There is none where the environment is the whole configuration.
        let plan = if config.exists() {
            plan.reads_beside(config)
        } else {
            plan
        };
        let plan = plan
            .reads_beside(certificate)
            .reads_beside(key)
            .reads_beside(client_ca)
            .reads_if_there(".env")
            .reads_if_there("/proc");
        self.notify.confine(self.broker.confine(plan))
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
        Self::read_with_parts(reader).0
    }
}

impl Settings {
    /// Reads all keys. With faults there are no settings, and the parts that can be taken up are
    /// there all the same.
    pub fn read_with_parts(reader: &mut Reader) -> (Option<Self>, Reloadable) {
        let address = "an address such as 127.0.0.1:50051";
        let listen = reader.or(
            "server.listen",
            address,
            SocketAddr::from(([127, 0, 0, 1], 50051)),
        );
        let max_connection_age = max_connection_age(reader);
        let tls = tls(reader);
        let operations = OperationsSettings::read(reader, OPERATIONS);
        let zone = zone(reader);
        let data_folder = reader.path_or("process.data_folder", "a folder", "data/gateway");
        if let Some(folder) = data_folder
            .as_deref()
            .filter(|folder| is_on_a_network(folder))
        {
            refuse_network(reader, folder);
        }
        let clock = zone.as_ref().map(|(_, zone)| zone);
        let calendar = calendar::read(reader, clock);
        let broker = broker::read(reader, clock, data_folder.as_deref());
        let risk_ceiling = limits::risk_ceiling(reader);
        let account_limits = ScopeLimits::read(&mut reader.section("limits"), risk_ceiling);
        let clients = clients::read(reader, risk_ceiling);
        let orders = orders::read(reader, broker.simulated);
        if let (Some(broker), Some(orders)) = (&broker.settings, &orders) {
            broker.check_times(reader, orders);
        }
        reader.or("process.allow_root", "true or false", false);
        let disk_alarm_mib = reader.or(
            "process.disk_alarm_mib",
            "a number of MiB such as 1024",
            1024,
        );
        let sandbox = Wanted::read(reader);
        let logging = LogSettings::read(reader, "logs/gateway");
        let tracing = TraceSettings::read(reader, TABLE.program);
        let log_folder = logging
            .as_ref()
            .and_then(|logging| logging.folder.as_deref());
        let audit = audit::read(reader, log_folder, data_folder.as_deref());
        let notify = notify::read(reader);
        let parts = Reloadable {
            tls: tls.clone(),
            clients: clients.clone(),
            account_limits: account_limits.clone(),
            risk_ceiling,
            level: logging.as_ref().map(|logging| logging.level.clone()),
            secrets: reader.found_secrets(),
        };
        let secrets = parts.secrets.clone();
        let whole = || {
            Some(Self {
                listen,
                max_connection_age: max_connection_age?,
                tls: tls?,
                operations: operations?,
                zone,
                calendar,
                broker: broker.settings?,
                clients: clients?,
                orders: orders?,
                account_limits,
                risk_ceiling,
                disk: Disk::of(data_folder.clone()?, disk_alarm_mib),
                data_folder: data_folder?,
                sandbox: sandbox?,
                logging: logging?,
                tracing: tracing?,
                audit: audit?,
                notify: notify?,
                secrets,
                unused_account: broker.unused_account,
            })
        };
        (whole(), parts)
    }
}

/// After which a client's connection ends, and its client connects again and proves itself again.
fn max_connection_age(reader: &mut Reader) -> Option<Duration> {
    const WEEK: u64 = 7 * 86_400;
    let mut server = reader.section("server");
    let seconds = server.ranged("max_connection_age_s", "seconds", 3_600, 1..=WEEK);
    seconds.map(Duration::from_secs)
}

/// The server's certificate, its key and the clients' authority: files that fit together.
fn tls(reader: &mut Reader) -> Option<(PathBuf, PathBuf, PathBuf)> {
    let certificate = reader.path_or(
        "server.tls.certificate",
        "a PEM file",
        "config/tls/gateway/certificate.pem",
    );
    let key = reader.path_or("server.tls.key", "a PEM file", "config/tls/gateway/key.pem");
    let client_ca = reader.path_or("server.tls.client_ca", "a PEM file", "config/tls/ca.pem");
    let files = (certificate?, key?, client_ca?);
    if let Err(error) = ServerIdentity::load(&files.0, &files.1, &files.2) {
        let fault = tls_fault(&error);
        reader.reject(&fault.key, fault.reason, fault.fix);
    }
    Some(files)
}

/// Why the server's certificate, its key and the clients' authority cannot be used.
#[track_caller]
pub(crate) fn tls_fault(error: &IdentityError) -> ConfigError {
    ConfigError::new(
        "server.tls",
        error.fault(),
        error.fix("name PEM files that fit together, or make them with `mymt5-gateway certs`"),
    )
}

fn refuse_network(reader: &mut Reader, folder: &Path) {
    reader.reject(
        "process.data_folder",
        format!("is on a network file system ({})", folder.display()),
        "put it on a local disk: a journal there can be lost or torn",
    );
}

/// True where a sync or a lock may not be what it says. Of a folder that is yet to be made, the
/// nearest one that exists tells.
fn is_on_a_network(folder: &Path) -> bool {
    // NFS, SMB, SMB2, CIFS, AFS, Coda, NCP, Ceph, 9P, as statfs(2) numbers them.
    const NETWORKS: [u64; 9] = [
        0x6969,
        0x517b,
        0xfe53_4d42,
        0xff53_4d42,
        0x5346_414f,
        0x7375_7245,
        0x564c,
        0x00c3_6400,
        0x0102_1997,
    ];
    let absolute = std::path::absolute(folder);
    let absolute = absolute.as_deref().unwrap_or(folder);
    let known = absolute
        .ancestors()
        .find_map(|path| rustix::fs::statfs(path).ok());
    known.is_some_and(|known| {
        let kind = u64::from_ne_bytes(known.f_type.to_ne_bytes());
        NETWORKS.contains(&(kind & 0xffff_ffff))
    })
}

fn zone(reader: &mut Reader) -> Option<(String, BrokerZone)> {
    let name: String = reader.optional(
        "broker.time_zone",
        "an IANA name such as Europe/Athens, or new_york+7",
    )?;
    match BrokerZone::parse(&name) {
        Ok(zone) => Some((name, zone)),
        Err(_) => {
            reader.reject(
                "broker.time_zone",
                "is not a known time zone",
                "set it to an IANA name such as Europe/Athens, to new_york+7, or to a fixed offset such as UTC+03:00",
            );
            None
        }
    }
}
