//! The task that owns the core. Each message changes it at once; what that leads to (sends,
//! answers, events) happens once its records are durable. While one batch of records is being
//! written the next one gathers.

use super::{
    core::{Change, Core, Effect},
    events::{Event, EventLog, Recorded},
    modify::LevelsKey,
    queue::{Job, SendQueue},
    reconcile::Reach,
};
use crate::{
    broker::{self, Broker, BrokerError, Dispatch, History, SendFailure, Snapshot},
    journal::{JournalError, Record, Writer},
    market::Hub,
};
use futures_util::FutureExt;
use mymt5_chassis::clock;
use mymt5_model::{OrderId, Receipt, TradeRequest, UtcTime};
use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::task::TaskTracker;

/// How many times the bound of an answer one that is late is still listened for.
const LATE_ANSWERS: u32 = 10;
/// Before a stale snapshot is read again.
const STALE_PAUSE: Duration = Duration::from_millis(20);
/// The longest such pause.
const STALE_PAUSE_MAX: Duration = Duration::from_secs(5);
/// Before a broker that did not answer is asked again.
const FAILED_PAUSE: Duration = Duration::from_secs(1);

type Outcome = Result<Receipt, SendFailure>;
pub(super) type Answer = Box<dyn FnOnce() + Send>;
pub(super) type Work = Box<dyn FnOnce(&mut Core) -> (Answer, Vec<Effect>) + Send>;

/// Answers once what it waits for is there, or once nobody waits any more.
pub(super) type Question = Box<dyn FnMut(&Core) -> Option<Answer> + Send>;

pub(super) enum Message {
    Run(Work),
    /// Asked after every change until it has an answer.
    Wait(Question),
    Change(broker::Change),
    Snapshot(u64, Result<Snapshot, BrokerError>),
    /// Without a number: read by the link before anything could change.
    Pass(Option<u64>, Result<(Snapshot, History), BrokerError>),
    Sent(OrderId, Outcome),
    ChangeSent(OrderId, Change, Outcome),
    LevelsSent(LevelsKey, Outcome),
    LaneFree,
}

/// What the task works with.
pub struct Setup {
    /// Executes orders.
    pub broker: Arc<dyn Broker>,
    /// Makes records durable.
    pub writer: Writer,
    /// Holds the durable events.
    pub log: EventLog,
    /// Identity of the event sequence.
    pub journal_id: Arc<str>,
    /// How long a send may take before its outcome counts as unknown.
    pub send_timeout: Duration,
}

/// Records on their way to the journal, and what follows once they are there.
#[derive(Default)]
struct Batch {
    records: Vec<Record>,
    events: Vec<Arc<Recorded>>,
    effects: Vec<Effect>,
    answers: Vec<Answer>,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.records.is_empty() && self.effects.is_empty() && self.answers.is_empty()
    }
}

pub(super) struct Desk {
    core: Core,
    setup: Setup,
    mailbox: mpsc::WeakSender<Message>,
    sends: TaskTracker,
    queue: SendQueue,
    hub: Hub,
    waiters: Vec<Question>,
    next: Batch,
    committing: Option<Batch>,
    up: watch::Sender<bool>,
    reading: bool,
    dirty: bool,
    pause: Duration,
    /// Outcomes of changes so far, and outdated rows in a row.
    changes: Arc<AtomicU64>,
    outdated: u32,
}

impl Desk {
    pub(super) fn new(
        core: Core,
        setup: Setup,
        hub: Hub,
        mailbox: mpsc::WeakSender<Message>,
        sends: TaskTracker,
        up: watch::Sender<bool>,
    ) -> Self {
        let queue = SendQueue::new(setup.broker.lanes());
        Self {
            core,
            setup,
            mailbox,
            sends,
            queue,
            hub,
            waiters: Vec::new(),
            next: Batch::default(),
            committing: None,
            up,
            reading: false,
            dirty: false,
            pause: Duration::ZERO,
            changes: Arc::default(),
            outdated: 0,
        }
    }

    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Message>) {
        let mut second = interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                biased;
                result = self.setup.writer.done(), if self.committing.is_some() => {
                    if let Err(error) = self.committed(result) {
                        tracing::error!(%error, source = ?std::error::Error::source(&error), "journal down, trading is closed until a restart");
                        break;
                    }
                }
                message = inbox.recv() => match message {
                    Some(message) => self.take(message),
                    None => return,
                },
                _ = second.tick() => self.every_second(),
            }
            self.read_if_due();
            self.commit();
        }
        self.up.send_replace(false);
        drop((self.next, self.committing, self.waiters));
        // Whoever asks from now on gets no answer, and is told why by the handle.
        while inbox.recv().await.is_some() {}
    }

    fn every_second(&mut self) {
        self.core.at(UtcTime(clock::utc_now_ms()));
        self.dirty = true;
        self.core.expire();
        let effects = self.core.watch();
        self.after(effects);
    }

    fn take(&mut self, message: Message) {
        self.core.at(UtcTime(clock::utc_now_ms()));
        match message {
            Message::Run(work) => {
                let (answer, effects) = work(&mut self.core);
                self.next.answers.push(answer);
                self.after(effects);
                return;
            }
            Message::Wait(question) => self.waiters.push(question),
            Message::Change(change) => self.on_change(change),
            Message::Snapshot(begun, _) if self.is_outdated(Some(begun)) => self.read_again(),
            Message::Pass(begun, _) if self.is_outdated(begun) => self.read_again(),
            Message::Snapshot(_, read) => {
                let fresh = read.map(|snapshot| self.core.on_snapshot(snapshot));
                self.on_read(fresh);
            }
            Message::Pass(_, read) => {
                let fresh = read.map(|(snapshot, history)| self.core.on_pass(snapshot, history));
                self.on_read(fresh);
            }
            Message::Sent(id, outcome) => self.core.on_sent(id, outcome),
            Message::ChangeSent(id, change, outcome) => {
                self.changes.fetch_add(1, Ordering::Relaxed);
                self.core.on_change_sent(id, change, outcome);
            }
            Message::LevelsSent(key, outcome) => {
                self.changes.fetch_add(1, Ordering::Relaxed);
                self.core.on_levels_sent(&key, outcome);
            }
            Message::LaneFree => self.queue.free(),
        }
        self.after(Vec::new());
    }

    fn on_change(&mut self, change: broker::Change) {
        self.dirty = true;
        match change {
            broker::Change::Deal(deal) => self.core.on_deal(deal),
            broker::Change::MarginCall(level) => self.core.announce(Event::MarginCall(level)),
            broker::Change::RowsChanged
            | broker::Change::FeedEnded
            | broker::Change::LinkLost(_) => {}
        }
    }

    /// True for rows whose reading began before the last change of an order or of levels: they may
    /// lack it. Where changes never pause some are believed after all.
    fn is_outdated(&mut self, begun: Option<u64>) -> bool {
        const MOST: u32 = 8;
        let now = self.changes.load(Ordering::Relaxed);
        let outdated = begun.is_some_and(|begun| begun != now) && self.outdated < MOST;
        self.outdated = if outdated { self.outdated + 1 } else { 0 };
        outdated
    }

    /// Soon: how old the rows were says nothing about the broker.
    fn read_again(&mut self) {
        (self.reading, self.dirty, self.pause) = (false, true, STALE_PAUSE);
    }

    fn on_read(&mut self, fresh: Result<bool, BrokerError>) {
        self.reading = false;
        self.pause = match fresh {
            Ok(true) => Duration::ZERO,
            Ok(false) => {
                self.dirty = true;
                if self.pause >= STALE_PAUSE_MAX {
                    tracing::error!("the broker's rows are older than the deals that are known");
                }
                (self.pause * 2).clamp(STALE_PAUSE, STALE_PAUSE_MAX)
            }
            Err(error) => {
                tracing::warn!(%error, "broker not read");
                FAILED_PAUSE
            }
        };
    }

    /// Gathers what the last message led to.
    fn after(&mut self, effects: Vec<Effect>) {
        self.next.effects.extend(effects);
        self.next.effects.extend(self.core.take_effects());
        self.gather();
        self.send_next();
        self.gather();
        self.wake();
    }

    fn gather(&mut self) {
        for record in self.core.take_records() {
            if let Record::Event(event) = &record {
                self.next.events.push(event.clone());
            }
            self.next.records.push(record);
        }
    }

    fn commit(&mut self) {
        while self.committing.is_none() && !self.next.is_empty() {
            let mut batch = std::mem::take(&mut self.next);
            if batch.records.is_empty() {
                self.perform(batch);
            } else {
                self.setup.writer.hand(std::mem::take(&mut batch.records));
                self.committing = Some(batch);
            }
        }
    }

    fn committed(&mut self, result: Result<(), JournalError>) -> Result<(), JournalError> {
        result?;
        if let Some(batch) = self.committing.take() {
            self.perform(batch);
        }
        Ok(())
    }

    /// What follows once records are durable.
    fn perform(&mut self, batch: Batch) {
        if !batch.events.is_empty() {
            self.setup.log.publish(batch.events);
        }
        batch.answers.into_iter().for_each(|answer| answer());
        if batch.effects.is_empty() {
            return;
        }
        batch
            .effects
            .into_iter()
            .for_each(|effect| self.queue.push(effect));
        self.core.at(UtcTime(clock::utc_now_ms()));
        self.send_next();
        self.gather();
        self.wake();
    }

    fn send_next(&mut self) {
        while let Some(job) = self.queue.next() {
            match job {
                Job::Order(id, request) => {
                    let symbol = self.core.order(id).map(|order| &order.symbol);
                    let quote = symbol.and_then(|symbol| self.hub.latest(symbol));
                    if self.core.sending(id, quote.as_deref()) {
                        let request = self.core.resolved(id, request);
                        let before = self.core.order(id).map_or(0, |order| order.send_before_ms);
                        let dispatch = self.dispatch(before, self.core.trace_of_order(id));
                        self.send(request, dispatch, move |outcome| Message::Sent(id, outcome));
                    } else {
                        self.queue.free();
                    }
                }
                Job::Levels(key, _, before) if before <= self.core.now().0 => {
                    self.queue.free();
                    self.core.on_levels_sent(&key, Err(too_late()));
                }
                Job::Change(id, change, _, before) if before <= self.core.now().0 => {
                    self.queue.free();
                    self.core.on_change_sent(id, change, Err(too_late()));
                }
                Job::Levels(key, request, before) => {
                    let dispatch = self.dispatch(before, self.core.trace_of_levels(&key));
                    self.send(request, dispatch, move |outcome| {
                        Message::LevelsSent(key.clone(), outcome)
                    });
                }
                Job::Change(id, change, request, before) => {
                    let dispatch = self.dispatch(before, self.core.trace_of_order(id));
                    self.send(request, dispatch, move |outcome| {
                        Message::ChangeSent(id, change, outcome)
                    });
                }
            }
        }
    }

    fn dispatch(&self, before_ms: i64, correlation: &str) -> Dispatch {
        let left = u64::try_from(before_ms - self.core.now().0).unwrap_or(0);
        Dispatch {
            before: Instant::now() + Duration::from_millis(left),
            correlation: correlation.to_owned(),
        }
    }

    /// Sends once, in a task of its own. No answer in time, or a panic on the way, is an unknown
    /// outcome; an answer that comes later is evidence all the same.
    fn send(
        &self,
        request: TradeRequest,
        dispatch: Dispatch,
        report: impl Fn(Outcome) -> Message + Send + 'static,
    ) {
        let (broker, bound) = (self.setup.broker.clone(), self.setup.send_timeout);
        let mailbox = self.mailbox.clone();
        self.sends.spawn(async move {
            let answer = AssertUnwindSafe(broker.send(&request, &dispatch)).catch_unwind();
            let mut answer = std::pin::pin!(answer.map(|answer| {
                answer.unwrap_or_else(|_| {
                    Err(SendFailure::Unknown("the sending task panicked".into()))
                })
            }));
            let (first, late) = match timeout(bound, &mut answer).await {
                Ok(outcome) => (outcome, false),
                Err(_) => (Err(SendFailure::Unknown("no answer in time".into())), true),
            };
            let Some(mailbox) = mailbox.upgrade() else {
                return;
            };
            let _ = mailbox.send(report(first)).await;
            let _ = mailbox.send(Message::LaneFree).await;
            if late && let Ok(outcome) = timeout(bound * LATE_ANSWERS, answer).await {
                let _ = mailbox.send(report(outcome)).await;
            }
        });
    }

    fn read_if_due(&mut self) {
        // An account is read only once the link knows it for ours.
        let looks = self.core.wants_pass();
        if self.reading || !self.core.link_is_up() || !(self.dirty || looks) {
            return;
        }
        (self.reading, self.dirty) = (true, false);
        let (broker, mailbox) = (self.setup.broker.clone(), self.mailbox.clone());
        let (pause, reach, changes) = (self.pause, self.core.reach(), self.changes.clone());
        self.sends.spawn(async move {
            tokio::time::sleep(pause).await;
            let begun = changes.load(Ordering::Relaxed);
            let message = if looks {
                Message::Pass(Some(begun), look(broker.as_ref(), reach).await)
            } else {
                Message::Snapshot(begun, broker.snapshot().await)
            };
            if let Some(mailbox) = mailbox.upgrade() {
                let _ = mailbox.send(message).await;
            }
        });
    }

    /// Tells those who wait for what is there now.
    fn wake(&mut self) {
        let (core, answers) = (&self.core, &mut self.next.answers);
        self.waiters.retain_mut(|question| {
            let answer = question(core);
            let waits = answer.is_none();
            answers.extend(answer);
            waits
        });
    }
}

fn too_late() -> SendFailure {
    SendFailure::NotSent("its time passed before it could be sent".into())
}

/// One complete look at the broker: rows first, then the history that whatever left them is in.
///
/// # Errors
/// The broker did not answer.
pub async fn look(broker: &dyn Broker, reach: Reach) -> Result<(Snapshot, History), BrokerError> {
    let snapshot = broker.snapshot().await?;
    let (from, to) = reach.window(snapshot.time);
    let history = broker.history(from, to).await?;
    Ok((snapshot, history))
}
