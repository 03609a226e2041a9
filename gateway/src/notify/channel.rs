//! The ways out of the gateway.

use super::{alert::Message, email::Email, telegram::Telegram, undelivered::Undelivered};
use std::time::Duration;
use tokio::time::timeout;

/// Longest attempt to send a message, all of its steps together.
const ATTEMPT: Duration = Duration::from_secs(15);

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
