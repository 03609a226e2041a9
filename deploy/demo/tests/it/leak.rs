//! What the pair knows and nobody may see, looked for in everything that leaves it, in every form.

use crate::{
    bridge::Bridge,
    stage::{Stage, eventually},
};
use aho_corasick::AhoCorasick;
use mymt5_chassis::testing::forms_of;
use mymt5_proto::v1::{
    self, control_service_client::ControlServiceClient,
    market_data_service_client::MarketDataServiceClient,
    trading_service_client::TradingServiceClient,
};
use std::{collections::BTreeMap, fmt::Debug, fs, os::unix::fs::PermissionsExt, path::Path};
use tonic::{Request, Response, Status};

const LOGIN: &str = "48151623";
const SERVER: &str = "Canary Server \"Live\" 7";
const HOLDER: &str = "Hilda Canary-Holder";
const COMPANY: &str = "Canary & Company Ltd";
const BRIDGE: &str = "canary/bridge+secret=of.32.characters";
/// Refused, then taken, then rotated to.
const PASSWORDS: [&str; 3] = [
    "Wrong\\Canary 1?",
    "Right \"Canary\" 2!",
    "Rotated%Canary 3\u{e9}",
];

/// Everything that left, by the way it took.
type Sinks = BTreeMap<String, Vec<u8>>;

/// A secret's name, form, and where it was found.
fn leaks(sinks: &Sinks, secrets: &[(&str, &str)]) -> Vec<String> {
    let mut names = Vec::new();
    let mut patterns = Vec::new();
    for (name, secret) in secrets {
        for (form, bytes) in forms_of(secret) {
            names.push(format!("{name} as {form}"));
            patterns.push(bytes);
        }
    }
    let finder = AhoCorasick::new(&patterns).unwrap();
    let mut found: Vec<_> = sinks
        .iter()
        .flat_map(|(sink, bytes)| {
            let hits = finder.find_overlapping_iter(bytes);
            hits.map(|hit| format!("{} in {sink}", names[hit.pattern().as_usize()]))
                .collect::<Vec<_>>()
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

fn canaries(token: &str) -> Vec<(&'static str, &str)> {
    vec![
        ("login", LOGIN),
        ("server", SERVER),
        ("holder", HOLDER),
        ("company", COMPANY),
        ("bridge secret", BRIDGE),
        ("wrong password", PASSWORDS[0]),
        ("password", PASSWORDS[1]),
        ("rotated password", PASSWORDS[2]),
        ("token", token),
    ]
}

/// Every text form of these, for a process to say.
fn speech(secrets: &[&str]) -> String {
    let forms = secrets.iter().flat_map(|secret| forms_of(secret));
    let texts = forms.filter_map(|(_, bytes)| String::from_utf8(bytes).ok());
    let texts: Vec<String> = texts.filter(|text| !text.contains('\0')).collect();
    serde_json::to_string(&texts).unwrap()
}

/// Swaps the folder of the password as Kubernetes does.
fn rotate(stage: &Stage, password: &str) {
    let folder = stage.path("mounted");
    let number = fs::read_dir(&folder).map_or(0, Iterator::count);
    let data = folder.join(format!("..{number}"));
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("MT5_PASSWORD"), password).unwrap();
    let link = folder.join("MT5_PASSWORD");
    if link.symlink_metadata().is_err() {
        std::os::unix::fs::symlink("..data/MT5_PASSWORD", link).unwrap();
    }
    let fresh = folder.join("..new");
    std::os::unix::fs::symlink(data.file_name().unwrap(), &fresh).unwrap();
    fs::rename(fresh, folder.join("..data")).unwrap();
}

/// The pair on a terminal, each secret from a source of its own.
fn stage(bridge: &Bridge) -> Stage {
    let mut stage = Stage::set("trace", &[]);
    let address = format!("127.0.0.1:{}", bridge.port);
    let symbols = r#"{"EURUSD": "EURUSD", "GBPUSD": "GBPUSD"}"#;
    let mounted = stage.path("mounted");
    for (name, value) in [
        ("MT5_LOGIN", LOGIN),
        ("MYMT5__BROKER__KIND", "terminal"),
        ("MYMT5__BROKER__TERMINAL__ADDRESS", &address),
        ("MYMT5__BROKER__TERMINAL__PLAIN", "true"),
        ("MYMT5__BROKER__TERMINAL__ACCOUNT_KIND", "demo"),
        ("MYMT5__BROKER__TERMINAL__SYMBOLS", symbols),
        ("MYMT5__BROKER__TIME_ZONE", "Etc/GMT-3"),
        ("MYMT5__SECRETS__FOLDER", mounted.to_str().unwrap()),
    ] {
        stage.give("gateway", name, value);
    }
    stage.secret("gateway", "MT5_SERVER", SERVER);
    let credentials = stage.path("credentials");
    fs::create_dir(&credentials).unwrap();
    fs::write(credentials.join("BRIDGE_SECRET"), BRIDGE).unwrap();
    stage.give(
        "gateway",
        "CREDENTIALS_DIRECTORY",
        credentials.to_str().unwrap(),
    );
    let token = stage.path("token");
    fs::write(&token, stage.token()).unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    stage.give(
        "engine",
        "MYMT5__GATEWAY__TOKEN_FILE",
        token.to_str().unwrap(),
    );
    rotate(&stage, PASSWORDS[0]);
    stage
}

/// Collects what a client hears.
#[derive(Default)]
struct Heard(Vec<u8>);

impl Heard {
    fn answer<M: prost::Message + Debug>(&mut self, answer: Result<Response<M>, Status>) {
        match answer {
            Ok(response) => self.message(response.get_ref()),
            Err(status) => {
                self.0.extend(format!("{status:?}").into_bytes());
                self.0.extend(status.details());
            }
        }
    }

    fn message<M: prost::Message + Debug>(&mut self, message: &M) {
        self.0.extend(message.encode_to_vec());
        self.0.extend(format!("{message:?}").into_bytes());
    }
}

/// Every call that reads, and orders that are refused, with their answers.
async fn calls(stage: &Stage) -> Vec<u8> {
    let mut heard = Heard::default();
    let channel = stage.operator().await;
    let mut trading = TradingServiceClient::new(channel.clone());
    let mut control = ControlServiceClient::new(channel.clone());
    let mut market = MarketDataServiceClient::new(channel);
    heard.answer(control.get_status(v1::GetStatusRequest {}).await);
    heard.answer(market.list_symbols(v1::ListSymbolsRequest::default()).await);
    heard.answer(trading.list_orders(v1::ListOrdersRequest::default()).await);
    heard.answer(trading.list_deals(v1::ListDealsRequest::default()).await);
    heard.answer(control.reload(v1::ReloadRequest {}).await);
    heard.answer(control.backup(v1::BackupRequest {}).await);
    for secret in [LOGIN, PASSWORDS[1], SERVER, BRIDGE] {
        // What a caller says of its own it may hear again; that is not a leak of ours, so that only
        // what the calls leave behind in logs counts here.
        let mut request = Request::new(v1::SubmitOrderRequest {
            request_id: "canary".into(),
            symbol: secret.into(),
            ..Default::default()
        });
        let note = secret.parse().unwrap_or_else(|_| "none".parse().unwrap());
        request.metadata_mut().insert("x-note", note);
        drop(trading.submit_order(request).await);
    }
    let snapshot = trading
        .get_snapshot(v1::GetSnapshotRequest {})
        .await
        .unwrap();
    heard.message(snapshot.get_ref());
    let from = v1::StreamEventsRequest {
        journal_id: snapshot.into_inner().journal_id,
        after_sequence: 0,
    };
    let mut events = trading.stream_events(from).await.unwrap().into_inner();
    for _ in 0..50 {
        heard.message(&events.message().await.unwrap().unwrap());
    }
    let mut ticks = market
        .stream_ticks(v1::StreamTicksRequest::default())
        .await
        .unwrap()
        .into_inner();
    heard.message(&ticks.message().await.unwrap().unwrap());
    heard.0
}

/// Every file below a folder.
fn files(folder: &Path, all: &mut Sinks) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, all);
        } else if let Ok(bytes) = fs::read(&path) {
            all.insert(path.display().to_string(), bytes);
        }
    }
}

/// What both processes wrote.
fn written(stage: &Stage) -> Sinks {
    let mut all = Sinks::new();
    for name in ["gateway", "engine"] {
        let stderr = stage.path(&format!("{name}.stderr"));
        all.insert(
            format!("{name}.stderr"),
            fs::read(stderr).unwrap_or_default(),
        );
        files(&stage.path(&format!("logs/{name}")), &mut all);
        files(&stage.path(&format!("data/{name}")), &mut all);
    }
    all
}

/// Nobody else may enter the folder or read what lies below it.
fn closed(path: &Path) {
    let mode = path.symlink_metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{}", path.display());
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        closed(&entry.path());
    }
}

#[tokio::test]
async fn nothing_that_nobody_may_see_leaves_the_pair() {
    let broker = [
        format!("login={LOGIN}"),
        format!("server={SERVER}"),
        format!("name={HOLDER}"),
        format!("company={COMPANY}"),
        "ticks_per_second=50".to_owned(),
    ];
    let broker: Vec<&str> = broker.iter().map(String::as_str).collect();
    let bridge = Bridge::start(BRIDGE, &broker);
    bridge.password(PASSWORDS[1]);
    let mut stage = stage(&bridge);
    let known = [LOGIN, SERVER, BRIDGE, PASSWORDS[0]];
    stage.give("gateway", "MYMT5_TEST_SAY", &speech(&known));
    stage.start("gateway");
    stage.says("gateway", "state=Refused").await;
    rotate(&stage, PASSWORDS[1]);
    stage.says("gateway", "state=Ready").await;
    let token = stage.token().to_owned();
    stage.give("engine", "MYMT5_TEST_SAY", &speech(&[&token]));
    stage.start("engine");
    eventually("orders that are filled", async || {
        (stage.fills().await > 1).then_some(())
    })
    .await;
    let grpc = calls(&stage).await;
    bridge.password(PASSWORDS[2]);
    let logins = || bridge.texts("SELECT CAST(seq AS TEXT) FROM logins WHERE ok");
    let before = logins().len();
    rotate(&stage, PASSWORDS[2]);
    eventually("a login with the new password", async || {
        (logins().len() > before).then_some(())
    })
    .await;
    let mut sinks = BTreeMap::from([("gRPC".to_owned(), grpc)]);
    for name in ["gateway", "engine"] {
        let metrics = stage.metrics_of(name).await.into_bytes();
        sinks.insert(format!("{name} metrics"), metrics);
        let cmdline = fs::read(format!("/proc/{}/cmdline", stage.pid(name))).unwrap();
        sinks.insert(format!("{name} cmdline"), cmdline);
    }
    stage.stop("engine").await;
    stage.stop("gateway").await;
    sinks.extend(written(&stage));
    let token = stage.token().to_owned();
    assert_eq!(leaks(&sinks, &canaries(&token)), Vec::<String>::new());
    // The magics lead to the client that trades; the journal alone has them.
    let magics = bridge.texts("SELECT CAST(magic AS TEXT) FROM sends WHERE magic > 0");
    assert!(magics.len() > 1);
    for (sink, bytes) in sinks.iter().filter(|(sink, _)| !sink.contains(".db")) {
        let text = String::from_utf8_lossy(bytes);
        let found: Vec<_> = magics
            .iter()
            .filter(|magic| text.contains(*magic))
            .collect();
        assert_eq!(found, Vec::<&String>::new(), "{sink}");
    }
    // Each holds what it must, so that it was really there to be looked at.
    for (sink, marker) in [
        ("gRPC", "EURUSD"),
        ("gRPC", "****1623"),
        ("gateway metrics", "mymt5_ticks_total"),
        ("engine metrics", "mymt5_"),
        ("gateway cmdline", "mymt5-gateway"),
        ("engine cmdline", "mymt5-engine"),
        ("gateway.stderr", "asked to say"),
        ("engine.stderr", "asked to say"),
    ] {
        let text = String::from_utf8_lossy(&sinks[sink]);
        assert!(text.contains(marker), "{marker} in {sink}");
    }
    // And what is put there is found, in every form.
    for (sink, bytes) in &sinks {
        let forms = forms_of(PASSWORDS[2]);
        let planted = forms.iter().map(|(_, form)| &**form);
        let planted: Vec<&[u8]> = std::iter::once(&**bytes).chain(planted).collect();
        let alone = BTreeMap::from([(sink.clone(), planted.join(&b" | "[..]))]);
        let found = leaks(&alone, &[("password", PASSWORDS[2])]);
        for (form, _) in &forms {
            let told = format!("password as {form} in {sink}");
            assert!(found.contains(&told), "{told}");
        }
    }
    for name in ["data/gateway", "data/engine", "logs/gateway", "logs/engine"] {
        closed(&stage.path(name));
    }
    for way in [
        "journal.db",
        "backup",
        "gateway.stderr",
        "engine.stderr",
        "intents.db",
        ".log",
    ] {
        assert!(sinks.keys().any(|sink| sink.contains(way)), "{way}");
    }
}

#[tokio::test]
async fn without_the_redactor_every_form_would_be_found_in_every_log() {
    let mut stage = Stage::set("trace", &[]);
    for name in ["gateway", "engine"] {
        stage.give(name, "MYMT5_TEST_REDACTOR_OFF", "1");
        stage.give(name, "MYMT5_TEST_SAY", &speech(&[PASSWORDS[1], LOGIN]));
        stage.start(name);
        stage.serving(name, true).await;
    }
    stage.stop("engine").await;
    stage.stop("gateway").await;
    let sinks = written(&stage);
    for name in ["gateway", "engine"] {
        let logs = sinks.iter().filter(|(sink, _)| {
            sink.contains(name) && (sink.ends_with(".stderr") || sink.ends_with(".log"))
        });
        let logs: Vec<_> = logs.collect();
        assert_eq!(logs.len(), 2, "{logs:?}");
        for (sink, bytes) in logs {
            for secret in [PASSWORDS[1], LOGIN] {
                let texts = forms_of(secret).into_iter().filter(|(_, form)| {
                    std::str::from_utf8(form).is_ok_and(|text| !text.contains(['\0', '\n']))
                });
                for (form, said) in texts {
                    let text = String::from_utf8_lossy(bytes);
                    let said = String::from_utf8(said).unwrap();
                    assert!(text.contains(&said), "{form} of {secret} in {sink}");
                }
            }
        }
    }
}
