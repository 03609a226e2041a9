//! Messages by a bot of Telegram: `sendMessage` of its HTTP API. The bot's token stands in the path,
//! so no error quotes the request, nor what the server says of it.

use super::{
    alert::Message,
    http::{Address, Asked},
    net::Trust,
    undelivered::Undelivered,
};
use http::StatusCode;
use mymt5_chassis::secrets::SecretReader;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

/// The secret's name.
pub const TOKEN: &str = "TELEGRAM_BOT_TOKEN";
/// Most characters of a message; Telegram takes 4096.
const LONGEST: usize = 4_000;

/// Where a bot writes.
#[derive(Clone, Debug)]
pub struct TelegramSettings {
    /// The API.
    pub address: Address,
    /// The chat: a number, or a channel's `@name`.
    pub chat_id: String,
}

/// The channel.
pub(super) struct Telegram {
    pub(super) settings: TelegramSettings,
    pub(super) trust: Option<Trust>,
    pub(super) secrets: SecretReader,
    /// The gateway's name.
    pub(super) name: String,
}

/// What is read of an answer.
#[derive(Default, Deserialize)]
struct Answer {
    #[serde(default)]
    ok: bool,
    #[serde(default)]
    parameters: Parameters,
}

#[derive(Default, Deserialize)]
struct Parameters {
    retry_after: Option<u64>,
    /// The number of the supergroup that a group has become.
    migrate_to_chat_id: Option<i64>,
}

impl Parameters {
    /// Why the chat takes no message. Whether alerts go to another chat is the operator's to say.
    fn unfit_chat(&self) -> String {
        self.migrate_to_chat_id.map_or_else(
            || "answered 400: check notify.telegram.chat_id, and that the bot is in that chat".to_owned(),
            |id| format!("answered 400: the group is a supergroup now: set notify.telegram.chat_id to \"{id}\", and restart the gateway"),
        )
    }
}

/// Whether a token can stand in a path: `123456:letters`.
#[must_use]
pub fn is_token(text: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
    text.split_once(':').is_some_and(|(bot, key)| {
        let is_number = !bot.is_empty() && bot.bytes().all(|digit| digit.is_ascii_digit());
        is_number && !key.is_empty() && key.chars().all(fits)
    })
}

impl Telegram {
    pub(super) async fn send(&self, message: &Message) -> Result<(), Undelivered> {
        let token = self.secrets.get(TOKEN);
        let unfit = || Undelivered::later(format!("{TOKEN} is not a bot's token"));
        let token = token.filter(|token| is_token(token.expose()));
        let path = format!("/bot{}/sendMessage", token.ok_or_else(unfit)?.expose());
        let text = format!("{}\n{}", message.head(&self.name), message.body());
        let text: String = text.chars().take(LONGEST).collect();
        let body = json!({ "chat_id": self.settings.chat_id, "text": text });
        let asked = Asked {
            address: &self.settings.address,
            path: &path,
            json: Some(body.to_string()),
        };
        let answer = asked.answer(self.trust.as_ref()).await;
        let (status, body) = answer.map_err(|error| Undelivered::later(error.to_string()))?;
        judged(status, &serde_json::from_slice(&body).unwrap_or_default())
    }
}

fn judged(status: StatusCode, answer: &Answer) -> Result<(), Undelivered> {
    let code = status.as_u16();
    match code {
        200 if answer.ok => Ok(()),
        200 => Err(Undelivered::later("the answer is none of Telegram's")),
        400 => Err(Undelivered::never(answer.parameters.unfit_chat())),
        401 | 404 => Err(Undelivered::later(format!(
            "answered {code}: check {TOKEN} and notify.telegram.address"
        ))),
        403 => Err(Undelivered::later(
            "answered 403: let the bot write to the chat of notify.telegram.chat_id",
        )),
        429 => {
            let asked = answer.parameters.retry_after.map(Duration::from_secs);
            Err(Undelivered {
                asked,
                ..Undelivered::later("answered 429: too many messages")
            })
        }
        _ => Err(Undelivered::later(format!("answered {code}"))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(status: u16, body: &str) -> Result<(), Undelivered> {
        let answer = serde_json::from_str(body).unwrap_or_default();
        judged(StatusCode::from_u16(status).unwrap(), &answer)
    }

    #[test]
    fn only_telegrams_own_yes_counts() {
        assert_eq!(of(200, "{\"ok\":true,\"result\":{}}"), Ok(()));
        for (status, body) in [
            (200, "{\"ok\":false}"),
            (200, "<html>"),
            (302, "{\"ok\":true}"),
            (500, "{\"ok\":true}"),
            (429, "{}"),
        ] {
            let refused = of(status, body).unwrap_err();
            assert!(refused.again && refused.asked.is_none(), "{status}");
        }
        assert!(!of(400, "").unwrap_err().again);
    }

    #[test]
    fn a_pause_that_is_asked_for_is_kept() {
        let body = "{\"ok\":false,\"parameters\":{\"retry_after\":17}}";
        let refused = of(429, body).unwrap_err();
        assert_eq!(refused.asked, Some(Duration::from_secs(17)));
    }

    #[test]
    fn a_group_that_became_a_supergroup_is_told_by_its_new_number() {
        let body = "{\"ok\":false,\"parameters\":{\"migrate_to_chat_id\":-1001234567890}}";
        let refused = of(400, body).unwrap_err();
        assert!(!refused.again);
        let told = refused.why;
        let fix = "set notify.telegram.chat_id to \"-1001234567890\"";
        assert!(told.contains(fix), "{told}");
    }

    #[test]
    fn a_token_that_would_lead_elsewhere_is_not_one() {
        assert!(is_token("123:canary_of-a-bot"));
        for text in ["", "123", ":x", "123:", "x:y", "1:a/b", "1:a?b", "1:a b"] {
            assert!(!is_token(text), "{text}");
        }
    }
}
