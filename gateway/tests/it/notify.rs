//! Alerts on their way out: a real mail server, a server in Telegram's place that is unkind, and
//! orders that do not wait for either.

use crate::harness::{BOUND, Gateway};
use mymt5_chassis::{testing::free_port, tls};
use mymt5_proto::v1::{self, control_service_client::ControlServiceClient};
use serde_json::Value;
use std::{
    collections::VecDeque,
    fs,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
};

/// What must never be seen outside. They look like nothing that is real.
const TOKEN: &str = "1:canary-of-the-bot";
const PASSWORD: &str = "canary of the mail server";
const ACCOUNT: &str = "987650321";

/// What the server does with a request.
#[derive(Clone, Copy, Debug)]
enum Manner {
    Takes,
    TooMany,
    Breaks,
    Closes,
    /// A byte now and then, without an end.
    Drips,
    /// Not a byte.
    Hangs,
}

/// Stands in for Telegram.
#[derive(Clone, Default)]
struct Telegram(Arc<Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    /// For the next requests; then it takes all.
    manners: VecDeque<Manner>,
    paths: Vec<String>,
    texts: Vec<String>,
}

impl Telegram {
    async fn start() -> (Self, u16) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let telegram = Self::default();
        let serving = telegram.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move { serving.serve(stream).await });
            }
        });
        (telegram, port)
    }

    fn behave(&self, manners: &[Manner]) {
        self.0.lock().unwrap().manners.extend(manners);
    }

    async fn serve(self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let (path, body) = request(&mut stream).await;
        let manner = {
            let mut heard = self.0.lock().unwrap();
            heard.paths.push(path);
            let text = body["text"].as_str().unwrap_or_default().to_owned();
            heard.texts.push(text);
            heard.manners.pop_front().unwrap_or(Manner::Takes)
        };
        let answer = match manner {
            Manner::Takes => answer("200 OK", "{\"ok\":true}"),
            Manner::TooMany => {
                let text = format!("{{\"ok\":false,\"description\":\"{TOKEN}\"}}");
                answer("429 Too Many Requests", &text)
            }
            Manner::Breaks => answer("500 Internal Server Error", TOKEN),
            Manner::Closes => return,
            Manner::Drips => {
                while stream.write_all(b"H").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                return;
            }
            Manner::Hangs => {
                let _ = stream.read_u8().await;
                return;
            }
        };
        let _ = stream.write_all(answer.as_bytes()).await;
    }

    /// Waits until so many requests came whose texts have that in them; all texts.
    async fn hears_times(&self, part: &str, times: usize) -> Vec<String> {
        let end = Instant::now() + BOUND;
        loop {
            let texts = self.0.lock().unwrap().texts.clone();
            if texts.iter().filter(|text| text.contains(part)).count() >= times {
                return texts;
            }
            assert!(Instant::now() < end, "no {part:?} in {texts:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until a request whose text has that in it came.
    async fn hears(&self, part: &str) -> String {
        let end = Instant::now() + BOUND;
        loop {
            {
                let heard = self.0.lock().unwrap();
                let text = heard.texts.iter().find(|text| text.contains(part));
                if let Some(text) = text {
                    return text.clone();
                }
                assert!(Instant::now() < end, "no {part:?} in {:?}", heard.texts);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn request(stream: &mut BufReader<TcpStream>) -> (String, Value) {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap() == 0 || line == "\r\n" {
            break;
        }
        head.push(line.to_lowercase());
    }
    let length = head
        .iter()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    let path = head.first().map_or("", |line| line.as_str()).to_owned();
    (path, serde_json::from_slice(&body).unwrap_or_default())
}

fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

/// A folder with the gateway's secrets, which it alone may read.
fn secrets(folder: &Path) {
    let secrets = folder.join("secrets");
    fs::create_dir(&secrets).unwrap();
    fs::set_permissions(&secrets, fs::Permissions::from_mode(0o700)).unwrap();
    for (name, value) in [
        ("TELEGRAM_BOT_TOKEN", TOKEN),
        ("SMTP_PASSWORD", PASSWORD),
        ("MT5_LOGIN", ACCOUNT),
    ] {
        write_secret(&secrets.join(name), value);
    }
}

fn write_secret(path: &Path, value: &str) {
    let file = fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path);
    std::io::Write::write_all(&mut file.unwrap(), value.as_bytes()).unwrap();
}

/// A gateway that tells Telegram's stand-in.
async fn telling(port: u16) -> Gateway {
    let folder = TempDir::new().unwrap();
    secrets(folder.path());
    let secrets = folder.path().join("secrets");
    let settings = format!(
        "[secrets]\nfolder = {secrets:?}\n[notify]\nchannels = [\"telegram\"]\n\
         [notify.telegram]\nchat_id = \"7\"\naddress = \"http://127.0.0.1:{port}\"\n"
    );
    Gateway::start_in(folder, &settings).await
}

async fn alert(gateway: &Gateway, id: &str, text: &str) -> Result<(), tonic::Status> {
    let alert = v1::RaiseAlertRequest {
        request_id: id.into(),
        severity: v1::Severity::Warning.into(),
        title: "look".into(),
        text: text.into(),
        not_after: None,
    };
    let raised = gateway.trading().await.raise_alert(alert).await;
    raised.map(drop)
}

async fn tried(gateway: &Gateway) -> (Option<i32>, Value) {
    let arguments = ["notify-test", "--json", "--data-folder", "data"];
    let output = gateway.command(&arguments, None).await;
    let told = String::from_utf8_lossy(&output.stdout);
    let rows = serde_json::from_str(&told).unwrap_or_else(|_| panic!("{told} {output:?}"));
    (output.status.code(), rows)
}

fn canaries_are_nowhere(gateway: &Gateway, elsewhere: &[String]) {
    let logs = fs::read_dir(gateway.folder.path().join("logs")).unwrap();
    let logs = logs.filter_map(|entry| fs::read_to_string(entry.unwrap().path()).ok());
    let said: Vec<String> = logs
        .chain([gateway.stderr()])
        .chain(elsewhere.to_vec())
        .collect();
    for canary in [TOKEN, PASSWORD, ACCOUNT] {
        for text in &said {
            assert!(!text.contains(canary), "{text}");
        }
    }
}

#[tokio::test]
async fn alerts_reach_telegram_once_and_without_a_secret() {
    let (telegram, port) = Telegram::start().await;
    let gateway = telling(port).await;
    let started = telegram.hears("has started").await;
    assert!(started.starts_with("[mymt5] INFO: start\n"), "{started}");
    let words = format!("{TOKEN} {PASSWORD} {ACCOUNT}");
    for _ in 0..2 {
        alert(&gateway, "alert-1", &words).await.unwrap();
    }
    let other = alert(&gateway, "alert-1", "other words").await;
    assert_eq!(other.unwrap_err().code(), tonic::Code::AlreadyExists);
    let told = telegram.hears("look").await;
    assert!(
        told.starts_with("[mymt5] WARNING: alert of all\n"),
        "{told}"
    );
    let arguments = ["halt", "--reason", "storm", "--data-folder", "data"];
    let halted = gateway.command(&arguments, None).await;
    assert!(halted.status.success(), "{halted:?}");
    telegram
        .hears("the trading state of account is Halted: storm")
        .await;
    let (texts, paths) = {
        let heard = telegram.0.lock().unwrap();
        (heard.texts.clone(), heard.paths.clone())
    };
    let looks = texts.iter().filter(|text| text.contains("look"));
    assert_eq!(looks.count(), 1, "{texts:?}");
    let path = format!("post /bot{TOKEN}/sendmessage http/1.1\r\n");
    assert!(paths.iter().all(|asked| *asked == path), "{paths:?}");
    canaries_are_nowhere(&gateway, &texts);
}

#[tokio::test]
async fn a_crash_is_told_once_by_the_next_start() {
    let (telegram, port) = Telegram::start().await;
    let mut gateway = telling(port).await;
    telegram.hears("has started").await;
    gateway.crash_and_return().await;
    let told = telegram.hears("crashed before this start").await;
    assert!(told.starts_with("[mymt5] CRITICAL: crash\n"), "{told}");
    // The report's file, with when and how it ended.
    let folder = gateway.folder.path().join("data/crash");
    let report = fs::read_dir(folder).unwrap().next().unwrap().unwrap();
    let report = report.path().display().to_string();
    assert!(
        report.contains(".killed.") && told.contains(&report),
        "{told}"
    );
    telegram.hears_times("has started", 2).await;
    gateway.stop().await;
    gateway.start_again(&[]);
    let texts = telegram.hears_times("has started", 3).await;
    let crashes = texts.iter().filter(|text| text.contains("crashed"));
    assert_eq!(crashes.count(), 1, "{texts:?}");
    canaries_are_nowhere(&gateway, &texts);
}

#[tokio::test]
async fn a_trial_says_what_each_channel_answered() {
    let (telegram, port) = Telegram::start().await;
    let gateway = telling(port).await;
    telegram.hears("has started").await;
    let mut said = Vec::new();
    for (manner, part) in [
        (Manner::TooMany, "answered 429"),
        (Manner::Breaks, "answered 500"),
        (Manner::Closes, "broke the connection off"),
        (Manner::Drips, "no answer within 15 s"),
    ] {
        telegram.behave(&[manner]);
        let (code, rows) = tried(&gateway).await;
        assert_eq!(code, Some(1), "{rows}");
        assert_eq!(rows[0]["channel"], "telegram");
        let answer = rows[0]["answer"].as_str().unwrap().to_owned();
        assert!(answer.contains(part), "{manner:?}: {answer}");
        said.push(answer);
    }
    let (code, rows) = tried(&gateway).await;
    assert_eq!((code, &rows[0]["delivered"]), (Some(0), &Value::Bool(true)));
    // Another token is taken up without a restart.
    write_secret(
        &gateway.folder.path().join("secrets/TELEGRAM_BOT_TOKEN"),
        "2:canary-of-the-next-bot",
    );
    let arguments = ["reload", "--data-folder", "data"];
    let reloaded = gateway.command(&arguments, None).await;
    assert!(reloaded.status.success(), "{reloaded:?}");
    tried(&gateway).await;
    let last = telegram.0.lock().unwrap().paths.last().unwrap().clone();
    assert!(last.contains("/bot2:canary-of-the-next-bot/"), "{last}");
    canaries_are_nowhere(&gateway, &said);
}

#[tokio::test]
async fn without_a_channel_alerts_stay_in_the_log_and_a_trial_fails() {
    let gateway = Gateway::start("").await;
    alert(&gateway, "alert-1", "into the log").await.unwrap();
    gateway.says("look: into the log").await;
    let (code, rows) = tried(&gateway).await;
    assert_eq!((code, rows), (Some(1), Value::Array(Vec::new())));
    let arguments = ["notify-test", "--json", "--data-folder", "data"];
    let said = gateway.command(&arguments, None).await.stderr;
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains("no channel is configured"), "{said}");
    let wordless = alert(&gateway, "alert-2", "two\nlines").await.unwrap_err();
    assert_eq!(wordless.code(), tonic::Code::InvalidArgument);
    for id in 2..=10 {
        alert(&gateway, &format!("more-{id}"), "").await.unwrap();
    }
    let flooded = alert(&gateway, "more-11", "").await.unwrap_err();
    assert_eq!(flooded.code(), tonic::Code::ResourceExhausted);
}

/// A market order, and that it is filled.
async fn fills(gateway: &Gateway, id: &str) {
    let order = v1::SubmitOrderRequest {
        request_id: id.into(),
        symbol: "EURUSD".into(),
        side: v1::Side::Buy.into(),
        r#type: v1::OrderType::Market.into(),
        lots: 0.1,
        ..Default::default()
    };
    let filled = gateway.trading().await.submit_order(order).await.unwrap();
    let filled = filled.into_inner().order.unwrap();
    assert_eq!(filled.state(), v1::OrderState::Filled, "{filled:?}");
}

#[tokio::test]
async fn orders_pass_while_a_channel_hangs() {
    let (telegram, port) = Telegram::start().await;
    telegram.behave(&[Manner::Hangs; 100]);
    let gateway = telling(port).await;
    telegram.hears("has started").await;
    gateway.quoted("EURUSD").await;
    let mut control = ControlServiceClient::new(gateway.channel(Some("all")).await);
    for id in 0..20 {
        fills(&gateway, &format!("order-{id}")).await;
        for state in [v1::TradingState::Reducing, v1::TradingState::Active] {
            let turn = v1::SetTradingStateRequest {
                request_id: format!("{state:?}-{id}"),
                state: state.into(),
                reason: format!("turn {id}"),
                ..Default::default()
            };
            control.set_trading_state(turn).await.unwrap();
        }
    }
    // It was tried, and answered nothing in all that time.
    let heard = telegram.0.lock().unwrap();
    assert!(heard.manners.len() < 100, "it was never tried");
}

/// A mail server that takes mail over TLS, from whoever knows the password.
const SMTPD: &str = "
import json, ssl, sys
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

port, certificate, key, password, mails = sys.argv[1:]
with open(password) as file:
    password = file.read()


class Handler:
    async def handle_DATA(self, server, session, envelope):
        mail = {
            'from': envelope.mail_from,
            'to': envelope.rcpt_tos,
            'tls': session.ssl is not None,
            'login': session.authenticated,
            'text': envelope.content.decode(),
        }
        with open(mails, 'a') as file:
            file.write(json.dumps(mail) + '\\n')
        return '250 taken'


def login(server, session, envelope, mechanism, data):
    fits = (data.login, data.password) == (b'gateway', password.encode())
    return AuthResult(success=fits, handled=False)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
controller = Controller(
    Handler(),
    hostname='127.0.0.1',
    port=int(port),
    tls_context=context,
    require_starttls=True,
    auth_required=True,
    authenticator=login,
)
controller.start()
print('ready', flush=True)
sys.stdin.read()
";

/// Starts it beside its certificate, and waits until it listens.
async fn mail_server(python: &Path, folder: &Path, port: u16) -> Child {
    let at = |part: &str| folder.join(part);
    let mut server = Command::new(python)
        .args(["-W", "ignore", "-c", SMTPD])
        .arg(port.to_string())
        .args([
            at("mail/gateway/certificate.pem"),
            at("mail/gateway/key.pem"),
            at("secrets/SMTP_PASSWORD"),
            at("mails"),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let ready = tokio::time::timeout(BOUND, lines.next_line()).await;
    assert_eq!(ready.unwrap().unwrap().as_deref(), Some("ready"));
    server
}

#[tokio::test]
async fn mail_goes_out_over_starttls_after_a_login() {
    let Some(python) = std::env::var_os("MYMT5_PYTHON") else {
        println!("skipped: MYMT5_PYTHON names no tool");
        assert!(
            std::env::var_os("MYMT5_REQUIRE").is_none(),
            "MYMT5_PYTHON is required"
        );
        return;
    };
    let folder = TempDir::new().unwrap();
    secrets(folder.path());
    let hosts = ["127.0.0.1".to_owned()];
    tls::dev_certs(&folder.path().join("mail"), &[], &hosts, 1).unwrap();
    let port = free_port().unwrap();
    let mut server = mail_server(Path::new(&python), folder.path(), port).await;
    let (secrets, authority) = (
        folder.path().join("secrets"),
        folder.path().join("mail/ca.pem"),
    );
    let settings = format!(
        "[secrets]\nfolder = {secrets:?}\n[notify]\nchannels = [\"email\"]\nauthorities = {authority:?}\n\
         [notify.email]\nhost = \"127.0.0.1\"\nport = {port}\nsecurity = \"starttls\"\nusername = \"gateway\"\n\
         from = \"gateway@example.org\"\nto = [\"a@example.org\", \"b@example.org\"]\n"
    );
    let gateway = Gateway::start_in(folder, &settings).await;
    let (code, rows) = tried(&gateway).await;
    assert_eq!(code, Some(0), "{rows} {}", gateway.stderr());
    let path = gateway.folder.path().join("mails");
    let end = Instant::now() + BOUND;
    let mails = loop {
        let mails = fs::read_to_string(&path).unwrap_or_default();
        if mails.contains("has started") && mails.contains("a trial") {
            break mails;
        }
        assert!(Instant::now() < end, "{mails} {}", gateway.stderr());
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    for mail in mails.lines() {
        let mail: Value = serde_json::from_str(mail).unwrap();
        assert_eq!((&mail["tls"], &mail["login"]), (&true.into(), &true.into()));
        assert_eq!(mail["from"], "gateway@example.org");
        assert_eq!(mail["to"].as_array().unwrap().len(), 2);
    }
    assert!(mails.contains("Subject: [mymt5] INFO: start"), "{mails}");
    // A login that is refused, and a server that is gone.
    write_secret(
        &gateway.folder.path().join("secrets/SMTP_PASSWORD"),
        "another canary",
    );
    gateway.says("secrets replaced").await;
    let (code, refused) = tried(&gateway).await;
    assert_eq!(code, Some(1));
    let refused = refused[0]["answer"].as_str().unwrap().to_owned();
    assert!(refused.contains("answered 535"), "{refused}");
    server.kill().await.unwrap();
    let (code, gone) = tried(&gateway).await;
    assert_eq!(code, Some(1), "{gone}");
    canaries_are_nowhere(&gateway, &[refused, gone.to_string(), mails]);
}
