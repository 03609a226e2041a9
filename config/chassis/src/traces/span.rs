//! One step of a trace, from where it is opened to where it is dropped.

use super::{
    step::{Kind, Step},
    tracer::{self, Tracer},
};
use crate::{clock, trace_context::TraceContext};
use std::fmt::Display;

/// Characters of a value that are kept.
const VALUE: usize = 256;

/// How a call came in.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Its step.
    pub context: TraceContext,
    /// The caller's step.
    pub parent: Option<[u8; 8]>,
    /// When, as [`now_ns`](super::now_ns) told it.
    pub at_ns: u64,
}

/// A step under way. It ends when it is dropped; one that is not recorded costs nothing.
#[derive(Debug)]
pub struct Span {
    context: TraceContext,
    open: Option<Box<Open>>,
}

#[derive(Debug)]
struct Open {
    tracer: Tracer,
    step: Step,
}

impl Span {
    /// The first step of a new trace, which the share of sampled traces may leave unrecorded.
    #[must_use]
    pub fn root(name: &'static str) -> Self {
        let mut context = TraceContext::new();
        let Some(tracer) = tracer::installed() else {
            return Self::unrecorded(context);
        };
        context.sampled = tracer.samples(&context);
        Self::of(tracer, context, None, name, Kind::Internal)
    }

    /// The step of a call that this process answers, from its arrival on. None: its trace is not
    /// recorded.
    #[must_use]
    pub fn served(arrival: &Arrival, name: &'static str) -> Option<Self> {
        Self::served_by(tracer::installed()?, arrival, name)
    }

    fn served_by(tracer: &Tracer, arrival: &Arrival, name: &'static str) -> Option<Self> {
        let mut context = arrival.context;
        context.sampled &= tracer.samples(&context);
        if !context.sampled {
            return None;
        }
        tracer.remember(&context);
        let span = Self::of(tracer, context, arrival.parent, name, Kind::Server);
        Some(span.since(arrival.at_ns))
    }

    /// A step of what a call led to, within the call's, whether that has ended or not. None: its trace
    /// is not recorded, or the call is long past.
    #[must_use]
    pub fn within(trace_id: &str, name: &'static str, kind: Kind) -> Option<Self> {
        Self::within_by(tracer::installed()?, trace_id, name, kind)
    }

    fn within_by(tracer: &Tracer, trace_id: &str, name: &'static str, kind: Kind) -> Option<Self> {
        let call = tracer.call_of(trace_id)?;
        let parent = Some(call.span_id);
        Some(Self::of(tracer, call.child(), parent, name, kind))
    }

    /// A step of that parent, recorded where its trace is sampled.
    fn of(
        tracer: &Tracer,
        context: TraceContext,
        parent: Option<[u8; 8]>,
        name: &'static str,
        kind: Kind,
    ) -> Self {
        if !context.sampled {
            return Self::unrecorded(context);
        }
        let step = Step {
            context,
            parent,
            name,
            kind,
            begun: clock::utc_now_ns(),
            ended: 0,
            attributes: Vec::new(),
            failed: None,
        };
        let open = Open {
            tracer: tracer.clone(),
            step,
        };
        Self {
            context,
            open: Some(Box::new(open)),
        }
    }

    const fn unrecorded(context: TraceContext) -> Self {
        Self {
            context,
            open: None,
        }
    }

    /// A step within this one.
    #[must_use]
    pub fn child(&self, name: &'static str, kind: Kind) -> Self {
        let Some(open) = &self.open else {
            return Self::unrecorded(self.context);
        };
        let parent = Some(self.context.span_id);
        Self::of(&open.tracer, self.context.child(), parent, name, kind)
    }

    /// Ends this step and opens the next one within the same parent.
    #[must_use]
    pub fn then(self, name: &'static str) -> Self {
        let Some(open) = &self.open else {
            return Self::unrecorded(self.context);
        };
        let parent = open.step.parent;
        let context = self.context.child();
        Self::of(&open.tracer, context, parent, name, Kind::Internal)
    }

    /// The step began at that time, as [`now_ns`](super::now_ns) told it.
    #[must_use]
    pub fn since(mut self, begun: u64) -> Self {
        if let Some(open) = &mut self.open {
            open.step.begun = begun;
        }
        self
    }

    /// Says something of the step: never a comment, and never who the account is.
    pub fn set(&mut self, key: &'static str, value: impl Display) {
        if let Some(open) = &mut self.open {
            open.step.attributes.push((key, short(&value)));
        }
    }

    /// The step failed: a reason's name.
    pub fn fail(&mut self, why: impl Display) {
        if let Some(open) = &mut self.open {
            open.step.failed = Some(short(&why));
        }
    }

    /// What a call within this step carries.
    #[must_use]
    pub const fn context(&self) -> &TraceContext {
        &self.context
    }

    /// Ends the step.
    pub fn end(self) {
        drop(self);
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            let Open { tracer, mut step } = *open;
            step.ended = clock::utc_now_ns().max(step.begun);
            tracer.tell(step);
        }
    }
}

fn short(value: &impl Display) -> String {
    value.to_string().chars().take(VALUE).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::sync::mpsc;

    fn tracer(places: usize, share: f64) -> (Tracer, mpsc::Receiver<Step>) {
        let (queue, steps) = mpsc::channel(places);
        (Tracer::new(queue, share), steps)
    }

    fn arrival() -> Arrival {
        let caller = TraceContext::new();
        Arrival {
            context: caller.child(),
            parent: Some(caller.span_id),
            at_ns: 7,
        }
    }

    #[test]
    fn what_follows_from_a_call_is_within_its_span() {
        let (tracer, mut steps) = tracer(8, 1.0);
        let arrival = arrival();
        let mut call = Span::served_by(&tracer, &arrival, "call").unwrap();
        call.set("client", "alpha");
        call.child("inner", Kind::Internal).then("next").end();
        call.end();
        let trace_id = arrival.context.trace_hex();
        let late = Span::within_by(&tracer, &trace_id, "late", Kind::Client);
        late.unwrap().end();
        let told: Vec<Step> = std::iter::from_fn(|| steps.try_recv().ok()).collect();
        let names: Vec<_> = told.iter().map(|step| step.name).collect();
        assert_eq!(names, ["inner", "next", "call", "late"]);
        let of_call = Some(arrival.context.span_id);
        let parents: Vec<_> = told.iter().map(|step| step.parent).collect();
        assert_eq!(parents, [of_call, of_call, arrival.parent, of_call]);
        assert_eq!(told[2].begun, 7);
        assert_eq!(told[2].attributes, [("client", "alpha".to_owned())]);
        for step in &told {
            assert_eq!(step.context.trace_id, arrival.context.trace_id);
            assert!(step.ended >= step.begun);
        }
    }

    #[test]
    fn nothing_is_recorded_of_what_the_caller_or_the_share_leaves_out() {
        let (all, mut steps) = tracer(8, 1.0);
        let mut unsampled = arrival();
        unsampled.context.sampled = false;
        assert!(Span::served_by(&all, &unsampled, "call").is_none());
        let unknown = TraceContext::new().trace_hex();
        assert!(Span::within_by(&all, &unknown, "step", Kind::Internal).is_none());
        let (none, _steps) = tracer(8, 0.0);
        assert!(Span::served_by(&none, &arrival(), "call").is_none());
        assert!(steps.try_recv().is_err());
    }

    #[test]
    fn a_full_queue_gives_spans_up() {
        let (tracer, mut steps) = tracer(1, 1.0);
        for _ in 0..2 {
            Span::served_by(&tracer, &arrival(), "call").unwrap().end();
        }
        assert!(steps.try_recv().is_ok());
        assert!(steps.try_recv().is_err());
    }

    #[test]
    fn without_a_collector_a_trace_has_an_id_and_nothing_else() {
        let mut root = Span::root("order");
        root.set("symbol", "EURUSD");
        let child = root.child("step", Kind::Client);
        assert_eq!(child.context(), root.context());
        assert!(root.context().sampled && root.open.is_none());
    }
}
