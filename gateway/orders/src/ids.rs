//! The ids of calls: each bound once, with the digest of its content and what it led to, and never
//! forgotten.

use super::{
    core::{Core, Taken},
    modify::LevelsKey,
    order::Call,
};
use crate::records::{LevelsOutcome, Record, Request, Subject};
use mymt5_model::{ClientName, Levels, OrderId, PositionId, RequestId};
use mymt5_model::{Reason, Refusal};
use std::collections::HashMap;

/// The ids seen, each with the digest of its content and what it led to. Never pruned.
#[derive(Debug, Default)]
pub(super) struct Requests(HashMap<(ClientName, RequestId), ([u8; 32], Subject)>);

impl Requests {
    pub(super) fn new(kept: Vec<Request>) -> Self {
        let bound = kept.into_iter().map(|request| {
            let mut content = [0; 32];
            // A digest that cannot be read matches nothing: the id stays bound, and mismatches.
            let _ = hex::decode_to_slice(&request.content, &mut content);
            (
                (request.client, request.request_id),
                (content, request.subject),
            )
        });
        Self(bound.collect())
    }

    /// What a call led to, when it was taken before.
    pub(super) fn find(&self, call: &Call) -> Result<Option<Subject>, Refusal> {
        match self.0.get(&(call.client.clone(), call.request_id.clone())) {
            Some((content, subject)) if *content == call.content => Ok(Some(*subject)),
            Some(_) => Err(Refusal::new(Reason::IdempotencyMismatch)),
            None => Ok(None),
        }
    }

    /// The order that a request id led to.
    pub(super) fn order(&self, client: &ClientName, id: &RequestId) -> Option<OrderId> {
        match self.0.get(&(client.clone(), id.clone()))?.1 {
            Subject::Order(order) => Some(order),
            _ => None,
        }
    }

    pub(super) fn subject(&self, client: &ClientName, id: &RequestId) -> Option<Subject> {
        Some(self.0.get(&(client.clone(), id.clone()))?.1)
    }

    /// Replaces what a bound request led to. False: there is none, or it is the same.
    pub(super) fn settle(&mut self, client: &ClientName, id: &RequestId, subject: Subject) -> bool {
        let bound = self.0.get_mut(&(client.clone(), id.clone()));
        bound.is_some_and(|bound| std::mem::replace(&mut bound.1, subject) != subject)
    }

    /// Changes of levels that were on their way when the process ended.
    pub(super) fn pending_levels(&self) -> Vec<(LevelsKey, PositionId, Levels)> {
        let open = |outcome| matches!(outcome, LevelsOutcome::Pending | LevelsOutcome::Unknown);
        let pending = self
            .0
            .iter()
            .filter_map(|((client, id), (_, subject))| match *subject {
                Subject::Levels(position, levels, outcome) if open(outcome) => {
                    Some((LevelsKey(client.clone(), id.clone()), position, levels))
                }
                _ => None,
            });
        pending.collect()
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= Core::CAPACITY
    }
}

impl Core {
    /// Binds a request id to what its call led to.
    pub(super) fn bind(&mut self, call: &Call, subject: Subject) {
        let key = (call.client.clone(), call.request_id.clone());
        self.requests.0.insert(key, (call.content, subject));
        self.records.push(Record::Request(Request {
            client: call.client.clone(),
            request_id: call.request_id.clone(),
            method: call.method.to_owned(),
            content: hex::encode(call.content),
            subject,
            at: self.now,
            correlation: call.correlation.clone(),
        }));
    }

    pub(super) fn known_order(&self, call: &Call) -> Result<Option<Taken>, Refusal> {
        let known = self.requests.find(call)?;
        Ok(known.and_then(|subject| match subject {
            Subject::Order(order) => Some(Taken {
                order,
                repeated: true,
            }),
            _ => None,
        }))
    }
}
