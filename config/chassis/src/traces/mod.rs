//! Traces of orders, over OTLP to a collector on this machine: off unless the configuration names one.
//!
//! Shells open a [`Span`] where a step of an order begins, and drop it where the step ends. An ended
//! span waits in a bounded queue for a task of its own, which sends it or gives it up: no order ever
//! waits for a collector. Everything in a span passes the redactor on its way out.

mod exporter;
mod settings;
mod span;
mod step;
mod tracer;

pub use settings::TraceSettings;
pub use span::{Arrival, Span};
pub use step::Kind;
pub use tracer::now_ns;

pub(crate) use exporter::start;
