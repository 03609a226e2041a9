//! The running gateway: built on what the start opened, served until it is asked to stop.

use super::{
    gauges,
    opened::Opened,
    readiness::{self, CONTROL, MARKET_DATA, TRADING},
};
use crate::{
    access::{ClientRegistry, Registry, Streams},
    api::AppState,
    audit::Trail,
    broker::Broker,
    desk::{EventLog, Orders, Setup},
    journal::{self, Journal, JournalError, Past, Readers, Sqlite, Writer},
    link::{Link, LinkDeps, LoginGate},
    market::{Hub, Instruments},
    notify::{Alert, Kind, Notifier, Severity, Sources},
    reload::{self, Identity, Reloader},
    server::{self, Api},
    settings::{Settings, TABLE},
    telemetry,
};
use anyhow::Context;
use arc_swap::ArcSwap;
use mymt5_chassis::{
    cli::Running, clock, health::Health, logs, operations, secrets::SecretReader, shutdown,
};
use mymt5_model::UtcTime;
use mymt5_orders::{Config, Core, Loaded, Now};
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Between two polls of the files of secrets.
const SECRETS: Duration = Duration::from_secs(2);

pub(super) async fn serve(
    running: Running<Settings, Opened>,
    trail: Trail,
    wrap: impl FnOnce(Sqlite) -> Box<dyn Journal>,
) -> anyhow::Result<()> {
    telemetry::begin();
    let configured = running.configured;
    let settings = configured.settings;
    let opened = running.opened;
    let supervisor = running.supervisor;
    let signal = shutdown::on_signals(&supervisor);
    let stop = CancellationToken::new();
    let health = Health::new(&[MARKET_DATA, TRADING, CONTROL]);
    let secrets = opened.secrets;
    let retry = Arc::new(Notify::new());
    let path = opened.journal.path().to_path_buf();
    let checked = opened.journal.is_checked();
    let books = Books {
        broker: opened.broker,
        past: Past::open(&path, opened.journal.newest())?,
        readers: Readers::of(&path),
        writer: Writer::start(wrap(opened.journal))
            .context("cannot start a thread; let this user have more of them")?,
        loaded: opened.loaded,
    };
    let identity = Identity::new(opened.identity);
    let clients = ClientRegistry::new(settings.clients.clone());
    let registry: Registry = Arc::new(ArcSwap::from_pointee(clients));
    let market = Market::default();
    let orders = orders(&settings, books, &market);
    let reloader = Reloader::new(
        &settings,
        configured.environment,
        reload::ReloadDeps {
            config: configured.config,
            provenance: configured.provenance,
            log: running.log,
            identity: identity.clone(),
            registry: registry.clone(),
            orders: orders.0.clone(),
            secrets: secrets.clone(),
            retry: retry.clone(),
        },
    );
    let deps = link_deps(
        &settings,
        orders,
        &market,
        &health,
        (secrets.reader(), retry),
    );
    let told = (trail, identity.clone());
    let first = first_alerts(&settings, &running.crashes);
    let app = app_state(&settings, deps, reloader.clone(), told, first, &stop);
    let api = Api {
        listener: opened.api,
        control: opened.control,
        tls: identity.clone(),
        registry,
        app: app.clone(),
        health: health.clone(),
        max_connection_age: settings.max_connection_age,
    };
    let operations = tokio::spawn(operations::serve(
        opened.operations,
        health.clone(),
        running.metrics,
        stop.clone(),
    ));
    let serving = tokio::spawn(server::serve(api, stop.clone()));
    // What is not ready serves all the same: its operator must reach it, and see why.
    supervisor.ready();
    let following = [
        tokio::spawn(readiness::follow(
            (health.clone(), supervisor.clone()),
            identity,
            app.orders.journal_up(),
        )),
        tokio::spawn(gauges::follow(app.clone())),
        tokio::spawn(reloader.clone().follow_certificate()),
        tokio::spawn(secrets.watch(SECRETS, stop.clone())),
        tokio::spawn(settings.disk.clone().watch()),
        tokio::spawn(app.trail.clone().keep()),
        // Its outcome is in the log.
        tokio::spawn(logs::on_sighup(async move || drop(reloader.reload().await))),
    ];
    let damage = tokio::select! {
        () = signal.cancelled() => {
            tracing::info!("stopping");
            None
        }
        () = stop.cancelled() => None,
        damage = damage(path), if !checked => Some(damage),
        () = supervisor.watch(async || app.orders.turns_over().await) => None,
    };
    // Whatever ended it: no signal tells of a journal that does not hold, or of a server that broke.
    supervisor.stopping();
    following.iter().for_each(tokio::task::JoinHandle::abort);
    drain(&health, &app).await;
    stop.cancel();
    serving
        .await
        .context("the API server broke; look at the log")??;
    operations
        .await
        .context("the operations port broke; look at the log")??;
    app.orders.stop().await;
    app.trail.close();
    if let Some(damage) = damage {
        return Err(damage.into());
    }
    tracing::info!("gateway stopped");
    Ok(())
}

/// Checks the pages that the start had no time for. Returns only where they are damaged: then the
/// gateway must not go on.
async fn damage(path: PathBuf) -> JournalError {
    let checked = tokio::task::spawn_blocking(move || journal::check(&path, None)).await;
    match checked {
        Ok(Err(error)) => {
            tracing::error!(%error, "the journal does not hold, stopping");
            error
        }
        Ok(Ok(_)) | Err(_) => std::future::pending().await,
    }
}

/// Not ready; no new order; streams end with a place to resume; orders under way are awaited.
async fn drain(health: &Health, app: &AppState) {
    health.all(false).await;
    tokio::join!(app.orders.drain(), async { app.shutdown.cancel() });
}

/// What the orders core is made from.
struct Books {
    broker: Arc<dyn Broker>,
    writer: Writer,
    past: Past,
    readers: Readers,
    loaded: Loaded,
}

/// What is known of the market.
#[derive(Default)]
struct Market {
    hub: Hub,
    instruments: Instruments,
}

fn orders(settings: &Settings, books: Books, market: &Market) -> (Orders, Arc<dyn Broker>) {
    let Books {
        broker,
        writer,
        past,
        readers,
        mut loaded,
    } = books;
    let origin = Instant::now();
    let setup = Setup {
        broker: broker.clone(),
        writer,
        past,
        log: EventLog::new(std::mem::take(&mut loaded.events), readers.clone()),
        journal_id: loaded.journal_id.as_str().into(),
        account_id: loaded.account_id.as_str().into(),
        send_timeout: settings.orders.send_timeout,
        origin,
    };
    // A client that is configured no more, and the operator, can own and lose positions, and open
    // none.
    let config = Config {
        grants: reload::grants(&settings.clients),
        account: settings.account_limits.clone(),
        reconcile: settings.orders.reconcile,
        max_in_flight: broker.max_in_flight(),
        max_quote_age_ms: settings.orders.max_quote_age_ms,
    };
    let now = Now {
        utc: UtcTime(clock::utc_now_ms()),
        elapsed_ms: 0,
    };
    let core = Core::new(config, loaded, now);
    let hub = market.hub.clone();
    let instruments = market.instruments.clone();
    (
        Orders::start(core, setup, readers, hub, instruments),
        broker,
    )
}

fn link_deps(
    settings: &Settings,
    (orders, broker): (Orders, Arc<dyn Broker>),
    market: &Market,
    health: &Health,
    (secrets, retry): (SecretReader, Arc<Notify>),
) -> LinkDeps {
    let login = settings.broker.logs_in().then(|| {
        let file = settings.data_folder.join("login.json");
        LoginGate::new(file, secrets.clone(), retry.clone())
    });
    LinkDeps {
        broker,
        identity: settings.identity(),
        kind: settings.account_kind(),
        zone: settings.zone.as_ref().map(|(_, zone)| zone.clone()),
        calendar: settings.calendar.clone(),
        secrets,
        login,
        retry,
        hub: market.hub.clone(),
        instruments: market.instruments.clone(),
        orders,
        health: health.clone(),
        services: [MARKET_DATA, TRADING],
    }
}

fn app_state(
    settings: &Settings,
    deps: LinkDeps,
    reloader: Reloader,
    (trail, identity): (Trail, Identity),
    first: Vec<Alert>,
    stop: &CancellationToken,
) -> AppState {
    let link = Link::default();
    let sources = Sources {
        orders: deps.orders.clone(),
        link: link.clone(),
        disk: settings.disk.clone(),
        identity: identity.subscribe(),
        secrets: deps.secrets.clone(),
        names: TABLE.secrets,
        redactor: trail.redactor().clone(),
    };
    let notifier = Notifier::start(&settings.notify, sources, first, stop.clone());
    let app = AppState {
        broker: deps.broker.clone(),
        orders: deps.orders.clone(),
        trail,
        hub: deps.hub.clone(),
        instruments: deps.instruments.clone(),
        link: link.clone(),
        reloader,
        notifier,
        zone: settings
            .zone
            .clone()
            .map(|(name, zone)| (name.into(), zone)),
        kind: deps.kind,
        max_queue_ms: settings.orders.max_queue_ms,
        journal: settings.journal().into(),
        disk: settings.disk.clone(),
        started_ms: clock::utc_now_ms(),
        event_streams: Streams::default(),
        tick_streams: Streams::default(),
        shutdown: stop.child_token(),
    };
    tokio::spawn(link.supervise(deps, stop.clone()));
    app
}

/// What an operator is told of the start, and of the crashes before it.
fn first_alerts(settings: &Settings, crashes: &[PathBuf]) -> Vec<Alert> {
    let version = env!("CARGO_PKG_VERSION");
    let kind = settings.account_kind();
    let text = format!("the gateway {version} has started; its account is {kind:?}");
    let started = Alert::new(Kind::Start, Severity::Info, text);
    let crashed = crashes.last().map(|newest| {
        let (count, newest) = (crashes.len(), newest.display());
        let text = format!("the gateway crashed before this start, new reports: {count}; read {newest}, and the log before it");
        Alert::new(Kind::Crash, Severity::Critical, text)
    });
    crashed.into_iter().chain([started]).collect()
}
