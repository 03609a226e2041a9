//! What is said to the core's task, and what its callers are answered.

use super::reads::Read;
use crate::broker;
use mymt5_chassis::traces::Span;
use mymt5_model::{Reason, Refusal};
use mymt5_orders::{Answer, Asker, Core, Input};
use std::time::Duration;
use tokio::sync::oneshot;

/// Done once what was known when it was made is durable.
pub(super) type Then = Box<dyn FnOnce() + Send>;
/// A question to the core; its answer is returned once what it reports is durable.
pub(super) type Question = Box<dyn FnOnce(&Core) -> Then + Send>;

pub(super) enum Message {
    /// A step, and what follows once it is durable.
    Input(Box<Input>, Option<Then>),
    /// The broker's answer, and the step of its trace that ends once it is durable. It may wait for
    /// company, as without a trace.
    Answered(Box<Input>, Option<Span>),
    /// A step that asks, and who waits for the answer.
    Ask(Asker, Box<Input>, Reply),
    /// A question.
    Question(Question),
    /// The broker reported something.
    Change(broker::BrokerEvent),
    /// The broker was read, in that life of the link.
    Read(u64, Box<Read>),
    /// The end: everything is made durable, and the journal is closed.
    Stop(oneshot::Sender<()>),
}

/// Who waits for an answer.
pub(super) struct Reply {
    pub(super) told: oneshot::Sender<Told>,
    /// Hears that the step recorded the request, which may be long before its answer. Dropped when it
    /// did not.
    pub(super) taken: oneshot::Sender<()>,
    /// The step of its trace that waits for its turn.
    pub(super) queued: Option<Span>,
}

/// An answer of the core.
#[derive(Debug)]
pub struct Told {
    /// It.
    pub answer: Answer,
    /// The step that took the call recorded its request: not so the repeat of one that was taken
    /// before.
    pub recorded: bool,
}

/// Ends a step of a trace once what was known when it was made is durable.
pub(super) fn ended(span: Span) -> Then {
    Box::new(move || span.end())
}

/// From now on callers get the answer that nothing was journaled.
pub(super) fn refuse(message: Message) {
    match message {
        Message::Ask(_, _, reply) => refuse_one(reply.told),
        Message::Stop(stop) => drop(stop.send(())),
        _ => {}
    }
}

pub(super) fn refuse_one(reply: oneshot::Sender<Told>) {
    tell(reply, down());
}

pub(super) fn tell(reply: oneshot::Sender<Told>, refusal: Refusal) {
    let _ = reply.send(Told {
        answer: Answer::Refused(refusal),
        recorded: false,
    });
}

/// Nothing is taken any more.
pub(super) fn down() -> Refusal {
    Refusal::new(Reason::JournalDown).after(Duration::from_secs(5))
}
