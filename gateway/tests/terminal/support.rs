//! What all tests here share: a terminal's settings, and waiting with a bound.

use mymt5_chassis::secrets::Secret;
use mymt5_gateway::broker::{
    Broker, BrokerEvent, Dispatch, Events, SendFailure,
    terminal::{Account, Terminal, TerminalSettings},
};
use mymt5_model::{Receipt, Symbol, TradeRequest};
use std::{
    future::Future,
    time::{Duration, Instant},
};
use tokio::time::{sleep, timeout};

pub const SECRET: &str = "a secret of both sides, long enough to count";
pub const PASSWORD: &str = "correct horse \"battery\" staple";
pub const LOGIN: &str = "10000001";
pub const SERVER: &str = "StandIn-Demo";

/// The trace of every request.
pub const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
/// Longest wait for anything.
pub const BOUND: Duration = Duration::from_secs(20);

pub fn account() -> Account {
    Account {
        login: Secret::new(LOGIN),
        password: Secret::new(PASSWORD).into(),
        server: Secret::new(SERVER),
        bridge: Secret::new(SECRET),
    }
}

pub fn symbol(text: &str) -> Symbol {
    Symbol::parse(text).unwrap()
}

pub fn settings(address: String, suffix: &str) -> TerminalSettings {
    let pair = |name: &str| (symbol(name), format!("{name}{suffix}"));
    TerminalSettings {
        address,
        certificate: None,
        kind: mymt5_model::AccountKind::Demo,
        symbols: [pair("EURUSD"), pair("USDJPY")].into(),
        poll_interval: Duration::from_millis(20),
        rows_interval: Duration::from_millis(50),
        call_timeout: Duration::from_secs(5),
    }
}

pub fn terminal(settings: TerminalSettings) -> Terminal {
    Terminal::new(settings, account).unwrap()
}

/// Sends, with time enough.
pub async fn send(
    broker: &(impl Broker + ?Sized),
    request: &TradeRequest,
) -> Result<Receipt, SendFailure> {
    let dispatch = Dispatch {
        before: Instant::now() + BOUND,
        trace_id: TRACE.into(),
    };
    broker.send(request, &dispatch).await
}

pub async fn bounded<T>(what: impl Future<Output = T>) -> T {
    timeout(BOUND, what).await.expect("it took too long")
}

/// Asks again until there is an answer.
pub async fn until<T, F: Future<Output = Option<T>>>(mut ask: impl FnMut() -> F) -> T {
    bounded(async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await
}

/// The next change of that kind.
pub async fn change<T>(events: &mut Events, mut pick: impl FnMut(BrokerEvent) -> Option<T>) -> T {
    bounded(async {
        loop {
            let change = events.changes.recv().await.expect("the link ended");
            if let Some(picked) = pick(change) {
                return picked;
            }
        }
    })
    .await
}

/// Why the link was lost.
pub async fn lost(events: &mut Events) -> String {
    change(events, |change| match change {
        BrokerEvent::LinkLost(why) => Some(why),
        _ => None,
    })
    .await
}
