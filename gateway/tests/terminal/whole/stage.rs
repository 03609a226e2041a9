//! The gateway's process on a bridge's process on the stand-in broker: everything but MetaTrader.

use crate::{
    real::Bridge,
    support::{BOUND, LOGIN, PASSWORD, SECRET, SERVER},
};
use mymt5_chassis::tls;
use mymt5_proto::v1::{
    GetSnapshotRequest, GetSnapshotResponse, GetStatusRequest, GetStatusResponse, LinkState,
    control_service_client::ControlServiceClient,
    market_data_service_client::MarketDataServiceClient,
    trading_service_client::TradingServiceClient,
};
use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Instant,
};
use tempfile::TempDir;
use tokio::time::sleep;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

pub struct Stage {
    pub bridge: Bridge,
    folder: TempDir,
    api: SocketAddr,
    operations: SocketAddr,
    child: Option<Child>,
}

/// Who trades what on a stage.
pub struct Scene<'a> {
    /// Clients that read and trade. Beside them stands `all`, which may do everything.
    pub traders: &'a [&'a str],
    pub symbols: &'a [&'a str],
    /// How often each symbol's ticks are asked for.
    pub poll_ms: u32,
    /// How much the gateway logs.
    pub level: &'a str,
}

impl Default for Scene<'_> {
    fn default() -> Self {
        Self {
            traders: &["other"],
            symbols: &["EURUSD", "USDJPY"],
            poll_ms: 20,
            level: "trace",
        }
    }
}

fn free_port() -> SocketAddr {
    let port = mymt5_chassis::testing::free_port().unwrap();
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// The table of a client that reads and trades.
fn trader(name: &str) -> String {
    format!(
        "[clients.{name}]\ncertificate = \"spiffe://mymt5/client/{name}\"\n\
         permissions = [\"read\", \"trade\"]\nmax_ids_per_minute = 60000\n"
    )
}

impl Stage {
    /// A bridge that runs, over TLS as an operator's does, and a gateway that does not yet.
    pub fn set(broker: &[&str]) -> Self {
        let bridge = Bridge::start_with_tls(broker);
        let port = bridge.port();
        Self::over(bridge, port)
    }

    /// The same over that bridge, reached through that port.
    pub fn over(bridge: Bridge, port: u16) -> Self {
        Self::play(bridge, port, &Scene::default())
    }

    /// The same with that scene.
    pub fn play(bridge: Bridge, port: u16, scene: &Scene<'_>) -> Self {
        let folder = TempDir::new().unwrap();
        let clients = [&["all"], scene.traders].concat();
        let clients: Vec<String> = clients.into_iter().map(str::to_owned).collect();
        tls::dev_certs(
            &folder.path().join("tls"),
            &clients,
            &["localhost".into()],
            1,
        )
        .unwrap();
        let stage = Self {
            bridge,
            folder,
            api: free_port(),
            operations: free_port(),
            child: None,
        };
        stage.credentials(&[("MT5_PASSWORD", PASSWORD)]);
        stage.configure(port, scene);
        stage
    }

    /// Writes the gateway's configuration.
    fn configure(&self, port: u16, scene: &Scene<'_>) {
        let symbols = scene.symbols.iter();
        let symbols: Vec<_> = symbols.map(|name| format!("{name} = \"{name}\"")).collect();
        let traders: String = scene.traders.iter().map(|name| trader(name)).collect();
        let secured = self.bridge.certificate_file();
        let secured = secured.map_or_else(
            || "plain = true".to_owned(),
            |certificate| format!("tls = {certificate:?}"),
        );
        let text = format!(
            "[server]\nlisten = \"{}\"\nmax_connection_age_s = 86400\n\
             tls.certificate = \"tls/gateway/certificate.pem\"\n\
             tls.key = \"tls/gateway/key.pem\"\ntls.client_ca = \"tls/ca.pem\"\n\
             [operations]\nlisten = \"{}\"\n[process]\nallow_root = true\ndata_folder = \"data\"\n\
             [logging]\nlevel = \"{}\"\nfolder = \"logs\"\n[secrets]\nfolder = \"secrets\"\n\
             [clients.all]\ncertificate = \"spiffe://mymt5/client/all\"\n\
             permissions = [\"read\", \"trade\", \"control\", \"diagnose\"]\n\
             {traders}[broker]\nkind = \"terminal\"\ntime_zone = \"Etc/GMT-3\"\n[broker.terminal]\n\
             address = \"127.0.0.1:{port}\"\n{secured}\naccount_kind = \"demo\"\n\
             call_timeout_ms = 5000\n\
             poll_interval_ms = {}\nsymbols = {{ {} }}\n",
            self.api,
            self.operations,
            scene.level,
            scene.poll_ms,
            symbols.join(", "),
        );
        fs::write(self.path("gateway.toml"), text).unwrap();
    }

    /// Swaps the folder of secrets as Kubernetes does: a new folder, and then the link to it.
    pub fn credentials(&self, others: &[(&str, &str)]) {
        let secrets = self.path("secrets");
        fs::create_dir_all(&secrets).unwrap();
        let number = fs::read_dir(&secrets).unwrap().count();
        let data = secrets.join(format!("..{number}"));
        fs::create_dir(&data).unwrap();
        let all = [
            ("MT5_LOGIN", LOGIN),
            ("MT5_PASSWORD", PASSWORD),
            ("MT5_SERVER", SERVER),
            ("BRIDGE_SECRET", SECRET),
        ];
        for (name, value) in all {
            let other = others.iter().find(|(other, _)| *other == name);
            let value = other.map_or(value, |(_, value)| value);
            fs::write(data.join(name), value).unwrap();
            let link = secrets.join(name);
            if link.symlink_metadata().is_err() {
                symlink(Path::new("..data").join(name), link).unwrap();
            }
        }
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
        let fresh = secrets.join("..data_tmp");
        symlink(data.file_name().unwrap(), &fresh).unwrap();
        fs::rename(fresh, secrets.join("..data")).unwrap();
    }

    /// Starts the gateway (again).
    pub fn launch(&mut self) {
        self.launch_with(&[]);
    }

    /// The same with these variables.
    pub fn launch_with(&mut self, variables: &[(&str, &str)]) {
        let mut stderr = fs::File::options();
        let stderr = stderr.create(true).append(true);
        let stderr = stderr.open(self.path("stderr")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_mymt5-gateway"))
            .args(["run", "--config", "gateway.toml"])
            .current_dir(self.folder.path())
            .envs(variables.iter().copied())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// The running process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Sends it a signal, by name.
    pub fn signal(&self, name: &str) {
        let id = self.pid().to_string();
        let done = Command::new("kill").args(["-s", name, &id]).status();
        assert!(done.unwrap().success());
    }

    pub fn path(&self, part: &str) -> PathBuf {
        self.folder.path().join(part)
    }

    /// What it said.
    pub fn said(&self) -> String {
        fs::read_to_string(self.path("stderr")).unwrap_or_default()
    }

    pub fn endpoint(&self, client: &str) -> Endpoint {
        tls::install_provider();
        let read = |part: &str| fs::read(self.path("tls").join(part)).unwrap();
        let identity = Identity::from_pem(
            read(&format!("{client}/certificate.pem")),
            read(&format!("{client}/key.pem")),
        );
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(read("ca.pem")))
            .identity(identity);
        Endpoint::from_shared(format!("https://localhost:{}", self.api.port()))
            .unwrap()
            .tls_config(tls)
            .unwrap()
            .timeout(BOUND)
    }

    pub async fn channel(&self) -> Channel {
        self.channel_of("all").await
    }

    pub async fn channel_of(&self, client: &str) -> Channel {
        let end = Instant::now() + BOUND;
        loop {
            match self.endpoint(client).connect().await {
                Ok(channel) => return channel,
                Err(error) => assert!(Instant::now() < end, "{error:?}: {}", self.said()),
            }
            sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    pub async fn trading(&self) -> TradingServiceClient<Channel> {
        TradingServiceClient::new(self.channel().await)
    }

    pub async fn market_data(&self) -> MarketDataServiceClient<Channel> {
        MarketDataServiceClient::new(self.channel().await)
    }

    pub async fn status(&self) -> GetStatusResponse {
        let mut control = ControlServiceClient::new(self.channel().await);
        let status = control.get_status(GetStatusRequest {}).await;
        status.unwrap().into_inner()
    }

    /// Whether a service is healthy, as the operations port tells it.
    pub async fn serves(&self, service: &str) -> bool {
        let operations = format!("http://{}", self.operations);
        let channel = Endpoint::from_shared(operations).unwrap().connect().await;
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        let answer = HealthClient::new(channel.unwrap()).check(request).await;
        answer.unwrap().into_inner().status() == ServingStatus::Serving
    }

    /// Waits until the link is in that state; how it stands then.
    pub async fn link(&self, state: LinkState) -> mymt5_proto::v1::LinkStatus {
        // A link that failed a few times pauses up to half a minute.
        let end = Instant::now() + 3 * BOUND;
        loop {
            let link = self.status().await.link.unwrap();
            if link.state() == state {
                return link;
            }
            assert!(Instant::now() < end, "{state:?}: {link:?}: {}", self.tail());
            sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    fn tail(&self) -> String {
        let said = self.said();
        let lines = said.lines().filter(|line| !line.contains("TRACE"));
        let lines: Vec<_> = lines.collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Waits until its log says so.
    pub async fn says(&self, text: &str) {
        let end = Instant::now() + BOUND;
        while !self.said().contains(text) {
            assert!(Instant::now() < end, "never said {text:?}: {}", self.tail());
            sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    pub async fn snapshot(&self) -> GetSnapshotResponse {
        let mut trading = self.trading().await;
        let snapshot = trading.get_snapshot(GetSnapshotRequest {}).await;
        snapshot.unwrap().into_inner()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.kill();
    }
}
