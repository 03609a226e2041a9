//! Where ended steps go, which traces are recorded, and under which step a call of this process is.

use super::step::Step;
use crate::{clock, metrics::SPANS_DROPPED, trace_context::TraceContext};
use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};
use tokio::sync::mpsc;

/// Calls whose trace is remembered for what follows from them.
const CALLS: usize = 4_096;

/// The process's own, as the recorder of metrics is.
static INSTALLED: OnceLock<Tracer> = OnceLock::new();

/// The way to the exporter. Clones are one.
#[derive(Clone)]
pub(super) struct Tracer(Arc<Shared>);

struct Shared {
    queue: mpsc::Sender<Step>,
    /// How many of the traces are recorded, 0 to 1.
    share: f64,
    calls: Mutex<Calls>,
}

/// The newest call of each trace; the oldest trace is forgotten first.
#[derive(Default)]
struct Calls {
    spans: HashMap<[u8; 16], [u8; 8]>,
    order: VecDeque<[u8; 16]>,
}

impl Calls {
    fn remember(&mut self, call: &TraceContext) {
        if self.spans.insert(call.trace_id, call.span_id).is_none() {
            self.order.push_back(call.trace_id);
        }
        if self.order.len() > CALLS
            && let Some(oldest) = self.order.pop_front()
        {
            self.spans.remove(&oldest);
        }
    }
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer").finish_non_exhaustive()
    }
}

impl Tracer {
    pub(super) fn new(queue: mpsc::Sender<Step>, share: f64) -> Self {
        Self(Arc::new(Shared {
            queue,
            share,
            calls: Mutex::default(),
        }))
    }

    /// Whether the trace is one of the share. Both processes judge alike, by the half of its id that is
    /// random in each kind of id.
    pub(super) fn samples(&self, context: &TraceContext) -> bool {
        const ALL: f64 = (1_u64 << 56) as f64;
        let [.., a, b, c, d, e, f, g] = context.trace_id;
        let place = u64::from_be_bytes([0, a, b, c, d, e, f, g]);
        (place as f64) < self.0.share * ALL
    }

    /// Hands a step to the exporter. Without room it is given up: an order does not wait for it.
    pub(super) fn tell(&self, step: Step) {
        if self.0.queue.try_send(step).is_err() {
            metrics::counter!(SPANS_DROPPED).increment(1);
        }
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.0.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn remember(&self, call: &TraceContext) {
        self.calls().remember(call);
    }

    /// The newest call of a recorded trace.
    pub(super) fn call_of(&self, trace_id: &str) -> Option<TraceContext> {
        let mut trace = [0; 16];
        hex::decode_to_slice(trace_id, &mut trace).ok()?;
        let span_id = *self.calls().spans.get(&trace)?;
        Some(TraceContext {
            trace_id: trace,
            span_id,
            sampled: true,
        })
    }
}

/// Makes it the process's; a second one is not taken.
pub(super) fn install(tracer: Tracer) {
    let _ = INSTALLED.set(tracer);
}

pub(super) fn installed() -> Option<&'static Tracer> {
    INSTALLED.get()
}

/// Unix nanoseconds, for the beginning of a span that may follow; 0 where traces are off.
#[must_use]
pub fn now_ns() -> u64 {
    installed().map_or(0, |_| clock::utc_now_ns())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn tracer(share: f64) -> Tracer {
        Tracer::new(mpsc::channel(1).0, share)
    }

    #[test]
    fn the_share_of_recorded_traces_is_about_the_one_that_is_asked_for() {
        let tracer = tracer(0.25);
        let sampled = (0..4_000)
            .filter(|_| tracer.samples(&TraceContext::new()))
            .count();
        assert!((700..1_300).contains(&sampled), "{sampled}");
    }

    #[test]
    fn as_many_calls_are_remembered_as_there_is_room_for() {
        let tracer = tracer(1.0);
        let first = TraceContext::new();
        tracer.remember(&first);
        tracer.remember(&first.child());
        assert_ne!(tracer.call_of(&first.trace_hex()).unwrap(), first);
        for _ in 0..CALLS {
            tracer.remember(&TraceContext::new());
        }
        assert_eq!(tracer.calls().spans.len(), CALLS);
        assert_eq!(tracer.calls().order.len(), CALLS);
        assert_eq!(tracer.call_of(&first.trace_hex()), None);
        for unknown in ["", "garbage"] {
            assert_eq!(tracer.call_of(unknown), None);
        }
    }
}
