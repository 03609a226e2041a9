//! A way out of the gateway, and why a message did not take it.

use super::{alert::Message, email::Email, telegram::Telegram};
use std::time::Duration;
use tokio::time::timeout;

/// Longest attempt to send a message, all of its steps together.
const ATTEMPT: Duration = Duration::from_secs(15);

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

/// A way out.
pub(super) enum Channel {
    Email(Email),
    Telegram(Telegram),
}

impl Channel {
    /// Its name, as `notify.channels` has it.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Email(_) => "email",
            Self::Telegram(_) => "telegram",
        }
    }

    /// Sends a message, within a bounded time.
    pub(super) async fn send(&self, message: &Message) -> Result<(), Undelivered> {
        let sent = async {
            match self {
                Self::Email(email) => email.send(message).await,
                Self::Telegram(telegram) => telegram.send(message).await,
            }
        };
        let late = |_| Undelivered::later(format!("no answer within {} s", ATTEMPT.as_secs()));
        timeout(ATTEMPT, sent).await.map_err(late)?
    }
}
