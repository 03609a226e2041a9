//! How requests leave for the broker: each once, in a task of its own, and what is reported of it.

use super::{messages::Message, task::OrdersTask};
use crate::broker::{Dispatch, SendFailure};
use futures_util::FutureExt;
use mymt5_chassis::traces::{Kind, Span};
use mymt5_model::Receipt;
use mymt5_orders::{Input, Job, Outgoing};
use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// How many times the bound of an answer one that is late is still listened for.
const LATE_ANSWERS: u32 = 10;

type Outcome = Result<Receipt, SendFailure>;

impl OrdersTask {
    /// Sends once, in a task of its own. No answer in time, or a panic on the way, is an unknown
    /// outcome; an answer that comes later is evidence all the same.
    pub(super) fn send(&self, outgoing: Outgoing) {
        let Outgoing {
            job,
            request,
            before_ms,
            trace_id,
        } = outgoing;
        let mut span = Span::within(&trace_id, "broker", Kind::Client);
        let left = u64::try_from(before_ms).unwrap_or(0);
        let dispatch = Dispatch {
            before: self.origin + Duration::from_millis(left),
            trace_id,
        };
        let broker = self.setup.broker.clone();
        let bound = self.setup.send_timeout;
        let mailbox = self.mailbox.clone();
        self.sends.spawn(async move {
            let begun = Instant::now();
            let answer = AssertUnwindSafe(broker.send(&request, &dispatch)).catch_unwind();
            let mut answer = std::pin::pin!(answer.map(|answer| {
                answer.unwrap_or_else(|_| {
                    Err(SendFailure::Unknown("the sending task panicked".into()))
                })
            }));
            let (first, silent) = match timeout(bound, &mut answer).await {
                Ok(outcome) => (outcome, false),
                Err(_) => (Err(SendFailure::Unknown("no answer in time".into())), true),
            };
            metrics::histogram!("mymt5_broker_answer_duration_seconds").record(begun.elapsed());
            if let (Some(span), Err(failure)) = (&mut span, &first) {
                span.fail(kind(failure));
            }
            let commit = span.map(|span| span.then("commit"));
            let Some(mailbox) = mailbox.upgrade() else {
                return;
            };
            let _ = mailbox.send(answered(job, first, false, commit)).await;
            if silent && let Ok(outcome) = timeout(bound * LATE_ANSWERS, answer).await {
                let _ = mailbox.send(answered(job, outcome, true, None)).await;
            }
        });
    }
}

/// What is reported, and the step of its trace that ends once it is durable.
fn answered(job: Job, outcome: Outcome, late: bool, commit: Option<Span>) -> Message {
    let input = Input::Answered { job, outcome, late };
    Message::Answered(Box::new(input), commit)
}

/// The kind of a failure, without the broker's words.
const fn kind(failure: &SendFailure) -> &'static str {
    match failure {
        SendFailure::Rejected(_) => "rejected",
        SendFailure::NotSent(_) => "not sent",
        SendFailure::Throttled(_) => "throttled",
        SendFailure::Unknown(_) => "outcome unknown",
    }
}
