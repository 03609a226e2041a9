//! From an address to a session that is logged in: connect, prove the secret, log in, select the
//! symbols, learn of past deals, watch.

use super::{
    super::{BrokerError, Events},
    Account, DAY_MS, LONGEST_CREDENTIAL, TerminalSettings,
    calls::{self, ask},
    connection::{Connection, Pending, Stream},
    failure::{CallOutcome, explained},
    feed::Feed,
    handshake,
    history::{self, Window},
    is_too_long,
    state::SharedState,
    tls,
    wire::{Answer, Fields},
};
use mymt5_chassis::{clock, secrets::Secret};
use mymt5_model::BrokerTime;
use rustls::pki_types::ServerName;
use serde::Serialize;
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_rustls::TlsConnector;

/// Longest time to connect, and then for both handshakes.
const REACH: Duration = Duration::from_secs(5);
/// What the terminal may take to log in; the answer needs a little more.
const LOGIN: Duration = Duration::from_secs(30);
const LOGIN_ANSWER: Duration = Duration::from_secs(10);
/// The bridge is asked so often whether it lives. Where it does not say so within the first time it
/// counts as silent, and within the second its session is given up.
const BEAT: Duration = Duration::from_millis(500);
const SILENT: Duration = Duration::from_millis(2_500);
const GIVEN_UP: Duration = Duration::from_secs(15);
/// A call that runs for longer is slow, and so is a terminal whose package keeps the interpreter, and
/// with it the bridge's answer, for longer. That is reported for a while.
const SLOW: Duration = Duration::from_millis(1_500);
const SLOW_FOR: Duration = Duration::from_secs(10);
/// Without a known deal: how far back the newest is searched, ever farther until one is found, and
/// how far the broker's clock may be behind UTC. Milliseconds.
const BACK: [i64; 4] = [2 * DAY_MS, 60 * DAY_MS, 730 * DAY_MS, i64::MAX];
const BEHIND: i64 = 13 * 3_600_000;

/// Opens a session.
///
/// # Errors
/// `Refused` for credentials that must not be tried again, `Unreachable` for all else.
pub(super) async fn open(
    settings: &TerminalSettings,
    shared: &Arc<SharedState>,
    account: &Account,
) -> Result<(Arc<Connection>, Events), BrokerError> {
    let stream = reach(settings, account).await?;
    let (feed, events) = Feed::new(shared.clone());
    let connection = Connection::start(stream, feed);
    match enter(settings, shared, account, &connection).await {
        Ok(()) => Ok((connection, events)),
        Err(error) => {
            connection.close("it was not opened");
            Err(error)
        }
    }
}

async fn enter(
    settings: &TerminalSettings,
    shared: &Arc<SharedState>,
    account: &Account,
    connection: &Arc<Connection>,
) -> Result<(), BrokerError> {
    login(shared, account, connection).await?;
    tokio::spawn(beat(connection.clone(), shared.clone()));
    let symbol_map = shared.lock().context.symbol_map.clone();
    let asked = Instant::now();
    let symbols = calls::symbols(connection, &symbol_map, settings.read_timeout()).await?;
    shared.lock().take_specifications(symbols, asked);
    past_deals(settings, shared, connection).await?;
    watch(settings, shared, connection).await
}

/// Connects and proves the secret.
async fn reach(
    settings: &TerminalSettings,
    account: &Account,
) -> Result<Box<dyn Stream>, BrokerError> {
    let address = &settings.address;
    let unreachable = |why: &str| BrokerError::Unreachable(format!("{why} ({address})"));
    let absent = |why: &str| {
        BrokerError::Unreachable(format!(
            "{why} at {address}; start the bridge there, or correct broker.terminal.address"
        ))
    };
    let connected = timeout(REACH, TcpStream::connect(address)).await;
    let stream = connected
        .map_err(|_| absent("no answer"))?
        .map_err(|error| absent(&error.kind().to_string()))?;
    // Without it small frames wait for each other; where it cannot be set they still arrive.
    let _ = stream.set_nodelay(true);
    let proven = timeout(REACH, async {
        let mut stream = secured(settings, stream)
            .await
            .map_err(|why| unreachable(&why))?;
        handshake::shake(&mut stream, &account.bridge)
            .await
            .map_err(|error| unreachable(&error.to_string()))?;
        Ok(stream)
    });
    proven.await.map_err(|_| absent("no handshake in time"))?
}

async fn secured(
    settings: &TerminalSettings,
    stream: TcpStream,
) -> Result<Box<dyn Stream>, String> {
    let Some(certificate) = settings.certificate.clone() else {
        return Ok(Box::new(stream));
    };
    let config = tls::pinned(certificate).map_err(|error| error.to_string())?;
    // The pinned certificate is the identity; the name is only said.
    let name = ServerName::try_from("mymt5-bridge").map_err(|error| error.to_string())?;
    let stream = TlsConnector::from(config).connect(name, stream).await;
    let stream = stream.map_err(|error| {
        format!("TLS with the bridge failed ({error}); set broker.terminal.tls to its certificate")
    })?;
    Ok(Box::new(stream))
}

#[derive(Serialize)]
struct Login<'a> {
    login: u64,
    password: &'a str,
    server: &'a str,
    timeout_ms: u128,
}

/// Asks for the login. The password is in memory from here until the frame is written.
async fn asked(
    account: &Account,
    connection: &Arc<Connection>,
) -> Result<Result<Pending, CallOutcome>, BrokerError> {
    let number = account.login.expose().trim().parse();
    let number = number.map_err(|_| {
        BrokerError::Refused("invalid MT5_LOGIN: expected an account number".into())
    })?;
    let password = password(account).await?;
    for (name, secret) in [("MT5_PASSWORD", &password), ("MT5_SERVER", &account.server)] {
        if is_too_long(secret) {
            return Err(BrokerError::Refused(format!(
                "{name} has more than {LONGEST_CREDENTIAL} characters; correct it"
            )));
        }
    }
    let args = Login {
        login: number,
        password: password.expose(),
        server: account.server.expose(),
        timeout_ms: LOGIN.as_millis(),
    };
    // Escaped, each byte takes six at most.
    let room = 512 + 6 * (args.password.len() + args.server.len());
    Ok(connection.begin_in("login", &args, room))
}

/// Reads the password, from its file where it stands in one.
async fn password(account: &Account) -> Result<Secret, BrokerError> {
    let credential = account.password.clone();
    let reading = tokio::task::spawn_blocking(move || credential.read());
    match timeout(REACH, reading).await {
        Ok(Ok(read)) => read.map_err(|error| unread(&error.to_string())),
        Ok(Err(_)) | Err(_) => Err(unread(
            "its file is not read in time; look at the disk that it is on",
        )),
    }
}

/// Why there was no login.
pub(super) fn unread(why: &str) -> BrokerError {
    BrokerError::Unreachable(format!("no password, {why}"))
}

async fn login(
    shared: &Arc<SharedState>,
    account: &Account,
    connection: &Arc<Connection>,
) -> Result<(), BrokerError> {
    let outcome = match asked(account, connection).await? {
        Ok(mut pending) => pending.outcome(LOGIN + LOGIN_ANSWER).await,
        Err(outcome) => outcome,
    };
    if let CallOutcome::Answer(Answer::None(code, text)) = &outcome
        && (matches!(code, -6 | -7) || text.to_ascii_lowercase().contains("authorization"))
    {
        return Err(BrokerError::Refused(explained(*code)));
    }
    if matches!(&outcome, CallOutcome::Answer(Answer::None(-10_005, _))) {
        return Err(BrokerError::NotConnected(
            "the terminal did not reach the trade server in time; check its network, MT5_SERVER and MT5_PASSWORD".into(),
        ));
    }
    let raw = calls::value(outcome)?;
    let fields = Fields::of("login", &raw)?;
    let mut shared = shared.lock();
    shared.account(fields.raw("account")?, fields.raw("terminal")?)?;
    shared.unusable()
}

/// Learns which deals are past, at the first opening: the next read of the history reports them.
/// The newest must be among them, however old it is: what is open reflects it.
async fn past_deals(
    settings: &TerminalSettings,
    shared: &Arc<SharedState>,
    connection: &Arc<Connection>,
) -> Result<(), BrokerError> {
    if shared.lock().deals.newest().is_some() {
        return Ok(());
    }
    let now = clock::utc_now_ms();
    let read = |rows: &[&_]| shared.lock().deals(rows);
    for back in BACK {
        let from = BrokerTime(now.saturating_sub(back));
        let window = Window::of(from, BrokerTime(i64::MAX), now);
        let call = "history_deals";
        let timeout = settings.read_timeout();
        let deals = history::read(connection, call, window, timeout, read).await?;
        if !deals.rows.is_empty() {
            shared.lock().deals.take(deals.rows);
            break;
        }
    }
    Ok(())
}

/// Has the bridge push rows, deals since the newest known one, and the symbols' ticks.
async fn watch(
    settings: &TerminalSettings,
    shared: &Arc<SharedState>,
    connection: &Arc<Connection>,
) -> Result<(), BrokerError> {
    let args = {
        let state = shared.lock();
        let cursor = |symbol| state.cursors.of(symbol);
        let pairs = state.context.symbol_map.pairs();
        let symbols: BTreeMap<&str, _> =
            pairs.map(|(symbol, name)| (name, cursor(symbol))).collect();
        let newest = state.deals.newest();
        let since = newest.map_or(clock::utc_now_ms() - BEHIND, |time| time.0);
        json!({
            "symbols": symbols,
            "poll_ms": milliseconds(settings.poll_interval),
            "rows_ms": milliseconds(settings.rows_interval),
            "deals_from": since.div_euclid(1_000),
        })
    };
    ask(connection, "watch", &args, settings.read_timeout()).await?;
    Ok(())
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).map_or(10_000, |ms| ms.clamp(1, 10_000))
}

/// Notices that the bridge is stopped, hung or gone without a word. A package that does not let go
/// of the interpreter keeps also the bridge's reader waiting, and a new login would make nothing of
/// it faster: so silence is reported soon, and ends the session late.
async fn beat(connection: Arc<Connection>, shared: Arc<SharedState>) {
    loop {
        tokio::select! {
            () = connection.closed() => return,
            () = sleep(BEAT) => {}
        }
        let begun = Instant::now();
        let asked = calls::ping(&connection, GIVEN_UP);
        tokio::pin!(asked);
        let answer = match timeout(SILENT, &mut asked).await {
            Ok(answer) => answer,
            Err(_) => {
                shared.lock().status.fall_silent();
                asked.await
            }
        };
        shared.lock().status.silent = false;
        match answer {
            Ok(pong) => {
                let status = &mut shared.lock().status;
                status.latency = begun.elapsed();
                let busy_for = Duration::from_millis(pong.busy_ms);
                if status.latency.max(busy_for) > SLOW {
                    status.slow_until = Some(Instant::now() + SLOW_FOR);
                }
                status.busy = pong.busy.map(|call| (call, busy_for));
                status.queued = pong.queued;
                status.build = pong.build.or(status.build);
            }
            Err(error) => return connection.close(error.why()),
        }
    }
}
