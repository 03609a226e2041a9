//! The task that owns the core. Each message changes it at once; what that leads to (sends,
//! answers, events) happens once its records are durable. While one batch of records is being
//! written the next one gathers.

use super::{events::EventLog, queue::SendQueue, reads::Reads};
use crate::{
    broker::{self, Broker, BrokerError, History, SendFailure, Snapshot},
    journal::{JournalError, Writer},
    market::Hub,
};
use mymt5_chassis::clock;
use mymt5_model::{OrderId, Receipt, UtcTime};
use mymt5_orders::{Change, Core, Effect, Event, LevelsKey, Record, Recorded};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval},
};
use tokio_util::task::TaskTracker;

pub(super) type Outcome = Result<Receipt, SendFailure>;
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

pub(super) struct OrdersTask {
    pub(super) core: Core,
    pub(super) setup: Setup,
    pub(super) mailbox: mpsc::WeakSender<Message>,
    pub(super) sends: TaskTracker,
    pub(super) queue: SendQueue,
    pub(super) hub: Hub,
    pub(super) waiters: Vec<Question>,
    next: Batch,
    committing: Option<Batch>,
    pub(super) up: watch::Sender<bool>,
    pub(super) reads: Reads,
}

impl OrdersTask {
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
            reads: Reads::default(),
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
        self.reads.want();
        self.core.blind(self.reads.are_blind());
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
            Message::Snapshot(begun, _) if self.reads.are_outdated(Some(begun)) => {}
            Message::Pass(begun, _) if self.reads.are_outdated(begun) => {}
            Message::Snapshot(_, read) => {
                let fresh = read.map(|snapshot| self.core.on_snapshot(snapshot));
                self.reads.ended(fresh);
            }
            Message::Pass(_, read) => {
                let fresh = read.map(|(snapshot, history)| self.core.on_pass(snapshot, history));
                self.reads.ended(fresh);
            }
            Message::Sent(id, outcome) => self.core.on_sent(id, outcome),
            Message::ChangeSent(id, change, outcome) => {
                self.reads.changed();
                self.core.on_change_sent(id, change, outcome);
            }
            Message::LevelsSent(key, outcome) => {
                self.reads.changed();
                self.core.on_levels_sent(&key, outcome);
            }
            Message::LaneFree => self.queue.free(),
        }
        self.after(Vec::new());
    }

    fn on_change(&mut self, change: broker::Change) {
        self.reads.want();
        match change {
            broker::Change::Deal(deal) => self.core.on_deal(deal),
            broker::Change::MarginCall(level) => self.core.announce(Event::MarginCall(level)),
            broker::Change::RowsChanged
            | broker::Change::FeedEnded
            | broker::Change::LinkLost(_) => {}
        }
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
