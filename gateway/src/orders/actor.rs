//! The core's async shell: one task owns the core, one mailbox feeds it, and whatever takes time
//! (sending, reading) runs in tasks of its own that report back.

use super::{
    core::{Core, Effect, Taken},
    events::EventLog,
    order::{Call, Entry, Exit, Order},
};
use crate::{
    broker::{Broker, BrokerError, Change, History, SendFailure, Snapshot},
    market::{Hub, Instruments},
};
use futures_util::FutureExt;
use mymt5_chassis::clock;
use mymt5_model::{BrokerTime, OrderId, Receipt, Symbol, Ticket, TradeRequest, UtcTime};
use mymt5_proto::{Reason, Refusal};
use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior, interval, timeout, timeout_at},
};
use tokio_util::task::TaskTracker;

/// Messages that may wait for the core.
const MAILBOX: usize = 1_024;
/// Sends that may be under way at a time.
const MAX_IN_FLIGHT: usize = 256;
/// How long a drain waits for orders under way.
const DRAIN: Duration = Duration::from_millis(2_500);
/// Before a stale snapshot is read again.
const STALE_PAUSE: Duration = Duration::from_millis(20);

type Outcome = Result<Receipt, SendFailure>;
type Work = Box<dyn FnOnce(&mut Core) -> Vec<Effect> + Send>;

enum Message {
    Run(Work),
    Wait(OrderId, oneshot::Sender<Order>),
    Change(Change),
    Snapshot(Result<Snapshot, BrokerError>),
    History(Result<History, BrokerError>),
    Sent(OrderId, Outcome),
    CancelSent(OrderId, Outcome),
}

/// The way to the orders core. Cheap to clone.
#[derive(Clone)]
pub struct Orders {
    mailbox: mpsc::Sender<Message>,
    sends: TaskTracker,
    log: EventLog,
    hub: Hub,
    instruments: Instruments,
    journal_id: Arc<str>,
}

impl Orders {
    /// Starts the core's task; it ends when the last handle is gone.
    #[must_use]
    pub fn start(
        core: Core,
        log: EventLog,
        broker: Arc<dyn Broker>,
        hub: Hub,
        instruments: Instruments,
    ) -> Self {
        let (mailbox, inbox) = mpsc::channel(MAILBOX);
        let sends = TaskTracker::new();
        let actor = Actor {
            core,
            broker,
            mailbox: mailbox.downgrade(),
            sends: sends.clone(),
            waiters: HashMap::new(),
            reading: false,
            dirty: false,
        };
        tokio::spawn(actor.run(inbox));
        let journal_id = uuid::Uuid::new_v4().simple().to_string().into();
        Self {
            mailbox,
            sends,
            log,
            hub,
            instruments,
            journal_id,
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

    /// Takes a new order.
    ///
    /// # Errors
    /// See [`Core::submit`]; `QUEUE_FULL` when too many calls wait.
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

    async fn decide(
        &self,
        work: impl FnOnce(&mut Core) -> Result<(Taken, Vec<Effect>), Refusal> + Send + 'static,
    ) -> Result<Taken, Refusal> {
        self.run(move |core| match work(core) {
            Ok((taken, effects)) => (Ok(taken), effects),
            Err(refusal) => (Err(refusal), Vec::new()),
        })
        .await?
    }

    /// Reads something from the core.
    ///
    /// # Errors
    /// `QUEUE_FULL` when too many calls wait.
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
            let _ = answer.send(value);
            effects
        });
        self.mailbox
            .try_send(Message::Run(work))
            .map_err(|_| Refusal::new(Reason::QueueFull).after(Duration::from_secs(1)))?;
        answered.await.map_err(|_| Refusal::new(Reason::Internal))
    }

    /// Tells the core something that must not be lost to a full mailbox; waits until it has it.
    pub async fn tell(&self, work: impl FnOnce(&mut Core) + Send + 'static) {
        let work: Work = Box::new(move |core| {
            work(core);
            Vec::new()
        });
        let _ = self.mailbox.send(Message::Run(work)).await;
    }

    /// The order once the broker's word on it is known, or as it stands at that time. An order
    /// that was taken is never answered by a refusal: this waits for room in the mailbox.
    ///
    /// # Errors
    /// `INTERNAL` when the core is gone.
    pub async fn answered(&self, id: OrderId, until: Instant) -> Result<Order, Refusal> {
        let gone = || Refusal::new(Reason::Internal);
        let (tell, told) = oneshot::channel();
        self.mailbox
            .send(Message::Wait(id, tell))
            .await
            .map_err(|_| gone())?;
        if let Ok(Ok(order)) = timeout_at(until, told).await {
            return Ok(order);
        }
        let (tell, told) = oneshot::channel();
        self.tell(move |core| drop(tell.send(core.order(id).cloned())))
            .await;
        told.await.ok().flatten().ok_or_else(gone)
    }

    /// Takes a snapshot of the broker, read by the link as it comes up.
    pub async fn read(&self, snapshot: Snapshot) {
        let _ = self.mailbox.send(Message::Snapshot(Ok(snapshot))).await;
    }

    /// Hands on what the broker reported.
    pub async fn report(&self, change: Change) {
        // The receiver lives as long as any handle does.
        let _ = self.mailbox.send(Message::Change(change)).await;
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
    }
}

struct Actor {
    core: Core,
    broker: Arc<dyn Broker>,
    mailbox: mpsc::WeakSender<Message>,
    sends: TaskTracker,
    waiters: HashMap<OrderId, Vec<oneshot::Sender<Order>>>,
    reading: bool,
    dirty: bool,
}

impl Actor {
    async fn run(mut self, mut inbox: mpsc::Receiver<Message>) {
        let mut second = interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                message = inbox.recv() => match message {
                    Some(message) => self.take(message),
                    None => return,
                },
                _ = second.tick() => self.dirty = true,
            }
            self.read_if_dirty();
        }
    }

    fn take(&mut self, message: Message) {
        self.core.at(UtcTime(clock::utc_now_ms()));
        match message {
            Message::Run(work) => {
                let effects = work(&mut self.core);
                self.perform(effects);
            }
            Message::Wait(id, tell) => self.waiters.entry(id).or_default().push(tell),
            Message::Change(change) => self.on_change(change),
            Message::Snapshot(snapshot) => self.on_snapshot(snapshot),
            Message::History(Ok(history)) => {
                history.orders.iter().for_each(|row| self.core.on_row(row))
            }
            Message::History(Err(error)) => tracing::warn!(%error, "history not read"),
            Message::Sent(id, outcome) => self.core.on_sent(id, outcome),
            Message::CancelSent(id, outcome) => self.core.on_cancel_sent(id, outcome),
        }
        self.wake();
    }

    fn on_change(&mut self, change: Change) {
        self.dirty = true;
        match change {
            Change::Deal(deal) => self.core.on_deal(deal),
            Change::MarginCall(level) => self.core.announce(super::Event::MarginCall(level)),
            Change::RowsChanged | Change::FeedEnded | Change::LinkLost(_) => {}
        }
    }

    fn on_snapshot(&mut self, snapshot: Result<Snapshot, BrokerError>) {
        self.reading = false;
        match snapshot {
            Ok(snapshot) => {
                let (fresh, effects) = self.core.on_snapshot(snapshot);
                self.dirty |= !fresh;
                self.perform(effects);
            }
            Err(error) => tracing::debug!(%error, "snapshot not read"),
        }
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send(id, request) if self.core.sending(id) => {
                    self.send(id, request, Message::Sent)
                }
                Effect::Send(..) => {}
                Effect::SendCancel(id, request) => self.send(id, request, Message::CancelSent),
                Effect::LookUp(ticket) => self.look_up(ticket),
            }
        }
    }

    /// Sends once, in a task of its own. A panic on the way is an unknown outcome.
    fn send(&self, id: OrderId, request: TradeRequest, report: fn(OrderId, Outcome) -> Message) {
        let broker = self.broker.clone();
        let crowded = self.sends.len() >= MAX_IN_FLIGHT;
        self.report_back(async move {
            if crowded {
                return report(
                    id,
                    Err(SendFailure::NotSent("too many orders under way".into())),
                );
            }
            let outcome = AssertUnwindSafe(broker.send(&request)).catch_unwind().await;
            report(
                id,
                outcome.unwrap_or_else(|_| {
                    Err(SendFailure::Unknown("the sending task panicked".into()))
                }),
            )
        });
    }

    fn look_up(&self, ticket: Ticket) {
        const DAY_MS: i64 = 86_400_000;
        let now = self.core.book().as_of().map_or(0, |time| time.0);
        let broker = self.broker.clone();
        self.report_back(async move {
            let mut history = broker
                .history(BrokerTime(now - DAY_MS), BrokerTime(now + DAY_MS))
                .await;
            if let Ok(history) = &mut history {
                history.orders.retain(|row| row.ticket == ticket);
            }
            Message::History(history)
        });
    }

    fn read_if_dirty(&mut self) {
        if self.reading || !self.dirty {
            return;
        }
        (self.reading, self.dirty) = (true, false);
        let broker = self.broker.clone();
        let stale = self.core.book().account().is_none();
        self.report_back(async move {
            if stale {
                tokio::time::sleep(STALE_PAUSE).await;
            }
            Message::Snapshot(broker.snapshot().await)
        });
    }

    fn report_back(&self, task: impl Future<Output = Message> + Send + 'static) {
        let mailbox = self.mailbox.clone();
        self.sends.spawn(async move {
            let message = task.await;
            if let Some(mailbox) = mailbox.upgrade() {
                let _ = mailbox.send(message).await;
            }
        });
    }

    fn wake(&mut self) {
        let core = &self.core;
        self.waiters.retain(|id, waiting| match core.order(*id) {
            Some(order) if order.is_answered() && !order.cancel_pending => {
                waiting
                    .drain(..)
                    .for_each(|waiter| drop(waiter.send(order.clone())));
                false
            }
            Some(_) => {
                waiting.retain(|waiter| !waiter.is_closed());
                !waiting.is_empty()
            }
            None => false,
        });
    }
}
