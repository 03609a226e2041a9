//! `run`: the order of starting is a rule. Whatever needs rights comes before the sandbox, every
//! thread after it.

use super::{
    brokers, complain, configuration,
    serve::{Start, serve},
};
use crate::{
    broker::Broker,
    journal::{self, Journal, Sqlite},
    settings::{BrokerSettings, Settings, TABLE},
};
use anyhow::Context;
use mymt5_chassis::{
    loader::{Environment, Reader},
    logs, metrics, operations, process,
    redact::Redactor,
    sandbox::{self, Plan},
    secrets::{SecretReader, SecretStore},
    tls::{self, ServerIdentity},
};
use mymt5_model::{AccountKind, ClientName};
use mymt5_orders::Loaded;
use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::Path,
    process::ExitCode,
    sync::Arc,
};

/// What is opened before the sandbox.
pub(super) struct Opened {
    pub(super) api: TcpListener,
    pub(super) control: UnixListener,
    pub(super) operations: TcpListener,
    pub(super) identity: ServerIdentity,
    pub(super) broker: Arc<dyn Broker>,
    pub(super) secrets: Arc<SecretStore>,
    pub(super) journal: Sqlite,
    pub(super) loaded: Loaded,
    _data: process::Folder,
    _logs: process::Folder,
}

/// Runs the gateway that the configuration describes.
pub(super) fn run(config: &Path) -> anyhow::Result<ExitCode> {
    run_with(config, brokers::broker, |journal| Box::new(journal))
}

/// Runs the gateway with a broker handed in, and its journal wrapped.
///
/// # Errors
/// A faulty configuration, a taken port or folder, a journal that does not open.
pub fn run_with(
    config: &Path,
    broker: impl FnOnce(&Settings, &SecretReader) -> anyhow::Result<Arc<dyn Broker>>,
    wrap: impl FnOnce(Sqlite) -> Box<dyn Journal>,
) -> anyhow::Result<ExitCode> {
    let reader = Reader::open(&TABLE, config, Environment::of_process())?;
    let allow_root = reader.peek_flag("process.allow_root");
    process::refuse_root(allow_root)?;
    process::harden().context("limits of the process cannot be set")?;
    let (settings, provenance) = configuration(reader)?;
    provenance
        .warnings()
        .iter()
        .for_each(|warning| complain(&format!("warning: {warning}")));
    tls::install_provider();
    let redactor = Redactor::of_process();
    let secrets = SecretStore::new(settings.secrets.clone(), &redactor);
    logs::install_panic_hook(redactor.clone());
    let opened = open(&settings, secrets, broker)?;
    // All rights were used, no thread runs yet.
    let folders = opened.secrets.folders().into_iter();
    let plan = folders.fold(settings.sandbox_plan(config), Plan::reads);
    let enforced = sandbox::enforce(settings.sandbox, &plan)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no runtime")?;
    if let BrokerSettings::Simulator(simulator) = &settings.broker {
        redactor.set_values(&[], &[&simulator.account.login.to_string()]);
    }
    let logs = Arc::new(logs::start(&settings.logging, &redactor, TABLE.program)?);
    let metrics = metrics::install()?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), listen = %settings.listen, sandbox = %enforced, "gateway starting");
    sandbox::warn_of_gaps(settings.sandbox, enforced);
    match settings.account_kind() {
        AccountKind::Simulated => tracing::warn!(
            kind = "SIMULATED",
            "the broker is the embedded simulator, no money is at stake"
        ),
        AccountKind::Demo => tracing::warn!(kind = "DEMO", "the account is a demo"),
        AccountKind::Real => tracing::warn!(kind = "REAL", "real money is at stake"),
    }
    if settings.unused_account {
        tracing::warn!(
            "credentials of a real account are set and not used: the broker is the simulator"
        );
    }
    let start = Start {
        config: config.to_owned(),
        provenance,
        log: Arc::downgrade(&logs),
        metrics,
    };
    runtime.block_on(serve(settings, opened, wrap, start))?;
    tracing::info!("gateway stopped");
    Ok(ExitCode::SUCCESS)
}

fn open(
    settings: &Settings,
    secrets: SecretStore,
    broker: impl FnOnce(&Settings, &SecretReader) -> anyhow::Result<Arc<dyn Broker>>,
) -> anyhow::Result<Opened> {
    let (certificate, key, client_ca) = &settings.tls;
    let identity = ServerIdentity::load(certificate, key, client_ca)
        .context("no TLS identity; `mymt5-gateway certs` makes a throw-away one")?;
    let data = process::Folder::claim(&settings.data_folder)?;
    let logs = process::Folder::claim(&settings.logging.folder)?;
    let api = TcpListener::bind(settings.listen)
        .with_context(|| format!("cannot listen on {}", settings.listen))?;
    api.set_nonblocking(true)?;
    let control = control_socket(&settings.data_folder)?;
    let operations = operations::bind(&settings.operations)
        .with_context(|| format!("cannot listen on {}", settings.operations.listen))?;
    let (journal, loaded) = open_journal(settings)?;
    let broker = broker(settings, &secrets.reader())?;
    Ok(Opened {
        api,
        control,
        operations,
        identity,
        broker,
        secrets: Arc::new(secrets),
        journal,
        loaded,
        _data: data,
        _logs: logs,
    })
}

/// A replay's account begins anew each time, and so does its journal.
fn open_journal(settings: &Settings) -> anyhow::Result<(Sqlite, Loaded)> {
    let identity = settings.identity();
    let path = settings.journal();
    if identity.broker == journal::REPLAY {
        journal::remove(&path).context("the journal of the last replay cannot be removed")?;
    }
    let clients = settings.clients.iter().map(|client| client.name.clone());
    let clients: Vec<ClientName> = clients.chain([ClientName::local()]).collect();
    Ok(Sqlite::open(&path, &identity, &clients)?)
}

/// The gateway holds the folder's lock: a socket that is there already is a dead one.
fn control_socket(data_folder: &Path) -> anyhow::Result<UnixListener> {
    let path = data_folder.join(super::CONTROL_SOCKET);
    if path.exists() {
        fs::remove_file(&path).context("the old control socket cannot be removed")?;
    }
    let listener = UnixListener::bind(&path)
        .with_context(|| format!("cannot listen on {}", path.display()))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
