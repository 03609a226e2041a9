//! The stage: a temporary folder with certificates, configurations and copies of the binaries, so
//! arranged that either process sees its own part and not the other's.

use crate::{build, replay::Replay};
use anyhow::Context;
use mymt5_chassis::tls;
use std::{
    fmt::Write as _,
    fs,
    net::{SocketAddr, TcpListener},
    ops::Range,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// Users without a name and without rights; used when the demo is started as root.
const UIDS: [u32; 2] = [61_001, 61_002];
/// What a synthetic demo trades.
const SYMBOLS: [&str; 4] = ["EURUSD", "GBPUSD", "USDJPY", "AUDUSD"];

pub(crate) struct Stage {
    folder: TempDir,
    pub(crate) gateway: Part,
    pub(crate) engine: Part,
    pub(crate) api: SocketAddr,
}

/// One process's part of the stage.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) folder: PathBuf,
    pub(crate) binary: PathBuf,
    pub(crate) operations: SocketAddr,
    /// The user to run as; none: the user who started the demo.
    pub(crate) uid: Option<u32>,
}

impl Stage {
    pub(crate) fn set(replay: Option<&Replay>, speed: &str) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("mymt5-demo-")
            .tempdir()
            .context(
                "cannot make a temporary folder; make room for it, or set TMPDIR to another place",
            )?;
        mode(folder.path(), 0o755)?;
        let uids = if rustix::process::geteuid().is_root() {
            UIDS.map(Some)
        } else {
            [None, None]
        };
        let ports = free_ports()?;
        let [gateway, engine] = [
            ("gateway", uids[0], ports[1]),
            ("engine", uids[1], ports[2]),
        ]
        .map(|(name, uid, operations)| part(folder.path(), name, uid, operations));
        let stage = Self {
            gateway: gateway?,
            engine: engine?,
            api: ports[0],
            folder,
        };
        stage.certificates()?;
        let ticks = replay
            .map(|replay| stage.copy_ticks(&replay.file))
            .transpose()?;
        let symbols = match replay {
            Some(replay) => vec![replay.symbol.clone()],
            None => SYMBOLS.map(str::to_owned).to_vec(),
        };
        fs::write(
            stage.gateway.config(),
            stage.gateway_toml(ticks.as_deref(), speed, &symbols)?,
        )?;
        fs::write(stage.engine.config(), stage.engine_toml(&symbols)?)?;
        stage.gateway.own_all()?;
        stage.engine.own_all()?;
        Ok(stage)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The demo's own identity towards the gateway.
    pub(crate) fn observer(&self) -> PathBuf {
        self.folder().join("observer")
    }

    /// The log files of both. They stay; everything else is removed, the keys above all.
    pub(crate) fn keep_logs(self) -> Vec<PathBuf> {
        let _ = fs::remove_dir_all(self.observer());
        let logs = [&self.gateway, &self.engine].map(Part::keep_logs).concat();
        let _ = self.folder.keep();
        logs
    }

    /// Each gets its own key and no other.
    fn certificates(&self) -> anyhow::Result<()> {
        let made = self.folder().join("made");
        let hosts = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        tls::dev_certs(
            &made,
            &["engine".to_owned(), "observer".to_owned()],
            &hosts,
            2,
        )?;
        let places = [
            ("gateway", self.gateway.folder.join("tls")),
            ("engine", self.engine.folder.join("tls")),
            ("observer", self.observer()),
        ];
        for (name, place) in places {
            fs::create_dir_all(&place)?;
            for file in ["certificate.pem", "key.pem"] {
                fs::copy(made.join(name).join(file), place.join(file))?;
            }
            fs::copy(made.join("ca.pem"), place.join("ca.pem"))?;
        }
        fs::remove_dir_all(made)?;
        mode(&self.observer(), 0o700)
    }

    /// The gateway's user may not be able to read the export where it lies.
    fn copy_ticks(&self, file: &Path) -> anyhow::Result<PathBuf> {
        let name = file
            .file_name()
            .context("the tick file has no name; name a file")?;
        let copy = self.gateway.folder.join(name);
        fs::copy(file, &copy)
            .with_context(|| format!("cannot copy {}; let this user read it", file.display()))?;
        mode(&copy, 0o600)?;
        Ok(copy)
    }

    fn gateway_toml(
        &self,
        ticks: Option<&Path>,
        speed: &str,
        symbols: &[String],
    ) -> anyhow::Result<String> {
        let mut text = format!(
            "[server]\nlisten = \"{}\"\nmax_connection_age_s = 604800\n\
             tls.certificate = \"tls/certificate.pem\"\ntls.key = \"tls/key.pem\"\n\
             tls.client_ca = \"tls/ca.pem\"\n[broker]\ntime_zone = \"new_york+7\"\n[broker.simulator]\n\
             speed = {speed:?}\nsymbols = {symbols:?}\nbalance = 100000.0\n",
            self.api
        );
        match ticks {
            Some(file) => write!(
                text,
                "feed = \"ticks\"\nfile = {:?}\nmode = \"netting\"\n",
                file.display().to_string()
            )?,
            None => text += "feed = \"synthetic\"\nmode = \"hedging\"\n",
        }
        // A replay at full speed trades days within seconds.
        text += "[clients.engine]\ncertificate = \"spiffe://mymt5/client/engine\"\npermissions = [\"read\", \"trade\"]\n\
                 max_ids_per_minute = 60000\n\
                 [clients.observer]\ncertificate = \"spiffe://mymt5/client/observer\"\n\
                 permissions = [\"read\", \"control\", \"diagnose\"]\n";
        Ok(text + &self.gateway.common())
    }

    fn engine_toml(&self, symbols: &[String]) -> anyhow::Result<String> {
        let mut text = format!(
            "[gateway]\naddress = \"https://127.0.0.1:{}\"\nca = \"tls/ca.pem\"\ncertificate = \"tls/certificate.pem\"\n\
             key = \"tls/key.pem\"\n[risk]\nmax_per_trade = 0.5\nmax_lots = 1.0\n",
            self.api.port()
        );
        for symbol in symbols {
            write!(
                text,
                "[[strategies]]\nname = \"cross-{symbol}\"\nsymbol = \"{symbol}\"\nstop_points = 200\n"
            )?;
        }
        Ok(text + &self.engine.common())
    }
}

impl Part {
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.join(format!("{}.toml", self.name))
    }

    pub(crate) fn stderr(&self) -> PathBuf {
        self.folder.join("stderr")
    }

    fn common(&self) -> String {
        format!(
            "[operations]\nlisten = \"{}\"\n[process]\ndata_folder = \"data\"\n[logging]\nfolder = \"logs\"\n",
            self.operations
        )
    }

    /// Leaves only the process's output; its log files.
    fn keep_logs(&self) -> Vec<PathBuf> {
        let logs = self.folder.join("logs");
        for path in entries(&self.folder) {
            if path.is_dir() && path != logs {
                let _ = fs::remove_dir_all(path);
            } else if path.is_file() && path != self.stderr() {
                let _ = fs::remove_file(path);
            }
        }
        let mut files = entries(&logs);
        files.retain(|path| !path.ends_with(".lock"));
        files
    }

    /// Hands the folder to the part's user, closed to all others.
    fn own_all(&self) -> anyhow::Result<()> {
        fn give(path: &Path, uid: u32) -> std::io::Result<()> {
            chown(path, Some(uid), Some(uid))?;
            if path.is_dir() {
                for entry in fs::read_dir(path)? {
                    give(&entry?.path(), uid)?;
                }
            }
            Ok(())
        }
        mode(&self.folder, 0o700)?;
        self.uid
            .map_or(Ok(()), |uid| give(&self.folder, uid))
            .context("cannot give a folder to its user; run the demo as root, or as a plain user")
    }
}

fn part(
    stage: &Path,
    name: &'static str,
    uid: Option<u32>,
    operations: SocketAddr,
) -> anyhow::Result<Part> {
    let folder = stage.join(name);
    fs::create_dir(&folder)?;
    let program = format!("mymt5-{name}");
    let binary = folder.join(&program);
    // The build's own folder may be closed to the part's user.
    fs::copy(build::binary(&program)?, &binary)?;
    mode(&binary, 0o755)?;
    Ok(Part {
        name,
        folder,
        binary,
        operations,
        uid,
    })
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

fn mode(path: &Path, mode: u32) -> anyhow::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).with_context(|| {
        format!(
            "cannot set the mode of {}; set TMPDIR to a local disk",
            path.display()
        )
    })
}

/// Below those that the system gives to connections: none is taken between its choice and its use.
const PORTS: Range<u16> = 20_000..32_000;

fn free_ports() -> anyhow::Result<[SocketAddr; 3]> {
    // Two demos at a time begin elsewhere.
    let first = std::process::id().wrapping_mul(31) as usize % PORTS.len();
    let ports = PORTS.cycle().skip(first).take(PORTS.len());
    let free = ports.filter_map(|port| TcpListener::bind(("127.0.0.1", port)).ok());
    let listeners: Vec<_> = free.take(3).collect();
    let ports: Vec<_> = listeners
        .iter()
        .map(TcpListener::local_addr)
        .collect::<Result<_, _>>()?;
    <[SocketAddr; 3]>::try_from(ports)
        .ok()
        .context("cannot find three free ports; stop what listens on 127.0.0.1")
}
