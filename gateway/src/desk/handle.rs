//! The way to the orders core: one mailbox, answered by one task (see [`super::task`]).

use super::{
    events::EventLog,
    task::{Message, OrdersTask, Question, Setup, Work},
};
use crate::{
    broker::{self, History, Snapshot},
    market::{Hub, Instruments},
};
use futures_util::FutureExt;
use mymt5_model::{OrderId, PositionId, Symbol};
use mymt5_orders::{
    Call, Core, Denial, Edit, Effect, Entry, Exit, LevelsKey, LevelsOutcome, Order, OrderEdit,
    Position, Record, Taken,
};
use mymt5_proto::{Reason, Refusal};
use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{mpsc, mpsc::error::TrySendError, oneshot, watch},
    time::{Instant, timeout, timeout_at},
};
use tokio_util::task::TaskTracker;

/// Denied calls recorded within a second.
const DENIALS_PER_SECOND: u32 = 20;
/// Messages that may wait for the core.
const MAILBOX: usize = 1_024;
/// How long a drain waits for orders under way.
const DRAIN: Duration = Duration::from_millis(2_500);

/// The way to the orders core. Cheap to clone.
#[derive(Clone)]
pub struct Orders {
    mailbox: mpsc::Sender<Message>,
    sends: TaskTracker,
    log: EventLog,
    hub: Hub,
    instruments: Instruments,
    journal_id: Arc<str>,
    journal_up: watch::Receiver<bool>,
    /// The second of the last denied call, and how many there were in it.
    denials: Arc<Mutex<(i64, u32)>>,
}

impl Orders {
    /// Starts the core's task; it ends when the last handle is gone.
    #[must_use]
    pub fn start(core: Core, setup: Setup, hub: Hub, instruments: Instruments) -> Self {
        let (mailbox, inbox) = mpsc::channel(MAILBOX);
        let (sends, log) = (TaskTracker::new(), setup.log.clone());
        let journal_id = setup.journal_id.clone();
        let (up, journal_up) = watch::channel(true);
        let broke = up.clone();
        let desk = OrdersTask::new(
            core,
            setup,
            hub.clone(),
            mailbox.downgrade(),
            sends.clone(),
            up,
        );
        tokio::spawn(async move {
            // Without its desk nothing is taken any more: as bad as a journal that is down.
            if AssertUnwindSafe(desk.run(inbox))
                .catch_unwind()
                .await
                .is_err()
            {
                tracing::error!("the orders desk broke");
                broke.send_replace(false);
            }
        });
        Self {
            mailbox,
            sends,
            log,
            hub,
            instruments,
            journal_id,
            journal_up,
            denials: Arc::default(),
        }
    }

    /// Identity of the event sequence.
    #[must_use]
    pub fn journal_id(&self) -> &str {
        &self.journal_id
    }

    /// The events.
    #[must_use]
    pub const fn log(&self) -> &EventLog {
        &self.log
    }

    /// Follows whether the journal can be written; once it cannot, it stays so.
    #[must_use]
    pub fn journal_up(&self) -> watch::Receiver<bool> {
        self.journal_up.clone()
    }

    /// Takes a new order.
    ///
    /// # Errors
    /// See [`Core::submit`]; `QUEUE_FULL` when too many calls wait, `JOURNAL_DOWN`.
    pub async fn submit(
        &self,
        call: Call,
        entry: Result<Entry, Refusal>,
    ) -> Result<Taken, Refusal> {
        let quote = entry
            .as_ref()
            .ok()
            .and_then(|entry| self.hub.latest(&entry.spec.symbol));
        self.decide(move |core| core.submit(call, entry, quote.as_deref()))
            .await
    }

    /// Takes a close of a position.
    ///
    /// # Errors
    /// See [`Core::close`].
    pub async fn close(&self, call: Call, exit: Result<Exit, Refusal>) -> Result<Taken, Refusal> {
        let instruments = self.instruments.clone();
        self.decide(move |core| {
            core.close(call, exit, |symbol: &Symbol| {
                instruments.get(symbol.as_str())
            })
        })
        .await
    }

    /// Takes a cancellation.
    ///
    /// # Errors
    /// See [`Core::cancel`].
    pub async fn cancel(&self, call: Call, target: OrderId) -> Result<Taken, Refusal> {
        self.decide(move |core| core.cancel(call, target)).await
    }

    /// Takes a change of a working order.
    ///
    /// # Errors
    /// See [`Core::modify_order`].
    pub async fn modify_order(
        &self,
        call: Call,
        target: OrderId,
        edit: OrderEdit,
    ) -> Result<Taken, Refusal> {
        let instruments = self.instruments.clone();
        let spec = move |symbol: &Symbol| instruments.get(symbol.as_str());
        let hub = self.hub.clone();
        let quote = move |symbol: &Symbol| hub.latest(symbol);
        self.decide(move |core| core.modify_order(&call, target, &edit, &spec, &quote))
            .await
    }

    /// Takes a change of a position's levels: stop loss and take profit.
    ///
    /// # Errors
    /// See [`Core::modify_position`].
    pub async fn modify_position(
        &self,
        call: Call,
        id: PositionId,
        edits: (Edit, Edit),
    ) -> Result<LevelsKey, Refusal> {
        let instruments = self.instruments.clone();
        let spec = move |symbol: &Symbol| instruments.get(symbol.as_str());
        self.decide(move |core| core.modify_position(&call, id, edits, &spec))
            .await
    }

    /// Has the core decide about something; what it refuses changes nothing.
    ///
    /// # Errors
    /// Whatever the core refuses; `QUEUE_FULL` when too many calls wait, `JOURNAL_DOWN`.
    pub async fn decide<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Core) -> Result<(T, Vec<Effect>), Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.run(move |core| match work(core) {
            Ok((value, effects)) => (Ok(value), effects),
            Err(refusal) => (Err(refusal), Vec::new()),
        })
        .await?
    }

    /// Reads something from the core.
    ///
    /// # Errors
    /// `QUEUE_FULL` when too many calls wait, `JOURNAL_DOWN`.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Core) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        self.run(move |core| (question(core), Vec::new())).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Core) -> (T, Vec<Effect>) + Send + 'static,
    ) -> Result<T, Refusal> {
        let (answer, answered) = oneshot::channel();
        let work: Work = Box::new(move |core| {
            let (value, effects) = work(core);
            // A caller that went away does not undo what it asked for.
            (Box::new(move || drop(answer.send(value))), effects)
        });
        self.mailbox
            .try_send(Message::Run(work))
            .map_err(|error| match error {
                TrySendError::Full(_) => {
                    Refusal::new(Reason::QueueFull).after(Duration::from_secs(1))
                }
                TrySendError::Closed(_) => self.gone(),
            })?;
        answered.await.map_err(|_| self.gone())
    }

    /// Why an answer stayed out.
    fn gone(&self) -> Refusal {
        if *self.journal_up.borrow() {
            Refusal::new(Reason::Internal)
        } else {
            Refusal::new(Reason::JournalDown).after(Duration::from_secs(5))
        }
    }

    /// Tells the core something that must not be lost to a full mailbox; waits until it is durable.
    pub async fn tell(&self, work: impl FnOnce(&mut Core) + Send + 'static) {
        let (done, told) = oneshot::channel();
        let work: Work = Box::new(move |core| {
            work(core);
            (
                Box::new(move || {
                    let _ = done.send(());
                }),
                Vec::new(),
            )
        });
        let _ = self.mailbox.send(Message::Run(work)).await;
        let _ = told.await;
    }

    /// The order once the broker's word on it is known, or as it stands at that time. An order
    /// that was taken is never answered by a refusal: this waits for room in the mailbox.
    ///
    /// # Errors
    /// `INTERNAL` when the core is gone, `JOURNAL_DOWN`.
    pub async fn answered(&self, id: OrderId, until: Instant) -> Result<Order, Refusal> {
        let answered = move |core: &Core| {
            let order = core.order(id)?;
            (order.is_answered() && !core.is_changing(id)).then(|| order.clone())
        };
        if let Some(order) = self.when(until, answered).await {
            return Ok(order);
        }
        let now = Instant::now() + DRAIN;
        let order = self.when(now, move |core| Some(core.order(id).cloned()));
        order.await.flatten().ok_or_else(|| self.gone())
    }

    /// What became of a change of a position's levels, and the position as it stands then.
    ///
    /// # Errors
    /// `BROKER_REFUSED`; `PENDING_RECONCILIATION` while it is unknown; `POSITION_NOT_FOUND` when
    /// it is gone by now; `JOURNAL_DOWN`.
    pub async fn levels_set(
        &self,
        key: LevelsKey,
        id: PositionId,
        until: Instant,
    ) -> Result<Position, Refusal> {
        let settled = move |core: &Core| match core.levels_outcome(&key)? {
            LevelsOutcome::Pending | LevelsOutcome::Unknown => None,
            outcome => Some((outcome, core.book().position(id).cloned())),
        };
        let settled = self.when(until, settled).await;
        let (outcome, position) = settled.ok_or_else(|| {
            if *self.journal_up.borrow() {
                Refusal::new(Reason::PendingReconciliation).after(Duration::from_secs(1))
            } else {
                self.gone()
            }
        })?;
        match outcome {
            LevelsOutcome::Refused(code) => {
                Err(Refusal::new(Reason::BrokerRefused).with("retcode", code))
            }
            LevelsOutcome::NotDone => Err(Refusal::new(Reason::BrokerRefused)),
            _ => position.ok_or_else(|| Refusal::new(Reason::PositionNotFound)),
        }
    }

    /// Asks after every change of the core until there is an answer, or that time.
    async fn when<T: Send + 'static>(
        &self,
        until: Instant,
        mut ask: impl FnMut(&Core) -> Option<T> + Send + 'static,
    ) -> Option<T> {
        let (tell, told) = oneshot::channel();
        let mut tell = Some(tell);
        let question: Question = Box::new(move |core| {
            let gone = tell.as_ref().is_none_or(oneshot::Sender::is_closed);
            let answer = if gone { None } else { Some(ask(core)?) };
            let tell = tell.take();
            Some(Box::new(move || {
                if let (Some(tell), Some(answer)) = (tell, answer) {
                    let _ = tell.send(answer);
                }
            }))
        });
        self.mailbox.send(Message::Wait(question)).await.ok()?;
        timeout_at(until, told).await.ok()?.ok()
    }

    /// Takes a complete look at the broker, taken by the link as it comes up.
    pub async fn look(&self, snapshot: Snapshot, history: History) {
        let _ = self
            .mailbox
            .send(Message::Pass(None, Ok((snapshot, history))))
            .await;
    }

    /// Hands on what the broker reported.
    pub async fn report(&self, change: broker::Change) {
        // The receiver lives as long as any handle does.
        let _ = self.mailbox.send(Message::Change(change)).await;
    }

    /// Records a denied call. One too many within a second, or one that finds no room, is counted
    /// instead: a flood of them must not keep orders waiting, nor the disk busy.
    pub fn denied(&self, denial: Denial) {
        let second = denial.at.0.div_euclid(1_000);
        let crowded = {
            let mut denials = self.denials.lock().unwrap_or_else(PoisonError::into_inner);
            if denials.0 != second {
                *denials = (second, 0);
            }
            denials.1 += 1;
            denials.1 > DENIALS_PER_SECOND || self.mailbox.capacity() < MAILBOX / 2
        };
        let work: Work = Box::new(move |core| {
            core.record(Record::Denial(denial));
            (Box::new(|| {}), Vec::new())
        });
        if crowded || self.mailbox.try_send(Message::Run(work)).is_err() {
            metrics::counter!("mymt5_denials_unrecorded_total").increment(1);
        }
    }

    /// Refuses new orders and waits, for a bounded time, until those under way are answered.
    pub async fn drain(&self) {
        self.tell(Core::drain).await;
        self.sends.close();
        if timeout(DRAIN, self.sends.wait()).await.is_err() {
            tracing::error!(
                in_flight = self.sends.len(),
                "orders still under way at the end of the drain"
            );
        }
        // What they led to is durable, too.
        let _ = timeout(DRAIN, self.tell(|_| {})).await;
    }
}
