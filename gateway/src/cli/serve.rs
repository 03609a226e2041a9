//! The running gateway: rooms built on what the start opened, served until it is told to stop.

use super::{readiness, run::Opened};
use crate::{
    access::ClientRegistry,
    api::{Rooms, Streams},
    broker::Broker,
    journal::{Journal, Loaded, Sqlite, Writer},
    link::{Link, Wiring},
    market::{Hub, Instruments},
    orders::{ClientRules, Core, EventLog, Orders, Setup},
    reload::{self, Identity, Reloader},
    server::{self, Api, Registry},
    settings::Settings,
};
use anyhow::Context;
use arc_swap::ArcSwap;
use metrics_exporter_prometheus::PrometheusHandle;
use mymt5_chassis::{clock, health::Health, logs, operations, shutdown};
use mymt5_model::{AccountKind, ClientName, UtcTime};
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Weak},
};
use tokio_util::sync::CancellationToken;

pub(super) const MARKET_DATA: &str = "mymt5.v1.MarketDataService";
pub(super) const TRADING: &str = "mymt5.v1.TradingService";
pub(super) const CONTROL: &str = "mymt5.v1.ControlService";

/// What the start leaves to the running gateway.
pub(super) struct Start {
    pub(super) config: PathBuf,
    pub(super) log: Weak<logs::LogGuard>,
    pub(super) metrics: PrometheusHandle,
}

pub(super) async fn serve(
    settings: Settings,
    opened: Opened,
    wrap: impl FnOnce(Sqlite) -> Box<dyn Journal>,
    start: Start,
) -> anyhow::Result<()> {
    let (signal, stop) = (shutdown::on_signals(), CancellationToken::new());
    let health = Health::new(&[MARKET_DATA, TRADING, CONTROL]);
    #[cfg(debug_assertions)]
    mymt5_chassis::sandbox::trial::run().await;
    let books = Books {
        broker: opened.broker,
        writer: Writer::start(wrap(opened.journal)).context("no thread for the journal")?,
        loaded: opened.loaded,
    };
    let identity: Identity = Arc::new(ArcSwap::from_pointee(opened.identity));
    let clients = ClientRegistry::new(settings.clients.clone());
    let registry: Registry = Arc::new(ArcSwap::from_pointee(clients));
    let market = Market::default();
    let orders = orders(&settings, books, &market);
    let reloader = Reloader::new(
        start.config,
        &settings,
        start.log,
        identity.clone(),
        registry.clone(),
        orders.0.clone(),
    );
    let rooms = rooms(&settings, orders, market, reloader.clone(), &health, &stop);
    let following = [
        tokio::spawn(readiness::follow(
            health.clone(),
            identity.clone(),
            rooms.orders.journal_up(),
        )),
        tokio::spawn(reloader.clone().follow_certificate()),
        // Its outcome is in the log.
        tokio::spawn(logs::on_hangups(async move || {
            drop(reloader.reload().await)
        })),
    ];
    let api = Api {
        listener: opened.api,
        control: opened.control,
        tls: identity,
        registry,
        rooms: rooms.clone(),
        health: health.clone(),
    };
    let operations = tokio::spawn(operations::serve(
        opened.operations,
        health.clone(),
        start.metrics,
        stop.clone(),
    ));
    let serving = tokio::spawn(server::serve(api, stop.clone()));
    tokio::select! {
        () = signal.cancelled() => tracing::info!("stopping"),
        () = stop.cancelled() => {}
    }
    following.iter().for_each(tokio::task::JoinHandle::abort);
    drain(&health, &rooms).await;
    stop.cancel();
    serving.await.context("the API server broke")??;
    operations.await.context("the operations port broke")??;
    Ok(())
}

/// Not ready; no new order; streams end with a place to resume; orders under way are awaited.
async fn drain(health: &Health, rooms: &Rooms) {
    health.all(false).await;
    tokio::join!(rooms.orders.drain(), async { rooms.shutdown.cancel() });
}

/// What the orders core is made from.
struct Books {
    broker: Arc<dyn Broker>,
    writer: Writer,
    loaded: Loaded,
}

/// What is known of the market.
#[derive(Default)]
struct Market {
    hub: Hub,
    instruments: Instruments,
}

fn orders(settings: &Settings, books: Books, market: &Market) -> (Orders, Arc<dyn Broker>) {
    let log = EventLog::default();
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
    let (hub, instruments) = (market.hub.clone(), market.instruments.clone());
    (Orders::start(core, setup, hub, instruments), broker)
}

fn rooms(
    settings: &Settings,
    (orders, broker): (Orders, Arc<dyn Broker>),
    market: Market,
    reloader: Reloader,
    health: &Health,
    stop: &CancellationToken,
) -> Rooms {
    let Market { hub, instruments } = market;
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
        reloader,
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
    let mut grants = reload::grants(&settings.clients);
    let known = loaded.slots.iter().map(|(name, slot)| {
        let grant = grants.remove(name).unwrap_or_default();
        (name.clone(), ClientRules { slot: *slot, grant })
    });
    known.collect()
}
