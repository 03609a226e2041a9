//! Gateway and engine as processes that a test may kill, restart and read.

use mymt5_proto::v1::{
    GetSnapshotRequest, GetSnapshotResponse, control_service_client::ControlServiceClient,
    trading_service_client::TradingServiceClient,
};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

/// Longest wait for anything.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

pub(crate) struct Stage {
    folder: TempDir,
    api: SocketAddr,
    operations: [SocketAddr; 2],
    running: BTreeMap<&'static str, Child>,
    environment: BTreeMap<(&'static str, &'static str), String>,
    token: String,
    users: bool,
}

/// Asks again until the answer is there, within the bound.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + BOUND;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The folder of the binaries, built once for all tests.
pub(crate) fn binaries() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let demo = env!("CARGO_BIN_EXE_mymt5-demo");
        let built = Command::new(demo).arg("--build-only").status();
        assert!(built.unwrap().success());
        Path::new(env!("CARGO_BIN_EXE_mymt5-demo"))
            .parent()
            .unwrap()
            .to_owned()
    })
}

fn free_port() -> SocketAddr {
    let port = mymt5_chassis::testing::free_port().unwrap();
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// A bearer token as the gateway makes it, and the client's table of the configuration.
fn token(client: &str) -> (String, String) {
    let made = Command::new(binaries().join("mymt5-gateway"))
        .args(["token", client, "--permissions", "read,diagnose"])
        .output()
        .unwrap();
    let token = String::from_utf8(made.stdout).unwrap();
    let table = String::from_utf8(made.stderr).unwrap();
    (token.trim_end().to_owned(), table)
}

/// Gives a folder and all in it to that user.
fn own(path: &Path, user: u32) {
    chown(path, Some(user), Some(user)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap().flatten() {
            own(&entry.path(), user);
        }
    }
}

impl Stage {
    /// Writes certificates and configurations; starts nothing.
    pub(crate) fn set(level: &str, environment: &[(&'static str, &str)]) -> Self {
        binaries();
        let folder = TempDir::new().unwrap();
        let clients = ["engine", "operator"].map(str::to_owned);
        mymt5_chassis::tls::dev_certs(
            &folder.path().join("tls"),
            &clients,
            &["localhost".to_owned(), "127.0.0.1".to_owned()],
            1,
        )
        .unwrap();
        let (api, operations) = (free_port(), [free_port(), free_port()]);
        let (token, dashboard) = token("dashboard");
        let common = |at: SocketAddr, name: &str| {
            format!(
                "[operations]\nlisten = \"{at}\"\n[process]\nallow_root = true\ndata_folder = \"data/{name}\"\n\
                 [logging]\nlevel = \"{level}\"\nfolder = \"logs/{name}\"\n"
            )
        };
        let gateway = format!(
            "[server]\nlisten = \"{api}\"\ntls.certificate = \"tls/gateway/certificate.pem\"\n\
             tls.key = \"tls/gateway/key.pem\"\ntls.client_ca = \"tls/ca.pem\"\n\
             [broker]\ntime_zone = \"new_york+7\"\n[broker.simulator]\nspeed = \"10\"\nsymbols = [\"EURUSD\", \"GBPUSD\"]\n\
             [clients.engine]\ncertificate = \"spiffe://mymt5/client/engine\"\npermissions = [\"read\", \"trade\"]\n\
             [clients.operator]\ncertificate = \"spiffe://mymt5/client/operator\"\npermissions = [\"read\", \"trade\", \"control\", \"diagnose\"]\n\
             {dashboard}{}",
            common(operations[0], "gateway")
        );
        let engine = format!(
            "[gateway]\naddress = \"https://127.0.0.1:{}\"\nca = \"tls/ca.pem\"\ncertificate = \"tls/engine/certificate.pem\"\n\
             key = \"tls/engine/key.pem\"\n[[strategies]]\nname = \"a\"\nsymbol = \"EURUSD\"\n\
             [[strategies]]\nname = \"b\"\nsymbol = \"GBPUSD\"\n{}",
            api.port(),
            common(operations[1], "engine")
        );
        fs::write(folder.path().join("gateway.toml"), gateway).unwrap();
        fs::write(folder.path().join("engine.toml"), engine).unwrap();
        let environment = environment
            .iter()
            .map(|(name, value)| (("gateway", *name), (*value).to_owned()))
            .collect();
        Self {
            folder,
            api,
            operations,
            running: BTreeMap::new(),
            token,
            environment,
            users: false,
        }
    }

    /// The users of gateway and engine, where each has its own.
    pub(crate) const USERS: [u32; 2] = [61_001, 61_002];

    /// Each of them will run as a user of its own, who owns its folders and its keys.
    pub(crate) fn under_users(mut self) -> Self {
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
        for folder in ["", "tls", "data", "logs", "bin"] {
            fs::create_dir_all(self.path(folder)).unwrap();
            mode(&self.path(folder), 0o755).unwrap();
        }
        mode(&self.path("tls/ca.pem"), 0o644).unwrap();
        for (name, user) in ["gateway", "engine"].into_iter().zip(Self::USERS) {
            mode(&self.path(&format!("{name}.toml")), 0o644).unwrap();
            let program = format!("mymt5-{name}");
            fs::copy(binaries().join(&program), self.path("bin").join(&program)).unwrap();
            for folder in ["data", "logs"].map(|part| self.path(part).join(name)) {
                fs::create_dir(&folder).unwrap();
                mode(&folder, 0o700).unwrap();
                own(&folder, user);
            }
            own(&self.path("tls").join(name), user);
        }
        self.users = true;
        self
    }

    /// Sets a variable of one of them, from its next start on.
    pub(crate) fn give(&mut self, name: &'static str, variable: &'static str, value: &str) {
        self.environment.insert((name, variable), value.to_owned());
    }

    /// The binary that one of them is started from.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        let program = format!("mymt5-{name}");
        if self.users {
            self.path("bin").join(program)
        } else {
            binaries().join(program)
        }
    }

    /// Puts a secret into a file of that process's own user, and names it by `NAME_FILE`.
    pub(crate) fn secret(
        &mut self,
        name: &'static str,
        variable: &'static str,
        value: &str,
    ) -> PathBuf {
        let folder = self.path(&format!("secrets-{name}"));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join(variable);
        fs::write(&file, value).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        if self.users {
            own(&folder, Self::USERS[usize::from(name == "engine")]);
        }
        let variable: &'static str = Box::leak(format!("{variable}_FILE").into_boxed_str());
        self.give(name, variable, file.to_str().unwrap());
        file
    }

    /// How one of them ended by itself.
    pub(crate) async fn ended(&mut self, name: &'static str) -> ExitStatus {
        let mut child = self.running.remove(name).unwrap();
        eventually("its end", async || child.try_wait().unwrap()).await
    }

    /// Starts one of them.
    pub(crate) fn start(&mut self, name: &'static str) {
        let stderr = fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join(format!("{name}.stderr")))
            .unwrap();
        let mut command = Command::new(self.program(name));
        command
            .args(["run", "--config", &format!("{name}.toml")])
            .current_dir(self.folder.path());
        let own = self.environment.iter().filter(|((of, _), _)| *of == name);
        command.envs(own.map(|((_, variable), value)| (variable, value)));
        if self.users {
            let user = Self::USERS[usize::from(name == "engine")];
            command.uid(user).gid(user);
        }
        self.running.insert(
            name,
            command
                .stdout(Stdio::null())
                .stderr(stderr)
                .spawn()
                .unwrap(),
        );
    }

    /// Ends one of them as a crash would.
    pub(crate) fn kill(&mut self, name: &'static str) {
        let mut child = self.running.remove(name).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Ends one of them politely.
    pub(crate) async fn stop(&mut self, name: &'static str) {
        let pid = Pid::from_raw(self.pid(name).cast_signed()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        let status = self.ended(name).await;
        assert!(status.success(), "{name}: {status}");
    }

    /// The process id of one of them.
    pub(crate) fn pid(&self, name: &str) -> u32 {
        self.running[name].id()
    }

    /// Waits until one of them has said so.
    pub(crate) async fn says(&self, name: &str, text: &str) {
        eventually(&format!("{name} to say {text:?}"), async || {
            self.written(name).contains(text).then_some(())
        })
        .await;
    }

    /// What Check answers for readiness.
    pub(crate) async fn is_serving(&self, name: &str) -> bool {
        let at = self.operations[usize::from(name == "engine")];
        let Ok(channel) = Endpoint::from_shared(format!("http://{at}"))
            .unwrap()
            .connect()
            .await
        else {
            return false;
        };
        let request = HealthCheckRequest {
            service: "readiness".to_owned(),
        };
        let answer = HealthClient::new(channel).check(request).await;
        answer.is_ok_and(|answer| answer.into_inner().status() == ServingStatus::Serving)
    }

    pub(crate) async fn serving(&self, name: &str, yes: bool) {
        eventually(&format!("{name} to serve: {yes}"), async || {
            (self.is_serving(name).await == yes).then_some(())
        })
        .await;
    }

    /// A channel to the gateway as its operator.
    pub(crate) async fn operator(&self) -> Channel {
        let read = |part: &str| fs::read(self.folder.path().join("tls").join(part)).unwrap();
        let identity =
            Identity::from_pem(read("operator/certificate.pem"), read("operator/key.pem"));
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(read("ca.pem")))
            .identity(identity);
        let address = format!("https://localhost:{}", self.api.port());
        let endpoint = Endpoint::from_shared(address)
            .unwrap()
            .tls_config(tls)
            .unwrap()
            .timeout(BOUND);
        endpoint.connect().await.unwrap()
    }

    pub(crate) async fn snapshot(&self) -> Option<GetSnapshotResponse> {
        let mut trading = TradingServiceClient::new(self.operator().await);
        trading
            .get_snapshot(GetSnapshotRequest {})
            .await
            .ok()
            .map(tonic::Response::into_inner)
    }

    pub(crate) async fn fills(&self) -> u64 {
        let mut control = ControlServiceClient::new(self.operator().await);
        let status = control
            .get_status(mymt5_proto::v1::GetStatusRequest {})
            .await;
        status.map_or(0, |status| status.into_inner().counters.unwrap().fills)
    }

    /// The metrics of one of them.
    pub(crate) async fn metrics_of(&self, name: &str) -> String {
        let at = self.operations[usize::from(name == "engine")];
        let mut stream = TcpStream::connect(at).await.unwrap();
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    /// Where the binaries of this build are.
    pub(crate) fn binaries(&self) -> &'static Path {
        binaries()
    }

    /// The dashboard's bearer token.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// An operations port's address.
    pub(crate) fn operations(&self, name: &str) -> String {
        self.operations[usize::from(name == "engine")].to_string()
    }

    /// The API port.
    pub(crate) fn port(&self) -> u16 {
        self.api.port()
    }

    pub(crate) fn path(&self, part: &str) -> PathBuf {
        self.folder.path().join(part)
    }

    /// Every byte that one of them wrote into its logs and data, and to standard error.
    pub(crate) fn written(&self, name: &str) -> String {
        let mut text = fs::read_to_string(self.path(&format!("{name}.stderr"))).unwrap_or_default();
        for folder in [format!("logs/{name}"), format!("data/{name}")] {
            for entry in fs::read_dir(self.path(&folder))
                .into_iter()
                .flatten()
                .flatten()
            {
                text += &String::from_utf8_lossy(&fs::read(entry.path()).unwrap_or_default());
            }
        }
        text
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for child in self.running.values_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
