//! The gateway's process: the real rooms as the binary wires them, with the stand-in as broker.

use crate::{
    points::{Trap, Trapped},
    remote::Remote,
    scene::{Scene, socket},
};
use arc_swap::ArcSwap;
use mymt5_chassis::{
    clock,
    health::Health,
    loader::{Environment, Reader},
    logs,
    redact::Redactor,
    tls::{self, ServerIdentity},
};
use mymt5_gateway::{
    access::ClientRegistry,
    api::{Rooms, Streams},
    broker::Broker,
    link::{Link, Wiring},
    market::{Hub, Instruments},
    orders::{ClientRules, Core, EventLog, Orders},
    server::{self, Api},
    settings::{Settings, TABLE},
};
use mymt5_model::AccountKind;
use std::{fs, net::TcpListener, os::unix::net::UnixListener, path::Path, sync::Arc};
use tokio_util::sync::CancellationToken;

/// Serves until the process is killed.
pub(crate) fn run(folder: &Path) {
    let scene = Scene::read(folder);
    let config = folder.join("gateway.toml");
    let environment = Environment::from_pairs(Vec::<(String, String)>::new());
    let mut reader = Reader::open(&TABLE, &config, environment).unwrap();
    let settings = Settings::read(&mut reader);
    reader.finish().unwrap();
    let settings = settings.unwrap();
    tls::install_provider();
    let _logs = logs::start(&settings.logging, &Redactor::of_process(), TABLE.program).unwrap();
    let broker = Arc::new(Trapped {
        broker: Remote::at(socket(folder), scene.send_timeout()),
        trap: Arc::new(Trap::of_process()),
        mutant: scene.mutant,
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(serve(settings, broker));
}

async fn serve(settings: Settings, broker: Arc<dyn Broker>) {
    let stop = CancellationToken::new();
    let health = Health::new(&["mymt5.v1.TradingService"]);
    let (certificate, key, client_ca) = &settings.tls;
    let identity = ServerIdentity::load(certificate, key, client_ca).unwrap();
    let listener = TcpListener::bind(settings.listen).unwrap();
    listener.set_nonblocking(true).unwrap();
    let path = settings.data_folder.join("control.sock");
    fs::create_dir_all(&settings.data_folder).unwrap();
    let _ = fs::remove_file(&path);
    let control = UnixListener::bind(path).unwrap();
    control.set_nonblocking(true).unwrap();
    let api = Api {
        listener,
        control,
        tls: Arc::new(ArcSwap::from_pointee(tls::server_config(&identity))),
        rooms: rooms(&settings, broker, &health, &stop),
        registry: Arc::new(ArcSwap::from_pointee(ClientRegistry::new(settings.clients))),
        health,
    };
    server::serve(api, stop).await.unwrap();
}

fn rooms(
    settings: &Settings,
    broker: Arc<dyn Broker>,
    health: &Health,
    stop: &CancellationToken,
) -> Rooms {
    let (hub, instruments, log) = (Hub::default(), Instruments::default(), EventLog::default());
    let rules = (1..).zip(&settings.clients).map(|(slot, client)| {
        let limits = client.limits.clone();
        (client.name.clone(), ClientRules { slot, limits })
    });
    let core = Core::new(rules.collect(), log.clone());
    let orders = Orders::start(core, log, broker.clone(), hub.clone(), instruments.clone());
    let link = Link::default();
    let wiring = Wiring {
        broker,
        zone: settings.zone.as_ref().map(|(_, zone)| zone.clone()),
        hub: hub.clone(),
        instruments: instruments.clone(),
        orders: orders.clone(),
        health: health.clone(),
        service: "mymt5.v1.TradingService",
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
        max_queue_ms: settings.max_queue_ms,
        started_ms: clock::utc_now_ms(),
        event_streams: Streams::default(),
        shutdown: stop.child_token(),
    }
}
