//! What the process told its log last, without the values: for a crash report that says what it was
//! doing.

use crate::clock;
use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id},
};
use tracing_subscriber::{
    Layer, Registry,
    layer::Context,
    registry::{LookupSpan, Scope},
};

/// So many are kept.
pub(crate) const KEPT: usize = 8;
/// A longer message is not kept: cut in two, a secret in it could not be masked.
const MAX_BYTES: usize = 256;
/// The field of the id that follows a request.
pub(crate) const TRACE_ID: &str = "trace_id";

/// The last events of level INFO and above; clones share them.
#[derive(Clone, Default)]
pub(crate) struct Recent(Arc<Mutex<VecDeque<Action>>>);

/// One of them; not redacted.
#[derive(Clone, Debug)]
pub(crate) struct Action {
    at_ms: i64,
    target: &'static str,
    message: String,
    /// The id of the request that it belonged to.
    pub(crate) trace_id: Option<String>,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = clock::rfc3339(self.at_ms);
        write!(f, "{time} {}: {}", self.target, self.message)
    }
}

impl Recent {
    /// Oldest first.
    pub(crate) fn actions(&self) -> Vec<Action> {
        let actions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        actions.iter().cloned().collect()
    }

    fn push(&self, action: Action) {
        let mut actions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if actions.len() == KEPT {
            actions.pop_front();
        }
        actions.push_back(action);
    }
}

/// The id of a span's request.
struct TraceId(String);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recent {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut seen = Seen::default();
        attributes.record(&mut seen);
        if let (Some(trace_id), Some(span)) = (seen.trace_id, context.span(id)) {
            span.extensions_mut().replace(TraceId(trace_id));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if *event.metadata().level() > Level::INFO {
            return;
        }
        let mut seen = Seen::default();
        event.record(&mut seen);
        let of_span = || context.event_scope(event).and_then(trace_id_of);
        self.push(Action {
            at_ms: clock::utc_now_ms(),
            target: event.metadata().target(),
            message: seen.message,
            trace_id: seen.trace_id.or_else(of_span),
        });
    }
}

/// The id of the request that this thread works for, where its span tells.
pub(crate) fn current_trace_id() -> Option<String> {
    tracing::dispatcher::get_default(|dispatch| {
        let current = dispatch.current_span();
        let registry = dispatch.downcast_ref::<Registry>()?;
        let span = registry.span(current.id()?)?;
        trace_id_of(span.scope())
    })
}

fn trace_id_of<'a, R: LookupSpan<'a>>(mut scope: Scope<'a, R>) -> Option<String> {
    scope.find_map(|span| {
        let extensions = span.extensions();
        extensions
            .get::<TraceId>()
            .map(|trace_id| trace_id.0.clone())
    })
}

/// The two fields that are kept.
#[derive(Default)]
struct Seen {
    message: String,
    trace_id: Option<String>,
}

impl Visit for Seen {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message = kept(value.to_owned()),
            TRACE_ID => self.trace_id = Some(kept(value.to_owned())),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if ["message", TRACE_ID].contains(&field.name()) {
            self.record_str(field, &format!("{value:?}"));
        }
    }
}

fn kept(text: String) -> String {
    if text.len() > MAX_BYTES {
        return "a long message".to_owned();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::{debug, dispatcher::with_default, info, info_span, warn};
    use tracing_subscriber::layer::SubscriberExt;

    #[test]
    fn the_last_events_are_kept_without_their_values() {
        let recent = Recent::default();
        let dispatch = tracing::Dispatch::new(Registry::default().with(recent.clone()));
        with_default(&dispatch, || {
            assert_eq!(current_trace_id(), None);
            for _ in 0..20 {
                info!("an older one");
            }
            let call = info_span!("call", trace_id = "abc", path = "hidden");
            let _within = call.enter();
            let inner = info_span!("inner");
            let _within = inner.enter();
            warn!(lots = 7, "sent");
            info!(trace_id = "def", "of another");
            debug!("too small");
            info!("{}", "x".repeat(1000));
            assert_eq!(current_trace_id().as_deref(), Some("abc"));
        });
        let actions = recent.actions();
        assert_eq!(actions.len(), KEPT);
        let last: Vec<_> = actions[KEPT - 4..]
            .iter()
            .map(|action| (action.message.as_str(), action.trace_id.as_deref()))
            .collect();
        let expected = [
            ("an older one", None),
            ("sent", Some("abc")),
            ("of another", Some("def")),
            ("a long message", Some("abc")),
        ];
        assert_eq!(last, expected);
        let told = actions[KEPT - 3].to_string();
        assert!(told.ends_with("logs::recent::tests: sent"), "{told}");
    }
}
