//! The way to the orders core: one mailbox for what happened, and a room where callers wait for their
//! turn, both emptied by one task (see [`super::task`]).

use super::{
    events::EventLog,
    messages::{Message, Question, Reply, Then, Told, down},
    task::{OrdersTask, Setup},
    turns::{Rank, Turn},
    waiting::{self, Asking},
};
use crate::{
    broker,
    journal::Readers,
    market::{Hub, Instruments},
};
use futures_util::FutureExt;
use mymt5_chassis::traces::{Kind, Span};
use mymt5_model::{Reason, Refusal, RequestId};
use mymt5_orders::{
    Answer, Asker, BrokerFigures, Call, CheckReport, Command, Core, Denial, Input, NewOrder,
};
use std::{
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_util::task::TaskTracker;

/// Messages of what happened that may wait for the core.
const MAILBOX: usize = 1_024;
/// How long a drain waits for orders under way, those that wait to be sent among them.
const DRAIN: Duration = Duration::from_millis(2_000);
/// How long it pauses while something waits to be sent.
const UNSENT_PAUSE: Duration = Duration::from_millis(10);
/// How long after that for the answers to those that were sent.
const LAST_ANSWERS: Duration = Duration::from_millis(1_000);
/// How long the end of everything may take: the last commit.
const STOP: Duration = Duration::from_secs(5);

/// The way to the orders core. Cheap to clone.
#[derive(Clone)]
pub struct Orders {
    mailbox: mpsc::Sender<Message>,
    callers: Asking,
    sends: TaskTracker,
    log: EventLog,
    readers: Readers,
    journal_id: Arc<str>,
    account_id: Arc<str>,
    journal_up: watch::Receiver<bool>,
    broke: Arc<AtomicBool>,
    askers: Arc<AtomicU64>,
}

impl Orders {
    /// Starts the core's task; it ends when it is stopped or the last handle is gone.
    #[must_use]
    pub fn start(
        core: Core,
        setup: Setup,
        readers: Readers,
        hub: Hub,
        instruments: Instruments,
    ) -> Self {
        let (mailbox, inbox) = mpsc::channel(MAILBOX);
        let (callers, taking) = waiting::room();
        let sends = TaskTracker::new();
        let log = setup.log.clone();
        let journal_id = setup.journal_id.clone();
        let account_id = setup.account_id.clone();
        let (up, journal_up) = watch::channel(true);
        let broke = Arc::new(AtomicBool::new(false));
        let up_of_broken = up.clone();
        let breaks = broke.clone();
        let weak = mailbox.downgrade();
        let task = OrdersTask::new(core, setup, (hub, instruments), weak, sends.clone(), up);
        tokio::spawn(async move {
            // Without its task nothing is taken any more: as bad as a journal that is down.
            if AssertUnwindSafe(task.run(inbox, taking))
                .catch_unwind()
                .await
                .is_err()
            {
                tracing::error!("the orders desk broke");
                breaks.store(true, Ordering::Release);
                up_of_broken.send_replace(false);
            }
        });
        Self {
            mailbox,
            callers,
            sends,
            log,
            readers,
            journal_id,
            account_id,
            journal_up,
            broke,
            askers: Arc::default(),
        }
    }

    /// Identity of the event sequence.
    #[must_use]
    pub fn journal_id(&self) -> &str {
        &self.journal_id
    }

    /// Identity of the account, from which neither its number nor its server can be found.
    #[must_use]
    pub fn account_id(&self) -> &str {
        &self.account_id
    }

    /// The events.
    #[must_use]
    pub const fn log(&self) -> &EventLog {
        &self.log
    }

    /// Reads lists and what is long past: only what is durable.
    #[must_use]
    pub const fn readers(&self) -> &Readers {
        &self.readers
    }

    /// Follows whether the journal can be written; once it cannot, it stays so.
    #[must_use]
    pub fn journal_up(&self) -> watch::Receiver<bool> {
        self.journal_up.clone()
    }

    /// Whether the core's task panicked: unlike a journal that failed, that is a fault of the gateway.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.broke.load(Ordering::Acquire)
    }

    /// Whether the core answers what is asked of it, which it does once the journal holds what came
    /// before. A journal that failed is not stuck: until it is restarted, the gateway serves what it
    /// can. A core that broke serves nothing any more.
    pub async fn turns_over(&self) -> bool {
        match self.ask(|_| ()).await {
            Ok(()) => true,
            Err(refusal) => refusal.reason() == Reason::JournalDown && !self.is_broken(),
        }
    }

    /// The id of the next asker.
    #[must_use]
    pub fn asker(&self) -> Asker {
        Asker(self.askers.fetch_add(1, Ordering::Relaxed))
    }

    /// Has the core take a mutating call: its answer once the broker's word is known, or as things
    /// stand at that time. `taken` is called as soon as the core recorded the request.
    ///
    /// # Errors
    /// Whatever the core refuses; `QUEUE_FULL` when too many calls of the client wait;
    /// `JOURNAL_DOWN`; `JOURNAL_LOST` when the call may be in a journal that failed since.
    pub async fn call(
        &self,
        turn: &Turn,
        call: Call,
        until: Instant,
        taken: impl FnOnce() + Send,
    ) -> Result<Told, Refusal> {
        let begun = Instant::now();
        let is_order = matches!(call.command, Command::Submit(_) | Command::Close(_));
        let asker = call.asker;
        let rank = Rank::of(&call.command);
        let (mut answered, was_taken) =
            self.send(rank, turn, asker, Input::Call(Box::new(call)))?;
        let answer = async {
            match timeout_at(until, &mut answered).await {
                Ok(told) => told,
                Err(_) => {
                    // What was taken is answered by how it stands, never by a refusal: this comes
                    // after the call in its line.
                    let give_up = Message::Input(Box::new(Input::GiveUp(asker)), None);
                    self.callers.follow(rank, &turn.client, give_up);
                    (&mut answered).await
                }
            }
        };
        let mut answer = pin!(answer);
        let told = tokio::select! {
            biased;
            Ok(()) = was_taken => {
                taken();
                answer.await
            }
            told = &mut answer => told,
        };
        let told = told.map_or_else(|_| Err(Self::lost()), judged);
        if is_order && told.is_ok() {
            metrics::histogram!("mymt5_order_duration_seconds").record(begun.elapsed());
        }
        told
    }

    /// What would become of an order, were it submitted now.
    ///
    /// # Errors
    /// What could not be understood of it; `QUEUE_FULL`, `JOURNAL_DOWN`.
    pub async fn check(
        &self,
        turn: &Turn,
        order: Result<Box<NewOrder>, Refusal>,
        figures: BrokerFigures,
    ) -> Result<CheckReport, Refusal> {
        let asker = self.asker();
        let input = Input::Check {
            asker,
            client: turn.client.clone(),
            order,
            figures,
        };
        match self.ask_core(Rank::Other, turn, asker, input).await? {
            Answer::Check(report) => Ok(report),
            _ => Err(Refusal::new(Reason::Internal)),
        }
    }

    /// A client's process reports that it lives, or that it ends: the trading state that binds it.
    ///
    /// # Errors
    /// `CLIENT_ALREADY_ACTIVE`; `QUEUE_FULL`, `JOURNAL_DOWN`.
    pub async fn heartbeat(
        &self,
        turn: &Turn,
        session: RequestId,
        leaving: bool,
    ) -> Result<mymt5_guard::TradingState, Refusal> {
        let asker = self.asker();
        let input = Input::Heartbeat {
            asker,
            client: turn.client.clone(),
            session,
            leaving,
        };
        let turn = turn.heartbeat();
        match self.ask_core(Rank::Lives, &turn, asker, input).await? {
            Answer::State(state) => Ok(state),
            _ => Err(Refusal::new(Reason::Internal)),
        }
    }

    async fn ask_core(
        &self,
        rank: Rank,
        turn: &Turn,
        asker: Asker,
        input: Input,
    ) -> Result<Answer, Refusal> {
        let (answered, _) = self.send(rank, turn, asker, input)?;
        let told = answered.await.map_or_else(|_| Err(Self::lost()), judged);
        told.map(|told| told.answer)
    }

    /// Lines a question up: how it is answered, and before that whether its request is recorded.
    fn send(
        &self,
        rank: Rank,
        turn: &Turn,
        asker: Asker,
        input: Input,
    ) -> Result<(oneshot::Receiver<Told>, oneshot::Receiver<()>), Refusal> {
        let (told, answered) = oneshot::channel();
        let (taken, was_taken) = oneshot::channel();
        let queued = match &input {
            Input::Call(call) => Span::within(&call.trace_id, "queue", Kind::Internal),
            _ => None,
        };
        let reply = Reply {
            told,
            taken,
            queued,
        };
        let message = Message::Ask(asker, Box::new(input), reply);
        self.callers.push(rank, turn, message)?;
        Ok((answered, was_taken))
    }

    /// Asks the core on the gateway's own account, at the first opportunity; see [`Orders::ask_for`].
    ///
    /// # Errors
    /// `QUEUE_FULL` when too many questions wait, `JOURNAL_DOWN`.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Core) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        self.question(Rank::Lives, &Turn::own(), question).await
    }

    /// Asks the core for a client; the answer is returned once what it reports is durable.
    ///
    /// # Errors
    /// `QUEUE_FULL` when too much of the client waits, `JOURNAL_DOWN`.
    pub async fn ask_for<T: Send + 'static>(
        &self,
        turn: &Turn,
        question: impl FnOnce(&Core) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        self.question(Rank::Other, turn, question).await
    }

    async fn question<T: Send + 'static>(
        &self,
        rank: Rank,
        turn: &Turn,
        question: impl FnOnce(&Core) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let (answer, answered) = oneshot::channel();
        let question: Question = Box::new(move |core| {
            let value = question(core);
            let then: Then = Box::new(move || drop(answer.send(value)));
            then
        });
        let message = Message::Question(question);
        self.callers.push(rank, turn, message)?;
        answered.await.map_err(|_| down())
    }

    /// Why an answer stayed out of what may have been taken.
    fn lost() -> Refusal {
        Refusal::new(Reason::JournalLost)
    }

    /// Hands the core something that must not be lost to a full mailbox; waits until it is durable.
    pub async fn tell(&self, input: Input) {
        let (done, told) = oneshot::channel();
        let then: Then = Box::new(move || {
            let _ = done.send(());
        });
        let message = Message::Input(Box::new(input), Some(then));
        let _ = self.mailbox.send(message).await;
        let _ = told.await;
    }

    /// Hands on what the broker reported.
    pub async fn report(&self, change: broker::BrokerEvent) {
        // The receiver lives as long as any handle does.
        let _ = self.mailbox.send(Message::Change(change)).await;
    }

    /// Waits until everything that was reported so far is durable and told.
    pub async fn settled(&self) {
        let (done, told) = oneshot::channel();
        let question: Question = Box::new(move |_: &Core| {
            let then: Then = Box::new(move || {
                let _ = done.send(());
            });
            then
        });
        // Behind what was reported: in the mailbox, which keeps the order.
        let _ = self.mailbox.send(Message::Question(question)).await;
        let _ = told.await;
    }

    /// Records a denied call of a known client, of which the audit trail lets so many through. One
    /// that finds no room is counted instead: denials must not keep orders waiting.
    pub fn denied(&self, denial: Denial) {
        let crowded = self.mailbox.capacity() < MAILBOX / 2;
        let message = Message::Input(Box::new(Input::Denied(denial)), None);
        if crowded || self.mailbox.try_send(message).is_err() {
            metrics::counter!("mymt5_denials_unrecorded_total").increment(1);
        }
    }

    /// Refuses new orders and waits, for a bounded time, until those under way are answered. What
    /// still waits to be sent then ends.
    pub async fn drain(&self) {
        self.tell(Input::Drain).await;
        self.sends.close();
        let all_sent = async {
            // Between two of them nothing is under way.
            while let Ok(true) = self.ask(Core::has_unsent).await {
                self.sends.wait().await;
                sleep(UNSENT_PAUSE).await;
            }
            self.sends.wait().await;
        };
        let _ = timeout(DRAIN, all_sent).await;
        self.tell(Input::Stop).await;
        if timeout(LAST_ANSWERS, self.sends.wait()).await.is_err() {
            tracing::error!(
                in_flight = self.sends.len(),
                "orders still under way at the end of the drain"
            );
        }
    }

    /// Ends the core's task: everything that is known is durable, and the journal is closed.
    pub async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        let _ = self.mailbox.send(Message::Stop(done)).await;
        if timeout(STOP, stopped).await.is_err() {
            tracing::error!("the journal was not closed in time");
        }
    }
}

fn judged(told: Told) -> Result<Told, Refusal> {
    let Told { answer, recorded } = told;
    match answer {
        Answer::Refused(refusal) => Err(refusal),
        answer => Ok(Told { answer, recorded }),
    }
}
