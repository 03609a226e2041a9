//! The one way out: what a step leads to, in the order in which it must happen.

use crate::{
    Audience, Event, Record, Recorded,
    check::CheckReport,
    flatten::FlattenReport,
    notices::Notice,
    order::Order,
    records::{ChangeOutcome, RequestKey},
    time::Now,
};
use mymt5_guard::TradingState;
use mymt5_model::{OrderId, Refusal, TradeRequest};
use std::sync::Arc;

/// Who waits for an answer: a number that the shell gives and knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asker(pub u64);

/// A change of an order or a position on its way, numbered within the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeId(pub u64);

/// What an answer of the broker belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Job {
    /// An order that was sent.
    Order(OrderId),
    /// A change that was sent.
    Change(ChangeId),
}

/// One request for the broker: to be sent once, now, and not after its time.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// What the answer belongs to.
    pub job: Job,
    /// The request.
    pub request: TradeRequest,
    /// It must have left by then, on the clock that never goes back.
    pub before_ms: i64,
    /// The trace of the call that led to it; empty where no call did.
    pub trace_id: String,
}

/// How a change stands, and what it was made to as that stands now.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeAnswer {
    /// What became of it.
    pub outcome: ChangeOutcome,
    /// The order, where it was one of ours.
    pub order: Option<Order>,
    /// The position, where it was one that is still open.
    pub position: Option<crate::Position>,
}

/// What a call is answered with.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Nothing was done.
    Refused(Refusal),
    /// The order made, or found under the request id.
    Order(Box<Order>),
    /// A change.
    Change(Box<ChangeAnswer>),
    /// A trading state: the one entered, or the one that binds the client.
    State(TradingState),
    /// A flatten, and what is left.
    Flatten(FlattenReport),
    /// What would become of an order.
    Check(CheckReport),
    /// It was done.
    Done,
}

/// What a step leads to. Records are made durable, in their order and all of a step's together;
/// answers and the events among the records are told only then. Requests leave at once: what they
/// depend on is durable already.
#[derive(Debug, Default)]
pub struct Outbox {
    /// To make durable.
    pub records: Vec<Record>,
    /// To send.
    pub sends: Vec<Outgoing>,
    /// To answer, once the records so far are durable.
    pub answers: Vec<(Asker, Answer)>,
    /// To log and to raise as alerts.
    pub notices: Vec<Notice>,
    /// The records may wait for others: nothing waits for them.
    pub may_wait: bool,
}

impl Outbox {
    /// True when there is nothing in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty()
            && self.sends.is_empty()
            && self.answers.is_empty()
            && self.notices.is_empty()
    }
}

/// The outbox as the parts of the core fill it.
#[derive(Debug)]
pub(crate) struct Out {
    pub(crate) now: Now,
    /// Sequence of the newest event.
    pub(crate) sequence: u64,
    /// Records so far, in this process.
    pub(crate) recorded: u64,
    /// True while all records of the box may wait.
    patient: bool,
    outbox: Outbox,
}

impl Out {
    pub(crate) fn new(now: Now, sequence: u64) -> Self {
        Self {
            now,
            sequence,
            recorded: 0,
            patient: true,
            outbox: Outbox::default(),
        }
    }

    pub(crate) fn take(&mut self) -> Outbox {
        let mut outbox = std::mem::take(&mut self.outbox);
        outbox.may_wait = self.patient && outbox.answers.is_empty();
        self.patient = true;
        outbox
    }

    pub(crate) fn record(&mut self, record: Record) {
        self.patient = false;
        self.record_patiently(record);
    }

    /// A record that nothing waits for: it goes with the next ones.
    pub(crate) fn record_patiently(&mut self, record: Record) {
        self.recorded += 1;
        self.outbox.records.push(record);
    }

    /// Records an event.
    pub(crate) fn emit(&mut self, trace_id: &str, audience: Audience, event: Event) {
        self.patient = false;
        self.emit_patiently(trace_id, audience, event);
    }

    /// Records an event that may go with the next ones.
    pub(crate) fn emit_patiently(&mut self, trace_id: &str, audience: Audience, event: Event) {
        self.sequence += 1;
        self.record_patiently(Record::Event(Arc::new(Recorded {
            sequence: self.sequence,
            at: self.now.utc,
            trace_id: trace_id.to_owned(),
            audience,
            event,
        })));
    }

    pub(crate) fn send(&mut self, outgoing: Outgoing) {
        self.outbox.sends.push(outgoing);
    }

    pub(crate) fn answer(&mut self, asker: Asker, answer: Answer) {
        self.outbox.answers.push((asker, answer));
    }

    pub(crate) fn refuse(&mut self, asker: Asker, refusal: Refusal) {
        self.answer(asker, Answer::Refused(refusal));
    }

    pub(crate) fn notice(&mut self, notice: Notice) {
        self.outbox.notices.push(notice);
    }

    pub(crate) fn settle(&mut self, key: RequestKey, subject: crate::Subject) {
        self.record(Record::Outcome(key, subject));
    }
}
