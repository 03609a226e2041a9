//! The gateway's side of the stand-in: the seam's adapter, with what a link to a real broker must
//! tell apart: never left, and may have happened.

mod connection;
mod tests;

use crate::wire::{Answer, Ask, Rows};
use async_trait::async_trait;
use connection::Connection;
use mymt5_gateway::broker::{
    Broker, BrokerError, Dispatch, Events, History, Pace, SendFailure, Snapshot, judge,
};
use mymt5_model::{AccountRow, BrokerTime, Receipt, SymbolSpec, TradeRequest};
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Longest wait for the answer to a question that is not a send.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why a question has no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// It was never written as a whole.
    NotAsked(String),
    /// It was written, and then nothing came.
    Lost(String),
}

/// The broker behind a socket.
pub(crate) struct Remote {
    socket: PathBuf,
    send_timeout: Duration,
    connection: Mutex<Option<Arc<Connection>>>,
}

impl Remote {
    pub(crate) fn at(socket: PathBuf, send_timeout: Duration) -> Self {
        Self {
            socket,
            send_timeout,
            connection: Mutex::new(None),
        }
    }

    async fn ask(&self, ask: Ask, timeout: Duration) -> Result<Answer, Unanswered> {
        let connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match connection {
            Some(connection) => connection.ask(ask, timeout).await,
            None => Err(Unanswered::NotAsked("the link was never up".into())),
        }
    }

    async fn question<T>(
        &self,
        ask: Ask,
        read: impl FnOnce(Answer) -> Option<T>,
    ) -> Result<T, BrokerError> {
        let answer = self.ask(ask, TIMEOUT).await.map_err(|error| match error {
            Unanswered::NotAsked(why) | Unanswered::Lost(why) => BrokerError::Unreachable(why),
        })?;
        read(answer).ok_or_else(|| BrokerError::Unreachable("answered something else".into()))
    }
}

#[async_trait]
impl Broker for Remote {
    async fn open(&self) -> Result<Events, BrokerError> {
        let (connection, ticks, changes) = Connection::open(&self.socket)
            .await
            .map_err(|error| BrokerError::Unreachable(error.to_string()))?;
        *self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(connection);
        self.question(Ask::Open, |_| Some(())).await?;
        Ok(Events {
            ticks,
            changes,
            pace: Pace::Live,
        })
    }

    async fn identify(&self) -> Result<AccountRow, BrokerError> {
        self.question(Ask::Identify, |answer| match answer {
            Answer::Account(row) => Some(row),
            _ => None,
        })
        .await
    }

    async fn ping(&self) -> Result<Duration, BrokerError> {
        let begun = Instant::now();
        self.question(Ask::Ping, |_| Some(begun.elapsed())).await
    }

    async fn symbols(&self) -> Result<Vec<SymbolSpec>, BrokerError> {
        self.question(Ask::Symbols, |answer| match answer {
            Answer::Symbols(specs) => Some(specs),
            _ => None,
        })
        .await
    }

    async fn send(
        &self,
        request: &TradeRequest,
        _dispatch: &Dispatch,
    ) -> Result<Receipt, SendFailure> {
        match self
            .ask(Ask::Send(request.clone()), self.send_timeout)
            .await
        {
            Ok(Answer::Receipt(receipt)) => judge(receipt),
            Ok(_) => Err(SendFailure::Unknown("answered something else".into())),
            Err(Unanswered::NotAsked(why)) => Err(SendFailure::NotSent(why)),
            Err(Unanswered::Lost(why)) => Err(SendFailure::Unknown(why)),
        }
    }

    async fn snapshot(&self, begun: u64) -> Result<Snapshot, BrokerError> {
        self.question(Ask::Snapshot, |answer| match answer {
            Answer::Snapshot(rows) => Some(snapshot(rows, begun)),
            _ => None,
        })
        .await
    }

    async fn history(&self, from: BrokerTime, to: BrokerTime) -> Result<History, BrokerError> {
        self.question(Ask::History(from, to), |answer| match answer {
            Answer::History(orders, deals) => Some(History {
                from,
                to,
                orders,
                deals,
                unreadable: Vec::new(),
            }),
            _ => None,
        })
        .await
    }
}

fn snapshot(rows: Rows, begun: u64) -> Snapshot {
    Snapshot {
        account: rows.account,
        positions: rows.positions,
        orders: rows.orders,
        unreadable: Vec::new(),
        time: rows.time,
        begun,
    }
}
