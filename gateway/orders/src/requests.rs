//! The ids of calls: each bound once, with the digest of its content and what it led to, and never
//! forgotten. In memory are those whose changes are under way, and the newest; the others are
//! looked up before a step.

use crate::{
    Call, Record, Request, RequestKey, Subject,
    input::Found,
    outbox::Out,
    records::{ChangeEdit, ChangeOutcome, Target},
};
use mymt5_model::{Reason, Refusal};
use std::collections::{HashMap, VecDeque};

/// Settled ids that stay in memory.
const REMEMBERED: usize = 1_024;

#[derive(Debug)]
struct Bound {
    content: [u8; 32],
    subject: Subject,
}

/// The ids in memory.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    bound: HashMap<RequestKey, Bound>,
    /// Settled ones, the oldest first, with the number of records after which each may go.
    settled: VecDeque<(RequestKey, u64)>,
    fresh: Vec<RequestKey>,
}

impl Requests {
    pub(crate) fn new(open: Vec<Request>) -> Self {
        let bound = open.into_iter().map(|request| {
            let key = request.key();
            let content = request.content;
            let subject = request.subject;
            (key, Bound { content, subject })
        });
        Self {
            bound: bound.collect(),
            ..Self::default()
        }
    }

    /// What a call led to, when it was taken before.
    pub(crate) fn find(&self, call: &Call, found: &Found) -> Result<Option<Subject>, Refusal> {
        let key = call.key();
        let here = self.bound.get(&key);
        let here = here.map(|bound| (bound.content, &bound.subject));
        let past = found.requests.get(&key);
        let past = past.map(|request| (request.content, &request.subject));
        match here.or(past) {
            Some((content, subject)) if content == call.content => Ok(Some(subject.clone())),
            Some(_) => Err(Refusal::new(Reason::IdempotencyMismatch)),
            None => Ok(None),
        }
    }

    /// What an id in memory led to.
    pub(crate) fn subject(&self, key: &RequestKey) -> Option<&Subject> {
        Some(&self.bound.get(key)?.subject)
    }

    /// Binds a call's id.
    pub(crate) fn bind(&mut self, call: &Call, subject: Subject, out: &mut Out) {
        let key = call.key();
        let content = call.content;
        if is_settled(&subject) {
            self.fresh.push(key.clone());
        }
        let bound = Bound {
            content,
            subject: subject.clone(),
        };
        self.bound.insert(key, bound);
        out.record(Record::Request(Request {
            client: call.client.clone(),
            request_id: call.request_id.clone(),
            method: call.method.to_owned(),
            content,
            subject,
            at: out.now.utc,
            trace_id: call.trace_id.clone(),
        }));
    }

    /// The outcome of a bound change is known better.
    pub(crate) fn settle(
        &mut self,
        key: &RequestKey,
        target: Target,
        edit: ChangeEdit,
        outcome: ChangeOutcome,
        out: &mut Out,
    ) {
        let subject = Subject::Change(target, edit, outcome);
        if let Some(bound) = self.bound.get_mut(key)
            && bound.subject != subject
        {
            bound.subject = subject.clone();
            out.settle(key.clone(), subject);
            if outcome.is_final() {
                self.fresh.push(key.clone());
            }
        }
    }

    /// The end of a step: what settled in it may be forgotten once it is durable.
    pub(crate) fn flush(&mut self, out: &Out) {
        let fresh = std::mem::take(&mut self.fresh);
        let fresh = fresh.into_iter().map(|key| (key, out.recorded));
        self.settled.extend(fresh);
    }

    /// Forgets the oldest settled ids, once they are durable.
    pub(crate) fn forget(&mut self, durable: u64) {
        while self.settled.len() > REMEMBERED {
            match self.settled.front() {
                Some((_, after)) if *after <= durable => {}
                _ => return,
            }
            if let Some((key, _)) = self.settled.pop_front() {
                self.bound.remove(&key);
            }
        }
    }

    pub(crate) fn in_memory(&self) -> usize {
        self.bound.len()
    }
}

fn is_settled(subject: &Subject) -> bool {
    !matches!(subject, Subject::Change(_, _, outcome) if !outcome.is_final())
}
