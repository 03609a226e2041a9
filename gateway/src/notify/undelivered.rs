//! Why a message did not take its way out.

use std::time::Duration;

/// Why a message was not delivered. It quotes neither secrets nor what a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Undelivered {
    /// What went wrong.
    pub(super) why: String,
    /// It may be tried again.
    pub(super) again: bool,
    /// The pause that the server asked for.
    pub(super) asked: Option<Duration>,
}

impl Undelivered {
    /// The message may be tried again.
    pub(super) fn later(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            again: true,
            asked: None,
        }
    }

    /// The server does not want this message.
    pub(super) fn never(why: impl Into<String>) -> Self {
        Self {
            again: false,
            ..Self::later(why)
        }
    }
}
