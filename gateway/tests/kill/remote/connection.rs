//! One connection: questions out, answers back to their callers, everything else to the link.

use super::Unanswered;
use crate::wire::{self, Answer, Ask, MAX_LINE, Question, Said};
use mymt5_gateway::broker::BrokerEvent;
use mymt5_model::Tick;
use std::{
    collections::HashMap,
    io,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, oneshot},
};

/// Batches of ticks, and changes, that may wait.
const TICKS: usize = 16;
const CHANGES: usize = 1_024;

type Waiting = HashMap<u64, oneshot::Sender<Answer>>;

pub(super) struct Connection {
    writer: tokio::sync::Mutex<OwnedWriteHalf>,
    /// None: the connection is over, no answer will come.
    waiting: Mutex<Option<Waiting>>,
    asked: AtomicU64,
}

type Opened = (
    Arc<Connection>,
    mpsc::Receiver<Vec<Tick>>,
    mpsc::Receiver<BrokerEvent>,
);

impl Connection {
    pub(super) async fn open(socket: &Path) -> io::Result<Opened> {
        let (reader, writer) = UnixStream::connect(socket).await?.into_split();
        let connection = Arc::new(Self {
            writer: tokio::sync::Mutex::new(writer),
            waiting: Mutex::new(Some(HashMap::new())),
            asked: AtomicU64::new(0),
        });
        let (ticks_in, ticks) = mpsc::channel(TICKS);
        let (changes_in, changes) = mpsc::channel(CHANGES);
        let reading = connection.clone();
        tokio::spawn(async move {
            reading.read(reader, &ticks_in, &changes_in).await;
            // Callers that still wait learn that nothing will come.
            reading.waiting().take();
        });
        Ok((connection, ticks, changes))
    }

    fn waiting(&self) -> MutexGuard<'_, Option<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn ask(&self, ask: Ask, timeout: Duration) -> Result<Answer, Unanswered> {
        let id = self.asked.fetch_add(1, Ordering::Relaxed);
        let (tell, told) = oneshot::channel();
        match self.waiting().as_mut() {
            Some(waiting) => drop(waiting.insert(id, tell)),
            None => return Err(Unanswered::NotAsked("the link is down".into())),
        }
        let line = wire::line(&Question { id, ask });
        // A line that was not taken whole is never acted on.
        if let Err(error) = self.writer.lock().await.write_all(&line).await {
            return Err(Unanswered::NotAsked(error.to_string()));
        }
        let answer = tokio::time::timeout(timeout, told).await;
        if let Some(waiting) = self.waiting().as_mut() {
            waiting.remove(&id);
        }
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(Unanswered::Lost("the link broke".into())),
            Err(_) => Err(Unanswered::Lost("no answer in time".into())),
        }
    }

    /// Hands on what comes until the link ends or nobody listens.
    async fn read(
        &self,
        reader: OwnedReadHalf,
        ticks: &mpsc::Sender<Vec<Tick>>,
        changes: &mpsc::Sender<BrokerEvent>,
    ) {
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut bounded = (&mut reader).take(MAX_LINE);
            if bounded.read_until(b'\n', &mut line).await.is_err() {
                return;
            }
            let Ok(Some(said)) = wire::read::<Said>(&mut line.as_slice()) else {
                return;
            };
            let change = match said {
                Said::Answer(id, answer) => {
                    let asker = self.waiting().as_mut().and_then(|all| all.remove(&id));
                    if let Some(asker) = asker {
                        // Who waited in vain does not hear of it any more.
                        let _ = asker.send(answer);
                    }
                    continue;
                }
                Said::Ticks(batch) => match ticks.try_send(batch) {
                    Err(mpsc::error::TrySendError::Closed(_)) => return,
                    _ => continue,
                },
                Said::Deal(deal) => BrokerEvent::Deal(deal),
                Said::RowsChanged => BrokerEvent::RowsChanged,
                Said::MarginCall(level) => BrokerEvent::MarginCall(level),
            };
            if changes.send(change).await.is_err() {
                return;
            }
        }
    }
}
