//! The folder of a scene: certificates, configuration, and the way to the gateway.

use super::{BOUND, Play, TRADERS, rules};
use crate::{
    bridged::{self, Books},
    ledger::{self, Line},
    points::{Mutant, Point, Trap},
    role::Process,
    scene::{self, Scene},
};
use mymt5_chassis::tls;
use mymt5_proto::v1::{
    control_service_client::ControlServiceClient, trading_service_client::TradingServiceClient,
};
use std::{
    collections::BTreeSet,
    fs,
    net::{SocketAddr, TcpListener},
    path::Path,
    time::Duration,
};
use tempfile::TempDir;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

/// How long a client waits for one answer.
const TIMEOUT: Duration = Duration::from_secs(3);
/// The client that sees everything.
const OPERATOR: &str = "operator";

pub(super) struct Stage {
    folder: TempDir,
    pub(super) scene: Scene,
}

pub(super) fn trader_name(number: usize) -> String {
    format!("trader-{number}")
}

impl Stage {
    pub(super) fn set(play: &Play) -> Self {
        tls::install_provider();
        let folder = TempDir::new().unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let scene = Scene {
            seed: play.seed,
            factor: play.factor,
            mode: play.mode,
            menu: play.menu.clone(),
            mutant: play.mutant,
            by_hand: play.by_hand,
            api: free.local_addr().unwrap(),
            bridge: play.bridge.as_ref().map(|_| bridged::free_port()),
        };
        scene.write(folder.path());
        let mut clients: Vec<String> = (0..TRADERS).map(trader_name).collect();
        clients.push(OPERATOR.to_owned());
        let hosts = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        tls::dev_certs(&folder.path().join("tls"), &clients, &hosts, 1).unwrap();
        let text = configuration(folder.path(), &scene, &clients, play.ruled);
        fs::write(folder.path().join("gateway.toml"), text).unwrap();
        if scene.bridge.is_some() {
            bridged::prepare(folder.path(), &scene);
        }
        Self { folder, scene }
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a gateway, with the point at which it is to die.
    pub(super) fn gateway(&self, trap: Option<(Point, u32)>) -> Process {
        let trap = trap.map(|(point, times)| Trap::environment(point, times));
        Process::start(&[], "gateway", self.folder(), trap.as_slice())
    }

    /// Starts a gateway under another program.
    pub(super) fn gateway_under(&self, program: &[String]) -> Process {
        Process::start(program, "gateway", self.folder(), &[])
    }

    /// A client that connects when it first calls, and again after each loss.
    pub(super) fn client(&self, name: &str) -> TradingServiceClient<Channel> {
        TradingServiceClient::new(self.channel(name))
    }

    fn channel(&self, name: &str) -> Channel {
        let read = |part: &str| fs::read(self.folder().join("tls").join(part)).unwrap();
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(read("ca.pem")))
            .identity(Identity::from_pem(
                read(&format!("{name}/certificate.pem")),
                read(&format!("{name}/key.pem")),
            ));
        Endpoint::from_shared(format!("https://localhost:{}", self.scene.api.port()))
            .unwrap()
            .tls_config(tls)
            .unwrap()
            .timeout(TIMEOUT)
            .connect_lazy()
    }

    pub(super) fn operator(&self) -> TradingServiceClient<Channel> {
        self.client(OPERATOR)
    }

    pub(super) fn control(&self) -> ControlServiceClient<Channel> {
        ControlServiceClient::new(self.channel(OPERATOR))
    }

    /// How long to wait for what must come: what is wrong on purpose need not be given time to
    /// mend.
    pub(super) fn patience(&self) -> Duration {
        self.scene.mutant.map_or(BOUND, |_| BOUND / 10)
    }

    /// The orders of which evidence came that contradicted what was told. A gateway that dies with
    /// its alarm sounds it in its next life again.
    pub(super) fn alarmed(&self) -> BTreeSet<u64> {
        let said = fs::read_to_string(self.folder().join("gateway.err")).unwrap_or_default();
        let alarms = said
            .lines()
            .filter_map(|line| line.split("late evidence: order ").nth(1));
        let orders = alarms.filter_map(|rest| rest.split(' ').next());
        orders.filter_map(|order| order.parse().ok()).collect()
    }

    /// What the broker did until now.
    pub(super) fn ledger(&self) -> Vec<Line> {
        match self.scene.bridge {
            Some(_) => Books::open(self.folder()).ledger(),
            None => ledger::read(&scene::ledger(self.folder())).unwrap(),
        }
    }

    /// The end of what the processes complained of, for a failing test.
    pub(super) fn complaints(&self) -> String {
        const LINES: usize = 40;
        let end = |name| {
            let text = fs::read_to_string(self.folder().join(name)).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(LINES)..].join("\n")
        };
        let ends = ["broker.err", "bridge.err", "gateway.err"].map(end);
        ends.join("\n")
    }
}

fn configuration(folder: &Path, scene: &Scene, clients: &[String], ruled: bool) -> String {
    let api: SocketAddr = scene.api;
    let ms = |time: Duration| time.as_millis();
    let at = |part: &str| folder.join(part).display().to_string();
    // The broker is behind a local socket or a port that the configuration does not name: the
    // sandbox would refuse both.
    let mut text = format!(
        "[server]\nlisten = \"{api}\"\ntls.certificate = \"{}\"\ntls.key = \"{}\"\ntls.client_ca = \"{}\"\n\
         [operations]\nlisten = \"127.0.0.1:0\"\n\
         [orders]\nsend_timeout_ms = {}\nunknown_grace_ms = {}\nreconcile_pass_ms = {}\n\
         [process]\nallow_root = true\nsandbox = \"off\"\ndata_folder = \"{}\"\n\
         [logging]\nlevel = \"info\"\nfolder = \"{}\"\n",
        at("tls/gateway/certificate.pem"),
        at("tls/gateway/key.pem"),
        at("tls/ca.pem"),
        ms(scene.send_timeout()),
        ms(scene.grace()),
        ms(scene.grace() / 5),
        at("data"),
        at("logs"),
    );
    let ruled = ruled && scene.mutant != Some(Mutant::Unruled);
    for (number, name) in clients.iter().enumerate() {
        let permissions = match name.as_str() {
            OPERATOR => "\"read\", \"control\"",
            _ => "\"read\", \"trade\"",
        };
        text += &format!(
            "[clients.{name}]\ncertificate = \"spiffe://mymt5/client/{name}\"\npermissions = [{permissions}]\n\
             max_ids_per_minute = 60000\n"
        );
        if ruled {
            text += &rules::configuration(number, scene);
        }
    }
    text
}
