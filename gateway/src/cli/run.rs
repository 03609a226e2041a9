//! `run`: the order of starting is a rule. Whatever needs rights comes before the sandbox, every
//! thread after it.

use super::{complain, configuration, readiness};
use crate::{
    access::ClientRegistry,
    api::{Rooms, Streams},
    broker::{Broker, Simulated},
    journal::{self, Journal, Loaded, Sqlite, Writer},
    link::{Link, Wiring},
    market::{Hub, Instruments},
    orders::{ClientRules, Core, EventLog, Orders, Setup},
    server::{self, Api},
    settings::{Settings, TABLE},
};
use anyhow::Context;
use arc_swap::ArcSwap;
use metrics_exporter_prometheus::PrometheusHandle;
use mymt5_chassis::{
    clock,
    health::Health,
    loader::{Environment, Reader},
    logs, metrics, operations, process,
    redact::Redactor,
    sandbox, shutdown,
    tls::{self, ServerIdentity},
};
use mymt5_guard::{Limits, LossSettings};
use mymt5_model::{AccountKind, ClientName, UtcTime};
use std::{
    collections::HashMap,
    fs,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::Path,
    process::ExitCode,
    sync::Arc,
};
use tokio_util::sync::CancellationToken;

pub(super) const MARKET_DATA: &str = "mymt5.v1.MarketDataService";
pub(super) const TRADING: &str = "mymt5.v1.TradingService";
pub(super) const CONTROL: &str = "mymt5.v1.ControlService";

/// What is opened before the sandbox.
struct Opened {
    api: TcpListener,
    control: UnixListener,
    operations: TcpListener,
    identity: ServerIdentity,
    broker: Arc<dyn Broker>,
    journal: Sqlite,
    loaded: Loaded,
    _data: process::Folder,
    _logs: process::Folder,
}

/// Runs the gateway that the configuration describes.
pub(super) fn run(config: &Path) -> anyhow::Result<ExitCode> {
    let broker = |settings: &Settings| -> anyhow::Result<Arc<dyn Broker>> {
        let simulated = Simulated::new(settings.simulator.clone());
        Ok(Arc::new(
            simulated.context("the simulator refuses its settings")?,
        ))
    };
    run_with(config, broker, |journal| Box::new(journal))
}

/// Runs the gateway with a broker handed in, and its journal wrapped.
///
/// # Errors
/// A faulty configuration, a taken port or folder, a journal that does not open.
pub fn run_with(
    config: &Path,
    broker: impl FnOnce(&Settings) -> anyhow::Result<Arc<dyn Broker>>,
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
    let opened = open(&settings, broker)?;
    // All rights were used, no thread runs yet.
    let enforced = sandbox::enforce(settings.sandbox, &settings.sandbox_plan(config))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no runtime")?;
    let redactor = Redactor::of_process();
    let login = settings.simulator.account.login.to_string();
    redactor.set_values(&settings.secrets.iter().collect::<Vec<_>>(), &[&login]);
    let logs = Arc::new(logs::start(&settings.logging, &redactor, TABLE.program)?);
    logs::install_panic_hook(redactor);
    let metrics = metrics::install()?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), listen = %settings.listen, sandbox = %enforced, "gateway starting");
    sandbox::warn_of_gaps(settings.sandbox, enforced);
    tracing::warn!(
        kind = "SIMULATED",
        "the broker is the embedded simulator, no money is at stake"
    );
    if !settings.secrets.is_empty() {
        tracing::warn!(
            "credentials of a real account are set and not used: the broker is the simulator"
        );
    }
    let level = config.to_path_buf();
    runtime.spawn(logs::follow_hangups(Arc::downgrade(&logs), move || {
        level_of(&level)
    }));
    runtime.block_on(serve(settings, opened, wrap, metrics))?;
    tracing::info!("gateway stopped");
    Ok(ExitCode::SUCCESS)
}

/// The log level as the configuration has it now.
fn level_of(config: &Path) -> Option<String> {
    let mut reader = Reader::open(&TABLE, config, Environment::of_process()).ok()?;
    reader.optional("logging.level", "a level")
}

fn open(
    settings: &Settings,
    broker: impl FnOnce(&Settings) -> anyhow::Result<Arc<dyn Broker>>,
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
    let broker = broker(settings)?;
    Ok(Opened {
        api,
        control,
        operations,
        identity,
        broker,
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

async fn serve(
    settings: Settings,
    opened: Opened,
    wrap: impl FnOnce(Sqlite) -> Box<dyn Journal>,
    metrics: PrometheusHandle,
) -> anyhow::Result<()> {
    let (signal, stop) = (shutdown::on_signals(), CancellationToken::new());
    let health = Health::new(&[MARKET_DATA, TRADING, CONTROL]);
    #[cfg(debug_assertions)]
    sandbox::trial::run().await;
    let books = Books {
        broker: opened.broker,
        writer: Writer::start(wrap(opened.journal)).context("no thread for the journal")?,
        loaded: opened.loaded,
    };
    let rooms = rooms(&settings, books, &health, &stop);
    let ready = tokio::spawn(readiness::follow(
        health.clone(),
        opened.identity.clone(),
        rooms.orders.journal_up(),
    ));
    let registry = Arc::new(ArcSwap::from_pointee(ClientRegistry::new(settings.clients)));
    let tls = Arc::new(ArcSwap::from_pointee(tls::server_config(&opened.identity)));
    let api = Api {
        listener: opened.api,
        control: opened.control,
        tls,
        registry,
        rooms: rooms.clone(),
        health: health.clone(),
    };
    let operations = tokio::spawn(operations::serve(
        opened.operations,
        health.clone(),
        metrics,
        stop.clone(),
    ));
    let serving = tokio::spawn(server::serve(api, stop.clone()));
    tokio::select! {
        () = signal.cancelled() => tracing::info!("stopping"),
        () = stop.cancelled() => {}
    }
    ready.abort();
    drain(&health, &rooms).await;
    stop.cancel();
    serving.await.context("the API server broke")??;
    operations.await.context("the operations port broke")??;
    Ok(())
}

/// What the orders core is made from.
struct Books {
    broker: Arc<dyn Broker>,
    writer: Writer,
    loaded: Loaded,
}

/// Not ready; no new order; streams end with a place to resume; orders under way are awaited.
async fn drain(health: &Health, rooms: &Rooms) {
    health.all(false).await;
    tokio::join!(rooms.orders.drain(), async { rooms.shutdown.cancel() });
}

fn rooms(settings: &Settings, books: Books, health: &Health, stop: &CancellationToken) -> Rooms {
    let (hub, instruments, log) = (Hub::default(), Instruments::default(), EventLog::default());
    let Books {
        broker,
        writer,
        loaded,
    } = books;
    let rules = rules(settings, &loaded);
    log.publish(loaded.events.iter().cloned().map(Arc::new));
    let setup = Setup {
        broker: broker.clone(),
        writer,
        log,
        journal_id: loaded.journal_id.as_str().into(),
        send_timeout: settings.orders.send_timeout,
    };
    let now = UtcTime(clock::utc_now_ms());
    let account = settings.account_limits.clone();
    let core = Core::new(rules, account, settings.orders.patience, loaded, now);
    let orders = Orders::start(core, setup, hub.clone(), instruments.clone());
    let link = Link::default();
    let wiring = Wiring {
        broker,
        identity: settings.identity(),
        zone: settings.zone.as_ref().map(|(_, zone)| zone.clone()),
        hub: hub.clone(),
        instruments: instruments.clone(),
        orders: orders.clone(),
        health: health.clone(),
        service: TRADING,
    };
    tokio::spawn(link.clone().supervise(wiring, stop.clone()));
    Rooms {
        orders,
        hub,
        instruments,
        link,
        zone: settings
            .zone
            .clone()
            .map(|(name, zone)| (name.into(), zone)),
        kind: AccountKind::Simulated,
        max_queue_ms: settings.orders.max_queue_ms,
        journal: settings.journal().into(),
        started_ms: clock::utc_now_ms(),
        event_streams: Streams::default(),
        shutdown: stop.child_token(),
    }
}

/// What each client may do in the orders core, under the slot that the journal gave it. A client
/// that is configured no more, and the operator, can own and lose positions, and open none.
fn rules(settings: &Settings, loaded: &Loaded) -> HashMap<ClientName, ClientRules> {
    let known = loaded.slots.iter().map(|(name, slot)| {
        let client = settings.clients.iter().find(|client| client.name == *name);
        let rules = ClientRules {
            slot: *slot,
            limits: client.map_or_else(Limits::default, |client| client.limits.entry.clone()),
            loss: client.map_or_else(LossSettings::default, |client| client.limits.loss),
            dead_man: client.and_then(|client| client.dead_man),
        };
        (name.clone(), rules)
    });
    known.collect()
}
