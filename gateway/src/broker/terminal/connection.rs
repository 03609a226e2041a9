//! One session's connection: calls out, answers back to the caller, pushes to the feed. A
//! writer task owns the way out, so that a caller who gives up never leaves half a frame behind.

use super::{
    failure::CallOutcome,
    feed::Feed,
    wire::{
        self, Answer, Incoming,
        frame::{self, ANSWER_LIMIT, Frame},
    },
};
use serde::Serialize;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, ReadHalf, WriteHalf, split},
    sync::{mpsc, oneshot},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

/// Calls that may wait for their answers.
const WAITING: usize = 256;
/// Bytes a frame is expected to take.
const ROOM: usize = 1_024;

/// A stream to the bridge, TLS or not.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

type Waiting = HashMap<u64, oneshot::Sender<Answer>>;

/// One session's connection.
pub(crate) struct Connection {
    queue: mpsc::Sender<Outgoing>,
    waiting: Mutex<Waiting>,
    asked: AtomicU64,
    begun: Instant,
    end: CancellationToken,
    why: OnceLock<String>,
}

struct Outgoing {
    frame: Frame,
    /// The first to set it, writer or caller, decides whether the frame leaves.
    settled: Arc<AtomicBool>,
}

/// A call under way. Dropping it forgets the answer, and withdraws the call unless it began to
/// leave.
pub(crate) struct Pending {
    connection: Arc<Connection>,
    id: u64,
    settled: Arc<AtomicBool>,
    answer: oneshot::Receiver<Answer>,
}

impl Connection {
    /// Starts the session's tasks; they end with it.
    pub(crate) fn start(stream: Box<dyn Stream>, feed: Feed) -> Arc<Self> {
        let (reader, writer) = split(stream);
        let (queue, outgoing) = mpsc::channel(WAITING);
        let connection = Arc::new(Self {
            queue,
            waiting: Mutex::default(),
            asked: AtomicU64::new(1),
            begun: Instant::now(),
            end: CancellationToken::new(),
            why: OnceLock::new(),
        });
        tokio::spawn(write(writer, outgoing, connection.clone()));
        // Frames are small: without it each takes several reads.
        let reader = BufReader::new(reader);
        tokio::spawn(read(reader, feed, connection.clone()));
        connection
    }

    /// Ends the session; the first reason given counts.
    pub(crate) fn close(&self, why: impl Into<String>) {
        let _ = self.why.set(why.into());
        self.end.cancel();
        // Waiting callers learn that no answer will come.
        self.waiting().clear();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.end.is_cancelled()
    }

    pub(crate) async fn closed(&self) {
        self.end.cancelled().await;
    }

    /// Why it ended.
    pub(crate) fn why(&self) -> String {
        let why = self.why.get().cloned();
        why.unwrap_or_else(|| "the bridge closed the connection; look at its log".into())
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks, without waiting yet.
    ///
    /// # Errors
    /// `NotWritten`.
    pub(crate) fn begin(
        self: &Arc<Self>,
        call: &str,
        args: &impl Serialize,
    ) -> Result<Pending, CallOutcome> {
        self.begin_in(call, args, ROOM)
    }

    /// Asks with a frame of up to `room` bytes that holds a secret.
    ///
    /// # Errors
    /// `NotWritten`.
    pub(crate) fn begin_in(
        self: &Arc<Self>,
        call: &str,
        args: &impl Serialize,
        room: usize,
    ) -> Result<Pending, CallOutcome> {
        let not_written = |why: String| CallOutcome::NotWritten(why);
        let id = self.asked.fetch_add(1, Ordering::Relaxed);
        let t = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let frame = wire::call(id, t, call, args, room);
        let frame = frame.map_err(|error| not_written(error.to_string()))?;
        let (reply, answer) = oneshot::channel();
        {
            let mut waiting = self.waiting();
            if self.is_closed() {
                return Err(not_written(self.why()));
            }
            if waiting.len() >= WAITING {
                return Err(not_written(
                    "too many calls wait for the bridge; try again in a moment".into(),
                ));
            }
            waiting.insert(id, reply);
        }
        let settled = Arc::new(AtomicBool::new(false));
        let pending = Pending {
            connection: self.clone(),
            id,
            settled: settled.clone(),
            answer,
        };
        let outgoing = Outgoing { frame, settled };
        let queued = self.queue.try_send(outgoing);
        queued.map_err(|_| not_written("the bridge takes nothing; look at its log".into()))?;
        Ok(pending)
    }

    /// Asks and waits.
    ///
    /// # Errors
    /// `NotWritten`, or `Lost`.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        call: &str,
        args: &impl Serialize,
        timeout: Duration,
    ) -> CallOutcome {
        match self.begin(call, args) {
            Ok(mut pending) => pending.outcome(timeout).await,
            Err(outcome) => outcome,
        }
    }
}

impl Pending {
    /// Waits until the bridge answers or the session ends.
    pub(crate) async fn answered(&mut self) -> CallOutcome {
        match (&mut self.answer).await {
            Ok(answer) => CallOutcome::Answer(answer),
            Err(_) => self.unanswered(self.connection.why()),
        }
    }

    /// Waits for the answer. None: it is still out.
    pub(crate) async fn wait(&mut self, timeout: Duration) -> Option<CallOutcome> {
        let answered = tokio::time::timeout(timeout, self.answered());
        answered.await.ok()
    }

    /// Waits for the answer, and gives up then.
    pub(crate) async fn outcome(&mut self, timeout: Duration) -> CallOutcome {
        match self.wait(timeout).await {
            Some(outcome) => outcome,
            None => self.give_up(),
        }
    }

    /// No answer will be waited for.
    pub(crate) fn give_up(&self) -> CallOutcome {
        self.unanswered("no answer in time; look at the bridge's log".into())
    }

    fn unanswered(&self, why: String) -> CallOutcome {
        // What has not begun to leave by now never will.
        if self.settled.swap(true, Ordering::AcqRel) {
            CallOutcome::Lost(why)
        } else {
            CallOutcome::NotWritten(why)
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.settled.store(true, Ordering::Release);
        self.connection.waiting().remove(&self.id);
    }
}

async fn write(
    mut writer: WriteHalf<Box<dyn Stream>>,
    mut queue: mpsc::Receiver<Outgoing>,
    connection: Arc<Connection>,
) {
    let end = connection.end.clone();
    let writing = async {
        while let Some(Outgoing { frame, settled }) = queue.recv().await {
            if settled.swap(true, Ordering::AcqRel) {
                continue;
            }
            writer.write_all(&frame).await?;
            writer.flush().await?;
        }
        std::io::Result::Ok(())
    };
    tokio::select! {
        () = end.cancelled() => {}
        result = writing => if let Err(error) = result {
            let kind = error.kind();
            connection.close(format!(
                "the connection to the bridge broke ({kind}); check the network and the bridge's log"
            ));
        }
    }
    // Best effort: the other side may be gone.
    let _ = timeout(Duration::from_secs(1), writer.shutdown()).await;
}

async fn read(
    mut reader: BufReader<ReadHalf<Box<dyn Stream>>>,
    mut feed: Feed,
    connection: Arc<Connection>,
) {
    let changes = feed.changes();
    loop {
        let body = tokio::select! {
            () = connection.end.cancelled() => break,
            () = changes.closed() => {
                connection.close("nobody listens any more");
                break;
            }
            body = frame::read(&mut reader, ANSWER_LIMIT) => body,
        };
        let taken = match body {
            Ok(body) => take(&body, &mut feed, &connection),
            Err(error) => Err(error.to_string()),
        };
        if let Err(why) = taken {
            connection.close(why);
            break;
        }
    }
    feed.lost(connection.why()).await;
}

fn take(body: &[u8], feed: &mut Feed, connection: &Connection) -> Result<(), String> {
    match wire::incoming(body).map_err(|error| error.to_string())? {
        Incoming::Answer(id, answer) => {
            if let Some(asker) = connection.waiting().remove(&id) {
                // A caller that gave up ignores the answer.
                let _ = asker.send(answer);
            }
            Ok(())
        }
        Incoming::Ticks(push) => feed.ticks(&push),
        Incoming::Rows(push) => feed.rows(&push),
    }
}

#[cfg(test)]
mod tests;
