//! What the memory of a running gateway holds, read as only root can: it is not dumpable.

use super::stage::Stage;
use crate::support::{BOUND, LOGIN, PASSWORD, SECRET, SERVER};
use aho_corasick::AhoCorasick;
use mymt5_chassis::testing::forms_of;
use mymt5_proto::v1::{self, LinkState, control_service_client::ControlServiceClient};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::{FileExt, PermissionsExt},
    time::{Duration, Instant},
};
use tokio::{task::block_in_place, time::sleep};

const NEW: &str = "another horse, \"another\" staple";
const LOGINS: &str = "SELECT count(*) FROM logins WHERE ok";

/// What is readable of a process, region by region. A region that goes away meanwhile is left out.
fn memory(pid: u32) -> Vec<Vec<u8>> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let file = File::open(format!("/proc/{pid}/mem")).unwrap();
    let region = |line: &str| {
        let mut words = line.split_whitespace();
        let (from, to) = words.next()?.split_once('-')?;
        let from = u64::from_str_radix(from, 16).ok()?;
        let to = u64::from_str_radix(to, 16).ok()?;
        words.next()?.strip_prefix('r')?;
        let mut bytes = vec![0; usize::try_from(to - from).ok()?];
        file.read_exact_at(&mut bytes, from).ok()?;
        Some(bytes)
    };
    maps.lines().filter_map(region).collect()
}

/// The forms of a password that a memory holds, by their names; most of it counts as it.
fn found(memory: &[Vec<u8>], password: &str) -> BTreeSet<&'static str> {
    const NAMES: [&str; 4] = ["raw", "json", "hex", "base64 at 0"];
    let part = &password[password.len() / 4..];
    let forms = forms_of(part).into_iter().chain(forms_of(password));
    let named: Vec<_> = forms.filter(|(name, _)| NAMES.contains(name)).collect();
    let any = AhoCorasick::new(named.iter().map(|(_, form)| form)).unwrap();
    let places = memory
        .iter()
        .flat_map(|region| any.find_overlapping_iter(region));
    places.map(|place| named[place.pattern()].0).collect()
}

fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("skipped: only root reads the memory of another process");
    }
    root
}

impl Stage {
    /// Waits until its memory holds none of these passwords three times in a row: what it is just at
    /// work with may be met in between. The server's name is found each time.
    async fn rests_without(&self, passwords: &[&str]) {
        let end = Instant::now() + BOUND;
        let mut clean = 0;
        while clean < 3 {
            let memory = block_in_place(|| memory(self.pid()));
            assert!(!found(&memory, SERVER).is_empty(), "nothing is found");
            let held = passwords.iter().map(|password| found(&memory, password));
            let held: Vec<_> = held.filter(|forms| !forms.is_empty()).collect();
            clean = if held.is_empty() { clean + 1 } else { 0 };
            assert!(Instant::now() < end || clean > 0, "it stays: {held:?}");
            sleep(Duration::from_millis(100)).await;
        }
    }

    async fn halt(&self, reason: &str) {
        let request = v1::SetTradingStateRequest {
            request_id: "halt".into(),
            state: v1::TradingState::Halted.into(),
            reason: reason.into(),
            ..Default::default()
        };
        let mut control = ControlServiceClient::new(self.channel().await);
        control.set_trading_state(request).await.unwrap();
    }

    /// Takes the secrets from elsewhere than from a folder.
    fn without_folder(&self) {
        let file = self.path("gateway.toml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(file, text.replace("[secrets]\nfolder = \"secrets\"\n", "")).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_of_a_folder_is_in_memory_only_while_a_login_runs() {
    if !is_root() {
        return;
    }
    let mut stage = Stage::set(&[]);
    stage.launch();
    stage.link(LinkState::Ready).await;
    stage.rests_without(&[PASSWORD]).await;
    // Nor does the former one stay when another is taken up.
    stage.bridge.broker(&["password", NEW]);
    stage.credentials(&[("MT5_PASSWORD", NEW)]);
    block_in_place(|| stage.bridge.wait_for(LOGINS, 2));
    stage.link(LinkState::Ready).await;
    stage.rests_without(&[PASSWORD, NEW]).await;
    // It is masked all the same, whoever writes it: now a caller brings it.
    stage.halt(&format!("{NEW}, once {PASSWORD}")).await;
    let reasons = stage.status().await.trading_reasons.join("; ");
    assert!(reasons.contains("***, once ***"), "{reasons}");
    let said = stage.said();
    assert!(!said.contains(NEW) && !said.contains(PASSWORD));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_of_a_file_is_not_in_memory_and_one_of_a_variable_is() {
    if !is_root() {
        return;
    }
    let mut stage = Stage::set(&[]);
    stage.without_folder();
    let file = stage.path("password");
    fs::write(&file, PASSWORD).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let others = [
        ("MT5_LOGIN", LOGIN),
        ("MT5_SERVER", SERVER),
        ("BRIDGE_SECRET", SECRET),
    ];
    let mut variables = others.to_vec();
    variables.push(("MT5_PASSWORD_FILE", file.to_str().unwrap()));
    stage.launch_with(&variables);
    stage.link(LinkState::Ready).await;
    stage.rests_without(&[PASSWORD]).await;
    assert!(!stage.said().contains("stays in memory"));
    stage.kill();
    let mut variables = others.to_vec();
    variables.push(("MT5_PASSWORD", PASSWORD));
    stage.launch_with(&variables);
    stage.link(LinkState::Ready).await;
    let memory = block_in_place(|| memory(stage.pid()));
    assert!(found(&memory, PASSWORD).contains(&"raw"));
    stage.says("stays in memory").await;
}
