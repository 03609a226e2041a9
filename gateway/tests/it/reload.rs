//! What a running gateway takes up again: clients, certificate, authorities. Nobody else notices.

use crate::harness::{BOUND, Gateway};
use crate::orders::market;
use mymt5_chassis::tls;
use mymt5_proto::{Reason, reason_of, v1};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{task::JoinHandle, time::timeout};
use tonic::{Code, Status, Streaming, transport::Channel};
use v1::{
    control_service_client::ControlServiceClient,
    market_data_service_client::MarketDataServiceClient,
    trading_service_client::TradingServiceClient,
};

/// A client that is cut off must be gone by then.
const GONE: Duration = Duration::from_secs(5);

async fn reload(gateway: &Gateway) -> Result<v1::ReloadResponse, Status> {
    let channel = gateway.channel(Some("control")).await;
    let answer = ControlServiceClient::new(channel)
        .reload(v1::ReloadRequest {})
        .await;
    answer.map(tonic::Response::into_inner)
}

async fn status(channel: Channel) -> Result<(), Status> {
    let mut control = ControlServiceClient::new(channel);
    control.get_status(v1::GetStatusRequest {}).await.map(drop)
}

async fn ticks(channel: Channel) -> Streaming<v1::StreamTicksResponse> {
    let mut market = MarketDataServiceClient::new(channel);
    let all = v1::StreamTicksRequest::default();
    market.stream_ticks(all).await.unwrap().into_inner()
}

async fn end<T>(mut stream: Streaming<T>) -> Status {
    let end = async {
        loop {
            match stream.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the stream ended without a status"),
                Err(status) => return status,
            }
        }
    };
    timeout(GONE, end).await.expect("cut within the time")
}

fn is_nobody(status: &Status) -> bool {
    status.code() == Code::Unauthenticated && reason_of(status) == Some(Reason::Unauthenticated)
}

/// Somebody else at work: calls on one connection that stays and, each time, on a new one, and a
/// stream of ticks. Whatever fails is counted.
struct Work {
    stop: Arc<AtomicBool>,
    rounds: Arc<AtomicUsize>,
    worker: JoinHandle<Vec<String>>,
}

impl Work {
    async fn begin(gateway: &Gateway) -> Self {
        let (stop, rounds) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let stays = gateway.channel(Some("all")).await;
        let mut stream = ticks(gateway.channel(Some("all")).await).await;
        let endpoint = gateway.endpoint(Some("all"));
        let (told, counted) = (stop.clone(), rounds.clone());
        let worker = tokio::spawn(async move {
            let mut failures = Vec::new();
            while !told.load(Ordering::Relaxed) {
                let fresh = match endpoint.connect().await {
                    Ok(fresh) => status(fresh).await.map_err(|error| format!("{error:?}")),
                    Err(error) => Err(format!("{error:?}")),
                };
                let stayed = status(stays.clone())
                    .await
                    .map_err(|error| format!("{error:?}"));
                let ticks = stream
                    .message()
                    .await
                    .map(drop)
                    .map_err(|error| format!("{error:?}"));
                let failed = [fresh, stayed, ticks].into_iter().filter_map(Result::err);
                failures.extend(failed);
                counted.fetch_add(1, Ordering::Relaxed);
            }
            failures
        });
        let work = Self {
            stop,
            rounds,
            worker,
        };
        work.more(1).await;
        work
    }

    /// Waits until so many more rounds are done.
    async fn more(&self, rounds: usize) {
        let until = self.rounds.load(Ordering::Relaxed) + rounds;
        let more = async {
            while self.rounds.load(Ordering::Relaxed) < until {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(BOUND, more).await.unwrap();
    }

    async fn end(self) -> Vec<String> {
        self.more(2).await;
        self.stop.store(true, Ordering::Relaxed);
        self.worker.await.unwrap()
    }
}

#[tokio::test]
async fn a_removed_client_is_out_within_five_seconds_and_nobody_else_notices() {
    let gateway = Gateway::start("speed = \"10\"").await;
    let work = Work::begin(&gateway).await;
    let disabled = ("[clients.read]", "[clients.read]\nenabled = false");
    let removed = (
        "[clients.read]\ncertificate = \"spiffe://mymt5/client/read\"",
        "[clients.else]\ncertificate = \"spiffe://mymt5/client/else\"",
    );
    let before = gateway.configuration();
    for (was, becomes) in [disabled, removed] {
        let channel = gateway.channel(Some("read")).await;
        status(channel.clone()).await.unwrap();
        let snapshot = TradingServiceClient::new(channel.clone())
            .get_snapshot(v1::GetSnapshotRequest {})
            .await
            .unwrap()
            .into_inner();
        let from = v1::StreamEventsRequest {
            journal_id: snapshot.journal_id,
            after_sequence: snapshot.sequence,
        };
        let events = TradingServiceClient::new(channel.clone())
            .stream_events(from)
            .await
            .unwrap()
            .into_inner();
        let quotes = ticks(channel.clone()).await;
        gateway.configure(&before.replace(was, becomes));
        let reloaded = reload(&gateway).await.unwrap();
        assert_eq!(
            reloaded.reloaded,
            ["clients", "limits", "tls", "credentials", "log level"]
        );
        assert!(is_nobody(&end(events).await) && is_nobody(&end(quotes).await));
        assert!(is_nobody(&status(channel.clone()).await.unwrap_err()));
        gateway.configure(&before.replace("[clients.read]", "[clients.read]\nenabled = true"));
        gateway.hang_up();
        let end = Instant::now() + BOUND;
        while status(channel.clone()).await.is_err() {
            assert!(Instant::now() < end, "it is in again");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert_eq!(work.end().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_client_that_is_new_trades_and_keeps_its_orders_across_a_crash() {
    let mut gateway = Gateway::start("").await;
    gateway.quoted("EURUSD").await;
    let channel = gateway.channel(Some("stranger")).await;
    assert!(is_nobody(&status(channel.clone()).await.unwrap_err()));
    let text = gateway.configuration()
        + "[clients.stranger]\ncertificate = \"spiffe://mymt5/client/stranger\"\n\
           permissions = [\"read\", \"trade\"]\nlimits.max_lots_per_order = 0.5\n";
    gateway.configure(&text);
    reload(&gateway).await.unwrap();
    let mut trading = TradingServiceClient::new(channel);
    let limited = trading
        .submit_order(market("big", v1::Side::Buy, 1.0))
        .await;
    let limited = limited.unwrap_err();
    assert_eq!(reason_of(&limited), Some(Reason::LimitLotsPerOrder));
    assert!(limited.message().contains("0.50 lots"), "{limited:?}");
    let first = trading
        .submit_order(market("first", v1::Side::Buy, 0.1))
        .await;
    let first = first.unwrap().into_inner().order.unwrap();
    assert_eq!(first.client, "stranger");
    gateway.crash_and_return().await;
    gateway.quoted("EURUSD").await;
    let channel = gateway.channel(Some("stranger")).await;
    let repeated = TradingServiceClient::new(channel)
        .submit_order(market("first", v1::Side::Buy, 0.1))
        .await;
    let repeated = repeated.unwrap().into_inner().order.unwrap();
    assert_eq!(
        (repeated.order_id, &*repeated.client),
        (first.order_id, "stranger")
    );
}

#[tokio::test]
async fn limits_of_the_account_are_taken_up_and_keys_that_are_not_are_named() {
    let gateway = Gateway::start("balance = 50000.0").await;
    gateway.quoted("EURUSD").await;
    let mut trading = gateway.trading().await;
    let order = |id| market(id, v1::Side::Buy, 0.1);
    trading.submit_order(order("before")).await.unwrap();
    let before = gateway.configuration();
    let limited = before.clone() + "[limits]\nmax_lots_per_order = 0.05\n";
    gateway.configure(&limited.replace("balance = 50000.0", "balance = 70000.0"));
    let reloaded = reload(&gateway).await.unwrap();
    assert!(reloaded.reloaded.contains(&"limits".to_owned()));
    assert_eq!(reloaded.needs_restart, ["broker.simulator.balance"]);
    gateway.says("need a restart").await;
    let refused = trading.submit_order(order("limited")).await.unwrap_err();
    assert_eq!(reason_of(&refused), Some(Reason::LimitLotsPerOrder));
    // A file that was cut off lifts none of them, and another value is taken.
    for (cut, id) in [("", "empty"), (before.as_str(), "cut")] {
        gateway.configure(cut);
        let refused = reload(&gateway).await.unwrap_err();
        let key = "limits.max_lots_per_order: is gone";
        assert!(refused.message().contains(key), "{refused:?}");
        let refused = trading.submit_order(order(id)).await.unwrap_err();
        assert_eq!(reason_of(&refused), Some(Reason::LimitLotsPerOrder));
    }
    gateway.configure(&(before + "[limits]\nmax_lots_per_order = 0.5\n"));
    assert!(reload(&gateway).await.unwrap().needs_restart.is_empty());
    trading.submit_order(order("after")).await.unwrap();
}

/// An authority of its own, and a certificate of the client `read` that ends after so many seconds.
fn brief_identity(seconds: u64) -> (String, String, String) {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    let uri = "spiffe://mymt5/client/read".try_into().unwrap();
    params.subject_alt_names = vec![SanType::URI(uri)];
    let now = u64::try_from(mymt5_chassis::clock::utc_now_ms() / 1_000).unwrap();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_secs(now - 60);
    params.not_after = epoch + Duration::from_secs(now + seconds);
    let certificate = params.signed_by(&key, &issuer).unwrap().pem();
    (ca, certificate, key.serialize_pem())
}

#[tokio::test]
async fn a_connection_ends_with_its_certificate_and_is_not_resumed() {
    const LIFE: u64 = 8;
    let gateway = Gateway::start("speed = \"10\"").await;
    let file = |part: &str| gateway.folder.path().join("tls").join(part);
    let (ca, certificate, key) = brief_identity(LIFE);
    let ends = Instant::now() + Duration::from_secs(LIFE + 1);
    fs::write(file("read/certificate.pem"), certificate).unwrap();
    fs::write(file("read/key.pem"), key).unwrap();
    let server = fs::read(file("ca.pem")).unwrap();
    fs::write(file("ca.pem"), [server.as_slice(), ca.as_bytes()].concat()).unwrap();
    reload(&gateway).await.unwrap();
    let endpoint = gateway.endpoint_trusting(&server, Some("read"));
    let channel = endpoint.connect().await.unwrap();
    status(channel.clone()).await.unwrap();
    let mut open = ticks(channel.clone()).await;
    while let Ok(Some(_)) = open.message().await {}
    assert!(
        Instant::now() < ends + GONE,
        "the open stream ended in time"
    );
    // The same channel keeps its TLS session and would resume it.
    assert!(status(channel).await.is_err());
    let again = match endpoint.connect().await {
        Ok(channel) => status(channel).await,
        Err(_) => return,
    };
    assert!(again.is_err(), "an ended certificate opens nothing");
}

#[tokio::test]
async fn a_faulty_part_keeps_the_old_and_tells_why() {
    let gateway = Gateway::start("").await;
    let before = gateway.configuration();
    let faulty = before.replace(
        "[clients.read]\n",
        "[clients.read]\nsymbols = [\"canary symbol\"]\n",
    );
    gateway.configure(&faulty.replace("[clients.trade]", "[clients.nobody]"));
    let refused = reload(&gateway).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(reason_of(&refused), Some(Reason::ReloadRefused));
    assert!(
        refused.message().contains("clients.read.symbols"),
        "{refused:?}"
    );
    assert!(!refused.message().contains("canary"), "{refused:?}");
    for client in ["read", "all"] {
        status(gateway.channel(Some(client)).await).await.unwrap();
    }
    gateway.says("what is faulty stays as it was").await;
    // What the file does not name any more is out all the same.
    let channel = gateway.channel(Some("trade")).await;
    assert!(is_nobody(&status(channel).await.unwrap_err()));
    assert!(
        refused.message().contains("taken up all the same: limits,"),
        "{refused:?}"
    );
    assert!(
        gateway
            .metrics()
            .await
            .contains("mymt5_reload_failures_total 1")
    );
    let said = gateway
        .command(&["reload", "--data-folder", "data"], None)
        .await;
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(
        said.contains("RELOAD_REFUSED") && said.contains("clients.read.symbols"),
        "{said}"
    );
}

#[tokio::test]
async fn authorities_and_certificates_change_under_load_without_a_failed_call() {
    let gateway = Gateway::start("speed = \"10\"").await;
    let file = |part: &str| gateway.folder.path().join(part);
    let read = |part: &str| fs::read(file(part)).unwrap();
    let clients = ["all", "control"].map(str::to_owned);
    tls::dev_certs(&file("new"), &clients, &["localhost".to_owned()], 1).unwrap();
    // Both authorities first, on both sides.
    let (old, new) = (read("tls/ca.pem"), read("new/ca.pem"));
    let replace =
        |part: &str, bytes: &[u8]| fs::write(file(&format!("tls/{part}")), bytes).unwrap();
    replace("ca.pem", &[&*old, &*new].concat());
    reload(&gateway).await.unwrap();
    let work = Work::begin(&gateway).await;
    // Then the server's: the certificate alone does not fit the key, which is told and changes nothing.
    replace(
        "gateway/certificate.pem",
        &read("new/gateway/certificate.pem"),
    );
    gateway.says("do not hold together").await;
    replace("gateway/key.pem", &read("new/gateway/key.pem"));
    gateway.says("a new certificate is in use").await;
    // Who trusts the new authority alone is served now.
    let only_new = gateway.endpoint_trusting(&new, Some("all"));
    status(only_new.connect().await.unwrap()).await.unwrap();
    assert_eq!(work.end().await, Vec::<String>::new());
    // Then the clients', and at last the old authority goes.
    let forgotten = gateway.endpoint(Some("all"));
    let open = forgotten.connect().await.unwrap();
    let stream = ticks(open).await;
    for client in clients {
        for part in ["certificate.pem", "key.pem"] {
            let part = format!("{client}/{part}");
            replace(&part, &read(&format!("new/{part}")));
        }
    }
    let work = Work::begin(&gateway).await;
    replace("ca.pem", &new);
    reload(&gateway).await.unwrap();
    let refused = match forgotten.connect().await {
        Ok(channel) => status(channel).await.is_err(),
        Err(_) => true,
    };
    assert!(refused, "the old authority is trusted no more");
    // Nor is who came before it went.
    end(stream).await;
    assert_eq!(work.end().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_faulty_part_holds_back_no_other() {
    let gateway = Gateway::start("").await;
    gateway.quoted("EURUSD").await;
    let mut trading = gateway.trading().await;
    let order = |id| market(id, v1::Side::Buy, 0.1);
    let before = gateway.configuration();
    let disabled = before.replace("[clients.read]\n", "[clients.read]\nenabled = false\n");
    let limited = disabled + "[limits]\nmax_lots_per_order = 0.05\n";
    // Faults of certificates and of keys that are read at the start alone.
    let key = gateway.folder.path().join("tls/gateway/key.pem");
    let sound = fs::read(&key).unwrap();
    fs::write(&key, "no key").unwrap();
    gateway.configure(&(limited.clone() + "[orders]\nmax_queue_ms = 1\n"));
    let open = gateway.channel(Some("read")).await;
    status(open.clone()).await.unwrap();
    let refused = reload(&gateway).await.unwrap_err();
    for told in [
        "server.tls",
        "orders.max_queue_ms",
        "taken up all the same: clients, limits, credentials, log level",
    ] {
        assert!(refused.message().contains(told), "{told}: {refused:?}");
    }
    assert!(is_nobody(&status(open).await.unwrap_err()));
    let refused = trading.submit_order(order("limited")).await.unwrap_err();
    assert_eq!(reason_of(&refused), Some(Reason::LimitLotsPerOrder));
    // A limit that is misspelt is not lifted, and who is not named any more goes.
    fs::write(&key, sound).unwrap();
    let misspelt = limited.replace("[limits]", "[limit]");
    gateway.configure(&misspelt.replace("[clients.trade]", "[clients.other]"));
    let refused = reload(&gateway).await.unwrap_err();
    assert!(
        refused
            .message()
            .contains("taken up all the same: tls, credentials, log level"),
        "{refused:?}"
    );
    let refused = trading.submit_order(order("still")).await.unwrap_err();
    assert_eq!(reason_of(&refused), Some(Reason::LimitLotsPerOrder));
    let channel = gateway.channel(Some("trade")).await;
    assert!(is_nobody(&status(channel).await.unwrap_err()));
    // Nor does a line that is gone let in who was disabled.
    let raised = before + "[limits]\nmax_lots_per_order = 0.5\n";
    gateway.configure(&raised);
    let refused = reload(&gateway).await.unwrap_err();
    let told = "clients.read.enabled: is gone";
    assert!(refused.message().contains(told), "{refused:?}");
    assert!(!refused.message().contains("clients.trade"), "{refused:?}");
    let channel = gateway.channel(Some("read")).await;
    assert!(is_nobody(&status(channel).await.unwrap_err()));
    gateway.configure(&raised.replace("[clients.read]\n", "[clients.read]\nenabled = true\n"));
    reload(&gateway).await.unwrap();
    trading.submit_order(order("after")).await.unwrap();
    status(gateway.channel(Some("read")).await).await.unwrap();
}

#[tokio::test]
async fn all_clients_that_are_disabled_are_out_whatever_else_is_wrong() {
    let gateway = Gateway::start("balance = 50000.0").await;
    let before = gateway.configuration();
    let open = gateway.channel(Some("all")).await;
    status(open.clone()).await.unwrap();
    let off = before.replace("permissions =", "enabled = false\npermissions =");
    let off = off.replace("balance = 50000.0", "balance = 70000.0");
    gateway.configure(&(off + "[limit]\nmax_lots_per_order = 0.1\n"));
    let said = gateway.command(&["reload", "--data-folder", "data"], None);
    let said = String::from_utf8(said.await.stderr).unwrap();
    for told in [
        "RELOAD_REFUSED",
        "limit.max_lots_per_order",
        "needs a restart: broker.simulator.balance",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
    assert!(is_nobody(&status(open).await.unwrap_err()));
    // What was taken up of a faulty file stays so, too.
    gateway.configure(&before);
    let said = gateway.command(&["reload", "--data-folder", "data"], None);
    let said = String::from_utf8(said.await.stderr).unwrap();
    assert!(said.contains("clients.all.enabled: is gone"), "{said}");
    let channel = gateway.channel(Some("all")).await;
    assert!(is_nobody(&status(channel).await.unwrap_err()));
    gateway.configure(&before.replace("permissions =", "enabled = true\npermissions ="));
    gateway.hang_up();
    let end = Instant::now() + BOUND;
    while status(gateway.channel(Some("all")).await).await.is_err() {
        assert!(Instant::now() < end, "it is in again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn who_is_disabled_while_something_is_wrong_loses_no_limit() {
    let gateway = Gateway::start("").await;
    let before = gateway.configuration();
    let read_with =
        |key: &str| before.replace("[clients.read]\n", &format!("[clients.read]\n{key}"));
    let limited = read_with("limits.max_lots_total = 0.5\n");
    gateway.configure(&limited);
    reload(&gateway).await.unwrap();
    let off = read_with("enabled = false\n");
    gateway.configure(&(off + "[limit]\nmax_lots_per_order = 0.1\n"));
    reload(&gateway).await.unwrap_err();
    let out = || async { status(gateway.channel(Some("read")).await).await };
    assert!(is_nobody(&out().await.unwrap_err()));
    gateway.configure(&before);
    let refused = reload(&gateway).await.unwrap_err();
    let told = "clients.read.limits.max_lots_total: is gone";
    assert!(refused.message().contains(told), "{refused:?}");
    assert!(is_nobody(&out().await.unwrap_err()));
    gateway.configure(&read_with("enabled = true\nlimits.max_lots_total = 0.5\n"));
    reload(&gateway).await.unwrap();
    out().await.unwrap();
}

#[tokio::test]
async fn who_is_gone_from_a_faulty_file_comes_back_with_the_sound_one() {
    let gateway = Gateway::start("").await;
    let before = gateway.configuration();
    let limited = before.replace(
        "[clients.read]\n",
        "[clients.read]\nlimits.max_lots_total = 0.5\n",
    );
    gateway.configure(&limited);
    reload(&gateway).await.unwrap();
    let gone = limited.replace("[clients.read]", "[clients.other]");
    gateway.configure(&(gone + "[limit]\nmax_lots_per_order = 0.1\n"));
    reload(&gateway).await.unwrap_err();
    let comes = || async { status(gateway.channel(Some("read")).await).await };
    assert!(is_nobody(&comes().await.unwrap_err()));
    // Its limit is not lifted meanwhile, and nothing disables it.
    gateway.configure(&before);
    let refused = reload(&gateway).await.unwrap_err();
    let told = "clients.read.limits.max_lots_total: is gone";
    assert!(refused.message().contains(told), "{refused:?}");
    assert!(
        !refused.message().contains("clients.read.enabled"),
        "{refused:?}"
    );
    assert!(is_nobody(&comes().await.unwrap_err()));
    gateway.configure(&limited);
    reload(&gateway).await.unwrap();
    comes().await.unwrap();
}

#[tokio::test]
async fn a_password_of_a_dotenv_is_taken_again_and_a_faulty_line_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dotenv = folder.path().join(".env");
    let put = |phrase: &str, ceiling: &str| {
        let text = format!("MT5_PASSWORD={phrase}\nRISK_MAX_PER_TRADE{ceiling}\n");
        fs::write(&dotenv, text).unwrap();
        fs::set_permissions(&dotenv, fs::Permissions::from_mode(0o600)).unwrap();
    };
    put("first-phrase", "=1");
    let gateway = Gateway::start_in(folder, "").await;
    gateway.says("stays in memory while the process runs").await;
    put("second-phrase", "=1");
    reload(&gateway).await.unwrap();
    gateway.says("names=\"MT5_PASSWORD\"").await;
    // A line that is broken is told; what the others set stays as it was, such as the ceiling.
    put("third-phrase", "");
    let refused = reload(&gateway).await.unwrap_err();
    for told in [".env:2", "taken up all the same: clients, limits, tls"] {
        assert!(refused.message().contains(told), "{told}: {refused:?}");
    }
    put("third-phrase", "=1");
    assert!(reload(&gateway).await.unwrap().needs_restart.is_empty());
    // One that lost its text lifts no ceiling, nor does one that is away.
    fs::write(&dotenv, "").unwrap();
    let refused = reload(&gateway).await.unwrap_err();
    assert!(
        refused.message().contains("risk.max_per_trade: is gone"),
        "{refused:?}"
    );
    put("third-phrase", "=1");
    reload(&gateway).await.unwrap();
    fs::remove_file(&dotenv).unwrap();
    let reloaded = reload(&gateway).await.unwrap();
    assert_eq!(reloaded.needs_restart, [".env"]);
    let said = gateway.stderr();
    assert_eq!(said.matches("names=\"MT5_PASSWORD\"").count(), 2, "{said}");
    for phrase in ["first-phrase", "second-phrase", "third-phrase"] {
        assert!(!said.contains(phrase), "{said}");
    }
}
