//! The task that owns the core. Each message is one step: what the core needs of the past is looked
//! up before it, what it sends leaves at once, and its answers and events leave once its records
//! are durable. While one batch of records is being written the next one gathers.

use super::{
    events::EventLog,
    figures::Figures,
    messages::{Message, Reply, Then, Told, ended, refuse, refuse_one, tell},
    milliseconds, notices,
    quotes::Quotes,
    reads::Reads,
    waiting::Taking,
};
use crate::{
    broker::{self, Broker},
    journal::{JournalError, Past, Writer},
    market::{Hub, Instruments},
};
use mymt5_chassis::clock;
use mymt5_model::{Reason, Refusal, UtcTime};
use mymt5_orders::{Answer, Asker, Core, Event, Found, Input, Now, Outbox, Record, Recorded};
use std::{
    collections::HashMap,
    ops::ControlFlow,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{MissedTickBehavior, interval},
};
use tokio_util::task::TaskTracker;

/// So many messages are taken in a row while a caller waits.
const IN_A_ROW: u32 = 8;

/// What the task works with.
pub struct Setup {
    /// Executes orders.
    pub broker: Arc<dyn Broker>,
    /// Makes records durable.
    pub writer: Writer,
    /// Looks up what is not in memory.
    pub past: Past,
    /// Holds the durable events.
    pub log: EventLog,
    /// Identity of the event sequence.
    pub journal_id: Arc<str>,
    /// Identity of the account.
    pub account_id: Arc<str>,
    /// How long a send may take before its outcome counts as unknown.
    pub send_timeout: Duration,
    /// When the clock that never goes back began: at zero when the core was made.
    pub origin: Instant,
}

/// Records on their way to the journal, and what follows once they are there.
#[derive(Default)]
struct Batch {
    records: Vec<Record>,
    events: Vec<Arc<Recorded>>,
    answers: Vec<(Asker, Answer)>,
    then: Vec<Then>,
    /// Somebody waits for it.
    urgent: bool,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.records.is_empty() && self.answers.is_empty() && self.then.is_empty()
    }
}

/// Who waits for an answer.
struct Waiting {
    reply: oneshot::Sender<Told>,
    /// The records of the step that took the call: from that one, up to and without that one.
    records: (u64, u64),
    /// Its request is among them.
    recorded: bool,
}

pub(super) struct OrdersTask {
    pub(super) core: Core,
    pub(super) setup: Setup,
    pub(super) mailbox: mpsc::WeakSender<Message>,
    pub(super) sends: TaskTracker,
    pub(super) reads: Reads,
    pub(super) origin: Instant,
    hub: Hub,
    instruments: Instruments,
    waiting: HashMap<Asker, Waiting>,
    next: Batch,
    committing: Option<Batch>,
    /// Records that the core made, that were handed to the writer, and that are durable.
    made: u64,
    handed: u64,
    durable: u64,
    up: watch::Sender<bool>,
    figures: Figures,
}

impl OrdersTask {
    pub(super) fn new(
        core: Core,
        setup: Setup,
        market: (Hub, Instruments),
        mailbox: mpsc::WeakSender<Message>,
        sends: TaskTracker,
        up: watch::Sender<bool>,
    ) -> Self {
        Self {
            core,
            origin: setup.origin,
            setup,
            mailbox,
            sends,
            reads: Reads::default(),
            hub: market.0,
            instruments: market.1,
            waiting: HashMap::new(),
            next: Batch::default(),
            committing: None,
            made: 0,
            handed: 0,
            durable: 0,
            up,
            figures: Figures::new(),
        }
    }

    /// Lives until it is stopped, the last handle is gone, or the journal fails.
    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Message>, callers: Taking) {
        let ended = match self.live(&mut inbox, &callers).await {
            Ok(stop) => self.finish().await.map(|()| stop),
            Err(error) => Err(error),
        };
        self.up.send_replace(false);
        // What was not taken by now never is, and its callers learn that.
        drop(callers);
        match ended {
            Ok(stop) => {
                self.close().await;
                let _ = stop.map(|stop| stop.send(()));
            }
            Err(error) => {
                tracing::error!(%error, source = ?std::error::Error::source(&error), "journal down, trading is closed until a restart");
                self.lose();
            }
        }
        while let Some(message) = inbox.recv().await {
            refuse(message);
        }
    }

    async fn live(
        &mut self,
        inbox: &mut mpsc::Receiver<Message>,
        callers: &Taking,
    ) -> Result<Option<oneshot::Sender<()>>, JournalError> {
        let mut second = interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Skip);
        // What the start itself led to.
        self.take_outbox();
        let mut in_a_row = 0;
        loop {
            let mut is_second = false;
            let callers_turn = in_a_row >= IN_A_ROW && callers.waits();
            tokio::select! {
                biased;
                result = self.setup.writer.done(), if self.committing.is_some() => {
                    result?;
                    self.committed();
                    self.step(Input::Durable(self.durable))?;
                }
                _ = second.tick() => {
                    is_second = true;
                    self.every_second()?;
                }
                // Evidence first: it comes of what was taken of callers, and frees what they wait for.
                message = inbox.recv(), if !callers_turn => match message {
                    None => return Ok(None),
                    Some(message) => {
                        in_a_row = u32::min(in_a_row + 1, IN_A_ROW);
                        if let ControlFlow::Break(stop) = self.take(message)? {
                            return Ok(Some(stop));
                        }
                    }
                },
                message = callers.next() => {
                    in_a_row = 0;
                    if let ControlFlow::Break(stop) = self.take(message)? {
                        return Ok(Some(stop));
                    }
                }
            }
            self.read_if_due();
            self.commit();
            if is_second {
                // What is to become durable is under way by now.
                let now = self.now().utc;
                self.figures.take(&self.core, now, &self.instruments);
            }
        }
    }

    fn now(&self) -> Now {
        Now {
            utc: UtcTime(clock::utc_now_ms()),
            elapsed_ms: milliseconds(self.origin.elapsed()),
        }
    }

    /// One step of the core, and all that it leads to.
    fn step(&mut self, input: Input) -> Result<(), JournalError> {
        let wanted = self.core.wanted(&input);
        let found = if wanted.is_empty() {
            Found::default()
        } else {
            self.setup.past.find(&wanted)?
        };
        let now = self.now();
        let market = Quotes::of(&self.hub, &self.instruments);
        self.core.step(now, input, found, &market);
        self.take_outbox();
        Ok(())
    }

    fn take_outbox(&mut self) {
        let Outbox {
            records,
            sends,
            answers,
            notices,
            may_wait,
        } = self.core.take_outbox();
        self.reads.news.store(self.core.news(), Ordering::Release);
        notices.iter().for_each(notices::log);
        sends.into_iter().for_each(|outgoing| self.send(outgoing));
        self.made += records.len() as u64;
        let next = &mut self.next;
        next.urgent |= !(may_wait || records.is_empty() && answers.is_empty());
        for record in records {
            if let Record::Event(event) = &record {
                next.events.push(event.clone());
            }
            next.records.push(record);
        }
        next.answers.extend(answers);
    }

    /// Does that once everything that is known now is durable.
    fn follow(&mut self, then: Then) {
        self.next.then.push(then);
        self.next.urgent = true;
    }

    fn every_second(&mut self) -> Result<(), JournalError> {
        self.reads.wanted = true;
        // What waited for company has waited long enough.
        self.next.urgent = true;
        if let Some(input) = self.readability() {
            self.step(input)?;
        }
        self.step(Input::Second)
    }

    fn take(&mut self, message: Message) -> Result<ControlFlow<oneshot::Sender<()>>, JournalError> {
        match message {
            Message::Input(input, then) => {
                self.step(*input)?;
                then.into_iter().for_each(|then| self.follow(then));
            }
            Message::Answered(input, commit) => {
                self.step(*input)?;
                // It goes with the records.
                self.next.then.extend(commit.map(ended));
            }
            Message::Ask(asker, input, reply) => self.take_asked(asker, *input, reply)?,
            Message::Question(question) => {
                let then = question(&self.core);
                self.follow(then);
            }
            Message::Change(change) => {
                self.reads.wanted = true;
                match change {
                    broker::BrokerEvent::Deal(deal) => self.step(Input::Deal(deal))?,
                    broker::BrokerEvent::MarginCall(level) => {
                        self.step(Input::Announce(Event::MarginCall(level)))?;
                    }
                    broker::BrokerEvent::RowsChanged
                    | broker::BrokerEvent::FeedEnded(_)
                    | broker::BrokerEvent::Barrier(_)
                    | broker::BrokerEvent::LinkLost(_) => {}
                }
            }
            Message::Read(life, read) => {
                if let Some(input) = self.on_read(life, *read) {
                    self.step(input)?;
                }
            }
            Message::Stop(stop) => return Ok(ControlFlow::Break(stop)),
        }
        Ok(ControlFlow::Continue(()))
    }

    fn take_asked(&mut self, asker: Asker, input: Input, reply: Reply) -> Result<(), JournalError> {
        let Reply {
            told,
            taken,
            queued,
        } = reply;
        let (first, gathered) = (self.made, self.next.records.len());
        if let Err(error) = self.step(input) {
            refuse_one(told);
            return Err(error);
        }
        let mut records = self.next.records[gathered..].iter();
        let recorded = records.any(|record| matches!(record, Record::Request(_)));
        if recorded {
            let _ = taken.send(());
            // It goes with the records.
            let commit = queued.map(|queued| queued.then("commit"));
            self.next.then.extend(commit.map(ended));
        }
        let waiting = Waiting {
            reply: told,
            records: (first, self.made),
            recorded,
        };
        self.waiting.insert(asker, waiting);
        Ok(())
    }

    fn commit(&mut self) {
        while self.committing.is_none() && self.next.urgent && !self.next.is_empty() {
            let mut batch = std::mem::take(&mut self.next);
            if batch.records.is_empty() {
                self.perform(batch);
            } else {
                self.handed += batch.records.len() as u64;
                self.setup.writer.hand(std::mem::take(&mut batch.records));
                self.committing = Some(batch);
            }
        }
    }

    fn committed(&mut self) {
        if let Some(batch) = self.committing.take() {
            self.durable = self.handed;
            self.perform(batch);
        }
    }

    /// What follows once records are durable.
    fn perform(&mut self, batch: Batch) {
        if !batch.events.is_empty() {
            self.setup.log.publish(batch.events);
        }
        for (asker, answer) in batch.answers {
            if let Some(waiting) = self.waiting.remove(&asker) {
                let recorded = waiting.recorded;
                // A caller that went away does not undo what it asked for.
                let _ = waiting.reply.send(Told { answer, recorded });
            }
        }
        batch.then.into_iter().for_each(|then| then());
    }

    /// Ends what still waits to be sent, answers who still waits with what is known, and makes all of
    /// it durable.
    async fn finish(&mut self) -> Result<(), JournalError> {
        self.step(Input::Stop)?;
        let askers: Vec<Asker> = self.waiting.keys().copied().collect();
        for asker in askers {
            self.step(Input::GiveUp(asker))?;
        }
        loop {
            self.next.urgent = true;
            self.commit();
            if self.committing.is_none() {
                return Ok(());
            }
            self.setup.writer.done().await?;
            self.committed();
        }
    }

    /// Closes the journal, its reader first: the last connection leaves a file that is whole by
    /// itself.
    async fn close(self) {
        let Setup { writer, past, .. } = self.setup;
        let closed = tokio::task::spawn_blocking(move || {
            drop(past);
            writer.close();
        });
        if closed.await.is_err() {
            tracing::error!("the journal's thread broke");
        }
    }

    /// The journal failed: waiting callers learn whether anything of the call may be in it.
    fn lose(&mut self) {
        for (_, waiting) in self.waiting.drain() {
            let (first, end) = waiting.records;
            let never_handed = first < end && first >= self.handed;
            let reason = if never_handed {
                Reason::JournalDown
            } else {
                Reason::JournalLost
            };
            tell(waiting.reply, Refusal::new(reason));
        }
    }
}
