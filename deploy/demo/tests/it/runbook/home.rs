//! The installation that the runbook speaks of, in a temporary folder: the shipped configuration, the
//! binaries of this build, and what stands for `sudo` and systemd where there is one user.

use super::book::{self, Installation};
use crate::stage::{BOUND, binaries, eventually};
use mymt5_chassis::testing::free_port;
use mymt5_proto::v1::{
    self, GetSnapshotRequest, GetStatusRequest, GetStatusResponse, SubmitOrderRequest,
    control_service_client::ControlServiceClient, trading_service_client::TradingServiceClient,
};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
    vec,
};
use tempfile::TempDir;
use tonic::{
    Status,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

/// Where the runbook has a clone.
const CLONE: &str = "/opt/mymt5";
/// Where it has the gateway.
const API: &str = "127.0.0.1:50051";
/// Where it has the secrets.
const SECRETS: &str = "/etc/mymt5/secrets";

const SUDO: &str = r#"#!/bin/sh
# There is one user here: nothing to become, and nobody to give a file to.
if [ "$1" = chown ]; then exit 0; fi
exec "$@"
"#;

const SYSTEMCTL: &str = r#"#!/bin/bash
# As systemd: a start returns once the service is up, a stop once it is gone.
verb=$1 service=$2 name=${2#mymt5-}
# One that waits for its parent to take note has ended.
lives() {
    kill -0 "$1" 2>/dev/null && ! grep -q '^State:.Z' "/proc/$1/status"
}
stop() {
    [ -f "run/$service" ] || return 0
    pid=$(cat "run/$service")
    kill "$pid" 2>/dev/null
    for _ in $(seq 600); do lives "$pid" || break; sleep 0.05; done
    rm "run/$service"
}
start() {
    # What LoadCredential= hands over is a copy of the start.
    if [ -e run/LoadCredential ]; then
        rm -rf run/credentials
        cp -r secrets run/credentials
        export CREDENTIALS_DIRECTORY="$PWD/run/credentials"
    fi
    operations=
    if [ "$name" = engine ]; then operations="--operations ENGINE"; fi
    setsid "target/release/$service" run --config "config/$name.toml" >>"$service.stderr" 2>&1 </dev/null &
    echo $! >"run/$service"
    for _ in $(seq 600); do
        "target/release/$service" health $operations --service liveness >/dev/null 2>&1 && return 0
        lives $! || { rm "run/$service"; return 1; }
        sleep 0.05
    done
    return 1
}
case $verb in
start) start ;;
stop) stop ;;
restart) stop; start ;;
esac
"#;

/// The folder that the runbook calls `/opt/mymt5`.
pub(super) struct Home {
    folder: TempDir,
    api: String,
    /// The engine's operations port.
    engine: String,
}

fn address() -> String {
    format!("127.0.0.1:{}", free_port().unwrap())
}

fn write_program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

impl Home {
    /// Sets it up, and starts nothing.
    pub(super) fn set() -> Self {
        let folder = TempDir::new().unwrap();
        let home = Self {
            folder,
            api: address(),
            engine: address(),
        };
        for part in ["config", "target/release", "bin", "run", "secrets"] {
            fs::create_dir_all(home.path(part)).unwrap();
        }
        let private = fs::Permissions::from_mode(0o700);
        fs::set_permissions(home.path("secrets"), private).unwrap();
        home.install();
        let gateway = home
            .shipped("gateway")
            .replace("127.0.0.1:9101", &address());
        // The operator trades here, too, so that there is something to look at.
        let may = r#""read", "trade", "control", "diagnose""#;
        let gateway = gateway.replace(r#""read", "control", "diagnose""#, may);
        fs::write(home.path("config/gateway.toml"), gateway).unwrap();
        let engine = home
            .shipped("engine")
            .replace("127.0.0.1:9102", &home.engine);
        fs::write(home.path("config/engine.toml"), engine).unwrap();
        write_program(&home.path("bin/sudo"), SUDO);
        let systemctl = SYSTEMCTL.replace("ENGINE", &home.engine);
        write_program(&home.path("bin/systemctl"), &systemctl);
        home.bash("target/release/mymt5-gateway certs --keep-authority");
        home
    }

    /// A shipped configuration on ports of its own.
    fn shipped(&self, name: &str) -> String {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
        let text = fs::read_to_string(file.join(format!("{name}.toml"))).unwrap();
        let text = text.replace(API, &self.api);
        text.replace("allow_root = false", "allow_root = true")
    }

    /// Puts the binaries of this build in place, as a build does: running ones go on.
    pub(super) fn install(&self) {
        for program in ["mymt5-gateway", "mymt5-engine"] {
            let place = self.path("target/release").join(program);
            let _ = fs::remove_file(&place);
            fs::copy(binaries().join(program), place).unwrap();
        }
    }

    pub(super) fn path(&self, part: &str) -> PathBuf {
        self.folder.path().join(part)
    }

    /// What both processes said, for a test that fails.
    pub(super) fn said(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.path(name)).unwrap_or_default();
        read("mymt5-gateway.stderr") + &read("mymt5-engine.stderr")
    }

    /// The process id of a service.
    pub(super) fn pid(&self, service: &str) -> Option<Pid> {
        let id = fs::read_to_string(self.path("run").join(service)).ok()?;
        Pid::from_raw(id.trim().parse().ok()?)
    }

    /// Runs a script in the home, with that typed into it.
    pub(super) fn tried(&self, script: &str, typed: &str) -> Output {
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", self.path("bin").display());
        let mut child = Command::new("timeout")
            .args(["120", "bash", "-euo", "pipefail", "-c", script])
            .current_dir(self.folder.path())
            .env("PATH", path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A script that reads nothing may have ended already.
        let _ = writeln!(child.stdin.take().unwrap(), "{typed}");
        child.wait_with_output().unwrap()
    }

    /// The same, of one that must succeed.
    pub(super) fn bash(&self, script: &str) -> String {
        let output = self.tried(script, "");
        assert!(
            output.status.success(),
            "{script}\n{output:?}\n{}",
            self.said()
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Opens the runbook at a section.
    pub(super) fn read(&self, section: &str) -> Reading<'_> {
        self.read_for(Installation::Clone, section)
    }

    /// Opens it at what a section says for that installation; the paths are a clone's still.
    pub(super) fn read_for(&self, installation: Installation, section: &str) -> Reading<'_> {
        let mut blocks = book::blocks();
        blocks.retain(|block| {
            block.section == section && block.only.is_none_or(|only| only == installation)
        });
        assert!(!blocks.is_empty(), "{section}");
        Reading {
            home: self,
            blocks: blocks.into_iter(),
            words: vec![
                (CLONE, self.folder.path().display().to_string()),
                (SECRETS, self.path("secrets").display().to_string()),
                (API, self.api.clone()),
                (
                    "mymt5-engine health",
                    format!("mymt5-engine health --operations {}", self.engine),
                ),
            ],
            typed: String::new(),
        }
    }

    /// How to reach the gateway as that client, or as one without a certificate.
    pub(super) fn endpoint(&self, client: Option<&str>) -> Endpoint {
        let read = |part: &str| fs::read(self.path("config/tls").join(part)).unwrap();
        let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read("ca.pem")));
        if let Some(name) = client {
            let certificate = read(&format!("{name}/certificate.pem"));
            let key = read(&format!("{name}/key.pem"));
            tls = tls.identity(Identity::from_pem(certificate, key));
        }
        let endpoint = Endpoint::from_shared(format!("https://{}", self.api)).unwrap();
        endpoint.tls_config(tls).unwrap().timeout(BOUND)
    }

    /// A channel as the operator.
    pub(super) async fn operator(&self) -> Channel {
        self.endpoint(Some("operator")).connect().await.unwrap()
    }

    pub(super) async fn trading(&self) -> TradingServiceClient<Channel> {
        TradingServiceClient::new(self.operator().await)
    }

    /// How the gateway stands; an error while it is not up.
    pub(super) async fn try_status(&self) -> Result<GetStatusResponse, Status> {
        let mut control = ControlServiceClient::new(self.operator().await);
        let status = control.get_status(GetStatusRequest {}).await?;
        Ok(status.into_inner())
    }

    pub(super) async fn status(&self) -> GetStatusResponse {
        self.try_status().await.unwrap()
    }

    /// Waits until something of that name stands in the way.
    pub(super) async fn obstacle(&self, name: &str) {
        eventually(name, async || {
            let obstacles = self.status().await.obstacles;
            obstacles.iter().any(|it| it.name == name).then_some(())
        })
        .await;
    }

    pub(super) async fn positions(&self) -> Vec<v1::Position> {
        let mut trading = self.trading().await;
        let snapshot = trading.get_snapshot(GetSnapshotRequest {}).await;
        snapshot.unwrap().into_inner().positions
    }

    /// Waits until that client has so many positions.
    pub(super) async fn holds(&self, client: &str, count: usize) {
        eventually("the positions", async || {
            let positions = self.positions().await;
            let own = positions.iter().filter(|it| it.client == client);
            (own.count() == count).then_some(())
        })
        .await;
    }

    /// Buys a tenth of a lot as the operator.
    pub(super) async fn try_to_buy(&self, id: &str) -> Result<v1::Order, Status> {
        let order = SubmitOrderRequest {
            request_id: id.into(),
            symbol: "EURUSD".into(),
            side: v1::Side::Buy.into(),
            r#type: v1::OrderType::Market.into(),
            lots: 0.1,
            ..Default::default()
        };
        let answer = self.trading().await.submit_order(order).await?;
        Ok(answer.into_inner().order.unwrap())
    }

    /// The same, as soon as entries are let in.
    pub(super) async fn buy(&self, id: &str) -> v1::Order {
        eventually("an order that is taken", async || {
            self.try_to_buy(id).await.ok()
        })
        .await
    }

    /// That entries are let in and filled.
    pub(super) async fn trades(&self, id: &str) {
        let order = self.buy(id).await.order_id;
        eventually("an order that is filled", async || {
            let id = v1::get_order_request::Id::OrderId(order);
            let request = v1::GetOrderRequest { id: Some(id) };
            let order = self.trading().await.get_order(request).await;
            let order = order.unwrap().into_inner().order.unwrap();
            (order.state() == v1::OrderState::Filled).then_some(())
        })
        .await;
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        for service in ["mymt5-gateway", "mymt5-engine"] {
            if let Some(pid) = self.pid(service) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

/// The runbook, open at a section.
pub(super) struct Reading<'a> {
    home: &'a Home,
    blocks: vec::IntoIter<book::Block>,
    words: Vec<(&'static str, String)>,
    typed: String,
}

impl Reading<'_> {
    /// What a reader writes in place of a word.
    pub(super) fn word(mut self, word: &'static str, with: impl ToString) -> Self {
        self.words.push((word, with.to_string()));
        self
    }

    /// What a reader types when asked.
    pub(super) fn typing(mut self, text: &str) -> Self {
        self.typed = text.to_owned();
        self
    }

    /// Runs the next block; what it printed.
    pub(super) fn block(&mut self) -> String {
        let block = self.blocks.next().expect("another block");
        let script = self.script(&block);
        let end = Instant::now() + BOUND;
        loop {
            let output = self.home.tried(&script, &self.typed);
            if output.status.success() {
                return String::from_utf8(output.stdout).unwrap();
            }
            let goes_on = block.waits && Instant::now() < end;
            assert!(goes_on, "{script}\n{output:?}\n{}", self.home.said());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Runs the next block, which must not succeed.
    pub(super) fn refused(&mut self) {
        let block = self.blocks.next().expect("another block");
        let script = self.script(&block);
        let output = self.home.tried(&script, &self.typed);
        assert!(!output.status.success(), "{script}\n{output:?}");
    }

    /// A block, after the one that its shell began with, with the reader's own words.
    fn script(&self, block: &book::Block) -> String {
        let script = book::beginning() + &block.script;
        let words = self.words.iter();
        words.fold(script, |script, (word, with)| script.replace(word, with))
    }

    /// Runs all blocks that are left.
    pub(super) fn rest(mut self) {
        while !self.blocks.as_slice().is_empty() {
            self.block();
        }
    }
}
