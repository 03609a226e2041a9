//! The gateway's side: the terminal's own adapter. The gateway is configured for the simulator,
//! because a terminal's times cannot be made as short as a test wants them; so the account must
//! say that it is one.

use super::{PASSWORD, SECRET};
use crate::scene::{SYMBOLS, Scene};
use async_trait::async_trait;
use mymt5_chassis::secrets::Secret;
use mymt5_gateway::broker::{
    Broker, BrokerError, Dispatch, Events, History, SendFailure, Snapshot,
    terminal::{Account, Terminal, TerminalSettings},
};
use mymt5_model::{AccountKind, AccountRow, BrokerTime, Receipt, Symbol, SymbolSpec, TradeRequest};
use std::time::Duration;

/// The terminal behind the scene's bridge.
pub(crate) fn terminal(scene: &Scene, port: u16) -> impl Broker {
    let account = scene.account();
    let credentials = Account {
        login: Secret::new(account.login.to_string()),
        password: Secret::new(PASSWORD).into(),
        server: Secret::new(account.server),
        bridge: Secret::new(SECRET),
    };
    let named = |(name, _): (&str, i64)| (Symbol::parse(name).unwrap(), name.to_owned());
    let settings = TerminalSettings {
        address: format!("127.0.0.1:{port}"),
        certificate: None,
        kind: AccountKind::Demo,
        symbols: SYMBOLS.map(named).into(),
        poll_interval: 2 * scene.tick(),
        rows_interval: 4 * scene.tick(),
        call_timeout: scene.send_timeout(),
    };
    Simulated(Terminal::new(settings, move || credentials.clone()).unwrap())
}

struct Simulated(Terminal);

fn simulated(account: AccountRow) -> AccountRow {
    AccountRow {
        kind: AccountKind::Simulated,
        ..account
    }
}

#[async_trait]
impl Broker for Simulated {
    async fn open(&self) -> Result<Events, BrokerError> {
        self.0.open().await
    }

    async fn identify(&self) -> Result<AccountRow, BrokerError> {
        self.0.identify().await.map(simulated)
    }

    async fn ping(&self) -> Result<Duration, BrokerError> {
        self.0.ping().await
    }

    async fn symbols(&self) -> Result<Vec<SymbolSpec>, BrokerError> {
        self.0.symbols().await
    }

    async fn send(
        &self,
        request: &TradeRequest,
        dispatch: &Dispatch,
    ) -> Result<Receipt, SendFailure> {
        self.0.send(request, dispatch).await
    }

    async fn snapshot(&self, begun: u64) -> Result<Snapshot, BrokerError> {
        let snapshot = self.0.snapshot(begun).await?;
        Ok(Snapshot {
            account: simulated(snapshot.account),
            ..snapshot
        })
    }

    async fn history(&self, from: BrokerTime, to: BrokerTime) -> Result<History, BrokerError> {
        self.0.history(from, to).await
    }
}
