//! The ways out of the gateway.

use super::{alert::Message, email::Email, telegram::Telegram, undelivered::Undelivered};
use std::time::Duration;
use tokio::time::timeout;

/// Longest attempt to send a message, all of its steps together.
const ATTEMPT: Duration = Duration::from_secs(15);
/// The same of a mail. A server that looks into it first takes its time, and takes the mail though
/// nobody waits any more: the same mail would come again and again.
const MAIL: Duration = Duration::from_secs(60);

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
        let bound = match self {
            Self::Email(_) => MAIL,
            Self::Telegram(_) => ATTEMPT,
        };
        self.send_within(bound, message).await
    }

    /// Sends a message while an operator waits for what comes of it.
    pub(super) async fn try_out(&self, message: &Message) -> Result<(), Undelivered> {
        self.send_within(ATTEMPT, message).await
    }

    async fn send_within(&self, bound: Duration, message: &Message) -> Result<(), Undelivered> {
        let sent = async {
            match self {
                Self::Email(email) => email.send(message).await,
                Self::Telegram(telegram) => telegram.send(message).await,
            }
        };
        let late = |_| Undelivered::later(format!("no answer within {} s", bound.as_secs()));
        timeout(bound, sent).await.map_err(late)?
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::notify::{
        alert::{Alert, Kind, Severity},
        email::tests::email_to,
    };
    use mymt5_model::UtcTime;
    use tokio::net::TcpListener;

    #[tokio::test(start_paused = true)]
    async fn a_mail_has_longer_than_a_trial() {
        let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let channel = Channel::Email(email_to(silent.local_addr().unwrap().port()));
        let message = Message {
            at: UtcTime(0),
            alert: Alert::new(Kind::Test, Severity::Info, "a trial"),
        };
        let tried = channel.try_out(&message).await.unwrap_err();
        assert_eq!(tried.why, "no answer within 15 s");
        let sent = channel.send(&message).await.unwrap_err();
        assert_eq!(sent.why, "no answer within 60 s");
    }
}
