//! The whole chain on the stage: the real bridge on the official package in a Windows Python under
//! Wine, the package's pipe, its relay, and the simulated terminal, which runs in this process.

use super::{
    bridged::{BridgedStage, Market},
    play::tick,
    setup::Setup,
    simulated::as_export,
};
use crate::support::{PASSWORD, SECRET, settings};
use mymt5_model::{BrokerZone, Tick};
use mymt5_simulated_terminal::{Server, Settings, Terminal, now};
use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, LazyLock},
    thread,
};
use tokio::sync::{Mutex, MutexGuard};

/// The script's exit status where no Windows Python is installed.
const UNAVAILABLE: i32 = 69;

/// The chain, of which all tests share one: a play has it for itself.
pub struct Chain {
    server: Arc<Server>,
    /// The bridge's.
    port: u16,
    /// The last play's: no magic comes twice in a bridge's life.
    slot: u16,
    /// What runs under Wine; it ends when its standard input does, with this process.
    _bridge: Child,
}

/// The chain once no other test plays on it, started by the first; none without a Windows Python.
pub async fn chain() -> Option<MutexGuard<'static, Chain>> {
    static CHAIN: LazyLock<Option<Mutex<Chain>>> = LazyLock::new(|| Chain::start().map(Mutex::new));
    let chain = CHAIN.as_ref()?;
    Some(chain.lock().await)
}

/// Makes the terminal another account, quoted once, and opens a session with it: a slot for the
/// play's magics, and its stage.
pub async fn open(
    mut chain: MutexGuard<'static, Chain>,
    setup: &Setup,
    first: &Tick,
) -> (u16, BridgedStage<MutexGuard<'static, Chain>>) {
    chain.server.replace(simulated_terminal(setup, first));
    chain.slot += 1;
    let slot = chain.slot;
    let bridge = settings(format!("127.0.0.1:{}", chain.port), "");
    let stage = BridgedStage::open(chain, bridge, setup, first).await;
    (slot, stage)
}

impl Market for MutexGuard<'static, Chain> {
    fn quote(&self, tick: &Tick) {
        self.server.quote(tick).unwrap();
    }
}

impl Chain {
    fn start() -> Option<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let terminal = listener.local_addr().unwrap().port();
        let setup = Setup::default();
        let first = tick(&setup, 0, setup.first);
        let server = Arc::new(Server::new(simulated_terminal(&setup, &first), None));
        let listening = server.clone();
        thread::spawn(move || listening.listen(&listener));
        let mut bridge = script(terminal)
            .spawn()
            .expect("python3, or what MYMT5_PYTHON names, starts");
        let told = BufReader::new(bridge.stdout.take().unwrap()).lines();
        let mut told = told.map_while(Result::ok);
        let port = told.find_map(|line| {
            let port = line.split_once("listening on 127.0.0.1:")?.1;
            port.split([',', ' ']).next()?.parse().ok()
        });
        let Some(port) = port else {
            let status = bridge.wait().unwrap();
            assert_eq!(status.code(), Some(UNAVAILABLE), "the chain does not start");
            println!("skipped: no Windows Python; run deploy/terminal/windows_python.py");
            assert!(env::var_os("MYMT5_REQUIRE").is_none());
            return None;
        };
        // Nobody may find the pipe full.
        thread::spawn(move || told.for_each(|line| eprintln!("{line}")));
        Some(Self {
            server,
            port,
            slot: 0,
            _bridge: bridge,
        })
    }
}

/// Starts relay and bridge before the terminal on that port.
fn script(terminal: u16) -> Command {
    let python = env::var("MYMT5_PYTHON").unwrap_or_else(|_| "python3".into());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/terminal");
    let mut command = Command::new(python);
    command
        .arg(folder.join("windows_bridge.py"))
        .arg(terminal.to_string())
        .env("BRIDGE_SECRET", SECRET)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// A terminal with the setup's account, quoted once.
fn simulated_terminal(setup: &Setup, first: &Tick) -> Terminal {
    let folder = tempfile::tempdir().unwrap();
    let replay = folder.path().join(format!("{}.csv", first.symbol));
    fs::write(&replay, as_export(first)).unwrap();
    let settings = Settings {
        account: setup.account.clone(),
        password: Some(PASSWORD.into()),
        symbols: setup.specs.clone(),
        zone: BrokerZone::parse("UTC").unwrap(),
        build: 6231,
        path: r"C:\mymt5\terminal".into(),
        replays: vec![replay],
        speed: 1.0,
        tick_ms: 250,
        past_minutes: 1,
    };
    Terminal::start(settings, Vec::new(), None, now()).unwrap()
}
