//! A step of a trace as it is told.

use crate::trace_context::TraceContext;

/// On which side of a call a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Within the process.
    Internal,
    /// It answers a call.
    Server,
    /// It calls, and waits for the answer.
    Client,
}

#[derive(Debug)]
pub(super) struct Step {
    pub(super) context: TraceContext,
    pub(super) parent: Option<[u8; 8]>,
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Unix nanoseconds.
    pub(super) begun: u64,
    pub(super) ended: u64,
    pub(super) attributes: Vec<(&'static str, String)>,
    /// Why it failed.
    pub(super) failed: Option<String>,
}
