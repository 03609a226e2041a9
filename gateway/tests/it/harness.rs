//! Starts the real binary in a temporary folder and connects to it.

use mymt5_chassis::tls;
use mymt5_proto::v1::{
    GetStatusRequest, GetStatusResponse, LinkState, control_service_client::ControlServiceClient,
    market_data_service_client::MarketDataServiceClient,
    trading_service_client::TradingServiceClient,
};
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

/// Longest wait for anything.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

/// Clients of the test configuration: one per permission, and one that has all.
pub(crate) const CLIENTS: [&str; 5] = ["read", "trade", "control", "diagnose", "all"];

pub(crate) struct Gateway {
    pub(crate) child: Child,
    pub(crate) folder: TempDir,
    pub(crate) api: SocketAddr,
    pub(crate) operations: SocketAddr,
}

fn free_port() -> SocketAddr {
    let port = mymt5_chassis::testing::free_port().unwrap();
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn launch(folder: &Path, variables: &[(&str, &str)]) -> Child {
    let stderr = fs::File::options()
        .create(true)
        .append(true)
        .open(folder.join("stderr"))
        .unwrap();
    Command::new(env!("CARGO_BIN_EXE_mymt5-gateway"))
        .args(["run", "--config", "gateway.toml"])
        .current_dir(folder)
        .envs(variables.iter().copied())
        .stdout(Stdio::null())
        .stderr(stderr)
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

fn configuration(
    folder: &Path,
    api: SocketAddr,
    operations: SocketAddr,
    simulator: &str,
) -> String {
    let at = |part: &str| folder.join(part).display().to_string();
    let mut text = format!(
        "[server]\nlisten = \"{api}\"\ntls.certificate = \"{}\"\ntls.key = \"{}\"\ntls.client_ca = \"{}\"\n\
         [operations]\nlisten = \"{operations}\"\n\
         [broker]\nkind = \"simulator\"\ntime_zone = \"new_york+7\"\n[broker.simulator]\n{simulator}\n\
         [process]\nallow_root = true\ndata_folder = \"{}\"\n[logging]\nlevel = \"info\"\nfolder = \"{}\"\n",
        at("tls/gateway/certificate.pem"),
        at("tls/gateway/key.pem"),
        at("tls/ca.pem"),
        at("data"),
        at("logs"),
    );
    for name in CLIENTS {
        let permissions = if name == "all" {
            "\"read\", \"trade\", \"control\", \"diagnose\"".into()
        } else {
            format!("\"{name}\"")
        };
        text += &format!(
            "[clients.{name}]\ncertificate = \"spiffe://mymt5/client/{name}\"\npermissions = [{permissions}]\n"
        );
    }
    text
}

impl Gateway {
    /// Starts it and waits until it is ready.
    pub(crate) async fn start(simulator: &str) -> Self {
        Self::start_in(TempDir::new().unwrap(), simulator).await
    }

    /// The same, in a folder that is prepared already.
    pub(crate) async fn start_in(folder: TempDir, simulator: &str) -> Self {
        Self::start_with(folder, simulator, &[]).await
    }

    /// The same, with variables in its environment.
    pub(crate) async fn start_with(
        folder: TempDir,
        simulator: &str,
        variables: &[(&str, &str)],
    ) -> Self {
        let clients: Vec<String> = CLIENTS
            .iter()
            .chain(&["stranger"])
            .map(|name| (*name).to_owned())
            .collect();
        let hosts = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        tls::dev_certs(&folder.path().join("tls"), &clients, &hosts, 1).unwrap();
        let (api, operations) = (free_port(), free_port());
        let config = folder.path().join("gateway.toml");
        fs::write(
            &config,
            configuration(folder.path(), api, operations, simulator),
        )
        .unwrap();
        let mut gateway = Self {
            child: launch(folder.path(), variables),
            folder,
            api,
            operations,
        };
        gateway.ready().await;
        gateway
    }

    /// Kills it as a crash would, and starts it again on the same folders.
    pub(crate) async fn crash_and_return(&mut self) {
        self.child.kill().await.unwrap();
        self.child = launch(self.folder.path(), &[]);
        self.ready().await;
    }

    /// Starts it again on the same folders once it has stopped, and does not wait until it is ready.
    pub(crate) fn start_again(&mut self, variables: &[(&str, &str)]) {
        self.child = launch(self.folder.path(), variables);
    }

    async fn ready(&mut self) {
        let end = Instant::now() + BOUND;
        while tokio::net::TcpStream::connect(self.api).await.is_err() || !self.is_ready().await {
            assert!(
                self.child.try_wait().unwrap().is_none() && Instant::now() < end,
                "{}",
                self.stderr()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Runs another command of the binary in the same folder, as that user.
    pub(crate) async fn command(
        &self,
        arguments: &[&str],
        uid: Option<u32>,
    ) -> std::process::Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mymt5-gateway"));
        command.args(arguments).current_dir(self.folder.path());
        // What the tests are told by variables is none of a gateway's.
        command.env_clear();
        if let Some(uid) = uid {
            command.uid(uid);
        }
        command.output().await.unwrap()
    }

    /// The configuration as it stands.
    pub(crate) fn configuration(&self) -> String {
        fs::read_to_string(self.folder.path().join("gateway.toml")).unwrap()
    }

    /// Writes another one; it is for the gateway to notice.
    pub(crate) fn configure(&self, text: &str) {
        fs::write(self.folder.path().join("gateway.toml"), text).unwrap();
    }

    /// Sends SIGHUP.
    pub(crate) fn hang_up(&self) {
        self.send(rustix::process::Signal::HUP);
    }

    pub(crate) fn send(&self, signal: rustix::process::Signal) {
        let pid = self.child.id().unwrap().cast_signed();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) async fn stop(&mut self) {
        self.send(rustix::process::Signal::TERM);
        let ended = tokio::time::timeout(BOUND, self.child.wait()).await;
        assert!(ended.unwrap().unwrap().success(), "{}", self.stderr());
    }

    /// Waits until its log says so.
    pub(crate) async fn says(&self, text: &str) {
        let end = Instant::now() + BOUND;
        while !self.stderr().contains(text) {
            assert!(
                Instant::now() < end,
                "it never said {text:?}: {}",
                self.stderr()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn is_ready(&self) -> bool {
        let Ok(channel) = self.endpoint(Some("all")).connect().await else {
            return false;
        };
        let status = ControlServiceClient::new(channel)
            .get_status(GetStatusRequest {})
            .await;
        status.is_ok_and(|status| {
            let state = status.into_inner().link.unwrap().state();
            matches!(state, LinkState::Ready | LinkState::MarketClosed)
        })
    }

    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }

    fn tls(&self, part: &str) -> PathBuf {
        self.folder.path().join("tls").join(part)
    }

    /// How to reach it as that client, or without a certificate.
    pub(crate) fn endpoint(&self, client: Option<&str>) -> Endpoint {
        self.endpoint_trusting(&fs::read(self.tls("ca.pem")).unwrap(), client)
    }

    /// For a client that trusts only those authorities.
    pub(crate) fn endpoint_trusting(&self, authorities: &[u8], client: Option<&str>) -> Endpoint {
        tls::install_provider();
        let read = |part: &str| fs::read(self.tls(part)).unwrap();
        let mut config = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authorities));
        if let Some(name) = client {
            let identity = Identity::from_pem(
                read(&format!("{name}/certificate.pem")),
                read(&format!("{name}/key.pem")),
            );
            config = config.identity(identity);
        }
        let address = format!("https://localhost:{}", self.api.port());
        Endpoint::from_shared(address)
            .unwrap()
            .tls_config(config)
            .unwrap()
            .timeout(BOUND)
    }

    pub(crate) async fn channel(&self, client: Option<&str>) -> Channel {
        self.endpoint(client).connect().await.unwrap()
    }

    pub(crate) async fn trading(&self) -> TradingServiceClient<Channel> {
        TradingServiceClient::new(self.channel(Some("all")).await)
    }

    pub(crate) async fn market_data(&self) -> MarketDataServiceClient<Channel> {
        MarketDataServiceClient::new(self.channel(Some("all")).await)
    }

    pub(crate) async fn status(&self) -> GetStatusResponse {
        let mut control = ControlServiceClient::new(self.channel(Some("all")).await);
        control
            .get_status(GetStatusRequest {})
            .await
            .unwrap()
            .into_inner()
    }

    /// What the operations port tells Prometheus.
    pub(crate) async fn metrics(&self) -> String {
        let mut stream = tokio::net::TcpStream::connect(self.operations)
            .await
            .unwrap();
        let request = format!(
            "GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.operations
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    /// Waits until a symbol has a quote, so that it can trade.
    pub(crate) async fn quoted(&self, symbol: &str) -> mymt5_proto::v1::Tick {
        let mut market = self.market_data().await;
        let request = mymt5_proto::v1::StreamTicksRequest {
            symbols: vec![symbol.into()],
            delivery: None,
        };
        let mut ticks = market.stream_ticks(request).await.unwrap().into_inner();
        let batch = tokio::time::timeout(BOUND, ticks.message())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        batch.ticks[0].clone()
    }
}
