//! How requests leave for the broker: each once, in a task of its own, and what is told of it.

use super::{
    queue::Job,
    task::{Message, OrdersTask, Outcome},
};
use crate::broker::{Dispatch, SendFailure};
use futures_util::FutureExt;
use mymt5_model::TradeRequest;
use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// How many times the bound of an answer one that is late is still listened for.
const LATE_ANSWERS: u32 = 10;
impl OrdersTask {
    /// Sends what waits, as far as lanes are free.
    pub(super) fn send_next(&mut self) {
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
}

fn too_late() -> SendFailure {
    SendFailure::NotSent("its time passed before it could be sent".into())
}
